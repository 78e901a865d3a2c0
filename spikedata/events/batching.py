"""Batches from `Events` in one compiled pass each: dense counts, sparse counts, or lists of units by step.

The edge rule is that of `spikedata.events.binning`: step i holds i * dt <= t < (i + 1) * dt. Clips are cropped to
`n_steps` (spikes at or after n_steps * dt are dropped) or padded with empty steps. With `n_merged`, unit u of the
result stands for the units u * n_merged to (u + 1) * n_merged - 1; the last one may stand for fewer.
"""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, checked, whole_number
from spikedata.events.events import Events
from spikedata.events.window import LONGEST_CLIP

_LARGEST_COUNT = {
    np.dtype(np.uint8): 255,
    np.dtype(np.float32): 2**24,
}  # where counting stops; smaller counts are exact
_FEWEST_JUDGED = 100  # spikes of a batch; of fewer, nothing is concluded
_NEARLY_EMPTY = (
    "nearly all spikes of a batch fall outside its steps, and its clips last for minutes: "
    "if the times of the file are not in s, give SpikeDataset(..., time_unit='ms')"
)
_MOST_STEPS = 2**31 - 1  # the passes store a step in 32 bits


class EventLists(NamedTuple):
    """The spikes of a batch, sorted by clip and step.

    Parameters
    ----------
    units : ndarray of uint16, shape (n_spikes,)
        Unit of each spike [1]; within a step, in the order of the file.
    offsets : ndarray of int64, shape (batch, n_steps + 1)
        The spikes of clip b in step i are ``units[offsets[b, i]:offsets[b, i + 1]]`` [1].
    n_units : int
        Number of units [1].
    """

    units: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int64]
    n_units: int


def dense_batch(
    events: Events,
    indices: npt.ArrayLike,
    *,
    dt: float,
    n_steps: int,
    n_merged: int = 1,
    binary: bool = False,
    dtype: npt.DTypeLike = np.float32,
    out: npt.NDArray[np.generic] | None = None,
) -> npt.NDArray[np.generic]:
    """Spike counts of some clips for every step and unit.

    Parameters
    ----------
    events : Events
    indices : array_like of int, shape (batch,)
        Numbers of the clips.
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps.
    n_merged : int
        Number of neighboring units that are merged into one [1].
    binary : bool
        Whether to give 1 for any number of spikes, rather than their count.
    dtype : float32 or uint8
        Type of the result; uint8 counts stop at 255.
    out : ndarray, shape (batch, n_steps, units), optional
        Contiguous array for the result. Reusing it saves more time than binning takes.

    Returns
    -------
    ndarray, shape (batch, n_steps, units)
        `out`, if it was given.

    Raises
    ------
    ValueError
        If a number is out of range, or `out` has the wrong shape or type.
    IndexError
        If a clip does not exist.

    Examples
    --------
    >>> from spikedata.events.sample import Sample
    >>> clip = Sample(np.array([0.0, 0.001, 0.012]), np.array([4, 4, 6], np.uint16), label=0, speaker=0)
    >>> batch = dense_batch(Events.from_samples([clip], keys=["a"]), [0], dt=0.01, n_steps=2, n_merged=5)
    >>> batch.shape, batch[0, :, :2].tolist()
    ((1, 2, 140), [[2.0, 0.0], [0.0, 1.0]])
    """
    from spikedata.events.kernels import fill_dense

    dt, n_steps, n_merged = check_steps(dt=dt, n_steps=n_steps, n_merged=n_merged)
    chosen, unit_of = _checked(events, indices, n_merged)
    if np.dtype(dtype) not in _LARGEST_COUNT:
        raise ValueError(f"dtype must be float32 or uint8, got {np.dtype(dtype)}")
    shape = (chosen.size, n_steps, int(unit_of[-1]) + 1)
    if out is None:
        out = np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an ndarray, got {type(out).__name__}")
    if out.dtype not in _LARGEST_COUNT or out.shape != shape or not out.flags.c_contiguous:
        raise ValueError(f"out must be contiguous {shape} of float32 or uint8, got {out.shape} of {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out must be writable, got an array that is not")
    times, table = _decoding(events, dt, n_steps)
    most = _LARGEST_COUNT[out.dtype]
    _warn_if_nearly_empty(events, chosen, dt * n_steps)
    n_wrong = fill_dense(times, table, events.units, events.offsets, chosen, dt, unit_of, bool(binary), most, out)
    _refuse_units(n_wrong, events)
    return out


