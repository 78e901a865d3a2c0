"""The engine's transforms against SciPy's."""

import numpy as np
import pytest
from scipy import fft

from cochlea.engine.fourier import plan, smooth_length, spectrum, transform

RNG = np.random.default_rng(0)
ROUNDING = {
    True: 4e-7,
    False: 4e-15,
}  # of the largest bin, in single and double precision: some units in the last place


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 8, 9, 25, 30, 36, 1000, 1024, 10_125, 29_160])
@pytest.mark.parametrize("single", [True, False])
def test_a_transform_is_scipys_inverse_without_its_factor(length: int, single: bool) -> None:
    kind = np.float32 if single else np.float64
    a = RNG.standard_normal((2, length)).astype(kind)
    exact = fft.ifft(a[0] + 1j * a[1].astype(np.float64), norm="forward")
    room = np.empty_like(a)
    found = room if transform(*a, *room, *plan(length, single)) else a
    assert np.abs(found[0] + 1j * found[1] - exact).max() <= ROUNDING[single] * np.abs(exact).max()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 11, 48, 49, 997, 4096, 24_001, 48_000])
def test_a_spectrum_is_scipys_at_any_length(length: int) -> None:
    signal = RNG.standard_normal(length)
    exact = fft.rfft(signal)
    assert np.abs(spectrum(signal) - exact).max() <= ROUNDING[False] * np.abs(exact).max()


def test_a_spectrum_leaves_the_signal_as_it_was() -> None:
    signal = RNG.standard_normal(49)
    kept = signal.copy()
    spectrum(signal)
    np.testing.assert_array_equal(signal, kept)


def test_a_smooth_length_has_small_factors_and_is_the_next_of_them() -> None:
    def is_smooth(length: int) -> bool:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        return rest == 1 and length % 4096 != 0

    smooth = [length for length in range(1, 10_000) if is_smooth(length)]
    for least in range(1, 8000):
        assert smooth_length(least) == next(length for length in smooth if length >= least)


def test_a_length_with_another_factor_has_no_plan() -> None:
    with pytest.raises(ValueError, match="no prime factors but 2, 3 and 5, got 14"):
        plan(14, True)
