import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.corpora import Listing, list_clips
from spikedata.events import Events, Sample
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter
from spikedata.splits import SPLITS, available_splits, make_split, require_speakers_apart

NO_SPIKES = np.empty(0), np.empty(0, dtype=np.uint16)
IN_ANY_FILE = tuple(name for name in SPLITS if name != "listed")  # a file brings no lists
WITH_SHARED_SPEAKERS = {"stratified_shared_speakers", "validation_stratified_shared_speakers"}


def make_samples(n_speakers=12, *, n_takes=10, named=True, known=True):
    """Digits 0 and 1, named as in Heidelberg Digits."""
    return [
        Sample(
            *NO_SPIKES,
            label=digit,
            speaker=speaker if known else -1,
            source=f"lang-english_speaker-{speaker:02}_trial-{take}_digit-{digit}.flac" if named else "",
        )
        for speaker in range(n_speakers)
        for digit in range(2)
        for take in range(n_takes)
    ]


def events_of(samples):
    return Events.from_samples(samples, keys=["zero", "one"])


def speaker_for(name):
    return 7 if name == "leave_one_speaker_out" else None


@pytest.mark.parametrize("name", IN_ANY_FILE)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_split_is_the_same_names_in_a_file_of_another_order(name, seed):
    samples = make_samples()
    order = np.random.default_rng(seed).permutation(len(samples))
    parts = []
    for events in (events_of(samples), events_of([samples[index] for index in order])):
        split = make_split(events, name, seed=seed, speaker=speaker_for(name))
        parts.append({part: {events.sources[i] for i in indices} for part, indices in split.parts.items()})
    assert parts[0] == parts[1]
    assert sum(len(names) for names in parts[0].values()) == len(set.union(*parts[0].values())) == len(samples)


