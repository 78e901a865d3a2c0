"""Whether recurrent spikes are gathered or multiplied, decided by how many there are."""

from __future__ import annotations

from collections.abc import Callable

import torch

_BLOCK = 16  # steps between two decisions
_GATHER_UP_TO = 0.2  # share of neurons that fire up to which gathering rows beats a product of matrices
_FEW = 64  # spikes of a clip and step up to which it does so where products are quicker


def has_quick_products() -> bool:
    """Whether matrices are multiplied as bfloat16: by "medium" of `torch.set_float32_matmul_precision`."""
    return torch.get_float32_matmul_precision() == "medium"


def step_by_density(
    go_on: Callable[[int, int, bool], int],
    inject: Callable[[int], object],
    *,
    n_steps: int,
    n_clips: int,
    n_neurons: int,
) -> None:
    """Go through all steps, in blocks; the spikes of one block decide how those of the next one are injected.

    Parameters
    ----------
    go_on : callable
        Takes the first step, the one after the last, and whether to gather what spikes inject; returns how many
        spikes there were.
    inject : callable
        Takes a step; injects its spikes by a product of matrices.
    n_steps : int
        Steps to go [1].
    n_clips, n_neurons : int
        Clips, and neurons of each [1].
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
