"""Compiled passes over the events of a batch that move events or leave some out.

Each takes the flat `times`, `units` and `offsets` of the clips and fills those of the result: `moved_times` and
`moved_units` have room for as many events as there were, `moved_offsets` says where each clip of the result begins.
Times that are only copied may be bit patterns. `keys` has one stream of random words per clip.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spikedata.compilation import Array, compiled
from spikedata.transforms.streams import GOLDEN, mixed

_N_LAYERS = 256
_TAIL = 3.6541528853610088  # where the lowest layer's rectangle ends and the tail begins, for 256 layers (same paper)


def _layers() -> tuple[np.ndarray, np.ndarray]:
    # right edge of each layer, the lowest first, and the height of the bell there
    area = _TAIL * math.exp(-(_TAIL**2) / 2) + math.sqrt(math.pi / 2) * math.erfc(_TAIL / math.sqrt(2))
    edges = [area / math.exp(-(_TAIL**2) / 2), _TAIL]
    for _ in range(_N_LAYERS - 2):
        edges.append(math.sqrt(-2 * math.log(area / edges[-1] + math.exp(-(edges[-1] ** 2) / 2))))
    edges.append(0.0)
    return np.array(edges), np.exp(-(np.array(edges) ** 2) / 2)


_EDGES, _HEIGHTS = _layers()
_STEPS = _EDGES * 2.0**-52  # of a place of 53 bits and sign
mixed_word: Callable[[Any], Any] = compiled(mixed)


@compiled
def normal_of(word: Any) -> Any:
    """The number of mean 0 and variance 1 that a random 64-bit word stands for."""
    while True:
        layer = np.int64(word & np.uint64(_N_LAYERS - 1))
        x = (np.int64(word) >> 11) * _STEPS[layer]
        if abs(x) < _EDGES[layer + 1]:
            return x
        word, u = _next(word)
        if layer == 0:
            return math.copysign(_tail_of(word, u), x)
        if _HEIGHTS[layer] + u * (_HEIGHTS[layer + 1] - _HEIGHTS[layer]) < math.exp(-x * x / 2):
            return x
        word, u = _next(word)


@compiled
def _tail_of(word: Any, u: float) -> float:
    # a number beyond _TAIL, by rejection from an exponential (Marsaglia, 1964)
    while True:
        x = -math.log(1.0 - u) / _TAIL
        word, u = _next(word)
        if -2.0 * math.log(1.0 - u) > x * x:
            return _TAIL + x
        word, u = _next(word)


@compiled
def _next(word: Any) -> tuple[Any, float]:
    # another word, and what it is in 0 <= u < 1
    word = mixed_word(word + GOLDEN)
    return word, np.float64(np.int64(word >> np.uint64(11))) * 2.0**-53


@compiled
def fill_words(key: Any, words: Array) -> None:
    """The first numbers of a stream, as many as `words` holds."""
    for i in range(words.size):
        words[i] = mixed_word(key + (np.uint64(i) + np.uint64(1)) * GOLDEN)


@compiled
def words_for(offsets: Array) -> Array:
    """Room for a word for each event of the longest clip."""
    most = 0
    for clip in range(offsets.size - 1):
        most = max(most, offsets[clip + 1] - offsets[clip])
    return np.empty(most, np.uint64)


@compiled
def keep_marked(times: Array, units: Array, is_kept: Array, moved_times: Array, moved_units: Array, at: int) -> int:
    """Copy the marked events of a clip to `at` and beyond; return where they end. Free of branches, so fast."""
    for i in range(times.size):
        moved_times[at] = times[i]
        moved_units[at] = units[i]
        at += is_kept[i]
    return at


@compiled
def jitter_units(
    times: Array, units: Array, offsets: Array, keys: Array, sigma: float, n_units: int, moved_times: Array,
    moved_units: Array, moved_offsets: Array,
) -> None:  # fmt: skip
    """Add a rounded normal number to each event's unit; leave out what goes below 0 or to `n_units`."""
    words = words_for(offsets)
    shifted, is_kept = np.empty(words.size, np.int64), np.empty(words.size, np.uint8)
    at = 0
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        row_units = units[begin:end]
        fill_words(keys[clip], words[: row_units.size])
        for i in range(row_units.size):
            shifted[i] = np.int64(row_units[i]) + np.int64(np.floor(normal_of(words[i]) * sigma + 0.5))
        for i in range(row_units.size):
            is_kept[i] = (shifted[i] >= 0) & (shifted[i] < n_units)
        at = keep_marked(times[begin:end], shifted, is_kept, moved_times, moved_units, at)
        moved_offsets[clip + 1] = at


