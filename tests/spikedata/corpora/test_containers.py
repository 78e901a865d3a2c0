"""Headers that are wrong about how much there is: what is there is read, what is missing is said."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora.audio import AudioError, read_audio

RATE = 8_000
rng = np.random.default_rng(0)
SOUND = np.round((0.3 * np.sin(np.arange(RATE) / 7) + 0.01 * rng.standard_normal(RATE)) * 2**15) / 2**15
PCM = (SOUND * 2**15).astype("<i2").tobytes()
N = len(PCM)
TAGS = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf60.3.100\0\0"


def wav(*, riff=36 + N, data=N, magic=b"RIFF", before=b"", after=b"", body=PCM):
    header = struct.pack("<4sI4s", magic, riff, b"WAVE") + before
    return header + struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", data) + body + after


def ds64(riff, data):
    return b"ds64" + struct.pack("<IQQQI", 28, riff, data, 0, 0)


def encoded(sound=SOUND, rate=RATE, **how):
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, **how)
    return buffer.getvalue()


def put(recording: bytes, after: bytes, at: int, value: bytes) -> bytes:
    """The recording with a value at a place behind the first occurrence of some bytes."""
    start = recording.index(after) + at
    return recording[:start] + value + recording[start + len(value) :]


def read(folder: Path, recording: bytes) -> np.ndarray:
    (folder / "x.wav").write_bytes(recording)
    waveform, rate = read_audio(folder / "x.wav")
    assert rate == RATE
    return waveform


PLACEHOLDERS = [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36]
AU, AIFF = encoded(format="AU"), encoded(format="AIFF")
W64, CAF = encoded(format="W64"), encoded(format="CAF")
WHOLE = {
    **{f"wav sizes {size:#x}": wav(riff=min(size + 36, 2**32 - 1), data=size) for size in PLACEHOLDERS},
    **{f"wav data {size:#x}": wav(data=size) for size in PLACEHOLDERS},
    **{f"wav riff {size:#x}": wav(riff=size) for size in PLACEHOLDERS},
    "the size of the file as that of its contents": wav(riff=44 + N),
    "both eight too large": wav(riff=44 + N, data=N + 8),
    "the size of the file as that of the sound": wav(data=44 + N),
    "the size of the contents as that of the sound": wav(data=36 + N),
    "44 too large, with a longer header": wav(data=44 + N, before=TAGS),
    "an empty chunk before the sound": wav(before=b"data" + bytes(4)),
    "sound in two chunks": wav(
        data=N // 2, body=PCM[: N // 2], after=b"data" + struct.pack("<I", N // 2) + PCM[N // 2 :]
    ),
    "an ID3 tag before it": b"ID3\3\0\0\0\0\4\0" + bytes(512) + wav(data=N + 8),
    "tags behind the sound": wav(riff=36 + N + len(TAGS), after=TAGS),
    "tags behind sound of unknown length": wav(data=0xFFFFFFFF, after=TAGS),
    "tags behind a size that was not written": wav(data=0, after=TAGS),
    "tags behind a size eight too large": wav(data=N + 8, after=TAGS),
    "rf64": wav(magic=b"RF64", riff=0xFFFFFFFF, data=0xFFFFFFFF, before=ds64(72 + N, N)),
    "bw64": wav(magic=b"BW64", riff=0xFFFFFFFF, data=0xFFFFFFFF, before=ds64(72 + N, N)),
    "rf64 without its sizes": wav(magic=b"RF64", riff=0xFFFFFFFF, data=0xFFFFFFFF),
    "rf64 with sizes 0": wav(magic=b"RF64", riff=0xFFFFFFFF, data=0xFFFFFFFF, before=ds64(0, 0)),
    "rf64 with sizes -1": wav(magic=b"RF64", riff=0xFFFFFFFF, data=0xFFFFFFFF, before=ds64(2**64 - 1, 2**64 - 1)),
    "rf64 with sizes 0 and a size": wav(magic=b"RF64", before=ds64(0, 0)),
    "rf64 with sizes -1 and a size": wav(magic=b"RF64", before=ds64(2**64 - 1, 2**64 - 1)),
    **{f"au {size:#x}": put(AU, b".snd", 8, struct.pack(">I", size)) for size in PLACEHOLDERS},
    **{f"aiff {size:#x}": put(AIFF, b"SSND", 4, struct.pack(">I", size)) for size in [8, *PLACEHOLDERS]},
    **{f"w64 {size:#x}": put(W64, b"data", 16, struct.pack("<Q", size)) for size in (0, 24, 2**63 - 1, 2**64 - 1)},
    **{f"caf {size:#x}": put(CAF, b"data", 4, struct.pack(">Q", size)) for size in (0, 2**63 - 1, 2**64 - 1)},
}


@pytest.mark.parametrize("recording", WHOLE.values(), ids=WHOLE)
def test_what_is_there_is_read_whatever_the_header_says(tmp_path: Path, recording: bytes) -> None:
    np.testing.assert_array_equal(read(tmp_path, recording), SOUND)


CUT = {
    "wav": wav()[: 44 + N // 2],
    "wav whose riff size is a placeholder": wav(riff=0xFFFFFFFF)[: 44 + N // 2],
    "wav by a second": wav(data=N + 2 * RATE),
    "rf64": wav(magic=b"RF64", riff=0xFFFFFFFF, data=0xFFFFFFFF, before=ds64(72 + N, N))[:-10],
    **{name: encoded(format=name)[:-10] for name in ("AIFF", "AU", "W64", "CAF", "NIST", "SVX", "SDS")},
    "flac": encoded(format="FLAC")[:-10],
    "vorbis": encoded(format="OGG")[:-10],
    "mp3": encoded(format="MP3")[:-10],
    "opus": encoded(format="OGG", subtype="OPUS")[:-10],
    "gsm": encoded(format="WAV", subtype="GSM610")[:-10],
}


@pytest.mark.parametrize("recording", CUT.values(), ids=CUT)
def test_less_than_a_credible_size_is_cut_off(tmp_path: Path, recording: bytes) -> None:
    with pytest.raises(AudioError, match=r"x\.wav: cut off: the header promises .* the file holds \d+$"):
        read(tmp_path, recording)


def test_tags_that_are_cut_off_leave_the_sound_whole(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, wav(riff=36 + N + len(TAGS), after=TAGS[:20])), SOUND)


def test_tags_are_no_sound(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="holds no samples"):
        read(tmp_path, wav(riff=36 + len(TAGS), data=0, body=b"", after=TAGS))


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "NMS_ADPCM_32", "G721_32"])
@pytest.mark.parametrize("size", [None, 0, 0x7FFFF000, 0xFFFFFFFF])
def test_codecs_of_telephones_are_read_to_their_last_block(tmp_path: Path, subtype: str, size: int | None) -> None:
    recording = encoded(format="WAV", subtype=subtype)
    if size is not None:
        recording = put(recording, b"data", 4, struct.pack("<I", size))

    waveform = read(tmp_path, recording)

    assert RATE <= waveform.size < RATE + 1024  # the last block is filled up
    assert np.corrcoef(waveform[:RATE], SOUND)[0, 1] > 0.95


def without_count(flac: bytes) -> bytes:
    """As a pipe leaves it: the number of samples, 36 bits at byte 21, is 0."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


