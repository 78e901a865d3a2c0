"""A network of one's own through all that a recipe of the catalog goes through."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from spikedata.baseline import (
    Card,
    TrainParams,
    custom_recipe,
    evaluate_run,
    load_run,
    read_card,
    read_chosen_run,
    refit_run,
    train_run,
)
from spikedata.baseline.runs.card_text import format_card
from spikedata.baseline.runs.groups import evaluate_group, refit_group, train_group
from spikedata.baseline.runs.inspect_run import watch_clip
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard
from spikedata.baseline.runs.probes import probe_run
from spikedata.baseline.runs.quantized import quantize_run
from spikedata.baseline.runs.selection_bias import measure_selection_bias
from spikedata.disk import OutputError
from spikedata.nn import Activity
from spikedata.recognition.pretrained import network_to_hear_with
from spikedata.report import report
from spikedata.training.losses import NO_LIMITS

SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}
TRAINING = TrainParams(epochs=2, batch_size=16, unit_shift=0.0, activity=NO_LIMITS, optimizer="adam")
SOURCE = """
import torch
class Mine(torch.nn.Module):
    def __init__(self, n_units, n_classes, n_hidden=4):
        super().__init__()
        self.hidden, self.out = torch.nn.Linear(n_units, n_hidden), torch.nn.Linear(n_hidden, n_classes)
    def forward(self, counts):
        return self.out(torch.tanh(self.hidden(counts)).mean(dim=1))
