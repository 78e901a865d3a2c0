import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.encoding.encode import encode_clips
from spikedata.events import Events, Sample
from spikedata.splits import Split, available_splits, leave_speaker_out, make_split, sample_names, split_as_listed

SOURCES = [f"{index}.wav" for index in range(72)]


@st.composite
def splits_of_named_samples(draw):
    names = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=2, unique=True))
    parts = draw(st.lists(st.integers(-1, 2), min_size=len(names), max_size=len(names)).filter(lambda p: max(p) >= 0))
    chosen = {f"part {part}": np.flatnonzero(np.array(parts) == part) for part in range(3) if part in parts}
    return names, Split(draw(st.text(st.characters(exclude_categories=["Cs"]))), chosen)


@settings(deadline=None)
@given(case=splits_of_named_samples(), seed=st.integers(0, 2**32))
def test_json_names_the_same_samples_in_any_order(case, seed):
    names, split = case
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
    promises = {"kind": "own", "speakers_apart": None, "held_out": {}}
    assert json.loads(text) == {"name": "mine", **promises, "parts": {"train": ["b.wav"], "validation": ["ä.wav"]}}


def test_a_file_of_a_split_of_before_is_read():
    split = Split.from_json('{"name": "by speaker: test 2", "parts": {"train": ["a.wav"]}}', ["a.wav"])
    assert (split.kind, split.speakers_apart, split.held_out) == ("own", None, {})


@pytest.mark.parametrize(
    ("speakers", "apart"), [([1, 1, 2, 2, 3, 3], True), ([1, 1, 2, 2, -1, 3], None), ([1, 2, 1, 2, 1, 2], False)]
)
def test_a_split_says_what_it_promises(speakers, apart):
    names = [f"{index}.wav" for index in range(6)]
    split = split_as_listed(names, [0] * 6, speakers, {"train": names[:2], "test": names[2:]})
    again = Split.from_json(split.to_json(names), names)
    for one in (split, again):
        assert (one.kind, one.speakers_apart) == ("listed", apart)
    assert again.held_out == split.held_out == ({} if apart is False else {"test": (2, 3)})


def test_a_fold_knows_who_is_held_out():
    fold = leave_speaker_out([1, 1, 2, 2, 3, 3], [0, 1] * 3, 2)
    assert (fold.kind, fold.held_out, fold.speakers_apart) == (
        "leave_one_speaker_out", {"validation": (3,), "test": (2,)}, True,
    )  # fmt: skip


def test_every_named_split_is_of_its_kind():
    speakers = np.repeat(np.arange(6), 20)
    events = Events.from_samples(
        [Sample(np.empty(0), np.empty(0, np.uint16), i % 2, int(s), f"{i}.wav") for i, s in enumerate(speakers)],
        keys=["no", "yes"],
    )
    for name in available_splits(events):
        who = 3 if name == "leave_one_speaker_out" else None
        assert make_split(events, name, speaker=who).kind == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": 3, "parts": {}}', "'name' text, got 3"),
        ('{"name": "x", "parts": [1]}', r"'parts' an object of lists of names, got \[1\]"),
        ('{"name": "x", "parts": {}}', "split 'x' must have parts, got none"),
        (
            '{"name": "x", "parts": {"train": "a.wav"}}',
            "part 'train' must be a list of names of samples, got \"a.wav\"",
        ),
        ('{"name": "x", "parts": {"train": [0]}}', r"part 'train' must be a list of names of samples, got \[0\]"),
        ('{"name": "x", "parts": {"train": []}}', "part 'train' must not be empty"),
        ('{"name": "x", "parts": {"train": ["a.wav"], "test": ["a.wav"]}}', "0 is also in part 'train'"),
        ('{"name": "x", "held_out": {"test": "me"}, "parts": {"train": ["a.wav"]}}', "'held_out' must be lists"),
        ('{"name": "x", "speakers_apart": 1, "parts": {"train": ["a.wav"]}}', "'speakers_apart' must be true, false"),
    ],
)
def test_a_damaged_split_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        Split.from_json(text, ["a.wav"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ([[0, 1]], r"must be a column of samples, got shape \(1, 2\)"),
        ([0.5, 1.0], "must hold whole numbers of samples, got float64"),
        ([True, False], "must hold whole numbers of samples, got bool"),
    ],
)
def test_a_part_that_is_no_column_of_numbers_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        Split("mine", {"train": part})


def test_a_part_may_be_a_list():
    assert Split("mine", {"train": [1, 0]}).part("train").dtype == np.int64


def test_a_split_of_a_larger_file_is_refused(tmp_path, listing):
    split = Split("larger", {"train": np.arange(200)})
    with pytest.raises(ValueError, match="split 'larger': part 'train' has sample 199, must be < 150"):
        encode_clips(listing, tmp_path / "out", split=split)
    assert list(tmp_path.iterdir()) == []


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
        ('{"name": "x", "parts": {"train": ["c.wav"]}}', "part 'train' names 'c.wav', which is not a sample"),
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
