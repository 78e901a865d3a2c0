"""The compiled passes of the controls."""

import numpy as np

from spikedata.compilation import Array, compiled
from spikedata.transforms.passes import fill_words, words_for

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
    """Times from 0 to each clip's latest."""
    words = words_for(offsets)
    for clip in range(offsets.size - 1):
        row, scale = times[offsets[clip] : offsets[clip + 1]], latest[clip] * 2.0**-53
        fill_words(keys[clip], words[: row.size])
        for i in range(row.size):
            row[i] = np.float64(np.int64(words[i] >> np.uint64(11))) * scale


@compiled
def normalize_counts(times: Array, units: Array, offsets: Array, keys: Array, latest: Array, chosen: Array) -> None:
    """Times of the events of every unit of each clip that has any; `chosen` is (clip, unit, event).

    Those that stay are drawn in one pass, each with the same probability (Vitter: Random sampling with a reservoir; ACM
    TOMS 11:37, 1985, algorithm R).
    """
    n_units, n_per_unit = chosen.shape[1], chosen.shape[2]
    n_seen = np.empty(n_units, np.int64)
    longest = words_for(offsets).size
    words = np.empty(max(longest, n_units * n_per_unit), np.uint64)
    kept = np.empty((n_units, n_per_unit + 1), times.dtype)
    filled = 0
    for clip in range(offsets.size - 1):
        row_times, row_units = times[offsets[clip] : offsets[clip + 1]], units[offsets[clip] : offsets[clip + 1]]
        if row_times.size == 0:
            continue
        n_seen[:] = 0
        fill_words(keys[clip], words[: row_times.size])
        for i in range(row_times.size):
            unit = row_units[i]
            if unit >= n_units:  # events say that there is none; somebody may have written to their arrays
                continue
            n_seen[unit] += 1
            place = n_seen[unit] - 1 if n_seen[unit] <= n_per_unit else _below(words[i], n_seen[unit])
            kept[unit, min(place, n_per_unit)] = row_times[i]  # the last column is for what goes
        fill_words(~keys[clip], words[: n_units * n_per_unit])
        for unit in range(n_units):
            for place in range(n_seen[unit], n_per_unit):
                word = words[unit * n_per_unit + place] >> np.uint64(11)
                kept[unit, place] = np.float64(np.int64(word)) * 2.0**-53 * latest[clip]
        chosen[filled] = kept[:, :n_per_unit]
        filled += 1


@compiled
def _below(word: np.uint64, n: int) -> np.int64:
    # a whole number below n, from the upper half of a word: as good as uniform for n far below 2**32
    return np.int64(((word >> _HALF) * np.uint64(n)) >> _HALF)
