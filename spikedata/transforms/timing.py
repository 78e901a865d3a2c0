"""Transforms of when events come.

A time beyond what its type holds becomes the largest that it does: no transform makes times infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, NotNegative, check_fields
from spikedata.events import Events
from spikedata.transforms.rows import check_streams, computed, lasting, latest_of, moved_durations, widened
from spikedata.transforms.streams import substreams, uniforms


@dataclass(frozen=True, kw_only=True)
class TimeJitter:
    """Each event moved in time by a normal number of its own; one that would come before 0 is reflected there.

    Parameters
    ----------
    sigma : float
        Standard deviation [s].

    Raises
    ------
    ValueError
        If it is negative or not finite.

    References
    ----------
    Schöne, Sushma, Zhuge, Mayr, Subramoney, Kappel: Scalable event-by-event processing of neuromorphic sensory signals
    with deep state-space models; ICONS, 2024 (Event-SSM: 0.1 ms).

    Examples
    --------
    >>> TimeJitter(sigma=1e-4)
    TimeJitter(sigma=0.0001)
    """

    sigma: NotNegative

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with their times moved; half floats become single ones."""
        check_streams(events, streams)
        from spikedata.transforms.passes import jitter_times

        times = widened(events.times)
        moved = np.empty_like(times)
        jitter_times(times, events.offsets, substreams(streams, 0), float(self.sigma), latest_of(times), moved)
        return lasting(events.changed(times=moved, is_sorted=False), events.durations)


@dataclass(frozen=True, kw_only=True)
class TimeShift:
    """All events of a clip moved in time by the same, uniform in -largest..largest; those before 0 are dropped.

    A clip that is moved to later lasts longer by as much; one that is moved to earlier ends in silence.

    Parameters
    ----------
    largest : float
        Largest shift either way [s].

    Raises
    ------
    ValueError
        If it is negative or not finite.

    References
    ----------
    Tang, Lin: Deep residual learning for small-footprint keyword spotting; ICASSP, 2018 (100 ms, of the recording).
    """

    largest: NotNegative

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with their times moved; half floats become single ones."""
        check_streams(events, streams)
        from spikedata.transforms.passes import move_times

        shifts = (2 * uniforms(streams, 1)[0] - 1) * self.largest
        factors = np.ones(len(events))
        moved = computed(events, move_times, factors, shifts, latest_of(events.times))
        durations = moved_durations(events.durations, factors, shifts)
        return lasting(moved.changed(is_sorted=events.is_sorted), durations)


@dataclass(frozen=True, kw_only=True)
class TimeStretch:
    """All times of a clip multiplied by a factor, its logarithm uniform between those of 1/largest and largest.

    The duration of the clip is multiplied, too.

    Parameters
    ----------
    largest : float
        Largest factor [1].

    Raises
    ------
    ValueError
        If it is below 1 or not finite.

    References
    ----------
    Schöne et al.: Scalable event-by-event processing of neuromorphic sensory signals with deep state-space models;
    ICONS, 2024 (Event-SSM: a factor uniform between 1/1.1 and 1.1). Nowotny, Turner, Knight: Loss shaping enhances
    exact gradient learning with EventProp in spiking neural networks; Neuromorphic Computing and Engineering 5:014001,
    2025 (dilation).
    """

    largest: Annotated[float, Bounds(at_least=1)]

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with their times stretched; half floats become single ones."""
        check_streams(events, streams)
        from spikedata.transforms.passes import move_times

        factors = np.exp((2 * uniforms(streams, 1)[0] - 1) * np.log(self.largest))
        shifts = np.zeros(len(events))
        moved = computed(events, move_times, factors, shifts, latest_of(events.times))
        durations = moved_durations(events.durations, factors, shifts)
        return lasting(moved.changed(is_sorted=events.is_sorted), durations)
