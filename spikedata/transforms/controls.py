"""Controls that separate rate from timing, to show how a score changes when one of them is removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedata.checks import Count, Positive, check_fields
from spikedata.compilation import Array, compiled
from spikedata.events import Events, latest_times
from spikedata.transforms.passes import fill_words, words_for
from spikedata.transforms.rows import check_streams, computed, latest_of, widened
from spikedata.transforms.streams import substreams

_HALF = np.uint64(32)


@compiled
def shuffle_units(units: Array, offsets: Array, keys: Array) -> None:
    """Permute the units of each clip in place (Fisher and Yates; Durstenfeld, 1964)."""
    words = words_for(offsets)
    for clip in range(offsets.size - 1):
        row = units[offsets[clip] : offsets[clip + 1]]
        fill_words(keys[clip], words[: row.size])
        for i in range(row.size - 1, 0, -1):
            j = _below(words[i], i + 1)
            unit = row[i]
            row[i] = row[j]
            row[j] = unit


@compiled
def uniform_times(offsets: Array, keys: Array, latest: Array, times: Array) -> None:
    """Fill `times` with random ones, uniform from 0 to each clip's latest."""
    words = words_for(offsets)
    for clip in range(offsets.size - 1):
        row, scale = times[offsets[clip] : offsets[clip + 1]], latest[clip] * 2.0**-53
        fill_words(keys[clip], words[: row.size])
        for i in range(row.size):
            row[i] = np.float64(np.int64(words[i] >> np.uint64(11))) * scale


@compiled
def normalize_counts(
    times: Array, units: Array, offsets: Array, keys: Array, latest: Array, n_per_unit: Array, chosen_offsets: Array,
    n_units: int, chosen: Array,
) -> None:  # fmt: skip
    """Times of the events of every unit of each clip, (unit, event) of clip i from `chosen_offsets`[i] on.

    `n_per_unit` (clip,) is 0 for clips without events, which get none. Those that stay are drawn in one pass, each with
    the same probability (Vitter: Random sampling with a reservoir; ACM TOMS 11:37, 1985, algorithm R).
    """
    longest = words_for(offsets).size
    n_largest = 0
    for clip in range(n_per_unit.size):
        if n_per_unit[clip] > n_largest:
            n_largest = int(n_per_unit[clip])
    n_seen = np.empty(n_units, np.int64)
    words = np.empty(longest + n_units * n_largest, np.uint64)
    kept = np.empty((n_units, n_largest + 1), times.dtype)
    for clip in range(offsets.size - 1):
        row_times, row_units = times[offsets[clip] : offsets[clip + 1]], units[offsets[clip] : offsets[clip + 1]]
        n, at = n_per_unit[clip], chosen_offsets[clip]
        if n == 0:
            continue
        n_seen[:] = 0
        fill_words(keys[clip], words[: row_times.size])
        for i in range(row_times.size):
            unit = row_units[i]
            if unit >= n_units:  # events say that there is none; somebody may have written to their arrays
                continue
            n_seen[unit] += 1
            place = n_seen[unit] - 1 if n_seen[unit] <= n else _below(words[i], n_seen[unit])
            kept[unit, min(place, n)] = row_times[i]  # the last column is for what goes
        fill_words(~keys[clip], words[: n_units * n])
        for unit in range(n_units):
            for place in range(n_seen[unit], n):
                word = words[unit * n + place] >> np.uint64(11)
                kept[unit, place] = np.float64(np.int64(word)) * 2.0**-53 * latest[clip]
        for unit in range(n_units):  # an assignment of arrays would be compiled with its messages, for 4 s
            for place in range(n):
                chosen[at + unit * n + place] = kept[unit, place]


@compiled
def shuffle_steps(times: Array, offsets: Array, keys: Array, dt: float, n_steps: int, moved: Array) -> None:
    """Fill `moved` with the times of events whose steps have changed places: those before `n_steps` that a clip has.

    An event keeps its place within its step up to rounding, and is put to the middle where rounding would leave it.
    """
    words = np.empty(n_steps, np.uint64)
    order = np.empty(n_steps, np.int64)
    for clip in range(offsets.size - 1):
        row, out = times[offsets[clip] : offsets[clip + 1]], moved[offsets[clip] : offsets[clip + 1]]
        n = np.int64(0)
        for i in range(row.size):
            last = np.int64(_step_of(row[i], dt, n_steps))
            if last >= n:
                n = min(last + 1, np.int64(n_steps))
        fill_words(keys[clip], words[:n])
        for step in range(n):
            order[step] = step
        for step in range(n - 1, 0, -1):
            other = int(_below(words[step], step + 1))
            taken = order[step]
            order[step] = order[other]
            order[other] = taken
        for i in range(row.size):
            own = int(_step_of(row[i], dt, n_steps))
            if own >= n:
                out[i] = row[i]
                continue
            out[i] = row[i] + (order[own] - own) * dt
            if out[i] < 0.0 or _step_of(out[i], dt, n_steps) != order[own]:
                out[i] = (order[own] + 0.5) * dt


