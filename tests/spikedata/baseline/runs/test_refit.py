"""A refit: what validation has chosen is trained anew on training and validation part together."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedata.baseline.recipes.catalog import network_of, recipe_from
from spikedata.baseline.runs.card import RefitEntry
from spikedata.baseline.runs.card_text import format_card
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import load_run, read_chosen_run
from spikedata.baseline.runs.group_summary import format_group
from spikedata.baseline.runs.groups import evaluate_group, refit_group, train_group
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard
from spikedata.baseline.runs.refit import refit_run
from spikedata.baseline.runs.selection_bias import measure_selection_bias
from spikedata.baseline.runs.train import train_run
from spikedata.disk import OutputError
from spikedata.training.devices import OutOfMemory
from spikedata.training.loop import train
from spikedata.training.scoring import evaluate
from spikedata.transforms.named import apply_control

SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}
SMALL = {
    "hidden": (8,),
    "n_merged": 1,
    "duration": 0.2,
    "epochs": 5,
    "batch_size": 16,
    "input_gain": 2.0,
    "learning_rate": 0.02,
    "schedule": "constant",
}
RECIPE = recipe_from("recurrent", SMALL)
N_CHOSEN = 3  # epochs, fewer than the recipe's, so that stopping early can be told from going on
NOTE = "trained anew on training and validation part; validation is of the run that chose"


@pytest.fixture
def events(make_events):
    return make_events(speakers=range(6))


@pytest.fixture
def spike_path(write_spikes, events):
    return write_spikes(events)


def _train_that_chooses(spike_path, run_dir, n_chosen=N_CHOSEN, recipe=RECIPE, **options):
    """A run whose card says that some epoch before the last one did best."""
    train_run(spike_path, run_dir, recipe=recipe, **{**SPEAKERS, **options})
    card = json.loads((run_dir / "card.json").read_text())
    card["training"]["best_epoch"] = n_chosen
    (run_dir / "card.json").write_text(json.dumps(card))
    return run_dir


@pytest.fixture
def run_dir(tmp_path, spike_path):
    return _train_that_chooses(spike_path, tmp_path / "run")


@pytest.fixture
def chosen(run_dir):
    return read_chosen_run(run_dir)


@pytest.fixture
def refit_dir(tmp_path, spike_path, chosen):
    refit_run(spike_path, tmp_path / "refit", chosen=chosen)
    return tmp_path / "refit"


def _rows(run_dir):
    return list(csv.DictReader((run_dir / "history.csv").read_text().splitlines()))


def test_a_refit_learns_from_both_parts_in_the_order_of_the_file(refit_dir, chosen, events):
    both = events.select(np.flatnonzero(events.speakers <= 3))
    untrained = network_of(RECIPE, n_units=16, n_classes=3, seed=0)
    expected = train(untrained, both, None, RECIPE.training, repeated=chosen.epochs).network.state_dict()
    found = load_run(refit_dir).network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_refit_takes_as_many_epochs_as_were_chosen_at_the_same_learning_rates(run_dir, refit_dir):
    rows, before = _rows(refit_dir), _rows(run_dir)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["learning_rate"] for row in rows] == [row["learning_rate"] for row in before[:N_CHOSEN]]


@pytest.mark.parametrize("schedule", ["plateau", "one_cycle"])
def test_schedules_that_look_at_scores_or_batches_are_gone_through_as_before(spike_path, tmp_path, schedule):
    values = {
        **SMALL,
        "schedule": schedule,
        "schedule_patience": 0,
        "learning_rate": 1e-6,
    }  # so small that none is better
    recipe = recipe_from("recurrent", {**values, "batch_size": 15})
    run = _train_that_chooses(spike_path, tmp_path / "run", 4, recipe)
    refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(run))
    before, after = ([float(row["learning_rate"]) for row in _rows(path)[:4]] for path in (run, tmp_path / "refit"))
    assert len(set(before)) > 1
    if schedule == "plateau":
        assert after == before
    else:  # there are more batches in an epoch, and these are the rates of the last ones
        assert after == pytest.approx(before, rel=0.2)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_training_whose_learning_rate_goes_to_zero_is_refitted_to_its_end(spike_path, tmp_path, schedule):
    run = _train_that_chooses(spike_path, tmp_path / "run", 2, recipe_from("recurrent", SMALL | {"schedule": schedule}))
    card = refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(run))
    assert card.training.epochs == card.refit.epochs == SMALL["epochs"]


def test_nothing_is_scored_while_refitting(spike_path, chosen, tmp_path, monkeypatch):
    monkeypatch.setattr("spikedata.training.loop.score_clips", None)  # scoring would fail
    refit_run(spike_path, tmp_path / "refit", chosen=chosen)
    for row in _rows(tmp_path / "refit"):
        assert {row[name] for name in ("validation_loss", "validation_accuracy", "hidden_spikes")} == {"nan"}
        assert float(row["train_loss"]) > 0


def test_the_card_says_what_was_refitted(run_dir, refit_dir):
    before, card = load_run(run_dir).card, load_run(refit_dir).card
    assert card.refit == RefitEntry(run="run", weights=before.network.sha256, epochs=N_CHOSEN, seed=0)
    assert (card.recipe, card.data) == (before.recipe, before.data)
    assert card.split.n == {"train": 60, "test": 30}
    assert card.split.speakers == {"train": (0, 1, 2, 3), "test": (4, 5)}
    assert card.split.speakers_apart is True
    assert card.split.name == f"{before.split.name}; refit on both"
    assert (card.training.epochs, card.training.best_epoch) == (N_CHOSEN, N_CHOSEN)
    assert card.training.optimizer_steps == math.ceil(60 / 16) * N_CHOSEN
    assert f"--refit {run_dir} --out {refit_dir} --seed 0" in card.command
    assert "--recipe" not in card.command


def test_the_validation_score_is_that_of_the_run_that_chose(run_dir, refit_dir):
    before, card = load_run(run_dir).card, load_run(refit_dir).card
    assert card.validation == before.validation
    text = format_card(card)
    assert "refit on training and validation part for as many epochs as run (seed 0) chose: 3" in text
    assert "; of run, which chose, not of these weights" in text
    assert "which chose" not in format_card(before)
    assert before.refit is None


def test_what_a_clip_costs_is_measured_with_the_new_weights(refit_dir, events):
    score = evaluate(load_run(refit_dir).network, events.select(np.flatnonzero(events.speakers == 3)))
    measures = load_run(refit_dir).card.measures
    assert measures.spikes == pytest.approx(8 * score.hidden_spikes)


def test_the_test_part_of_a_refit_is_scored_as_that_of_a_run(refit_dir, events, make_events, write_spikes):
    entry = evaluate_run(refit_dir).tests[-1]
    score = evaluate(load_run(refit_dir).network, events.select(np.flatnonzero(events.speakers >= 4)))
    assert np.array_equal(entry.score.confusion, score.confusion)
    assert (entry.part, entry.speakers, entry.speakers_seen) == ("test part", (4, 5), ())
    assert evaluate_run(refit_dir, control="counts_only").controls[-1].control == "counts_only"


def test_speakers_that_validated_have_trained_a_refit(refit_dir, make_events, write_spikes):
    other = write_spikes(make_events(speakers=(3, 9), seed=4), "other.h5")
    entry = evaluate_run(refit_dir, other).tests[-1]
    assert (entry.speakers_trained, entry.unseen) == ((3,), entry.by_speaker["9"])


def test_the_seed_of_a_refit_is_its_own(spike_path, chosen, refit_dir, tmp_path):
    other = refit_run(spike_path, tmp_path / "other", chosen=chosen, seed=1)
    assert (other.seed, other.refit.seed) == (1, 0)
    assert other.network.sha256 != load_run(refit_dir).card.network.sha256


def test_a_refit_under_a_control_stays_under_it(spike_path, events, tmp_path):
    recipe = recipe_from("recurrent", {**SMALL, "control": "time_reversed"})
    run = _train_that_chooses(spike_path, tmp_path / "run", recipe=recipe)
    refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(run))
    test = apply_control(events.select(np.flatnonzero(events.speakers >= 4)), "time_reversed")
    found = evaluate_run(tmp_path / "refit").tests[-1].score.loss
    assert found == pytest.approx(evaluate(load_run(tmp_path / "refit").network, test).loss, rel=1e-5)


def test_a_refit_that_stopped_goes_on_to_the_same_bits(
    spike_path, run_dir, refit_dir, chosen, tmp_path, stopping_after
):
    for n_epochs in (1, 2):
        with stopping_after(n_epochs) as on_epoch:
            refit_run(spike_path, tmp_path / "again", chosen=chosen, on_epoch=on_epoch)
    run_dir.rename(tmp_path / "moved")  # how the run is called does not matter
    seen = []
    refit_run(spike_path, tmp_path / "again", chosen=read_chosen_run(tmp_path / "moved"), on_epoch=seen.append)
    assert [record.epoch for record in seen] == [3]
    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "again" / name).read_bytes() == (refit_dir / name).read_bytes()
    assert not (tmp_path / "again.training").exists()


def test_a_refit_does_not_go_on_with_another_training(spike_path, chosen, tmp_path, stopping_after):
    with stopping_after(1) as on_epoch:
        refit_run(spike_path, tmp_path / "new", chosen=chosen, on_epoch=on_epoch)
    with pytest.raises(ValueError, match=r"of another training: refitted run is [0-9a-f]{64} there and None here"):
        train_run(spike_path, tmp_path / "new", recipe=RECIPE, **SPEAKERS)
    other = chosen._replace(epochs=chosen.epochs[:2])
    with pytest.raises(ValueError, match="of another training: refitted epochs is 3 there and 2 here"):
        refit_run(spike_path, tmp_path / "new", chosen=other)
    assert refit_run(spike_path, tmp_path / "new", chosen=other, overwrite=True).training.epochs == 2


def test_a_finished_refit_is_kept_and_another_is_not_taken_for_it(spike_path, chosen, refit_dir):
    before = (refit_dir / "card.json").read_bytes()
    assert refit_run(spike_path, refit_dir, chosen=chosen, keep_finished=True).to_json() == json.loads(before)
    with pytest.raises(OutputError, match=r"of another training: refitted run is [0-9a-f]{64} there and None here"):
        train_run(spike_path, refit_dir, recipe=RECIPE, keep_finished=True, **SPEAKERS)
    with pytest.raises(OutputError, match="refit: exists already, will not replace it"):
        refit_run(spike_path, refit_dir, chosen=chosen)
    assert (refit_dir / "card.json").read_bytes() == before


def test_a_run_whose_test_part_is_another_file_can_be_refitted(spike_path, tmp_path):
    run = _train_that_chooses(spike_path, tmp_path / "run", test_speakers=())
    card = refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(run))
    assert card.split.speakers == {"train": (0, 1, 2, 3, 4, 5)}
    with pytest.raises(ValueError, match="its split has no test part; name the file to test on"):
        evaluate_run(tmp_path / "refit")


def test_seeds_of_a_refit_are_a_group_with_one_choice(spike_path, run_dir, chosen, tmp_path):
    before = load_run(run_dir).card.validation.accuracy
    refit_group(spike_path, tmp_path / "runs", chosen=chosen, seeds=(0, 1))
    summary = evaluate_group(tmp_path / "runs")
    assert [row.run for row in summary.runs] == ["seed-0", "seed-1"]
    assert (summary.validation.n, summary.validation.mean) == (1, before)  # chosen once, not twice alike
    assert summary.test.n == 2
    assert format_group(summary).splitlines()[-1] == NOTE
    evaluate_run(run_dir)
    lines = {len(line.seeds): line for line in leaderboard(tmp_path).lines}
    assert (lines[1].marks, lines[2].marks) == ((), (NOTE,))
    assert (lines[2].validation.n, lines[2].test.n) == (1, 2)
    assert f"(1) {NOTE}" in format_leaderboard(leaderboard(tmp_path))


def test_refits_of_folds_are_no_line_with_the_folds(spike_path, tmp_path):
    recipe = recipe_from("recurrent", {**SMALL, "epochs": 1})
    train_run(spike_path, tmp_path / "fold", recipe=recipe, split="leave_one_speaker_out", left_out=2)
    refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(tmp_path / "fold"))
    for name in ("fold", "refit"):
        evaluate_run(tmp_path / name)
    assert [len(line.seeds) for line in leaderboard(tmp_path).lines] == [1, 1]


def test_a_refit_has_no_selection_bias(refit_dir):
    evaluate_run(refit_dir)
    with pytest.raises(ValueError, match="refit: is a refit, which chose no epoch; ask the run that chose: run"):
        measure_selection_bias(refit_dir)


def test_another_file_than_that_of_the_run_is_refused(chosen, events, write_spikes, tmp_path):
    other = write_spikes(replace(events, keys=("a", "b", "c")), "other.h5")
    with pytest.raises(ValueError, match=r"other\.h5: is not the file that .*run was trained on: its SHA-256 differs"):
        refit_run(other, tmp_path / "refit", chosen=chosen)
    assert not (tmp_path / "refit.training").exists()


def test_a_refit_cannot_be_refitted(refit_dir):
    with pytest.raises(ValueError, match="refit: is a refit itself; name the run that chose"):
        read_chosen_run(refit_dir)


def test_several_runs_cannot_be_refitted_at_once(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=recipe_from("recurrent", {**SMALL, "epochs": 1}), seeds=(4,))
    with pytest.raises(ValueError, match=r"runs: holds several runs; name the one that chose, as .*runs.seed-4"):
        read_chosen_run(tmp_path / "runs")


def test_a_recipe_without_epochs_cannot_be_refitted(spike_path, tmp_path):
    train_run(spike_path, tmp_path / "run", recipe=recipe_from("counts", {"duration": "0.2"}), **SPEAKERS)
    with pytest.raises(ValueError, match="recipe 'counts' is not trained by epochs, so there is nothing to refit"):
        read_chosen_run(tmp_path / "run")


def test_a_run_without_its_history_or_with_another_cannot_be_refitted(run_dir):
    rows = (run_dir / "history.csv").read_text().splitlines(keepends=True)
    (run_dir / "history.csv").write_text("".join(rows[:-1]))
    with pytest.raises(ValueError, match=r"history\.csv: is not the history of the card: it must have a row for each"):
        read_chosen_run(run_dir)
    (run_dir / "history.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"history\.csv: no such file"):
        read_chosen_run(run_dir)


def test_a_split_that_was_edited_is_not_refitted(spike_path, run_dir, tmp_path):
    split = json.loads((run_dir / "split.json").read_text())
    split["parts"]["train"].append(split["parts"]["test"].pop())
    (run_dir / "split.json").write_text(json.dumps(split))
    with pytest.raises(ValueError, match=r"split\.json: is not the split of the card: its digest differs"):
        refit_run(spike_path, tmp_path / "refit", chosen=read_chosen_run(run_dir))


def test_a_refit_that_needs_too_much_memory_is_told_that_it_keeps_the_batch(spike_path, chosen, tmp_path, monkeypatch):
    def allocate(*args, **kwargs):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("spikedata.training.loop.train_epoch", allocate)
    with pytest.raises(OutOfMemory, match=r"^out of memory; batch_size is 16, that of .*run, and a refit keeps it$"):
        refit_run(spike_path, tmp_path / "refit", chosen=chosen)
