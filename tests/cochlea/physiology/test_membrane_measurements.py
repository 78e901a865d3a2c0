"""What a membrane without compression must do exactly, and what the compressive one does."""

import numpy as np
import pytest

from cochlea import CochleaParams
from cochlea.physiology.measurements import membrane_tuning
from cochlea.physiology.membrane_measurements import growth, growth_slope, tuning_at_level, two_tone_suppression
from cochlea.physiology.recording import nearest_channel

DEFAULT, PUBLISHED = CochleaParams(), CochleaParams.published()
LINEAR = pytest.mark.parametrize("params", [DEFAULT, PUBLISHED], ids=["default", "published"])
LEVELS = np.array([40.0, 50.0, 60.0, 70.0])


@LINEAR
def test_a_linear_membrane_grows_by_a_decibel_per_decibel_on_and_off_its_frequency(params):
    for frequency in (1000.0, 500.0):
        curve = growth(frequency, LEVELS, params, place_frequency=1000.0)
        np.testing.assert_allclose(np.diff(curve), 10.0, atol=1e-4)  # rounding of float32
        assert growth_slope(LEVELS, curve, 40.0, 70.0) == pytest.approx(1.0, abs=1e-5)


def test_a_place_answers_less_to_a_tone_an_octave_below():
    on, off = (growth(f, [60.0], DEFAULT, place_frequency=1000.0)[0] for f in (1000.0, 500.0))
    assert on - off == pytest.approx(9.4, abs=0.5)


def test_tones_find_the_tuning_of_the_transfer_function():
    by_tones = tuning_at_level(1000.0, 20.0, DEFAULT)
    exact = membrane_tuning([nearest_channel(1000.0, DEFAULT)], DEFAULT)
    # the grid is 1/96 of an octave near the peak, and 1/8 where the curve has fallen by 10 dB
    assert by_tones.best_frequency == pytest.approx(exact.best_frequency[0], rel=0.01)
    assert by_tones.q10 == pytest.approx(exact.q10[0], rel=0.02)
    assert by_tones.q_erb == pytest.approx(exact.q_erb[0], rel=0.02)


@LINEAR
def test_no_tone_suppresses_another_on_a_linear_membrane(params):
    np.testing.assert_allclose(two_tone_suppression(1000.0, 40.0, 1300.0, [40.0, 80.0], params), 0.0, atol=5e-3)


def test_the_slope_is_that_of_the_levels_asked_for():
    levels = [0, 10, 20, 30, 40]
    assert growth_slope(levels, [0, 10, 20, 22, 24], 20, 40) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="needs 2 levels from 21 to 29 dB, got 0"):
        growth_slope(levels, levels, 21, 29)
