"""Recordings in class folders."""

from collections.abc import Callable
from pathlib import Path

from spikedata.corpora import list_clips

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
