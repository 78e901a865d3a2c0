"""The kernels of the engine: hair cells, fibers and bushy cells of 64 neighboring channels, 128 steps at a time.

A tile is an array (step, lane): one lane for each of 64 channels, so that one step of all lanes is a few vector
operations and what a stage leaves is still in the cache when the next one takes it. The equations are those of the
plain stages in `hair_cell`, `auditory_nerve` and `bushy_cell`, which judge these kernels in the tests.
"""

import numpy as np

from cochlea.compilation import Array, compiled
from cochlea.engine.chance import DRAWS, fill_exponentials

LANES = 64  # channels of a tile
STEPS = 128  # steps of a tile
REACH = 6  # rows of velocity beyond the lanes: a channel's cells are interpolated between seven places around it

_F = np.float32
_MOST_PROBABLE = np.float32(1.0 - 1e-6)  # a fiber's probability is capped here: its hazard stays finite
_SERIES_LIMIT = np.float32(0.1)  # up to this probability seven terms of a series give the hazard within 2e-8

# Lanes are told by bits of two words of 32; the position of a single bit is found by a de Bruijn product.
_BITS = np.array([1 << (lane % 32) for lane in range(LANES)], np.int64).astype(np.int32)
_DE_BRUIJN = np.uint32(0x077CB531)
_POSITIONS = np.zeros(32, np.int64)
for _bit in range(32):
    _POSITIONS[((1 << _bit) * 0x077CB531 & 0xFFFFFFFF) >> 27] = _bit


@compiled(fastmath=True)
def release_probability(
    velocity: Array, taps: Array, n_steps: int, rates: Array, membrane: Array, pools: Array, probability: Array,
) -> None:  # fmt: skip
    """Advance one hair cell per lane; fills `probability` (step, lane) [1].

    Parameters
    ----------
    velocity : ndarray of float32, shape (step, lane + REACH)
    taps : ndarray of float32, shape (REACH + 1,)
        Weights of the rows around a cell: lane j moves as sum_i taps[i] velocity[:, j + i] [1].
    n_steps : int
    rates, membrane : ndarray of float32
        As `hair_cell.kernel_constants` gives them.
    pools : ndarray of float32, shape (3, lane)
        Free, cleft and reprocessing pool [1]; advanced in place.
    probability : ndarray of float32, shape (step, lane)
    """
    y, g, lr, r, x, h = rates  # Meddis' letters, per step
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


@compiled(fastmath=True)
def to_hazard(probability: Array, n_steps: int) -> None:
    """Turn probabilities per step into hazards -log(1 - p), in place.

    Parameters
    ----------
    probability : ndarray of float32, shape (step, lane)
        [1]
    n_steps : int
    """
    highest = np.zeros(LANES, _F)
    for t in range(n_steps):
        p = probability[t]
        for j in range(LANES):
            highest[j] = p[j] if p[j] > highest[j] else highest[j]
    if highest.max() > _SERIES_LIMIT:
        for t in range(n_steps):
            for j in range(LANES):
                capped = probability[t, j] if probability[t, j] < _MOST_PROBABLE else _MOST_PROBABLE
                probability[t, j] = -np.log1p(-capped)
        return
    for t in range(n_steps):
        p = probability[t]
        for j in range(LANES):
            series = _F(1 / 3) + p[j] * (_F(1 / 4) + p[j] * (_F(1 / 5) + p[j] * (_F(1 / 6) + p[j] * _F(1 / 7))))
            p[j] = p[j] * (_F(1.0) + p[j] * (_F(1 / 2) + p[j] * series))


@compiled()
def first_draws(cells: Array, words: Array, waiting: Array, drawn: Array, draws: Array) -> None:
    """Start the streams of some cells: `waiting` takes the first number of each.

    Parameters
    ----------
    cells : ndarray of int64, shape (cell, lane)
        Numbers of the cells.
    words : ndarray of uint32, shape (4,)
        As `fill_exponentials` takes them.
    waiting, drawn, draws : ndarrays, shapes (cell, 2, lane), (cell, 2, lane) and (cell, lane, DRAWS)
        For each cell as `fire_fibers` takes them.
    """
    bits = np.empty(DRAWS, np.uint32)
    for cell in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            fill_exponentials(0, cells[cell, j], words, bits, draws[cell, j])
            waiting[cell, 1, j] = draws[cell, j, 0]
            drawn[cell, 0, j] = 1
            drawn[cell, 1, j] = 1


