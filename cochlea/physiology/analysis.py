"""Measures of curves: the place map, tuning width, delays, rate-level functions.

Pure functions on arrays. Frequencies are in [Hz], times in [s], rates in [1/s], and levels in [dB] re any reference.
Measures of spikes are in `cochlea.physiology.spike_statistics`; `cochlea.physiology.measurements` applies both to the
model.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class TuningWidth(NamedTuple):
    """How sharply a place is tuned.

    Parameters
    ----------
    best_frequency : float
        Frequency of the largest gain [Hz].
    q10 : float
        Best frequency divided by the bandwidth 10 dB below the peak [1].
    q_erb : float
        Best frequency divided by the equivalent rectangular bandwidth [1].
    """

    best_frequency: float
    q10: float
    q_erb: float


class RateLevel(NamedTuple):
    """The characteristics of a rate-level function.

    Parameters
    ----------
    spontaneous, saturated : float
        Rate at the lowest and at the highest level [1/s].
    threshold : float
        Level at which the rate has risen by 10 % of the difference between spontaneous and saturated rate [dB].
    dynamic_range : float
        Difference between the levels at which it has risen by 10 % and by 90 % [dB].
    """

    spontaneous: float
    saturated: float
    threshold: float
    dynamic_range: float


def greenwood_frequency(positions: ArrayLike, length: float = 3.5) -> NDArray[np.float64]:
    """The characteristic frequency [Hz] of places on the human basilar membrane, 165.4 (10^(2.1 y) - 0.88).

    Parameters
    ----------
    positions : array_like, shape (place,)
        Distances from the base; y is the distance from the apex divided by the length [cm].
    length : float
        Length of the membrane from base to apex [cm].

    Returns
    -------
    ndarray, shape (place,)

    References
    ----------
    Greenwood, JASA 87:2592 (1990), equation 1 with the human constants.

    Examples
    --------
    >>> greenwood_frequency([0.0, 1.75, 3.5]).astype(int)
    array([20677,  1710,    19])
    """
    from_apex = 1.0 - np.asarray(positions, np.float64) / length
    return 165.4 * (10.0 ** (2.1 * from_apex) - 0.88)


def tuning_width(frequencies: ArrayLike, gain: ArrayLike) -> TuningWidth:
    """The width of a tuning curve.

    Parameters
    ----------
    frequencies : array_like, shape (frequency,)
        Frequencies in ascending order, dense enough for linear interpolation [Hz].
    gain : array_like, shape (frequency,)
        Amplitude of the response to a tone of unit amplitude [1].

    Returns
    -------
    TuningWidth

    Raises
    ------
    ValueError
        If the gain does not fall by 10 dB on both sides of its peak.
    """
    f = np.asarray(frequencies, np.float64)
    power = np.square(np.asarray(gain, np.float64))
    peak = int(np.argmax(power))
    power = power / power[peak]
    below, above = np.nonzero(power[:peak] < 0.1)[0], np.nonzero(power[peak:] < 0.1)[0]
    if not (below.size and above.size):
        raise ValueError("a tuning curve must fall by 10 dB on both sides of its peak")
    # The crossings nearest to the peak on either side, each between two neighboring points. `np.interp` needs ascending
    # abscissas, so the two points above the peak are taken in reverse.
    i, j = below[-1], peak + above[0]
    lower = np.interp(0.1, power[i : i + 2], f[i : i + 2])
    upper = np.interp(0.1, power[[j, j - 1]], f[[j, j - 1]])
    erb = np.sum((power[1:] + power[:-1]) * np.diff(f)) / 2
    return TuningWidth(float(f[peak]), float(f[peak] / (upper - lower)), float(f[peak] / erb))


def group_delay(frequencies: ArrayLike, response: ArrayLike) -> NDArray[np.float64]:
    """The delay [s] of the envelope of a narrow band of sound around each frequency: -d phase / d (2 pi f).

    Parameters
    ----------
    frequencies : array_like, shape (frequency,)
        Frequencies in ascending order, so dense that the phase changes by less than half a cycle between them [Hz].
    response : array_like of complex, shape (..., frequency)
        Response in the exp(+i w t) convention: the conjugate of what `cochlea.transfer_function` returns [1].

    Returns
    -------
    ndarray, shape (..., frequency)
    """
    phase = np.unwrap(np.angle(np.asarray(response)), axis=-1)
    return np.asarray(-np.gradient(phase, 2.0 * np.pi * np.asarray(frequencies, np.float64), axis=-1), np.float64)


def median_energy_time(signals: ArrayLike, sample_rate: int) -> NDArray[np.float64]:
    """The time [s] by which half of a signal's energy has passed; for the response to a click, its latency.

    Parameters
    ----------
    signals : array_like, shape (..., sample)
        Signals, none of which may be silent [1].
    sample_rate : int
        Rate of the signals [Hz].

    Returns
    -------
    ndarray, shape (...)
    """
    energy = np.cumsum(np.square(np.asarray(signals, np.float64)), axis=-1)
    return np.asarray(np.argmax(energy >= energy[..., -1:] / 2, axis=-1) / sample_rate, np.float64)


def rate_level(levels: ArrayLike, rates: ArrayLike) -> RateLevel:
    """The threshold and dynamic range of a rate-level function, by linear interpolation between its points.

    Parameters
    ----------
    levels : array_like, shape (level,)
        Levels in ascending order, from below the threshold to saturation [dB].
    rates : array_like, shape (level,)
        Rate at each level [1/s].

    Returns
    -------
    RateLevel

    Raises
    ------
    ValueError
        If the rate at the highest level is not above that at the lowest.
    """
    rate = np.asarray(rates, np.float64)
    spontaneous, saturated = float(rate[0]), float(rate[-1])
    if not saturated > spontaneous:
        raise ValueError(f"rates must rise with the level, got {spontaneous:g} at the lowest, {saturated:g} at the top")
    # Measured rates fluctuate, but `np.interp` needs ascending abscissas: the running maximum gives the level at which
    # a rate is first reached.
    driven = np.maximum.accumulate((rate - spontaneous) / (saturated - spontaneous))
    low, high = np.interp([0.1, 0.9], driven, np.asarray(levels, np.float64))
    return RateLevel(spontaneous, saturated, float(low), float(high - low))
