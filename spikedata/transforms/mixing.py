"""Transforms that add events: those of another clip of the same class, or noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from spikedata.checks import NotNegative, Share, check_fields
from spikedata.compilation import Array, compiled
from spikedata.events.events import Events, latest_times, offsets_of
from spikedata.transforms.drops import threshold_of
from spikedata.transforms.passes import fill_words, keep_marked, mixed_word, words_for
from spikedata.transforms.rows import check_streams, lasting, widened
from spikedata.transforms.streams import GOLDEN, substreams, uniforms

_HALF_WORD = np.uint64(0xFFFFFFFF)


@compiled
def count_noise(keys: Array, latest: Array, rate: float, n_noise: Array) -> None:
    """Number of events of a Poisson process of `rate` from 0 to each clip's latest time."""
    for clip in range(keys.size):
        n_noise[clip] = 0
        if rate > 0.0:
            time, _ = _gap(keys[clip], 0, rate)
            while time < latest[clip]:
                n_noise[clip] += 1
                time += _gap(keys[clip], n_noise[clip], rate)[0]


@compiled
def add_noise(
    times: Array, units: Array, offsets: Array, keys: Array, rate: float, n_units: int, mixed_offsets: Array,
    mixed_times: Array, mixed_units: Array,
) -> None:  # fmt: skip
    """Each clip's events, then its noise, as many as `mixed_offsets` has room for."""
    for clip in range(keys.size):
        begin, end, at = offsets[clip], offsets[clip + 1], mixed_offsets[clip]
        for i in range(begin, end):
            mixed_times[at] = times[i]
            mixed_units[at] = units[i]
            at += 1
        time = 0.0
        for i in range(mixed_offsets[clip + 1] - at):
            gap, draw = _gap(keys[clip], i, rate)
            time += gap
            mixed_times[at + i] = time
            mixed_units[at + i] = np.int64((draw * np.uint64(n_units)) >> np.uint64(32))


@compiled
def _gap(key: Any, number: int, rate: float) -> tuple[float, Any]:
    # an exponential number of mean 1 / rate from half of a word, and the other half
    word = mixed_word(key + (np.uint64(number) + np.uint64(1)) * GOLDEN)
    u = (np.float64(np.int64(word >> np.uint64(32))) + 0.5) * 2.0**-32
    return -math.log(u) / rate, word & _HALF_WORD


