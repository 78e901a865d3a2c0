"""The kernels of the engine for the hair cells of Sumner and others, and for fibers of three classes.

As in `tiles`, a tile is an array (step, lane) with one lane for each of 64 channels. The equations are those of the
plain stages in `sumner_hair_cell` and `auditory_nerve`, against which the tests check these kernels. All three classes
of a cell share the potential and the calcium over the calcium conductance, so only the vesicles are advanced three
times; and the fibers of a cell, of whatever class, share one stream of random numbers.

All arithmetic is float32 in a written order, without functions of the C library, so the result is the same everywhere.
"""

import numpy as np

from cochlea.compilation import Array, compiled
from cochlea.engine.chance import DRAWS, fill_exponentials, key_of_choices, mixed
from cochlea.engine.tiles import BITS, LANES, lane_of

N_CLASSES = 3
MOST_FIBERS = 1023  # of a hair cell: the numbers of the three classes share a word of 32 bits, ten bits for each

_F = np.float32
_I = np.int32
_U = np.uint64
# What decays is kept from falling below this, where float32 has fewer digits and some processors are a hundred times
# slower. It is far below what any result depends on.
_LEAST = np.float32(1e-24)
_HIGHEST_HAZARD = np.float32(13.8)  # of a step; `auditory_nerve` has the same limit, as a probability of 1 - 1e-6
_MOST_RELEASE = np.float32(12.0)  # k dt: a higher one would release less than 1e-5 more of the vesicles
# Beyond 2**57 on either side the channels of the cilia are open, or closed, to the last bit.
_FARTHEST = np.float32(57.0)
_ROUNDER = np.float32(1.5 * 2**23)  # a float added to it is rounded to a whole number, which its last bits hold
# 2**f = sum_i a_i f**i for |f| <= 1/2, within 7.5e-8 of it: the least relative error, by the exchange algorithm.
_A0, _A1, _A2 = np.float32(1.000000072), np.float32(0.6931469671), np.float32(0.2402211972)
_A3, _A4, _A5 = np.float32(0.05550713275), np.float32(0.009675541331), np.float32(0.001327647152)


@compiled()
def power_of_two(exponent: np.float32) -> np.float32:
    """2 to a power between -126 and 126, within 2e-7 of it, the same on every processor.

    Parameters
    ----------
    exponent : float32
        The exponent [1].
    """
    rounded = _F(exponent + _ROUNDER)
    f = exponent - (rounded - _ROUNDER)
    power = _F(_A0 + f * (_A1 + f * (_A2 + f * (_A3 + f * (_A4 + f * _A5)))))
    # The whole part of the exponent is added to the exponent of the float.
    whole = _I(rounded.view(np.int32) << _I(23))
    return _I(power.view(np.int32) + whole).view(np.float32)


