"""Recordings that no corpus has named: class folders, parts above them, flat folders, files."""

import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import describe_unfit, list_clips, list_source
from spikedata.splits import make_split

Touch = Callable[..., Path]


def test_class_folders_become_classes(touch: Touch) -> None:
    listing = list_clips("folder", touch("dog/1.mp3", "cat/1.wav", "cat/deep/2.flac"))
    assert listing.keys == ("cat", "dog")
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
        ("cat/1.wav", 0, -1),
        ("cat/deep/2.flac", 0, -1),
        ("dog/1.mp3", 1, -1),
    ]


def test_files_beside_the_class_folders_and_hidden_ones_are_reported(touch: Touch) -> None:
    listing = list_clips("folder", touch("cat/1.wav", "loose.wav", "cat/._1.wav", ".cache/1.wav"))
    assert (listing.keys, len(listing.clips)) == (("cat",), 1)
    assert listing.unfit == (".cache/1.wav", "cat/._1.wav", "loose.wav")


# No class vanishes in silence


def test_a_class_none_of_whose_recordings_can_be_used_is_said_by_name(
    touch: Touch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    listing = list_clips("folder", touch("cat/1.wav", "dog/1.m4a", "dog/2.m4a", "eel/readme.txt", ".git/x/1.txt"))
    assert listing.keys == ("cat",)
    said = "\n".join(listing.notes)
    assert "there is no class 'dog': none of its 2 recordings can be used: 'dog/1.m4a': needs a decoder" in said
    assert "a folder holds no recordings: 'eel'" in said
    assert describe_unfit(listing).startswith("2 recordings are left out: 'dog/1.m4a', 'dog/2.m4a': needs a decoder")


def test_loose_recordings_are_no_flat_folder_where_class_folders_cannot_be_read(
    touch: Touch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"got 2 other names: .*spikedata-audio\[formats\].*beside the class folders"):
        list_clips("folder", touch("intro.wav", "dog/1.m4a"))


def test_one_class_alone_is_said_with_the_folders_that_could_be_meant(touch: Touch) -> None:
    listing = list_clips("folder", touch("data/cat/1.wav", "data/dog/1.wav"))
    assert listing.keys == ("data",)
    assert any("one class, 'data'; if the folders in it are the classes ('cat', 'dog')" in n for n in listing.notes)


def test_one_class_below_parts_is_said_with_the_folder_that_could_be_meant(touch: Touch) -> None:
    root = touch("train/audio/cat/1.wav", "train/audio/dog/1.wav", "test/audio/1.wav")
    listing = list_clips("folder", root)
    assert any(note.endswith(f"are the classes ('cat', 'dog'), give {root / 'train/audio'}") for note in listing.notes)


def test_parts_below_the_classes_are_said_to_divide_nothing(touch: Touch) -> None:
    listing = list_clips("folder", touch("cat/train/1.wav", "cat/Test/1.wav", "dog/train/1.wav"))
    assert (listing.keys, listing.parts) == (("cat", "dog"), None)
    assert any("'Test' (test), 'train' lie below the classes and divide nothing" in note for note in listing.notes)


@pytest.mark.parametrize("table", ["metadata.csv", "wavs/metadata.TSV"])
def test_a_table_that_could_tell_the_classes_is_said(touch: Touch, table: str) -> None:
    root = touch("wavs/1.wav", "wavs/2.wav", table)
    for source in (root, root / "wavs") if table.startswith("wavs") else (root,):
        assert any(f"'{root / table}'; to use a table, give it" in note for note in list_source(source).notes)
    assert not any("table" in note for note in list_source(touch("tap/1.wav"), "folder").notes)


def test_folders_of_a_known_corpus_are_said(touch: Touch) -> None:
    listing = list_clips("folder", touch("_background_noise_/tap.wav", "no/a_nohash_0.wav", "yes/b_nohash_0.wav"))
    assert any("named as in speech_commands" in note for note in listing.notes)


# Parts above class folders


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "test"), ("train", "test")),
        (("train", "valid", "test"), ("train", "validation", "test")),
        (("Training", "Testing"), ("train", "test")),
        (("train", "dev", "eval"), ("train", "validation", "test")),
        (("train", "eval", "test"), ("train", "validation", "test")),
        (("train", "val"), ("train", "validation")),
        (("TrainSet", "test_data"), ("train", "test")),
        (("train",), ("train",)),
    ],
)
def test_folders_called_like_parts_divide_the_recordings(
    touch: Touch, folders: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    listing = list_clips("folder", touch(*(f"{part}/{word}/1.wav" for part in folders for word in ("cat", "dog"))))
    assert listing.keys == ("cat", "dog")
    expected = {p: tuple(f"{f}/{w}/1.wav" for w in ("cat", "dog")) for f, p in zip(folders, parts, strict=True)}
    assert listing.parts == expected
    assert "divide the recordings" in listing.notes[0]
    split = make_split(listing, "listed")
    assert {part: [listing.sources[i] for i in split.part(part)] for part in parts} == {
        part: list(names) for part, names in expected.items()
    }


@pytest.mark.parametrize(
    "names",
    [
        ("train/1.wav", "plane/1.wav"),  # vehicles
        ("train/1.wav", "test/1.wav"),  # parts without classes below: classes, as ever, and said
        ("go/ann/1.wav", "stop/ann/1.wav", "test/ann/1.wav"),
    ],
)
def test_class_folders_may_be_called_like_parts(touch: Touch, names: tuple[str, ...]) -> None:
    listing = list_clips("folder", touch(*names))
    assert listing.keys == tuple(sorted(name.partition("/")[0] for name in names))
    assert listing.parts is None
    assert any("if these are parts" in note for note in listing.notes) == (set(listing.keys) == {"train", "test"})


def test_what_lies_beside_parts_and_their_class_folders_is_reported(touch: Touch) -> None:
    root = touch("train/cat/1.wav", "train/dog/1.wav", "test/x.wav", "noise/hum.wav", "loose.wav")
    listing = list_clips("folder", root)
    assert (listing.keys, listing.parts) == (("cat", "dog"), {"train": ("train/cat/1.wav", "train/dog/1.wav")})
    assert listing.unfit == ("loose.wav", "noise/hum.wav", "test/x.wav")
    assert set(listing.reasons.values()) == {"beside the folders 'test', 'train'"}
    assert "the part 'test' has no recordings in class folders" in listing.notes


# Unicode


def test_a_class_in_two_unicode_forms_is_one(touch: Touch) -> None:
    folders = [unicodedata.normalize(form, "fünf") for form in ("NFC", "NFD")]
    listing = list_clips(
        "folder", touch(*(f"{folder}/{number}.wav" for number, folder in enumerate(folders)), "a/1.wav")
    )
    assert listing.keys == ("a", "fünf")
    assert listing.sources == ("a/1.wav", "fünf/0.wav", "fünf/1.wav")
    assert all(clip.path.is_file() for clip in listing.clips)


# Flat folders and files


def test_a_flat_folder_is_one_class_called_like_it(touch: Touch) -> None:
    root = touch("takes/b.mp3", "takes/a.wav", "takes/.hidden.wav") / "takes"
    listing = list_source(root)
    assert (listing.corpus, listing.keys, listing.sources) == ("folder", ("takes",), ("a.wav", "b.mp3"))
    assert listing.unfit == (".hidden.wav",)
    assert "2 recordings are one class, 'takes'" in listing.notes[0]
    assert list_source(root, "folder") == listing


def test_files_are_one_class_and_named_below_the_folder_that_they_share(touch: Touch) -> None:
    root = touch("takes/a.wav", "takes/b", "more/a.wav")
    one_folder = list_source([root / "takes/b", root / "takes/a.wav"])
    assert (one_folder.corpus, one_folder.keys, one_folder.sources) == ("files", ("takes",), ("a.wav", "b"))
    two_folders = list_source([root / "takes/a.wav", root / "more/a.wav"])
    assert two_folders.sources == ("more/a.wav", "takes/a.wav")  # equal names differ
    assert two_folders.keys == (root.name,)
    assert list_clips("files", root).sources == ("more/a.wav", "takes/a.wav")  # what `verify --deep` is given
    assert list_source(str(root / "takes/a.wav")).sources == ("a.wav",)


def test_relative_files_are_named_as_absolute_ones(touch: Touch, monkeypatch: pytest.MonkeyPatch) -> None:
    root = touch("takes/a.wav", "more/a.wav")
    absolute = list_source([root / "takes/a.wav", root / "more/a.wav"])
    monkeypatch.chdir(root / "takes")
    relative = list_source(["a.wav", "../more/a.wav", "../takes/a.wav"])
    assert (relative.keys, relative.sources) == (absolute.keys, absolute.sources)
    assert not relative.clips[0].path.is_absolute()
    assert all(clip.path.is_file() for clip in relative.clips)


def test_a_file_given_twice_is_taken_once_and_said(touch: Touch) -> None:
    path = touch("a.wav") / "a.wav"
    listing = list_source([path, path])
    assert len(listing.clips) == 1
    assert any("given 2 times" in note for note in listing.notes)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.wav", "b.wav"), r"b\.wav: no such file or folder"),
        (("cat", "dog"), r"cat: is a folder among 2 paths; give the folder above them"),
        (("speech.commands", "cat"), r"speech\.commands: no such file or folder, and no corpus of that name"),
        (("a.wav", "words.csv"), r"words\.csv: a table must be given alone, got 2 paths"),
    ],
)
def test_what_cannot_be_given_together_is_named(touch: Touch, names: tuple[str, ...], message: str) -> None:
    root = touch("a.wav", "cat/1.wav", "dog/1.wav", "words.csv")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        list_source([root / name for name in names])


