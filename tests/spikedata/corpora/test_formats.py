"""Which names are those of recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora.audio import read_audio
from spikedata.corpora.formats import DECODED_BY_PYAV, is_sound, readable_suffixes

NEVER_LISTED = {"RAW", "MAT4", "MAT5"}  # without a header; data of MATLAB
SUFFIXES = {"MPC2K": (".snd",), "NIST": (".sph",), "OGG": (".opus",), "IRCAM": (".sf",), "WAVEX": (".wav",)}


@pytest.mark.parametrize(
    "suffix",
    [
        "wav",
        "flac",
        "ogg",
        "oga",
        "opus",
        "mp3",
        "aif",
        "aiff",
        "aifc",
        "au",
        "snd",
        "caf",
        "w64",
        "rf64",
        "sph",
        "voc",
    ],
)
def test_what_libsndfile_reads_is_sound(suffix: str) -> None:
    assert f".{suffix}" in readable_suffixes()
    assert is_sound(f"dog/x.{suffix.upper()}")


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "aac", "webm", "mka", "wma", "amr", "3gp"])
def test_what_only_pyav_reads_is_sound_too(suffix: str) -> None:
    assert f".{suffix}" in DECODED_BY_PYAV - readable_suffixes()
    assert is_sound(f"dog/x.{suffix}")


@pytest.mark.parametrize("name", ["notes.txt", "x.wav.part", "wav", "x.", "", "dir.wav/notes", "x.json", "x.ts"])
def test_other_names_are_not_sound(name: str) -> None:
    assert not is_sound(name)


@pytest.mark.parametrize("name", sorted(set(soundfile.available_formats()) - NEVER_LISTED))
def test_every_format_of_libsndfile_has_a_suffix(name: str) -> None:
    assert readable_suffixes() & set(SUFFIXES.get(name, (f".{name.lower()}",)))


@pytest.mark.parametrize("name", sorted(set(soundfile.available_formats()) - {"RAW"}))
def test_every_format_of_libsndfile_is_read(tmp_path: Path, name: str) -> None:
    tone = 0.3 * np.sin(np.arange(8000) / 7)
    path = tmp_path / f"x.{name.lower()}"
    soundfile.write(path, tone, 8000, format=name)

    waveform, _ = read_audio(path)

    assert waveform.size == tone.size
    assert np.corrcoef(waveform, tone)[0, 1] > 0.99
