"""The kernels of the engine: hair cells, fibers and bushy cells of 64 neighboring channels, 128 steps at a time.

A tile is an array (step, lane) with one lane for each of 64 channels. One step of all lanes is a few vector operations,
and the output of one stage is still in the cache when the next stage reads it. The equations are those of the plain
stages in `hair_cell`, `auditory_nerve` and `bushy_cell`, against which the tests check these kernels.

The kernels copy their state to local arrays, use conditional expressions instead of branches, and spell out sums over
taps: in that form the compiler vectorizes the loops over lanes.
"""

import numpy as np

from cochlea.compilation import Array, compiled
from cochlea.elementary import log1p
from cochlea.engine.chance import DRAWS, fill_exponentials

# With 16 or 32 lanes the kernels are 1.3 to 3 times slower: each step of a loop then waits for the state that the step
# before it leaves (measured).
LANES = 64  # channels of a tile
STEPS = 128  # steps of a tile
# Rows of velocity beyond the lanes. The cells of a channel stand on both sides of its place, and each is interpolated
# from six places (`hair_cell.NODES`); together these are seven, three on either side of the channel's own.
REACH = 6

_F = np.float32
_MOST_PROBABLE = np.float32(1.0 - 1e-6)  # cap of a fiber's probability per step: the hazard -log(1 - p) stays finite
_SERIES_LIMIT = np.float32(0.1)  # up to this probability, seven terms of the series give the hazard within 2e-8

# The lanes in which a fiber fires are marked by bits of two words of 32 (one word of 64 bits was half as fast: the
# compiler narrows the vectors).
BITS = np.array([1 << (lane % 32) for lane in range(LANES)], np.int64).astype(np.int32)
_DE_BRUIJN = np.uint32(0x077CB531)
_POSITIONS = np.zeros(32, np.int64)
for _bit in range(32):
    _POSITIONS[((1 << _bit) * 0x077CB531 & 0xFFFFFFFF) >> 27] = _bit


@compiled()
def lane_of(bit: np.uint32) -> int:
    """The position of a single bit in its word, from 0; 0 if there is none.

    By a multiplication with a de Bruijn sequence (Leiserson, Prokop, Randall: Using de Bruijn sequences to index a 1 in
    a computer word, 1998).

    Parameters
    ----------
    bit : uint32
        A power of two [1].
    """
    return int(_POSITIONS[np.uint32(bit * _DE_BRUIJN) >> np.uint32(27)])


@compiled()
def release_probability(
    velocity: Array, taps: Array, n_steps: int, rates: Array, membrane: Array, pools: Array, probability: Array,
) -> None:  # fmt: skip
    """Advance one hair cell per lane, and fill `probability` with the release probabilities.

    Parameters
    ----------
    velocity : ndarray of float32, shape (step, lane + REACH)
        Velocity at the places around the lanes [1].
    taps : ndarray of float32, shape (REACH + 1,)
        Weights of the places around a cell: the cell of lane j has the velocity sum_i taps[i] velocity[:, j + i] [1].
    n_steps : int
        Number of steps in use [steps].
    rates, membrane : ndarray of float32
        The result of `hair_cell.kernel_constants` [1].
    pools : ndarray of float32, shape (3, lane)
        Free, cleft and reprocessing pool, advanced in place [1].
    probability : ndarray of float32, shape (step, lane)
        The result, per step [1].
    """
    # The equations and letters of `hair_cell._advance_pools`; rates are per step.
    y, g, lr, r, x, h = rates
    A, B, M = membrane
    tap0, tap1, tap2, tap3, tap4, tap5, tap6 = taps
    zero = _F(0.0)
    q, c, w = np.empty(LANES, _F), np.empty(LANES, _F), np.empty(LANES, _F)
    for j in range(LANES):
        q[j], c[j], w[j] = pools[0, j], pools[1, j], pools[2, j]
    for t in range(n_steps):
        v = velocity[t]
        p = probability[t]
        for j in range(LANES):
            drive = tap0 * v[j] + tap1 * v[j + 1] + tap2 * v[j + 2] + tap3 * v[j + 3] + tap4 * v[j + 4]
            drive += tap5 * v[j + 5] + tap6 * v[j + 6] + A
            drive = drive if drive > zero else zero
            k = g * drive / (drive + B)
            deficit = M - q[j]
            deficit = deficit if deficit > zero else zero
            ejected = k * q[j]
            returned = r * c[j]
            reprocessed = x * w[j]
            q_next = q[j] + y * deficit - ejected + reprocessed
            c_next = c[j] + ejected - lr * c[j]
            w_next = w[j] + returned - reprocessed
            q[j] = q_next if q_next > zero else zero
            c_next = c_next if c_next > zero else zero
            w[j] = w_next if w_next > zero else zero
            c[j] = c_next
            p[j] = h * c_next
    for j in range(LANES):
        pools[0, j], pools[1, j], pools[2, j] = q[j], c[j], w[j]


