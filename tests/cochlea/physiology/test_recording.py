from dataclasses import replace

import numpy as np
import pytest

from cochlea import CochleaParams, characteristic_frequencies
from cochlea.physiology.recording import (
    ONSET,
    SAMPLE_RATE,
    fiber_classes,
    nearest_channel,
    reference_amplitude,
    respond,
    spontaneous_times,
    tone_burst,
)

PARAMS = CochleaParams()


def rng():
    return np.random.default_rng(0)


def test_a_tone_stands_between_two_silences():
    tone = tone_burst(1000.0, 0.0, duration=0.1, silence=0.2)
    start, stop = round(ONSET * SAMPLE_RATE), round((ONSET + 0.1) * SAMPLE_RATE)
    assert tone.size == round((ONSET + 0.3) * SAMPLE_RATE)
    assert not tone[:start].any()
    assert not tone[stop:].any()
    assert np.abs(tone).max() == pytest.approx(1.0, rel=1e-3)


def test_twenty_decibels_are_ten_times_the_amplitude():
    np.testing.assert_allclose(
        tone_burst(500.0, 20.0, duration=0.05), 10 * tone_burst(500.0, 0.0, duration=0.05), rtol=1e-12
    )


def test_the_nearest_channel_is_nearest_in_octaves():
    frequencies = characteristic_frequencies(PARAMS.basilar_membrane)
    assert nearest_channel(frequencies[300], PARAMS) in np.nonzero(frequencies == frequencies[300])[0]
    assert frequencies[nearest_channel(1000.0, PARAMS)] == pytest.approx(1000, rel=0.01)


def test_the_fibers_are_as_many_as_asked_for():
    answer = respond(np.zeros(SAMPLE_RATE // 10), 400, PARAMS, rng(), n_fibers=30_000)
    # 61 spikes/s of each for 0.1 s: 183,000 +- 430
    assert answer.fiber_times.size == pytest.approx(183_000, rel=0.02)
    assert answer.bushy_times.size == 0


def test_the_same_generator_gives_the_same_spikes():
    tone = tone_burst(1000.0, 0.0, duration=0.05)
    first, second = (respond(tone, 400, PARAMS, rng(), n_fibers=50, n_bushy_cells=3) for _ in range(2))
    np.testing.assert_array_equal(first.fiber_times, second.fiber_times)
    np.testing.assert_array_equal(first.bushy_times, second.bushy_times)


def test_the_sound_is_not_normalized():
    quiet, loud = (tone_burst(1000.0, level, duration=0.05) for level in (-60.0, 20.0))
    answers = [respond(tone, 400, PARAMS, rng(), n_fibers=1).probability for tone in (quiet, loud)]
    assert answers[1].max() > 4 * answers[0].max()


def test_a_channel_elsewhere_does_not_hear_the_tone():
    answer = respond(tone_burst(4000.0, 0.0, duration=0.05), 500, PARAMS, rng(), n_fibers=1)
    np.testing.assert_allclose(answer.probability, answer.probability[0], rtol=0.01)


def test_a_deaf_model_is_silent():
    deaf = replace(PARAMS, hair_cell=replace(PARAMS.hair_cell, release=1e-6))
    fiber_times, bushy_times = spontaneous_times(1.0, deaf, rng(), n_bushy_cells=2)
    assert fiber_times.size == bushy_times.size == 0


def test_an_ear_of_one_kind_of_fibers_has_one_class():
    assert fiber_classes(PARAMS) == ("all",)
    with pytest.raises(ValueError, match="fiber_class must be one of all, got 'low'"):
        respond(np.zeros(SAMPLE_RATE // 10), 400, PARAMS, rng(), n_fibers=1, fiber_class="low")


def test_an_ear_with_a_relative_level_gets_tones_of_amplitude_1():
    assert reference_amplitude(PARAMS) == 1.0
    in_pascal = replace(PARAMS, stimulus=replace(PARAMS.stimulus, level=None, level_db_spl=65.0))
    assert reference_amplitude(in_pascal) == pytest.approx(2**0.5 * 20e-6)
