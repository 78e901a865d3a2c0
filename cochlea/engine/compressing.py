"""The kernel of the level-dependent membrane: mixes two tiles of velocity; the plain form is `cochlea.compression`."""

import numpy as np

from cochlea.compilation import Array, compiled
from cochlea.engine.synapses import power_of_two
from cochlea.engine.tiles import LANES, REACH

ROWS = LANES + REACH  # rows of velocity of a block
_F = np.float32
_I = np.int32
_SQRT_HALF_BITS = np.int32(0x3F3504F3)  # bit pattern of sqrt(1/2) in float32, the least mantissa below
# log2(1 + f) = f * sum_i a_i f**i for 1 + f from sqrt(1/2) to sqrt(2), within 2.2e-6: the least error (Lawson's
# algorithm).
_A0, _A1, _A2 = np.float32(1.442713481), np.float32(-0.7211318583), np.float32(0.4793480187)
_A3, _A4, _A5 = np.float32(-0.3674899796), np.float32(0.3221548006), np.float32(-0.2065917358)


@compiled()
def log_of_two(x: np.float32) -> np.float32:
    """The logarithm to base 2 of a normal number above 0, within 2.4e-6, the same on every processor.

    Parameters
    ----------
    x : float32
        The number [1].
    """
    bits = _F(x).view(np.int32)
    exponent = _I(_I(bits - _SQRT_HALF_BITS) >> _I(23))
    f = _I(bits - _I(exponent << _I(23))).view(np.float32) - _F(1.0)
    return _F(_F(exponent) + f * (_A0 + f * (_A1 + f * (_A2 + f * (_A3 + f * (_A4 + f * _A5))))))


@compiled()
def compress_tile(tile: Array, passive: Array, n_steps: int, constants: Array, per_knee: Array, state: Array) -> None:
    """Turn the velocity of the active membrane into that of the level-dependent one, in place.

    Parameters
    ----------
    tile : ndarray of float32, shape (step, ROWS)
        Velocity of the active membrane, replaced by the result [1 or m/s].
    passive : ndarray of float32, shape (step, ROWS)
        Velocity of the passive membrane [as `tile`].
    n_steps : int
        Number of steps in use [steps].
    constants : ndarray of float32, shape (4,)
        The result of `CompressionParams.kernel_constants` [1].
    per_knee : ndarray of float32, shape (ROWS,)
        One over the knee of each row; see `compression.knee_velocities` [1 over the unit of `tile`].
    state : ndarray of float32, shape (2, ROWS)
        Average of the passive velocity over the knee, and control of the efferents; advanced in place [1].
    """
    averaged, power, followed, depth = constants
    zero, one = _F(0.0), _F(1.0)
    average, control = np.empty(ROWS, _F), np.empty(ROWS, _F)
    for j in range(ROWS):
        average[j], control[j] = state[0, j], state[1, j]
    for t in range(n_steps):
        v, v_passive = tile[t], passive[t]
        for j in range(ROWS):
            size = v_passive[j] if v_passive[j] > zero else -v_passive[j]
            reached = average[j] + averaged * (size * per_knee[j] - average[j])
            average[j] = reached
            above = reached if reached > one else one
            share = power_of_two(power * log_of_two(above))
            left = control[j] + followed * (one - depth * (one - share) - control[j])  # without efferents, it stays 1
            control[j] = left
            v[j] = v_passive[j] + left * share * (v[j] - v_passive[j])
    for j in range(ROWS):
        state[0, j], state[1, j] = average[j], control[j]
