import numpy as np
import pytest

from cochlea.physiology.spike_statistics import (
    fit_adaptation,
    hazard_rate,
    interspike_intervals,
    modulation_gain,
    peristimulus_histogram,
    vector_strength,
)


def test_a_spike_on_an_edge_belongs_to_the_later_bin():
    rate = 24_000
    times = np.arange(0, rate, 24) / rate  # one spike at the start of every bin of 1 ms, as rounded by the division
    np.testing.assert_allclose(peristimulus_histogram(times, 1.0, bin_width=1e-3, n_repeats=1), 1000)


def test_a_histogram_counts_every_spike_within_it_once():
    times = np.random.default_rng(0).uniform(-0.1, 1.1, 1000)
    histogram = peristimulus_histogram(times, 1.0, bin_width=0.02, n_repeats=10)
    assert histogram.shape == (50,)
    assert histogram.sum() * 0.02 * 10 == pytest.approx(np.sum((times >= 0) & (times < 1)))


def test_an_empty_histogram_is_zero():
    np.testing.assert_array_equal(peristimulus_histogram([], 0.003, bin_width=0.001, n_repeats=5), np.zeros(3))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_constants_of_an_exact_course_are_found(sign):
    times = np.arange(0, 0.3, 1e-3)
    rates = 90 + sign * (250 * np.exp(-times / 0.004) + 40 * np.exp(-times / 0.07))
    fit = fit_adaptation(times, rates)
    np.testing.assert_allclose(fit, [90, sign * 250, sign * 40, 0.004, 0.07], rtol=1e-5)


def test_the_constants_of_a_noisy_course_are_found():
    times = np.arange(0, 0.3, 1e-3)
    rates = 90 + 250 * np.exp(-times / 0.004) + 40 * np.exp(-times / 0.07)
    fit = fit_adaptation(times, rates + np.random.default_rng(0).normal(0, 2, times.size))
    np.testing.assert_allclose(fit, [90, 250, 40, 0.004, 0.07], rtol=0.15)  # about three standard errors of 5 %


def test_spikes_at_one_phase_are_locked_perfectly():
    assert vector_strength(0.0123 + np.arange(50) / 200, 200.0) == pytest.approx(1.0)


def test_spikes_at_all_phases_are_not_locked():
    assert vector_strength(np.arange(100) / 10_000, 100.0) == pytest.approx(0.0, abs=1e-12)


def test_a_half_wave_rectified_sine_has_the_vector_strength_of_its_first_harmonic():
    times = np.arange(1000) / 100_000
    drive = np.maximum(np.sin(2 * np.pi * 100 * times), 0)
    assert vector_strength(times, 100.0, drive) == pytest.approx(np.pi / 4, rel=1e-4)


def test_a_weight_counts_like_as_many_spikes():
    weighted = vector_strength([0.001, 0.004], 100.0, [3, 1])
    assert weighted == pytest.approx(vector_strength([0.001, 0.001, 0.001, 0.004], 100.0))


@pytest.mark.parametrize(("times", "weights"), [([], None), ([0.1], [0.0])])
def test_no_spikes_have_no_vector_strength(times, weights):
    with pytest.raises(ValueError, match="vector_strength needs at least one spike"):
        vector_strength(times, 100.0, weights)


def test_intervals_stay_within_their_unit():
    times, units = [0.5, 0.1, 0.3, 0.2, 0.4], [7, 7, 2, 2, 2]
    np.testing.assert_allclose(interspike_intervals(times, units), [0.1, 0.1, 0.4])


def test_a_unit_with_one_spike_has_no_interval():
    assert interspike_intervals([0.1, 0.2], [0, 1]).size == 0


def test_a_poisson_process_with_a_dead_time_has_a_constant_hazard_after_it():
    intervals = 0.001 + np.random.default_rng(0).exponential(1 / 200, 50_000)
    hazard = hazard_rate(intervals, bin_width=5e-4, n_bins=10)
    np.testing.assert_array_equal(hazard[:2], 0.0)
    # about 4,000 intervals end in each bin: 1.6 %; five standard errors
    np.testing.assert_allclose(hazard[2:], 200, rtol=0.08)


def test_a_bin_that_no_interval_reaches_has_no_hazard():
    hazard = hazard_rate([0.001, 0.002], bin_width=0.001, n_bins=4)
    assert np.isnan(hazard[3])
    assert np.isinf(hazard[2])  # all that came so far ended there
    assert hazard[0] == 0.0


def test_spikes_all_at_one_phase_have_twice_the_modulation_of_a_full_one():
    # R = 1, so 2 R / m = 2 / 1
    assert modulation_gain(np.arange(100) / 50, 50.0, 1.0) == pytest.approx(20 * np.log10(2))


def test_a_rate_as_modulated_as_the_sound_has_no_gain():
    phase = (np.arange(20_000) + 0.5) / 20_000
    # spikes at the density 1 + 0.5 sin(2 pi t): the integral of the density is inverted by interpolation
    integral = phase + 0.5 / (2 * np.pi) * (1 - np.cos(2 * np.pi * phase))
    times = np.interp(phase, integral, phase)
    assert modulation_gain(times, 1.0, 0.5) == pytest.approx(0.0, abs=0.01)
    assert modulation_gain(times, 1.0, 1.0) == pytest.approx(20 * np.log10(0.5), abs=0.01)


@pytest.mark.parametrize("depth", [0.0, 1.5])
def test_a_modulation_is_of_some_depth_up_to_1(depth):
    with pytest.raises(ValueError, match="depth must be > 0 and <= 1"):
        modulation_gain([0.0], 100.0, depth)
