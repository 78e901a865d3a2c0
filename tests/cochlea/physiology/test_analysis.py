import numpy as np
import pytest

from cochlea.physiology.analysis import greenwood_frequency, group_delay, median_energy_time, rate_level, tuning_width


def resonance(frequencies, best, quality):
    """The gain of a simple resonance."""
    ratio = frequencies / best
    return 1 / np.sqrt(1 + (quality * (ratio - 1 / ratio)) ** 2)


def test_the_human_map_runs_from_20_hertz_to_20_kilohertz():
    # Greenwood 1990 gives 20 to 20,677 Hz for man
    np.testing.assert_allclose(greenwood_frequency([3.5, 0.0]), [19.8, 20_677], rtol=0.01)
    assert np.all(np.diff(greenwood_frequency(np.linspace(0, 3.5, 50))) < 0)


def test_the_map_scales_with_the_length():
    np.testing.assert_allclose(greenwood_frequency([1.0, 2.0], length=4.0), greenwood_frequency([0.875, 1.75]))


def test_a_resonance_has_a_third_of_its_quality_at_10_decibels():
    # power 1 / (1 + Q^2 (r - 1/r)^2) is 0.1 where r - 1/r = +-3 / Q: the width is 3 / Q of the best frequency
    frequencies = np.arange(1, 3000.0)
    width = tuning_width(frequencies, resonance(frequencies, 1000.0, 12.0))
    assert width.best_frequency == 1000.0
    assert width.q10 == pytest.approx(12 / 3, rel=1e-4)


def test_a_rectangular_filter_is_as_wide_as_its_equivalent_rectangle():
    frequencies = np.arange(0, 2000.0)
    gain = np.where(np.abs(frequencies - 1000) <= 50, 3.0, 1e-9)
    gain[1000] *= 1.0001
    assert tuning_width(frequencies, gain).q_erb == pytest.approx(1000 / 101, rel=1e-3)


def test_the_width_does_not_depend_on_the_size_of_the_gain():
    frequencies = np.arange(1, 3000.0)
    gain = resonance(frequencies, 1000.0, 12.0)
    assert tuning_width(frequencies, gain) == pytest.approx(tuning_width(frequencies, 1e5 * gain))


@pytest.mark.parametrize("part", [slice(900, None), slice(1100)])
def test_a_curve_that_is_cut_off_has_no_width(part):
    frequencies = np.arange(1, 3000.0)
    with pytest.raises(ValueError, match="must fall by 10 dB on both sides"):
        tuning_width(frequencies[part], resonance(frequencies, 1000.0, 12.0)[part])


@pytest.mark.parametrize("delay", [0.002, -0.002])
def test_a_pure_delay_is_its_own_group_delay(delay):
    frequencies = np.arange(100, 1000, 10.0)
    response = 3 * np.exp(-2j * np.pi * frequencies * delay)
    np.testing.assert_allclose(group_delay(frequencies, [response, response]), delay, rtol=1e-9)


def test_half_of_the_energy_of_a_pair_of_clicks_has_passed_at_the_stronger():
    signals = np.zeros((2, 100))
    signals[0, [20, 50]] = 0.9, -1.0
    signals[1, [20, 50]] = 1.0, 0.9
    np.testing.assert_allclose(median_energy_time(signals, 1000), [0.05, 0.02])


def test_a_straight_rate_level_function_has_80_percent_of_its_range():
    levels = np.arange(-20.0, 31.0, 10)
    measured = rate_level(levels, [50.0, 50, 60, 70, 80, 90])
    assert measured.spontaneous == 50.0
    assert measured.saturated == 90.0
    assert measured.threshold == pytest.approx(-10 + 4)
    assert measured.dynamic_range == pytest.approx(32)


def test_a_dip_does_not_confuse_the_dynamic_range():
    measured = rate_level(np.arange(0.0, 60, 10), [10.0, 20, 60, 55, 100, 110])
    assert measured.threshold == pytest.approx(10.0)
    assert measured.dynamic_range == pytest.approx(30.0)


def test_a_rate_that_never_rises_has_no_threshold():
    with pytest.raises(ValueError, match="rates must rise with the level, got 5 at the lowest, 5 at the top"):
        rate_level([0.0, 10.0], [5.0, 5.0])
