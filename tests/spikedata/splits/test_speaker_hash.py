import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedata.splits import require_speakers_apart, split_as_published, split_by_hash, which_set

# From validation_list.txt and testing_list.txt of Speech Commands v0.02 (10 % each).
LISTED = {
    "backward/7a49163e_nohash_0.wav": "validation",
    "bed/105e72bb_nohash_0.wav": "validation",
    "bed/8b775397_nohash_1.wav": "validation",
    "bed/97f4c236_nohash_0.wav": "test",
    "bird/bb31b82b_nohash_2.wav": "test",
    "cat/e41a903b_nohash_0.wav": "test",
}
PERCENTAGES = st.floats(0, 45)  # two of them, and 10 more, are within 100


def recordings(n_speakers):
    """Names, labels and speakers of two words by each speaker."""
    names = [f"{word}/{speaker:08x}_nohash_0.wav" for speaker in range(n_speakers) for word in ("bed", "cat")]
    return names, [0, 1] * n_speakers, np.repeat(np.arange(n_speakers), 2)


@pytest.mark.parametrize("name", LISTED)
def test_the_lists_of_the_corpus_are_those_of_10_and_10_percent(name):
    assert which_set(name, validation_percentage=10, testing_percentage=10) == LISTED[name]


@given(speaker=st.text("0123456789abcdef", min_size=1, max_size=8), validation=PERCENTAGES, test=PERCENTAGES)
def test_the_speaker_alone_decides(speaker, validation, test):
    names = (f"bed/{speaker}_nohash_0.wav", f"{speaker}_nohash_7.flac", f"a/b/cat/{speaker}_nohash_12.wav")
    assert len({which_set(name, validation_percentage=validation, testing_percentage=test) for name in names}) == 1


@given(speaker=st.text("0123456789abcdef", min_size=1, max_size=8), validation=PERCENTAGES, test=PERCENTAGES)
def test_a_larger_test_part_takes_from_training_alone(speaker, validation, test):
    smaller, larger = (
        which_set(f"{speaker}_nohash_0.wav", validation_percentage=validation, testing_percentage=share)
        for share in (test, test + 10)
    )
    assert smaller == larger or (smaller, larger) == ("train", "test")


def test_the_parts_have_about_their_percentages():
    split = split_by_hash(*recordings(5000))
    shares = [split.part(part).size / 10_000 for part in ("validation", "test")]
    # 5,000 draws: standard errors of 0.4 % and 0.6 %; four of them
    assert shares == [pytest.approx(0.1, abs=0.017), pytest.approx(0.2, abs=0.023)]


def test_the_default_is_the_published_division():
    columns = recordings(200)
    assert split_by_hash(*columns).digest == split_as_published(*columns).digest


def test_the_parts_share_no_speaker():
    names, labels, speakers = recordings(200)
    require_speakers_apart(split_by_hash(names, labels, speakers, validation_percentage=33.3), speakers)


def test_a_part_of_no_percent_is_left_out():
    split = split_by_hash(*recordings(50), validation_percentage=0)
    assert list(split.parts) == ["train", "test"]
    assert split.name == "by hash: test 20 % of the speakers"


@pytest.mark.parametrize(("validation", "test"), [(-1, 10), (10, -1), (60, 41), (float("nan"), 10), (10, float("inf"))])
def test_percentages_out_of_bounds_are_refused(validation, test):
    rule = "validation and testing percentage must be >= 0 and both together <= 100, got"
    with pytest.raises(ValueError, match=rule):
        which_set("a_nohash_0.wav", validation_percentage=validation, testing_percentage=test)
    with pytest.raises(ValueError, match=rule):
        split_by_hash(*recordings(9), validation_percentage=validation, testing_percentage=test)


def test_names_of_other_corpora_are_refused():
    with pytest.raises(ValueError, match=r"must be named \{speaker\}_nohash_\{n\}.wav, got 'cat/1.wav'"):
        split_by_hash(["a_nohash_0.wav", "cat/1.wav"], [0, 0], [0, 1])


def test_a_split_without_any_held_out_part_is_refused():
    with pytest.raises(ValueError, match="validation or testing percentage must be > 0, got 0 and 0"):
        split_by_hash(*recordings(9), validation_percentage=0, testing_percentage=0)


def test_a_name_for_each_sample_is_needed():
    with pytest.raises(ValueError, match="names must be 2, one per sample, got 1"):
        split_by_hash(["a_nohash_0.wav"], [0, 0], [0, 1])
