"""Transforms of the units that events carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, Count, NotNegative, check_fields
from spikedata.events import Events
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
        If it is negative.

    References
    ----------
    Nowotny, Turner, Knight: Loss shaping enhances exact gradient learning with EventProp in spiking neural networks;
    Neuromorphic Computing and Engineering 5:014001, 2025.
    """

    largest: Annotated[int, Bounds(at_least=0)]

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

    The one transform that changes the number of units; what looks for a partner (`Blend`, `CutMix`) comes before it.

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
