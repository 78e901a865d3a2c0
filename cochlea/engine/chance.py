"""Counter-based random numbers: one stream per hair cell and clip, which can be drawn in any order and on any thread.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC11, 2011) maps a counter of
128 bits and a key of 64 bits to 128 random bits. Here the key is the seed of the data set, and the counter consists of
the block, the cell and the key of the clip. So no two cells, clips or seeds share a number, and there is no state of a
generator to store or to advance.
"""

import numpy as np
from numpy.typing import NDArray

from cochlea.compilation import Array, compiled

DRAWS = 64  # exponential numbers that are made at once, from 16 counters: enough to fill the vector registers
_COUNTERS = DRAWS // 4

# The constants of Philox4x32 in the paper: its two multipliers, and the steps of its Weyl sequence, which are the
# fractional parts of the golden ratio and of sqrt(3).
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_M0, _M1 = _MULTIPLIERS
_W0, _W1 = _WEYL
_HIGH = np.uint64(32)

# SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_KEY_BLOCK = 2**28 - 1  # a block of the stream of exponential numbers that is never reached

_F = np.float32
_U = np.uint64
_SQRT_HALF_BITS = np.int32(0x3F3504F3)  # bit pattern of sqrt(1/2) in float32, the least mantissa in _to_exponentials
_LN2 = np.float32(0.6931471805599453)  # log(2)
_LN_RANGE = np.float32(15.942385152878742)  # log(2**23): uniform numbers are u / 2**23


def words_of(seed: int, key: int) -> NDArray[np.uint32]:
    """The words of a clip's streams: low and high word of the clip's key, low and high word of the seed; shape (4,).

    Parameters
    ----------
    seed, key : int
        Seed of the data set and key of the clip, each below 2**64 [1].
    """
    return np.array([key % 2**32, key >> 32, seed % 2**32, seed >> 32], np.uint32)


@compiled()
def fill_exponentials(block: int, cell: int, words: Array, bits: Array, draws: Array) -> None:
    """Fill `draws` with one block of a cell's stream of exponential random numbers of unit mean.

    Parameters
    ----------
    block : int
        Number of the block, below 2**28, so that the number of its last counter fits in 32 bits [1].
    cell : int
        Number of the hair cell, below 2**32 [1].
    words : ndarray of uint32, shape (4,)
        See `words_of`.
    bits : ndarray of uint32, shape (DRAWS,)
        Scratch space.
    draws : ndarray of float32, shape (DRAWS,)
        The result: -log((u + 1/2) / 2**23) for the upper 23 bits u of each word of Philox, within 2e-6 and never below
        0 [1].
    """
    _fill_bits(block, cell, words, bits)
    _to_exponentials(bits, draws, draws.view(np.int32))


@compiled()
def _fill_bits(block: int, cell: int, words: Array, bits: Array) -> None:
    for i in range(_COUNTERS):
        c0, c1 = np.uint32(block * _COUNTERS + i), np.uint32(cell)
        c2, c3 = words[0], words[1]
        k0, k1 = words[2], words[3]
        # Numba widens integer results to 64 bits. The casts keep the words at 32 bits, as Philox and the vector
        # registers need them.
        for _ in range(10):
            p0 = _M0 * np.uint64(c0)
            p1 = _M1 * np.uint64(c2)
            c0 = np.uint32(np.uint32(p1 >> _HIGH) ^ c1 ^ k0)
            c1 = np.uint32(p1)
            c2 = np.uint32(np.uint32(p0 >> _HIGH) ^ c3 ^ k1)
            c3 = np.uint32(p0)
            k0 = np.uint32(k0 + _W0)
            k1 = np.uint32(k1 + _W1)
        # The four words of a counter go to four separate runs: neighboring counters write to neighboring places, so the
        # loop over counters can be vectorized.
        bits[i] = c0
        bits[_COUNTERS + i] = c1
        bits[2 * _COUNTERS + i] = c2
        bits[3 * _COUNTERS + i] = c3


@compiled()
def _to_exponentials(bits: Array, draws: Array, pattern: Array) -> None:
    # `pattern` is `draws` seen as integers. The logarithm of a float is exponent * log 2 plus that of its mantissa m,
    # and log m = 2 artanh((m - 1) / (m + 1)), a series that converges fast since m is between sqrt(1/2) and sqrt(2).
    # Unlike calls of log(), these loops are vectorized, and their result does not depend on the C library.
    #
    # u + 1/2 of 23 bits is exact in float32, which has 24, and never 0, where the logarithm would be infinite.
    for i in range(DRAWS):
        draws[i] = _F(np.int32(bits[i] >> np.uint32(9))) + _F(0.5)
    # Take the exponent out of the bit pattern, so that the mantissa is left. `bits` is free by now and holds it.
    for i in range(DRAWS):
        exponent = (pattern[i] - _SQRT_HALF_BITS) >> np.int32(23)
        pattern[i] = pattern[i] - (exponent << np.int32(23))
        bits[i] = np.uint32(exponent)
    for i in range(DRAWS):
        z = (draws[i] - _F(1.0)) / (draws[i] + _F(1.0))
        zz = z * z
        series = _F(1.0) + zz * (_F(1 / 3) + zz * (_F(1 / 5) + zz * (_F(1 / 7) + zz * _F(1 / 9))))
        drawn = _LN_RANGE - (_F(np.int32(bits[i])) * _LN2 + _F(2.0) * z * series)
        draws[i] = drawn if drawn > _F(0.0) else _F(0.0)  # near u = 2**23 the error may exceed the number itself


@compiled()
def mixed(number: np.uint64) -> np.uint64:
    """64 random bits for each number: SplitMix64.

    Parameters
    ----------
    number : uint64
        The number [1].
    """
    z = number * _GOLDEN
    z = (z ^ (z >> _U(30))) * _MIX_A
    z = (z ^ (z >> _U(27))) * _MIX_B
    return _U(z ^ (z >> _U(31)))


@compiled()
def key_of_choices(cell: int, words: Array, bits: Array, numbers: Array) -> np.uint64:
    """The key of the numbers that choose among the fibers of a cell: `mixed` of the key plus 0, 1, ...

    Parameters
    ----------
    cell, words, bits
        As for `fill_exponentials`.
    numbers : ndarray of float32, shape (DRAWS,)
        Scratch space.
    """
    fill_exponentials(_KEY_BLOCK, cell, words, bits, numbers)
    key = _U(0)
    for i in range(8):  # of each number, 23 bits are random
        key = mixed(key + _U(numbers.view(np.uint32)[i]))
    return key
