from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.splits import leave_one_speaker_out, leave_speaker_out, require_speakers_apart


def columns(n_speakers, n_samples, seed):
    """Speakers with gaps between their numbers, each with both of two classes at least once."""
    rng = np.random.default_rng(seed)
    speakers = rng.permutation(
        np.concatenate([np.tile(np.arange(n_speakers), 2), rng.integers(0, n_speakers, n_samples)])
    )
    labels = np.zeros(len(speakers), dtype=int)
    for speaker in range(n_speakers):
        labels[np.flatnonzero(speakers == speaker)[0]] = 1
    return speakers * 5 + 2, labels


@settings(max_examples=40, deadline=None)
@given(n_speakers=st.integers(3, 14), n_samples=st.integers(0, 60), seed=st.integers(0, 2**32), data=st.data())
def test_every_speaker_is_tested_once_and_validates_equally_often(n_speakers, n_samples, seed, data):
    speakers, labels = columns(n_speakers, n_samples, seed)
    n_validation = data.draw(st.integers(1, n_speakers - 2))
    folds = leave_one_speaker_out(speakers, labels, n_validation=n_validation, seed=seed)
    assert [set(speakers[fold.part("test")]) for fold in folds] == [{speaker} for speaker in np.unique(speakers)]
    validated = Counter(speaker for fold in folds for speaker in set(speakers[fold.part("validation")].tolist()))
    assert validated == dict.fromkeys(np.unique(speakers).tolist(), n_validation)
    for fold in folds:
        require_speakers_apart(fold, speakers)
        np.testing.assert_array_equal(np.sort(np.concatenate(list(fold.parts.values()))), np.arange(len(speakers)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_fold_does_not_depend_on_the_order_of_samples(seed):
    speakers, labels = columns(6, 20, seed)
    order = np.random.default_rng(seed).permutation(len(speakers))
    there = leave_one_speaker_out(speakers, labels, seed=seed)
    shuffled = leave_one_speaker_out(speakers[order], labels[order], seed=seed)
    for fold, other in zip(there, shuffled, strict=True):
        assert {part: set(order[indices].tolist()) for part, indices in other.parts.items()} == {
            part: set(indices.tolist()) for part, indices in fold.parts.items()
        }


def test_one_fold_is_that_of_all_folds():
    speakers, labels = columns(5, 20, 0)
    folds = leave_one_speaker_out(speakers, labels, seed=3)
    alone = leave_speaker_out(speakers, labels, 12, seed=3)
    assert (alone.name, alone.digest) == (folds[2].name, folds[2].digest)


def test_the_seed_chooses_who_validates():
    speakers, labels = columns(12, 20, 0)
    names = {tuple(fold.name for fold in leave_one_speaker_out(speakers, labels, seed=seed)) for seed in (0, 0, 1, 2)}
    assert len(names) == 3


@pytest.mark.parametrize(
    ("speakers", "options", "message"),
    [
        ([], {}, "at least 3 speakers, got 0"),
        ([1, 2], {}, "leaving a speaker out takes at least 3 speakers, got 2; .* --split stratified_shared_speakers"),
        ([1, 2, 3], {"n_validation": 0}, r"n_validation must be in 1..1, .* got 0"),
        ([1, 2, 3], {"n_validation": 2}, r"n_validation must be in 1..1, .* got 2"),
        ([-1, 2, 3], {}, "1 of 3 samples have an unknown speaker"),
    ],
)
def test_speakers_who_cannot_be_left_out_are_refused(speakers, options, message):
    with pytest.raises(ValueError, match=message):
        leave_one_speaker_out(speakers, [0] * len(speakers), **options)


def test_a_speaker_who_is_not_there_is_refused():
    with pytest.raises(ValueError, match="test speaker 4, must be one of 1, 2, 3"):
        leave_speaker_out([1, 2, 3], [0, 0, 0], 4)


def test_a_class_that_only_one_speaker_says_cannot_be_left_out():
    with pytest.raises(ValueError, match=r"training must have every class, got none of \[1\]"):
        leave_one_speaker_out([1, 1, 2, 3], [0, 1, 0, 0])