@compiled()
def calcium_cubed(
    velocity: Array, taps: Array, n_steps: int, constants: Array, state: Array, cubed: Array,
) -> None:  # fmt: skip
    """Advance the potential and calcium of one hair cell per lane, and fill `cubed` with the cubes of the calcium.

    Parameters
    ----------
    velocity : ndarray of float32, shape (step, lane + REACH)
        Velocity at the places around the lanes [m/s].
    taps : ndarray of float32, shape (REACH + 1,)
        Weights of the places around a cell, as for `tiles.release_probability`.
    n_steps : int
        Number of steps in use [steps].
    constants : ndarray of float32, shape (15,)
        The result of `classes.cell_constants`.
    state : ndarray of float32, shape (4, lane)
        Displacement of the cilia over the steep scale, in powers of two [1], potential [V], share of open calcium
        channels [1] and calcium over its conductance [V]; advanced in place.
    cubed : ndarray of float32, shape (step, lane)
        The result [V^3].
    """
    (
        cilia, moved, gentle_at, gentle, steep_at, lost, lost_open, gained, gained_open, slope, ratio, channel_stays,
        calcium_reversal, calcium_stays, one,
    ) = constants  # fmt: skip
    tap0, tap1, tap2, tap3, tap4, tap5, tap6 = taps
    u, potential = np.empty(LANES, _F), np.empty(LANES, _F)
    m, calcium = np.empty(LANES, _F), np.empty(LANES, _F)
    for j in range(LANES):
        u[j], potential[j], m[j], calcium[j] = state[0, j], state[1, j], state[2, j], state[3, j]
    for t in range(n_steps):
        v = velocity[t]
        out = cubed[t]
        for j in range(LANES):
            drive = tap0 * v[j] + tap1 * v[j + 1] + tap2 * v[j + 2] + tap3 * v[j + 3] + tap4 * v[j + 4]
            drive = drive + tap5 * v[j + 5] + tap6 * v[j + 6]
            bent = cilia * u[j] + moved * drive + _LEAST
            u[j] = bent
            first = gentle_at - gentle * bent
            second = steep_at - bent
            first = first if first < _FARTHEST else _FARTHEST
            first = first if first > -_FARTHEST else -_FARTHEST
            second = second if second < _FARTHEST else _FARTHEST
            second = second if second > -_FARTHEST else -_FARTHEST
            # The conductance is leak + open / S. Numerator and denominator of the trapezoidal rule are multiplied by S,
            # which saves a division.
            S = one + power_of_two(first) * (one + power_of_two(second))
            half = lost * S + lost_open
            V = (potential[j] * (S - half) + (gained * S + gained_open)) / (S + half)
            potential[j] = V
            opened = one / (one + ratio * power_of_two(slope * V))
            share = opened + (m[j] - opened) * channel_stays
            m[j] = share
            current = share * share * share * (calcium_reversal - V)
            held = current + (calcium[j] - current) * calcium_stays
            calcium[j] = held
            out[j] = held * held * held
    for j in range(LANES):
        state[0, j], state[1, j], state[2, j], state[3, j] = u[j], potential[j], m[j], calcium[j]


@compiled()
def release_vesicles(
    cubed: Array, n_steps: int, gain: Array, constants: Array, pools: Array, hazard: Array,
) -> None:  # fmt: skip
    """Advance the vesicles of one class of synapses, one hair cell per lane, and fill `hazard` with what they release.

    Parameters
    ----------
    cubed : ndarray of float32, shape (step, lane)
        The result of `calcium_cubed` [V^3].
    n_steps : int
        Number of steps in use [steps].
    gain : ndarray of float32, shape (lane,)
        Release of a vesicle per step over `cubed` [1/V^3].
    constants : ndarray of float32, shape (7,)
        The result of `classes.pool_constants` for the class.
    pools : ndarray of float32, shape (3, lane)
        Free, cleft and reprocessing pool, advanced in place [1].
    hazard : ndarray of float32, shape (step, lane)
        The result: vesicles released in each step, the hazard of a fiber [1].
    """
    threshold, capacity, replenished, reprocessed, cleft_stays, arrived, returned = constants
    zero, two = _F(0.0), _F(2.0)
    q, c, w = np.empty(LANES, _F), np.empty(LANES, _F), np.empty(LANES, _F)
    for j in range(LANES):
        q[j], c[j], w[j] = pools[0, j], pools[1, j], pools[2, j]
    for t in range(n_steps):
        calcium = cubed[t]
        out = hazard[t]
        for j in range(LANES):
            k = gain[j] * calcium[j] - threshold
            k = k if k > zero else zero
            k = k if k < _MOST_RELEASE else _MOST_RELEASE
            # 1 - exp(-k), from the series at k / 8 and three times s(2 x) = s(x) (2 - s(x)): no digits are lost where k
            # is small.
            z = k * _F(0.125)
            s = z * (_F(1.0) - z * (_F(1 / 2) - z * (_F(1 / 6) - z * (_F(1 / 24) - z * _F(1 / 120)))))
            s = s * (two - s)
            s = s * (two - s)
            s = s * (two - s)
            released = q[j] * s
            freed = reprocessed * w[j]
            c_next = cleft_stays * c[j] + arrived * released + _LEAST
            w[j] = w[j] + (returned * (c[j] + released - c_next) - freed) + _LEAST
            q[j] = q[j] + (replenished * (capacity - q[j]) + freed - released)
            c[j] = c_next
            out[j] = released if released < _HIGHEST_HAZARD else _HIGHEST_HAZARD
    for j in range(LANES):
        pools[0, j], pools[1, j], pools[2, j] = q[j], c[j], w[j]


