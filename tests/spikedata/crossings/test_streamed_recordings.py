"""Recordings that ship with the package, heard block by block: the spikes of the whole file."""

import numpy as np
import pytest

import cochlea
import spikedata as sd

CLIPS = (
    "lang-english_speaker-04_trial-0_digit-8",
    "lang-german_speaker-05_trial-0_digit-7",
    "lang-german_speaker-11_trial-0_digit-3",
)


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize(
    ("ear", "rate"), [("default", 16_000), ("default", 48_000), ("human", 16_000)], ids=["default", "48 kHz", "human"]
)
def test_a_streamed_recording_has_the_spikes_of_its_file(name, ear, rate):
    waveform, found_rate = sd.read_audio(sd.embedded_corpus() / f"{name}.flac")
    waveform = cochlea.resample(waveform, found_rate, rate)
    params = {"default": cochlea.CochleaParams, "human": cochlea.CochleaParams.human}[ear]()
    params = params if ear == "default" else params.with_channels(64)
    stream = cochlea.Stream(rate, params, full_scale_db_spl=100, key=name)
    rng, first, found = np.random.default_rng(0), 0, []
    while first < waveform.size:
        n = int(rng.integers(0, 3_000))
        found.append(stream.push(waveform[first : first + n]))
        first += n
    found.append(stream.finish())
    wanted = cochlea.encode(waveform, rate, stream.params, key=name)
    assert np.array_equal(np.concatenate([spikes.times for spikes in found]), wanted.times)
    assert np.array_equal(np.concatenate([spikes.units for spikes in found]), wanted.units)
    assert wanted.times.size > 1_000