@compiled
def shift_units(
    times: Array, units: Array, offsets: Array, shifts: Array, n_units: int, moved_times: Array, moved_units: Array,
    moved_offsets: Array,
) -> None:  # fmt: skip
    """Add each clip's shift to its units; leave out what goes below 0 or to `n_units`."""
    at = 0
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        row_times, row_units, shift = times[begin:end], units[begin:end], shifts[clip]
        for i in range(end - begin):
            unit = np.int64(row_units[i]) + shift
            moved_times[at] = row_times[i]
            moved_units[at] = unit
            at += (unit >= 0) & (unit < n_units)
        moved_offsets[clip + 1] = at


@compiled
def renumber_units(
    times: Array, units: Array, offsets: Array, numbers: Array, moved_times: Array, moved_units: Array,
    moved_offsets: Array,
) -> None:  # fmt: skip
    """Give each event the number of its unit, of which `numbers` has one for each of 16 bits; leave out those of -1."""
    at = 0
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        row_times, row_units = times[begin:end], units[begin:end]
        for i in range(end - begin):
            number = numbers[row_units[i]]
            moved_times[at] = row_times[i]
            moved_units[at] = number
            at += number >= 0
        moved_offsets[clip + 1] = at


@compiled
def jitter_times(
    times: Array, offsets: Array, keys: Array, sigma: float, latest: float, moved_times: Array
) -> None:  # fmt: skip
    """Add a normal number to each event's time, at most to `latest`; what goes below 0 is reflected there."""
    words = words_for(offsets)
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        row, moved = times[begin:end], moved_times[begin:end]
        fill_words(keys[clip], words[: end - begin])
        for i in range(end - begin):
            moved[i] = min(abs(row[i] + normal_of(words[i]) * sigma), latest)


@compiled
def move_times(
    times: Array, units: Array, offsets: Array, factors: Array, shifts: Array, latest: float, moved_times: Array,
    moved_units: Array, moved_offsets: Array,
) -> None:  # fmt: skip
    """Multiply each clip's times by its factor and add its shift, at most to `latest`; leave out what goes below 0."""
    at = 0
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        row_times, row_units, factor, shift = times[begin:end], units[begin:end], factors[clip], shifts[clip]
        for i in range(end - begin):
            time = row_times[i] * factor + shift
            moved_times[at] = min(time, latest)
            moved_units[at] = row_units[i]
            at += time >= 0.0
        moved_offsets[clip + 1] = at


@compiled
def drop_events(
    times: Array, units: Array, offsets: Array, keys: Array, threshold: int, moved_times: Array, moved_units: Array,
    moved_offsets: Array,
) -> None:  # fmt: skip
    """Leave out each event whose random number of 32 bits is below `threshold`."""
    words = words_for(offsets)
    halves, is_kept = words.view(np.uint32), np.empty(words.size, np.uint8)
    at = 0
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        fill_words(keys[clip], words[: (end - begin + 1) // 2])
        for i in range(end - begin):
            is_kept[i] = halves[i] >= threshold
        at = keep_marked(times[begin:end], units[begin:end], is_kept, moved_times, moved_units, at)
        moved_offsets[clip + 1] = at


@compiled
def drop_ranges(
    times: Array, units: Array, offsets: Array, values: Array, starts: Array, ends: Array, moved_times: Array,
    moved_units: Array, moved_offsets: Array,
) -> None:  # fmt: skip
    """Leave out each event whose value is in one of its clip's ranges, `starts` and `ends` of shape (range, clip)."""
    is_kept = np.empty(words_for(offsets).size, np.uint8)
    at = 0
    for clip in range(offsets.size - 1):
        begin, end = offsets[clip], offsets[clip + 1]
        row = values[begin:end]
        is_kept[: row.size] = 1
        for j in range(starts.shape[0]):
            start, stop = starts[j, clip], ends[j, clip]
            for i in range(row.size):
                is_kept[i] &= (row[i] < start) | (row[i] >= stop)
        at = keep_marked(times[begin:end], units[begin:end], is_kept, moved_times, moved_units, at)
        moved_offsets[clip + 1] = at


@compiled
def interleave(
    values: Array, offsets: Array, changed: Array, changed_offsets: Array, is_changed: Array, filled: Array,
) -> None:  # fmt: skip
    """Each clip's values: its next row of `changed` where it was changed, otherwise its row of `values`."""
    at, row = 0, 0
    for clip in range(is_changed.size):
        if is_changed[clip]:
            taken = changed[changed_offsets[row] : changed_offsets[row + 1]]
            row += 1
        else:
            taken = values[offsets[clip] : offsets[clip + 1]]
        for i in range(taken.size):
            filled[at + i] = taken[i]
        at += taken.size


@compiled
def widen_halves(patterns: Array, bits: Array, wide: Array) -> None:
    """Half floats, none of them negative, as single ones: `patterns` are their bits, `bits` those of `wide`."""
    for i in range(patterns.size):
        bits[i] = np.int32(patterns[i] & 0x7FFF) << 13  # -0 becomes 0
    for i in range(patterns.size):
        wide[i] *= np.float32(2.0**112)  # the exponents count from 2**-15 and 2**-127