@compiled
def _step_of(time: float, dt: float, n_steps: int) -> np.int64:
    # the rule of `spikedata.events.binning.steps_of`; all that come after `n_steps` are one
    if not time < n_steps * dt:
        return np.int64(n_steps)
    step = np.int64(np.floor(np.float64(time) / dt))
    if np.float64(time) < step * dt:
        step -= 1
    if np.float64(time) >= (step + 1) * dt:
        step += 1
    return step


@compiled
def _below(word: np.uint64, n: int) -> np.int64:
    # a whole number below n, from the upper half of a word: as good as uniform for n far below 2**32
    return np.int64(((word >> _HALF) * np.uint64(n)) >> _HALF)


@dataclass(frozen=True, kw_only=True)
class TimeReversal:
    """Each clip reversed in time: t becomes the time of the latest spike minus t.

    Intervals, coincidences and counts stay as they are; their order is reversed. Nothing is random.

    References
    ----------
    Yu, Sun, Goodman: Beyond rate coding: surrogate gradients enable spike timing learning in spiking neural networks;
    arXiv 2507.16043, 2025.

    Examples
    --------
    >>> from spikedata.events import Sample
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

        return computed(events, move_times, -np.ones(len(events)), latest_times(events), latest_of(events.times))


@dataclass(frozen=True, kw_only=True)
class ShuffleTimes:
    """New random times with the count of every unit kept: rates without timing.

    Parameters
    ----------
    keep_envelope : bool
        If true, the clip's own times are permuted among its events: the number of spikes at every moment stays, and
        only which unit fires when is lost. If false, times are uniform from 0 to the clip's latest spike [1].

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

        keys = substreams(streams, 0)
        if self.keep_envelope:
            units = events.units.copy()
            shuffle_units(units, events.offsets, keys)
            return events.changed(units=units)
        times = np.empty_like(widened(events.times))
        uniform_times(events.offsets, keys, latest_times(events), times)
        return events.changed(times=times, is_sorted=False)


@dataclass(frozen=True, kw_only=True)
class ShuffleSteps:
    """The steps of each clip in a random order: which units fire together stays, when they do is lost.

    The steps from the first to that of the clip's latest spike within the window are permuted, all orders being as
    likely. Counts and the number of spikes that a window holds stay as they are; what a network without memory can
    tell stays, too.

    Parameters
    ----------
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps of the window; later spikes stay where they are.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from spikedata.events import Sample
    >>> clip = Sample(np.array([0.25, 0.5, 2.5]), np.array([3, 9, 4], dtype=np.uint16), label=0, speaker=2)
    >>> events = Events.from_samples([clip], keys=["zero"])
    >>> ShuffleSteps(dt=1, n_steps=3).transform_events(events, np.full(1, 3, np.uint64), events)[0].times.tolist()
    [0.5, 2.25, 2.5]
    """

    dt: Positive
    n_steps: Count

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of which each has moved with its step; half floats become single ones."""
        check_streams(events, streams)

        times = widened(events.times)
        moved = np.empty_like(times)
        shuffle_steps(times, events.offsets, substreams(streams, 0), self.dt, self.n_steps, moved)
        return events.changed(times=moved, is_sorted=False)


@dataclass(frozen=True, kw_only=True)
class NormalizeCounts:
    """Every unit of every clip with the same number of events: timing without rates.

    A unit with more keeps some, drawn at random; one with fewer gets more, at times uniform from 0 to the clip's latest
    spike. A network that only counts spikes is then at chance level. A clip without events stays empty.

    Parameters
    ----------
    n_per_unit : int or None
        Events of each unit [1]. None: of each clip the mean count of its units, rounded, at least 1, so that a clip
        has about as many spikes as before; this number is then all that counts can tell.

    Raises
    ------
    ValueError
        If it is below 1.

    References
    ----------
    Yu, Sun, Goodman: Beyond rate coding: surrogate gradients enable spike timing learning in spiking neural networks;
    arXiv 2507.16043, 2025 (who choose units that have enough in every clip, and add none).
    """

    n_per_unit: Count | None

    def __post_init__(self) -> None:
        check_fields(self)

    def transform_events(self, events: Events, streams: npt.NDArray[np.uint64], source: Events) -> Events:
        """Events of equal counts, unit after unit; half floats become single ones."""
        check_streams(events, streams)

        times, counts, n_units = widened(events.times), np.diff(events.offsets), events.n_units
        usual = np.maximum(np.rint(counts / max(n_units, 1)), 1) if self.n_per_unit is None else self.n_per_unit
        n_per_unit = np.where(counts > 0, usual, 0).astype(np.int64)
        chosen_offsets = np.concatenate([[0], np.cumsum(n_per_unit * n_units)])
        chosen = np.empty(chosen_offsets[-1], times.dtype)
        normalize_counts(
            times,
            events.units,
            events.offsets,
            substreams(streams, 0),
            latest_times(events),
            n_per_unit,
            chosen_offsets,
            n_units,
            chosen,
        )
        repeats = np.repeat(n_per_unit, n_units)
        units = np.repeat(np.tile(np.arange(n_units, dtype=np.uint16), len(events)), repeats)
        return events.changed(times=chosen, units=units, offsets=chosen_offsets, is_sorted=False)
