"""Assign spikes to time steps. This module defines the edge rule, which the compiled passes reproduce.

Step ``i`` holds the spikes with ``i * dt <= t < (i + 1) * dt``, with edges in float64. A spike exactly on an edge
belongs to the later step; spikes at or after ``n_steps * dt`` are dropped. Stored times of lower precision are
converted to float64; the edges are never rounded to the precision of the times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, checked, whole_number
from spikedata.events.sample import Sample, find_fault

_LARGEST_STEP = 2**52  # beyond it, float64 cannot distinguish neighboring edges


def bin_events(
    times: npt.ArrayLike, units: npt.ArrayLike, *, dt: float, n_steps: int, n_units: int
) -> npt.NDArray[np.int64]:
    """Spike counts of one clip for each time step and unit.

    Parameters
    ----------
    times : array_like of float, shape (n_spikes,)
        Spike times [s], in any order.
    units : array_like of int, shape (n_spikes,)
        Unit of each spike.
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps; spikes at or after ``n_steps * dt`` are dropped.
    n_units : int
        Number of units.

    Returns
    -------
    ndarray of int64, shape (n_steps, n_units)
        Counts; all zeros for a silent clip.

    Raises
    ------
    ValueError
        If a time is negative or not finite, a unit is not below ``n_units``, or the two differ in length.

    Examples
    --------
    >>> bin_events([0.0, 0.01, 0.0199, 0.02], [0, 1, 1, 0], dt=0.01, n_steps=2, n_units=2)
    array([[1, 0],
           [0, 2]])
    """
    sample = Sample(np.asarray(times, dtype=np.float64), np.asarray(units), label=0, speaker=0)
    (_, steps, channels), counts = bin_samples([sample], dt=dt, n_steps=n_steps, n_units=n_units)
    dense = np.zeros((n_steps, n_units), dtype=np.int64)
    dense[steps, channels] = counts
    return dense


def bin_samples(
    samples: Sequence[Sample], *, dt: float, n_steps: int, n_units: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Nonzero spike counts of many clips, as a list of entries.

    Parameters
    ----------
    samples : sequence of Sample
        The clips, such as ``Events``.
    dt, n_steps, n_units
        As in `bin_events`.

    Returns
    -------
    indices : ndarray of int64, shape (3, n_entries)
        Clip, step and unit of each entry, without repetition, in rising order.
    counts : ndarray of int64, shape (n_entries,)
        Number of spikes of each entry, at least 1.

    Raises
    ------
    ValueError
        As in `bin_events`; the message gives the number of the sample.

    Examples
    --------
    >>> clip = Sample(np.array([0.0, 0.001, 0.012]), np.array([4, 4, 6]), label=0, speaker=0)
    >>> bin_samples([clip], dt=0.01, n_steps=100, n_units=700)
    (array([[0, 0],
           [0, 1],
           [4, 6]]), array([2, 1]))
    """
    shape = (len(samples), whole_number("n_steps", n_steps, at_least=1), whole_number("n_units", n_units, at_least=1))
    lengths = [len(sample.times) for sample in samples]
    for index, sample in enumerate(samples):
        if len(sample.units) != lengths[index]:
            raise ValueError(f"sample {index}: {lengths[index]} times and {len(sample.units)} units, must agree")
    times = np.concatenate([np.empty(0), *(sample.times for sample in samples)])
    units = np.concatenate([np.empty(0, dtype=np.uint16), *(_integers(sample.units) for sample in samples)])
    rows = np.repeat(np.arange(len(samples)), lengths)
    fault = find_fault(times, units, n_units)
    if fault:
        raise ValueError(f"sample {rows[fault[0]]}: {fault[1]}")
    steps = steps_of(times, dt=dt)
    kept = steps < n_steps
    codes = np.ravel_multi_index((rows[kept], steps[kept], units[kept].astype(np.int64)), shape)
    codes, counts = np.unique(codes, return_counts=True)
    return np.stack(np.unravel_index(codes, shape)), counts


def steps_of(times: npt.ArrayLike, *, dt: float) -> npt.NDArray[np.int64]:
    """The time step of each spike.

    Equal to ``np.searchsorted(np.arange(n + 1) * dt, times, side="right") - 1`` for every sufficiently large ``n``.

    Parameters
    ----------
    times : array_like of float, shape (n_spikes,)
        Spike times [s].
    dt : float
        Length of a step [s].

    Returns
    -------
    ndarray of int64, shape (n_spikes,)

    Raises
    ------
    ValueError
        If a time is negative or not finite, or ``dt`` is not positive, or too short to distinguish the steps.

    Examples
    --------
    >>> steps_of([0.0, 0.0999, 0.1, 0.25], dt=0.1)
    array([0, 0, 1, 2])
    """
    dt = float(checked("dt", dt, Positive))
    times = np.asarray(times, dtype=np.float64)
    if times.size == 0:
        return np.empty(times.shape, dtype=np.int64)
    if not (times.min() >= 0 and times.max() < math.inf):
        raise ValueError(f"times must be finite and >= 0, got {times[~((times >= 0) & (times < math.inf))][0]}")
    if times.max() >= _LARGEST_STEP * dt:
        raise ValueError(f"dt must be more than {times.max() / _LARGEST_STEP} for times up to {times.max()}, got {dt}")
    steps = np.floor(times / dt)
    steps -= times < steps * dt  # rounding of the division may be off by one step in either direction
    steps += times >= (steps + 1) * dt
    return steps.astype(np.int64)


def _integers(units: npt.ArrayLike) -> np.ndarray:
    array = np.asarray(units)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"units must be integers, got {array.dtype}")
    return array if array.size else array.astype(np.uint16)
