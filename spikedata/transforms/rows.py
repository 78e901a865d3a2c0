"""Run a compiled pass over events, and make events of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata.events.events import Events, latest_times, patterns_of


def passed(events: Events, run: Callable[..., None], *arguments: Any) -> Events:
    """Events that a pass leaves which copies times or leaves them out, but computes none.

    Parameters
    ----------
    events : Events
    run : callable
        The pass: takes times, units, offsets, the arguments, and the same three to fill.
    *arguments
        What else it takes.
    """
    left = _run(events, run, patterns_of(events.times), *arguments)
    return left.changed(times=left.times.view(events.times.dtype))


def computed(events: Events, run: Callable[..., None], *arguments: Any) -> Events:
    """As `passed`, of a pass that computes times: half floats become single ones, and no order is promised."""
    return _run(events, run, widened(events.times), *arguments).changed(is_sorted=False)


def lasting(events: Events, durations: npt.NDArray[np.float64]) -> Events:
    """Events that last so long, or until their latest spike if that is later; 0 stays unknown.

    Parameters
    ----------
    events : Events
    durations : ndarray of float64, shape (n_clips,)
        Lengths of the recordings [s], 0 where unknown.
    """
    if not durations.any():  # as in most files by other writers: their spikes need not be looked at
        return events.changed(durations=durations)
    return events.changed(durations=np.where(durations > 0, np.maximum(durations, latest_times(events)), 0.0))


def moved_durations(
    durations: npt.NDArray[np.float64], factors: npt.NDArray[np.float64], shifts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Lengths of recordings [s] stretched by factors and begun later by shifts [s]: finite, and 0 stays unknown."""
    with np.errstate(over="ignore"):
        moved = np.minimum(durations * factors + np.maximum(shifts, 0), np.finfo(np.float64).max)
    return np.where(durations > 0, moved, 0.0)


def widened(times: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Times as compiled code can compute with them: half floats as single ones."""
    if times.dtype != np.float16:
        return times
    from spikedata.transforms.passes import widen_halves

    wide = np.empty(times.size, np.float32)
    widen_halves(times.view(np.uint16), wide.view(np.int32), wide)
    return wide


def latest_of(times: npt.NDArray[np.floating]) -> float:
    """The largest time [s] that a computed one may be: the largest number of its type, single for half floats."""
    return float(np.finfo(np.float32 if times.dtype == np.float16 else times.dtype).max)


def check_streams(events: Events, streams: npt.NDArray[np.uint64]) -> None:
    """Raise unless there is one stream per clip: compiled passes read them without checking.

    Parameters
    ----------
    events : Events
    streams : ndarray of uint64, shape (n_clips,)

    Raises
    ------
    TypeError
        If they are no events, or streams of another type.
    ValueError
        If there are more or fewer streams than clips.
    """
    if not isinstance(events, Events):
        raise TypeError(f"events must be Events, got {type(events).__name__}")
    if not isinstance(streams, np.ndarray) or streams.dtype != np.uint64:
        raise TypeError(
            f"streams must be an ndarray of uint64, got {getattr(streams, 'dtype', type(streams).__name__)}"
        )
    if streams.shape != (len(events),):
        raise ValueError(f"streams must be {len(events)}, one per clip, got an array of shape {streams.shape}")


def _run(events: Events, run: Callable[..., None], times: npt.NDArray[Any], *arguments: Any) -> Events:
    moved_times, moved_units = np.empty_like(times), np.empty_like(events.units)
    moved_offsets = np.zeros_like(events.offsets)
    run(times, events.units, events.offsets, *arguments, moved_times, moved_units, moved_offsets)
    n_left = moved_offsets[-1]
    return events.changed(times=moved_times[:n_left], units=moved_units[:n_left], offsets=moved_offsets)
