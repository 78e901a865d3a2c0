"""Damaged recordings: an error that names the file, or a waveform; nothing else, and in bounded memory."""

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora.audio import AudioError, read_audio

RATE = 16_000
FORMATS = {
    "wav": {"format": "WAV"},
    "adpcm": {"format": "WAV", "subtype": "IMA_ADPCM"},
    "gsm": {"format": "WAV", "subtype": "GSM610"},
    "rf64": {"format": "RF64"},
    "w64": {"format": "W64"},
    "aiff": {"format": "AIFF"},
    "au": {"format": "AU"},
    "caf": {"format": "CAF"},
    "sph": {"format": "NIST"},
    "flac": {"format": "FLAC"},
    "ogg": {"format": "OGG"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3"},
}
NUMBERS = [bytes(8), b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f"]


def whole(name: str, n_channels: int) -> bytes:
    sound = 0.3 * np.sin(np.arange(2000) / 7)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([sound, 0.5 * sound][:n_channels], axis=1), RATE, **FORMATS[name])
    return buffer.getvalue()


def damaged(recording: bytes, rng: np.random.Generator) -> bytes:
    """Cut, with bytes changed, put in, left out or added; headers more often than what follows."""
    data = bytearray(recording)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(min(len(data), 128)) if rng.random() < 0.6 else rng.integers(len(data)))
        match rng.integers(7):
            case 0:
                del data[max(at, 8) :]
            case 1:
                data[at] ^= 1 << int(rng.integers(8))
            case 2:
                n_bytes = int(rng.choice([1, 2, 4, 8]))
                data[at : at + n_bytes] = NUMBERS[rng.integers(4)][-n_bytes:]
            case 3:
                data[at:at] = data[: int(rng.integers(1, 200))]
            case 4:
                del data[max(at, 8) : max(at, 8) + int(rng.integers(1, 100))]
            case 5:
                data += rng.bytes(50)
            case 6:
                data += recording
    return bytes(data)


def all_damaged(seed: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)
    kinds = [(name, n_channels) for name in FORMATS for n_channels in (1, 2) if (name, n_channels) != ("gsm", 2)]
    recordings = [(name, whole(name, n_channels)) for name, n_channels in kinds]
    while True:
        for name, recording in recordings:
            yield name, damaged(recording, rng)


def check(path: Path, recording: bytes) -> str:
    path.write_bytes(recording)
    try:
        waveform, rate = read_audio(path)
    except AudioError as error:
        said = str(error)
        is_expected = "Error: " not in said and "needs more memory" not in said  # no error of a library
        if said.startswith(f"{path}: ") and "\n" not in said and is_expected:
            return "refused"
        raise
    assert waveform.dtype == np.float64
    assert waveform.ndim == 1
    assert waveform.size > 0
    assert rate > 0
    assert np.isfinite(waveform).all()
    return "read"


def test_a_damaged_recording_is_refused_or_read(tmp_path: Path) -> None:
    outcomes = set()
    for (_, recording), _ in zip(all_damaged(seed=0), range(300), strict=False):
        outcomes.add(check(tmp_path / "x", recording))

    assert outcomes == {"refused", "read"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_damaged_recordings_are_refused_or_read_in_little_memory(tmp_path: Path, seed: int) -> None:
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_audio_fuzz
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
test_audio_fuzz.check_for(30.0, {seed}, {str(tmp_path)!r})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)

    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout.split()[-1]) < 400_000  # KiB


def check_for(seconds: float, seed: int, folder: str) -> None:
    """What the slow test does in a process of its own."""
    end = time.monotonic() + seconds
    for name, recording in all_damaged(seed):
        before = time.monotonic()
        if before > end:
            return
        try:
            check(Path(folder) / "x", recording)
        except BaseException:
            (Path(folder) / f"failed.{name}").write_bytes(recording)
            raise
        assert time.monotonic() - before < 5.0, name
