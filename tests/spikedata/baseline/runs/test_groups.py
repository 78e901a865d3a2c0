import json
import shutil

import numpy as np
import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import is_group, read_chosen_run
from spikedata.baseline.runs.group_summary import format_group, summarize_group
from spikedata.baseline.runs.groups import evaluate_group, plan_group, refit_group, train_group
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard
from spikedata.baseline.runs.refit import refit_run
from spikedata.baseline.runs.statistics import numbers_of_ranges
from spikedata.baseline.runs.train import train_run
from spikedata.cli import main
from spikedata.disk import OutputError

RECIPE = recipe_from("recurrent", {"hidden": "8", "n_merged": "1", "duration": "0.2", "epochs": "2", "input_gain": "2"})
COUNTS = recipe_from("counts", {"duration": "0.2", "strengths": "1"})
OTHER = recipe_from("counts", {"duration": "0.1", "strengths": "1"})
SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}


@pytest.fixture
def spike_path(write_spikes, make_events):
    return write_spikes(make_events(speakers=range(6)))


def test_seeds_make_runs_of_one_split_and_their_mean(spike_path, tmp_path):
    summary = train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0, 3), **SPEAKERS)
    assert [row.run for row in summary.runs] == ["seed-0", "seed-3"]
    assert summary.test is None
    assert "test       not opened" in format_group(summary)
    cards = [json.loads((tmp_path / "runs" / f"seed-{seed}" / "card.json").read_text()) for seed in (0, 3)]
    assert len({card["split"]["digest"] for card in cards}) == 1
    assert len({card["network"]["sha256"] for card in cards}) == 2

    scored = evaluate_group(tmp_path / "runs")
    accuracies = [row.test for row in scored.runs]
    assert scored.test.mean == pytest.approx(np.mean(accuracies))
    assert scored.test.deviation == pytest.approx(np.std(accuracies, ddof=1))
    assert scored.clips.n == 30  # the same clips twice
    assert "over 2 runs" in format_group(scored)


def test_a_group_says_what_is_left_under_a_control(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0, 3), **SPEAKERS)
    assert evaluate_group(tmp_path / "runs").controls == {}
    summary = evaluate_group(tmp_path / "runs", control="counts_only")
    cards = [json.loads((tmp_path / "runs" / f"seed-{seed}" / "card.json").read_text()) for seed in (0, 3)]
    accuracies = [card["controls"][0]["score"]["accuracy"] for card in cards]
    assert summary.controls["counts_only"].mean == pytest.approx(np.mean(accuracies))
    assert f"counts_only: {np.mean(accuracies):.1%}, standard deviation" in format_group(summary)


def test_a_group_says_how_well_it_does_on_unseen_speakers(spike_path, write_spikes, make_events, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0, 3), **SPEAKERS)
    assert "over unseen speakers" not in format_group(evaluate_group(tmp_path / "runs"))  # all are new: once is enough
    summary = evaluate_group(tmp_path / "runs", write_spikes(make_events(speakers=(2, 9), seed=4), "other.h5"))
    assert summary.unseen.n == 2
    assert "over unseen speakers: " in format_group(summary)


def test_runs_that_are_finished_are_kept(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0,), **SPEAKERS)
    before = (tmp_path / "runs" / "seed-0" / "card.json").stat().st_mtime_ns
    summary = train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0, 1), split_seed=0, **SPEAKERS)
    assert len(summary.runs) == 2
    assert (tmp_path / "runs" / "seed-0" / "card.json").stat().st_mtime_ns == before


def test_a_finished_run_of_another_training_is_not_kept_silently(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=COUNTS, seeds=(0,), **SPEAKERS)
    other = recipe_from("counts", {"duration": "0.1", "strengths": "1"})
    with pytest.raises(OutputError, match=r"seed-0: is of another training: duration is 0\.2 there and 0\.1 here"):
        train_group(spike_path, tmp_path / "runs", recipe=other, seeds=(0,), **SPEAKERS)


