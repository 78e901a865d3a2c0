import numpy as np
import pytest

from spikedata.baseline.runs.data import SplitChoice, arguments_of_split, choose_split, split_entry
from spikedata.splits import Split, sample_names, save_split


@pytest.fixture
def events(make_events):
    return make_events(speakers=range(6))


def test_speakers_are_held_apart_unless_told_otherwise(events):
    entry = split_entry(choose_split(events, SplitChoice(seed=3)), events, seed=3)
    assert entry.speakers_apart is True
    assert sorted(who for part in entry.speakers.values() for who in part) == list(range(6))


def test_a_split_that_shares_speakers_says_so(events):
    split = choose_split(events, SplitChoice(name="stratified_shared_speakers"))
    assert split_entry(split, events, seed=0).speakers_apart is False


def test_unknown_speakers_are_not_said_to_be_apart(events):
    split = choose_split(events, SplitChoice())
    events.speakers[0] = -1
    assert split_entry(split, events, seed=0).speakers_apart is None


def test_a_speaker_is_left_out(events):
    split = choose_split(events, SplitChoice(name="leave_one_speaker_out", left_out=4))
    assert set(events.speakers[split.part("test")]) == {4}


def test_a_split_comes_from_a_file(events, tmp_path):
    split = choose_split(events, SplitChoice(seed=1))
    save_split(split, tmp_path / "mine.json", sample_names(events.sources))
    assert choose_split(events, SplitChoice(name=str(tmp_path / "mine.json"))).digest == split.digest


def test_a_split_without_a_part_to_choose_by_is_refused(events, tmp_path):
    path = tmp_path / "two.json"
    parts = {"train": np.arange(45), "test": np.arange(45, 90)}
    save_split(Split("two", parts), path, sample_names(events.sources))
    with pytest.raises(ValueError, match=r"has no part 'validation', to choose the weights by.*; it has train, test"):
        choose_split(events, SplitChoice(name=str(path)))


def test_a_split_that_lacks_classes_is_refused(events, tmp_path):
    path = tmp_path / "lacks.json"
    without = np.flatnonzero(events.labels != 2)
    parts = {"train": without[:20], "validation": np.flatnonzero(events.labels == 2)}
    save_split(Split("lacks", parts), path, sample_names(events.sources))
    with pytest.raises(ValueError, match=r"training must have every class, got none of \[2\]"):
        choose_split(events, SplitChoice(name=str(path)))


def test_speakers_cannot_be_named_for_another_split(events):
    with pytest.raises(ValueError, match="speakers can be named only for the split 'by_speaker', got split 'publ"):
        choose_split(events, SplitChoice(name="published", test_speakers=(4, 5)))


def test_the_arguments_of_a_split_make_it_again(events):
    drawn = split_entry(choose_split(events, SplitChoice(seed=1)), events, seed=1)
    named = {part: drawn.speakers[part] for part in ("validation", "test")}
    assert arguments_of_split(SplitChoice(seed=1), drawn) == {
        "validation_speakers": named["validation"],
        "test_speakers": named["test"],
    }
    fold = SplitChoice(name="leave_one_speaker_out", left_out=4, seed=2)
    assert arguments_of_split(fold, drawn) == {"split": "leave_one_speaker_out", "split_seed": 2, "left_out": 4}
