import hashlib
from dataclasses import replace

import numpy as np

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs import card_text
from spikedata.baseline.runs.card import how_to_make, score_entry, tallies_by_speaker
from spikedata.disk import file_digest
from spikedata.training.scoring import Score


def test_a_score_stands_beside_chance():
    score = Score(
        labels=np.array([0, 0, 0, 1]), predictions=np.array([0, 0, 1, 1]), n_classes=4, loss=0.5, hidden_spikes=2.0
    )
    entry = score_entry(score)
    assert (entry.accuracy, entry.chance, entry.majority, entry.n) == (0.75, 0.25, 0.75, 4)
    assert entry.confusion[0] == (2, 1, 0, 0)
    assert entry.interval_95[0] < 0.75 < entry.interval_95[1]


def test_unseen_speakers_are_scored_on_their_own():
    labels, predictions = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1])
    score = Score(labels=labels, predictions=predictions, n_classes=2, loss=0.5, hidden_spikes=2.0)
    by_speaker, unseen = tallies_by_speaker(score, np.array([7, 7, 3, 3, -1]), seen=[7])
    assert {name: (tally.n_correct, tally.n) for name, tally in by_speaker.items()} == {
        "3": (1, 2),
        "7": (1, 2),
    }
    assert (unseen.accuracy, unseen.n) == (0.5, 2)
    assert tallies_by_speaker(score, np.full(5, 7), seen=[7])[1] is None
    assert tallies_by_speaker(score, np.full(5, 7), seen=None)[1] is None  # nobody knows who was seen


def test_the_command_names_what_differs_from_the_recipe():
    recipe = recipe_from("recurrent", {"learning-rate": "0.5", "tau_mem": "0.03"})
    held_out = {"validation_speakers": (1, 7), "test_speakers": (4, 5)}
    command = how_to_make("my spikes.h5", "runs/a", recipe, seed=3, device="cpu", split=held_out)
    assert command == (
        "spikedata train 'my spikes.h5' --recipe recurrent --out runs/a --seed 3 --device cpu"
        " --validation-speakers 1,7 --test-speakers 4,5 --tau-mem 0.03 --learning-rate 0.5"
    )


def test_the_command_of_a_refit_names_the_run_that_chose_and_nothing_that_it_says():
    recipe = recipe_from("recurrent", {"tau_mem": "0.03"})
    command = how_to_make("my.h5", "runs/b", recipe, seed=3, device="cpu", split={}, threads=2, refit="runs/a")
    assert command == "spikedata train my.h5 --refit runs/a --out runs/b --seed 3 --device cpu --threads 2"


def test_a_recipe_that_cannot_be_typed_is_told_as_a_call():
    mine = replace(recipe_from("recurrent"), name="mine")
    told = how_to_make("my.h5", "runs/a", mine, seed=3, device="cpu", split={"test_speakers": (4,)})
    recipe = "recipe=read_card('runs/a').recipe"
    assert told == f"train_run('my.h5', 'runs/a', {recipe}, seed=3, device='cpu', test_speakers=(4,))"
    gru = replace(recipe_from("gru"), name="recurrent")  # no param of the recurrent recipe makes this network
    assert how_to_make("my.h5", "a", gru, seed=3, device="cpu", split={}).startswith("train_run(")


def test_a_digest_is_of_the_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"spikes")
    assert file_digest(path, "sha256") == hashlib.sha256(b"spikes").hexdigest()


def test_many_speakers_are_counted_and_few_are_named():
    assert card_text._speakers_text([4, 5]) == "speakers 4 5"
    assert card_text._speakers_text(range(300)) == "300 speakers"