@compiled()
def to_hazard(probability: Array, n_steps: int) -> None:
    """Turn probabilities per step into hazards per step, -log(1 - p), in place.

    Parameters
    ----------
    probability : ndarray of float32, shape (step, lane)
        Probabilities, replaced by hazards [1].
    n_steps : int
        Number of steps in use [steps].
    """
    # The series p + p^2 / 2 + ... + p^7 / 7 is 2 to 4 times faster than log1p and can be vectorized. Real sounds stay
    # below its limit (0.03 was seen); a tile with a larger probability takes the exact way as a whole. The maximum is
    # kept per lane so that finding it is vectorized, too.
    highest = np.zeros(LANES, _F)
    for t in range(n_steps):
        p = probability[t]
        for j in range(LANES):
            highest[j] = p[j] if p[j] > highest[j] else highest[j]
    if highest.max() > _SERIES_LIMIT:
        for t in range(n_steps):
            for j in range(LANES):
                capped = probability[t, j] if probability[t, j] < _MOST_PROBABLE else _MOST_PROBABLE
                probability[t, j] = _F(-log1p(-np.float64(capped)))
        return
    for t in range(n_steps):
        p = probability[t]
        for j in range(LANES):
            series = _F(1 / 3) + p[j] * (_F(1 / 4) + p[j] * (_F(1 / 5) + p[j] * (_F(1 / 6) + p[j] * _F(1 / 7))))
            p[j] = p[j] * (_F(1.0) + p[j] * (_F(1 / 2) + p[j] * series))


@compiled()
def first_draws(cells: Array, words: Array, waiting: Array, drawn: Array, draws: Array) -> None:
    """Start the streams of some cells: draw a first block for each and put its first number into `waiting`.

    Parameters
    ----------
    cells : ndarray of int64, shape (cell, lane)
        Numbers of the cells [1].
    words : ndarray of uint32, shape (4,)
        As for `fill_exponentials`.
    waiting, drawn, draws : ndarrays, shapes (cell, 2, lane), (cell, 2, lane) and (cell, lane, DRAWS)
        For each cell as for `fire_fibers`; filled in.
    """
    bits = np.empty(DRAWS, np.uint32)
    for cell in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            fill_exponentials(0, cells[cell, j], words, bits, draws[cell, j])
            waiting[cell, 1, j] = draws[cell, j, 0]
            drawn[cell, 0, j] = 1
            drawn[cell, 1, j] = 1


@compiled()
def fire_fibers(
    hazard: Array, n_steps: int, ring_row: int, ring: Array, waiting: Array, drawn: Array, draws: Array, cells: Array,
    words: Array, bits: Array, spikes: Array,
) -> None:  # fmt: skip
    """Draw the spikes of the fibers of some hair cells per lane, and add their numbers to `spikes`.

    In each step, `n_ready` fibers use up n_ready * hazard of an exponential random number. When the number is used up,
    one of the fibers fires and is not ready for as many steps as the ring has rows.

    Parameters
    ----------
    hazard : ndarray of float32, shape (cell, step, lane)
        Hazard of one fiber per step [1].
    n_steps : int
        Number of steps in use [steps].
    ring_row : int
        Row of the ring that belongs to the first step [1].
    ring : ndarray of float32, shape (cell, dead step, lane)
        Number of fibers that fired at each of the last steps, advanced in place [fibers].
    waiting : ndarray of float32, shape (cell, 2, lane)
        Ready fibers [fibers], and what is left of the exponential number [1]; advanced in place. `first_draws` sets the
        number for the first step.
    drawn : ndarray of int64, shape (cell, 2, lane)
        How many blocks of the stream have been drawn, and how many numbers of the last block have been used; advanced
        in place [1].
    draws : ndarray of float32, shape (cell, lane, DRAWS)
        The last block that was drawn; replaced when all of it has been used [1].
    cells : ndarray of int64, shape (cell, lane)
        Number of each cell, which identifies its stream [1].
    words, bits : ndarray of uint32
        As for `fill_exponentials`.
    spikes : ndarray of float32, shape (cell, step, lane) or (1, step, lane)
        Number of fibers that fire, to which those of each cell are added, or those of all cells of a lane [spikes].
    """
    zero, one = _F(0.0), _F(1.0)
    n_cells = hazard.shape[0]
    ready, left = np.empty((n_cells, LANES), _F), np.empty((n_cells, LANES), _F)
    for cell in range(n_cells):
        for j in range(LANES):
            ready[cell, j], left[cell, j] = waiting[cell, 0, j], waiting[cell, 1, j]
    listed = np.empty(n_cells * LANES + 2, np.int64)
    row = ring_row
    for t in range(n_steps):
        # First all lanes at once: fibers whose dead time ends become ready, and the step's hazard is used up. Only the
        # lanes that run out of their exponential number, few of 64, are then treated one by one. They are listed
        # before, without a branch for up to two of 32 lanes, since a processor cannot guess how many they are; and the
        # cells of a channel take turns in each step, so that none has to wait for what has just been written.
        n_listed = 0
        for cell in range(n_cells):
            low, high = np.int32(0), np.int32(0)
            for j in range(32):
                n_ready = ready[cell, j] + ring[cell, row, j]
                rest = left[cell, j] - n_ready * hazard[cell, t, j]
                ready[cell, j] = n_ready
                left[cell, j] = rest
                low = np.int32(low | (BITS[j] if rest < zero else np.int32(0)))
            for j in range(32, LANES):
                n_ready = ready[cell, j] + ring[cell, row, j]
                rest = left[cell, j] - n_ready * hazard[cell, t, j]
                ready[cell, j] = n_ready
                left[cell, j] = rest
                high = np.int32(high | (BITS[j] if rest < zero else np.int32(0)))
            for j in range(LANES):
                ring[cell, row, j] = zero
            for first in range(0, LANES, 32):
                mask = np.uint32(low) if first == 0 else np.uint32(high)
                n_found = 0
                while mask != np.uint32(0) or n_found < 2:
                    bit = np.uint32(mask & np.uint32(-np.int32(mask)))  # the lowest bit that is set
                    lane = first + lane_of(bit)
                    listed[n_listed] = cell * LANES + lane
                    n_listed += int(mask != np.uint32(0))
                    mask = np.uint32(mask ^ bit)
                    n_found += 1
        for i in range(n_listed):
            cell, j = listed[i] // LANES, listed[i] % LANES
            h, rest, n_ready, fired = hazard[cell, t, j], left[cell, j], ready[cell, j], zero
            used = drawn[cell, 1, j]
            while rest < zero and n_ready > zero:
                # The spike came within the step. The fibers that are still ready pass through the rest of the step,
                # whose hazard is `remaining`; rounding must not make it longer than the step.
                remaining = -rest / n_ready
                remaining = remaining if remaining < h else h
                n_ready -= one
                fired += one
                if used == DRAWS:
                    fill_exponentials(drawn[cell, 0, j], cells[cell, j], words, bits, draws[cell, j])
                    drawn[cell, 0, j] += 1
                    used = 0
                rest = draws[cell, j, used] - n_ready * remaining
                used += 1
            drawn[cell, 1, j] = used
            left[cell, j], ready[cell, j], ring[cell, row, j] = rest, n_ready, fired
            spikes[cell if spikes.shape[0] == n_cells else 0, t, j] += fired
        row += 1
        if row == ring.shape[1]:
            row = 0
    for cell in range(n_cells):
        for j in range(LANES):
            waiting[cell, 0, j], waiting[cell, 1, j] = ready[cell, j], left[cell, j]


