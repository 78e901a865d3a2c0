import json

import numpy as np
import pytest

from spikedata.atomic import OutputError
from spikedata.baseline.protocol.group_summary import format_group, is_group, summarize_group
from spikedata.baseline.protocol.groups import evaluate_group, plan_group, train_group
from spikedata.baseline.recipes.catalog import recipe_from

RECIPE = recipe_from("recurrent", {"hidden": "8", "n_merged": "1", "duration": "0.2", "epochs": "2", "input_gain": "2"})
COUNTS = recipe_from("counts", {"duration": "0.2", "strengths": "1"})
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
