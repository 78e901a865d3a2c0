"""Runs by e-prop, and cards from before there was a choice of gradients."""

import json

import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.folder import read_card
from spikedata.cli import main

SMALL = [
    "--hidden",
    "8",
    "--epochs",
    "2",
    "--batch-size",
    "16",
    "--duration",
    "0.2",
    "--dt",
    "0.01",
    "--unit-shift",
    "0",
]
PARTS = ["--validation-speakers", "3", "--test-speakers", "4,5"]
LATER = ("gradient", "feedback", "loss")


@pytest.fixture
def spike_path(write_spikes, make_events):
    return write_spikes(make_events(speakers=range(6)))


def test_a_run_by_eprop_is_trained_scored_refitted_and_says_so(spike_path, tmp_path, capsys):
    out = str(tmp_path / "run")
    asked = ["--recipe", "recurrent", "--gradient", "eprop", "--feedback", "random"]
    assert main(["train", str(spike_path), "--out", out, *asked, *SMALL, *PARTS]) == 0
    card = read_card(out)
    assert (card.recipe.training.gradient, card.recipe.training.feedback) == ("eprop", "random")
    assert "--gradient eprop" in card.command
    assert "--feedback random" in card.command
    assert main(["evaluate", out]) == 0
    assert main(["train", str(spike_path), "--refit", out, "--out", str(tmp_path / "refit")]) == 0
    assert read_card(tmp_path / "refit").recipe.training.gradient == "eprop"
    capsys.readouterr()


def test_the_recipe_of_eprop_is_listed_with_its_params(capsys):
    assert main(["params", "eprop_alif"]) == 0
    listed = capsys.readouterr().out
    assert "gradient" in listed
    assert "tau_adaptation" in listed


def test_a_network_that_eprop_cannot_train_is_one_line(spike_path, tmp_path, capsys):
    assert main(["train", str(spike_path), "--out", str(tmp_path / "run"), "--recipe", "recurrent", "--gradient",
                 "eprop", "--dropout", "0.2", *SMALL, *PARTS]) == 1  # fmt: skip
    assert "eprop trains networks with dropout 0.0, got 0.2; 'bptt' fits it" in capsys.readouterr().err


def test_a_card_from_before_gradients_could_be_chosen_reads_as_it_was_meant(spike_path, tmp_path):
    out = tmp_path / "run"
    assert main(["train", str(spike_path), "--out", str(out), "--recipe", "recurrent", *SMALL, *PARTS]) == 0
    content = json.loads((out / "card.json").read_text())
    for name in LATER:
        del content["recipe"]["training"][name]
    (out / "card.json").write_text(json.dumps(content))
    training = read_card(out).recipe.training
    assert [getattr(training, name) for name in LATER] == ["bptt", "symmetric", "cross_entropy"]
    assert main(["evaluate", str(out)]) == 0


def test_only_params_that_were_added_later_may_be_missing():
    content = recipe_from("recurrent", {}).to_json()
    for name in LATER:
        del content["training"][name]
    assert Recipe.from_json(content) == recipe_from("recurrent", {})
    del content["training"]["epochs"]
    with pytest.raises(ValueError, match="TrainParams lacks the param 'epochs'"):
        Recipe.from_json(content)
