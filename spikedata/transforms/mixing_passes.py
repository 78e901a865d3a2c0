"""The compiled passes that put events of two clips, or noise, into one."""

import math
from typing import Any

import numpy as np

from spikedata.compilation import Array, compiled
from spikedata.streams import GOLDEN
from spikedata.transforms.normal import mixed_word
from spikedata.transforms.passes import fill_words, keep_marked, words_for

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
        mixed_times[at : at + end - begin] = times[begin:end]
        mixed_units[at : at + end - begin] = units[begin:end]
        at += end - begin
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
