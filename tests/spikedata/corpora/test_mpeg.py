"""MP3 with and without a tag that counts its frames, right or wrong."""

import inspect
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora.audio import AudioError, read_audio

pytestmark = pytest.mark.skipif(
    "bitrate_mode" not in inspect.signature(soundfile.write).parameters, reason="soundfile writes no variable bit rate"
)

RATE = 44_100
LOUD_LAST = np.concatenate([np.zeros(RATE // 2), 0.3 * np.random.default_rng(0).standard_normal(RATE // 2)])


def mp3(sound: np.ndarray, mode: str) -> bytes:
    buffer = io.BytesIO()
    how = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": mode, "compression_level": 0.5}
    soundfile.write(buffer, sound, RATE, **how)
    return buffer.getvalue()


def without_tag(recording: bytes) -> bytes:
    """As streaming encoders write it: without the first frame, which counts all others."""
    kbit = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[recording[2] >> 4]
    n_bytes = 144_000 * kbit // RATE + (recording[2] >> 1 & 1)
    assert recording[n_bytes] == 0xFF
    return recording[n_bytes:]


def read_mp3(folder: Path, recording: bytes | bytearray) -> np.ndarray:
    (folder / "x.mp3").write_bytes(recording)
    return read_audio(folder / "x.mp3")[0]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("sound", [LOUD_LAST, LOUD_LAST[::-1]], ids=["loud last", "loud first"])
@pytest.mark.parametrize("place", ["alone", "between tags", "in a wav"])
def test_an_mp3_without_a_count_is_read_whole(tmp_path: Path, mode: str, sound: np.ndarray, place: str) -> None:
    frames = without_tag(mp3(sound, mode))
    if place == "between tags":
        frames = b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + frames + b"TAG" + bytes(125)
    if place == "in a wav":
        header = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 16_000, 1, 0, 12, 1, 2, 418, 1, 1393)
        chunks = b"fmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(frames))
        frames = b"RIFF" + struct.pack("<I", 4 + len(chunks) + len(frames)) + b"WAVE" + chunks + frames

    waveform = read_mp3(tmp_path, frames)

    assert 0 <= waveform.size - sound.size < 3 * 1152  # what an encoder adds at both ends
    loud = np.convolve(waveform**2, np.ones(100) / 100, "same") > 0.01
    assert abs(loud.sum() - RATE // 2) < 0.02 * RATE


def test_an_mp3_stream_ends_where_it_was_stopped(tmp_path: Path) -> None:
    frames = without_tag(mp3(LOUD_LAST, "VARIABLE"))
    whole = read_mp3(tmp_path, frames)

    waveform = read_mp3(tmp_path, frames[:-1000])

    assert whole.size - 10 * 1152 < waveform.size < whole.size
    np.testing.assert_array_equal(waveform[:-1152], whole[: waveform.size - 1152])


@pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125) + b"ID3\3\0\0\0\0\0\x0a" + bytes(10)], ids=["", "tags"])
def test_mp3s_that_were_joined_are_read_one_after_the_other(tmp_path: Path, between: bytes) -> None:
    first, second = mp3(LOUD_LAST, "VARIABLE"), mp3(LOUD_LAST[::-1], "VARIABLE")

    waveform = read_mp3(tmp_path, first + between + second)

    np.testing.assert_array_equal(waveform, np.concatenate([read_mp3(tmp_path, first), read_mp3(tmp_path, second)]))


@pytest.mark.parametrize("has_tag", [True, False])
def test_what_stands_before_and_behind_the_frames_is_no_sound(tmp_path: Path, capfd, has_tag: bool) -> None:
    recording = mp3(LOUD_LAST, "VARIABLE") if has_tag else without_tag(mp3(LOUD_LAST, "VARIABLE"))
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32 + 40, 1, 0x80000000) + bytes(8)
    ape = ape + bytes(40) + ape[:20] + struct.pack("<I", 0x80000000) + bytes(8)
    whole = read_mp3(tmp_path, recording)

    for before, behind in [
        (b"junk!" * 99, b""),
        (bytes(3000), ape),
        (b"", ape + b"TAG" + bytes(125)),
        (b"", bytes(9000)),
    ]:
        np.testing.assert_array_equal(read_mp3(tmp_path, before + recording + behind), whole)
    assert has_tag or capfd.readouterr() == ("", "")  # the decoder prints what it stumbles over


@pytest.mark.parametrize("has_tag", [True, False])
def test_frames_of_another_kind_are_not_dropped(tmp_path: Path, has_tag: bool) -> None:
    frames = mp3 if has_tag else lambda *how: without_tag(mp3(*how))
    mono, stereo = frames(LOUD_LAST, "CONSTANT"), frames(np.column_stack([LOUD_LAST, LOUD_LAST]), "CONSTANT")
    each = [read_mp3(tmp_path, mono), read_mp3(tmp_path, stereo)]

    np.testing.assert_allclose(read_mp3(tmp_path, mono + stereo), np.concatenate(each), atol=1e-6)

    slower = io.BytesIO()
    soundfile.write(slower, LOUD_LAST, 16_000, format="MP3", subtype="MPEG_LAYER_III")
    with pytest.raises(AudioError, match="its sample rate changes from 44100 to 16000 Hz"):
        read_mp3(tmp_path, mono + slower.getvalue())


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("count", [0, 20, 0xFFFFFFFF])
@pytest.mark.parametrize("n_bytes", [None, 0])
def test_a_count_that_is_wrong_is_made_right(tmp_path: Path, mode: str, count: int, n_bytes: int | None) -> None:
    recording = bytearray(mp3(LOUD_LAST, mode))
    whole = read_mp3(tmp_path, recording)
    at = recording.index(b"Info" if mode == "CONSTANT" else b"Xing")
    recording[at + 8 : at + 12] = struct.pack(">I", count)
    if n_bytes is not None:
        recording[at + 12 : at + 16] = struct.pack(">I", n_bytes)

    np.testing.assert_array_equal(read_mp3(tmp_path, recording), whole)  # without what the encoder added


def test_a_count_that_is_larger_is_not(tmp_path: Path) -> None:
    recording = bytearray(mp3(LOUD_LAST, "VARIABLE"))
    at = recording.index(b"Xing") + 8
    recording[at : at + 4] = struct.pack(">I", 2 * int.from_bytes(recording[at : at + 4], "big"))

    with pytest.raises(AudioError, match=r"x\.mp3: cut off: the header promises \d+ samples, the file holds \d+$"):
        read_mp3(tmp_path, recording)


@pytest.mark.parametrize(("rate", "n_channels"), [(8_000, 1), (16_000, 2), (22_050, 1), (32_000, 2), (48_000, 1)])
def test_frames_of_every_version_are_counted(tmp_path: Path, rate: int, n_channels: int) -> None:
    sound = 0.3 * np.random.default_rng(1).standard_normal((rate // 2, n_channels))
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    recording = bytearray(buffer.getvalue())
    whole = read_mp3(tmp_path, recording)
    at = recording.index(b"Xing") + 8
    recording[at : at + 4] = struct.pack(">I", 2)

    assert whole.size == rate // 2
    np.testing.assert_array_equal(read_mp3(tmp_path, recording), whole)


def test_a_file_of_thousands_of_recordings_is_refused_at_once(tmp_path: Path) -> None:
    frame = b"\xff\xfb\x90\xc4" + bytes(17) + b"Xing" + struct.pack(">III", 3, 1, 44) + bytes(7)

    with pytest.raises(AudioError, match=r"x\.mp3: more than 4096 recordings in one file"):
        read_mp3(tmp_path, frame * 5000)
