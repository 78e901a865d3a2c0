import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.splits import Split, require_speakers_apart, split_by_speaker

SPEAKERS = np.repeat(np.arange(12), 6)
LABELS = np.tile(np.arange(3), 24)


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
        ({"validation": (4,), "test": (4, 5)}, "test speaker 4, must be given once"),
        ({"test": (5, 5)}, "test speaker 5, must be given once"),
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
    with pytest.raises(
        ValueError, match=r"3 of 3 samples have an unknown speaker \(-1\); .* --split stratified_shared_speakers"
    ):
        split_by_speaker([-1, -1, -1], [0, 0, 0])


def test_a_class_that_is_never_trained_is_refused():
    with pytest.raises(ValueError, match=r"training must have every class, got none of \[1\]"):
        split_by_speaker([0, 0, 1, 2, 2], [0, 0, 0, 0, 1], validation=(1,), test=(2,))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"speakers \(3,\) and labels \(2,\)"):
        split_by_speaker([0, 1, 2], [0, 0])


def test_of_many_speakers_the_name_says_how_many():
    split = split_by_speaker(np.arange(200), np.zeros(200, dtype=int), seed=1)
    assert split.name == "by speaker: validation 33 speakers; test 33 speakers"


def test_a_speaker_in_two_parts_breaks_the_promise():
    split = Split("mine", {"train": np.array([0, 1]), "test": np.array([2])})
    require_speakers_apart(split, [7, 7, 8])
    with pytest.raises(ValueError, match="split 'mine': speaker 7 is in 'train' and in 'test'"):
        require_speakers_apart(split, [7, 8, 7])


def test_no_promise_is_made_of_unknown_speakers():
    with pytest.raises(ValueError, match=r"part 'test' has an unknown speaker \(-1\)"):
        require_speakers_apart(Split("mine", {"train": np.array([0]), "test": np.array([1])}), [7, -1])
