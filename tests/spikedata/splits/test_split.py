import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.splits import Split, sample_names

SOURCES = [f"{index}.wav" for index in range(72)]


@st.composite
def splits_of_named_samples(draw):
    names = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=2, unique=True))
    parts = draw(st.lists(st.integers(-1, 2), min_size=len(names), max_size=len(names)))
    chosen = {f"part {part}": np.flatnonzero(np.array(parts) == part) for part in range(3) if part in parts}
    return names, Split(draw(st.text(st.characters(exclude_categories=["Cs"]))), chosen)


@settings(deadline=None)
@given(case=splits_of_named_samples(), seed=st.integers(0, 2**32))
def test_json_names_the_same_samples_in_any_order(case, seed):
    names, split = case
    if not split.parts:
        return
    order = np.random.default_rng(seed).permutation(len(names))
    shuffled = [names[index] for index in order]
    again = Split.from_json(split.to_json(names), shuffled)
    assert again.name == split.name
    assert list(again.parts) == list(split.parts)
    for part, indices in split.parts.items():
        assert [shuffled[index] for index in again.parts[part]] == [names[index] for index in indices]


def test_a_part_that_a_split_lacks_is_refused_by_naming_those_that_it_has():
    split = Split("mine", {"train": np.array([0]), "test": np.array([1])})
    assert split.part("test").tolist() == [1]
    with pytest.raises(ValueError, match="split 'mine' has no part 'validation', it has train, test"):
        split.part("validation")


@pytest.mark.parametrize("sources", [("", ""), ("a.wav", ""), ("a.wav", "a.wav")])
def test_samples_without_a_name_of_their_own_are_numbered(sources):
    assert sample_names(sources) == ("0", "1")


def test_samples_are_named_by_their_recordings():
    assert sample_names(["b.wav", "a.wav"]) == ("b.wav", "a.wav")


def test_a_split_as_json_names_samples():
    text = Split("mine", {"train": np.array([1]), "validation": np.array([0])}).to_json(["ä.wav", "b.wav"])
    assert json.loads(text) == {"name": "mine", "parts": {"train": ["b.wav"], "validation": ["ä.wav"]}}


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["a.wav", "a.wav"], "names of samples must differ, got 'a.wav' twice"),
        (["a.wav", ""], "samples must have names"),
        (["a.wav"], "sample 1, must be < 1"),
    ],
)
def test_samples_without_a_name_of_their_own_cannot_be_written(sources, message):
    with pytest.raises(ValueError, match=message):
        Split("mine", {"train": np.array([0, 1])}).to_json(sources)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "a split must be JSON with 'name' and 'parts'"),
        ("[]", "a split must be JSON with 'name' and 'parts'"),
        ('{"name": "x"}', "a split must be JSON with 'name' and 'parts'"),
        ('{"name": "x", "parts": {"train": ["c.wav"]}}', "part 'train' names 'c.wav', which is no sample"),
        ('{"name": "x", "parts": {"train": ["a.wav", "a.wav"]}}', "part 'train' repeats a sample"),
    ],
)
def test_a_text_that_is_no_split_of_these_samples_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Split.from_json(text, ["a.wav", "b.wav"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train": np.array([0, 1]), "test": np.array([1])}, "part 'test' repeats a sample"),
        ({"train": np.array([0, 0])}, "part 'train' repeats a sample"),
        ({"train": np.array([], dtype=int)}, "part 'train' must not be empty"),
        ({"train": np.array([-1])}, "part 'train' has sample -1, must be >= 0"),
    ],
)
def test_parts_that_share_or_lack_samples_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        Split("mine", parts)


def test_the_digest_tells_splits_apart_and_ignores_order():
    one = Split("a", {"train": np.array([0, 2]), "test": np.array([1])})
    same = Split("b", {"test": np.array([1]), "train": np.array([2, 0])})
    other = Split("a", {"train": np.array([0, 1]), "test": np.array([2])})
    assert one.digest == same.digest != other.digest
    assert len(one.digest) == 16