def test_a_missing_file_is_skipped_where_that_is_asked_for(touch: Touch) -> None:
    root = touch("a.wav")
    listing = list_source([root / "a.wav", root / "b.wav"], missing="skip")
    assert (listing.sources, listing.reasons) == (("a.wav",), {"b.wav": "no such file or folder"})


def test_a_known_corpus_is_not_given_as_files(touch: Touch) -> None:
    root = touch("0_jim_0.wav", "0_jim_1.wav")
    with pytest.raises(ValueError, match="the corpus 'fsdd' is one folder or file, got 2"):
        list_source([root / "0_jim_0.wav", root / "0_jim_1.wav"], "fsdd")
    with pytest.raises(NotADirectoryError, match=r"0_jim_0\.wav: is a file, must be a folder of recordings$"):
        list_source(root / "0_jim_0.wav", "fsdd")


def test_an_archive_is_to_be_unpacked(touch: Touch) -> None:
    root = touch("words.zip", "hd_audio.tar.gz")
    with pytest.raises(ValueError, match=r"words\.zip: an archive, not a recording; unpack it and give the folder"):
        list_source(root / "words.zip")
    with pytest.raises(NotADirectoryError, match=r"hd_audio\.tar\.gz: is a file, .*; unpack it"):
        list_source(root / "hd_audio.tar.gz", "heidelberg_digits")
