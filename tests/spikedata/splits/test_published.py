import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.splits import require_speakers_apart, split_as_published, which_set


def heidelberg_digits(n_trials):
    """Names, labels and speakers as in the corpus: 12 speakers, 2 languages, 10 digits."""
    names, labels, speakers = [], [], []
    for speaker in range(12):
        for label in range(20):
            for trial in range(n_trials):
                language = "german" if label >= 10 else "english"
                names.append(f"lang-{language}_speaker-{speaker:02}_trial-{trial}_digit-{label % 10}.flac")
                labels.append(label)
                speakers.append(speaker)
    return names, np.array(labels), np.array(speakers)


def names_in(split, names):
    return {part: {names[index] for index in indices} for part, indices in split.parts.items()}


@settings(max_examples=20, deadline=None)
@given(n_trials=st.integers(2, 12), seed=st.integers(0, 2**32))
def test_the_test_part_has_speakers_4_and_5_and_a_twentieth_of_each_class_of_the_others(n_trials, seed):
    names, labels, speakers = heidelberg_digits(n_trials)
    keep = np.sort(np.random.default_rng(seed).permutation(len(names))[: len(names) * 9 // 10])
    names, labels, speakers = [names[index] for index in keep], labels[keep], speakers[keep]
    split = split_as_published(names, labels, speakers)
    assert list(split.parts) == ["train", "test"]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.parts.values()))), np.arange(len(names)))
    assert not np.isin(speakers[split.part("train")], (4, 5)).any()
    is_test = np.isin(np.arange(len(names)), split.part("test"))
    for label in range(20):
        others = (labels == label) & ~np.isin(speakers, (4, 5))
        assert abs(is_test[others].sum() - 0.05 * others.sum()) <= 0.5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_neither_order_nor_folder_nor_suffix_matters(seed):
    names, labels, speakers = heidelberg_digits(4)
    there = names_in(split_as_published(names, labels, speakers), names)
    order = np.random.default_rng(seed).permutation(len(names))
    moved = [f"hd_audio/audio/{names[index].replace('.flac', '.wav')}" for index in order]
    split = split_as_published(moved, labels[order], speakers[order])
    assert names_in(split, [names[index] for index in order]) == there


def test_the_rule_holds_for_ever():
    names, labels, speakers = heidelberg_digits(2)
    split = split_as_published(names, labels, speakers)
    chosen = [names[index] for index in split.part("test") if speakers[index] not in (4, 5) and labels[index] < 3]
    assert chosen == [
        "lang-english_speaker-03_trial-0_digit-0.flac",
        "lang-english_speaker-07_trial-0_digit-1.flac",
        "lang-english_speaker-08_trial-0_digit-2.flac",
    ]


def test_the_name_says_what_is_shared():
    assert split_as_published(*heidelberg_digits(2)).name == (
        "published rule, speakers shared: test speakers 4, 5 and 5 % of each class of the others, by hash"
    )


def test_speech_commands_are_divided_by_the_hash_of_the_speaker_at_10_and_20_percent():
    names = [f"cat/{number:08x}_nohash_{take}.wav" for number in range(40) for take in range(2)]
    speakers = np.repeat(np.arange(40), 2)
    split = split_as_published(names, [0] * len(names), speakers)
    assert split.name == "published rule: validation 10 %; test 20 % of the speakers, by hash"
    assert list(split.parts) == ["train", "validation", "test"]
    require_speakers_apart(split, speakers)
    for part, indices in split.parts.items():
        hashed = {which_set(names[index], validation_percentage=10, testing_percentage=20) for index in indices}
        assert hashed == {part}


def test_a_speaker_whose_number_belies_the_hash_breaks_the_promise():
    names = [f"cat/{number:08x}_nohash_0.wav" for number in range(40)]
    with pytest.raises(ValueError, match="speaker 3 is in"):
        split_as_published(names, [0] * 40, [3] * 40)


@pytest.mark.parametrize(
    ("names", "speakers", "message"),
    [
        ([], [], "must be named as in .*, got ''"),
        (["", ""], [4, 5], "got ''; SHD and SSC are divided by their files"),
        (["lang-a.flac", "cat/1.wav"], [4, 5], "got 'cat/1.wav'"),
        (["lang-a.flac", "x_nohash_0.wav"], [4, 5], "must be named as in .*, got 'lang-a.flac'"),
        (["lang-a.flac", "lang-b.flac"], [3, 4], "there is no speaker 5"),
        (["1/lang-a.flac", "2/lang-a.flac"], [4, 5], "must differ in name, got 1 names of 2"),
        (["lang-a.flac", "lang-b.flac"], [4, 5], "part 'train' must not be empty"),
        (["lang-a.flac"], [4, 5], "names must be 2, one per sample, got 1"),
    ],
)
def test_what_is_no_corpus_with_a_published_split_is_refused(names, speakers, message):
    with pytest.raises(ValueError, match=message):
        split_as_published(names, [0] * len(speakers), speakers)
