"""A speaker is (corpus, speaker): what a card says of two files, and where each comes from."""

from dataclasses import replace

import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.card_text import format_card
from spikedata.baseline.runs.data import read_run_data
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import read_card
from spikedata.baseline.runs.group_summary import format_group
from spikedata.baseline.runs.groups import evaluate_group, train_group
from spikedata.baseline.runs.leaderboard import leaderboard
from spikedata.baseline.runs.train import train_run
from spikedata.corpora import list_clips
from spikedata.disk import file_digest
from spikedata.downloads import registry
from spikedata.downloads.entries import Checksum

COUNTS = recipe_from("counts", {"duration": "0.2", "strengths": "1"})
SPEAKERS = {"validation_speakers": (3,), "test_speakers": ()}


@pytest.fixture
def score(write_spikes, make_events, tmp_path):
    """Train on speakers 0 to 3, of whom 3 chooses, and score speakers 2, 3 and 9 of another file."""

    def train_and_score(trained, scored, change=lambda path: None):
        file = write_spikes(make_events(), "a.h5", **trained)
        other = write_spikes(make_events(speakers=(2, 3, 9), seed=4), "b.h5", **scored)
        for path in (file, other):
            change(path)
        train_run(file, tmp_path / "run", recipe=COUNTS, **SPEAKERS)
        return evaluate_run(tmp_path / "run", other).tests[-1], read_card(tmp_path / "run")

    return train_and_score


def test_in_one_corpus_those_who_trained_and_those_who_chose_are_told_apart(score):
    entry, card = score({"corpus": "fsdd"}, {"corpus": "fsdd"})
    assert (entry.same_numbering, entry.speakers_trained, entry.speakers_chose) == (True, (2,), (3,))
    assert entry.unseen == entry.by_speaker["9"]
    assert "; speakers 2 trained; speakers 3 chose the epoch, opened once; of unseen speakers" in format_card(card)


def test_nobody_of_another_corpus_has_trained(score, tmp_path):
    entry, card = score({"corpus": "fsdd"}, {"corpus": "audiomnist"})
    assert (entry.same_numbering, entry.speakers_trained, entry.speakers_chose) == (False, (), ())
    assert entry.unseen.n == entry.score.n
    assert "; its speakers are of another corpus, audiomnist, opened once" in format_card(card)
    assert leaderboard(tmp_path).lines[0].marks == ()


@pytest.mark.parametrize("corpus", [None, "folder", "manifest"])
def test_of_a_corpus_without_a_name_nobody_knows_who_trained(score, tmp_path, corpus):
    entry, card = score({"corpus": corpus}, {"corpus": corpus})
    assert (entry.same_numbering, entry.speakers_trained, entry.unseen) == (None, (), None)
    assert "; whether its speakers were in training is not known, opened once" in format_card(card)
    assert leaderboard(tmp_path).lines[0].marks == ("whether test speakers are in training is not known",)


def test_parts_of_one_encoding_share_their_speakers(score):
    entry, _ = score({"corpus": "folder", "run": "1f"}, {"corpus": "folder", "run": "1f"})
    assert (entry.speakers_trained, entry.speakers_chose) == ((2,), (3,))


def test_validation_speakers_that_test_too_have_chosen_and_not_trained(write_spikes, make_events, tmp_path):
    file = write_spikes(make_events(speakers=range(6)))
    other = write_spikes(make_events(speakers=(3, 4), seed=1), "other.h5")
    train_group(file, tmp_path / "runs", recipe=COUNTS, seeds=(0, 1), validation_speakers=(3,), test_speakers=(5,))
    summary = evaluate_group(tmp_path / "runs", other)
    entry = read_card(tmp_path / "runs" / "seed-0").tests[-1]
    assert (entry.speakers_trained, entry.speakers_chose) == ((4,), (3,))
    assert entry.unseen is None
    assert "over unseen speakers" not in format_group(summary)
    assert leaderboard(tmp_path).lines[0].marks == (
        "test speakers are in training",
        "test speakers chose the epoch",
    )


@pytest.fixture
def publish(monkeypatch):
    """Make a file one that is known by its checksum."""

    def publish(path, name="shd_train"):
        content = Checksum(algorithm="md5", value=file_digest(path, "md5"))
        forms = {form: replace(file, content=content) for form, file in registry.FILES[name].items()}
        monkeypatch.setitem(registry.FILES, name, forms)

    return publish


def test_a_published_file_is_known_by_its_checksum(write_spikes, make_events, tmp_path, publish):
    path = write_spikes(make_events(), corpus=None)
    publish(path)
    data, _ = read_run_data(path, window=1.0)
    assert (data.official, data.corpus, data.preset) == ("shd_train", "heidelberg_digits", None)
    card = train_run(path, tmp_path / "run", recipe=COUNTS, **SPEAKERS)
    assert "data        spikes.h5, 3 classes, official: shd_train.h5 as published\n" in format_card(card)


def test_a_remade_file_has_the_speakers_of_the_published_one_and_says_that_it_is_remade(score, publish):
    def change(path):
        if path.name == "a.h5":
            publish(path)

    entry, card = score({"corpus": None}, {"corpus": "heidelberg_digits"}, change)
    assert (entry.same_numbering, entry.speakers_trained) == (True, (2,))
    assert card.data.official == "shd_train"
    assert "whole file of b.h5 (encoded from heidelberg_digits, preset default)" in format_card(card)


def test_a_file_of_somebody_else_says_so(write_spikes, make_events, tmp_path):
    card = train_run(write_spikes(make_events(), corpus=None), tmp_path / "run", recipe=COUNTS, **SPEAKERS)
    assert "data        spikes.h5, 3 classes, origin unknown\n" in format_card(card)


@pytest.mark.parametrize(("corpus", "same", "trained"), [("fsdd", None, ()), ("audiomnist", True, (2,))])
def test_encodings_share_their_speakers_where_the_names_of_recordings_number_them(score, corpus, same, trained):
    entry, _ = score({"corpus": corpus, "run": "1f"}, {"corpus": corpus, "run": "2e"})
    assert (entry.same_numbering, entry.speakers_trained) == (same, trained)


def test_a_voice_of_a_program_is_never_a_speaker_of_shd(score, publish, spoken_digits, tmp_path):
    def change(path):
        if path.name == "b.h5":
            publish(path)

    corpus = list_clips("spoken_digits", spoken_digits).corpus
    entry, card = score({"corpus": corpus}, {"corpus": None}, change)
    assert (entry.same_numbering, entry.speakers_trained, entry.speakers_chose) == (False, (), ())
    assert card.data.corpus == "spoken_digits"
    assert "; its speakers are of another corpus, heidelberg_digits, opened once" in format_card(card)
    assert leaderboard(tmp_path).lines[0].marks == ()


def test_two_encodings_of_the_spoken_digits_share_their_voices(score):
    entry, _ = score({"corpus": "spoken_digits", "run": "1f"}, {"corpus": "spoken_digits", "run": "2e"})
    assert (entry.same_numbering, entry.speakers_trained) == (True, (2,))
