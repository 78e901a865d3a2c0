"""Levels: dB, pascal, and silence that does not count."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from spikedata.acoustics import active_rms, gain_of, level_of, set_level

RATE = 16_000
TONE = np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)  # of whole periods in each frame, half a second


def test_94_dB_spl_is_a_pascal():
    assert np.sqrt(np.mean(set_level(TONE, RATE, 94.0) ** 2)) == pytest.approx(1.0024, abs=1e-4)
    assert level_of(np.sqrt(2) * TONE, RATE) == pytest.approx(93.979, abs=1e-3)


@pytest.mark.parametrize("level", [1.0, 45.0, 65.5, 120.0])
def test_a_sound_has_the_level_that_it_was_set_to(level):
    assert level_of(set_level(0.01 * TONE, RATE, level), RATE) == pytest.approx(level, abs=1e-9)


@pytest.mark.parametrize("n_silent", [0, 320, 5000, 50_000])
def test_silence_around_a_word_does_not_change_its_level(n_silent):
    silence = np.zeros(n_silent)
    padded = np.concatenate([silence, TONE, silence])
    # a frame that is half silent counts as one of the sound: two of 25 at most
    assert abs(level_of(padded, RATE) - level_of(TONE, RATE)) < 0.35


def test_noise_41_dB_below_the_sound_is_silence_and_39_dB_is_not():
    after = np.tile(TONE, 3)
    quiet, faint = (np.concatenate([TONE, gain_of(-below) * after]) for below in (41, 39))
    assert active_rms(quiet, RATE) == pytest.approx(active_rms(TONE, RATE))
    assert active_rms(faint, RATE) == pytest.approx(active_rms(TONE, RATE) / 2, rel=1e-3)


@pytest.mark.parametrize("offset", [0.5, -30.0])
def test_an_offset_is_no_sound(offset):
    assert active_rms(TONE + offset, RATE) == pytest.approx(active_rms(TONE, RATE), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_level_is_in_proportion_whatever_the_scale(scale):
    assert active_rms(scale * TONE, RATE) / scale == pytest.approx(active_rms(TONE, RATE), rel=1e-9)


@pytest.mark.parametrize("silent", [np.zeros(100), np.full(100, 0.3), np.zeros(1)])
def test_silence_has_no_level_and_cannot_be_given_one(silent):
    assert active_rms(silent, RATE) == 0.0
    assert level_of(silent, RATE) == -np.inf
    with pytest.raises(ValueError, match=r"^silent: no level can be set, all "):
        set_level(silent, RATE, 65.0)


@pytest.mark.parametrize("level", [120.1, np.inf, np.nan])
def test_a_level_that_hurts_is_refused(level):
    with pytest.raises(ValueError, match=r"^level must be at most 120 dB SPL, got "):
        set_level(TONE, RATE, level)


@pytest.mark.parametrize("decibels", [1.0, -60.0, -60.3, 19.87, 0.1 + 0.2])
def test_gains_are_correct_to_the_last_bit(decibels):
    with localcontext(prec=60):
        assert gain_of(decibels) == float(Decimal(10) ** (Decimal(decibels) / 20))


def test_gains_do_not_depend_on_the_decimal_context_of_a_user():
    with localcontext(prec=3):
        assert gain_of(1.0) == 1.1220184543019633


@pytest.mark.parametrize("wrong", [np.zeros((2, 3)), np.zeros(0), np.array([0.1, np.nan]), np.array([1, 2])])
def test_what_is_no_waveform_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=r"^waveform must "):
        active_rms(wrong, RATE)