@pytest.mark.parametrize("name", [*SPLITS[:3], "published"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_speakers_are_shared_only_where_the_name_says_so(name, seed):
    events = events_of(make_samples())
    split = make_split(events, name, seed=seed, speaker=speaker_for(name))
    if "speakers shared" not in split.name:
        require_speakers_apart(split, events.speakers)


@pytest.mark.parametrize("name", sorted(WITH_SHARED_SPEAKERS))
def test_a_split_with_shared_speakers_says_so(name):
    assert "speakers shared" in make_split(events_of(make_samples()), name).name


def test_speakers_are_held_apart_unless_told_otherwise():
    events = events_of(make_samples())
    assert make_split(events).digest == make_split(events, "by_speaker", seed=0).digest


@pytest.mark.parametrize("name", ["validation_by_speaker", "validation_stratified_shared_speakers"])
def test_data_whose_test_set_is_another_file_are_split_in_two(name):
    assert list(make_split(events_of(make_samples()), name).parts) == ["train", "validation"]


def test_an_open_file_is_split_as_its_events(tmp_path):
    samples = make_samples()
    with SpikeWriter(tmp_path / "x.h5", keys=["zero", "one"]) as writer:
        for sample in samples:
            writer.append(sample.times, sample.units, label=sample.label, speaker=sample.speaker, source=sample.source)
    with SpikeFile(tmp_path / "x.h5") as file:
        assert available_splits(file) == IN_ANY_FILE
        assert make_split(file, seed=4).digest == make_split(events_of(samples), seed=4).digest


def test_a_published_file_has_no_published_split_of_its_own():
    events = events_of(make_samples(10, named=False))
    assert available_splits(events) == tuple(name for name in IN_ANY_FILE if name != "published")
    rule = "no split 'published': all recordings must be named .* divided by their files; available: by_speaker, "
    with pytest.raises(ValueError, match=rule):
        make_split(events, "published")


def test_unknown_speakers_leave_the_splits_that_share_them():
    events = events_of(make_samples(known=False, named=False))
    rule = r"no split 'by_speaker': .*unknown speaker .*; available: stratified_shared_speakers, validation_strat"
    with pytest.raises(ValueError, match=rule):
        make_split(events)


def test_two_speakers_are_enough_for_a_validation_part():
    events = events_of(make_samples(2, named=False))
    assert "validation_by_speaker" in available_splits(events)
    with pytest.raises(ValueError, match=r"no split 'by_speaker': .*; available: validation_by_speaker, strat"):
        make_split(events)


def test_no_samples_have_no_split():
    assert available_splits(events_of([])) == ()
    with pytest.raises(ValueError, match="available: none"):
        make_split(events_of([]))


def test_a_validation_part_that_the_published_split_lacks_is_refused():
    split = make_split(events_of(make_samples()), "published")
    with pytest.raises(ValueError, match="has no part 'validation', it has train, test"):
        split.part("validation")


@pytest.mark.parametrize(
    ("name", "speaker", "message"),
    [
        ("random", None, r"split must be one of by_speaker, .*, got 'random'"),
        ("leave_one_speaker_out", None, "needs the speaker to leave out, got speaker None"),
        ("by_speaker", 3, "leaves no speaker out, got speaker 3"),
        ("leave_one_speaker_out", 99, "^test speaker 99, must be one of 0, 1, "),
    ],
)
def test_a_split_or_speaker_that_is_not_there_is_refused(name, speaker, message):
    with pytest.raises(ValueError, match=message):
        make_split(events_of(make_samples()), name, speaker=speaker)


@pytest.fixture
def listing(tmp_path) -> Listing:
    """Empty recordings named as in Heidelberg Digits."""
    for sample in make_samples():
        (tmp_path / sample.source).touch()
    return list_clips("heidelberg_digits", tmp_path)


@pytest.fixture
def listing_with_lists(listing, tmp_path) -> Listing:
    """The same beside lists that test speaker 4, speaker 5 and the first take of everybody."""
    tested = {name for name in listing.sources if "speaker-04" in name or "speaker-05" in name or "trial-0" in name}
    (tmp_path / "test_filenames.txt").write_text("\n".join(sorted(tested)))
    (tmp_path / "train_filenames.txt").write_text("\n".join(sorted(set(listing.sources) - tested)))
    return list_clips("heidelberg_digits", tmp_path)


@pytest.mark.parametrize("name", IN_ANY_FILE)
def test_a_listing_is_split_as_the_file_that_is_made_of_it(listing, name):
    events = events_of(make_samples())
    ours = make_split(listing, name, seed=3, speaker=speaker_for(name))
    theirs = make_split(events, name, seed=3, speaker=speaker_for(name))
    assert ours.name == theirs.name
    assert {part: {listing.sources[i] for i in indices} for part, indices in ours.parts.items()} == {
        part: {events.sources[i] for i in indices} for part, indices in theirs.parts.items()
    }


def test_a_listing_with_lists_has_every_split(listing_with_lists):
    assert available_splits(listing_with_lists) == SPLITS


def test_the_lists_make_the_published_split_where_they_are(listing_with_lists):
    split = make_split(listing_with_lists, "published")
    assert split.name == "published lists, speakers shared (train_filenames.txt and test_filenames.txt)"
    assert split.digest == make_split(listing_with_lists, "listed").digest
    assert {listing_with_lists.sources[index] for index in split.part("test")} == set(listing_with_lists.parts["test"])


def test_a_rule_makes_the_published_split_where_no_lists_are(listing):
    split = make_split(listing, "published")
    assert split.name.startswith("published rule, speakers shared: test speakers 4, 5 and 5 % of each class")


def test_lists_that_do_not_fit_are_refused_and_no_rule_steps_in(listing_with_lists, tmp_path):
    (tmp_path / "lang-german_speaker-00_trial-0_digit-0.flac").touch()
    changed = list_clips("heidelberg_digits", tmp_path)
    rule = "train_filenames.txt and test_filenames.txt: must name every recording, 1 are in no part, first 'lang-german"
    for name in ("published", "listed"):
        with pytest.raises(ValueError, match=f"no split '{name}': {rule}"):
            make_split(changed, name)


def test_the_lists_of_speech_commands_are_not_the_published_split(tmp_path):
    names = [f"cat/{speaker:08x}_nohash_0.wav" for speaker in range(40)]
    (tmp_path / "cat").mkdir()
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "validation_list.txt").write_text(names[0])
    (tmp_path / "testing_list.txt").write_text(names[1])
    listing = list_clips("speech_commands", tmp_path)
    assert (
        make_split(listing, "published").name == "published rule: validation 10 %; test 20 % of the speakers, by hash"
    )
    assert make_split(listing, "listed").part("validation").tolist() == [0]


def test_the_parts_of_a_manifest_are_not_the_published_split(listing, tmp_path):
    lines = [f"{clip.name},{clip.label},{clip.speaker},{'train' if clip.speaker else 'test'}" for clip in listing.clips]
    (tmp_path / "m.csv").write_text("\n".join(["path,label,speaker,part", *lines]))
    manifest = list_clips("manifest", tmp_path / "m.csv")
    assert make_split(manifest, "published").name.startswith("published rule, speakers shared")
    assert make_split(manifest, "listed").name == "as listed (m.csv)"


def test_a_data_set_without_lists_says_so():
    with pytest.raises(ValueError, match="no split 'listed': the data set has no lists that divide it; available: by_"):
        make_split(events_of(make_samples()), "listed")
