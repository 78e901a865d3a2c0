import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.card_text import format_card
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import load_run
from spikedata.baseline.runs.selection_bias import measure_selection_bias
from spikedata.baseline.runs.train import train_run
from spikedata.disk import OutputError
from spikedata.events import Events
from spikedata.training.devices import OutOfMemory
from spikedata.training.scoring import evaluate
from spikedata.transforms.named import apply_control

SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}
SMALL = {
    "hidden": (16,),
    "n_merged": 1,
    "duration": 0.2,
    "epochs": 3,
    "batch_size": 16,
    "input_gain": 2.0,
    "unit_shift": 0.0,
}
RECIPE = recipe_from("recurrent", SMALL)
COUNTS = recipe_from("counts", {"duration": "0.2", "strengths": "1,0.1"})


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


def test_a_run_holds_weights_card_history_and_split(run_dir):
    assert {path.name for path in run_dir.iterdir()} == {
        "card.json",
        "weights.safetensors",
        "history.csv",
        "split.json",
    }
    rows = list(csv.DictReader((run_dir / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    parts = json.loads((run_dir / "split.json").read_text())["parts"]
    assert {name.split("-")[0] for name in parts["test"]} == {"4", "5"}


def test_the_card_says_what_is_needed_to_repeat_the_run(run_dir, spike_path, tmp_path):
    card = load_run(run_dir).card
    assert card.environment.torch == str(torch.__version__)
    assert card.environment.threads == 1
    assert card.recipe == RECIPE
    assert card.split.speakers == {"train": (0, 1, 2), "validation": (3,), "test": (4, 5)}
    assert card.network.parameters == 16 * 16 + 16 * 16 + 16 * 3
    assert f"spikedata train {spike_path} --recipe recurrent --out {run_dir} --seed 0" in card.command
    assert card.tests == ()
    again = train_run(spike_path, tmp_path / "again", recipe=RECIPE, **SPEAKERS)
    assert again.network.sha256 == card.network.sha256
    assert again.validation == card.validation


def test_the_seed_decides_the_weights(spike_path, run_dir, tmp_path):
    other = train_run(spike_path, tmp_path / "other", recipe=RECIPE, seed=1, **SPEAKERS)
    assert other.network.sha256 != load_run(run_dir).card.network.sha256


def test_the_test_part_takes_no_part_in_training(events, run_dir, write_spikes, tmp_path):
    clips = [
        clip._replace(times=clip.times[:5], units=clip.units[:5][::-1].copy()) if clip.speaker in (4, 5) else clip
        for clip in events
    ]
    changed = write_spikes(Events.from_samples(clips, keys=events.keys, n_units=16), "changed.h5")
    card = train_run(changed, tmp_path / "changed", recipe=RECIPE, **SPEAKERS)
    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "changed" / name).read_bytes() == (run_dir / name).read_bytes()
    assert card.validation == load_run(run_dir).card.validation


def test_the_test_part_is_scored_with_the_weights_that_validation_chose(run_dir, events):
    entry = evaluate_run(run_dir).tests[-1]
    score = evaluate(load_run(run_dir).network, events.select(np.flatnonzero(events.speakers >= 4)))
    assert np.array_equal(entry.score.confusion, score.confusion)
    assert (entry.score.n, entry.part, entry.speakers) == (30, "test part", (4, 5))
    assert entry.speakers_seen == ()


def test_the_test_part_is_scored_once_and_each_look_counted(run_dir, monkeypatch):
    first = evaluate_run(run_dir)
    monkeypatch.setattr("spikedata.baseline.runs.evaluation.evaluate", None)  # scoring again would fail
    second = evaluate_run(run_dir)
    assert (first.tests[-1].times_opened, second.tests[-1].times_opened) == (1, 2)
    assert second == replace(first, tests=(replace(first.tests[-1], times_opened=2),))
    assert load_run(run_dir).card.tests[-1].times_opened == 2


def test_evaluation_leaves_all_but_the_card_as_it_is(run_dir):
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    card = evaluate_run(run_dir)
    after = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    assert {name for name in after if after[name] != before.get(name)} == {"card.json"}
    assert json.loads(after["card.json"]) == card.to_json()


def test_another_file_is_scored_as_a_whole(run_dir, write_spikes, make_events):
    path = write_spikes(make_events(speakers=(2, 9), seed=4), "other.h5")
    evaluate_run(run_dir)
    entry = evaluate_run(run_dir, path).tests[-1]
    assert (entry.file, entry.part, entry.score.n) == ("other.h5", "whole file", 30)
    assert (entry.speakers, entry.speakers_seen) == ((2, 9), (2,))
    assert entry.unseen == entry.by_speaker["9"]
    assert sum(speaker.n_correct for speaker in entry.by_speaker.values()) == entry.score.n_correct
    assert "; of unseen speakers " in format_card(load_run(run_dir).card)
    assert len(load_run(run_dir).card.tests) == 2
    assert evaluate_run(run_dir).tests[-1].part == "test part"


def test_the_very_file_of_the_run_means_its_test_part(run_dir, spike_path, tmp_path):
    copy = shutil.copy(spike_path, tmp_path / "copy.h5")
    assert evaluate_run(run_dir, copy).tests[-1].part == "test part"


def test_a_run_without_a_test_part_needs_another_file(spike_path, tmp_path):
    train_run(spike_path, tmp_path / "run", recipe=COUNTS, validation_speakers=(3,), test_speakers=())
    with pytest.raises(ValueError, match="its split has no test part; name the file to test on"):
        evaluate_run(tmp_path / "run")


def test_a_file_that_has_changed_is_refused(run_dir, spike_path):
    with spike_path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match=r"is not the file that .* was trained on: its SHA-256 differs"):
        evaluate_run(run_dir)


def test_a_file_that_is_gone_is_refused(run_dir, spike_path):
    spike_path.unlink()
    with pytest.raises(FileNotFoundError, match=r"spikes\.h5: no such file"):
        evaluate_run(run_dir)


def test_a_file_with_other_classes_or_units_is_refused(run_dir, write_spikes, events):
    renamed = write_spikes(replace(events, keys=("a", "b", "c")), "renamed.h5")
    with pytest.raises(ValueError, match=r"renamed.h5: must have the classes \['up', .*, got \['a'"):
        evaluate_run(run_dir, renamed)
    wider = write_spikes(replace(events, n_units=20), "wider.h5")
    with pytest.raises(ValueError, match=r"wider.h5: must have 16 units, got 20"):
        evaluate_run(run_dir, wider)
    assert load_run(run_dir).card.tests == ()


def test_a_file_without_names_can_be_trained_on(write_spikes, events, tmp_path):
    path = write_spikes(replace(events, sources=("",) * len(events)))
    train_run(path, tmp_path / "run", recipe=COUNTS, **SPEAKERS)
    assert evaluate_run(tmp_path / "run").tests[-1].score.n == 30


def test_the_linear_classifier_runs_under_the_same_protocol(spike_path, tmp_path):
    card = train_run(spike_path, tmp_path / "run", recipe=COUNTS, **SPEAKERS)
    assert card.training.epochs == 2
    score = evaluate_run(tmp_path / "run").tests[-1].score
    assert score.accuracy == score.chance  # the classes differ in timing alone


def test_a_run_is_not_replaced_unasked(run_dir, spike_path):
    before = (run_dir / "card.json").read_bytes()
    with pytest.raises(OutputError, match="run: exists already, will not replace it"):
        train_run(spike_path, run_dir, recipe=RECIPE, seed=5, **SPEAKERS)
    assert (run_dir / "card.json").read_bytes() == before
    assert train_run(spike_path, run_dir, recipe=RECIPE, seed=5, overwrite=True, **SPEAKERS).seed == 5
    assert load_run(run_dir).card.seed == 5


def test_a_training_that_stopped_goes_on_to_the_same_bits(spike_path, run_dir, tmp_path, stopping_after):
    for n_epochs in (1, 2):
        with stopping_after(n_epochs) as on_epoch:
            train_run(spike_path, tmp_path / "again", recipe=RECIPE, on_epoch=on_epoch, **SPEAKERS)
    assert not (tmp_path / "again").exists()
    seen = []
    card = train_run(spike_path, tmp_path / "again", recipe=RECIPE, on_epoch=seen.append, **SPEAKERS)
    assert [record.epoch for record in seen] == [3]
    assert card.network.sha256 == load_run(run_dir).card.network.sha256
    assert card.validation == load_run(run_dir).card.validation


def test_a_finished_run_leaves_nothing_beside_it(run_dir):
    assert {path.name for path in run_dir.parent.iterdir()} == {"run", "spikes.h5"}


def test_an_interruption_before_the_first_epoch_leaves_nothing(spike_path, tmp_path, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikedata.training.loop.train_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_run(spike_path, tmp_path / "run", recipe=RECIPE, **SPEAKERS)
    assert [path.name for path in tmp_path.iterdir()] == ["spikes.h5"]


def test_the_state_of_another_training_is_refused_and_kept(spike_path, tmp_path, stopping_after):
    with stopping_after(1) as on_epoch:
        train_run(spike_path, tmp_path / "run", recipe=RECIPE, on_epoch=on_epoch, **SPEAKERS)
    other = recipe_from("recurrent", {**SMALL, "hidden": (17,)})
    with pytest.raises(
        ValueError, match=r"of another training: hidden is \[16\] there and \[17\] here; finish it with its"
    ):
        train_run(spike_path, tmp_path / "run", recipe=other, **SPEAKERS)
    assert train_run(spike_path, tmp_path / "run", recipe=other, overwrite=True, **SPEAKERS).training.epochs == 3


def test_a_training_that_diverges_keeps_its_last_good_state(spike_path, tmp_path, monkeypatch):
    def spoil(record):
        raise FloatingPointError(f"the loss is nan after epoch {record.epoch}")

    with pytest.raises(FloatingPointError, match=r"; the state before that epoch is kept in .*checkpoint\.safetensors"):
        train_run(spike_path, tmp_path / "run", recipe=RECIPE, on_epoch=spoil, **SPEAKERS)
    assert (tmp_path / "run.training" / "checkpoint.safetensors").is_file()


def test_running_out_of_memory_is_one_line_with_advice(spike_path, tmp_path, monkeypatch):
    def allocate(*args, **kwargs):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("spikedata.training.loop.train_epoch", allocate)
    with pytest.raises(OutOfMemory, match=r"^out of memory; batch_size is 16; --batch-size 8 needs about half$"):
        train_run(spike_path, tmp_path / "run", recipe=RECIPE, **SPEAKERS)


def test_a_file_with_one_speaker_is_refused(write_spikes, make_events, tmp_path):
    path = write_spikes(make_events(speakers=(0,)))
    with pytest.raises(
        ValueError, match=r"spikes\.h5: every part must have a speaker, got only 1 .*--split stratified_shared"
    ):
        train_run(path, tmp_path / "run", recipe=RECIPE)


def test_a_gpu_that_is_not_there_is_refused(spike_path, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no device 'cuda': PyTorch finds 0 GPUs here"):
        train_run(spike_path, tmp_path / "run", recipe=RECIPE, device="cuda", **SPEAKERS)


def test_an_unknown_device_is_refused(spike_path, tmp_path):
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:N, got 'tpu'"):
        train_run(spike_path, tmp_path / "run", recipe=RECIPE, device="tpu", **SPEAKERS)


def test_weights_of_another_run_are_refused(run_dir, spike_path, tmp_path):
    train_run(spike_path, tmp_path / "other", recipe=RECIPE, seed=1, **SPEAKERS)
    shutil.copy(tmp_path / "other" / "weights.safetensors", run_dir / "weights.safetensors")
    with pytest.raises(ValueError, match=r"weights\.safetensors is not the one of the card"):
        evaluate_run(run_dir)


def test_a_split_that_was_edited_is_refused(run_dir):
    split = json.loads((run_dir / "split.json").read_text())
    split["parts"]["test"].append(split["parts"]["train"].pop())
    (run_dir / "split.json").write_text(json.dumps(split))
    with pytest.raises(ValueError, match=r"split\.json: is not the split of the card: its digest differs"):
        evaluate_run(run_dir)


def _edit(run_dir, change):
    card = json.loads((run_dir / "card.json").read_text())
    change(card)
    (run_dir / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.pop("data"), "card.json: card: Card lacks the param 'data'"),
        (lambda card: card.update(card_format=99), "card_format must be 4, got 99"),
        (lambda card: card["recipe"]["network"].update(hidden=[17]), "weights.safetensors has layers"),
        (lambda card: card["recipe"]["network"]["neuron"].update(tau_mem=-1), "LIFParams.tau_mem must be > 0, got -1"),
    ],
)
def test_a_card_that_does_not_fit_the_weights_is_refused(run_dir, change, message):
    _edit(run_dir, change)
    with pytest.raises(ValueError, match=message) as caught:
        load_run(run_dir)
    assert "\n" not in str(caught.value)


def test_a_card_reads_well(run_dir):
    before, after = format_card(load_run(run_dir).card), format_card(evaluate_run(run_dir))
    assert "test        not opened" in before
    assert "95 % interval" in after.splitlines()[-1]
    assert "opened once" in after
    assert "opened 2 times" in format_card(evaluate_run(run_dir))


def test_a_card_says_what_a_clip_costs(run_dir):
    measures = load_run(run_dir).card.measures
    assert measures.footprint == 4 * load_run(run_dir).card.network.parameters
    assert 0 < measures.effective_acs + measures.effective_macs < measures.dense_operations
    assert measures.spikes == pytest.approx(16 * load_run(run_dir).card.validation.hidden_spikes)


def test_a_control_is_scored_after_the_plain_score_and_beside_it(run_dir):
    with pytest.raises(ValueError, match="the test part must be scored first: spikedata evaluate"):
        evaluate_run(run_dir, control="counts_only")
    plain = evaluate_run(run_dir).tests
    card = evaluate_run(run_dir, control="counts-only")
    assert card.tests == plain
    assert [entry.control for entry in card.controls] == ["counts_only"]
    assert evaluate_run(run_dir, control="counts_only").controls == card.controls
    assert "control     counts_only: " in format_card(card)


def test_a_run_under_a_control_is_scored_under_it(spike_path, events, tmp_path):
    recipe = recipe_from("recurrent", {**SMALL, "control": "time_reversed"})
    card = train_run(spike_path, tmp_path / "run", recipe=recipe, **SPEAKERS)
    network = load_run(tmp_path / "run").network
    part = {name: events.select(np.isin(events.speakers, who)) for name, who in (("validation", 3), ("test", (4, 5)))}
    reversed_part = {name: apply_control(clips, "time_reversed") for name, clips in part.items()}
    assert card.validation.loss == pytest.approx(evaluate(network, reversed_part["validation"]).loss, rel=1e-5)
    entry = evaluate_run(tmp_path / "run").tests[-1]
    assert entry.score.loss == pytest.approx(evaluate(network, reversed_part["test"]).loss, rel=1e-5)


def test_the_selection_bias_is_what_the_best_epoch_on_test_would_have_claimed(spike_path, tmp_path):
    run = tmp_path / "run"
    card = train_run(spike_path, run, recipe=RECIPE, keep_epochs=True, **SPEAKERS)
    with pytest.raises(ValueError, match="the test part must be scored first"):
        measure_selection_bias(run)
    honest = evaluate_run(run).tests[-1].score.accuracy
    entry = measure_selection_bias(run).selection_bias[-1]
    assert len(entry.accuracies) == 3
    assert entry.accuracies[card.training.best_epoch - 1] == honest == entry.honest_accuracy
    assert entry.picked_accuracy == max(entry.accuracies)
    assert entry.bias == entry.picked_accuracy - honest >= 0
    assert load_run(run).card.tests[-1].times_opened == 1
    assert "the bias, not a result" in format_card(load_run(run).card)


def test_the_selection_bias_needs_the_weights_of_every_epoch(run_dir):
    evaluate_run(run_dir)
    with pytest.raises(ValueError, match=r"no epoch-0001\.safetensors: train --keep-epochs"):
        measure_selection_bias(run_dir)


def test_another_split_can_be_asked_for_and_stands_on_the_card(spike_path, tmp_path):
    card = train_run(spike_path, tmp_path / "run", recipe=COUNTS, split="leave_one_speaker_out", left_out=2, seed=1)
    assert card.split.speakers["test"] == (2,)
    assert "--split leave_one_speaker_out --split-seed 1 --leave-out 2" in card.command
    shared = train_run(spike_path, tmp_path / "shared", recipe=COUNTS, split="stratified_shared_speakers")
    assert shared.split.speakers_apart is False
    assert "speakers are shared between parts" in format_card(shared)


def test_every_optimizer_schedule_and_layout_trains_and_comes_back(spike_path, tmp_path):
    for name, values in {
        "a": {"optimizer": "sgd", "momentum": 0.9, "schedule": "one_cycle", "layout": "lists"},
        "b": {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "plateau", "gradient_clip": 0.1},
        "c": {"optimizer": "adamax", "schedule": "constant", "augmentation": ("time_jitter sigma=0.01",)},
    }.items():
        train_run(spike_path, tmp_path / name, recipe=recipe_from("recurrent", {**SMALL, **values}), **SPEAKERS)
        assert evaluate_run(tmp_path / name).tests[-1].score.n == 30
