"""A recipe that no catalog holds, through everything that a recipe of the catalog goes through."""

import shlex
from dataclasses import replace

import pytest

from spikedata.baseline import LIFParams, Recipe, SpikingNetworkParams, TrainParams, load_run, train_run
from spikedata.baseline.recipes.catalog import RECIPES
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import read_card, read_chosen_run
from spikedata.baseline.runs.groups import evaluate_group, train_group
from spikedata.baseline.runs.inspect_run import watch_clip
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard
from spikedata.baseline.runs.refit import refit_run
from spikedata.cli import main
from spikedata.nn.networks import CountParams, EventDrivenParams
from spikedata.nn.neurons import AdLIFParams, ALIFParams
from spikedata.training.losses import NO_LIMITS

SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}
TRAINING = TrainParams(epochs=2, batch_size=16, unit_shift=0.0, activity=NO_LIMITS)
GRID = {"duration": 0.2, "dt": 10e-3}
OWN = {
    "one neuron": SpikingNetworkParams(hidden=(8,), **GRID),
    "a neuron a layer": SpikingNetworkParams(hidden=(6, 4), neuron=(LIFParams(), LIFParams(tau_mem=40e-3)), **GRID),
    "unlike neurons": SpikingNetworkParams(hidden=(6, 4), neuron=(AdLIFParams(), ALIFParams()), **GRID),
    "in continuous time": EventDrivenParams(hidden=(8,), recurrent=True, readout="exp_mean", duration=0.2),
    "first spikes": EventDrivenParams(hidden=(8,), readout_mean=3.0, duration=0.2),
}


@pytest.fixture
def spike_path(write_spikes, make_events):
    return write_spikes(make_events(speakers=range(6)))


@pytest.fixture(params=OWN)
def mine(request):
    return Recipe(name="mine", network=OWN[request.param], training=TRAINING)


def test_it_trains_is_loaded_scored_and_looked_into(mine, spike_path, make_events, tmp_path):
    train_run(spike_path, tmp_path / "run", recipe=mine, **SPEAKERS)
    assert read_card(tmp_path / "run").recipe == mine
    assert load_run(tmp_path / "run").network.params == mine.network
    evaluate_run(tmp_path / "run")
    assert read_card(tmp_path / "run").tests[-1].score.n == 30
    assert watch_clip(tmp_path / "run", make_events()[0]).readout.shape == (mine.network.n_steps, 3)


def test_it_goes_on_where_it_stopped(mine, spike_path, tmp_path, stopping_after):
    train_run(spike_path, tmp_path / "whole", recipe=mine, **SPEAKERS)
    with stopping_after(1) as on_epoch:
        train_run(spike_path, tmp_path / "run", recipe=mine, on_epoch=on_epoch, **SPEAKERS)
    seen = []
    train_run(spike_path, tmp_path / "run", recipe=mine, on_epoch=seen.append, **SPEAKERS)
    assert [record.epoch for record in seen] == [2]
    runs = [tmp_path / name / "weights.safetensors" for name in ("whole", "run")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


def test_another_layer_is_another_training(spike_path, tmp_path, stopping_after):
    mine = Recipe(name="mine", network=OWN["a neuron a layer"], training=TRAINING)
    with stopping_after(1) as on_epoch:
        train_run(spike_path, tmp_path / "run", recipe=mine, on_epoch=on_epoch, **SPEAKERS)
    slower = replace(mine.network, neuron=(LIFParams(), LIFParams(tau_mem=60e-3)))
    with pytest.raises(ValueError, match=r"of another training: tau_mem is 0\.04 there and 0\.06 here"):
        train_run(spike_path, tmp_path / "run", recipe=replace(mine, network=slower), **SPEAKERS)
    train_run(spike_path, tmp_path / "run", recipe=replace(mine, name="the same by another name"), **SPEAKERS)


def test_it_is_refitted_and_ranked(mine, spike_path, tmp_path):
    train_run(spike_path, tmp_path / "run", recipe=mine, **SPEAKERS)
    refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(tmp_path / "run"))
    evaluate_run(tmp_path / "refit")
    board = format_leaderboard(leaderboard(tmp_path))
    assert [line.split()[0] for line in board.splitlines()[1:3]] == ["mine", "mine"]


def test_seeds_of_it_are_one_line(mine, spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=mine, seeds=(0, 1), **SPEAKERS)
    evaluate_group(tmp_path / "runs")
    assert format_leaderboard(leaderboard(tmp_path)).splitlines()[1].split()[:2] == ["mine", "2"]


def test_a_classifier_of_ones_own_is_a_run_too(spike_path, tmp_path):
    mine = Recipe(name="mine", network=CountParams(duration=0.2, strengths=(1.0,)), training=None)
    train_run(spike_path, tmp_path / "run", recipe=mine, **SPEAKERS)
    evaluate_run(tmp_path / "run")


def test_the_command_line_takes_up_its_runs(spike_path, tmp_path, capsys):
    mine = Recipe(name="mine", network=OWN["a neuron a layer"], training=TRAINING)
    train_run(spike_path, tmp_path / "run", recipe=mine, **SPEAKERS)
    run = str(tmp_path / "run")
    assert main(["evaluate", run]) == 0
    assert main(["train", str(spike_path), "--refit", run, "--out", str(tmp_path / "refit")]) == 0
    assert main(["leaderboard", str(tmp_path)]) == 0
    assert "mine" in capsys.readouterr().out


def test_what_a_card_says_makes_the_same_weights(spike_path, tmp_path):
    mine = Recipe(name="mine", network=OWN["one neuron"], training=TRAINING)
    train_run(spike_path, tmp_path / "run", recipe=mine, **SPEAKERS)
    card = read_card(tmp_path / "run")
    assert "--recipe" not in card.command
    weights = (tmp_path / "run" / "weights.safetensors").read_bytes()
    again = card.command.replace("'auto'", "'auto', overwrite=True")
    eval(again, {"train_run": train_run, "read_card": read_card})
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == weights

    changed = replace(RECIPES["gru"], training=TRAINING, network=replace(RECIPES["gru"].network, duration=0.2))
    train_run(spike_path, tmp_path / "typed", recipe=changed, **SPEAKERS)
    typed = read_card(tmp_path / "typed").command
    weights = (tmp_path / "typed" / "weights.safetensors").read_bytes()
    assert main([*shlex.split(typed)[1:], "--overwrite"]) == 0
    assert (tmp_path / "typed" / "weights.safetensors").read_bytes() == weights


def test_what_cannot_be_written_costs_no_training(spike_path, tmp_path, monkeypatch):
    monkeypatch.setattr("spikedata.baseline.runs.train.fit_recipe", None)  # training would fail otherwise
    mine = Recipe(name="mine", network=OWN["one neuron"], training=TRAINING)
    monkeypatch.setattr(Recipe, "to_json", lambda _: {"network": LIFParams(), "training": None})  # as JSON cannot say
    with pytest.raises(TypeError, match="not JSON serializable"):
        train_run(spike_path, tmp_path / "run", recipe=mine, **SPEAKERS)
    assert not (tmp_path / "run.training").exists()
