"""AudioMNIST: digits, and speakers by number."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import DIGITS, list_clips

Touch = Callable[..., Path]


@pytest.mark.parametrize("given", [".", "data"])
def test_digits_are_labels_and_speakers_keep_their_numbers(touch: Touch, given: str) -> None:
    listing = list_clips("audiomnist", touch("data/60/9_60_49.wav", "data/01/0_01_0.wav") / given)
    assert (listing.keys, listing.speaker_names) == (DIGITS, ())
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
        ("01/0_01_0.wav", 0, 1),
        ("60/9_60_49.wav", 9, 60),
    ]


@pytest.mark.parametrize("name", ["02/0_01_0.wav", "0_01_0.wav", "01/0_01.wav", "1/0_1_0.wav"])
def test_files_of_other_names_or_in_the_folder_of_another_speaker_are_reported(touch: Touch, name: str) -> None:
    assert list_clips("audiomnist", touch("01/5_01_0.wav", name)).unfit == (name,)