def test_each_speaker_is_left_out_once(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=COUNTS, seeds=(0,), leave_one_speaker_out=True)
    summary = evaluate_group(tmp_path / "runs")
    assert [row.test_speakers for row in summary.runs] == [(who,) for who in range(6)]
    assert summary.clips.n == 90
    assert summary.clips.accuracy == pytest.approx(summary.test.mean)  # every speaker has 15 clips


def test_speakers_and_seeds_can_be_crossed():
    assert [member.name for member in plan_group([0, 1], [4])] == ["speaker-4-seed-0", "speaker-4-seed-1"]


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_that_make_no_group_are_refused(seeds):
    with pytest.raises(ValueError, match="seeds must be numbers, each once, got"):
        plan_group(seeds)


def test_a_run_cannot_hold_others(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=COUNTS, seeds=(0,), **SPEAKERS)
    with pytest.raises(OutputError, match="seed-0: is a run, cannot hold the runs of several seeds or speakers"):
        train_group(spike_path, tmp_path / "runs" / "seed-0", recipe=COUNTS, seeds=(0, 1), **SPEAKERS)
    assert is_group(tmp_path / "runs")
    assert not is_group(tmp_path / "runs" / "seed-0")


def test_a_folder_without_runs_is_no_group(tmp_path):
    assert not is_group(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no finished run"):
        summarize_group(tmp_path)


def _bytes(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _train(spike_path, run, recipe=COUNTS, **options):
    train_run(spike_path, run, recipe=recipe, **({} if "split" in options else SPEAKERS) | options)


def test_clips_of_folds_count_once_though_a_seed_of_one_is_missing(spike_path, tmp_path):
    runs = tmp_path / "runs"
    train_group(spike_path, runs, recipe=RECIPE, seeds=(0, 1), leave_one_speaker_out=True)
    assert evaluate_group(runs).clips.n == 90
    shutil.rmtree(runs / "speaker-2-seed-1")
    summary = summarize_group(runs)
    assert len(summary.runs) == 11
    assert (summary.clips.n, summary.untested) == (90, ())
    by_clip = {}
    for name in (row.run for row in summary.runs):
        entry = json.loads((runs / name / "card.json").read_text())["tests"][-1]
        wrong = numbers_of_ranges(entry["wrong"])
        for clip in numbers_of_ranges(entry["clips"]):
            by_clip.setdefault(clip, []).append(clip not in wrong)
    assert summary.clips.accuracy == pytest.approx(np.mean([np.mean(said) for said in by_clip.values()]))
    shutil.rmtree(runs / "speaker-2-seed-0")
    summary = summarize_group(runs)
    assert (summary.clips.n, summary.untested) == (75, (2,))
    assert "untested   speakers 2, whom no finished run leaves out" in format_group(summary)
    assert "75" in format_leaderboard(leaderboard(runs)).splitlines()[1]


def test_clips_of_test_parts_that_overlap_count_once(spike_path, tmp_path):
    for seed, speakers in enumerate(((4, 5), (0, 4))):
        _train(spike_path, tmp_path / "runs" / f"{seed}", RECIPE, seed=seed, test_speakers=speakers)
    summary = evaluate_group(tmp_path / "runs")
    assert [row.n for row in summary.runs] == [30, 30]
    assert summary.clips.n == 45


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"recipe": RECIPE}, "recipe is counts in a and recurrent in b"),
        ({"recipe": OTHER}, r"duration is 0\.2 in a and 0\.1 in b"),
        ({"data": True}, "SHA-256 of the data is .* in a and .* in b"),
        ({"split": "leave_one_speaker_out", "left_out": 4}, "split is by_speaker in a and leave_one_speaker_out in b"),
        ({}, "b and a are one training, which would count twice"),
    ],
)
def test_runs_that_are_no_group_are_refused_before_any_score(
    spike_path, write_spikes, make_events, tmp_path, options, named
):
    runs = tmp_path / "runs"
    path = write_spikes(make_events(speakers=range(6), seed=3), "b.h5") if options.pop("data", False) else spike_path
    _train(spike_path, runs / "a")
    _train(path, runs / "b", **options)
    before = _bytes(runs)
    for ask in (evaluate_group, summarize_group):
        with pytest.raises(ValueError, match=f"runs: .*{named}") as caught:
            ask(runs)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=named):  # nor is another run put beside them
        train_group(spike_path, runs, recipe=COUNTS, seeds=(7,), **SPEAKERS)
    assert _bytes(runs) == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"recipe": recipe_from("counts", {"duration": "0.1", "strengths": "1"})}, r"duration is 0\.1 in a and 0\.2"),
        ({"split": "leave_one_speaker_out", "left_out": 4}, "split is leave_one_speaker_out in a and by_speaker"),
    ],
)
def test_one_run_of_something_else_is_noticed_before_anything_is_trained(spike_path, tmp_path, options, named):
    runs = tmp_path / "runs"
    _train(spike_path, runs / "a", **options)
    before = _bytes(runs)
    with pytest.raises(ValueError, match=f"runs: is not one group of runs: {named} here; train into another folder"):
        train_group(spike_path, runs, recipe=COUNTS, seeds=(0, 1), **SPEAKERS)
    assert _bytes(runs) == before


