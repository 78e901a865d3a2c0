"""Which names are those of recordings."""

import pytest
import soundfile

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
