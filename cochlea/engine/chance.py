"""Counter-based random numbers: the stream of every hair cell of every clip, drawn in any order and on any thread.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC11, 2011) maps a counter of
128 bits and a key of 64 bits to 128 random bits. Here the key is the seed of the data set, and the counter is (block,
cell, key of the clip): no two cells, clips or seeds share a number, and nothing has to be stored or skipped.
"""

import numpy as np

from cochlea.compilation import Array, compiled

DRAWS = 64  # exponential numbers that are made at once: those of 16 counters
_COUNTERS = DRAWS // 4

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_M0, _M1 = _MULTIPLIERS
_W0, _W1 = _WEYL
_HIGH = np.uint64(32)

_F = np.float32
_SQRT_HALF_BITS = np.int32(0x3F3504F3)  # of float32 sqrt(1/2), where a mantissa between it and sqrt(2) begins
_LN2 = np.float32(np.log(2.0))
_LN_RANGE = np.float32(23 * np.log(2.0))


@compiled(fastmath=True)
def fill_exponentials(block: int, cell: int, words: Array, bits: Array, draws: Array) -> None:
    """Fill `draws` with the exponential numbers of unit mean of one block of a cell's stream.

    Parameters
    ----------
    block : int
        Which block of the stream [blocks of `DRAWS` numbers]; below 2**28.
    cell : int
        Number of the hair cell; below 2**32.
    words : ndarray of uint32, shape (4,)
        Low and high word of the clip's key, low and high word of the seed.
    bits : ndarray of uint32, shape (DRAWS,)
        Room to work in.
    draws : ndarray of float32, shape (DRAWS,)
        The result [1]: -log((u + 1/2) / 2**23) for the upper 23 bits u of each word of Philox, within 2e-6, never
        below 0.
    """
    _fill_bits(block, cell, words, bits)
    _to_exponentials(bits, draws, draws.view(np.int32))


@compiled(fastmath=True)
def _fill_bits(block: int, cell: int, words: Array, bits: Array) -> None:
    for i in range(_COUNTERS):
        c0, c1 = np.uint32(block * _COUNTERS + i), np.uint32(cell)
        c2, c3 = words[0], words[1]
        k0, k1 = words[2], words[3]
        for _ in range(10):
            p0 = _M0 * np.uint64(c0)
            p1 = _M1 * np.uint64(c2)
            c0 = np.uint32(np.uint32(p1 >> _HIGH) ^ c1 ^ k0)
            c1 = np.uint32(p1)
            c2 = np.uint32(np.uint32(p0 >> _HIGH) ^ c3 ^ k1)
            c3 = np.uint32(p0)
            k0 = np.uint32(k0 + _W0)
            k1 = np.uint32(k1 + _W1)
        bits[i] = c0
        bits[_COUNTERS + i] = c1
        bits[2 * _COUNTERS + i] = c2
        bits[3 * _COUNTERS + i] = c3


@compiled(fastmath=True)
def _to_exponentials(bits: Array, draws: Array, pattern: Array) -> None:
    # `pattern` is `draws` seen as integers. The logarithm of a float is that of its exponent and of its mantissa m:
    # log m = 2 artanh((m - 1) / (m + 1)), a series that converges fast where m is near 1.
    for i in range(DRAWS):
        draws[i] = _F(np.int32(bits[i] >> np.uint32(9))) + _F(0.5)
    for i in range(DRAWS):
        exponent = (pattern[i] - _SQRT_HALF_BITS) >> np.int32(23)
        pattern[i] = pattern[i] - (exponent << np.int32(23))
        bits[i] = np.uint32(exponent)
    for i in range(DRAWS):
        z = (draws[i] - _F(1.0)) / (draws[i] + _F(1.0))
        zz = z * z
        series = _F(1.0) + zz * (_F(1 / 3) + zz * (_F(1 / 5) + zz * (_F(1 / 7) + zz * _F(1 / 9))))
        drawn = _LN_RANGE - (_F(np.int32(bits[i])) * _LN2 + _F(2.0) * z * series)
        draws[i] = drawn if drawn > _F(0.0) else _F(0.0)
