"""Speech Commands: words and speakers by name, and its lists."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import list_clips
from spikedata.splits import make_split, split_by_hash, which_set

Touch = Callable[..., Path]


def test_words_and_speakers_are_numbered_by_name(touch: Touch) -> None:
    listing = list_clips("speech_commands", touch("yes/b_nohash_0.wav", "no/b_nohash_1.wav", "no/a_nohash_0.wav"))
    assert listing.keys == ("no", "yes")
    assert listing.speaker_names == ("a", "b")
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
        ("no/a_nohash_0.wav", 0, 0),
        ("no/b_nohash_1.wav", 0, 1),
        ("yes/b_nohash_0.wav", 1, 1),
    ]


def test_background_noise_is_passed_over(touch: Touch) -> None:
    listing = list_clips("speech_commands", touch("no/a_nohash_0.wav", "_background_noise_/pink_noise.wav"))
    assert (len(listing.clips), listing.unfit) == (1, ())


@pytest.mark.parametrize("name", ["a_nohash_0.wav", "no/a.wav", "no/deep/a_nohash_0.wav", "no/a_nohash_x.wav"])
def test_files_of_other_names_are_reported(touch: Touch, name: str) -> None:
    assert list_clips("speech_commands", touch("no/b_nohash_0.wav", name)).unfit == (name,)


def test_what_the_lists_do_not_name_trains(touch: Touch) -> None:
    root = touch("no/a_nohash_0.wav", "no/b_nohash_0.wav", "yes/a_nohash_0.wav")
    (root / "validation_list.txt").write_text("no/b_nohash_0.wav\n")
    (root / "testing_list.txt").write_text("yes/a_nohash_0.wav\n")
    listing = list_clips("speech_commands", root)
    assert listing.parts == {
        "train": ("no/a_nohash_0.wav",),
        "validation": ("no/b_nohash_0.wav",),
        "test": ("yes/a_nohash_0.wav",),
    }
    assert listing.parts_from == "validation_list.txt and testing_list.txt"


def test_a_part_of_the_corpus_may_have_the_lists_of_all_of_it(touch: Touch) -> None:
    root = touch(*(f"no/{speaker}_nohash_0.wav" for speaker in "abc"))
    (root / "validation_list.txt").write_text("no/b_nohash_0.wav\nyes/b_nohash_0.wav\n")
    (root / "testing_list.txt").write_text("no/c_nohash_0.wav\n")
    with pytest.raises(ValueError, match=r"names 1 of 2 recordings that do not exist.*; encode --on-error skip leaves"):
        make_split(list_clips("speech_commands", root), "listed")
    listing = list_clips("speech_commands", root, missing="skip")
    assert listing.reasons == {
        "yes/b_nohash_0.wav": "no such file, though named in validation_list.txt and testing_list.txt"
    }
    assert [len(make_split(listing, "listed").part(part)) for part in ("train", "validation", "test")] == [1, 1, 1]


def test_one_list_without_the_other_is_refused(touch: Touch) -> None:
    with pytest.raises(ValueError, match=r"testing_list.txt: is missing, but validation_list.txt exists"):
        list_clips("speech_commands", touch("no/a_nohash_0.wav", "validation_list.txt"))


@pytest.mark.parametrize(
    ("given", "home", "lists"),
    [
        ("", "train/audio/", "train/"),  # Kaggle
        ("train", "train/audio/", "train/"),
        ("train/audio", "train/audio/", "train/"),
        ("", "SpeechCommands/speech_commands_v0.02/", "SpeechCommands/speech_commands_v0.02/"),  # torchaudio
        ("SpeechCommands", "SpeechCommands/speech_commands_v0.02/", "SpeechCommands/speech_commands_v0.02/"),
    ],
)
def test_clips_and_lists_are_the_same_however_the_corpus_was_unpacked(
    touch: Touch, given: str, home: str, lists: str
) -> None:
    names = ("no/a_nohash_0.wav", "no/b_nohash_0.wav", "yes/a_nohash_0.wav", "_background_noise_/hum.wav")
    root = touch(*(home + name for name in names), "test/audio/clip_1.wav")
    (root / lists / "validation_list.txt").write_text("no/b_nohash_0.wav\n")
    (root / lists / "testing_list.txt").write_text("yes/a_nohash_0.wav\n")
    listing = list_clips("speech_commands", root / given)
    assert listing.sources == names[:3]
    assert all(clip.path.is_file() for clip in listing.clips)
    assert listing.unfit == (("test/audio/clip_1.wav",) if not given else ())
    assert listing.parts == {"train": names[:1], "validation": names[1:2], "test": names[2:3]}


def test_the_real_recordings_are_listed_whole(real_audio: Path) -> None:
    listing = list_clips("speech_commands", real_audio / "speech_commands")
    assert (len(listing.clips), len(listing.keys), len(listing.speaker_names)) == (350, 35, 313)
    assert listing.unfit == ()


def test_the_real_lists_agree_with_the_hash_at_10_and_10_percent(real_audio: Path) -> None:
    listing = list_clips("speech_commands", real_audio / "speech_commands")
    assert listing.parts is not None
    listed = {name: part for part, names in listing.parts.items() for name in names}
    hashed = {name: which_set(name, validation_percentage=10, testing_percentage=10) for name in listing.sources}
    assert listed == hashed
    assert {part: len(names) for part, names in listing.parts.items()} == {"train": 280, "validation": 31, "test": 39}
    split = make_split(listing, "listed")
    by_hash = split_by_hash(listing.sources, listing.labels, listing.speakers, testing_percentage=10)
    assert split.digest == by_hash.digest
    assert split.name == "as listed (validation_list.txt and testing_list.txt)"  # no speakers shared