def event_lists(events: Events, indices: npt.ArrayLike, *, dt: float, n_steps: int, n_merged: int = 1) -> EventLists:
    """The spikes of some clips as lists by step, for kernels that gather rows of weights instead of multiplying.

    Parameters
    ----------
    events, indices, dt, n_steps, n_merged
        As in `dense_batch`.

    Raises
    ------
    ValueError, IndexError
        As in `dense_batch`.
    """
    from spikedata.events.kernels import fill_lists

    dt, n_steps, n_merged = check_steps(dt=dt, n_steps=n_steps, n_merged=n_merged)
    chosen, unit_of = _checked(events, indices, n_merged)
    times, table = _decoding(events, dt, n_steps)
    n_spikes = int((events.offsets[chosen + 1] - events.offsets[chosen]).sum())
    listed = np.empty(n_spikes, np.uint16)
    offsets = np.empty((chosen.size, n_steps + 1), np.int64)
    _warn_if_nearly_empty(events, chosen, dt * n_steps)
    n_wrong = fill_lists(times, table, events.units, events.offsets, chosen, dt, n_steps, unit_of, offsets, listed)
    _refuse_units(n_wrong, events)
    return EventLists(listed[: offsets[-1, -1] if chosen.size else 0], offsets, int(unit_of[-1]) + 1)


def sparse_batch(
    events: Events, indices: npt.ArrayLike, *, dt: float, n_steps: int, n_merged: int = 1
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Nonzero spike counts of some clips, as a list of entries.

    Parameters
    ----------
    events, indices, dt, n_steps, n_merged
        As `dense_batch`.

    Returns
    -------
    indices : ndarray of int64, shape (3, n_entries)
        Clip, step and unit of each entry, without repetition, in rising order.
    counts : ndarray of float32, shape (n_entries,)
        Number of spikes of each entry, at least 1.

    Raises
    ------
    ValueError, IndexError
        As `dense_batch`.
    """
    from spikedata.events.kernels import count_entries, fill_sparse

    lists = event_lists(events, indices, dt=dt, n_steps=n_steps, n_merged=n_merged)
    n_entries = count_entries(lists.offsets, lists.units, lists.n_units)
    entries, counts = np.empty((3, n_entries), np.int64), np.empty(n_entries, np.float32)
    fill_sparse(lists.offsets, lists.units, lists.n_units, entries, counts)
    return entries, counts


def check_steps(*, dt: float, n_steps: int, n_merged: int = 1) -> tuple[float, int, int]:
    """The arguments of binning, checked and converted for compiled passes.

    Parameters
    ----------
    dt, n_steps, n_merged
        As in `dense_batch`; NumPy numbers are accepted.

    Returns
    -------
    (float, int, int)
        The same values as plain Python numbers.

    Raises
    ------
    ValueError
        If one is not a number, is out of range, or is not whole.
    """
    dt = float(checked("dt", dt, Positive))
    if dt < sys.float_info.min:  # passes divide by it
        raise ValueError(f"dt must be >= {sys.float_info.min}, got {dt}")
    n_steps = whole_number("n_steps", n_steps, at_least=1, at_most=_MOST_STEPS)
    return dt, n_steps, whole_number("n_merged", n_merged, at_least=1)


def _checked(
    events: Events, indices: npt.ArrayLike, n_merged: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    # numbers of the clips, and the merged unit of each unit
    if not isinstance(events, Events):
        raise TypeError(f"events must be Events, got {type(events).__name__}")
    numbers = np.asarray(indices)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise ValueError(f"indices must be whole numbers, got {numbers.dtype}")
    chosen = np.arange(len(events))[numbers.astype(np.int64).reshape(-1)]
    return chosen, np.arange(events.n_units) // n_merged


def _warn_if_nearly_empty(events: Events, chosen: npt.NDArray[np.int64], window: float) -> None:
    """Warn if each clip of a batch lasts for minutes and has nine tenths of its spikes after the window.

    Two spikes per clip are looked at, since a batch should cost no more than its binning: who makes batches with
    a data loader of their own is otherwise told nothing about times in ms. Python shows the warning once.
    """
    begins, ends = events.offsets[chosen], events.offsets[chosen + 1]
    n_each = ends - begins
    if n_each.sum() < _FEWEST_JUDGED:
        return
    tenths = (begins + n_each // 10)[n_each > 0]
    is_long = events.times[ends[n_each > 0] - 1].astype(np.float64) >= LONGEST_CLIP
    if is_long.all() and (events.times[tenths].astype(np.float64) >= window).all():
        warnings.warn(_NEARLY_EMPTY, stacklevel=3)


def _decoding(events: Events, dt: float, n_steps: int) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.int32] | None]:
    # Numba has no float16: half floats are passed as bit patterns, with a table of the step of each pattern
    if events.times.dtype == np.float16:
        return events.times.view(np.uint16), _steps_of_patterns(dt, n_steps)
    return events.times, None


@lru_cache(maxsize=8)
def _steps_of_patterns(dt: float, n_steps: int) -> npt.NDArray[np.int32]:
    times = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    edges = np.arange(n_steps + 1) * dt
    inside = (times >= 0) & (times < edges[-1])
    return np.where(inside, np.searchsorted(edges, times, side="right") - 1, -1).astype(np.int32)


def _refuse_units(n_wrong: int, events: Events) -> None:
    if n_wrong:
        raise ValueError(f"{n_wrong} spikes have a unit that is not below {events.n_units}")
