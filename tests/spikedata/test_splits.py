import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.splits import Split, split_by_speaker

SPEAKERS = np.repeat(np.arange(12), 6)
LABELS = np.tile(np.arange(3), 24)
SOURCES = [f"{index}.wav" for index in range(len(SPEAKERS))]


def speakers_of(split):
    return {part: set(SPEAKERS[indices].tolist()) for part, indices in split.parts.items()}


def test_named_speakers_are_held_out():
    split = split_by_speaker(SPEAKERS, LABELS, validation=(2, 7), test=(4, 5))
    assert speakers_of(split) == {"train": {0, 1, 3, 6, 8, 9, 10, 11}, "validation": {2, 7}, "test": {4, 5}}
    assert split.name == "by speaker: validation 2, 7; test 4, 5"


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), n_speakers=st.integers(3, 40))
def test_every_sample_is_in_one_part_and_no_speaker_in_two(seed, n_speakers):
    speakers = np.random.default_rng(seed).integers(0, n_speakers, 300) * 3
    speakers[: 3 * n_speakers] = np.repeat(np.arange(n_speakers), 3) * 3
    split = split_by_speaker(speakers, np.zeros(300, dtype=int), seed=seed)
    assert list(split.parts) == ["train", "validation", "test"]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.parts.values()))), np.arange(300))
    seen = [set(speakers[indices].tolist()) for indices in split.parts.values()]
    assert sum(map(len, seen)) == n_speakers
    assert len(seen[1]) == len(seen[2]) == max(1, round(n_speakers / 6))


def test_the_choice_depends_on_the_seed_alone():
    choices = [speakers_of(split_by_speaker(SPEAKERS, LABELS, seed=seed))["test"] for seed in (0, 0, 1, 2, 3)]
    assert choices[0] == choices[1]
    assert any(choice != choices[0] for choice in choices)


def test_the_choice_does_not_depend_on_the_order_of_samples():
    order = np.random.default_rng(0).permutation(len(SPEAKERS))
    there = speakers_of(split_by_speaker(SPEAKERS, LABELS, seed=3))
    shuffled = split_by_speaker(SPEAKERS[order], LABELS[order], seed=3)
    assert {part: set(SPEAKERS[order][indices].tolist()) for part, indices in shuffled.parts.items()} == there


def test_a_named_test_part_is_never_chosen_for_validation():
    for seed in range(20):
        parts = speakers_of(split_by_speaker(SPEAKERS, LABELS, test=(4, 5), seed=seed))
        assert parts["test"] == {4, 5}
        assert not parts["validation"] & {4, 5}


def test_a_split_may_have_no_test_part():
    split = split_by_speaker(SPEAKERS, LABELS, validation=(3,), test=())
    assert list(split.parts) == ["train", "validation"]
    assert split.name == "by speaker: validation 3"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": (12,)}, r"validation speaker 12, must be one of 0, 1, 2, .*11"),
        ({"test": (4, 99)}, "test speaker 99, must be one of"),
        ({"validation": (4,), "test": (4, 5)}, "test speaker 4, must be named once"),
        ({"test": (5, 5)}, "test speaker 5, must be named once"),
        ({"validation": ()}, "validation must name at least one speaker, got none"),
        ({"validation": tuple(range(11)), "test": (11,)}, "every part must have a speaker, got only 12"),
        ({"validation": tuple(range(11))}, "every part must have a speaker, got only 12"),
    ],
)
def test_speakers_that_cannot_be_held_out_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        split_by_speaker(SPEAKERS, LABELS, **options)


@pytest.mark.parametrize("n_speakers", [0, 1, 2])
def test_too_few_speakers_are_refused(n_speakers):
    with pytest.raises(ValueError, match=f"every part must have a speaker, got only {n_speakers}"):
        split_by_speaker(np.arange(n_speakers), np.zeros(n_speakers, dtype=int))


def test_two_speakers_are_enough_without_a_test_part():
    assert len(split_by_speaker([0, 1], [0, 0], test=()).parts["train"]) == 1


def test_unknown_speakers_are_refused():
    with pytest.raises(ValueError, match="got -1: the speakers of the file are not known"):
        split_by_speaker([-1, -1, -1], [0, 0, 0])


def test_a_class_that_is_never_trained_is_refused():
    with pytest.raises(ValueError, match=r"training must have every class, got none of \[1\]"):
        split_by_speaker([0, 0, 1, 2, 2], [0, 0, 0, 0, 1], validation=(1,), test=(2,))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"speakers \(3,\) and labels \(2,\)"):
        split_by_speaker([0, 1, 2], [0, 0])


def test_a_split_by_names_is_found_again_in_another_order():
    split = split_by_speaker(SPEAKERS, LABELS, seed=1)
    order = np.random.default_rng(0).permutation(len(SOURCES))
    shuffled = [SOURCES[index] for index in order]
    again = Split.from_json(split.to_json(SOURCES), shuffled)
    assert again.name == split.name
    for part, indices in split.parts.items():
        assert [shuffled[index] for index in again.parts[part]] == [SOURCES[index] for index in indices]


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
