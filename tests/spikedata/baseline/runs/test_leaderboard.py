import json
import re
import shutil

import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.group_summary import summarize_group
from spikedata.baseline.runs.groups import evaluate_group, train_group
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard
from spikedata.baseline.runs.train import train_run

COUNTS = recipe_from("counts", {"duration": "0.2", "strengths": "1"})
SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}


@pytest.fixture
def spike_path(write_spikes, make_events):
    return write_spikes(make_events(speakers=range(6)))


@pytest.fixture
def runs(spike_path, tmp_path):
    (tmp_path / "runs").mkdir()
    train_run(spike_path, tmp_path / "runs" / "counts", recipe=COUNTS, **SPEAKERS)
    return tmp_path / "runs"


def _set_accuracy(run, accuracy):
    card = json.loads((run / "card.json").read_text())
    card["tests"][-1]["score"]["accuracy"] = accuracy
    card["network"]["sha256"] = f"of {run.name}"
    (run / "card.json").write_text(json.dumps(card))


def test_seeds_are_one_line_with_mean_and_deviation(spike_path, runs):
    recipe = recipe_from("recurrent", {"hidden": "4", "n_merged": "1", "duration": "0.2", "epochs": "1"})
    train_group(spike_path, runs / "many", recipe=recipe, seeds=(0, 1, 2), **SPEAKERS)
    evaluate_group(runs / "many")
    for seed, accuracy in enumerate((0.5, 0.6, 0.7)):
        _set_accuracy(runs / "many" / f"seed-{seed}", accuracy)
    lines = leaderboard(runs).lines
    assert [line.recipe for line in lines] == ["recurrent", "counts"]  # what was not scored stands last
    assert lines[0].seeds == (0, 1, 2)
    assert (lines[0].test.mean, lines[0].test.deviation) == (pytest.approx(0.6), pytest.approx(0.1))
    assert lines[0].changed == {"hidden": [4], "n_merged": 1, "duration": 0.2, "epochs": 1}
    assert "60.0 ± 10.0 %" in format_leaderboard(leaderboard(runs))


def test_the_best_stands_first(runs):
    evaluate_run(runs / "counts")
    shutil.copytree(runs / "counts", runs / "better")
    card = json.loads((runs / "better" / "card.json").read_text())
    card["recipe"]["network"]["duration"] = 0.3
    (runs / "better" / "card.json").write_text(json.dumps(card))
    _set_accuracy(runs / "better", 0.99)
    assert [line.test.mean for line in leaderboard(runs).lines] == [0.99, pytest.approx(1 / 3)]


def test_a_copy_of_a_run_is_no_other_run(runs):
    evaluate_run(runs / "counts")
    shutil.copytree(runs / "counts", runs / "copy")
    (line,) = leaderboard(runs).lines
    assert line.seeds == (0,)
    assert line.interval_95 == pytest.approx([0.192, 0.512], abs=1e-3)  # Wilson's of 10 in 30


def test_what_makes_a_number_less_is_marked_and_explained(spike_path, runs):
    shared = runs / "shared"
    train_run(spike_path, shared, recipe=COUNTS, split="stratified_shared_speakers")
    evaluate_run(shared)
    evaluate_run(shared)
    (line,) = (line for line in leaderboard(runs).lines if line.test)
    assert line.marks == (
        "speakers are in two parts",
        "test part opened 2 times",
        "test speakers are in training",
    )
    text = format_leaderboard(leaderboard(runs))
    assert "(1) (2) (3)" in text
    assert "(2) test part opened 2 times" in text


def test_a_run_that_keeps_to_the_protocol_has_no_mark(runs):
    evaluate_run(runs / "counts")
    assert leaderboard(runs).lines[0].marks == ()


def test_markdown_is_a_table_of_markdown(runs):
    lines = format_leaderboard(leaderboard(runs), markdown=True).splitlines()
    assert lines[0].startswith("| recipe | runs | parameters |")
    assert {line.count("|") for line in lines} == {12}


def test_a_card_that_cannot_be_read_is_left_out_with_its_reason(runs):
    for name, content in (("old", '{"card_format": 1}'), ("damaged", '{"card_format": 4}'), ("cut", "{")):
        (runs / name).mkdir()
        (runs / name / "card.json").write_text(content)
    board = leaderboard(runs)
    assert len(board.lines) == 1
    assert len(board.unreadable) == 3
    assert "left out: " in format_leaderboard(board)
    assert any("old/card.json: card_format must be 4, got 1" in reason for reason in board.unreadable)


def test_a_folder_without_cards_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no card\.json below it: train a run first"):
        leaderboard(tmp_path)
    with pytest.raises(FileNotFoundError, match="none: no such folder"):
        leaderboard(tmp_path / "none")


@pytest.mark.parametrize(
    ("entry", "value", "rule"),
    [
        ("clips", "0-99999999999", "clips must name .* clips, as its score, got '0-99999999999'"),
        ("clips", "all", "clips must be numbers and ranges of them, as 0-2,7; got 'all'"),
        ("wrong", "7-2", "clips must be numbers and ranges of them, as 0-2,7; got '7-2'"),
        ("score", {"accuracy": float("nan")}, "accuracy must be in 0..1, got nan"),
        ("score", {"n": 0, "n_correct": 0}, "n_correct must be in 0..n and n > 0, got 0 of 0"),
    ],
)
def test_a_card_edited_by_hand_leaves_the_other_runs_their_lines(spike_path, runs, entry, value, rule):
    recipe = recipe_from("counts", {"duration": "0.3", "strengths": "1"})
    train_group(spike_path, runs / "many", recipe=recipe, seeds=(0, 1), **SPEAKERS)
    evaluate_group(runs / "many")
    path = runs / "many" / "seed-0" / "card.json"
    card = json.loads(path.read_text())
    test = card["tests"][-1]
    test[entry] = {**test["score"], **value} if entry == "score" else value
    path.write_text(json.dumps(card))
    table = leaderboard(runs)
    assert len(table.lines) == 2
    assert re.search(rf"seed-0.card\.json: .*{rule}", format_leaderboard(table))
    with pytest.raises(ValueError, match=rf"seed-0.card\.json: .*{rule}"):
        summarize_group(runs / "many")
