"""Listing a corpus: names to labels and speakers, in a stable order."""

from pathlib import Path

import pytest

from spikedata.corpora import HEIDELBERG_KEYS, list_clips
from spikedata.synth import embedded_corpus

REAL = Path(__file__).parents[2].parent / "shared" / "audio"


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_german_digits_follow_the_english_ones(tmp_path: Path) -> None:
    touch(tmp_path, "lang-german_speaker-11_trial-37_digit-3.flac", "lang-english_speaker-00_trial-0_digit-9.flac")

    english, german = list_clips("heidelberg_digits", tmp_path).clips

    assert (english.label, english.speaker) == (9, 0)
    assert (german.label, german.speaker) == (13, 11)
    assert HEIDELBERG_KEYS[german.label] == "drei"


def test_files_of_other_names_are_reported(tmp_path: Path) -> None:
    touch(tmp_path, "lang-german_speaker-11_trial-37_digit-3.flac", "noise.wav", "readme.txt")

    assert list_clips("heidelberg_digits", tmp_path).unfit == ("noise.wav",)


def test_the_embedded_corpus_has_every_class_from_every_speaker() -> None:
    listing = list_clips("heidelberg_digits", embedded_corpus())

    seen = {(clip.label, clip.speaker) for clip in listing.clips}
    assert len(listing.clips) == 480
    assert seen == {(label, speaker) for label in range(20) for speaker in range(12)}


def test_speech_commands_number_words_and_speakers_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "yes/b_nohash_0.wav", "no/b_nohash_1.wav", "no/a_nohash_0.wav", "_background_noise_/pink.wav")

    listing = list_clips("speech_commands", tmp_path)

    assert listing.keys == ("no", "yes")
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
        ("no/a_nohash_0.wav", 0, 0),
        ("no/b_nohash_1.wav", 0, 1),
        ("yes/b_nohash_0.wav", 1, 1),
    ]
    assert listing.unfit == ()


def test_class_folders_become_classes(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.wav", "cat/deep/2.flac", "dog/1.mp3", "loose.wav")

    listing = list_clips("folder", tmp_path)

    assert listing.keys == ("cat", "dog")
    assert [clip.label for clip in listing.clips] == [0, 0, 1]
    assert listing.unfit == ("loose.wav",)


def test_an_unknown_corpus_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be one of heidelberg_digits, speech_commands, folder, got 'timit'"):
        list_clips("timit", tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        list_clips("folder", tmp_path / "nowhere")


def test_a_folder_without_fitting_recordings_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "noise.wav")

    with pytest.raises(
        ValueError, match=r"no recordings named as in heidelberg_digits \(1 audio files of other names\)"
    ):
        list_clips("heidelberg_digits", tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recordings are not beside this checkout")
def test_the_real_corpora_are_listed_whole() -> None:
    digits = list_clips("heidelberg_digits", REAL / "heidelberg_digits")
    commands = list_clips("speech_commands", REAL / "speech_commands")

    assert (len(digits.clips), len(digits.unfit), len({clip.speaker for clip in digits.clips})) == (2400, 0, 12)
    assert (len(commands.clips), len(commands.keys), len({clip.speaker for clip in commands.clips})) == (350, 35, 313)