@compiled()
def first_streams(
    cells: Array, fibers: Array, words: Array, waiting: Array, ready: Array, drawn: Array, draws: Array, keys: Array,
) -> None:  # fmt: skip
    """Start the streams of some cells: the first block of exponential numbers, and the key of the other numbers.

    Parameters
    ----------
    cells : ndarray of int64, shape (cell, lane)
        Numbers of the cells [1].
    fibers : ndarray of int64, shape (class, cell, lane)
        Number of fibers of each class [fibers].
    words : ndarray of uint32, shape (4,)
        As for `chance.fill_exponentials`.
    waiting, ready, drawn, draws, keys : ndarrays, with (cell,) before the shapes of `fire_classes`
        For each cell as for `fire_classes`; filled in.
    """
    bits = np.empty(DRAWS, np.uint32)
    unused = np.empty(DRAWS, _F)
    for cell in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            keys[cell, j] = key_of_choices(cells[cell, j], words, bits, unused)
            fill_exponentials(0, cells[cell, j], words, bits, draws[cell, j])
            waiting[cell, j] = draws[cell, j, 0]
            drawn[cell, 0, j] = 1
            drawn[cell, 1, j] = 1
            ready[cell, j] = _I(fibers[0, cell, j] | fibers[1, cell, j] << 10 | fibers[2, cell, j] << 20)


