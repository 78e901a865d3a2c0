"""What a physiologist measures on the membrane itself: growth with level, tuning at a level, suppression.

A membrane without compression answers all of them by its transfer function: it grows by 1 dB per dB, is tuned alike at
every level, and no tone suppresses another. Each function presents tones one after another and measures the component
of the velocity at the frequency of the tone, once the response is steady. Levels are in [dB], in the unit of the ear
(`cochlea.physiology.recording.reference_amplitude`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from cochlea.model import CochleaParams
from cochlea.physiology.analysis import TuningWidth, tuning_width
from cochlea.physiology.recording import SAMPLE_RATE, membrane_velocity, nearest_channel, reference_amplitude
from cochlea.stimulus import apply_ramps

_TONE, _RAMP = 0.13, 0.02  # [s]
# The response is measured from 40 ms, when it has built up, to 20 ms before the end: at the place of 150 Hz or more, it
# lags by less than 20 ms, and in the published convention it leads by as much.
_START, _STOP = 0.04, 0.11
_GAP = 0.04  # [s] between tones, so that one has died away when the next begins
_AT_ONCE = 12  # tones in one sound (2 s): the velocity of all places is computed
# Frequencies of a tuning curve, in octaves re the characteristic frequency: dense where a sharp peak may be.
_OCTAVES = np.unique(np.r_[np.arange(-3.0, 1.26, 0.125), np.arange(-0.75, 0.36, 1 / 24), np.arange(-0.1, 0.19, 1 / 96)])


def growth(
    frequency: float, levels: Sequence[float], params: CochleaParams, *, place_frequency: float | None = None
) -> NDArray[np.float64]:
    """The level of the velocity [dB re 1] that a tone evokes at a place, at several levels; shape (level,).

    Parameters
    ----------
    frequency : float
        Frequency of the tone [Hz].
    levels : sequence of float
        Levels of the tone [dB].
    params : CochleaParams
        The ear.
    place_frequency : float, optional
        Characteristic frequency of the place; default: that of the tone [Hz].

    References
    ----------
    Saremi et al., JASA 140:1618 (2016): input-output functions at the characteristic frequency and an octave below.
    """
    channel = nearest_channel(place_frequency or frequency, params)
    sounds = [_tone(frequency, level, params) for level in levels]
    return np.asarray(20 * np.log10(_amplitudes(sounds, np.full(len(levels), frequency), channel, params)))


def growth_slope(levels: ArrayLike, outputs: ArrayLike, low: float, high: float) -> float:
    """The slope [dB/dB] of the straight line through the points of an input-output function between two levels.

    Parameters
    ----------
    levels, outputs : array_like, shape (level,)
        Levels of the tone and of the response [dB].
    low, high : float
        The range of levels, both included [dB].

    Raises
    ------
    ValueError
        If fewer than two points are within the range.

    Examples
    --------
    >>> round(growth_slope([40, 50, 60, 70], [10, 12.5, 15, 17.5], 40, 70), 6)
    0.25
    """
    level, output = np.asarray(levels, np.float64), np.asarray(outputs, np.float64)
    inside = (level >= low) & (level <= high)
    if inside.sum() < 2:
        raise ValueError(f"growth_slope needs 2 levels from {low:g} to {high:g} dB, got {inside.sum()}")
    return float(np.polyfit(level[inside], output[inside], 1)[0])


def tuning_at_level(frequency: float, level: float, params: CochleaParams) -> TuningWidth:
    """The tuning of a place for tones of one level.

    Parameters
    ----------
    frequency : float
        Characteristic frequency of the place [Hz].
    level : float
        Level of all tones [dB].
    params : CochleaParams
        The ear.

    Returns
    -------
    TuningWidth
        From frequencies 1/96 of an octave apart near the characteristic frequency, and 1/24 below it.
    """
    frequencies = frequency * 2**_OCTAVES
    sounds = [_tone(tone, level, params) for tone in frequencies]
    return tuning_width(frequencies, _amplitudes(sounds, frequencies, nearest_channel(frequency, params), params))


def two_tone_suppression(
    frequency: float,
    level: float,
    suppressor_frequency: float,
    suppressor_levels: Sequence[float],
    params: CochleaParams,
) -> NDArray[np.float64]:
    """By how much another tone weakens the response to a tone at its place [dB], shape (suppressor level,).

    Parameters
    ----------
    frequency, level : float
        Frequency [Hz] and level [dB] of the tone.
    suppressor_frequency : float
        Frequency of the other tone, more than 60 Hz from the tone's [Hz].
    suppressor_levels : sequence of float
        Levels of the other tone [dB].
    params : CochleaParams
        The ear.

    References
    ----------
    Saremi et al., JASA 140:1618 (2016).
    """
    probe = _tone(frequency, level, params)
    both = [probe + _tone(suppressor_frequency, other, params) for other in suppressor_levels]
    alone, *suppressed = _amplitudes(
        [probe, *both], np.full(len(both) + 1, frequency), nearest_channel(frequency, params), params
    )
    return np.asarray(20 * np.log10(alone / np.array(suppressed)))


def _tone(frequency: float, level: float, params: CochleaParams) -> NDArray[np.float64]:
    time = np.arange(round(_TONE * SAMPLE_RATE)) / SAMPLE_RATE
    amplitude = reference_amplitude(params) * 10 ** (level / 20)
    return amplitude * apply_ramps(np.sin(2 * np.pi * frequency * time), SAMPLE_RATE, _RAMP)


def _amplitudes(
    sounds: Sequence[NDArray[np.float64]], frequencies: NDArray[np.float64], channel: int, params: CochleaParams
) -> NDArray[np.float64]:
    # The amplitude of the velocity at one frequency for each sound, all of them as long as a tone.
    gap = np.zeros(round(_GAP * SAMPLE_RATE))
    amplitudes = []
    for first in range(0, len(sounds), _AT_ONCE):
        block = sounds[first : first + _AT_ONCE]
        row = np.concatenate([gap, *(part for sound in block for part in (sound, gap))])
        # The published membrane transforms a sound at its own length, which takes long where that has large factors.
        padded = np.pad(row, (0, 2 * fft.next_fast_len(row.size // 2 + 1) - row.size))
        velocity, rate = membrane_velocity(padded, params)
        for number in range(len(block)):
            onset = _GAP + number * (_TONE + _GAP)
            steady = np.arange(round((onset + _START) * rate), round((onset + _STOP) * rate))
            wave = np.exp(-2j * np.pi * frequencies[first + number] * steady / rate)
            window = np.hanning(steady.size)
            amplitudes.append(2 * np.abs(np.sum(window * wave * velocity[channel, steady])) / window.sum())
    return np.array(amplitudes)