FLAC = encoded(format="FLAC")


@pytest.mark.parametrize(
    "recording",
    [without_count(FLAC), put(FLAC, b"fLaC", 22, struct.pack(">I", 4000)), b"ID3\4\0\0\0\0\0\5" + bytes(5) + FLAC],
    ids=["unknown", "too few", "tag"],
)
def test_flac_is_read_beyond_its_count(tmp_path: Path, recording: bytes) -> None:
    np.testing.assert_array_equal(read(tmp_path, recording), SOUND)


def test_a_flac_stream_ends_where_it_was_stopped(tmp_path: Path) -> None:
    waveform = read(tmp_path, without_count(FLAC)[:-10])

    assert waveform.size == 4096  # the whole frames
    np.testing.assert_array_equal(waveform, SOUND[:4096])


@pytest.mark.parametrize("recording", [FLAC, without_count(FLAC)], ids=["known", "unknown"])
def test_a_flac_that_is_damaged_before_its_end_is_no_shorter_one(tmp_path: Path, recording: bytes) -> None:
    with pytest.raises(AudioError, match=r"x\.wav: damaged after sample 0: flac decoder lost sync"):
        read(tmp_path, put(recording, recording[3000:3010], 0, bytes(10)))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_chain_of_ogg_streams_is_read_to_its_last_link(tmp_path: Path, subtype: str) -> None:
    first, second = encoded(format="OGG", subtype=subtype), encoded(SOUND[::-1], format="OGG", subtype=subtype)

    waveform = read(tmp_path, first + second)

    np.testing.assert_array_equal(waveform, np.concatenate([read(tmp_path, first), read(tmp_path, second)]))


def test_a_damaged_page_of_ogg_is_not_left_out(tmp_path: Path) -> None:
    recording = encoded(format="OGG")

    with pytest.raises(AudioError, match=r"x\.wav: damaged in its page at byte \d+"):
        read(tmp_path, put(recording, recording[-100:], 0, bytes(10)))


def test_links_of_different_rates_are_no_recording(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="its sample rate changes from 8000 to 16000 Hz"):
        read(tmp_path, encoded(format="OGG") + encoded(format="OGG", rate=16_000))


@pytest.mark.parametrize("name", ["FLAC", "WAV", "FORMAT", "TAGS"])
def test_a_header_is_given_no_memory(tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource")
    tracemalloc = pytest.importorskip("tracemalloc")
    recording = {
        "FLAC": put(FLAC, b"fLaC", 22, b"\x7f\xff\xff\xff"),
        "WAV": wav(data=0x6FFFFFFE),
        "FORMAT": put(wav(), b"fmt ", 4, struct.pack("<IH", 0x3FFFFFFE, 0xFF)),  # AAC, which is for FFmpeg
        "TAGS": put(wav()[:36], b"fmt ", 8, b"\xff\0") + b"LIST\x1a\0\0\xa7INFOISFT\x0e\0\0\x6a" + bytes(40),
    }[name]
    (tmp_path / "x").write_bytes(recording)
    tracemalloc.start()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(AudioError, match="cut off: the header promises"):
        read_audio(tmp_path / "x")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
