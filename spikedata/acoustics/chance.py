"""Random numbers of one clip in one epoch, the same on every machine.

A stream is keyed by the seed, the clip, the epoch and what is drawn, so that nothing drawn for one purpose moves what
is drawn for another: the same clip has the same signal-to-noise ratio in a room and outside of it. Only the words of
the bit generator are used, which NumPy promises never to change, and sums of them; no logarithm or sine, whose last
bits differ between processors.
"""

from __future__ import annotations

import json
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from spikedata.checks import Seed, checked, whole_number

_WORDS_PER_NORMAL = 3  # of 64 bits: twelve numbers of 16
_PIECE = 2**16  # numbers at a time, so that a long sound needs little more memory than its own
_MEAN = 12 * (2**16 - 1) / 2
_HALVES = np.uint64(0x0000FFFF0000FFFF)


def stream_of(seed: int, key: str, epoch: int = 0, purpose: str = "") -> np.random.Generator:
    """The random numbers of a clip in an epoch, for one purpose.

    Parameters
    ----------
    seed : int
        Seed of the data set.
    key : str
        Clip id.
    epoch : int
        Number of the epoch, from 0.
    purpose : str
        What they are drawn for; another purpose has independent numbers.

    Raises
    ------
    ValueError
        If the seed or the epoch is not a whole number in 0..2**63-1, or the key is no text.

    Examples
    --------
    >>> bool(uniforms(stream_of(0, "a.wav"), 1)[0] == uniforms(stream_of(0, "a.wav", epoch=1), 1)[0])
    False
    """
    numbers = [checked("seed", seed, Seed), checked("epoch", epoch, Seed)]
    content = json.dumps([*numbers, checked("key", key, str), purpose]).encode()
    digest = blake2b(content, digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def uniforms(rng: np.random.Generator, n_draws: int) -> npt.NDArray[np.float64]:
    """Numbers uniform in 0 <= u < 1.

    Parameters
    ----------
    rng : numpy.random.Generator
        Any, such as one of `stream_of`.
    n_draws : int
        How many [1].
    """
    return (_words(rng, n_draws) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw_within(bounds: float | tuple[float, float], rng: np.random.Generator) -> float:
    """A number drawn uniformly from a range, or the number itself.

    Parameters
    ----------
    bounds : float or (float, float)
        A number, or the smallest and the largest.
    rng : numpy.random.Generator
    """
    if not isinstance(bounds, tuple):
        return float(bounds)
    low, high = bounds
    return float(low + (high - low) * uniforms(rng, 1)[0])


def draw_below(n_choices: int, rng: np.random.Generator) -> int:
    """A whole number drawn uniformly from 0 to `n_choices` - 1.

    Parameters
    ----------
    n_choices : int
        How many there are, at least 1 [1].
    rng : numpy.random.Generator
    """
    n_choices = whole_number("n_choices", n_choices, at_least=1, at_most=2**53)
    return int(uniforms(rng, 1)[0] * n_choices)


def normals(rng: np.random.Generator, n_draws: int) -> npt.NDArray[np.float64]:
    """Numbers of mean 0 and variance 1, nearly normal: each is the sum of twelve uniform ones.

    The sum is one of whole numbers, so that it is exact. Its kurtosis is 2.9, and no number is beyond 6: noise of it
    cannot be told from Gaussian noise by ear, and its samples have a bound.

    Parameters
    ----------
    rng : numpy.random.Generator
        Any, such as one of `stream_of`.
    n_draws : int
        How many [1].
    """
    drawn = np.empty(n_draws)
    for first in range(0, n_draws, _PIECE):
        piece = drawn[first : first + _PIECE]
        words = _words(rng, _WORDS_PER_NORMAL * piece.size).reshape(_WORDS_PER_NORMAL, piece.size)
        pairs = np.zeros(piece.size, np.uint64)  # two sums of six numbers of 16 bits, in the halves of a word
        for row in words:
            pairs += (row & _HALVES) + ((row >> np.uint64(16)) & _HALVES)
        piece[:] = (pairs & np.uint64(2**32 - 1)) + (pairs >> np.uint64(32))
        piece -= _MEAN
        piece *= 2.0**-16
    return drawn


def _words(rng: np.random.Generator, n_words: int) -> npt.NDArray[np.uint64]:
    words: npt.NDArray[np.uint64] = rng.bit_generator.random_raw(n_words)
    return words
