"""Speed: duration and pitch go together, and nothing is folded back."""

import numpy as np
import pytest
from scipy.signal import firwin

from spikedata.acoustics import change_speed, resample
from spikedata.acoustics.speed import _low_pass

RATE = 16_000


def tone(frequency, rate=RATE, duration=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(duration * rate)) / rate)


def inner(sound):
    return sound[len(sound) // 4 : -len(sound) // 4]


def peak_frequency(sound, rate=RATE):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 16 * len(sound)))
    return np.argmax(spectrum) * rate / (16 * len(sound))


@pytest.mark.parametrize("speed", [0.9, 0.953, 1.1, 2.0])
def test_a_faster_sound_is_shorter_and_higher(speed):
    changed = change_speed(tone(500), speed)
    assert changed.size == np.ceil(RATE / speed)
    assert peak_frequency(changed) == pytest.approx(500 * speed, abs=0.5)


@pytest.mark.parametrize("speed", [0.9, 0.953, 1.1])
def test_the_amplitude_of_a_tone_stays(speed):
    assert np.sqrt(2) * np.std(inner(change_speed(tone(500), speed))) == pytest.approx(1.0, rel=2e-3)


def test_speed_1_returns_the_same_samples():
    assert np.array_equal(change_speed(tone(500), 1.0), tone(500))


def test_what_would_be_beyond_half_of_the_rate_is_filtered_out():
    assert np.std(inner(change_speed(tone(7800), 1.25))) < 1e-3


def test_a_sound_resampled_is_the_same_sound():
    assert inner(resample(tone(500, 48_000), 48_000, RATE)) == pytest.approx(inner(tone(500)), abs=2e-4)


def test_resampling_to_its_own_rate_returns_the_same_samples():
    assert np.array_equal(resample(tone(500), RATE, RATE), tone(500))


@pytest.mark.parametrize("factor", [1, 3, 1000])
def test_the_filter_is_the_textbook_one(factor):
    # SciPy's windowed sinc, whose sine and Bessel function come from libraries
    textbook = firwin(32 * factor + 1, 1 / factor if factor > 1 else 1 - 1e-12, window=("kaiser", 8.0))
    own = _low_pass(factor)
    assert own == pytest.approx(textbook, abs=1e-11 if factor > 1 else 1e-9)


@pytest.mark.parametrize("speed", [0.0, -1.0, 0.2, 4.5, np.nan, np.inf])
def test_a_speed_that_nothing_plays_at_is_refused(speed):
    with pytest.raises(ValueError, match=r"^speed must be in 0\.25\.\.4, got "):
        change_speed(tone(500), speed)
