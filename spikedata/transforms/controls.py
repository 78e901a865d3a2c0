"""Controls that tell rate from timing: what is left of a score when one of them is taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedata.checks import Count, check_fields
from spikedata.events.events import Events, latest_times
from spikedata.streams import substreams
from spikedata.transforms.rows import check_streams, computed, widened


@dataclass(frozen=True, kw_only=True)
class TimeReversal:
    """Each clip backwards: time t becomes the time of the latest spike less t.

    Intervals, coincidences and counts stay as they are; the order in which things happen is reversed. Chance plays no
    part.

    References
    ----------
    Yu, Sun, Goodman: Beyond rate coding: surrogate gradients enable spike timing learning in spiking neural networks;
    arXiv 2507.16043, 2025.

    Examples
    --------
    >>> from spikedata.events.sample import Sample
    >>> clip = Sample(np.array([0.25, 0.5]), np.array([3, 9], dtype=np.uint16), label=0, speaker=2)
    >>> events = Events.from_samples([clip], keys=["zero"])
    >>> backwards = TimeReversal().transform_events(events, np.zeros(1, np.uint64), events)[0]
    >>> backwards.times.tolist(), backwards.units.tolist()
    ([0.0, 0.25], [9, 3])
    """

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with their times reversed; half floats become single ones."""
        check_streams(events, streams)
        from spikedata.transforms.passes import move_times

        return computed(events, move_times, -np.ones(len(events)), latest_times(events))


@dataclass(frozen=True, kw_only=True)
class ShuffleTimes:
    """The count of every unit kept, the times drawn anew: rates without timing.

    Parameters
    ----------
    keep_envelope : bool
        If so, the clip's own times are dealt out again to its events: how many spikes come when stays as it is, only
        which unit fires when is lost. If not, times are uniform from 0 to the clip's latest spike [1].

    References
    ----------
    Grün: Data-driven significance estimation for precise spike correlation; J. Neurophysiology 101:1126, 2009 (spike
    time randomization among other surrogates).

    Examples
    --------
    >>> ShuffleTimes()
    ShuffleTimes(keep_envelope=False)
    """

    keep_envelope: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with other times; half floats become single ones unless the envelope is kept."""
        check_streams(events, streams)
        from spikedata.transforms.control_passes import shuffle_units, uniform_times

        keys = substreams(streams, 0)
        if self.keep_envelope:
            units = events.units.copy()
            shuffle_units(units, events.offsets, keys)
            return events.changed(units=units)
        times = np.empty_like(widened(events.times))
        uniform_times(events.offsets, keys, latest_times(events), times)
        return events.changed(times=times, is_sorted=False)


@dataclass(frozen=True, kw_only=True)
class NormalizeCounts:
    """Every unit of every clip with the same number of events: timing without rates.

    A unit with more keeps some, drawn at random; one with fewer gets more, at times uniform from 0 to the clip's latest
    spike. What is left tells a network that only counts nothing at all. A clip without events stays so.

    Parameters
    ----------
    n_per_unit : int
        Events of each unit [1].

    Raises
    ------
    ValueError
        If it is below 1.

    References
    ----------
    Yu, Sun, Goodman: Beyond rate coding: surrogate gradients enable spike timing learning in spiking neural networks;
    arXiv 2507.16043, 2025 (who choose units that have enough in every clip, and add none).
    """

    n_per_unit: Count

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of equal counts, unit after unit; half floats become single ones."""
        check_streams(events, streams)
        from spikedata.transforms.control_passes import normalize_counts

        times = widened(events.times)
        is_present = np.diff(events.offsets) > 0
        offsets = np.concatenate([[0], np.cumsum(is_present)]) * (events.n_units * self.n_per_unit)
        chosen = np.empty(offsets[-1], times.dtype)
        normalize_counts(
            times,
            events.units,
            events.offsets,
            substreams(streams, 0),
            latest_times(events),
            chosen.reshape(-1, events.n_units, self.n_per_unit),
        )
        one_clip = np.repeat(np.arange(events.n_units, dtype=np.uint16), self.n_per_unit)
        units = np.tile(one_clip, int(is_present.sum()))
        return events.changed(times=chosen, units=units, offsets=offsets, is_sorted=False)
