"""Batches from `Events` in one compiled pass each: dense counts, sparse counts, or lists of units by step.

The edge rule is that of `spikedata.events.binning`: step i holds i * dt <= t < (i + 1) * dt. Clips are cropped to
`n_steps` (spikes at or after n_steps * dt are dropped) or padded with empty steps. With `n_merged`, unit u of the
result stands for the units u * n_merged to (u + 1) * n_merged - 1; the last one may stand for fewer.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, checked, whole_number
from spikedata.events.events import Events
from spikedata.events.window import LONGEST_CLIP

BFLOAT16 = "bfloat16"  # NumPy has no such type: a batch of it is one of uint16 with the bits of each number
LARGEST_COUNT = {  # where counting stops; smaller counts are exact
    "float32": 2**24,
    "float16": 2**11,
    BFLOAT16: 2**8,
    "bool": 1,
    "uint8": 2**8 - 1,
    "int8": 2**7 - 1,
    "int16": 2**15 - 1,
    "int32": 2**31 - 1,
}
_FEWEST_JUDGED = 100  # spikes of a batch; of fewer, nothing is concluded
_NEARLY_EMPTY = (
    "nearly all spikes of a batch fall outside its steps, and its clips last for minutes: "
    "if the times of the file are not in s, give SpikeDataset(..., time_unit='ms')"
)
_TOLD = threading.local()  # whether the user was told already, in this thread
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
    max_count: int | None = None,
    time_first: bool = False,
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
    dtype : float32, float16, bfloat16, bool, uint8, int8, int16 or int32
        Type of the result. Counts stop where the type ends: at 1 in bool, 127 in int8, 255 in uint8; a float type
        counts as far as it is exact, to 256 in bfloat16 and 2048 in float16. NumPy has no bfloat16: the text
        "bfloat16" gives an array of uint16 with the bits of each number.
    max_count : int, optional
        Where counts stop [1], such as 15 for four bits. Default: where the type ends.
    time_first : bool
        Whether to give the axes (step, batch, unit).
    out : ndarray, shape (batch, n_steps, units), or with `time_first` (n_steps, batch, units), optional
        Contiguous array of the type for the result. Reusing it saves more time than binning takes.

    Returns
    -------
    ndarray, shape (batch, n_steps, units), or with `time_first` (n_steps, batch, units)
        `out`, if it was given.

    Raises
    ------
    ValueError
        If a number is out of range, the type cannot hold `max_count`, or `out` has the wrong shape or type.
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
    binary, time_first = checked("binary", binary, bool), checked("time_first", time_first, bool)
    chosen, unit_of = _checked(events, indices, n_merged)
    name = name_of_dtype(dtype)
    if isinstance(out, np.ndarray) and out.dtype.name in LARGEST_COUNT and name != BFLOAT16:
        name = out.dtype.name
    most = largest_count(name, max_count)
    kind = np.dtype(np.uint16 if name == BFLOAT16 else name)
    n_units = int(unit_of[-1]) + 1
    shape = (n_steps, chosen.size, n_units) if time_first else (chosen.size, n_steps, n_units)
    if out is None:
        out = np.empty(shape, kind)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an ndarray, got {type(out).__name__}")
    if out.dtype != kind or out.shape != shape or not out.flags.c_contiguous:
        raise ValueError(f"out must be contiguous {shape} of {kind}, got {out.shape} of {out.dtype}")
    if not out.flags.writeable:
        raise ValueError("out must be writable, got an array that is not")
    times, table = _decoding(events, dt, n_steps)
    counts, following = out, None
    if kind.itemsize == 2:  # Numba has neither half type: the bits of a count are replaced by those of the next
        counts, following = out.view(np.uint16), _following(name, 1 if binary else most)
    elif kind.itemsize == 1:  # one compiled pass for all three types of a byte
        counts = out.view(np.uint8)
    _warn_if_nearly_empty(events, chosen, dt * n_steps)
    n_wrong = fill_dense(
        times, table, events.units, events.offsets, chosen, dt, unit_of, n_steps, n_units,
        chosen.size * n_units if time_first else None, binary, most, following, counts.reshape(-1),
    )  # fmt: skip
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
    events: Events,
    indices: npt.ArrayLike,
    *,
    dt: float,
    n_steps: int,
    n_merged: int = 1,
    max_count: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Nonzero spike counts of some clips, as a list of entries.

    Parameters
    ----------
    events, indices, dt, n_steps, n_merged, max_count
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
    if max_count is not None:
        np.minimum(counts, largest_count("float32", max_count), out=counts)
    return entries, counts


def name_of_dtype(dtype: npt.DTypeLike) -> str:
    """The name of a type that counts can have, as in ``LARGEST_COUNT``.

    Parameters
    ----------
    dtype : dtype or str

    Raises
    ------
    ValueError
        If counts cannot have it.
    """
    try:
        name = BFLOAT16 if _is_bfloat16(dtype) else np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in LARGEST_COUNT:
        raise ValueError(f"dtype must be one of {', '.join(LARGEST_COUNT)}, got {name or dtype}")
    return name


def _is_bfloat16(dtype: object) -> bool:
    return isinstance(dtype, str) and dtype == BFLOAT16  # NumPy would not compare its own types with an unknown name


def largest_count(name: str, max_count: int | None) -> int:
    """Where counts of a type stop.

    Parameters
    ----------
    name : str
        One of ``LARGEST_COUNT``.
    max_count : int, optional
        Where they are to stop [1]; default: where the type ends.

    Raises
    ------
    ValueError
        If it is no whole number of at least 1, or the type cannot hold it.
    """
    if max_count is None:
        return LARGEST_COUNT[name]
    most = whole_number("max_count", max_count, at_least=1)
    if most > LARGEST_COUNT[name]:
        raise ValueError(f"max_count must be at most {LARGEST_COUNT[name]}, which {name} holds, got {most}")
    return most


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
    if numbers.dtype.kind not in "iu":
        if numbers.size:
            raise ValueError(f"indices must be whole numbers, got {numbers.dtype}")
        numbers = np.zeros(0, np.int64)  # an empty list is one of floats
    chosen = np.arange(len(events))[numbers.astype(np.int64).reshape(-1)]
    return chosen, np.arange(events.n_units) // n_merged


@contextmanager
def without_warning() -> Iterator[None]:
    """Batches of clips whose window was checked as a whole, by `spikedata.events.window.check_window`."""
    before, _TOLD.already = getattr(_TOLD, "already", False), True
    try:
        yield
    finally:
        _TOLD.already = before


def _warn_if_nearly_empty(events: Events, chosen: npt.NDArray[np.int64], window: float) -> None:
    """Warn if each clip of a batch lasts for minutes and has nine tenths of its spikes after the window.

    Two spikes per clip are looked at, since a batch should cost no more than its binning: who makes batches with
    a data loader of their own is otherwise told nothing about times in ms. Python shows the warning once.
    """
    if getattr(_TOLD, "already", False):
        return
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


@lru_cache(maxsize=16)
def _following(name: str, most: int) -> npt.NDArray[np.uint16]:
    """For the 16 bits of each count of a type those of the next one, up to `most`; all other bits stay."""
    numbers = np.arange(most + 1)
    if name == BFLOAT16:  # the upper half of a float32, exact for such small numbers
        bits = (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    else:
        bits = numbers.astype(name).view(np.uint16)
    following = np.arange(2**16, dtype=np.uint16)
    following[bits[:-1]] = bits[1:]
    return following


def _refuse_units(n_wrong: int, events: Events) -> None:
    if n_wrong:
        raise ValueError(f"{n_wrong} spikes have a unit that is not below {events.n_units}")
