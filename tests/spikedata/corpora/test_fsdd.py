"""The Free Spoken Digit Dataset: digits, and speakers by name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import DIGITS, list_clips

Touch = Callable[..., Path]


@pytest.mark.parametrize("given", [".", "recordings"])
def test_digits_are_labels_and_speakers_are_numbered_by_name(touch: Touch, given: str) -> None:
    root = touch("recordings/7_theo_49.wav", "recordings/0_george_0.wav", "recordings/7_jackson_3.wav")
    listing = list_clips("fsdd", root / given)
    assert listing.keys == DIGITS
    assert listing.speaker_names == ("george", "jackson", "theo")
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
        ("0_george_0.wav", 0, 0),
        ("7_jackson_3.wav", 7, 1),
        ("7_theo_49.wav", 7, 2),
    ]


@pytest.mark.parametrize("name", ["10_theo_0.wav", "7_theo.wav", "7__0.wav", "x_theo_0.wav", "deep/7_theo_0.wav"])
def test_files_of_other_names_are_reported(touch: Touch, name: str) -> None:
    assert list_clips("fsdd", touch("1_theo_0.wav", name)).unfit == (name,)
