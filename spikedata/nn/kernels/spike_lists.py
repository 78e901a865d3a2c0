"""Spikes of several clips as lists, and their products with weights."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.rows import add_rows, list_active


@compiled
def list_spikes(spikes: Array, begin: int, end: int, units: Array, values: Array, starts: Array, ends: Array) -> bool:
    """List the spikes of the clips from `begin` up to `end`; return False if the lists are too short.

    They must have room for all spikes and for one more step in which every neuron fires.
    """
    n = 0
    for clip in range(begin, end):
        for step in range(spikes.shape[1]):
            if n + spikes.shape[2] >= units.size:
                return False
            starts[clip - begin, step] = n
            n += list_active(spikes[clip, step], units[n:], values[n:])
            ends[clip - begin, step] = n
    return True


@compiled
def gather_rows(units: Array, values: Array, starts: Array, ends: Array, weight: Array, drive: Array) -> None:
    """Set each row of `drive` (clip, step, to) to the sum of the weight's rows of its spikes, each times its value."""
    for clip in range(drive.shape[0]):
        for step in range(drive.shape[1]):
            for j in range(drive.shape[2]):
                drive[clip, step, j] = 0
            first, last = starts[clip, step], ends[clip, step]
            if first < last:  # calling for nothing takes several times as long as asking
                add_rows(weight, units, values, first, last, drive[clip, step])


@compiled
def gather_gradient(
    units: Array, values: Array, starts: Array, ends: Array, gradient: Array, delay: int, n_together: int,
    total: Array,
) -> None:  # fmt: skip
    """Add value x gradient[clip, step + delay] of each spike to the row of `total` that belongs to its unit.

    The spikes of several clips are first sorted by unit: then a row of `total` stays in the cache while the rows of the
    gradient are added to it, four at a time.
    """
    n_clips, n_steps, n_to = gradient.shape
    flat = gradient.reshape(n_clips * n_steps, n_to)
    after = np.empty(total.shape[0] + 1, np.int64)  # place after the last spike of each unit
    for first in range(0, n_clips, n_together):
        last = min(first + n_together, n_clips)
        after[:] = 0
        for clip in range(first, last):
            for step in range(n_steps - delay):
                for i in range(starts[clip, step], ends[clip, step]):
                    after[np.int64(units[i]) + 1] += 1
        for unit in range(1, after.size):
            after[unit] += after[unit - 1]
        rows, sorted_values = np.empty(after[-1], np.int64), np.empty(after[-1], values.dtype)
        for clip in range(first, last):
            for step in range(n_steps - delay):
                for i in range(starts[clip, step], ends[clip, step]):
                    place = after[units[i]]
                    rows[place] = clip * n_steps + step + delay
                    sorted_values[place] = values[i]
                    after[units[i]] = place + 1
        begin = 0
        for unit in range(total.shape[0]):
            add_rows(flat, rows, sorted_values, begin, after[unit], total[unit])
            begin = after[unit]


_NEAR = 2**20  # bytes of gradient that fit a core's cache


class SpikeLists(NamedTuple):
    """The spikes of some clips by clip and step.

    Attributes
    ----------
    units : ndarray of unsigned integers, shape (n,)
        Number of each neuron that fired [1].
    values : ndarray, shape (n,)
        Weight of each spike [1].
    starts, ends : ndarray of int64, shape (clip, step)
        The spikes of clip b in step i are ``units[starts[b, i]:ends[b, i]]`` [1].
    """

    units: npt.NDArray[Any]
    values: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    def of_clips(self, begin: int, end: int) -> Self:
        """The lists of the clips from ``begin`` up to ``end``."""
        return self._replace(starts=self.starts[begin:end], ends=self.ends[begin:end])


def room_for(n_clips: int, n_steps: int, n_neurons: int, dtype: npt.DTypeLike, *, at_most: float) -> SpikeLists:
    """Empty lists with room for as many spikes as there are if this share of all neurons fires.

    Parameters
    ----------
    n_clips, n_steps, n_neurons : int
        Shape of the spikes to list [1].
    dtype : data type
        Data type of the values.
    at_most : float
        Share of neurons that fire [1]; with 0 the lists have no room at all.
    """
    n = int(at_most * n_clips * n_steps * n_neurons) + n_neurons + 1 if at_most else 0
    starts, ends = np.zeros((2, n_clips, n_steps), np.int64)
    return SpikeLists(np.empty(n, np.uint32), np.empty(n, dtype), starts, ends)


def lists_of(spikes: Tensor, begin: int, end: int, *, at_most: float) -> SpikeLists | None:
    """Lists of the spikes of the clips from `begin` up to `end`; None if a larger share of neurons fires.

    Parameters
    ----------
    spikes : Tensor, (batch, step, neuron)
        Mostly zeros [1].
    begin, end : int
        First clip and the one after the last [1].
    at_most : float
        Largest share of values that are not zero [1].
    """
    dense = spikes.numpy()
    lists = room_for(end - begin, spikes.shape[1], spikes.shape[2], dense.dtype, at_most=at_most)
    return lists if list_spikes(dense, begin, end, *lists) else None


def gather(lists: SpikeLists, weight: Tensor, drive: Tensor) -> None:
    """Fill ``drive`` (clip, step, to) with the input that the spikes inject through ``weight`` (from, to)."""
    gather_rows(*lists, weight.numpy(), drive.numpy())


def gather_back(lists: SpikeLists, gradient: Tensor, n_from: int, *, delay: int = 0) -> Tensor:
    """The gradient of a weight, (from, to), whose drive arrived ``delay`` steps after the spikes.

    Parameters
    ----------
    lists : SpikeLists
        The spikes.
    gradient : Tensor, (clip, step, to)
        Gradient of the drive.
    n_from : int
        Number of neurons that can fire [1].
    delay : int
        Steps between a spike and its drive [1].
    """
    total = torch.zeros(n_from, gradient.shape[2], dtype=gradient.dtype)
    clip_size = gradient[0].numel() * gradient.element_size()
    n_together = max(1, _NEAR // clip_size)
    gather_gradient(*lists, gradient.numpy(), delay, n_together, total.numpy())
    return total
