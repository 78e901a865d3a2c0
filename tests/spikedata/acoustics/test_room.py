"""Rooms: the decay and the ratio that were asked for."""

import numpy as np
import pytest

from spikedata.acoustics import impulse_response, reverberate, stream_of

RATE = 16_000


def response(time=0.5, ratio=5.0, key="room"):
    return impulse_response(RATE, reverberation_time=time, direct_to_reverberant=ratio, rng=stream_of(0, key))


@pytest.mark.parametrize("time", [0.2, 0.5, 2.0])
def test_reverberation_falls_by_60_dB_in_its_time(time):
    # Schroeder's backward integration (JASA 37:409, 1965), from -5 to -35 dB as in ISO 3382
    energy = np.cumsum(response(time)[:0:-1] ** 2)[::-1]
    decay = 10 * np.log10(energy / energy[0])
    fit = (decay < -5) & (decay > -35)
    slope = np.polyfit(np.flatnonzero(fit) / RATE, decay[fit], 1)[0]
    assert -60 / slope == pytest.approx(time, rel=0.05)


@pytest.mark.parametrize("ratio", [-10.0, 0.0, 12.5])
def test_the_direct_sound_has_its_ratio_to_the_rest(ratio):
    found = response(ratio=ratio)
    assert found[0] == 1.0
    assert -10 * np.log10(np.sum(found[1:] ** 2)) == pytest.approx(ratio, abs=1e-9)


def test_two_clips_have_two_rooms():
    assert abs(np.corrcoef(response(key="a")[1:], response(key="b")[1:])[0, 1]) < 0.06  # five of 1 / sqrt(8000)


@pytest.mark.parametrize("n_samples", [1, 10, 7999, 8001, 100_000])
def test_a_sound_in_a_room_is_its_convolution_and_keeps_its_length(n_samples):
    sound = np.sin(np.arange(n_samples) ** 1.5)
    heard = reverberate(sound, response())
    assert heard.shape == sound.shape
    assert heard == pytest.approx(np.convolve(sound, response())[:n_samples], abs=1e-11)


def test_the_first_samples_are_those_of_the_direct_sound():
    sound = np.zeros(100)
    sound[50] = 1.0
    heard = reverberate(sound, response())
    assert np.abs(heard[:50]).max() < 1e-12
    assert heard[50] == pytest.approx(1.0)


@pytest.mark.parametrize("time", [0.0, -0.3, 11.0, np.nan])
def test_a_time_that_no_room_has_is_refused(time):
    with pytest.raises(ValueError, match=r"^reverberation_time must be > 0 and <= 10 s, got "):
        response(time=time)