@compiled()
def fire_bushy_cells(
    fiber_spikes: Array, n_steps: int, n_lanes: int, first_step: int, constants: Array, n_refractory: int,
    state: Array, steps: Array, lanes: Array, n_fired: int,
) -> int:  # fmt: skip
    """Advance one bushy cell per lane, append its spikes to `steps` and `lanes`, and return the number of all spikes.

    Parameters
    ----------
    fiber_spikes : ndarray of float32, shape (step, lane)
        Number of fibers of each channel that fire [spikes].
    n_steps, n_lanes : int
        Number of steps and of lanes in use [1].
    first_step : int
        Number of the tile's first step [1].
    constants : ndarray of float64, shape (4,)
        Decay of membrane and current per step, gain, threshold [1].
    n_refractory : int
        Number of steps after the step of a spike during which the membrane is held at 0 [steps].
    state : ndarray of float64, shape (3, lane)
        Membrane and current [1], and the number of steps for which the membrane is still held [steps]; advanced in
        place.
    steps, lanes : ndarray of int64
        Step and lane of each spike; the first `n_fired` are those of earlier tiles [1].
    n_fired : int
        Number of spikes before this tile [spikes].

    Returns
    -------
    int
        Number of spikes up to the end of this tile [spikes].
    """
    decay_mem, decay_syn, gain, threshold = constants
    # In double precision like the plain stage. `held` is a float, too, and `n_above` an integer of as many bits:
    # vectors of elements of one size. Integers may be summed in any order, so the count is vectorized.
    membrane, current, held = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for j in range(LANES):
        membrane[j], current[j], held[j] = state[0, j], state[1, j], state[2, j]
    for t in range(n_steps):
        n_above = 0
        for j in range(LANES):
            current[j] = current[j] * decay_syn + fiber_spikes[t, j]
            risen = membrane[j] * decay_mem + current[j] * gain
            risen = risen if held[j] <= 0.0 else 0.0
            membrane[j] = risen
            held[j] -= 1.0
            n_above += 1 if risen >= threshold else 0
        # Spikes are rare, so in most steps counting is enough and the slow loop is skipped.
        if n_above > 0:
            for j in range(LANES):
                if membrane[j] >= threshold:
                    membrane[j] = 0.0
                    held[j] = n_refractory
                    if j < n_lanes:  # lanes beyond the last channel are computed but not reported
                        steps[n_fired] = first_step + t
                        lanes[n_fired] = j
                        n_fired += 1
    for j in range(LANES):
        state[0, j], state[1, j], state[2, j] = membrane[j], current[j], held[j]
    return n_fired