"""


class Mine(nn.Module):
    """Dropout, batch normalization, a shared weight, a print, and a draw of its own: what may not break a promise."""

    def __init__(self, n_units, n_classes, n_hidden=6):
        super().__init__()
        self.inner = nn.ModuleDict({"a/b": nn.Sequential(nn.LazyLinear(n_hidden), nn.Tanh())})
        self.norm = nn.BatchNorm1d(n_hidden)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(n_hidden, n_classes)
        self.tied = self.out
        self.scale = nn.Parameter(torch.tensor(float(np.random.normal())))  # noqa: NPY002

    def forward(self, counts):
        values = self.norm(self.inner["a/b"](counts).mean(dim=1))
        print("forward")
        return self.tied(self.dropout(values)) * (1 + 0 * self.scale) + 0.01 * torch.randn(1)


class Firing(Mine):
    def forward(self, counts):
        spikes = (self.inner["a/b"](counts) > 0).float()
        readout = self.out(self.inner["a/b"](counts))
        return Activity(readout.mean(dim=1), readout, (spikes,))


@pytest.fixture
def spike_path(write_spikes, make_events):
    return write_spikes(make_events(speakers=range(6)))


def _recipe(network=Mine, **options):
    return custom_recipe(network, training=TRAINING, duration=0.2, n_merged=2, **options)


def _train(spike_path, run, network=Mine, **options):
    return train_run(spike_path, run, recipe=_recipe(network), network=network, **SPEAKERS, **options)


def _weights(run):
    return (run / "weights.safetensors").read_bytes()


def test_it_trains_is_loaded_scored_and_looked_into(spike_path, make_events, tmp_path):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    card = _train(spike_path, tmp_path / "run")
    assert read_card(tmp_path / "run") == card
    code = card.recipe.network.code
    assert (code.class_name, code.file) == ("Mine", "test_own_network_runs.py")
    assert len(code.sha256) == 64
    run = load_run(tmp_path / "run", network=Mine)
    assert isinstance(run.network.module, Mine)
    assert evaluate_run(tmp_path / "run", network=Mine).tests[-1].score.n == 30
    assert watch_clip(tmp_path / "run", make_events()[0], network=Mine).logits.shape == (3,)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_its_card_comes_back_from_json_and_says_whose_code_it_is(spike_path, tmp_path):
    card = _train(spike_path, tmp_path / "run")
    assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card
    digest = card.recipe.network.code.sha256[:12]
    text = format_card(card)
    assert f"test_own_network_runs:Mine in test_own_network_runs.py, SHA-256 {digest}" in text
    assert "spikes not known, operations not known" in text
    assert card.measures.effective_acs is None
    assert card.measures.footprint > 0


def test_spikes_that_it_tells_are_counted(spike_path, tmp_path):
    card = _train(spike_path, tmp_path / "run", Firing)
    assert card.measures.spikes > 0
    assert 0 < card.measures.activation_sparsity < 1
    assert re.search(r"one clip +\d+ spikes, operations not known", format_card(card))


def test_the_same_seed_gives_the_same_weights_and_another_others(spike_path, tmp_path):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        _train(spike_path, tmp_path / name, seed=seed)
        torch.rand(1)  # what the user draws meanwhile
    assert _weights(tmp_path / "one") == _weights(tmp_path / "same")
    assert _weights(tmp_path / "one") != _weights(tmp_path / "other")


def test_it_goes_on_where_it_stopped_to_the_same_bits(spike_path, tmp_path, stopping_after):
    _train(spike_path, tmp_path / "whole")
    with stopping_after(1) as on_epoch:
        _train(spike_path, tmp_path / "run", on_epoch=on_epoch)
    seen = []
    _train(spike_path, tmp_path / "run", on_epoch=seen.append)
    assert [record.epoch for record in seen] == [2]
    assert _weights(tmp_path / "whole") == _weights(tmp_path / "run")


def test_a_group_of_it_is_refitted_scored_and_ranked_beside_the_catalog(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=_recipe(), network=Mine, seeds=(0, 1), **SPEAKERS)
    chosen = read_chosen_run(tmp_path / "runs" / "seed-0")
    refit_group(spike_path, tmp_path / "refit", chosen=chosen, network=Mine, seeds=(0, 1))
    for group in ("runs", "refit"):
        assert len(evaluate_group(tmp_path / group, network=Mine).runs) == 2
    rows = format_leaderboard(leaderboard(tmp_path)).splitlines()[1:3]
    assert [row.split()[0] for row in rows] == ["Mine", "Mine"]
    assert all(re.search(r" - +- +\d+ s$", row) for row in rows)  # spikes, operations


def test_the_selection_bias_and_a_control_of_it_are_measured(spike_path, tmp_path):
    _train(spike_path, tmp_path / "run", keep_epochs=True)
    evaluate_run(tmp_path / "run", network=Mine)
    assert len(measure_selection_bias(tmp_path / "run", network=Mine).selection_bias[-1].accuracies) == 2
    assert evaluate_run(tmp_path / "run", network=Mine, control="counts_only").controls[-1].code is None


def test_it_is_probed_with_its_weights_and_trained_anew(spike_path, tmp_path):
    _train(spike_path, tmp_path / "run")
    card = probe_run(tmp_path / "run", network=Mine, controls=["counts_only"], retrain=True, epochs=1)
    assert [probe.weights for probe in card.probes] == ["same", "anew"]
    with pytest.raises(ValueError, match="the propagation of CustomParams cannot be cut"):
        probe_run(tmp_path / "run", network=Mine, controls=["propagation_cut"])
    with pytest.raises(ValueError, match=r"of whose weights nobody knows which belong to one neuron"):
        quantize_run(tmp_path / "run")


def test_a_page_of_it_shows_it_at_work_only_where_its_code_is_named(spike_path, tmp_path):
    _train(spike_path, tmp_path / "run", Firing)
    assert report(tmp_path / "run", tmp_path / "with.html", network=Firing, clips=3).clips == 3
    without = report(tmp_path / "run", tmp_path / "without.html")
    assert without.clips == 0
    assert "no code runs but what is named" in without.notes[0]
    assert "test_own_network_runs:Firing" in (tmp_path / "without.html").read_text("utf-8")


@pytest.mark.parametrize(
    "use",
    [
        load_run,
        evaluate_run,
        evaluate_group,
        measure_selection_bias,
        probe_run,
        lambda run: refit_run(run.parent / "spikes.h5", run.parent / "refit", chosen=read_chosen_run(run)),
        lambda run: train_run(run.parent / "spikes.h5", run.parent / "again", recipe=read_card(run).recipe),
    ],
)
def test_a_folder_alone_runs_no_code(spike_path, tmp_path, monkeypatch, use):
    _train(spike_path, tmp_path / "run")
    monkeypatch.setattr(Mine, "__init__", None)
    with pytest.raises(ValueError, match=r"what is named: network=Mine in Python, --network test_own_network_ru"):
        use(tmp_path if use is evaluate_group else tmp_path / "run")


def test_recognize_says_that_it_has_not_the_code(spike_path, tmp_path):
    _train(spike_path, tmp_path / "run")
    with pytest.raises(ValueError, match=r"is of a network of one's own, .*:Mine, which recognizes no recordings"):
        network_to_hear_with(tmp_path / "run")


@pytest.fixture
def changing(spike_path, tmp_path):
    """A finished run whose source file can be changed."""
    path = tmp_path / "mine_in_a_file.py"

    def change(source=SOURCE):
        path.write_text(source)
        return f"{path}:Mine"

    text = change()
    train_run(spike_path, tmp_path / "run", recipe=_recipe(text), network=text, keep_epochs=True, **SPEAKERS)
    return change


def test_changed_code_scores_with_a_warning_that_stays_on_the_card(changing, tmp_path, caplog):
    text = changing(SOURCE.replace("tanh", "relu"))
    with caplog.at_level(logging.WARNING):
        card = evaluate_run(tmp_path / "run", network=text)
    assert "the code of Mine (mine_in_a_file.py) has changed since" in caplog.text
    assert len(card.tests[-1].code) == 64
    assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card
    assert "scored with code that has changed since the training" in format_card(card)
    assert "scored with code that has changed since the training" in format_leaderboard(leaderboard(tmp_path))


def test_a_score_is_of_the_code_that_is_asked(changing, tmp_path):
    text = changing(SOURCE.replace("tanh", "relu"))
    assert evaluate_run(tmp_path / "run", network=text).tests[-1].code is not None
    with pytest.raises(ValueError, match="was scored with other code of its network; score it with this code first"):
        evaluate_run(tmp_path / "run", network=changing(), control="counts_only")
    with pytest.raises(ValueError, match="was scored with other code of its network"):
        measure_selection_bias(tmp_path / "run", network=changing())
    (test,) = evaluate_run(tmp_path / "run", network=changing()).tests
    assert (test.code, test.times_opened) == (None, 2)
    (again,) = evaluate_run(tmp_path / "run", network=changing()).tests
    assert (again.score, again.times_opened) == (test.score, 3)


def test_code_as_it_was_leaves_no_mark(changing, tmp_path, caplog):
    assert evaluate_run(tmp_path / "run", network=changing()).tests[-1].code is None
    assert caplog.text == ""


def test_changed_code_whose_weights_do_not_fit_is_refused(changing, tmp_path):
    text = changing(SOURCE.replace("n_hidden=4", "n_hidden=5"))
    reason = (
        r"has changed since: .*; weights\.safetensors has module\.hidden\.bias of shape \(4,\), the card asks for \(5,"
    )
    with pytest.raises(ValueError, match=reason):
        evaluate_run(tmp_path / "run", network=text)
    assert read_card(tmp_path / "run").tests == ()


def test_a_refit_a_bias_and_another_seed_need_the_code_of_then(changing, spike_path, tmp_path):
    text = changing(SOURCE.replace("tanh", "relu"))
    with pytest.raises(ValueError, match="a refit repeats a training, so it needs the code of then"):
        refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(tmp_path / "run"), network=text)
    with pytest.raises(ValueError, match="so it needs the code of then"):
        measure_selection_bias(tmp_path / "run", network=text)
    with pytest.raises(ValueError, match="a recipe is trained with its own code"):
        train_run(spike_path, tmp_path / "other", recipe=read_card(tmp_path / "run").recipe, network=text)
    options = {"recipe": _recipe(text), "network": text, "keep_finished": True}
    with pytest.raises(OutputError, match="is of another training: sha256 is"):
        train_run(spike_path, tmp_path / "run", **options, **SPEAKERS)


def test_an_interrupted_training_does_not_go_on_with_changed_code(spike_path, tmp_path, stopping_after):
    path = tmp_path / "mine_in_a_file.py"
    path.write_text(SOURCE)
    options = {"network": f"{path}:Mine", **SPEAKERS}
    with stopping_after(1) as on_epoch:
        train_run(spike_path, tmp_path / "run", recipe=_recipe(f"{path}:Mine"), on_epoch=on_epoch, **options)
    path.write_text(SOURCE + "# changed")
    with pytest.raises(ValueError, match="is of another training: sha256 is"):
        train_run(spike_path, tmp_path / "run", recipe=_recipe(f"{path}:Mine"), **options)


def test_another_network_than_the_one_of_the_run_is_refused(spike_path, tmp_path):
    _train(spike_path, tmp_path / "run")
    with pytest.raises(ValueError, match=r"run: its network is .*:Mine, got .*:Firing"):
        load_run(tmp_path / "run", network=Firing)


def test_a_run_of_the_catalog_takes_no_code(spike_path, tmp_path):
    from spikedata.baseline.recipes.catalog import recipe_from

    train_run(spike_path, tmp_path / "run", recipe=recipe_from("gru", {"epochs": 1, "hidden": "4"}), **SPEAKERS)
    with pytest.raises(ValueError, match="is of the recipe 'gru', so leave out the network"):
        evaluate_run(tmp_path / "run", network=Mine)


def test_other_class_names_are_refused_as_for_any_run(spike_path, write_spikes, make_events, tmp_path):
    _train(spike_path, tmp_path / "run")
    other = write_spikes(replace(make_events(), keys=("one", "two", "three")), "other.h5")
    with pytest.raises(ValueError, match="must have the classes"):
        evaluate_run(tmp_path / "run", other, network=Mine)


def test_a_card_of_another_version_is_refused_before_any_code_is_run(spike_path, tmp_path):
    _train(spike_path, tmp_path / "run")
    path = tmp_path / "run" / "card.json"
    path.write_text(path.read_text().replace('"card_format": 4', '"card_format": 5'))
    with pytest.raises(ValueError, match="card_format must be 4, got 5"):
        load_run(tmp_path / "run", network="no_such_module:Mine")


def test_damaged_weights_are_said_before_any_code_is_made(spike_path, tmp_path, monkeypatch):
    _train(spike_path, tmp_path / "run")
    (tmp_path / "run" / "weights.safetensors").write_bytes(b"0" * 100)
    monkeypatch.setattr(Mine, "__init__", None)
    with pytest.raises(ValueError, match=r"damaged: weights\.safetensors is not the one of the card"):
        load_run(tmp_path / "run", network=Mine)


def test_a_network_that_fails_leaves_nothing_behind(spike_path, tmp_path):
    class Failing(Mine):
        def forward(self, counts):
            return super().forward(counts)[:, :2]

    with pytest.raises(ValueError, match=r"must return logits of shape \(batch, class\), here \(2, 3\), got \(2, 2\)"):
        _train(spike_path, tmp_path / "run", Failing)
    assert [path.name for path in tmp_path.iterdir()] == ["spikes.h5"]


@pytest.mark.parametrize("options", [{"layout": "lists"}, {"control": "times_shuffled"}, {"gradient": "eprop"}])
def test_params_of_a_training_hold_for_it(spike_path, tmp_path, options):
    recipe = custom_recipe(Mine, training=replace(TRAINING, **options), duration=0.2)
    if "gradient" in options:
        with pytest.raises(
            ValueError, match="eprop trains a SpikingNetwork, got CustomNetwork; gradient 'bptt' fits it"
        ):
            train_run(spike_path, tmp_path / "run", recipe=recipe, network=Mine, **SPEAKERS)
        return
    train_run(spike_path, tmp_path / "run", recipe=recipe, network=Mine, **SPEAKERS)
    evaluate_run(tmp_path / "run", network=Mine)


def test_what_its_card_says_makes_the_same_weights(spike_path, tmp_path):
    def local(n_units, n_classes):
        return Mine(n_units, n_classes)

    _train(spike_path, tmp_path / "run", local)
    before, command = _weights(tmp_path / "run"), read_card(tmp_path / "run").command
    names = {"train_run": train_run, "read_card": read_card, "local": local}
    qualname = "test_what_its_card_says_makes_the_same_weights.<locals>.local"
    eval(command.replace("'auto'", "'auto', overwrite=True").replace(f"network={qualname}", "network=local"), names)
    assert _weights(tmp_path / "run") == before
