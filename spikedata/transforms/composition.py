"""The interface of transforms, and two that apply others: several in a row, or one with some probability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from spikedata.checks import Share, check_fields
from spikedata.events.events import Events, offsets_of, patterns_of
from spikedata.transforms.rows import check_streams
from spikedata.transforms.streams import substreams, uniforms


@runtime_checkable
class EventTransform(Protocol):
    """A transform of whole batches of events."""

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of the same clips, changed.

        Parameters
        ----------
        events : Events
            The clips of a batch.
        streams : ndarray of uint64, shape (n_clips,)
            All randomness of a clip derives from its stream (`spikedata.transforms.streams.streams_of`), so that the
            result for a clip does not depend on the others.
        source : Events
            The data set that the clips were taken from, where a transform may find them a partner.

        Returns
        -------
        Events
            Labels, speakers, names and the order of the clips as they were; the spikes of a clip perhaps unsorted, its
            duration changed if the transform changes when it ends.
        """
        ...


@dataclass(frozen=True)
class Compose:
    """Transforms one after the other. Each draws numbers of its own: two equal ones in a row do different things.

    Parameters
    ----------
    transforms : sequence of EventTransform
        In the order in which they are applied [1].

    Raises
    ------
    TypeError
        If one of them cannot transform events.

    Examples
    --------
    >>> from spikedata.transforms import ChannelJitter, ChannelMerge
    >>> Compose([ChannelJitter(sigma=20), ChannelMerge(n_merged=10)])
    Compose(transforms=(ChannelJitter(sigma=20), ChannelMerge(n_merged=10)))
    """

    transforms: tuple[EventTransform, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.transforms, Iterable):
            raise TypeError(f"Compose.transforms must be transforms in their order, got {self.transforms!r}")
        object.__setattr__(self, "transforms", tuple(self.transforms))
        for transform in self.transforms:
            _refuse_unless_transform(transform, "Compose.transforms")

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events after all of the transforms."""
        check_streams(events, streams)
        for position, transform in enumerate(self.transforms):
            events = transformed(transform, events, substreams(streams, position), source)
        return events


@dataclass(frozen=True)
class Maybe:
    """A transform that is applied to each clip with some probability.

    Parameters
    ----------
    transform : EventTransform
        Which [1]; it must leave the number of units as it is.
    probability : float
        Of each clip to be transformed [1].

    Raises
    ------
    TypeError
        If it cannot transform events.
    ValueError
        If the probability is not in 0..1.
    """

    transform: EventTransform
    probability: Share

    def __post_init__(self) -> None:
        _refuse_unless_transform(self.transform, "Maybe.transform")
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of which some clips are changed.

        Raises
        ------
        ValueError
            If the transform changes the number of units.
        """
        check_streams(events, streams)
        is_chosen = uniforms(streams, 1)[0] < self.probability
        changed = transformed(self.transform, events.select(is_chosen), substreams(streams[is_chosen], 0), source)
        if changed.n_units != events.n_units:
            raise ValueError(f"Maybe.transform must keep the number of units, got {self.transform}")
        return _interleaved(events, changed, is_chosen)


def transformed(transform: EventTransform, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
    """The events that a transform returns, checked to be as many clips as it was given.

    Parameters
    ----------
    transform : EventTransform
        Ours or one of the user's own, which may go wrong.
    events, streams, source
        As `EventTransform.transform_events`.

    Raises
    ------
    TypeError
        If it gives something else than events.
    ValueError
        If it gives more or fewer clips.
    """
    left = transform.transform_events(events, streams, source)
    if not isinstance(left, Events):
        raise TypeError(f"{type(transform).__name__}.transform_events must give Events, got {type(left).__name__}")
    if len(left) != len(events):
        raise ValueError(
            f"{type(transform).__name__} must leave as many clips as it was given, {len(events)}, got {len(left)}"
        )
    return left


def _interleaved(events: Events, changed: Events, is_changed: npt.NDArray[np.bool_]) -> Events:
    # the chosen clips as they were changed, the others as they are
    from spikedata.transforms.passes import interleave

    lengths = np.diff(events.offsets)
    lengths[is_changed] = np.diff(changed.offsets)
    offsets = offsets_of(lengths)
    times = np.empty(offsets[-1], changed.times.dtype)
    units = np.empty(offsets[-1], events.units.dtype)
    kept_times = events.times.astype(times.dtype, copy=False)
    interleave(
        patterns_of(kept_times),
        events.offsets,
        patterns_of(changed.times),
        changed.offsets,
        is_changed,
        patterns_of(times),
    )
    interleave(events.units, events.offsets, changed.units, changed.offsets, is_changed, units)
    is_sorted = events.is_sorted and changed.is_sorted
    durations = events.durations.copy()
    durations[is_changed] = changed.durations
    return events.changed(times=times, units=units, offsets=offsets, is_sorted=is_sorted, durations=durations)


def _refuse_unless_transform(transform: object, where: str) -> None:
    # a class has the method, too, and is no transform before it is given its params
    if isinstance(transform, type) or not isinstance(transform, EventTransform):
        raise TypeError(f"{where} must be a transform with a method transform_events, got {transform!r}")