@compiled
def blend(
    own: tuple[Any, ...], partners: tuple[Any, ...], is_aligned: bool, n_units: int,
    mixed: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """Random events of each clip and of its partner, moved towards each other if they are to be aligned.

    `own` and `partners` are times, units, offsets, keys and the threshold below which a random number of 32 bits takes
    an event; `mixed` the times, units and offsets to fill.
    """
    words = np.empty(max(words_for(own[2]).size, words_for(partners[2]).size), np.uint64)
    is_kept = np.empty(words.size, np.uint8)
    at = 0
    for clip in range(own[2].size - 1):
        time_shift, unit_shift = 0.0, np.int64(0)
        if is_aligned and own[2][clip] < own[2][clip + 1] and partners[2][clip] < partners[2][clip + 1]:
            time, unit = _center(own, clip)
            partner_time, partner_unit = _center(partners, clip)
            time_shift, unit_shift = (partner_time - time) / 2, np.int64(np.rint((partner_unit - unit) / 2))
        at = _take_some(own, clip, time_shift, unit_shift, n_units, words, is_kept, mixed, at)
        at = _take_some(partners, clip, -time_shift, -unit_shift, n_units, words, is_kept, mixed, at)
        mixed[2][clip + 1] = at


@compiled
def _center(clips: tuple[Any, ...], clip: int) -> tuple[float, float]:
    # mean time and mean unit of a clip that has events
    times, units = clips[0][clips[2][clip] : clips[2][clip + 1]], clips[1][clips[2][clip] : clips[2][clip + 1]]
    quarter = times.size // 4
    first, second, third, fourth = times[:quarter], times[quarter:], times[2 * quarter :], times[3 * quarter :]
    sum_0, sum_1, sum_2, sum_3 = 0.0, 0.0, 0.0, 0.0  # four, since each addition to a sum waits for the one before
    for i in range(quarter):
        sum_0 += first[i]
        sum_1 += second[i]
        sum_2 += third[i]
        sum_3 += fourth[i]
    for i in range(quarter, fourth.size):
        sum_3 += fourth[i]
    sum_units = np.int64(0)
    for i in range(units.size):
        sum_units += np.int64(units[i])
    return (sum_0 + sum_1 + sum_2 + sum_3) / times.size, sum_units / units.size


@compiled
def _take_some(
    clips: tuple[Any, ...], clip: int, time_shift: float, unit_shift: Any, n_units: int, words: Array,
    is_kept: Array, mixed: tuple[Array, Array, Array], at: int,
) -> int:  # fmt: skip
    times, units, offsets, keys, threshold = clips
    row_times, row_units = times[offsets[clip] : offsets[clip + 1]], units[offsets[clip] : offsets[clip + 1]]
    mixed_times, mixed_units, _ = mixed
    halves, shift = words.view(np.uint32), times.dtype.type(time_shift)
    fill_words(keys[clip], words[: (row_times.size + 1) // 2])
    first_unit, last_unit = max(0, -unit_shift), n_units - 1 - max(0, unit_shift)
    for i in range(row_times.size):
        is_kept[i] = (halves[i] < threshold) & (row_times[i] >= -shift)
    for i in range(row_times.size):
        is_kept[i] &= (row_units[i] >= first_unit) & (row_units[i] <= last_unit)
    for i in range(row_times.size):
        mixed_times[at] = row_times[i] + shift
        mixed_units[at] = row_units[i] + unit_shift
        at += is_kept[i]
    return at


@compiled
def cut_mix(
    own: tuple[Any, ...], partners: tuple[Any, ...], starts: Array, ends: Array, mixed: tuple[Array, Array, Array],
) -> None:  # fmt: skip
    """Each clip's events outside its span, then the partner's within; three arrays each, as the first of `blend`."""
    at = 0
    for clip in range(starts.size):
        at = _take_span(own, clip, starts[clip], ends[clip], 0, mixed, at)
        at = _take_span(partners, clip, starts[clip], ends[clip], 1, mixed, at)
        mixed[2][clip + 1] = at


@compiled
def _take_span(
    clips: tuple[Any, ...], clip: int, start: float, end: float, is_inside: int, mixed: tuple[Array, Array, Array],
    at: int,
) -> int:  # fmt: skip
    times, units, offsets = clips
    row_times, row_units = times[offsets[clip] : offsets[clip + 1]], units[offsets[clip] : offsets[clip + 1]]
    is_kept = np.empty(row_times.size, np.uint8)
    for i in range(row_times.size):
        is_kept[i] = ((row_times[i] >= start) & (row_times[i] < end)) == is_inside
    return keep_marked(row_times, row_units, is_kept, mixed[0], mixed[1], at)


_Arrays: TypeAlias = tuple[npt.NDArray[np.floating], npt.NDArray[np.uint16], npt.NDArray[np.int64]]
_MOST_NOISE = 2**31  # events; a time of 1e300 s would have the process go on forever
_CLASSMATES: WeakKeyDictionary[Events, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class NoiseEvents:
    """Events added at random: a Poisson process in every unit, from 0 to the clip's latest spike.

    Parameters
    ----------
    rate : float
        Of the noise in one unit [Hz].

    Raises
    ------
    ValueError
        If it is negative or not finite.

    References
    ----------
    Schöne, Sushma, Zhuge, Mayr, Subramoney, Kappel: Scalable event-by-event processing of neuromorphic sensory signals
    with deep state-space models; ICONS, 2024 (Event-SSM: up to 100 events a clip, 0.1 Hz on the average).
    """

    rate: NotNegative

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events with noise after those of each clip; half floats become single ones."""
        check_streams(events, streams)

        keys, latest = substreams(streams, 0), latest_times(events)
        rate = float(self.rate * events.n_units)
        n_expected = rate * float(latest.sum()) if rate else 0.0
        if not n_expected < _MOST_NOISE:
            raise ValueError(f"NoiseEvents.rate must give below {_MOST_NOISE} events a batch, got {n_expected:.3g}")
        n_noise = np.empty(len(events), np.int64)
        count_noise(keys, latest, rate, n_noise)
        offsets = offsets_of(np.diff(events.offsets) + n_noise)
        times = widened(events.times)
        mixed_times, mixed_units = np.empty(offsets[-1], times.dtype), np.empty(offsets[-1], events.units.dtype)
        add_noise(times, events.units, events.offsets, keys, rate, events.n_units, offsets, mixed_times, mixed_units)
        return events.changed(times=mixed_times, units=mixed_units, offsets=offsets, is_sorted=False)


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Random events of two clips of a class in one, after both were moved so that their centers agree.

    A partner is drawn from the clips of the same class in the source, the clip itself included, as it is there: other
    transforms applied to the clip before are not applied to its partner. Each of its events is taken with probability
    `share`, each of the clip's own with 1 - `share`. Before, both are moved halfway towards each other in mean time
    and, by whole units, in mean unit; what leaves the range is dropped.

    Parameters
    ----------
    share : float
        Part of the partner's events that is taken [1].
    is_aligned : bool
        Whether to move the clips [1].

    Raises
    ------
    ValueError
        If the share is not in 0..1.

    References
    ----------
    Nowotny, Turner, Knight: Loss shaping enhances exact gradient learning with EventProp in spiking neural networks;
    Neuromorphic Computing and Engineering 5:014001, 2025.

    Examples
    --------
    >>> Blend(share=0.5)
    Blend(share=0.5, is_aligned=True)
    """

    share: Share
    is_aligned: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of two clips each; half floats become single ones.

        Raises
        ------
        ValueError
            If the source has other units than the events, or no clip of one of their classes.
        """
        check_streams(events, streams)

        partners = source.select(partners_of(events, uniforms(streams, 1)[0], source))
        mixed = _room_for(events, partners)
        blend(
            (*_arrays(events), substreams(streams, 0), threshold_of(1 - self.share)),
            (*_arrays(partners), substreams(streams, 1), threshold_of(self.share)),
            self.is_aligned,
            events.n_units,
            mixed,
        )
        longer = np.where(events.durations > 0, np.maximum(events.durations, partners.durations), 0.0)
        return lasting(_filled(events, mixed), longer)


@dataclass(frozen=True, kw_only=True)
class CutMix:
    """A span of the clip's time replaced by the same span of another clip of its class.

    The length of the span is a share of the clip's, uniform in 0..largest_share; the clip lasts until its latest spike
    and the span lies anywhere in it. The partner is found as in `Blend`; the label stays as it is.

    Parameters
    ----------
    largest_share : float
        Largest part of the clip that is replaced [1].

    Raises
    ------
    ValueError
        If it is not in 0..1.

    References
    ----------
    Yun, Han, Oh, Chun, Choe, Yoo: CutMix: regularization strategy to train strong classifiers with localizable
    features; ICCV, 2019. Schöne et al.: Scalable event-by-event processing of neuromorphic sensory signals with deep
    state-space models; ICONS, 2024 (Event-SSM: between classes and with mixed labels, for half of the batches).
    """

    largest_share: Share

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of two clips each; half floats become single ones.

        Raises
        ------
        ValueError
            If the source has other units than the events, or no clip of one of their classes.
        """
        check_streams(events, streams)

        draws = uniforms(streams, 3)
        partners = source.select(partners_of(events, draws[0], source))
        durations = latest_times(events)
        widths = draws[1] * self.largest_share * durations
        starts = draws[2] * (durations - widths)
        mixed = _room_for(events, partners)
        cut_mix(_arrays(events), _arrays(partners), starts, starts + widths, mixed)
        return _filled(events, mixed)


def partners_of(events: Events, draws: npt.NDArray[np.float64], source: Events) -> npt.NDArray[np.int64]:
    """A partner for each clip: the number, in the source, of a clip of the same class, possibly the clip itself.

    Parameters
    ----------
    events : Events
    draws : ndarray of float64, shape (n_clips,)
        A number in 0 <= u < 1 for each clip, which decides.
    source : Events
        Where to look.

    Raises
    ------
    TypeError
        If the source is no `Events`.
    ValueError
        If the source has other units than the events, or no clip of one of their classes.
    """
    if not isinstance(source, Events):
        raise TypeError(f"source must be Events, got {type(source).__name__}")
    if events.n_units != source.n_units:
        raise ValueError(f"partners have {source.n_units} units and events {events.n_units}: merge channels afterwards")
    if source not in _CLASSMATES:
        order = np.argsort(source.labels, kind="stable")
        _CLASSMATES[source] = order, offsets_of(np.bincount(source.labels, minlength=len(source.keys)))
    order, starts = _CLASSMATES[source]
    if len(events) and events.labels.max() >= len(source.keys):
        raise ValueError(f"the source has no class {int(events.labels.max())}, only {len(source.keys)}")
    n_classmates = starts[events.labels + 1] - starts[events.labels]
    if not n_classmates.all():
        missing = events.keys[events.labels[np.argmin(n_classmates)]]
        raise ValueError(f"the source has no clip of class {missing!r}")
    return order[starts[events.labels] + (draws * n_classmates).astype(np.int64)]


def _arrays(events: Events) -> _Arrays:
    return widened(events.times), events.units, events.offsets


def _room_for(events: Events, partners: Events) -> _Arrays:
    dtype = np.result_type(widened(events.times[:0]), widened(partners.times[:0]))
    room = events.times.size + partners.times.size
    return np.empty(room, dtype), np.empty(room, events.units.dtype), np.zeros_like(events.offsets)


def _filled(events: Events, mixed: _Arrays) -> Events:
    times, units, offsets = mixed
    return events.changed(times=times[: offsets[-1]], units=units[: offsets[-1]], offsets=offsets, is_sorted=False)
