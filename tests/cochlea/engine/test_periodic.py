"""Interpolation of a periodic signal against its Fourier series; the kernel against its definition."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from cochlea.engine.periodic import N_TAPS, grid_length, kernel_gain, kernel_polynomials, taps_of_steps

TOLERANCE = 2e-6  # of the peak, for a signal that fills its band (measured: 1.6e-6)
AT_THE_EDGE = 2e-5  # for a tone in the last bin of the band (measured: 1.3e-5); 2e-6 up to nine tenths of it
POLYNOMIALS = kernel_polynomials()
FRACTIONS = np.linspace(0, 1, 2001)[:-1]


def taps_at(positions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The first grid point of each position, and the weights of it and those behind it, shape (position, tap)."""
    taps, first = np.empty((positions.size, N_TAPS + 1, 1), np.float32), np.empty((positions.size, 1), np.int64)
    for position, row, start in zip(positions, taps, first, strict=True):
        taps_of_steps(position, 0.0, 1, POLYNOMIALS, row, start)
    return first[:, 0], taps[:, :N_TAPS, 0].astype(np.float64)


def interpolate(grid: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float64]:
    first, taps = taps_at(positions)
    return np.sum(taps * grid[(first[:, None] + np.arange(N_TAPS)) % grid.size], axis=1)


def series(spectrum: NDArray[np.complex128], phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """The real Fourier series of bins from 0 on, at phases in periods."""
    bins = np.arange(spectrum.size)
    return np.real(np.exp(2j * np.pi * np.outer(phase, bins)) @ (np.where(bins == 0, 1, 2) * spectrum))


def grid_of(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The same on its grid, with the interpolation's effect on each bin divided out beforehand."""
    n_grid = grid_length(spectrum.size)
    return np.fft.irfft(spectrum / kernel_gain(np.arange(spectrum.size), n_grid), n_grid) * n_grid


def positions_around(n_grid: int) -> NDArray[np.float64]:
    """Anywhere in seven periods, on the grid points at the ends, and next to them."""
    edges = np.add.outer([-2 * n_grid, -1, 0, n_grid - 1, n_grid, 3 * n_grid], [-1e-9, 0, 1e-9, 0.5])
    return np.r_[np.random.default_rng(0).uniform(-3 * n_grid, 4 * n_grid, 1000), edges.ravel()]


@pytest.mark.parametrize("n_bins", [1, 2, 3, 5, 6, 50, 333, 1000])
def test_a_signal_is_interpolated_at_any_instant(n_bins: int) -> None:
    rng = np.random.default_rng(n_bins)
    spectrum = rng.standard_normal(n_bins) + 1j * rng.standard_normal(n_bins)
    spectrum[0] = 1.0
    grid = grid_of(spectrum)
    positions = positions_around(grid.size)
    expected = series(spectrum, positions / grid.size)
    assert np.abs(interpolate(grid, positions) - expected).max() < TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("n_bins", [1, 7, 333])
@pytest.mark.parametrize(
    ("part", "tolerance"), [(0.0, TOLERANCE), (0.5, TOLERANCE), (0.9, TOLERANCE), (1, AT_THE_EDGE)]
)
def test_a_tone_is_interpolated_anywhere_in_the_band(n_bins: int, part: float, tolerance: float) -> None:
    spectrum = np.zeros(n_bins, complex)
    spectrum[int(part * (n_bins - 1))] = 1.0
    grid = grid_of(spectrum)
    positions = positions_around(grid.size)
    expected = series(spectrum, positions / grid.size)
    assert np.abs(interpolate(grid, positions) - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize("n_bins", [1, 5, 6, 7, 101, 1000, 4999, 24_001, 720_001])
def test_the_grid_is_the_shortest_convenient_one_that_is_half_again_as_fine_as_the_band_asks(n_bins: int) -> None:
    convenient = [2**a * 3**b * 5**c for a in range(23) for b in range(15) for c in range(10)]
    nyquist = 2 * n_bins
    assert grid_length(n_bins) == min(n for n in convenient if n >= 1.5 * nyquist and n >= 2 * N_TAPS)


def kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kaiser and Bessel's kernel for a grid 1.5 times as fine, in grid points from the instant; 0 beyond its ends."""
    shape = np.pi * N_TAPS * (1 - 1 / 3)
    inside = np.clip(1 - (distance / (N_TAPS / 2)) ** 2, 0, None)
    return np.where(np.abs(distance) <= N_TAPS / 2, special.i0(shape * np.sqrt(inside)) / special.i0(shape), 0.0)


def distances_of_taps() -> NDArray[np.float64]:
    """From the instant to each tap, shape (fraction, tap): taps 3 and 4 stand around it."""
    return np.arange(N_TAPS) - 3 - FRACTIONS[:, None]


def test_the_polynomials_are_the_kernel() -> None:
    x = 2 * FRACTIONS - 1
    polynomials = np.array([np.polyval(tap, x) for tap in POLYNOMIALS.T.astype(np.float64)]).T
    np.testing.assert_allclose(polynomials, kernel(distances_of_taps()), rtol=0, atol=4e-8)  # measured: 2.9e-8


@pytest.mark.parametrize("point", [0, 5, -4, 100_000])
def test_the_taps_are_the_kernel_around_the_instant(point: int) -> None:
    first, taps = taps_at(point + FRACTIONS)
    np.testing.assert_array_equal(first, point - 3)
    # float32 adds roundings of 6e-8 to the polynomials'
    np.testing.assert_allclose(taps, kernel(distances_of_taps()), rtol=0, atol=2e-7)


def test_the_gain_is_the_fourier_transform_of_the_kernel() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(200)
    distance, weights = nodes * N_TAPS / 2, weights * N_TAPS / 2
    bins, n_grid = np.arange(334), 1000  # cycles per grid point: up to a third
    transform = np.cos(2 * np.pi * np.outer(bins / n_grid, distance)) @ (weights * kernel(distance))
    np.testing.assert_allclose(kernel_gain(bins, n_grid), transform, rtol=1e-12)


def test_the_taps_of_many_steps_are_those_of_each() -> None:
    taps, first = np.empty((N_TAPS + 1, 100), np.float32), np.empty(100, np.int64)
    taps_of_steps(-3.3, 0.77, 100, POLYNOMIALS, taps, first)
    starts, each = taps_at(-3.3 + np.arange(100) * 0.77)
    np.testing.assert_array_equal(first, starts)
    np.testing.assert_array_equal(taps[:N_TAPS].T, each)