def test_a_refit_is_not_trained_beside_the_run_that_chose(spike_path, tmp_path):
    runs = tmp_path / "runs"
    _train(spike_path, runs / "a", RECIPE)
    before = _bytes(runs)
    with pytest.raises(ValueError, match="refit is False in a and True here"):
        refit_group(spike_path, runs, chosen=read_chosen_run(runs / "a"), seeds=(0,))
    assert _bytes(runs) == before


def test_a_refit_does_not_stand_beside_runs_that_chose(spike_path, tmp_path):
    _train(spike_path, tmp_path / "runs" / "a", RECIPE)
    refit_run(spike_path, tmp_path / "runs" / "b", chosen=read_chosen_run(tmp_path / "runs" / "a"))
    with pytest.raises(ValueError, match="refit is False in a and True in b"):
        evaluate_group(tmp_path / "runs")


def test_runs_of_a_group_that_are_unfinished_are_named(spike_path, tmp_path, stopping_after):
    with stopping_after(1) as on_epoch:
        train_run(spike_path, tmp_path / "runs" / "seed-1", recipe=RECIPE, seed=1, on_epoch=on_epoch, **SPEAKERS)
    with pytest.raises(FileNotFoundError, match="runs: holds no finished run, seed-1 unfinished: run the training"):
        evaluate_group(tmp_path / "runs")
    assert is_group(tmp_path / "runs")
    _train(spike_path, tmp_path / "runs" / "seed-0", RECIPE)
    summary = evaluate_group(tmp_path / "runs")
    assert (len(summary.runs), summary.unfinished) == (1, ("seed-1",))
    assert "unfinished seed-1; not counted here" in format_group(summary)


def test_a_group_that_is_scored_in_part_says_so_and_averages_nothing(spike_path, write_spikes, make_events, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0, 3), **SPEAKERS)
    evaluate_run(tmp_path / "runs" / "seed-3")
    summary = summarize_group(tmp_path / "runs")
    assert (summary.test, summary.clips) == (None, None)
    assert "scored for 1 of 2 runs only" in format_group(summary)
    other = write_spikes(make_events(speakers=(8,), seed=4), "other.h5")
    evaluate_run(tmp_path / "runs" / "seed-0", other)
    assert summarize_group(tmp_path / "runs").test is None  # of two files there is no mean
    assert evaluate_group(tmp_path / "runs", other).clips.n == 15
    assert evaluate_group(tmp_path / "runs").clips.n == 30


