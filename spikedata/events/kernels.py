"""The compiled passes over events, called by `spikedata.events.batching` and `spikedata.events.events`.

Every pass takes flat arrays of a whole set of clips and the numbers of the chosen clips. Times are either floats, or
half floats as bit patterns with a table of their steps, since Numba has no float16. Spikes without a valid step or unit
are skipped, so that no pass writes beyond its result, even for a damaged cache.
"""

from typing import Any

import numpy as np

from spikedata.compilation import Array, compiled

# The position of the only bit set in a word is found by multiplication with a de Bruijn sequence.
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_POSITIONS = np.zeros(64, np.int64)
for _bit in range(64):
    _POSITIONS[((1 << _bit) * 0x03F79D71B4CB0A89 & 0xFFFFFFFFFFFFFFFF) >> 58] = _bit


_PRIME = np.uint64(0x9E3779B185EBCA87)  # odd, so multiplication modulo 2**64 is invertible
_HALF_INFINITY, _HALF_MINUS_ZERO, _HALF_NUMBER = 0x7C00, 0x8000, 0x7FFF


@compiled
def count_faults(times: Array, units: Array, offsets: Array, n_units: int, is_half: bool) -> tuple[Any, Any]:
    """Number of invalid spikes, and number of spikes that are earlier than the previous spike of their clip.

    Half floats are passed as bit patterns, which have the same order as the numbers unless these are negative.
    """
    n_faults, n_descents = np.int64(0), np.int64(0)
    for i in range(units.size):
        n_faults += units[i] >= n_units
    if is_half:
        for i in range(times.size):
            n_faults += (times[i] >= _HALF_INFINITY) & (times[i] != _HALF_MINUS_ZERO)
    else:
        for i in range(times.size):
            n_faults += not (0.0 <= times[i] < np.inf)
    for clip in range(offsets.size - 1):
        row = times[offsets[clip] : offsets[clip + 1]]
        if is_half:
            for i in range(1, row.size):
                n_descents += (np.int64(row[i]) & _HALF_NUMBER) < (np.int64(row[i - 1]) & _HALF_NUMBER)
        else:
            for i in range(1, row.size):
                n_descents += row[i] < row[i - 1]
    return n_faults, n_descents


@compiled
def steps_of_floats(times: Array, begin: int, end: int, dt: float, n_steps: int, steps: Array) -> None:
    """Step of each spike from `begin` to `end`, by the edge rule of `spikedata.events.binning`; -1 if it has none."""
    last = n_steps * dt
    per_second = 1.0 / dt
    for i in range(begin, end):
        t = np.float64(times[i])
        inside = 0.0 <= t < last
        step = np.int64(t * per_second) if inside else np.int64(-1)
        # rounding of the product may be off by one step in either direction
        step -= inside and t < step * dt
        step += inside and t >= (step + 1) * dt
        steps[i - begin] = step if 0 <= step < n_steps else -1


@compiled
def steps_of_halves(patterns: Array, begin: int, end: int, table: Array, steps: Array) -> None:
    """Step of each spike from `begin` to `end`, from half floats as bit patterns."""
    for i in range(begin, end):
        steps[i - begin] = table[patterns[i]]


@compiled
def _fill_steps(times: Array, table: Array | None, begin: int, end: int, dt: float, n_steps: int, steps: Array) -> None:
    if table is None:  # decided at compile time, by the type of `table`
        steps_of_floats(times, begin, end, dt, n_steps, steps)
    else:
        steps_of_halves(times, begin, end, table, steps)


@compiled
def fill_dense(
    times: Array, table: Array | None, units: Array, offsets: Array, chosen: Array, dt: float, unit_of: Array,
    n_steps: int, n_units: int, to_next_step: int | None, binary: bool, most: int, following: Array | None,
    counts: Array,
) -> int:  # fmt: skip
    """Counts of each chosen clip in flat `counts`, which is cleared first. They stop at `most`.

    The steps of a clip lie `to_next_step` apart and the rows of clips beside each other; if it is None, the clips lie
    one after the other. For counts of a type that Numba does not have, `following` says which bits follow which.
    Returns the number of spikes whose unit is not in `unit_of`.
    """
    steps = np.empty(_longest(offsets, chosen), np.int32)
    n_wrong = 0
    if to_next_step is not None:
        counts[:] = 0
    for row in range(chosen.size):
        begin, end = offsets[chosen[row]], offsets[chosen[row] + 1]
        _fill_steps(times, table, begin, end, dt, n_steps, steps)
        # both cases are decided at compile time, by the type of `to_next_step`: asked here, they cost half the speed
        if to_next_step is None:
            out = counts[row * n_steps * n_units : (row + 1) * n_steps * n_units]
            out[:] = 0
        else:
            out = counts[row * n_units :]
        for i in range(end - begin):
            step, unit = steps[i], units[begin + i]
            if unit >= unit_of.size:
                n_wrong += 1
            elif step >= 0:
                at = step * (n_units if to_next_step is None else to_next_step) + unit_of[unit]
                if following is not None:  # decided at compile time, by the type of `following`
                    out[at] = following[out[at]]
                elif binary:
                    out[at] = 1
                elif out[at] < most:
                    out[at] += 1
    return n_wrong


