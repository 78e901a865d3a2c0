"""What a physiologist measures on spikes: histograms, adaptation, phase locking, intervals.

Pure functions on arrays. Times in [s], rates in spikes per second and unit [1/s]. A unit is one nerve fiber or one
bushy cell.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGE = 1e-6  # of a bin: a spike this close before an edge, by rounding, belongs to the bin behind it


class Adaptation(NamedTuple):
    """steady + rapid exp(-t / tau_rapid) + short_term exp(-t / tau_short_term).

    Parameters
    ----------
    steady, rapid, short_term : float
        Rates [1/s]; the latter two are negative in a recovery.
    tau_rapid, tau_short_term : float
        Time constants [s], the smaller first.
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
        Spike times from the start of the presentation, of all presentations [s].
    duration : float
        Of a presentation [s]; what is left after the last whole bin is dropped.
    bin_width : float
        [s]; bin k holds k * bin_width <= time < (k + 1) * bin_width.
    n_repeats : int
        Presentations, or units that heard one presentation [1].

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
    """The two exponentials and the constant that fit a histogram best, in the sense of least squares.

    Parameters
    ----------
    times : array_like, shape (bin,)
        From the onset, or from the offset for a recovery [s].
    rates : array_like, shape (bin,)
        [1/s]

    References
    ----------
    Chimento, Schreiner, JASA 88:857 (1990): rapid and short-term adaptation and recovery in this form.
    """
    from scipy.optimize import least_squares

    t, rate = np.asarray(times, np.float64), np.asarray(rates, np.float64)

    def solve(log_taus: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # for given time constants the best amplitudes follow by linear least squares
        curves = np.exp(-t[:, None] / np.r_[np.inf, np.exp(log_taus)])
        amplitudes = np.linalg.lstsq(curves, rate, rcond=None)[0]
        return amplitudes, curves @ amplitudes - rate

    span = t[-1] - t[0]
    best = least_squares(lambda log_taus: solve(log_taus)[1], np.log([span / 80, span / 6]), method="lm")
    order = np.argsort(best.x)
    steady, *exponentials = solve(best.x)[0]
    return Adaptation(float(steady), *(float(exponentials[i]) for i in order), *np.exp(best.x[order]).tolist())


def vector_strength(times: ArrayLike, frequency: float, weights: ArrayLike | None = None) -> float:
    """How well spikes are locked to a tone [1]: 0 if all phases are alike, 1 if there is but one.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        Spike times, or times of samples [s]; best over a whole number of cycles.
    frequency : float
        Of the tone [Hz].
    weights : array_like, shape (n_spikes,), optional
        What each time counts [1]: the release probability at each sample, to measure that of a stage without spikes.

    Raises
    ------
    ValueError
        If nothing is to be counted.

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


def interspike_intervals(times: ArrayLike, units: ArrayLike) -> NDArray[np.float64]:
    """The intervals [s] between successive spikes of the same unit.

    Parameters
    ----------
    times : array_like, shape (n_spikes,)
        In any order [s].
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
    """The rate [1/s] at which a unit fires that has been silent so long since its last spike, shape (bin,).

    Parameters
    ----------
    intervals : array_like, shape (n_intervals,)
        [s]
    bin_width : float
        [s]
    n_bins : int
        Bins from 0 [1]; a bin that no interval reaches is NaN.
    """
    bins = np.floor(np.asarray(intervals, np.float64) / bin_width + _EDGE).astype(np.int64)
    counts = np.bincount(np.minimum(bins, n_bins), minlength=n_bins + 1)
    at_risk = np.cumsum(counts[::-1])[::-1][:n_bins]
    # the share that ends within a bin of constant hazard is 1 - exp(-hazard * bin_width)
    share = np.divide(counts[:n_bins], at_risk, out=np.full(n_bins, np.nan), where=at_risk > 0)
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log1p(-share) / bin_width, np.float64)
