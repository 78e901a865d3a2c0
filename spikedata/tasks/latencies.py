"""Clips in which each unit fires at most once: a table of spike times, and the events that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, checked
from spikedata.events import Events
from spikedata.events.events import offsets_of
from spikedata.events.sample import UNKNOWN_SPEAKER

_PIECE = 2**22  # entries of the table that are sorted at a time, so that memory stays flat


def events_from_latencies(
    latencies: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    keys: Sequence[str],
    duration: float,
    sources: Sequence[str] | None = None,
) -> Events:
    """Events of clips in which each unit fires once or not at all.

    Parameters
    ----------
    latencies : array_like of float, shape (n_clips, n_units)
        Time of the spike of each unit [s]; NaN or infinity for a unit that does not fire.
    labels : array_like of int, shape (n_clips,)
        Class of each clip, an index into ``keys`` [1].
    keys : sequence of str
        Class names.
    duration : float
        Length of every clip [s]. A spike after it is dropped, not moved to it.
    sources : sequence of str, optional
        Clip ids. Default: none.

    Returns
    -------
    Events
        Sorted by time, units that fire together by their number; times in float64.

    Raises
    ------
    ValueError
        If the table has another shape, a time is negative, or a label has no class name.

    Examples
    --------
    >>> events = events_from_latencies([[0.02, np.inf, 0.01]], [0], keys=["one"], duration=0.05)
    >>> events[0].times, events[0].units
    (array([0.01, 0.02]), array([2, 0], dtype=uint16))
    """
    table = np.asarray(latencies, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise ValueError(f"latencies must be (n_clips, n_units), got an array of shape {table.shape}")
    length = checked("duration", duration, Positive)
    n_clips, n_units = table.shape
    n_rows = max(1, _PIECE // n_units)
    pieces = [_sorted_spikes(table[start : start + n_rows], length) for start in range(0, n_clips, n_rows)]
    nothing = np.empty(0), np.empty(0, np.uint16), np.empty(0, np.int64)
    times, units, counts = (np.concatenate(column) for column in zip(nothing, *pieces, strict=True))
    return Events(
        times=times,
        units=units,
        offsets=offsets_of(counts),
        labels=np.asarray(labels),
        speakers=np.full(n_clips, UNKNOWN_SPEAKER),
        sources=("",) * n_clips if sources is None else tuple(sources),
        sample_rates=np.zeros(n_clips, np.int64),
        durations=np.full(n_clips, length),
        keys=tuple(keys),
        n_units=n_units,
    )


def _sorted_spikes(
    table: npt.NDArray[np.float64], duration: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Times and units of all spikes, clip after clip, and the number of spikes of each clip."""
    clips, units = np.nonzero(table <= duration)  # false for NaN
    times = table[clips, units]
    order = np.lexsort((units, times, clips))
    return times[order], units[order].astype(np.uint16), np.bincount(clips, minlength=len(table))
