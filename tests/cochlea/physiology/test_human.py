"""The preset `human`, measured as an animal is. The gates are the model's own figures, as in test_physiology."""

import numpy as np
import pytest

from cochlea import CochleaParams
from cochlea.physiology.measurements import phase_locking, rate_levels, receptor_potentials
from cochlea.physiology.membrane_measurements import growth, growth_slope, two_tone_suppression
from cochlea.physiology.recording import fiber_classes, reference_amplitude, respond, spontaneous_times, tone_burst
from cochlea.physiology.spike_statistics import interspike_intervals

HUMAN = CochleaParams.human()
LEVELS = np.array([40.0, 50.0, 60.0, 70.0])  # [dB SPL]


def rng():
    return np.random.default_rng(20220901)


def test_the_membrane_compresses_at_its_frequency_and_not_an_octave_below():
    on, off = (growth(f, LEVELS, HUMAN, place_frequency=1000.0) for f in (1000.0, 500.0))
    assert growth_slope(LEVELS, on, 40.0, 70.0) == pytest.approx(0.25, abs=0.03)
    assert growth_slope(LEVELS, off, 40.0, 70.0) == pytest.approx(0.96, abs=0.02)


def test_a_tone_below_suppresses_more_than_one_above():
    below, above = (two_tone_suppression(1000.0, 40.0, f, [80.0], HUMAN)[0] for f in (600.0, 1300.0))
    assert below == pytest.approx(19.7, abs=1.5)
    assert above == pytest.approx(1.8, abs=0.5)


def test_the_receptor_potential_loses_what_is_fast():
    potentials = receptor_potentials([101.0, 1009.0, 4013.0], HUMAN)
    assert potentials.resting == pytest.approx(-0.05, abs=1e-4)
    np.testing.assert_allclose(potentials.ac / potentials.dc, [6.0, 1.034, 0.295], rtol=0.02)


def test_the_classes_differ_in_silence_and_all_saturate():
    assert fiber_classes(HUMAN) == ("high", "medium", "low")
    curves = [
        rate_levels(1000.0, [-20.0, 100.0], HUMAN, rng(), n_bushy_cells=0, fiber_class=name).steady
        for name in fiber_classes(HUMAN)
    ]
    # 20,000 fibers for 0.1 s: 2,000 fibers' seconds, a rate of 100 is known to 0.3
    np.testing.assert_allclose([silent for silent, _ in curves], [102, 6.3, 0.0], atol=1.5)
    np.testing.assert_allclose([loud for _, loud in curves], [247, 237, 213], atol=4)


def test_fibers_do_not_lock_to_5_kilohertz():
    locking = phase_locking([1009.0, 5021.0], HUMAN, rng(), level=60.0, n_bushy_cells=1)
    assert locking.release[0] == pytest.approx(0.71, abs=0.03)
    assert locking.release[1] < 0.1


def test_no_interval_is_shorter_than_three_quarters_of_a_millisecond():
    times, _ = spontaneous_times(100.0, HUMAN, rng(), n_bushy_cells=0)
    intervals = interspike_intervals(times, np.zeros(times.size))
    assert 0.75e-3 - 1e-9 < intervals.min() < 0.85e-3


@pytest.mark.parametrize(("name", "rate"), [("high", 102), ("medium", 6.3), ("low", 0.0)])
def test_silence_gives_the_spontaneous_rate_of_each_class(name, rate):
    times, _ = spontaneous_times(100.0, HUMAN, rng(), n_bushy_cells=0, fiber_class=name)
    assert times.size / 100 == pytest.approx(rate, abs=4 * np.sqrt(rate / 100) + 0.1)


def test_a_tone_is_heard_in_decibels_of_sound_pressure():
    tone = tone_burst(1000.0, 94.0, duration=0.1, reference=reference_amplitude(HUMAN))
    assert np.sqrt(np.mean(np.square(tone[4000:6000]))) == pytest.approx(1.0, rel=0.01)  # 1 Pa
    with pytest.raises(ValueError, match="fiber_class must be one of high, medium, low, got 'all'"):
        respond(tone, 400, HUMAN, rng(), n_fibers=1, fiber_class="all")
