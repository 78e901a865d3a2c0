"""Find the words in a recording by their energy, so that a network hears a word as the clips that it was trained on."""

# The numbers were measured on the Heidelberg Digits, which were cut to words by their level: what lies within 40 dB of
# a clip's loudest 20 ms begins 20 ms after the clip (0 to 70 ms in 98 % of them) and ends 90 ms before its end (0 to
# 280 ms), and the longest quiet stretch inside a word, before the t of "acht" or "eight", takes 0.23 s.

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cochlea.high_pass import high_pass

HOP = 10e-3  # [s], two of them are a frame
CUTOFF = 100.0  # [Hz]: hum and rumble are below, all speech above
_QUIETEST = -40.0  # [dB re loudest frame] that is still taken for a part of a word
_LEAST_QUIET = -25.0  # [dB re loudest frame] that always is: in a clip without silence, the quiet frames are speech
_ABOVE_NOISE = 6.0  # [dB], since frames of noise scatter
_NOISE = 5.0  # percentile of the frames' levels that is taken for the noise between words
_LEAST_CONTRAST = 5.0  # [dB] between noise and loudest frame: of stationary noise 2 to 4, of words 7 to 68
LONGEST_GAP = 0.3  # [s] of quiet inside a word
_SHORTEST = 0.05  # [s] of sound: a click is shorter
_FAINTEST = 20.0  # [dB] by which a word may be fainter than the loudest one; what is fainter is breath or noise
_BEFORE, AFTER = 0.03, 0.12  # [s] of what surrounds a word that is kept with it


class Word(NamedTuple):
    """Where in a recording a word is.

    Parameters
    ----------
    start, stop : int
        Its first sample, and the one behind its last [1].
    energy : float
        Sum of the squares of its samples, relative to the loudest word of the recording [1].
    """

    start: int
    stop: int
    energy: float


def find_words(waveform: npt.NDArray[np.float64], sample_rate: int) -> tuple[Word, ...]:
    """The words in a recording, in the order in which they are said.

    A word is a stretch whose level is within 40 dB of the recording's loudest 20 ms, and 6 dB above its noise, with no
    gap of 0.3 s or more. Sounds of under 50 ms, and those 20 dB fainter than the loudest word, are no words.

    Parameters
    ----------
    waveform : ndarray of float64, shape (n_samples,)
        The recording [1].
    sample_rate : int
        [Hz]

    Returns
    -------
    tuple of Word
        Each with 30 ms of what is before it and 120 ms of what is behind it, as far as they are there; none if the
        recording is silent or nothing stands out from its noise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = 1e-3 * rng.standard_normal(16_000)
    >>> noise[6_400:9_600] += np.sin(2 * np.pi * 500 * np.arange(3_200) / 16_000)
    >>> [(word.start / 16_000, word.stop / 16_000) for word in find_words(noise, 16_000)]
    [(0.36, 0.74)]
    """
    levels = _frame_levels(waveform, sample_rate, hop_of(sample_rate))
    if levels is None:
        return ()
    found = [stretch for stretch in loud_stretches(levels) if stretch.is_long]
    loudest = max((stretch.peak for stretch in found), default=0.0)
    most = max((stretch.energy for stretch in found), default=1.0)
    return tuple(
        Word(*bounds_of(stretch, sample_rate, waveform.size), stretch.energy / most)
        for stretch in found
        if not is_faint(stretch.peak, loudest)
    )


class Stretch(NamedTuple):
    """A stretch of frames in which something sounds.

    Parameters
    ----------
    first, last : int
        Its first frame and its last [1].
    peak, energy : float
        Power of its loudest frame, and of all that are loud, relative to the loudest frame of all [1].
    is_long : bool
        Whether it is longer than a click.
    """

    first: int
    last: int
    peak: float
    energy: float
    is_long: bool


def loud_stretches(levels: npt.NDArray[np.float64], n_given: int = 0) -> list[Stretch]:
    """The stretches of loud frames, which gaps of 0.3 s or more tell apart.

    Parameters
    ----------
    levels : ndarray of float64, shape (frame,)
        Level of each frame, one every 10 ms [dB re the loudest one].
    n_given : int
        Frames at the beginning that belong to a stretch of their own, whatever follows [1].
    """
    noise = float(np.percentile(levels, _NOISE))
    if noise > -_LEAST_CONTRAST:
        return []
    threshold = float(np.clip(noise + _ABOVE_NOISE, _QUIETEST, _LEAST_QUIET))
    loud = np.flatnonzero(levels > threshold)
    is_break = np.diff(loud) * HOP > LONGEST_GAP
    is_break |= (loud[:-1] < n_given) & (loud[1:] >= n_given)
    found = []
    for frames in np.split(loud, np.flatnonzero(is_break) + 1):
        power = 10 ** (levels[frames] / 10)
        is_long = len(frames) * HOP >= _SHORTEST
        found.append(Stretch(int(frames[0]), int(frames[-1]), float(power.max()), float(power.sum()), is_long))
    return found


def is_faint(peak: float, loudest: float) -> bool:
    """Whether a stretch is too faint for a word beside the loudest one, by the powers of their loudest frames [1]."""
    return peak < loudest * 10 ** (-_FAINTEST / 10)


def bounds_of(stretch: Stretch, sample_rate: int, n_samples: int) -> tuple[int, int]:
    """The first sample of a word [1], and the one behind its last, with what surrounds it.

    Parameters
    ----------
    stretch : Stretch
    sample_rate : int
        [Hz]
    n_samples : int
        Length of the recording [1].
    """
    hop = hop_of(sample_rate)
    start = max(0, stretch.first * hop - round(_BEFORE * sample_rate))
    return start, min(n_samples, (stretch.last + 2) * hop + round(AFTER * sample_rate))


def hop_of(sample_rate: int) -> int:
    """The distance between frames [samples]; a frame takes two of them.

    Parameters
    ----------
    sample_rate : int
        [Hz]
    """
    return max(1, round(HOP * sample_rate))


def _frame_levels(waveform: npt.NDArray[np.float64], sample_rate: int, hop: int) -> npt.NDArray[np.float64] | None:
    """Level of each frame of two hops [dB re the loudest one]; None for silence, and for less than a frame."""
    n_hops = waveform.size // hop
    peak = float(np.abs(waveform).max(initial=0.0))
    if n_hops < 2 or peak == 0.0:
        return None
    # divided by the peak first, so that the squares neither overflow nor underflow
    heard = high_pass(waveform / peak, sample_rate, CUTOFF)[: n_hops * hop]
    energies = np.square(heard).reshape(n_hops, hop).sum(axis=1)
    energies = energies[:-1] + energies[1:]
    return levels_of(energies) if energies.max() > 0.0 else None


def levels_of(energies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The level of each frame [dB re the loudest one], of which one is above 0.

    Parameters
    ----------
    energies : ndarray of float64, shape (frame,)
        Sum of the squares of the samples of each frame [1].
    """
    return np.asarray(10 * np.log10(np.maximum(energies / energies.max(), 1e-12)))
