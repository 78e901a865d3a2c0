"""Reading recordings: what works, and one clear line for what does not."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora.audio import AudioError, read_audio, read_sound

RATE = 16_000


def tone(n_samples: int = 1600, n_channels: int = 1) -> np.ndarray:
    time = np.arange(n_samples) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * 440 * time * (channel + 1)) for channel in range(n_channels)], axis=1)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_a_recording_comes_back_with_its_rate(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"x.{suffix}", tone(), RATE)

    waveform, sample_rate = read_audio(tmp_path / f"x.{suffix}")

    assert (waveform.shape, waveform.dtype, sample_rate) == ((1600,), np.float64, RATE)
    lossy_or_16_bit = 0.02 if suffix == "ogg" else 1e-4
    assert np.abs(waveform - tone()[:, 0]).max() < lossy_or_16_bit


def test_stereo_is_averaged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", tone(n_channels=2), RATE, subtype="DOUBLE")

    waveform, _ = read_audio(tmp_path / "x.wav")

    np.testing.assert_allclose(waveform, tone(n_channels=2).mean(axis=1))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 192_000])
def test_every_usual_rate_is_read(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.wav", tone(), rate)

    assert read_audio(tmp_path / "x.wav")[1] == rate


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"x\.wav: no such file"):
        read_audio(tmp_path / "x.wav")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.flac").touch()

    with pytest.raises(AudioError, match=r"x\.flac: the file is empty"):
        read_audio(tmp_path / "x.flac")


def test_text_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("hello")

    with pytest.raises(AudioError, match=r"x\.wav: not a readable recording: Format not recogni"):
        read_audio(tmp_path / "x.wav")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    soundfile.write(buffer, noise, RATE, format=suffix)
    whole = buffer.getvalue()
    (tmp_path / f"x.{suffix}").write_bytes(whole[: int(kept * len(whole))])

    with pytest.raises(AudioError, match=rf"x\.{suffix}: (cut off|not a readable recording)"):
        read_audio(tmp_path / f"x.{suffix}")


def test_a_recording_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(0), RATE)

    with pytest.raises(AudioError, match=r"x\.wav: holds no samples"):
        read_audio(tmp_path / "x.wav")


def test_a_sample_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    samples = tone()[:, 0]
    samples[7] = np.nan
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")

    with pytest.raises(AudioError, match=r"x\.wav: sample 7 is nan, must be finite"):
        read_audio(tmp_path / "x.wav")


def test_a_sample_rate_that_the_cochlea_does_not_take_is_named(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.array([0.1, -0.1]), 999)
    with pytest.raises(AudioError, match=r"slow\.wav: sample rate 999 Hz, must be at least 1000 Hz to be heard"):
        read_sound(tmp_path / "slow.wav")