@compiled()
def fire_classes(
    hazards: Array, n_steps: int, first_step: int, ring: Array, dead_times: Array, waiting: Array, ready: Array,
    drawn: Array, draws: Array, keys: Array, cells: Array, words: Array, bits: Array, spikes: Array,
    fibers: Array, free_at: Array, n_lanes: int, found_steps: Array, found_units: Array, n_found: int,
) -> int:  # fmt: skip
    """Draw the spikes of the fibers of three classes of one hair cell per lane, and add their number to `spikes`.

    In each step, the hazards of all ready fibers of a cell together use up an exponential random number. When it is
    used up, one of these fibers fires, with a probability in proportion to its hazard, and is not ready for one of
    `dead_times`. Fibers that had streams of their own would fire with exactly the same probabilities.

    Parameters
    ----------
    hazards : ndarray of float32, shape (class, step, lane)
        Hazard of one fiber of each class per step [1].
    n_steps, first_step : int
        Number of steps in use, and number of the first step in the sound [steps].
    ring : ndarray of int32, shape (longest dead time + 1, lane)
        Numbers of fibers that become ready again at each of the next steps, the classes in ten bits each; advanced in
        place [fibers].
    dead_times : ndarray of int64, shape (1,) or (1024,)
        The result of `AuditoryNerveParams.dead_times` [steps].
    waiting : ndarray of float32, shape (lane,)
        What is left of the exponential number; advanced in place [1].
    ready : ndarray of int32, shape (lane,)
        Numbers of ready fibers, the classes in ten bits each; advanced in place [fibers].
    drawn, draws : ndarrays, shapes (2, lane) and (lane, DRAWS)
        As for `tiles.fire_fibers`.
    keys : ndarray of uint64, shape (lane,)
        Keys of the numbers that choose fiber and dead time [1].
    cells : ndarray of int64, shape (lane,)
        Number of each lane's cell, which identifies its stream [1].
    words, bits : ndarray of uint32
        As for `chance.fill_exponentials`.
    spikes : ndarray of float32, shape (step, lane)
        Number of fibers that fire, to which this cell's are added [spikes].
    fibers : ndarray of int64, shape (class, lane)
        Number of fibers of each class [fibers].
    free_at : ndarray of int64, shape (lane, fiber) or (lane, 0)
        Step at which each fiber is ready again; without fibers, their spikes are not told apart [steps].
    n_lanes : int
        Number of lanes whose spikes are reported [1].
    found_steps, found_units : ndarray of int64
        Step, and fiber of the nerve, of each spike; the first `n_found` are those of earlier calls [1].
    n_found : int
        Number of spikes before this call [spikes].

    Returns
    -------
    int
        Number of spikes up to the end of this call [spikes]; as before where spikes are not told apart.
    """
    zero, one = _F(0.0), _F(1.0)
    ten_bits = _I(1023)
    n_fibers = free_at.shape[1]
    left, n_ready = np.empty(LANES, _F), np.empty(LANES, _I)
    for j in range(LANES):
        left[j], n_ready[j] = waiting[j], ready[j]
    span = ring.shape[0]
    row = first_step % span
    for t in range(n_steps):
        high, medium, low = hazards[0, t], hazards[1, t], hazards[2, t]
        back = ring[row]
        mask, upper = _I(0), _I(0)
        for j in range(32):
            n = _I(n_ready[j] + back[j])
            n_ready[j] = n
            total = (
                _F(_I(n & ten_bits)) * high[j]
                + _F(_I((n >> _I(10)) & ten_bits)) * medium[j]
                + _F(_I(n >> _I(20))) * low[j]
            )
            rest = left[j] - total
            left[j] = rest
            mask = _I(mask | (BITS[j] if rest < zero else _I(0)))
        for j in range(32, LANES):
            n = _I(n_ready[j] + back[j])
            n_ready[j] = n
            total = (
                _F(_I(n & ten_bits)) * high[j]
                + _F(_I((n >> _I(10)) & ten_bits)) * medium[j]
                + _F(_I(n >> _I(20))) * low[j]
            )
            rest = left[j] - total
            left[j] = rest
            upper = _I(upper | (BITS[j] if rest < zero else _I(0)))
        for j in range(LANES):
            back[j] = _I(0)
        for first in range(0, LANES, 32):
            if first == 32:
                mask = upper
            while mask:
                bit = _I(mask & -mask)  # the lowest bit that is set
                mask = _I(mask ^ bit)
                j = first + lane_of(np.uint32(bit))
                h0, h1, h2 = high[j], medium[j], low[j]
                n = n_ready[j]
                rest, fired, step_left = left[j], zero, one
                used = drawn[1, j]
                while True:
                    all0 = _F(_I(n & ten_bits)) * h0
                    all1 = all0 + _F(_I((n >> _I(10)) & ten_bits)) * h1
                    total = all1 + _F(_I(n >> _I(20))) * h2
                    if fired > zero:
                        rest = rest - total * step_left
                    if not (rest < zero and total > zero):
                        break
                    # The spike came within the step, and the fibers that are still ready pass through the rest of it;
                    # rounding must not make that longer than it was.
                    remaining = -rest / total
                    step_left = remaining if remaining < step_left else step_left
                    # as many numbers as exponential ones, at most 2**34 of a cell
                    z = mixed(keys[j] + _U((drawn[0, j] - 1) * DRAWS + used))
                    # The upper bits of z choose among the fibers by their hazards, the lowest ones a dead time.
                    chosen = _F(_I(z >> _U(40))) * _F(2.0**-24) * total
                    if chosen < all0:
                        number, shift, within, each = 0, _I(0), chosen, h0
                    elif chosen < all1:
                        number, shift, within, each = 1, _I(10), chosen - all0, h1
                    else:
                        number, shift, within, each = 2, _I(20), chosen - all1, h2
                    if (n >> shift) & ten_bits == 0:  # the last class may be chosen by rounding alone
                        number = 0 if n & ten_bits else 1
                        shift = _I(10 * number)
                        within, each = zero, one
                    n_class = (n >> shift) & ten_bits
                    unit = _I(_I(1) << shift)
                    n = _I(n - unit)
                    dead = dead_times[np.int64(z & _U(1023)) if dead_times.size > 1 else 0]
                    at = row + dead
                    at = at if at < span else at - span
                    ring[at, j] = _I(ring[at, j] + unit)
                    if n_fibers > 0:
                        rank = min(np.int64(within / each), np.int64(n_class) - 1)
                        fiber = 0
                        for earlier in range(number):
                            fiber += fibers[earlier, j]
                        free = free_at[j]
                        while free[fiber] > first_step + t or rank > 0:
                            rank -= free[fiber] <= first_step + t
                            fiber += 1
                        free[fiber] = first_step + t + dead
                        if j < n_lanes:
                            found_steps[n_found] = first_step + t
                            found_units[n_found] = cells[j] * n_fibers + fiber
                            n_found += 1
                    fired += one
                    if used == DRAWS:
                        fill_exponentials(drawn[0, j], cells[j], words, bits, draws[j])
                        drawn[0, j] += 1
                        used = 0
                    rest = draws[j, used]
                    used += 1
                drawn[1, j] = used
                left[j], n_ready[j] = rest, n
                spikes[t, j] += fired
        row += 1
        if row == span:
            row = 0
    for j in range(LANES):
        waiting[j], ready[j] = left[j], n_ready[j]
    return n_found
