import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.splits import split_as_listed

NAMES = [f"{number}.wav" for number in range(6)]
LABELS = [0, 0, 0, 1, 1, 1]
SPEAKERS = [1, 1, 2, 1, 1, 2]
PARTS = {"train": ["0.wav", "1.wav", "3.wav", "4.wav"], "test": ["2.wav", "5.wav"]}


def names_in(split, names):
    return {part: {names[index] for index in indices} for part, indices in split.parts.items()}


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(6)), data=st.data())
def test_neither_the_order_of_the_samples_nor_that_of_the_lists_matters(order, data):
    shuffled = {part: data.draw(st.permutations(PARTS[part])) for part in data.draw(st.permutations(list(PARTS)))}
    names = [NAMES[index] for index in order]
    split = split_as_listed(names, np.take(LABELS, order), np.take(SPEAKERS, order), shuffled)
    assert names_in(split, names) == {part: set(listed) for part, listed in PARTS.items()}
    assert list(split.parts) == ["train", "test"]
    assert all((np.diff(indices) > 0).all() for indices in split.parts.values())


def test_parts_stand_in_the_order_of_their_use():
    parts = {"test": ["2.wav"], "extra": ["5.wav"], "validation": ["1.wav"], "train": ["0.wav", "3.wav", "4.wav"]}
    split = split_as_listed(NAMES, LABELS, SPEAKERS, parts)
    assert list(split.parts) == ["train", "validation", "test", "extra"]


@pytest.mark.parametrize(
    ("speakers", "name"),
    [
        (SPEAKERS, "as listed (m.csv)"),
        ([1, 1, 2, 1, 2, 2], "as listed, speakers shared (m.csv)"),
        ([1, 1, -1, 1, 1, -1], "as listed, speakers unknown (m.csv)"),  # who is unknown may be anybody
    ],
)
def test_the_name_says_where_the_lists_stand_and_whether_speakers_may_be_shared(speakers, name):
    assert split_as_listed(NAMES, LABELS, speakers, PARTS, origin="m.csv").name == name


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {**PARTS, "test": ["2.wav", "z.wav", "y.wav"]},
            r"^m.csv: part 'test' names 2 of 3 recordings that do not exist, first 'y.wav'; encode --on-error skip leaves",
        ),
        ({**PARTS, "test": ["2.wav"]}, r"^m.csv: must name every recording, 1 are in no part, first '5.wav'$"),
        ({**PARTS, "test": ["2.wav", "5.wav", "0.wav"]}, r"'0.wav' must be listed once, got parts 'train' and 'test'"),
        ({**PARTS, "test": ["2.wav", "5.wav", "5.wav"]}, r"'5.wav' must be listed once, got parts 'test' and 'test'"),
        ({**PARTS, "validation": []}, r"part 'validation' must not be empty"),
        ({"test": NAMES}, r"^m.csv: must have a part 'train', got 'test'$"),
        ({}, r"^m.csv: must have a part 'train', got none$"),
        ({"train": NAMES[:3], "test": NAMES[3:]}, r"training must have every class, got none of \[1\]"),
    ],
)
def test_lists_that_do_not_divide_the_samples_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        split_as_listed(NAMES, LABELS, SPEAKERS, parts, origin="m.csv")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES[:5], "names must be 6, one per sample, got 5"),
        ([*NAMES[:5], "0.wav"], "names of samples must differ, got 5 names of 6 samples"),
    ],
)
def test_names_that_do_not_tell_the_samples_apart_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        split_as_listed(names, LABELS, SPEAKERS, PARTS)
