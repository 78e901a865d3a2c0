"""Noise: its ratio, its spectrum, its talkers, and what cannot be mixed."""

import numpy as np
import pytest

from spikedata.acoustics import (
    NoiseError,
    active_rms,
    average_spectrum,
    babble,
    mix_noise,
    speech_shaped_noise,
    stream_of,
    white_noise,
)
from spikedata.acoustics.noise import BAND_WIDTH

RATE = 16_000
TONE = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
HISS = white_noise(2 * RATE, stream_of(0, "hiss"))


def power(sound):
    return float(np.mean(np.square(sound - np.mean(sound))))


@pytest.mark.parametrize("snr", [-10.0, 0.0, 5.5, 30.0])
def test_the_ratio_of_what_was_added_is_the_one_asked_for(snr):
    added = mix_noise(TONE, HISS, RATE, snr=snr) - TONE
    assert 10 * np.log10(power(TONE) / power(added)) == pytest.approx(snr, abs=1e-6)


def test_silence_around_a_word_does_not_lower_its_noise():
    silence = np.zeros(RATE // 2)
    padded = np.concatenate([silence, TONE, silence])
    added = mix_noise(padded, HISS, RATE, snr=3.0) - padded
    assert power(added) == pytest.approx(power(mix_noise(TONE, HISS, RATE, snr=3.0) - TONE), rel=0.02)


def test_neither_the_sound_nor_the_noise_is_changed():
    sound, noise = TONE.copy(), HISS.copy()
    mix_noise(sound, noise, RATE, snr=0.0)
    assert np.array_equal(sound, TONE)
    assert np.array_equal(noise, HISS)


def test_the_level_of_the_noise_does_not_matter():
    assert mix_noise(TONE, 1000 * HISS, RATE, snr=3.0) == pytest.approx(mix_noise(TONE, HISS, RATE, snr=3.0), abs=1e-12)


def test_noise_shorter_than_the_sound_is_refused_and_repeated_if_asked():
    short = HISS[: RATE // 3]
    with pytest.raises(NoiseError, match=r"^noise of 5333 samples is shorter than the sound of 16000; loop=True"):
        mix_noise(TONE, short, RATE, snr=0.0)
    added = mix_noise(TONE, short, RATE, snr=0.0, loop=True) - TONE
    assert added[:100] == pytest.approx(added[short.size : short.size + 100], abs=1e-12)


@pytest.mark.parametrize("silent", [np.zeros(RATE), np.full(RATE, 0.25)])
def test_silent_noise_is_refused(silent):
    with pytest.raises(NoiseError, match=r"^the noise is silent: all of its 16000 samples are 0"):
        mix_noise(TONE, silent, RATE, snr=0.0)


def test_noise_cannot_be_added_to_silence():
    with pytest.raises(ValueError, match=r"^silent: no signal-to-noise ratio can be set"):
        mix_noise(np.zeros(RATE), HISS, RATE, snr=0.0)


def test_white_noise_has_the_same_power_in_all_bands():
    spectrum = np.abs(np.fft.rfft(white_noise(80_000, stream_of(1, "a")))) ** 2
    bands = spectrum[1:].reshape(40, 1000).mean(axis=1)
    assert bands / bands.mean() == pytest.approx(np.ones(40), abs=5 / np.sqrt(1000))


def test_speech_shaped_noise_has_the_spectrum_of_its_recordings():
    voice = np.convolve(white_noise(20 * RATE, stream_of(2, "v")), [1.0, 0.9, 0.5, 0.2])  # low, as a voice is
    spectrum = average_spectrum([(voice, RATE)])
    shaped = speech_shaped_noise(20 * RATE, RATE, spectrum, stream_of(3, "n"))
    again = average_spectrum([(shaped, RATE)])
    octaves = [slice(int(low / BAND_WIDTH), int(2 * low / BAND_WIDTH)) for low in (125, 250, 500, 1000, 2000, 3900)]
    levels = [10 * np.log10(again[band].sum() / spectrum[band].sum()) for band in octaves]
    assert max(map(abs, levels)) < 0.3  # [dB]


def test_a_spectrum_is_the_same_at_another_sample_rate():
    time = np.arange(RATE) / RATE
    slow = sum(np.sin(2 * np.pi * f * time) for f in (300, 900, 2500))
    fast_time = np.arange(3 * RATE) / (3 * RATE)
    fast = sum(np.sin(2 * np.pi * f * fast_time) for f in (300, 900, 2500))
    assert average_spectrum([(slow, RATE)]) == pytest.approx(average_spectrum([(fast, 3 * RATE)]), abs=5e-4)


def test_each_recording_counts_alike_in_a_spectrum_whatever_its_level():
    low, high = (np.sin(2 * np.pi * f * np.arange(RATE) / RATE) for f in (300, 3000))
    assert average_spectrum([(low, RATE), (0.001 * high, RATE)]) == pytest.approx(
        average_spectrum([(low, RATE), (high, RATE)]), abs=1e-9
    )


def test_no_sound_has_no_spectrum():
    with pytest.raises(NoiseError, match="all are silent"):
        average_spectrum([(np.zeros(RATE), RATE)])


def test_all_talkers_of_babble_are_equally_loud():
    low, high = (np.sin(2 * np.pi * f * np.arange(RATE) / RATE) for f in (300, 3000))
    spectrum = np.abs(np.fft.rfft(babble(RATE, RATE, [[low], [0.01 * high]], stream_of(0, "b"))))
    assert spectrum[300] == pytest.approx(spectrum[3000], rel=1e-6)


def test_babble_is_as_long_as_asked_and_begins_anywhere():
    beginnings = {babble(RATE, RATE, [[TONE[:777]]], stream_of(0, f"{n}"))[0] for n in range(10)}
    assert len(beginnings) > 5
    assert babble(10, RATE, [[TONE]], stream_of(0, "b")).shape == (10,)


@pytest.mark.parametrize(
    ("talkers", "fault"),
    [([], "at least one talker"), ([[]], "talker 0 .* no recording"), ([[TONE], [np.zeros(9)]], "talker 1 .* silent")],
)
def test_babble_of_nobody_is_refused(talkers, fault):
    with pytest.raises(NoiseError, match=fault):
        babble(10, RATE, talkers, stream_of(0, "b"))


def test_noise_of_one_seed_is_the_same_to_the_bit():
    first, second = (white_noise(1000, stream_of(5, "x", 1)) for _ in range(2))
    assert np.array_equal(first, second)
    assert active_rms(first, RATE) == active_rms(second, RATE)


def test_long_noise_begins_as_short_noise_does():
    # it is made piece by piece, so that hours of it need no more memory than their samples
    short, long = (white_noise(n, stream_of(6, "x")) for n in (2**16, 3 * 2**16 + 5))
    assert np.array_equal(long[: 2**16], short)
    assert abs(np.mean(long[: 2**16] * long[2**16 : 2**17])) < 5 / 2**8
