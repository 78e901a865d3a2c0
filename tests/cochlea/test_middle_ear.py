"""The human middle ear, against the table of its gain and what a filter must be."""

import numpy as np
import pytest

from cochlea.middle_ear import middle_ear

# Gain re the peak [dB] of the published filter, computed independently.
GAIN = {
    100: -20.0, 200: -13.7, 300: -9.7, 500: -4.4, 1000: 0.0, 2000: -3.9, 3000: -4.3, 4000: -2.5, 6000: -2.7,
    8000: -8.0, 10_000: -12.7, 12_000: -16.3, 20_000: -25.4,
}  # fmt: skip


def test_the_gain_is_that_of_the_published_filter():
    peak = 20 * np.log10(np.abs(middle_ear(np.arange(900.0, 1300.0))).max())
    measured = 20 * np.log10(np.abs(middle_ear(list(GAIN)))) - peak
    np.testing.assert_allclose(measured, list(GAIN.values()), atol=0.1)  # the values have one decimal


def test_the_peak_is_a_half_at_1090_hertz():
    frequencies = np.arange(900.0, 1300.0)
    gain = np.abs(middle_ear(frequencies))
    assert gain.max() == pytest.approx(0.5004, rel=1e-3)
    assert frequencies[gain.argmax()] == pytest.approx(1090, rel=0.01)


def test_a_constant_pressure_does_not_pass():
    assert np.abs(middle_ear([0.0, 1e-3])).max() < 1e-6


def test_the_filter_is_causal():
    # The impulse response, by an inverse transform over 50 ms of which the filter remembers the first few.
    n, rate = 50_000, 1_000_000
    response = np.fft.irfft(middle_ear(np.arange(n // 2 + 1) * rate / n), n)
    before, after = np.abs(response[n // 2 :]).max(), np.abs(response[: n // 2]).max()
    assert before < 0.05 * after  # above half the rate of the grid, the gain falls slowly, and is cut


def test_negative_frequencies_have_the_conjugate_gain():
    np.testing.assert_array_equal(middle_ear([-500.0]), np.conjugate(middle_ear([500.0])))


def test_a_filter_for_digital_sound_agrees_at_low_frequencies():
    # The published coefficients for 100 kHz have four decimals; the bilinear transform bends the frequency axis.
    sections = (
        ((0.9979, -1.9408, 0.9429), (1.0, -1.9395, 0.9420)),
        ((0.9984, -1.9226, 0.9415), (1.0, -1.9244, 0.9379)),
        ((0.0286 / 2, 0.0302 / 2, 0.0016 / 2), (1.0, -1.6748, 0.7847)),
    )
    frequencies = np.array([500.0, 1000.0, 2000.0, 4000.0])
    z = np.exp(2j * np.pi * frequencies / 100_000)
    digital = np.prod([np.polyval(b, z) / np.polyval(a, z) for b, a in sections], axis=0)
    np.testing.assert_allclose(np.abs(middle_ear(frequencies)), np.abs(digital), rtol=0.05)


def test_frequencies_of_more_than_one_axis_are_refused():
    with pytest.raises(ValueError, match="frequencies must be an array"):
        middle_ear(np.ones((2, 2)))
