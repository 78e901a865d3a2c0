"""Choose between gathering rows for recurrent spikes and multiplying matrices, by how many neurons fire."""

from __future__ import annotations

from collections.abc import Callable

import torch

# Measured: gathering rows beats a matrix product up to this share of neurons firing at a step, or, where products are
# made in bfloat16 and so are faster, up to this many spikes of a clip.
_GATHER_UP_TO = 0.2
_FEW = 64
_BLOCK = 16  # steps between two decisions


def has_quick_products() -> bool:
    """Whether matrices are multiplied in bfloat16: `torch.set_float32_matmul_precision("medium")`."""
    return torch.get_float32_matmul_precision() == "medium"


def step_by_density(
    go_on: Callable[[int, int, bool], int],
    inject: Callable[[int], object],
    *,
    n_steps: int,
    n_clips: int,
    n_neurons: int,
) -> None:
    """Run all steps in blocks; the spikes of one block decide how those of the next block are injected.

    Parameters
    ----------
    go_on : callable
        Called with the first step, the one after the last, and whether to gather the rows of the spikes; returns the
        number of spikes.
    inject : callable
        Called with a step; injects its spikes by a matrix product.
    n_steps : int
        Number of steps [1].
    n_clips, n_neurons : int
        Number of clips, and of neurons [1].
    """
    few = _GATHER_UP_TO * n_neurons
    if has_quick_products():
        few = min(few, _FEW)
    n_spikes, n_before = 0, 1
    for first in range(0, n_steps, _BLOCK):
        last = min(first + _BLOCK, n_steps)
        if n_spikes <= few * n_before * n_clips:
            n_spikes = go_on(first, last, True)
        else:
            n_spikes = 0
            for step in range(first, last):
                n_spikes += go_on(step, step + 1, False)
                inject(step)
        n_before = last - first
