"""What a score leaves on a card, whoever asks, how often and how many at once."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import load_run, read_card
from spikedata.baseline.runs.statistics import numbers_of_ranges
from spikedata.baseline.runs.train import train_run
from spikedata.cli import main

COUNTS = recipe_from("counts", {"duration": "0.2", "strengths": "1"})


@pytest.fixture
def events(make_events):
    return make_events(speakers=range(6))


@pytest.fixture
def run(write_spikes, events, tmp_path):
    path = write_spikes(events)
    train_run(path, tmp_path / "run", recipe=COUNTS, validation_speakers=(3,), test_speakers=(0, 5))
    return tmp_path / "run"


def _files(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_card_names_the_clips_that_were_tested_and_those_not_found(run, events):
    entry = evaluate_run(run).tests[-1]
    clips, wrong = numbers_of_ranges(entry.clips), numbers_of_ranges(entry.wrong)
    assert clips.tolist() == np.flatnonzero(np.isin(events.speakers, (0, 5))).tolist()
    assert set(wrong) <= set(clips)
    assert len(wrong) == entry.score.n - entry.score.n_correct
    per_label = np.bincount(events.labels[wrong], minlength=3)
    confusion = np.array(entry.score.confusion)
    assert per_label.tolist() == (confusion.sum(axis=1) - confusion.diagonal()).tolist()


def test_of_openings_at_the_same_time_none_is_lost(run, write_spikes, make_events):
    other = write_spikes(make_events(speakers=(9,), seed=1), "other.h5")
    code = "import sys; from spikedata.cli import main; sys.exit(main(['evaluate', *sys.argv[1:], '-q']))"
    asked = [[], [], [str(other)]]
    processes = [subprocess.Popen([sys.executable, "-c", code, str(run), *words]) for words in asked]
    assert [process.wait(timeout=120) for process in processes] == [0] * len(asked)
    opened = {entry.file: entry.times_opened for entry in load_run(run).card.tests}
    assert opened == {"spikes.h5": 2, "other.h5": 1}
    assert not list(run.glob("*.lock"))
    assert not list(run.glob(".*"))


def test_what_others_write_while_a_run_is_scored_stays(run, write_spikes, make_events, monkeypatch):
    other = write_spikes(make_events(speakers=(9,)), "other.h5")
    evaluate = "spikedata.baseline.runs.evaluation.evaluate"
    from spikedata.training.scoring import evaluate as plain

    def score_while_another_does(*args, **options):
        monkeypatch.setattr(evaluate, plain)
        evaluate_run(run)
        evaluate_run(run)
        evaluate_run(run, control="counts_only")
        return plain(*args, **options)

    monkeypatch.setattr(evaluate, score_while_another_does)
    card = evaluate_run(run, other)
    assert [(entry.file, entry.times_opened) for entry in card.tests] == [("spikes.h5", 2), ("other.h5", 1)]
    assert [entry.control for entry in card.controls] == ["counts_only"]
    assert load_run(run).card == card


def test_a_run_that_is_replaced_while_it_is_scored_gets_no_score(run, tmp_path, monkeypatch):
    other = recipe_from("recurrent", {"hidden": "4", "n_merged": "1", "duration": "0.2", "epochs": "1"})
    train_run(tmp_path / "spikes.h5", tmp_path / "new", recipe=other, validation_speakers=(3,), test_speakers=(4,))
    from spikedata.training.scoring import evaluate as plain

    def replace_and_score(*args, **options):
        shutil.rmtree(run)
        (tmp_path / "new").rename(run)
        return plain(*args, **options)

    monkeypatch.setattr("spikedata.baseline.runs.evaluation.evaluate", replace_and_score)
    with pytest.raises(ValueError, match="run: was replaced by another run while this one was scored"):
        evaluate_run(run)
    assert load_run(run).card.tests == ()


def test_showing_opens_nothing_and_changes_no_byte(run, tmp_path, capsys):
    (tmp_path / "spikes.h5").rename(tmp_path / "elsewhere.h5")  # not even the file is needed
    before = _files(run)
    assert read_card(run) == load_run(run).card
    assert main(["evaluate", str(run), "--show"]) == 0
    assert "test        not opened" in capsys.readouterr().out
    assert _files(run) == before
    (tmp_path / "elsewhere.h5").rename(tmp_path / "spikes.h5")
    evaluate_run(run)
    before = _files(run)
    for _ in range(2):
        assert main(["evaluate", str(run), "--show", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tests"][-1]["times_opened"] == 1
    assert _files(run) == before


def test_a_card_of_another_version_is_not_shown(run):
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps(card | {"card_format": 1}))
    with pytest.raises(ValueError, match=r"card\.json: card_format must be \d+, got 1"):
        read_card(run)


@pytest.mark.parametrize("words", [["x.h5"], ["--control", "none"], ["--selection-bias"], ["--device", "cpu"]])
def test_showing_and_scoring_exclude_each_other(run, words, capsys):
    before = _files(run)
    assert main(["evaluate", str(run), *words, "--show"]) == 1
    error = capsys.readouterr().err
    assert "--show opens and scores nothing, so leave out" in error
    assert error.count("\n") == 1
    assert _files(run) == before


def test_one_of_several_processes_does_not_open_the_test_part(run, monkeypatch, capsys):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    before = _files(run)
    assert main(["evaluate", str(run)]) == 1
    assert "evaluate runs in one process" in capsys.readouterr().err
    assert _files(run) == before
