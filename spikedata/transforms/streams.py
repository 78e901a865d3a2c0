"""Counter-based random numbers for the clips of a batch.

A stream is one 64-bit number. Number i of stream s is the i-th output of SplitMix64 started at s (Steele, Lea, Flood:
Fast splittable pseudorandom number generators; OOPSLA, 2014). It is computed from s and i alone, so that the numbers of
a clip depend neither on the batch it is in nor on what was drawn before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd: the step of SplitMix64

_SHIFT_0, _SHIFT_1, _SHIFT_2 = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_0, _FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def streams_of(seed: int, epoch: int, indices: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """One stream for each clip, from which all of its random numbers in this epoch derive.

    Parameters
    ----------
    seed : int
        Seed of the run.
    epoch : int
        Number of the epoch.
    indices : array_like of int, shape (n_clips,)
        Numbers of the clips in their data set.

    Returns
    -------
    ndarray of uint64, shape (n_clips,)
        No two clips of an epoch share theirs.

    Raises
    ------
    TypeError
        If the indices are not whole numbers.
    ValueError
        If a number is not whole, or not in 0..2**63-1.

    Examples
    --------
    >>> bool(streams_of(0, 3, [7, 8])[1] == streams_of(0, 3, [8])[0])
    True
    """
    chosen = np.asarray(indices).reshape(-1)
    if chosen.size and chosen.dtype.kind not in "iu":
        raise TypeError(f"indices must be whole numbers, got {chosen.dtype}")
    chosen = chosen.astype(np.int64)
    for name, number in (("seed", seed), ("epoch", epoch), ("indices", int(chosen.min(initial=0)))):
        whole_number(name, number, at_least=0, at_most=2**63 - 1)
    streams = substreams(np.full(chosen.size, seed, np.uint64), epoch)
    return mixed(streams + (chosen.astype(np.uint64) + np.uint64(1)) * GOLDEN)


def substreams(streams: npt.NDArray[np.uint64], number: int) -> npt.NDArray[np.uint64]:
    """A stream derived from each stream, for a purpose of its own.

    Parameters
    ----------
    streams : ndarray of uint64, shape (n_clips,)
    number : int
        Which; 0 or above.
    """
    return mixed(mixed(streams) + np.full(1, number + 1, np.uint64) * GOLDEN)


def uniforms(streams: npt.NDArray[np.uint64], n_draws: int) -> npt.NDArray[np.float64]:
    """The first numbers of each stream, uniform in 0 <= u < 1.

    Parameters
    ----------
    streams : ndarray of uint64, shape (n_clips,)
    n_draws : int
        How many of each.

    Returns
    -------
    ndarray of float64, shape (n_draws, n_clips)

    Examples
    --------
    >>> uniforms(streams_of(0, 0, [5, 6]), 3).shape
    (3, 2)
    """
    numbers = np.arange(1, n_draws + 1, dtype=np.uint64)[:, np.newaxis]
    words = mixed(streams + numbers * GOLDEN)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each word scrambled, one to one: the output function of SplitMix64.

    Parameters
    ----------
    words : ndarray of uint64
    """
    words = (words ^ (words >> _SHIFT_0)) * _FACTOR_0
    words = (words ^ (words >> _SHIFT_1)) * _FACTOR_1
    return words ^ (words >> _SHIFT_2)
