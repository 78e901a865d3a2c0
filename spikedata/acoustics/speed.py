"""Speed and sample rate: both are changed by the same polyphase filter.

Its coefficients are made by additions and multiplications alone (series for the sine and for the Bessel function of the
window), since the sine of a library differs in its last bit between processors.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.levels import as_rate, as_sound

_STEPS = 1000  # speeds are thousandths
_HALF_WIDTH = 16  # of the filter, in periods of the lower of the two rates
_BETA = 8.0  # of its Kaiser window: 80 dB
SLOWEST, FASTEST = 0.25, 4.0  # times the speed of the recording


def change_speed(waveform: npt.ArrayLike, speed: float) -> npt.NDArray[np.float64]:
    """The sound played faster or slower, as from a tape: its duration is divided by the speed, its pitch multiplied.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    speed : float
        Times the speed of the recording, rounded to a thousandth [1]; 1 returns the sound as it is.

    Returns
    -------
    ndarray of float64, shape (ceil(n_samples / speed),)
        At the same sample rate. Above 1, what would be beyond half of it is filtered out.

    Raises
    ------
    ValueError
        If the speed is not in 0.25..4.

    References
    ----------
    Ko, Peddinti, Povey, Khudanpur: Audio augmentation for speech recognition. Interspeech 2015 (0.9, 1.0, 1.1).

    Examples
    --------
    >>> change_speed(np.sin(np.arange(1000) / 3), 1.25).shape
    (800,)
    """
    sound = as_sound("waveform", waveform)
    if not SLOWEST <= speed <= FASTEST:
        raise ValueError(f"speed must be in {SLOWEST:g}..{FASTEST:g}, got {speed!r}")
    return _resampled(sound, _STEPS, round(speed * _STEPS))


def resample(waveform: npt.ArrayLike, sample_rate: int, new_rate: int) -> npt.NDArray[np.float64]:
    """The sound at another sample rate, with the same duration and pitch.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    sample_rate, new_rate : int
        [Hz]

    Returns
    -------
    ndarray of float64, shape (ceil(n_samples * new_rate / sample_rate),)
    """
    return _resampled(as_sound("waveform", waveform), as_rate(new_rate), as_rate(sample_rate))


def _resampled(sound: npt.NDArray[np.float64], up: int, down: int) -> npt.NDArray[np.float64]:
    common = gcd(up, down)
    if up == down:
        return sound
    from scipy.signal import resample_poly  # takes a second to import, and most sounds need no resampling

    kernel = _low_pass(max(up, down) // common)
    return np.asarray(resample_poly(sound, up // common, down // common, window=kernel))


@lru_cache(maxsize=256)
def _low_pass(factor: int) -> npt.NDArray[np.float64]:
    """A windowed sinc that cuts at 1 / `factor` of half of the rate, with a sum of 1."""
    n_half = _HALF_WIDTH * factor
    steps = np.arange(1, n_half + 1)
    sinc = _sine_of_half_turns(steps, factor) / (np.pi * steps / factor)
    edge = steps / n_half
    side = sinc * _bessel(_BETA**2 / 4 * (1 - edge * edge)) / _bessel(np.array([_BETA**2 / 4]))
    kernel = np.concatenate([side[::-1], [1.0], side])
    return np.asarray(kernel / np.sum(kernel))


def _sine_of_half_turns(steps: npt.NDArray[np.int64], factor: int) -> npt.NDArray[np.float64]:
    """sin(pi * steps / factor): whole numbers fold the angle into a quarter turn, then its series."""
    phase = steps % (2 * factor)
    sign = np.where(phase < factor, 1.0, -1.0)
    phase = phase % factor
    angle = np.pi * np.minimum(phase, factor - phase) / factor
    square, series = angle * angle, np.ones_like(angle)
    for n in range(22, 0, -2):  # 1 - x²/(2·3) (1 - x²/(4·5) (...)), below 1e-16 at a quarter turn
        series = 1.0 - square / (n * (n + 1)) * series
    return np.asarray(sign * angle * series)


def _bessel(quarter_squares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The modified Bessel function I0(x) by its series in x²/4."""
    series = np.ones_like(quarter_squares)
    for k in range(40, 0, -1):
        series = 1.0 + quarter_squares / (k * k) * series
    return series