@pytest.fixture
def group(spike_path, tmp_path):
    train_group(spike_path, tmp_path / "runs", recipe=RECIPE, seeds=(0, 3), keep_epochs=True, **SPEAKERS)
    return tmp_path / "runs"


def test_every_flag_of_evaluate_means_for_a_group_what_it_means_for_a_run(
    group, write_spikes, make_events, capsys, monkeypatch
):
    other = str(write_spikes(make_events(speakers=(8,), seed=4), "other.h5"))

    def ask(*words):
        status = main(["evaluate", str(group), *words, "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out) if not status else said.err

    def cards():
        return [json.loads((group / f"seed-{seed}" / "card.json").read_text()) for seed in (0, 3)]

    for early in (["--control", "counts_only"], ["--selection-bias"]):
        before = _bytes(group)
        status, error = ask(*early)
        assert (status, error.count("\n")) == (1, 1)
        assert "seed-0: the test part must be scored first" in error
        assert _bytes(group) == before
    scored = ask("--device", "cpu")[1]
    assert scored["over_clips"]["n"] == scored["clips"] == 30
    assert ask("--control", "counts_only")[1]["controls"]["counts_only"]["n"] == 2
    bias = ask("--selection-bias")[1]["selection_bias"]
    entries = [card["selection_bias"][-1] for card in cards()]
    assert bias["bias"]["mean"] == pytest.approx(np.mean([entry["bias"] for entry in entries]))
    assert bias["picked"]["mean"] == pytest.approx(np.mean([entry["picked_accuracy"] for entry in entries]))
    before = _bytes(group)
    assert ask("--show")[1]["selection_bias"] == bias
    refused = {
        ("--selection-bias", "--control", "counts_only"): "leave out --control",
        ("--show", "--control", "counts_only"): "--show opens and scores nothing, so leave out --control",
        ("--show", "--selection-bias"): "--show opens and scores nothing, so leave out --selection-bias",
        ("--show", "--device", "cpu"): "--show opens and scores nothing, so leave out --device",
        (other, "--show"): "--show opens and scores nothing, so leave out FILE.h5",
        (other, "--control", "counts_only"): "must be scored first",
        (other, "--selection-bias"): "must be scored first",
        ("--control", "noise"): "noise",
        ("--device", "tpu"): "device must be",
    }
    for words, reason in refused.items():
        status, error = ask(*words)
        assert (status, error.count("\n")) == (1, 1)
        assert reason in error
    assert _bytes(group) == before
    assert ask(other)[1]["tested_on"] == {"file": "other.h5", "part": "whole file", "n": 15}
    assert [card["tests"][0]["times_opened"] for card in cards()] == [1, 1]


def test_the_selection_bias_of_a_group_reads_well(group):
    evaluate_group(group)
    text = format_group(evaluate_group(group, selection_bias=True))
    assert "picking the epochs on these test clips would have claimed" in text
    with pytest.raises(ValueError, match="so leave out the control counts-only"):
        evaluate_group(group, selection_bias=True, control="counts-only")


def test_a_run_without_its_epochs_is_found_out_before_the_others_are_scored(group):
    evaluate_group(group)
    shutil.rmtree(group / "seed-3" / "epochs")
    before = _bytes(group)
    with pytest.raises(ValueError, match="seed-3: the weights of each epoch are needed"):
        evaluate_group(group, selection_bias=True)
    assert _bytes(group) == before


def test_a_group_that_is_refused_leaves_no_folder(spike_path, tmp_path):
    with pytest.raises(ValueError, match="speaker"):
        train_group(spike_path, tmp_path / "many" / "runs", recipe=COUNTS, seeds=(0, 1), test_speakers=(77,))
    assert [path.name for path in tmp_path.iterdir()] == ["spikes.h5"]
    train_group(spike_path, tmp_path / "many" / "runs", recipe=COUNTS, seeds=(0,), **SPEAKERS)
    assert [path.name for path in (tmp_path / "many" / "runs").iterdir()] == ["seed-0"]
