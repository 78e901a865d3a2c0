import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikedata.splits import split_stratified

# A share of a whole number is computed in floating point: 0.1 * 30 is not 3.
ROUNDING = 1e-9


def names_of(n_samples):
    return [f"{index}.wav" for index in range(n_samples)]


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_samples = draw(st.integers(60, 300))
    labels = rng.integers(0, draw(st.integers(1, 5)), n_samples)
    speakers = rng.integers(-1, draw(st.integers(1, 6)), n_samples)
    validation = draw(st.floats(0.1, 0.4))
    test = draw(st.sampled_from([0.0, 0.1, 0.3]))
    assume(min(np.bincount(labels)[np.unique(labels)]) > 8)  # enough of each class for every part to have some
    return labels, speakers, validation, test, draw(st.integers(0, 2**32))


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_every_sample_is_in_one_part_and_every_class_and_speaker_has_its_share_held_out(case):
    labels, speakers, validation, test, seed = case
    names = names_of(len(labels))
    split = split_stratified(labels, speakers, names, validation=validation, test=test, seed=seed)
    assert list(split.parts) == ["train", "validation", "test"][: 3 if test else 2]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.parts.values()))), np.arange(len(labels)))
    is_held_out = ~np.isin(np.arange(len(labels)), split.part("train"))
    for label in np.unique(labels):
        for group in (labels == label, *((labels == label) & (speakers == s) for s in np.unique(speakers))):
            assert abs(is_held_out[group].sum() - group.sum() * (validation + test)) < 1 + ROUNDING


@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_the_parts_do_not_depend_on_the_order_of_samples(case):
    labels, speakers, validation, test, seed = case
    names, order = names_of(len(labels)), np.random.default_rng(seed).permutation(len(labels))
    there = split_stratified(labels, speakers, names, validation=validation, test=test, seed=seed)
    shuffled = split_stratified(
        labels[order], speakers[order], [names[i] for i in order], validation=validation, test=test, seed=seed
    )
    for part, indices in there.parts.items():
        assert set(order[shuffled.part(part)].tolist()) == set(indices.tolist())


def test_ten_percent_of_ten_clips_is_one():
    labels, speakers = np.repeat(np.arange(20), 120), np.tile(np.repeat(np.arange(12), 10), 20)
    split = split_stratified(labels, speakers, names_of(2400), validation=0.1, test=0.1)
    held_out = np.concatenate([split.part("validation"), split.part("test")])
    pairs, counts = np.unique(np.stack([labels, speakers])[:, held_out], axis=1, return_counts=True)
    assert pairs.shape[1] == 240
    assert set(counts.tolist()) == {2}
    assert len(split.part("validation")) == len(split.part("test")) == 240


def test_the_seed_chooses_the_samples():
    def choose(seed):
        return split_stratified([0] * 60, [0] * 60, names_of(60), seed=seed).digest

    assert choose(0) == choose(0)
    assert len({choose(seed) for seed in range(5)}) == 5


def test_the_name_says_that_speakers_are_shared():
    split = split_stratified([0] * 20, [0] * 20, names_of(20), validation=0.25, test=0.5)
    assert split.name == "stratified, speakers shared: validation 25 %; test 50 %"


@pytest.mark.parametrize(
    ("n_samples", "options", "message"),
    [
        (0, {}, "a split must have samples, got none"),
        (20, {"validation": 0.0}, r"validation must be > 0, .* got 0\.0 and 0\.0"),
        (20, {"validation": 0.5, "test": 0.5}, r"their sum < 1, got 0\.5 and 0\.5"),
        (20, {"test": -0.1}, r"test >= 0 .* got 0\.1 and -0\.1"),
        (20, {"validation": float("nan")}, "got nan"),
        (2, {"validation": 1e-6}, "part 'validation' must not be empty"),
    ],
)
def test_fractions_that_leave_a_part_empty_are_refused(n_samples, options, message):
    with pytest.raises(ValueError, match=message):
        split_stratified([0] * n_samples, [0] * n_samples, names_of(n_samples), **options)


def test_a_class_whose_only_clip_is_held_out_is_refused():
    refused = []
    for seed in range(20):
        try:
            split_stratified([0] * 9 + [1], [0] * 10, names_of(10), validation=0.5, seed=seed)
        except ValueError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 20  # by chance
    assert set(refused) == {"training must have every class, got none of [1]: hold out other samples"}


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a"], "names must be 2, one per sample, got 1"), (["a", "a"], "must differ, got 1 names of 2 samples")],
)
def test_every_sample_must_have_a_name(names, message):
    with pytest.raises(ValueError, match=message):
        split_stratified([0, 0], [0, 0], names)