@compiled
def fill_lists(
    times: Array, table: Array | None, units: Array, offsets: Array, chosen: Array, dt: float, n_steps: int,
    unit_of: Array, step_offsets: Array, listed: Array,
) -> int:  # fmt: skip
    """Units of the spikes of each chosen clip in the order of their steps.

    `step_offsets` (clip, step + 1) becomes where each step begins in `listed`, the last entry of a clip being its end.
    `listed` has room for all spikes of the clips. Returns the number of spikes whose unit is none of `unit_of`.
    """
    steps = np.empty(_longest(offsets, chosen), np.int32)
    ends = np.empty(n_steps, np.int64)
    n_wrong, n_listed = 0, 0
    for row in range(chosen.size):
        begin, end = offsets[chosen[row]], offsets[chosen[row] + 1]
        _fill_steps(times, table, begin, end, dt, n_steps, steps)
        # Sorted spikes, the usual case, need only be copied; others are sorted by counting below.
        step_now, at, is_sorted = 0, n_listed, True
        step_offsets[row, 0] = at
        for i in range(end - begin):
            unit, step = units[begin + i], steps[i]
            if unit >= unit_of.size:
                n_wrong += 1
                steps[i] = -1
            elif step >= 0:
                is_sorted &= step >= step_now
                while step_now < step:
                    step_now += 1
                    step_offsets[row, step_now] = at
                listed[at] = unit_of[unit]
                at += 1
        if is_sorted:
            for step in range(step_now + 1, n_steps + 1):
                step_offsets[row, step] = at
            n_listed = at
            continue
        ends[:] = 0
        for i in range(end - begin):
            if steps[i] >= 0:
                ends[steps[i]] += 1
        for step in range(n_steps):
            step_offsets[row, step] = n_listed
            n_listed += ends[step]
            ends[step] = step_offsets[row, step]
        step_offsets[row, n_steps] = n_listed
        for i in range(end - begin):
            step = steps[i]
            if step >= 0:
                listed[ends[step]] = unit_of[units[begin + i]]
                ends[step] += 1
    return n_wrong


@compiled
def count_entries(offsets: Array, listed: Array, n_units: int) -> int:
    """How many pairs of step and unit of the clips have a spike, in the lists that `fill_lists` made."""
    last_seen = np.full(n_units, -1, np.int64)
    n_entries = 0
    for row in range(offsets.shape[0]):
        for step in range(offsets.shape[1] - 1):
            here = row * offsets.shape[1] + step
            for i in range(offsets[row, step], offsets[row, step + 1]):
                n_entries += last_seen[listed[i]] != here
                last_seen[listed[i]] = here
    return n_entries


@compiled
def fill_sparse(offsets: Array, listed: Array, n_units: int, indices: Array, counts: Array) -> None:
    """Coalesced entries of the lists that `fill_lists` made, as many as `count_entries` says.

    `indices` (3, entry) becomes clip, step and unit in rising order, `counts` (entry,) the spikes there.
    """
    n_words = (n_units + 63) // 64
    present = np.zeros(n_words, np.uint64)
    count_of = np.zeros(n_units, np.int32)
    n_entries = 0
    for row in range(offsets.shape[0]):
        for step in range(offsets.shape[1] - 1):
            for i in range(offsets[row, step], offsets[row, step + 1]):
                unit = np.int64(listed[i])
                present[unit >> 6] |= np.uint64(1) << np.uint64(unit & 63)
                count_of[unit] += 1
            for word in range(n_words):
                left = present[word]
                present[word] = np.uint64(0)
                while left:
                    bit = left & (~left + np.uint64(1))
                    left ^= bit
                    unit = (word << 6) + _position(bit)
                    indices[0, n_entries] = row
                    indices[1, n_entries] = step
                    indices[2, n_entries] = unit
                    counts[n_entries] = count_of[unit]
                    count_of[unit] = 0
                    n_entries += 1


@compiled
def checksum(words: Array, rest: Any, n_bytes: int) -> Any:
    """A checksum that changes if any single word changes, since every step is invertible.

    It resembles FNV-1a, with a shift that also mixes the upper bits. Four independent chains are computed at a time,
    since each multiplication has to wait for the previous one of its chain.
    """
    a, b, c, d = _PRIME, _PRIME ^ np.uint64(1), _PRIME ^ np.uint64(2), _PRIME ^ np.uint64(3)
    n_rounds = words.size // 4
    for i in range(n_rounds):
        a = _stirred(a ^ words[4 * i])
        b = _stirred(b ^ words[4 * i + 1])
        c = _stirred(c ^ words[4 * i + 2])
        d = _stirred(d ^ words[4 * i + 3])
    for i in range(4 * n_rounds, words.size):
        a = _stirred(a ^ words[i])
    a = _stirred(a ^ rest)
    return _stirred(_stirred(_stirred(_stirred(_stirred(a) ^ b) ^ c) ^ d) ^ np.uint64(n_bytes))


@compiled
def _stirred(word: Any) -> Any:
    word *= _PRIME
    return word ^ (word >> np.uint64(32))


@compiled
def take_rows(values: Array, offsets: Array, chosen: Array, taken: Array) -> None:
    """Copy the rows of the chosen clips, one after the other."""
    at = 0
    for i in chosen:
        row = values[offsets[i] : offsets[i + 1]]
        out = taken[at : at + row.size]
        for j in range(row.size):
            out[j] = row[j]
        at += row.size


@compiled
def _position(bit: Any) -> Any:
    return _POSITIONS[(bit * _DE_BRUIJN) >> np.uint64(58)]


@compiled
def _longest(offsets: Array, chosen: Array) -> int:
    most = 0
    for i in chosen:
        most = max(most, offsets[i + 1] - offsets[i])
    return most
