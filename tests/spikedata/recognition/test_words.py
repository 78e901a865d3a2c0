"""Where in a recording a word is."""

from itertools import pairwise

import numpy as np
import pytest

from spikedata.recognition import find_words

RATE = 16_000


def tone(seconds: float, level: float = 1.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * 700 * np.arange(round(seconds * RATE)) / RATE)


def quiet(seconds: float, level: float = 0.0, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def spans(*parts: np.ndarray) -> list[tuple[float, float]]:
    return [(word.start / RATE, word.stop / RATE) for word in find_words(np.concatenate(parts), RATE)]


def test_a_word_keeps_30_ms_before_it_and_120_ms_behind_it():
    ((start, stop),) = spans(quiet(1.0), tone(0.4), quiet(1.0))
    assert start == pytest.approx(0.97, abs=0.011)
    assert stop == pytest.approx(1.52, abs=0.021)


def test_a_word_that_fills_the_recording_is_all_of_it():
    assert spans(quiet(0.03), tone(0.4), quiet(0.1)) == [(0.0, 0.53)]


@pytest.mark.parametrize("level", [0.0, 1e-3, 1e-2])
def test_noise_around_a_word_does_not_move_it(level):
    ((start, stop),) = spans(quiet(1.5, level), tone(0.4), quiet(0.7, level, seed=1))
    assert start == pytest.approx(1.47, abs=0.021)
    assert stop == pytest.approx(2.02, abs=0.031)


@pytest.mark.parametrize("factor", [1e-300, 1e-6, 1e300])
def test_the_level_of_the_recording_does_not_matter(factor):
    parts = [quiet(0.5, 1e-3), tone(0.4), quiet(0.5, 1e-3)]
    assert spans(factor * np.concatenate(parts)) == spans(*parts)


def test_neither_an_offset_nor_hum_is_a_word():
    hum = 0.5 * np.sin(2 * np.pi * 50 * np.arange(round(1.4 * RATE)) / RATE)
    plain = [quiet(0.5, 1e-3), tone(0.4), quiet(0.5, 1e-3)]
    for added in (0.7, hum):
        assert spans(np.concatenate(plain) + added)[0] == pytest.approx(spans(*plain)[0], abs=0.021)


def test_a_gap_of_a_quarter_of_a_second_is_inside_a_word():
    assert len(spans(quiet(0.5), tone(0.2), quiet(0.25), tone(0.1), quiet(0.5))) == 1


def test_words_with_pauses_between_them_are_told_apart_in_their_order():
    found = find_words(np.concatenate([tone(0.3, 0.5), quiet(0.5), tone(0.3), quiet(0.5), tone(0.3, 0.7)]), RATE)
    assert [word.energy for word in found] == pytest.approx([0.25, 1.0, 0.49], abs=0.02)
    assert all(one.stop <= other.start for one, other in pairwise(found))


def test_a_click_and_a_faint_breath_are_no_words():
    click = np.r_[1.0, np.zeros(10)]
    assert len(spans(tone(0.3), quiet(0.6), click, quiet(0.6), tone(0.3, 0.03))) == 1


@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_stationary_noise_holds_no_word(seconds):
    white = quiet(seconds, 0.1)
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(white))
    assert find_words(white, RATE) == find_words(pink, RATE) == ()


@pytest.mark.parametrize("waveform", [np.zeros(RATE), np.full(RATE, 0.3), np.zeros(0), np.ones(3)])
def test_silence_and_next_to_nothing_hold_no_word(waveform):
    assert find_words(waveform, RATE) == ()


def test_the_recording_is_left_as_it_is():
    waveform = np.concatenate([quiet(0.5), tone(0.4), quiet(0.5)])
    before = waveform.copy()
    find_words(waveform, RATE)
    assert np.array_equal(waveform, before)
