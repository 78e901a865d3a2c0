"""What a physiologist measures on curves: the place map, tuning width, delays, rate-level functions.

Pure functions on arrays. Frequencies in [Hz], times in [s], rates in [1/s], levels in [dB] of any reference.
`cochlea.physiology.spike_statistics` has what is measured on spikes; `cochlea.physiology.measurements` applies both
to the model.
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
        Best frequency over the width 10 dB below the peak [1].
    q_erb : float
        Best frequency over the equivalent rectangular bandwidth [1].
    """

    best_frequency: float
    q10: float
    q_erb: float


class RateLevel(NamedTuple):
    """The figures of a rate-level function.

    Parameters
    ----------
    spontaneous, saturated : float
        Rate at the lowest and at the highest level [1/s].
    threshold : float
        Level at which the rate has risen by 10 % of the way from spontaneous to saturated [dB].
    dynamic_range : float
        From 10 to 90 % of the way [dB].
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
        Distance from the base [cm]; y is the distance from the apex over the length.
    length : float
        From base to apex [cm].

    References
    ----------
    Greenwood, JASA 87:2592 (1990), equation 1 with the constants for man.

    Examples
    --------
    >>> greenwood_frequency([0.0, 1.75, 3.5]).astype(int)
    array([20677,  1710,    19])
    """
    from_apex = 1.0 - np.asarray(positions, np.float64) / length
    return 165.4 * (10.0 ** (2.1 * from_apex) - 0.88)


def tuning_width(frequencies: ArrayLike, gain: ArrayLike) -> TuningWidth:
    """How sharp a tuning curve is.

    Parameters
    ----------
    frequencies : array_like, shape (frequency,)
        Ascending [Hz], dense enough for straight lines between them.
    gain : array_like, shape (frequency,)
        Amplitude of the response to a tone of unit amplitude [1].

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
        Ascending [Hz], so dense that the phase turns by less than half a cycle from one to the next.
    response : array_like of complex, shape (..., frequency)
        In the exp(+i w t) convention: of `cochlea.transfer_function` take the conjugate.
    """
    phase = np.unwrap(np.angle(np.asarray(response)), axis=-1)
    return np.asarray(-np.gradient(phase, 2.0 * np.pi * np.asarray(frequencies, np.float64), axis=-1), np.float64)


def median_energy_time(signals: ArrayLike, sample_rate: int) -> NDArray[np.float64]:
    """The time [s] by which half of a signal's energy has passed; of a click's response, its latency.

    Parameters
    ----------
    signals : array_like, shape (..., sample)
        No row all zero.
    sample_rate : int
        [Hz]
    """
    energy = np.cumsum(np.square(np.asarray(signals, np.float64)), axis=-1)
    return np.asarray(np.argmax(energy >= energy[..., -1:] / 2, axis=-1) / sample_rate, np.float64)


def rate_level(levels: ArrayLike, rates: ArrayLike) -> RateLevel:
    """Threshold and dynamic range of a rate-level function, by straight lines between its points.

    Parameters
    ----------
    levels : array_like, shape (level,)
        Ascending, from below the threshold to saturation [dB].
    rates : array_like, shape (level,)
        [1/s]

    Raises
    ------
    ValueError
        If the rate at the highest level is not above that at the lowest.
    """
    rate = np.asarray(rates, np.float64)
    spontaneous, saturated = float(rate[0]), float(rate[-1])
    if not saturated > spontaneous:
        raise ValueError(f"rates must rise with the level, got {spontaneous:g} at the lowest, {saturated:g} at the top")
    # the level at which the rate first comes so far
    driven = np.maximum.accumulate((rate - spontaneous) / (saturated - spontaneous))
    low, high = np.interp([0.1, 0.9], driven, np.asarray(levels, np.float64))
    return RateLevel(spontaneous, saturated, float(low), float(high - low))
