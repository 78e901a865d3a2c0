"""Transforms that leave events out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, Count, NotNegative, Share, check_fields
from spikedata.events import Events, latest_times
from spikedata.transforms.rows import check_streams, passed, widened
from spikedata.transforms.streams import substreams, uniforms


@dataclass(frozen=True, kw_only=True)
class EventDrop:
    """Each event dropped with a probability, independently of the others.

    Parameters
    ----------
    probability : float
        Of each event to be dropped [1].

    Raises
    ------
    ValueError
        If it is not in 0..1.

    References
    ----------
    Gu, Sng, Hu, Yu: EventDrop: data augmentation for event-based learning; IJCAI, 2021 ("random drop"). Schöne et al.,
    2024 (Event-SSM: 0.1).

    Examples
    --------
    >>> EventDrop(probability=0.1)
    EventDrop(probability=0.1)
    """

    probability: Share

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of which some are left out."""
        check_streams(events, streams)
        from spikedata.transforms.passes import drop_events

        return passed(events, drop_events, substreams(streams, 0), threshold_of(self.probability))


@dataclass(frozen=True, kw_only=True)
class SpanDrop:
    """All events of a span of time dropped, its length a share of the clip's, uniform in 0..largest_share.

    A clip lasts until its latest spike; the span lies anywhere in it.

    Parameters
    ----------
    largest_share : float
        Largest part of the clip that is dropped [1].

    Raises
    ------
    ValueError
        If it is not in 0..1.

    References
    ----------
    Gu, Sng, Hu, Yu: EventDrop: data augmentation for event-based learning; IJCAI, 2021 ("drop by time"). Schöne et al.,
    2024, drop up to a tenth of the events in a row (Event-SSM).
    """

    largest_share: Share

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events without those of one span."""
        check_streams(events, streams)
        draws = uniforms(streams, 2)
        return _without_spans(events, draws[:1] * self.largest_share * latest_times(events), draws[1:])


@dataclass(frozen=True, kw_only=True)
class AreaDrop:
    """All events of a band of units dropped, its width a share of all units, uniform in 0..largest_share.

    Parameters
    ----------
    largest_share : float
        Largest part of the units that is dropped [1].

    Raises
    ------
    ValueError
        If it is not in 0..1.

    References
    ----------
    Gu, Sng, Hu, Yu: EventDrop: data augmentation for event-based learning; IJCAI, 2021 ("drop by area": of an image
    there, of the row of units here).
    """

    largest_share: Share

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events without those of one band."""
        check_streams(events, streams)
        return _without_bands(events, self.largest_share * events.n_units, uniforms(streams, 2))


@dataclass(frozen=True, kw_only=True)
class TimeMask:
    """All events of some spans of time dropped, the length of each uniform in 0..longest.

    A span lies within the clip, which lasts until its latest spike; spans may overlap.

    Parameters
    ----------
    longest : float
        Longest span [s].
    n_masks : int
        Number of spans [1].

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Park, Chan, Zhang, Chiu, Zoph, Cubuk, Le: SpecAugment: a simple data augmentation method for automatic speech
    recognition; Interspeech, 2019.
    """

    longest: NotNegative
    n_masks: Count = 1

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events without those of the spans."""
        check_streams(events, streams)
        draws = uniforms(streams, 2 * self.n_masks)
        widths = np.minimum(draws[: self.n_masks] * self.longest, latest_times(events))
        return _without_spans(events, widths, draws[self.n_masks :])


@dataclass(frozen=True, kw_only=True)
class ChannelMask:
    """All events of some bands of neighboring units dropped, the width of each uniform among 0..widest.

    Bands may overlap.

    Parameters
    ----------
    widest : int
        Most units of a band [1].
    n_masks : int
        Number of bands [1].

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Park, Chan, Zhang, Chiu, Zoph, Cubuk, Le: SpecAugment: a simple data augmentation method for automatic speech
    recognition; Interspeech, 2019 (frequency masking).
    """

    widest: Annotated[int, Bounds(at_least=0)]
    n_masks: Count = 1

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events without those of the bands."""
        check_streams(events, streams)
        return _without_bands(events, self.widest, uniforms(streams, 2 * self.n_masks))


def threshold_of(probability: float) -> np.uint64:
    """What a random number of 32 bits is below with a probability, to within 2**-32.

    Parameters
    ----------
    probability : float
    """
    return np.uint64(round(probability * 2**32))


def _without_spans(events: Events, widths: npt.NDArray[np.float64], places: npt.NDArray[np.float64]) -> Events:
    # both (span, clip); places in 0..1 of where a span may begin
    from spikedata.transforms.passes import drop_ranges

    starts = places * (latest_times(events) - widths)
    return passed(events, drop_ranges, widened(events.times), starts, starts + widths)


def _without_bands(events: Events, widest: float, draws: npt.NDArray[np.float64]) -> Events:
    # half of the draws for the widths, half for the places
    from spikedata.transforms.passes import drop_ranges

    n_bands = len(draws) // 2
    widths = np.minimum(np.floor(draws[:n_bands] * (np.floor(widest) + 1)), events.n_units)
    starts = np.floor(draws[n_bands:] * (events.n_units - widths + 1))
    return passed(events, drop_ranges, events.units, starts.astype(np.int64), (starts + widths).astype(np.int64))
