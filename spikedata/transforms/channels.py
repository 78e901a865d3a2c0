"""Transforms of the units that events carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, Count, NotNegative, Order, check_fields
from spikedata.events import Events
from spikedata.events.sample import LARGEST_N_UNITS
from spikedata.transforms.rows import check_streams, passed
from spikedata.transforms.streams import substreams, uniforms


@dataclass(frozen=True, kw_only=True)
class ChannelJitter:
    """Each event moved to a unit nearby, by a rounded normal number of its own; those beyond the units are dropped.

    Parameters
    ----------
    sigma : float
        Standard deviation before rounding, in units [1].

    Raises
    ------
    ValueError
        If it is negative or not finite.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke: The Heidelberg spiking data sets for the systematic evaluation of spiking neural
    networks; IEEE TNNLS 33:2744, 2022 (20 units, with the inputs merged). Schöne et al., 2024 (Event-SSM: 1 unit).

    Examples
    --------
    >>> ChannelJitter(sigma=20)
    ChannelJitter(sigma=20)
    """

    sigma: NotNegative

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with their units moved."""
        check_streams(events, streams)
        from spikedata.transforms.passes import jitter_units

        return passed(events, jitter_units, substreams(streams, 0), float(self.sigma), events.n_units)


@dataclass(frozen=True, kw_only=True)
class ChannelShift:
    """All events of a clip moved by the same whole number of units, uniform in -largest..largest; those beyond go.

    Parameters
    ----------
    largest : int
        Largest shift either way, in units [1].

    Raises
    ------
    ValueError
        If it is negative, or more than there can be units.

    References
    ----------
    Nowotny, Turner, Knight: Loss shaping enhances exact gradient learning with EventProp in spiking neural networks;
    Neuromorphic Computing and Engineering 5:014001, 2025.
    """

    largest: Annotated[int, Bounds(at_least=0, at_most=LARGEST_N_UNITS)]

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with their units moved."""
        check_streams(events, streams)
        from spikedata.transforms.passes import shift_units

        shifts = np.floor(uniforms(streams, 1)[0] * (2 * self.largest + 1)).astype(np.int64) - self.largest
        return passed(events, shift_units, shifts, events.n_units)


@dataclass(frozen=True, kw_only=True)
class ChannelMerge:
    """Neighboring units made one: unit u of the result stands for units u * n_merged to (u + 1) * n_merged - 1.

    Like `ChannelSelect` it changes the number of units; what looks for a partner (`Blend`, `CutMix`) comes before it.

    Parameters
    ----------
    n_merged : int
        Units that become one [1].

    Raises
    ------
    ValueError
        If it is below 1.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke: The Heidelberg spiking data sets for the systematic evaluation of spiking neural
    networks; IEEE TNNLS 33:2744, 2022 (10 to 1). Baronig, Ferrand, Sabathiel, Legenstein: Advancing spatio-temporal
    processing through adaptation in spiking neural networks; Nature Communications, 2025 (SE-adLIF: 5 to 1).

    Examples
    --------
    >>> from spikedata.events import Sample
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 699], dtype=np.uint16), label=0, speaker=2)
    >>> events = Events.from_samples([clip], keys=["zero"])
    >>> merged = ChannelMerge(n_merged=10).transform_events(events, np.zeros(1, np.uint64), events)
    >>> merged.units.tolist(), merged.n_units
    ([0, 69], 70)
    """

    n_merged: Count

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of fewer units."""
        check_streams(events, streams)
        n_merged = min(self.n_merged, events.n_units, np.iinfo(np.uint16).max)  # of 65,536 units two are left
        return events.changed(units=events.units // np.uint16(n_merged), n_units=-(-events.n_units // n_merged))


@dataclass(frozen=True, kw_only=True)
class ChannelSelect:
    """Some of the units alone, as for hardware of fewer inputs: unit i of the result is unit ``channels[i]``.

    Like `ChannelMerge` it changes the number of units; what looks for a partner (`Blend`, `CutMix`) comes before it.

    Parameters
    ----------
    channels : sequence of int
        Units that stay, in the order of their new numbers [1]: a range, such as ``range(0, 700, 10)``, a list or an
        array.

    Raises
    ------
    ValueError
        If there is none, one occurs twice, or one is no whole number of 16 bits. When events are transformed: if they
        have no such unit.

    References
    ----------
    Lenz et al.: Tonic: event-based datasets and transformations; Zenodo, 2021 (CenterCrop, of the pixels of a camera).

    Examples
    --------
    >>> from spikedata.events import Sample
    >>> clip = Sample(np.array([0.1, 0.2, 0.3]), np.array([5, 20, 690], np.uint16), label=0, speaker=2)
    >>> events = Events.from_samples([clip], keys=["zero"])
    >>> kept = ChannelSelect(channels=range(0, 700, 10)).transform_events(events, np.zeros(1, np.uint64), events)
    >>> kept.units.tolist(), kept.times.tolist(), kept.n_units
    ([2, 69], [0.2, 0.3], 70)
    """

    channels: Annotated[Sequence[int], Bounds(at_least=0, at_most=LARGEST_N_UNITS - 1), Order(is_filled=True)]

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "channels", tuple(self.channels))
        if len(set(self.channels)) < len(self.channels):
            numbers, counts = np.unique(self.channels, return_counts=True)
            raise ValueError(f"ChannelSelect.channels must be different, got {numbers[counts > 1][0]} twice")

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of some units."""
        check_streams(events, streams)
        from spikedata.transforms.passes import renumber_units

        if max(self.channels) >= events.n_units:
            rule = f"must be below the {events.n_units} units that there are"
            raise ValueError(f"ChannelSelect.channels {rule}, got {max(self.channels)}")
        numbers = np.full(LARGEST_N_UNITS, -1, np.int32)
        numbers[list(self.channels)] = np.arange(len(self.channels))
        return passed(events, renumber_units, numbers).changed(n_units=len(self.channels))
