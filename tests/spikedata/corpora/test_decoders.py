"""What libsndfile does not know is decoded by PyAV, from real files that PyAV has encoded."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora.audio import AudioError, read_audio

av = pytest.importorskip("av", reason="needs the extra: pip install 'spikedata-audio[formats]'")

RATE = 48_000
SOUND = 0.3 * np.sin(np.arange(RATE) ** 1.5 / 1e4) * np.hanning(RATE)  # rises in pitch, so that it has one place


def frames_of(stream, sound: np.ndarray) -> list:
    """The sound in frames as an encoder wants them."""
    codec = stream.codec_context
    codec.open(strict=False)
    interleaved = np.atleast_2d(sound).T.reshape(1, -1).astype(np.float32)
    whole = av.AudioFrame.from_ndarray(interleaved, "flt", codec.layout.name)
    whole.sample_rate, whole.pts = codec.sample_rate, 0
    resampler = av.AudioResampler(codec.format.name, codec.layout.name, codec.sample_rate, codec.frame_size or 1024)
    return [*resampler.resample(whole), *resampler.resample(None)]


def write(path: Path, container: str, codec: str, sound: np.ndarray = SOUND, *, video=False, tracks=1, **how) -> Path:
    with av.open(str(path), "w", format=container, options=how.pop("options", {})) as file:
        picture = None
        if video:
            picture = file.add_stream("mpeg4" if container != "webm" else "libvpx", rate=5)
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
        rate, layout = how.pop("rate", RATE), how.pop("layout", "mono")
        streams = [file.add_stream(codec, rate=rate, layout=layout, **how) for _ in range(tracks)]
        for index, stream in enumerate(streams):
            for frame in frames_of(stream, sound if index == 0 else sound[..., ::-1]):
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        if picture is not None:
            for _ in range(5):
                file.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
            file.mux(picture.encode(None))
    return path


def delay_and_match(waveform: np.ndarray, sound: np.ndarray = SOUND) -> tuple[int, float]:
    """By how many samples the waveform comes too late, and its correlation with the sound there."""
    n = max(len(waveform), len(sound)) * 2
    together = np.fft.irfft(np.fft.rfft(waveform, n) * np.conj(np.fft.rfft(sound, n)))
    delay = (int(together.argmax()) + n // 2) % n - n // 2
    at, begin = max(delay, 0), max(-delay, 0)
    n_common = min(len(waveform) - at, len(sound) - begin)
    return delay, float(np.corrcoef(waveform[at : at + n_common], sound[begin : begin + n_common])[0, 1])


AS_WRITTEN = [  # suffix, container, codec, by how many samples a decoder is late, what else
    ("m4a", "ipod", "aac", 0, {}),
    ("m4a", "ipod", "alac", 0, {}),
    ("mp4", "mp4", "aac", 0, {"video": True}),
    ("webm", "webm", "libopus", -1, {}),
    ("webm", "webm", "libopus", -1, {"video": True}),
    ("webm", "webm", "libopus", -1, {"options": {"live": "1"}}),
    ("mov", "mov", "pcm_f64le", 0, {}),
    ("3gp", "3gp", "aac", 0, {}),
    ("mka", "matroska", "flac", 0, {}),
    ("mka", "matroska", "pcm_u8", 0, {}),
    ("mka", "matroska", "pcm_s24le", 0, {}),
    ("mka", "matroska", "pcm_s32le", 0, {}),
    ("mka", "matroska", "pcm_f32le", 0, {}),
    ("aac", "adts", "aac", 1024, {}),  # nothing tells a decoder what its encoder added
    ("mp4", "mp4", "aac", 1024, {"options": {"movflags": "frag_keyframe+empty_moov"}}),  # nor here
    ("wma", "asf", "wmav2", -2048, {"bit_rate": 96_000}),
    ("wv", "wv", "wavpack", 0, {}),
    ("tta", "tta", "tta", 0, {}),
    ("oga", "ogg", "flac", 0, {}),  # which libsndfile refuses
]


@pytest.mark.parametrize(("suffix", "container", "codec", "late", "how"), AS_WRITTEN)
def test_what_libsndfile_does_not_know_comes_back(tmp_path: Path, capfd, suffix, container, codec, late, how) -> None:
    path = write(tmp_path / f"x.{suffix}", container, codec, **how)

    waveform, sample_rate = read_audio(path)

    assert (waveform.dtype, sample_rate) == (np.float64, RATE)
    assert abs(waveform.size - SOUND.size) <= 2048
    delay, correlation = delay_and_match(waveform)
    assert delay == late
    assert correlation > 0.999
    assert waveform.std() == pytest.approx(SOUND.std(), rel=0.02)  # full scale, whatever the format of the samples
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("m4a", "alac"), ("mp4", "libopus")])
def test_what_fills_up_the_last_frame_is_taken_off(tmp_path: Path, suffix: str, codec: str) -> None:
    sound = SOUND[:40_001]

    assert read_audio(write(tmp_path / f"x.{suffix}", "mp4", codec, sound))[0].size == sound.size


@pytest.mark.parametrize("n_samples", [100, 4096, 5000, 6172])
def test_alac_in_caf_is_read_to_its_last_sample(tmp_path: Path, n_samples: int) -> None:
    path = write(tmp_path / "x.caf", "caf", "alac", SOUND[:n_samples])

    np.testing.assert_allclose(read_audio(path)[0], SOUND[:n_samples], atol=1e-4)


def test_a_short_opus_stream_without_times_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    with av.open(str(path), "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=RATE, layout="mono")
        for frame in frames_of(stream, SOUND[:37_035]):
            frame.pts = None  # as programs leave it out that write frame by frame
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(path)

    waveform, _ = read_audio(path)

    assert 0 <= waveform.size - 37_035 < 960
    assert delay_and_match(waveform, SOUND[:37_035]) == (-1, pytest.approx(1, abs=1e-3))


def test_telephone_speech_comes_back(tmp_path: Path) -> None:
    path = write(tmp_path / "x.amr", "amr", "libopencore_amrnb", SOUND[::6], rate=8_000, bit_rate=12_200)

    waveform, sample_rate = read_audio(path)

    assert sample_rate == 8_000
    assert delay_and_match(waveform, SOUND[::6])[1] > 0.8


@pytest.mark.parametrize("suffix", ["gsm", "g722"])
def test_a_stream_without_any_header_is_known_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    rate = {"gsm": 8_000, "g722": 16_000}[suffix]
    sound, path = SOUND[:: RATE // rate], tmp_path / f"x.{suffix}"
    if suffix == "gsm":  # PyAV only reads it
        soundfile.write(path, sound, rate, format="RAW", subtype="GSM610")
    else:
        write(path, "g722", "g722", sound, rate=rate)

    waveform, sample_rate = read_audio(path)

    assert sample_rate == rate
    assert delay_and_match(waveform, sound)[1] > 0.95


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "alac"])
def test_two_channels_are_averaged(tmp_path: Path, codec: str) -> None:
    sound = np.stack([SOUND, 0.5 * SOUND])
    waveform, _ = read_audio(write(tmp_path / "x.mov", "mov", codec, sound, layout="stereo"))

    assert waveform.std() == pytest.approx(0.75 * SOUND.std(), rel=0.01)


def test_channels_that_cancel_are_refused_in_every_container(tmp_path: Path) -> None:
    path = write(tmp_path / "x.m4a", "ipod", "alac", np.stack([SOUND, -0.97 * SOUND]), layout="stereo")

    with pytest.raises(AudioError, match=r"x\.m4a: its 2 channels cancel each other: their mean has 1\.5 %"):
        read_audio(path)


def test_more_channels_than_pyav_can_tell_are_refused(tmp_path: Path) -> None:
    sound = np.tile(SOUND, (16, 1))
    path = write(tmp_path / "x.mka", "matroska", "pcm_s16le", sound, layout="hexadecagonal")
    np.testing.assert_allclose(read_audio(path)[0], SOUND, atol=1e-4)  # all channels in the same memory

    path = write(tmp_path / "y.wv", "wv", "wavpack", sound, layout="hexadecagonal")
    with pytest.raises(AudioError, match=r"y\.wv: has 16 channels, at most 8 are read from such a file: convert it"):
        read_audio(path)


def test_the_first_of_several_tracks_is_read_and_said(tmp_path: Path, caplog) -> None:
    waveform, _ = read_audio(write(tmp_path / "x.mka", "matroska", "flac", tracks=2))

    np.testing.assert_allclose(waveform, SOUND, atol=1e-4)
    assert "x.mka: reads the first of 2 sound tracks" in caplog.text


def test_a_film_without_sound_is_no_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", "mp4", "aac", video=True, tracks=0)

    with pytest.raises(AudioError, match=r"^[^\n]*x\.mp4: holds no sound track$"):
        read_audio(path)


@pytest.mark.parametrize(("suffix", "container", "codec"), [("m4a", "ipod", "aac"), ("webm", "webm", "libopus")])
def test_without_pyav_the_line_that_installs_it_is_said(tmp_path, monkeypatch, suffix, container, codec) -> None:
    path = write(tmp_path / f"x.{suffix}", container, codec)
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(AudioError, match=r"pip install 'spikedata-audio\[formats\]'$"):
        read_audio(path)


@pytest.mark.parametrize(
    ("suffix", "container", "codec", "how"),
    [
        ("m4a", "ipod", "aac", {}),
        ("m4a", "ipod", "aac", {"options": {"movflags": "faststart"}}),
        ("webm", "webm", "libopus", {}),
        ("mka", "matroska", "flac", {}),
        ("wma", "asf", "wmav2", {"bit_rate": 96_000}),
    ],
)
@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_container_that_ends_too_early_is_cut_off(tmp_path, suffix, container, codec, how, kept) -> None:
    path = write(tmp_path / f"x.{suffix}", container, codec, **how)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])

    with pytest.raises(AudioError, match=rf"x\.{suffix}: (cut off: the header promises|not a readable recording)"):
        read_audio(path)


@pytest.mark.parametrize(("suffix", "container", "codec"), [("aac", "adts", "aac"), ("webm", "webm", "libopus")])
def test_a_stream_without_a_size_ends_where_it_was_stopped(tmp_path: Path, suffix, container, codec) -> None:
    path = write(tmp_path / f"x.{suffix}", container, codec, options={"live": "1"} if suffix == "webm" else {})
    whole, _ = read_audio(path)
    path.write_bytes(path.read_bytes()[:-100])

    waveform, _ = read_audio(path)

    assert whole.size - 9600 < waveform.size < whole.size
    np.testing.assert_array_equal(waveform, whole[: waveform.size])


def test_damage_within_a_track_is_no_gap(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mka", "matroska", "flac")
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 200] = bytes(200)
    path.write_bytes(damaged)

    with pytest.raises(AudioError, match=r"x\.mka: damaged after sample \d+"):
        read_audio(path)


@pytest.mark.parametrize("suffix", ["m4a", "webm", "aac", "mp3", "mka"])
def test_a_list_of_other_files_is_not_followed(tmp_path: Path, suffix: str) -> None:
    other = write(tmp_path / "other.aac", "adts", "aac")
    path = tmp_path / f"x.{suffix}"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")

    with pytest.raises(AudioError, match="not a readable recording"):
        read_audio(path)


@pytest.mark.parametrize("head", [b"\0\0\0\x1cftypM4A ", b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11"])
def test_a_beginning_alone_is_no_recording(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "x.m4a").write_bytes(head + bytes(500))

    with pytest.raises(AudioError, match=r"x\.m4a: (not a readable|holds no|damaged)"):
        read_audio(tmp_path / "x.m4a")
