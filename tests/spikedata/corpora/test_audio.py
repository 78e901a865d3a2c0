"""Reading recordings: what works, and one clear line for what does not."""

import io
import os
import signal
import socket
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora import audio, views
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


def test_a_sample_rate_of_a_damaged_header_is_named(tmp_path):
    soundfile.write(tmp_path / "fast.wav", np.array([0.1, -0.1]), 2**30)
    with pytest.raises(AudioError, match=r"fast\.wav: sample rate 1073741824 Hz, must be at most 10000000 Hz"):
        read_sound(tmp_path / "fast.wav")


@pytest.mark.parametrize(("gain", "left"), [(-1.0, "0.0"), (-0.97, "1.5"), (-0.85, "8.1")])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_channels_that_cancel_each_other_are_refused(tmp_path: Path, gain: float, left: str, offset: float) -> None:
    tones = tone() * [1.0, gain] + offset
    soundfile.write(tmp_path / "x.wav", tones, RATE, subtype="DOUBLE")

    with pytest.raises(AudioError, match=rf"x\.wav: its 2 channels cancel each other: their mean has {left} %"):
        read_audio(tmp_path / "x.wav")


UNRELATED = 0.1 * np.random.default_rng(0).standard_normal((1600, 16))


@pytest.mark.parametrize(
    "channels",
    [
        tone() * [1.0, 0.0],
        tone() * [1.0, 0.9],
        tone() * [1.0, -0.7],
        tone() + np.array([0.4, -0.4]),
        tone() * [1.0, *[0.0] * 199],
        UNRELATED,
        np.zeros((100, 2)),
        np.array([[0.5, -0.5]]),
    ],
    ids=["one silent", "alike", "half inverted", "offsets", "one of 200", "unrelated", "silence", "one sample"],
)
def test_channels_that_do_not_cancel_are_averaged(tmp_path: Path, channels: np.ndarray) -> None:
    soundfile.write(tmp_path / "x.wav", channels, RATE, subtype="DOUBLE")

    np.testing.assert_array_equal(read_audio(tmp_path / "x.wav")[0], channels.mean(axis=1))


def test_infinities_of_both_signs_are_named(tmp_path: Path) -> None:
    samples = tone(n_channels=2)
    samples[7] = np.inf, -np.inf
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")

    with pytest.raises(AudioError, match=r"x\.wav: sample 7 is nan, must be finite"):
        read_audio(tmp_path / "x.wav")


def test_many_channels_take_the_memory_of_one_and_a_block(tmp_path: Path) -> None:
    n_samples, n_channels = 100_000, 16
    with soundfile.SoundFile(tmp_path / "x.wav", "w", RATE, n_channels, "PCM_U8") as file:
        for _ in range(10):
            file.write(np.random.default_rng(0).uniform(-0.5, 0.5, (n_samples // 10, n_channels)))
    tracemalloc.start()

    waveform, _ = read_audio(tmp_path / "x.wav")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * waveform.nbytes + 3e6 < 8 * n_samples * n_channels


def test_what_is_no_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")  # nobody writes to it: to open it the usual way waits for ever
    for path, kind in (
        (tmp_path / "folder.wav", "a folder"),
        (tmp_path / "pipe.wav", "a pipe"),
        (os.devnull, "a device"),
    ):
        with pytest.raises(AudioError, match=f"^{path}: is {kind}, must be a file with a recording$"):
            read_audio(path)


def test_a_socket_is_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("x.wav")
        with pytest.raises(AudioError, match=r"^x\.wav: cannot be read"):
            read_audio("x.wav")


@pytest.mark.parametrize("suffix", ["au", "snd", "raw", "gsm", "vox", "sd2", "mp3", "m4a"])
def test_text_is_no_recording_under_any_name(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x.{suffix}").write_text("hello\n" * 1000)  # for a raw format, all bytes would be samples

    with pytest.raises(AudioError, match=rf"x\.{suffix}: not a readable recording"):
        read_audio(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "needs more memory than there is"),
        (TypeError("no"), "not a readable recording: TypeError: no"),
        (AssertionError("a\nb"), "not a readable recording: AssertionError: a b"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (soundfile.SoundFileRuntimeError("closed"), "not a readable recording: SoundFileRuntimeError: closed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_decoder_does_is_an_error_of_its_file(tmp_path, monkeypatch, error: Exception, said: str) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(audio, "decode", fail)
    soundfile.write(tmp_path / "x.wav", tone(), RATE)

    with pytest.raises(AudioError) as caught:
        read_audio(tmp_path / "x.wav")
    assert str(caught.value) == f"{tmp_path / 'x.wav'}: {said}"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", tone(), RATE)
    (tmp_path / "y.flac").write_bytes((tmp_path / "x.flac").read_bytes()[:-20])
    read_audio(tmp_path / "x.flac")
    before = os.dup(0)
    os.close(before)

    for _ in range(3):
        read_audio(tmp_path / "x.flac")
        with pytest.raises(AudioError):
            read_audio(tmp_path / "y.flac")

    after = os.dup(0)
    os.close(after)
    assert after == before


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_an_interruption_while_a_decoder_reads_on_is_not_lost(tmp_path, monkeypatch, suffix):
    soundfile.write(tmp_path / f"x{suffix}", np.sin(np.arange(4000.0)), 8000)
    real = views.bytes_at

    def interrupted(descriptor, n_bytes, start):
        if sys._getframe(1).f_code.co_name == "_bytes_at":
            signal.raise_signal(signal.SIGINT)
        return real(descriptor, n_bytes, start)

    monkeypatch.setattr(views, "bytes_at", interrupted)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            read_audio(tmp_path / f"x{suffix}")
    finally:
        signal.signal(signal.SIGINT, handler)
