"""Clips of unknown speakers x a run: the split that works is named, and the card says that nobody knows who spoke."""

import numpy as np
import pytest
import soundfile

from spikedata.baseline.runs.data import SplitChoice, choose_split, split_entry
from spikedata.encoding.encode import encode
from spikedata.files.reader import SpikeFile


@pytest.fixture
def events(tmp_path):
    for index in range(40):
        path = tmp_path / "words" / ("no", "yes")[index % 2] / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(index).normal(0, 0.1, 400), 8_000)
    encode(tmp_path / "words", tmp_path / "words.h5", preset="published")
    with SpikeFile(tmp_path / "words.h5") as file:
        return file.read_events()


def test_a_run_on_class_folders_is_told_the_split_that_works(events):
    with pytest.raises(
        ValueError, match=r"40 of 40 samples have an unknown speaker \(-1\); .*--split stratified_shared_sp"
    ):
        choose_split(events, SplitChoice())


def test_the_split_that_it_is_told_of_works_and_names_no_speaker(events):
    split = choose_split(events, SplitChoice(name="stratified_shared_speakers"))
    entry = split_entry(split, events, seed=0)
    assert (entry.speakers_apart, entry.speakers) == (None, {"train": (), "validation": (), "test": ()})
    assert "speakers unknown" in entry.name
    assert (split.kind, split.held_out) == ("stratified_shared_speakers", {})
