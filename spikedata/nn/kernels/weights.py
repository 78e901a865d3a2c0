"""The gradient of a weight from the spikes that passed through it, by lists or by a matrix product."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikedata.nn.kernels.chunks import over_chunks
from spikedata.nn.kernels.density import has_quick_products
from spikedata.nn.kernels.spike_lists import SpikeLists, gather_back, room_for

# All measured.
_SPARSE_UP_TO = 0.1  # share of neurons firing up to which gathering rows beats a matrix product
_FEW = 256  # neurons; the spikes of shorter rows must be fewer, since finding them takes its time
_SPARSE_UP_TO_IF_FEW = 0.05  # the same share for them
_FOUND_UP_TO, _FEW_FOUND = 0.2, 32  # the same for a recurrent layer, which has listed its spikes already
_FOUND_UP_TO_IF_QUICK = 0.05  # the same where products are made in bfloat16


def sparse_up_to(n_to: int) -> float:
    """The share of neurons firing up to which rows of ``n_to`` values are gathered, not multiplied [1]; 0: never."""
    if n_to >= _FEW:
        return _SPARSE_UP_TO
    return 0.0 if has_quick_products() else _SPARSE_UP_TO_IF_FEW


def lists_to_fill(
    n_clips: int, n_steps: int, n_neurons: int, dtype: npt.DTypeLike, weight: Tensor
) -> tuple[SpikeLists, npt.NDArray[np.int64]]:
    """Empty lists for the spikes of a recurrent layer, and the number in them: 0, or -1 if none are to be listed."""
    at_most = 0.0
    if weight.numel() and n_neurons >= _FEW_FOUND:
        at_most = _FOUND_UP_TO_IF_QUICK if has_quick_products() else _FOUND_UP_TO
    lists = room_for(n_clips, n_steps, n_neurons, dtype, at_most=at_most)
    return lists, np.full(1, 0 if at_most else -1, np.int64)


def weight_gradient(
    spikes: Tensor, gradient: Tensor, lists: list[SpikeLists | None], *, together: int, delay: int = 0
) -> Tensor:
    """The sum over clips and steps of spikes[clip, step - delay] x gradient[clip, step].

    Parameters
    ----------
    spikes : Tensor, (batch, step, from)
        Mostly zeros [1].
    gradient : Tensor, (batch, step, to)
        Gradient of the drive.
    lists : list of SpikeLists or None
        The spikes of each chunk of clips; None where a matrix product is faster.
    together : int
        Clips in a chunk [1].
    delay : int
        Steps between a spike and its drive [1].

    Returns
    -------
    Tensor, (from, to)
    """

    def of_chunk(begin: int, end: int) -> Tensor:
        listed = lists[begin // together]
        if listed is not None:
            return gather_back(listed, gradient[begin:end], spikes.shape[2], delay=delay)
        return dense_gradient(spikes[begin:end], gradient[begin:end], delay=delay)

    return sum_in_order(over_chunks(of_chunk, len(spikes), together))


def dense_gradient(spikes: Tensor, gradient: Tensor, *, delay: int = 0) -> Tensor:
    """The same sum as a matrix product."""
    if not delay:
        return torch.mm(spikes.flatten(0, 1).t(), gradient.flatten(0, 1))
    total = torch.zeros(spikes.shape[2], gradient.shape[2], dtype=gradient.dtype)
    for clip_spikes, clip_gradient in zip(spikes, gradient, strict=True):
        total.addmm_(clip_spikes[:-delay].t(), clip_gradient[delay:])
    return total


def sum_in_order(parts: list[Tensor]) -> Tensor:
    """The sum of tensors in their order, so that it rounds the same each time; the first is overwritten with it."""
    total, *others = parts
    for other in others:
        total += other
    return total
