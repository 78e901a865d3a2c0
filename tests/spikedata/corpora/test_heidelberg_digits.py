"""Heidelberg Digits: names to labels and speakers, and its lists."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import HEIDELBERG_KEYS, list_clips

Touch = Callable[..., Path]
ENGLISH = "lang-english_speaker-00_trial-0_digit-9"
GERMAN = "lang-german_speaker-11_trial-37_digit-3"


def test_german_digits_follow_the_english_ones(touch: Touch) -> None:
    english, german = list_clips("heidelberg_digits", touch(f"{GERMAN}.flac", f"{ENGLISH}.flac")).clips
    assert (english.label, english.speaker) == (9, 0)
    assert (german.label, german.speaker) == (13, 11)
    assert HEIDELBERG_KEYS[german.label] == "drei"


@pytest.mark.parametrize("given", [".", "hd_audio", "hd_audio/audio"])
def test_clips_are_named_by_their_file_whichever_folder_is_given(touch: Touch, given: str) -> None:
    root = touch(f"hd_audio/audio/{GERMAN}.flac")
    clips = list_clips("heidelberg_digits", root / given).clips
    assert [clip.name for clip in clips] == [f"{GERMAN}.flac"]
    assert clips[0].path.is_file()


@pytest.mark.parametrize(
    "name",
    [
        "noise.wav",
        "lang-french_speaker-01_trial-0_digit-1.flac",
        "lang-german_speaker-01_trial-0_digit-10.flac",
        "lang-german_speaker-01_trial-0_digit-1.mp3",
        "._lang-german_speaker-01_trial-0_digit-1.flac",
        f"copy/{ENGLISH}.flac",
        "lang-german_speaker-\u0661_trial-0_digit-1.flac",  # a digit, but an Arabic one
    ],
)
def test_files_of_other_names_are_reported(touch: Touch, name: str) -> None:
    assert list_clips("heidelberg_digits", touch(f"{GERMAN}.flac", name, "readme.txt")).unfit == (name,)


@pytest.mark.parametrize("where", ["hd_audio", "hd_audio/audio"])
@pytest.mark.parametrize("given", ["hd_audio", "hd_audio/audio"])
@pytest.mark.parametrize("line", ["{}", "{}.flac", "audio/{}.flac", "{}.wav", "  {}.flac \n", "hd\\audio\\{}.flac"])
def test_lists_divide_the_clips_wherever_they_lie_and_however_they_name_them(
    touch: Touch, where: str, given: str, line: str
) -> None:
    root = touch(f"hd_audio/audio/{GERMAN}.flac", f"hd_audio/audio/{ENGLISH}.flac")
    (root / where / "train_filenames.txt").write_text(line.format(ENGLISH) + "\n")
    (root / where / "test_filenames.txt").write_text("\n" + line.format(GERMAN))
    listing = list_clips("heidelberg_digits", root / given)
    assert listing.parts == {"train": (f"{ENGLISH}.flac",), "test": (f"{GERMAN}.flac",)}
    assert listing.parts_from == "train_filenames.txt and test_filenames.txt"


def test_a_listed_name_without_a_recording_is_kept_for_the_split_to_refuse(touch: Touch) -> None:
    root = touch(f"{GERMAN}.flac", "test_filenames.txt")
    (root / "train_filenames.txt").write_text("lang-none\n")
    listing = list_clips("heidelberg_digits", root)
    assert listing.parts == {"train": ("lang-none",), "test": ()}


def test_one_list_without_the_other_is_refused(touch: Touch) -> None:
    root = touch(f"{GERMAN}.flac", "test_filenames.txt")
    with pytest.raises(ValueError, match=r"train_filenames.txt: is missing, but test_filenames.txt exists"):
        list_clips("heidelberg_digits", root)


def test_a_list_that_is_no_text_is_refused(touch: Touch) -> None:
    root = touch(f"{GERMAN}.flac", "train_filenames.txt")
    (root / "test_filenames.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"test_filenames.txt: must be UTF-8 text with one file name per line"):
        list_clips("heidelberg_digits", root)


def test_the_real_recordings_are_listed_whole(real_audio: Path) -> None:
    listing = list_clips("heidelberg_digits", real_audio / "heidelberg_digits")
    assert (len(listing.clips), len(listing.unfit), len(set(listing.speakers))) == (2400, 0, 12)