@compiled(fastmath=True)
def fire_fibers(
    hazard: Array, n_steps: int, ring_row: int, ring: Array, waiting: Array, drawn: Array, draws: Array, cells: Array,
    words: Array, bits: Array, spikes: Array,
) -> None:  # fmt: skip
    """Draw the spikes of the fibers of one hair cell per lane; adds their number to `spikes` (step, lane).

    `n_ready` fibers use up an exponential number at the rate n_ready * hazard; where it is used up one of them fires
    and is out of the count for as many steps as the ring has rows.

    Parameters
    ----------
    hazard : ndarray of float32, shape (step, lane)
        [1] per step.
    n_steps : int
    ring_row : int
        Row of the ring that belongs to the first step.
    ring : ndarray of float32, shape (dead step, lane)
        Fibers that fired at each of the last steps [fibers]; advanced in place, as are:
    waiting : ndarray of float32, shape (2, lane)
        Ready fibers [fibers], and what is left of the exponential number [1]; at first `first_draws` of it.
    drawn : ndarray of int64, shape (2, lane)
        Blocks of the stream that were drawn, and numbers of the last one that were used.
    draws : ndarray of float32, shape (lane, DRAWS)
        That last block.
    cells : ndarray of int64, shape (lane,)
        Number of each lane's cell, which names its stream.
    words, bits : ndarray of uint32
        As `fill_exponentials` takes them.
    spikes : ndarray of float32, shape (step, lane)
        [spikes]
    """
    zero, one = _F(0.0), _F(1.0)
    ready, left = np.empty(LANES, _F), np.empty(LANES, _F)
    for j in range(LANES):
        ready[j], left[j] = waiting[0, j], waiting[1, j]
    row = ring_row
    for t in range(n_steps):
        low, high = np.int32(0), np.int32(0)
        for j in range(32):
            n_ready = ready[j] + ring[row, j]
            rest = left[j] - n_ready * hazard[t, j]
            ready[j] = n_ready
            left[j] = rest
            low = np.int32(low | (_BITS[j] if rest < zero else np.int32(0)))
        for j in range(32, LANES):
            n_ready = ready[j] + ring[row, j]
            rest = left[j] - n_ready * hazard[t, j]
            ready[j] = n_ready
            left[j] = rest
            high = np.int32(high | (_BITS[j] if rest < zero else np.int32(0)))
        for j in range(LANES):
            ring[row, j] = zero
        for first in range(0, LANES, 32):
            if first == 32:
                low = high
            while low:
                bit = np.int32(low & -low)
                low = np.int32(low ^ bit)
                j = first + _POSITIONS[np.uint32(np.uint32(bit) * _DE_BRUIJN) >> np.uint32(27)]
                h, rest, n_ready, fired = hazard[t, j], left[j], ready[j], zero
                used = drawn[1, j]
                while rest < zero and n_ready > zero:
                    # the spike used up part of the step; those still ready go on through the rest of it
                    remaining = -rest / n_ready
                    remaining = remaining if remaining < h else h
                    n_ready -= one
                    fired += one
                    if used == DRAWS:
                        fill_exponentials(drawn[0, j], cells[j], words, bits, draws[j])
                        drawn[0, j] += 1
                        used = 0
                    rest = draws[j, used] - n_ready * remaining
                    used += 1
                drawn[1, j] = used
                left[j], ready[j], ring[row, j] = rest, n_ready, fired
                spikes[t, j] += fired
        row += 1
        if row == ring.shape[0]:
            row = 0
    for j in range(LANES):
        waiting[0, j], waiting[1, j] = ready[j], left[j]


@compiled(fastmath={"reassoc"})  # for the count of lanes; nothing else in it can be summed in another order
def fire_bushy_cells(
    fiber_spikes: Array, n_steps: int, n_lanes: int, first_step: int, constants: Array, n_refractory: int,
    state: Array, steps: Array, lanes: Array, n_fired: int,
) -> int:  # fmt: skip
    """Advance one bushy cell per lane; appends the spikes to `steps` and `lanes` and returns how many there are.

    Parameters
    ----------
    fiber_spikes : ndarray of float32, shape (step, lane)
        [spikes]
    n_steps, n_lanes : int
    first_step : int
        Number of the tile's first step.
    constants : ndarray of float64, shape (4,)
        Decay of membrane and current per step, gain, threshold [1].
    n_refractory : int
        Steps after that of a spike in which the membrane is held at 0.
    state : ndarray of float64, shape (3, lane)
        Membrane and current [1], and the steps for which the membrane is still held [steps]; advanced in place.
    steps, lanes : ndarray of int64
        The spikes, `n_fired` of them before this tile.
    n_fired : int
    """
    decay_mem, decay_syn, gain, threshold = constants
    membrane, current, held = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for j in range(LANES):
        membrane[j], current[j], held[j] = state[0, j], state[1, j], state[2, j]
    for t in range(n_steps):
        n_above = 0.0
        for j in range(LANES):
            current[j] = current[j] * decay_syn + fiber_spikes[t, j]
            risen = membrane[j] * decay_mem + current[j] * gain
            risen = risen if held[j] <= 0.0 else 0.0
            membrane[j] = risen
            held[j] -= 1.0
            n_above += 1.0 if risen >= threshold else 0.0
        if n_above > 0.0:
            for j in range(LANES):
                if membrane[j] >= threshold:
                    membrane[j] = 0.0
                    held[j] = n_refractory
                    if j < n_lanes:
                        steps[n_fired] = first_step + t
                        lanes[n_fired] = j
                        n_fired += 1
    for j in range(LANES):
        state[0, j], state[1, j], state[2, j] = membrane[j], current[j], held[j]
    return n_fired
