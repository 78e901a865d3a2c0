"""Probes of runs, and their bits: on the card, in groups, of refits, and of every kind of network."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.card import Card
from spikedata.baseline.runs.card_text import format_card
from spikedata.baseline.runs.evaluation import evaluate_run, under_control
from spikedata.baseline.runs.folder import load_run, read_card, read_chosen_run
from spikedata.baseline.runs.group_summary import format_group
from spikedata.baseline.runs.groups import probe_group, train_group
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard
from spikedata.baseline.runs.probes import PROBES, anew_dir, left_out, probe_run
from spikedata.baseline.runs.quantized import format_bits, quantize_run
from spikedata.baseline.runs.refit import refit_run
from spikedata.baseline.runs.train import train_run
from spikedata.disk import OutputError
from spikedata.nn import EventDrivenParams, LIFParams, cut_propagation
from spikedata.report.run import report_run
from spikedata.training.losses import ActivityParams
from spikedata.training.params import TrainParams
from spikedata.training.scoring import evaluate

SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}
SMALL = {"hidden": (16,), "n_merged": 1, "duration": 0.2, "epochs": 2, "batch_size": 16, "unit_shift": 0.0}
RECIPE = recipe_from("recurrent", {**SMALL, "input_gain": 2.0})
KINDS = {
    "counts": recipe_from("counts", {"duration": "0.2", "strengths": "1,0.1"}),
    "gru": recipe_from("gru", SMALL),
    "delays": recipe_from("dcls_delays", {**SMALL, "hidden": (8,), "max_delay": 0.05}),
    "event-driven": Recipe(
        name="exact",
        network=EventDrivenParams(
            hidden=(8,), neuron=LIFParams(tau_mem=20e-3, tau_syn=5e-3, reset="zero"), duration=0.2
        ),
        training=TrainParams(epochs=1, unit_shift=0.0, activity=ActivityParams(lower_strength=0, upper_strength=0)),
    ),
}


@pytest.fixture
def events(make_events):
    return make_events(speakers=range(6))


@pytest.fixture
def spike_path(write_spikes, events):
    return write_spikes(events)


@pytest.fixture
def run_dir(tmp_path, spike_path):
    train_run(spike_path, tmp_path / "run", recipe=RECIPE, **SPEAKERS)
    return tmp_path / "run"


def _scores(card):
    return {(one.control, one.weights): (one.score.n_correct, one.score.n) for one in card.probes}


def test_a_probe_scores_the_validation_clips_and_opens_no_test_part(run_dir, events):
    card = probe_run(run_dir)
    network = load_run(run_dir).network
    clips = events.select(np.flatnonzero(events.speakers == 3))
    expected = {}
    for name in PROBES:
        tried = cut_propagation(network) if name == "propagation_cut" else network
        expected[name, "same"] = (evaluate(tried, under_control(network, clips, name, seed=0)).n_correct, 15)
    assert _scores(card) == expected
    assert card.tests == ()
    assert {one.part for one in card.probes} == {"validation part"}
    assert card.probes[0].plain.n_correct == card.validation.n_correct
    assert read_card(run_dir) == card == Card.from_json(json.loads(json.dumps(card.to_json())))


def test_a_probe_that_is_asked_for_again_is_the_same_and_stands_once(run_dir):
    card = probe_run(run_dir, controls=["steps-shuffled", "counts_only"])
    again = probe_run(run_dir, controls=["steps_shuffled", "counts_only"])
    assert again.probes == card.probes
    assert "probe       counts_only: " in format_card(card)


def test_a_training_anew_is_a_run_under_the_control_with_the_same_split(run_dir, spike_path, tmp_path):
    card = probe_run(run_dir, controls=["propagation_cut", "steps_shuffled"], retrain=True, epochs=1)
    anew = read_card(anew_dir(run_dir, "propagation_cut"))
    assert (anew.recipe.training.control, anew.recipe.training.epochs) == ("propagation_cut", 1)
    assert (anew.split.digest, anew.seed) == (card.split.digest, card.seed)
    assert _scores(card)["propagation_cut", "anew"] == (anew.validation.n_correct, 15)
    typed = recipe_from("recurrent", {**SMALL, "input_gain": 2.0, "epochs": 1, "control": "propagation_cut"})
    by_hand = train_run(spike_path, tmp_path / "by_hand", recipe=typed, **SPEAKERS)
    assert by_hand.network.sha256 == anew.network.sha256
    assert "trained anew in 1 epochs" in format_card(card)
    lines = leaderboard(run_dir.parent).lines  # the trainings anew are no lines of their own
    assert sorted((line.recipe, sorted(line.probes)) for line in lines) == [
        ("recurrent", []),
        ("recurrent", ["propagation_cut", "steps_shuffled"]),
    ]
    made = anew.made
    again = {"controls": ["propagation_cut"], "retrain": True}
    probe_run(run_dir, **again, epochs=1)
    assert read_card(anew_dir(run_dir, "propagation_cut")).made == made
    with pytest.raises(OutputError, match="is of another training: epochs is 1 there and 2 here"):
        probe_run(run_dir, **again)
    assert probe_run(run_dir, **again, overwrite=True).probes[-1].epochs == 2


def test_the_test_part_is_probed_once_it_is_scored(run_dir):
    with pytest.raises(ValueError, match="the test part must be scored first: spikedata evaluate"):
        probe_run(run_dir, test=True)
    plain = evaluate_run(run_dir).tests[-1]
    card = probe_run(run_dir, test=True, controls=["counts_only"], retrain=True, epochs=1)
    assert [(one.part, one.weights, one.plain.n_correct) for one in card.probes] == [
        ("test part", "same", plain.score.n_correct),
        ("test part", "anew", plain.score.n_correct),
    ]
    control = evaluate_run(run_dir, control="counts_only").controls[-1]
    assert card.probes[0].score.n_correct == control.score.n_correct
    assert card.tests[-1].times_opened == 1
    probe_run(run_dir, controls=["counts_only"])
    assert len(read_card(run_dir).probes) == 3


def test_another_file_is_probed_once_the_run_is_scored_on_it(run_dir, make_events, write_spikes):
    other = write_spikes(make_events(speakers=(7, 8), seed=1), "other.h5")
    with pytest.raises(ValueError, match=r"the whole file must be scored first: spikedata evaluate .*other\.h5"):
        probe_run(run_dir, other)
    evaluate_run(run_dir, other)
    card = probe_run(run_dir, other, controls=["time_reversed"])
    assert [(one.file, one.part, one.score.n) for one in card.probes] == [("other.h5", "whole file", 30)]


def test_a_control_that_cuts_the_network_is_scored_beside_the_plain_score(run_dir, events):
    evaluate_run(run_dir)
    entry = evaluate_run(run_dir, control="propagation_cut").controls[-1]
    clips = events.select(np.flatnonzero(events.speakers >= 4))
    assert entry.score.n_correct == evaluate(cut_propagation(load_run(run_dir).network), clips).n_correct


def test_a_refit_is_probed_on_test_clips_alone(run_dir, spike_path, tmp_path):
    refit = tmp_path / "refit"
    refit_run(spike_path, refit, chosen=read_chosen_run(run_dir))
    with pytest.raises(
        ValueError, match="is a refit, which has learned its validation clips; probe the run that chose"
    ):
        probe_run(refit)
    with pytest.raises(ValueError, match="is a refit; train the run that chose anew, run"):
        probe_run(refit, retrain=True)
    with pytest.raises(ValueError, match="is a refit, which has learned its validation clips; quantize the run"):
        quantize_run(refit)
    evaluate_run(refit)
    assert len(probe_run(refit, test=True).probes) == 4


def test_a_refit_of_a_run_without_propagation_is_without_it(spike_path, tmp_path):
    recipe = replace(RECIPE, training=replace(RECIPE.training, control="propagation_cut"))
    train_run(spike_path, tmp_path / "cut", recipe=recipe, **SPEAKERS)
    refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(tmp_path / "cut"))
    assert not load_run(tmp_path / "refit").network.propagates
    with pytest.raises(ValueError, match="was trained under the control 'propagation_cut', so it is a probe itself"):
        probe_run(tmp_path / "cut")


def test_a_group_is_probed_run_by_run(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "group", recipe=RECIPE, seeds=[0, 1], **SPEAKERS)
    summary = probe_group(tmp_path / "group", controls=["counts_only"], retrain=True, epochs=1)
    cards = [read_card(tmp_path / "group" / f"seed-{seed}") for seed in (0, 1)]
    mean = np.mean([card.probes[0].score.accuracy for card in cards])
    assert summary.probes["counts_only"].same.mean == pytest.approx(mean)
    assert summary.probes["counts_only"].anew.n == 2
    assert "probe      counts_only, trained anew: " in format_group(summary)
    board = leaderboard(tmp_path)
    assert len(board.lines) == 1
    table = format_leaderboard(board, probes=True, neurobench=True)
    assert "propagation cut" in table
    assert f"{100 * mean:.1f} ±" in table
    assert "50 Hz" in table
    assert "propagation cut" not in format_leaderboard(board)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_is_probed_by_what_it_has(kind, spike_path, tmp_path):
    run, recipe = tmp_path / "run", KINDS[kind]
    train_run(spike_path, run, recipe=recipe, **SPEAKERS)
    without = {"event-driven": {"steps_shuffled", "propagation_cut"}}.get(kind, set())
    assert set(left_out(recipe)) == without
    card = probe_run(run)
    assert [one.control for one in card.probes] == [name for name in PROBES if name not in without]
    for name in without:
        with pytest.raises(ValueError, match=r"^(the propagation of )?EventDrivenParams (cannot be cut|have no steps)"):
            probe_run(run, controls=[name])
    if kind == "counts":
        scores = _scores(card)
        assert scores["propagation_cut", "same"] == scores["steps_shuffled", "same"] == scores["counts_only", "same"]
        with pytest.raises(ValueError, match="recipe 'counts' is not trained by epochs"):
            probe_run(run, retrain=True)
    elif kind != "event-driven":
        assert _scores(probe_run(run, controls=["propagation_cut"], retrain=True))["propagation_cut", "anew"][1] == 15
    assert len(quantize_run(run, bits=[8, 2]).rows) == 5


def test_what_cannot_be_taken_away_is_refused_before_anything_is_trained():
    exact = KINDS["event-driven"]
    for name, why in (("propagation_cut", "it has no steps"), ("steps_shuffled", "no steps to shuffle")):
        with pytest.raises(ValueError, match=why):
            replace(exact, training=replace(exact.training, control=name))
    with pytest.raises(ValueError, match="ConvolutionParams cannot be cut: its filters span several steps"):
        recipe_from("cnn", {"control": "propagation_cut"})
    with pytest.raises(ValueError, match=r"TrainParams\.gradient must be 'bptt' under the control 'propagation_cut'"):
        replace(RECIPE.training, control="propagation_cut", gradient="eprop")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"controls": ["counts"]}, "no control 'counts'; nearest: counts_only"),
        ({"controls": []}, "controls must name what is taken away, got none"),
        ({"controls": ["none"]}, "controls must name what is taken away, got none"),
        ({"epochs": 3}, "epochs are those of a training anew, which is not asked for, got 3"),
        ({"retrain": True, "epochs": 0}, "epochs must be >= 1, got 0"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_a_probe_that_means_nothing_is_refused(run_dir, options, why):
    with pytest.raises(ValueError, match=why):
        probe_run(run_dir, **options)
    assert not anew_dir(run_dir, "counts_only").exists()


def test_a_run_of_another_version_is_refused(run_dir):
    path = run_dir / "card.json"
    path.write_text(path.read_text().replace('"card_format": 4', '"card_format": 9'))
    for ask in (probe_run, quantize_run):
        with pytest.raises(ValueError, match=r"card\.json: card_format must be 4, got 9"):
            ask(run_dir)


def test_an_older_card_has_no_probes_and_is_read(run_dir):
    path = run_dir / "card.json"
    content = json.loads(path.read_text())
    del content["probes"], content["measures"]["membrane_updates"], content["measures"]["connection_sparsity"]
    path.write_text(json.dumps(content))
    card = read_card(run_dir)
    assert (card.probes, card.measures.membrane_updates, card.measures.connection_sparsity) == ((), None, None)
    assert "membrane" not in format_card(card)
    assert "| - |" in format_leaderboard(leaderboard(run_dir), markdown=True, neurobench=True)
    assert probe_run(run_dir, controls=["counts_only"]).probes


def test_the_page_of_a_run_shows_its_probes_and_the_columns_of_neurobench(run_dir, tmp_path):
    probe_run(run_dir, controls=["steps_shuffled"])
    report_run(run_dir, tmp_path / "run.html", clips=1)
    page = (tmp_path / "run.html").read_text()
    assert "steps shuffled" in page
    assert "membrane updates" in page


def test_fewer_bits_are_smaller_and_eight_lose_nothing(run_dir):
    table = quantize_run(run_dir, bits=[8, 4, 2])
    assert (table.part, table.rows[0].bits) == ("validation part", None)
    assert table.rows[0].score.n_correct == read_card(run_dir).validation.n_correct
    assert abs(table.rows[1].score.n_correct - table.rows[0].score.n_correct) <= 1
    n = 16 * 16 + 16 * 16 + 16 * 3
    sizes = [row.size for row in table.rows]
    assert sizes == [4 * n] + [n * bits // 8 + 4 * 35 for bits in (8, 8, 4, 4, 2, 2)]
    assert "8 bits" in format_bits(table)
    assert read_card(run_dir).tests == ()


@pytest.mark.parametrize("bits", [[1], [9], [4, 16], []])
def test_bits_out_of_range_are_refused_in_one_line(run_dir, bits):
    with pytest.raises(
        ValueError, match=r"^bits (must be >= 2 and <= 8, got \d+|and scales must each be at least one)$"
    ):
        quantize_run(run_dir, bits=bits)
