"""One clip: how it is drawn, cut and leveled."""

import numpy as np
import pytest

from spikedata.synth.clip import cut_and_level, draw_take
from spikedata.synth.words import Word

SAMPLE_RATE = 16000
WORD = Word("one", "one", "english", 1)


def tone_in_silence(n_before, n_tone, n_after):
    tone = np.sin(2 * np.pi * 1000 * np.arange(n_tone) / SAMPLE_RATE)
    return np.concatenate([np.zeros(n_before), tone, np.zeros(n_after)])


def test_takes_stay_within_their_bounds_and_reach_them():
    takes = [draw_take(WORD, "f3", trial, seed=0) for trial in range(2000)]
    assert {take.rate for take in takes} == set(range(130, 191))
    assert {take.pitch for take in takes} == set(range(35, 66))
    assert {take.pitch_range for take in takes} == set(range(30, 71))


def test_a_take_depends_on_word_voice_trial_and_seed_but_not_on_the_label():
    first = draw_take(WORD, "f3", 0, seed=0)
    assert draw_take(WORD._replace(label=7), "f3", 0, seed=0) == first
    others = [
        draw_take(WORD._replace(text="won"), "f3", 0, seed=0),
        draw_take(WORD._replace(language="german"), "f3", 0, seed=0),
        draw_take(WORD, "m3", 0, seed=0),
        draw_take(WORD, "f3", 1, seed=0),
        draw_take(WORD, "f3", 0, seed=1),
    ]
    assert first not in others


@pytest.mark.parametrize(("n_before", "n_after"), [(0, 0), (8000, 80), (80, 16000)])
def test_a_margin_of_30_ms_stays_around_a_word(n_before, n_after):
    word = cut_and_level(tone_in_silence(n_before, 4000, n_after), SAMPLE_RATE)
    loud = np.flatnonzero(word)
    one_frame = 80  # the ends are found to 5 ms
    assert loud[0] == pytest.approx(480, abs=one_frame)
    assert len(word) - loud[-1] == pytest.approx(480, abs=one_frame)


def test_a_clip_begins_and_ends_near_zero():
    hum = 0.005 * np.sin(2 * np.pi * 100 * np.arange(8000) / SAMPLE_RATE + 1)
    hum[2000:6000] *= 200
    word = cut_and_level(hum, SAMPLE_RATE)
    assert np.abs(word[[0, -1]]).max() < 1e-6 * np.abs(word).max()


def test_the_level_is_fixed_unless_a_peak_would_clip():
    word = cut_and_level(tone_in_silence(1000, 4000, 1000), SAMPLE_RATE)
    assert np.sqrt(np.mean(word**2)) == pytest.approx(0.0347)
    click = np.zeros(8000)
    click[[1000, 7000]] = 1.0
    assert np.abs(cut_and_level(click, SAMPLE_RATE)).max() == pytest.approx(0.99)


def test_the_waveform_that_was_given_stays_as_it_is():
    waveform = tone_in_silence(0, 4000, 0)
    before = waveform.copy()
    cut_and_level(waveform, SAMPLE_RATE)
    assert np.array_equal(waveform, before)
