"""What a compiled pass over events is given, and the events that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata.events import Events, patterns_of


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
    return replace(left, times=left.times.view(events.times.dtype))


def computed(events: Events, run: Callable[..., None], *arguments: Any) -> Events:
    """As `passed`, of a pass that computes times: half floats become single ones, and no order is promised."""
    return replace(_run(events, run, widened(events.times), *arguments), is_sorted=False)


def widened(times: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Times as compiled code can compute with them: half floats as single ones."""
    if times.dtype != np.float16:
        return times
    from spikedata.transforms.passes import widen_halves

    wide = np.empty(times.size, np.float32)
    widen_halves(times.view(np.uint16), wide.view(np.int32), wide)
    return wide


def _run(events: Events, run: Callable[..., None], times: npt.NDArray[Any], *arguments: Any) -> Events:
    moved_times, moved_units = np.empty_like(times), np.empty_like(events.units)
    moved_offsets = np.zeros_like(events.offsets)
    run(times, events.units, events.offsets, *arguments, moved_times, moved_units, moved_offsets)
    n_left = moved_offsets[-1]
    return replace(events, times=moved_times[:n_left], units=moved_units[:n_left], offsets=moved_offsets)
