"""A periodic signal at times between its samples: band-limited interpolation with eight taps.

The published convention is circular over the clip, and a Fourier transform is slow where the number of steps has large
prime factors. So the signal is computed on a grid of a convenient length instead, oversampled by at least 1.5, and
interpolated at the times of the steps with the Kaiser-Bessel kernel. The effect of that kernel on each frequency is
divided out of the spectrum beforehand (the gridding method: Jackson et al., IEEE Trans. Med. Imaging 10:473, 1991). The
error is below 2e-6 of the peak of a signal that fills its band, and 2e-5 for a tone at the very end of the band.
"""

from functools import cache, lru_cache
from math import ceil, sqrt

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from cochlea.compilation import Array, compiled
from cochlea.elementary import bessel_i0, hyperbolic_sines, sin_cos
from cochlea.engine.fourier import smooth_length

N_TAPS = 8
_OVERSAMPLING = 1.5
# The shape of the Kaiser-Bessel kernel. With this value the main lobe of its spectrum ends where the first image of the
# band begins, so that the images, which cause the error, fall into the side lobes.
_BETA = np.pi * N_TAPS * (1 - 0.5 / _OVERSAMPLING)
_DEGREE = 8  # of the polynomials that replace the kernel between two samples; they are within 3e-8 of it


def grid_length(n_bins: int) -> int:
    """A convenient number of grid points [1] for a real signal whose spectrum occupies the bins 0 to n_bins - 1."""
    return smooth_length(max(2 * N_TAPS, ceil(2 * _OVERSAMPLING * n_bins)))


def kernel_gain(bins: NDArray[np.integer], n_grid: int) -> NDArray[np.float64]:
    """The gain of the interpolation at each bin, by which the spectrum must be divided; shape (bin,) [1].

    Parameters
    ----------
    bins : ndarray of integers, shape (bin,)
        Number of each bin, 0 to the end of the band [1].
    n_grid : int
        Number of grid points [1].
    """
    # The Fourier transform of the Kaiser-Bessel kernel. Within the band the root is real, since _BETA exceeds the
    # subtrahend there.
    root = np.sqrt(_BETA * _BETA - np.square(np.pi * N_TAPS * bins / n_grid))
    return np.asarray(N_TAPS * hyperbolic_sines(root) / (root * bessel_i0(_BETA)), np.float64)


@lru_cache(maxsize=64)
def gain_divisors(n_grid: int) -> NDArray[np.float64]:
    """What a spectrum is multiplied by before it is interpolated: 1 / `kernel_gain` at each bin of the band [1].

    Parameters
    ----------
    n_grid : int
        Number of grid points [1].

    Returns
    -------
    ndarray, shape (n_grid // 3 + 1,)
        Read-only, and shared between all callers.
    """
    divisors = 1.0 / kernel_gain(np.arange(int(n_grid / (2 * _OVERSAMPLING)) + 1), n_grid)
    divisors.flags.writeable = False
    return divisors


@cache
def kernel_polynomials() -> NDArray[np.float32]:
    """The taps of the kernel as polynomials, from the highest power down; shape (power, N_TAPS) [1].

    Their variable is x = 2 f - 1, where f is the fraction of a grid step by which the time lies after a grid point.
    Tap i belongs to the grid point i - (N_TAPS / 2 - 1) steps after that one.
    """
    # Fitted at Chebyshev nodes, where the fit is close to the best in the maximum norm, and where the polynomials T_n
    # are orthogonal, so each coefficient is a sum over the nodes. (A solver of linear equations would give other bits
    # on other processors.) A tap then takes eight multiply-adds; the Bessel function of the kernel would take far more.
    n_nodes = 64
    fitted = np.zeros((_DEGREE + 1, N_TAPS))
    for node in range(n_nodes):
        x = sin_cos(np.pi * (node + 0.5) / n_nodes)[1]
        before, now = x, 1.0  # T_-1 and T_0
        for degree in range(_DEGREE + 1):
            for tap in range(N_TAPS):
                distance = ((x + 1) / 2 - (tap - (N_TAPS // 2 - 1))) / (N_TAPS / 2)
                value = bessel_i0(_BETA * sqrt(max(0.0, 1 - distance * distance))) / bessel_i0(_BETA)
                fitted[degree, tap] += value * now * ((1 if degree == 0 else 2) / n_nodes)
            before, now = now, 2 * x * now - before
    powers = np.stack([chebyshev.cheb2poly(tap) for tap in fitted.T], axis=1)
    return powers[::-1].astype(np.float32)


@compiled()
def taps_of_steps(position: float, pitch: float, n_steps: int, polynomials: Array, taps: Array, first: Array) -> None:
    """Fill `taps` with the weights of the grid points around some evenly spaced positions.

    Parameters
    ----------
    position, pitch : float
        The first position, and the distance between positions, in grid steps [1].
    n_steps : int
        Number of positions [1].
    polynomials : ndarray of float32, shape (power, N_TAPS)
        The result of `kernel_polynomials` [1].
    taps : ndarray of float32, shape (N_TAPS + 1, at least n_steps)
        The weights of the grid points, and scratch space in the last row [1].
    first : ndarray of int64, shape (at least n_steps,)
        Index of the first grid point at each position; it may be negative, and the grid is periodic [1].
    """
    # Horner's scheme, all positions at once
    x = taps[N_TAPS]
    for t in range(n_steps):
        at = position + t * pitch
        before = np.floor(at)
        x[t] = np.float32(2.0 * (at - before) - 1.0)
        first[t] = np.int64(before) - (N_TAPS // 2 - 1)
    for i in range(N_TAPS):
        row = taps[i]
        for t in range(n_steps):
            row[t] = polynomials[0, i]
        for power in range(1, polynomials.shape[0]):
            coefficient = polynomials[power, i]
            for t in range(n_steps):
                row[t] = row[t] * x[t] + coefficient
