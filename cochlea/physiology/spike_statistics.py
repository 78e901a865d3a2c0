"""Measures of spikes: histograms, adaptation, phase locking, intervals.

Pure functions on arrays. Times are in [s], rates in spikes per second and unit [1/s]. As in physiology, a unit is one
nerve fiber or one bushy cell.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGE = 1e-6  # in bins: a spike this close before an edge is taken as lying on it, since its time is rounded


class Adaptation(NamedTuple):
    """The rate steady + rapid exp(-t / tau_rapid) + short_term exp(-t / tau_short_term).

    Parameters
    ----------
    steady, rapid, short_term : float
        Rates; the latter two are negative in a recovery [1/s].
    tau_rapid, tau_short_term : float
        Time constants, the smaller one first [s].
    """

    steady: float
    rapid: float
    short_term: float
    tau_rapid: float
    tau_short_term: float


def peristimulus_histogram(
    times: ArrayLike, duration: float, *, bin_width: float, n_repeats: int
) -> NDArray[np.float64]:
    """The rate [1/s] of one unit in each bin, shape (bin,), from the spikes of many presentations.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Spike times of all presentations, from the start of each presentation [s].
    duration : float
        Duration of a presentation; spikes after the last whole bin are dropped [s].
    bin_width : float
        Width of a bin; bin k holds k * bin_width <= time < (k + 1) * bin_width [s].
    n_repeats : int
        Number of presentations, or of units that were recorded in one presentation [1].

    Examples
    --------
    >>> peristimulus_histogram([0.001, 0.002, 0.0035], 0.004, bin_width=0.002, n_repeats=10)
    array([ 50., 100.])
    """
    n_bins = int(duration / bin_width + _EDGE)
    bins = np.floor(np.asarray(times, np.float64) / bin_width + _EDGE).astype(np.int64)
    counts = np.bincount(bins[(bins >= 0) & (bins < n_bins)], minlength=n_bins)
    return counts / (n_repeats * bin_width)


def fit_adaptation(times: ArrayLike, rates: ArrayLike) -> Adaptation:
    """The least-squares fit of two exponentials and a constant to a histogram.

    Parameters
    ----------
    times : array_like, shape (bin,)
        Times from the onset, or from the offset for a recovery [s].
    rates : array_like, shape (bin,)
        Rate at each time [1/s].

    Returns
    -------
    Adaptation

    References
    ----------
    Chimento, Schreiner, JASA 88:857 (1990): rapid and short-term adaptation and recovery in this form.
    """
    from scipy.optimize import least_squares

    t, rate = np.asarray(times, np.float64), np.asarray(rates, np.float64)

    def solve(log_taus: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # For given time constants the best amplitudes follow by linear least squares, so the nonlinear search has only
        # two dimensions. An infinite time constant gives the constant term.
        curves = np.exp(-t[:, None] / np.r_[np.inf, np.exp(log_taus)])
        amplitudes = np.linalg.lstsq(curves, rate, rcond=None)[0]
        return amplitudes, curves @ amplitudes - rate

    # The search is over logarithms, which keeps the time constants positive. It starts at 3.7 and 50 ms for 0.3 s.
    span = t[-1] - t[0]
    best = least_squares(lambda log_taus: solve(log_taus)[1], np.log([span / 80, span / 6]), method="lm")
    order = np.argsort(best.x)
    steady, *exponentials = solve(best.x)[0]
    return Adaptation(float(steady), *(float(exponentials[i]) for i in order), *np.exp(best.x[order]).tolist())


def vector_strength(times: ArrayLike, frequency: float, weights: ArrayLike | None = None) -> float:
    """How well spikes are locked to a tone [1]: 0 if they are spread evenly over the cycle, 1 if all have one phase.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Spike times, or times of samples, best over a whole number of cycles [s].
    frequency : float
        Frequency of the tone [Hz].
    weights : array_like, shape (n_spikes,), optional
        Weight of each time, for a stage without spikes: the release probability at each sample [1].

    Raises
    ------
    ValueError
        If there are no spikes, or the weights do not have a positive sum.

    References
    ----------
    Goldberg, Brown, J. Neurophysiol. 32:613 (1969).

    Examples
    --------
    >>> round(vector_strength([0.0, 0.01, 0.0225], 100.0), 3)
    0.745
    """
    t = np.asarray(times, np.float64)
    weight = np.ones(t.shape) if weights is None else np.asarray(weights, np.float64)
    if not weight.sum() > 0:
        raise ValueError("vector_strength needs at least one spike")
    return float(np.abs(np.sum(weight * np.exp(2j * np.pi * frequency * t))) / weight.sum())


def modulation_gain(times: ArrayLike, frequency: float, depth: float) -> float:
    """The modulation of a rate over that of the sound that evoked it [dB]: 20 log10(2 R / m).

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Spike times, best over a whole number of cycles of the modulation [s].
    frequency : float
        Frequency of the modulation [Hz].
    depth : float
        m, the depth of the sound's modulation: its amplitude is that of its carrier times 1 + m sin(w t) [1].

    Raises
    ------
    ValueError
        If there are no spikes, or the depth is not above 0 and at most 1.

    References
    ----------
    Joris, Yin, JASA 91:215 (1992). R is the vector strength: a rate that is modulated to the depth m has 2 R = m.

    Examples
    --------
    >>> round(modulation_gain([0.0, 0.01, 0.0225], 100.0, 1.0), 2)
    3.47
    """
    if not 0 < depth <= 1:
        raise ValueError(f"modulation_gain's depth must be > 0 and <= 1, got {depth!r}")
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(2 * vector_strength(times, frequency) / depth))


def interspike_intervals(times: ArrayLike, units: ArrayLike) -> NDArray[np.float64]:
    """The intervals [s] between successive spikes of the same unit.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Spike times in any order [s].
    units : array_like, shape (n_spikes,)
        The unit of each spike.

    Examples
    --------
    >>> interspike_intervals([0.1, 0.2, 0.5, 0.7], [0, 1, 0, 1])
    array([0.4, 0.5])
    """
    t, unit = np.asarray(times, np.float64), np.asarray(units)
    order = np.lexsort((t, unit))
    return np.asarray(np.diff(t[order])[unit[order][1:] == unit[order][:-1]], np.float64)


def hazard_rate(intervals: ArrayLike, *, bin_width: float, n_bins: int) -> NDArray[np.float64]:
    """The rate [1/s] at which a unit fires, given the time since its last spike; shape (bin,).

    Parameters
    ----------
    intervals : array_like, shape (n_intervals,)
        Interspike intervals [s].
    bin_width : float
        Width of a bin of the time since the last spike [s].
    n_bins : int
        Number of bins from 0; a bin that no interval reaches is NaN [1].
    """
    bins = np.floor(np.asarray(intervals, np.float64) / bin_width + _EDGE).astype(np.int64)
    counts = np.bincount(np.minimum(bins, n_bins), minlength=n_bins + 1)
    at_risk = np.cumsum(counts[::-1])[::-1][:n_bins]
    # Of the intervals that reach a bin of constant hazard, the share 1 - exp(-hazard * bin_width) ends within it. If
    # all of them end there, the hazard is infinite.
    share = np.divide(counts[:n_bins], at_risk, out=np.full(n_bins, np.nan), where=at_risk > 0)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log1p(-share) / bin_width, np.float64)
