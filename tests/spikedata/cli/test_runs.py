"""The commands that train a baseline and score it."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import read_card
from spikedata.baseline.runs.groups import train_group
from spikedata.baseline.runs.train import train_run
from spikedata.cli import main
from spikedata.cli.runs import _note
from spikedata.training.history import EpochRecord


def test_train_and_evaluate_score_held_out_speakers(
    spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["train", str(spike_path), "--recipe", "counts", "--out", str(run), "--validation-speakers", "0"]
    assert main([*words, "--test-speakers", "4,5"]) == 0
    assert main(["evaluate", str(run), "--json"]) == 0

    card = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert card["split"]["speakers"] == {"test": [4, 5], "train": [1, 2, 3], "validation": [0]}
    assert card["tests"][-1]["score"]["accuracy"] == 1.0


def test_params_of_a_recipe_come_from_the_command_line(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "--out", str(tmp_path / "run"), "--epochs", "1", "-q"]
    assert main([*words, "--hidden=4", "--duration", "0.5"]) == 0

    params = read_card(tmp_path / "run").recipe.params
    assert (params["hidden"], params["duration"], params["epochs"]) == ((4,), 0.5, 1)


def test_the_command_on_a_card_repeats_the_run(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "--out", str(tmp_path / "run"), "--hidden", "4"]
    assert main([*words, "--epochs", "2", "-q", "--seed", "5"]) == 0
    card = json.loads((tmp_path / "run" / "card.json").read_text())

    again = card["command"].split()[1:]
    again[again.index("--out") + 1] = str(tmp_path / "again")
    assert main([*again, "-q"]) == 0

    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_params_come_from_a_file_and_the_command_line_comes_first(spike_path: Path, tmp_path: Path) -> None:
    config = tmp_path / "small.toml"
    config.write_text('recipe = "recurrent"\nhidden = [3]\nepochs = 1\nduration = 0.5\n')
    words = ["train", str(spike_path), "--config", str(config), "--out", str(tmp_path / "run"), "-q"]
    assert main([*words, "--duration", "0.3"]) == 0
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    params = card["recipe"]["network"]
    assert (card["recipe"]["name"], params["hidden"], params["duration"]) == ("recurrent", [3], 0.3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("learning_rat = 1", "small.toml: recipe 'recurrent' has no param 'learning_rat'; nearest: learning_rate"),
        ("epochs = 'many'", "small.toml: epochs must be of type int, got 'many'"),
        ("recipe = 'recurent'", "no recipe 'recurent'; nearest: recurrent"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(
    spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    config = tmp_path / "small.toml"
    config.write_text(line + "\n")
    recipe = [] if "recipe" in line else ["--recipe", "recurrent"]
    assert main(["train", str(spike_path), *recipe, "--config", str(config), "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_training_needs_a_recipe(spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(spike_path), "--out", str(tmp_path / "run")]) == 2
    assert "train needs --recipe NAME, or a --config with recipe = NAME" in capsys.readouterr().err


def test_several_seeds_are_trained_scored_and_compared(
    spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "--out", str(tmp_path / "runs"), "--seeds", "0,1"]
    assert main([*words, "--hidden", "4", "--epochs", "1", "--duration", "0.5"]) == 0
    assert main(["evaluate", str(tmp_path / "runs")]) == 0
    assert "over 2 runs" in capsys.readouterr().out
    assert main(["leaderboard", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"][0]["seeds"] == [0, 1]
    assert main(["leaderboard", str(tmp_path), "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| recipe |")


def test_every_speaker_is_left_out_by_one_command(
    spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(spike_path), "--recipe", "counts", "--out", str(tmp_path / "runs"), "--strengths", "1"]
    assert main([*words, "--leave-one-speaker-out"]) == 0
    assert main(["evaluate", str(tmp_path / "runs"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["test_speakers"] for row in summary["runs"]] == [[0], [1], [2], [3], [4], [5]]


def test_controls_and_the_selection_bias_stand_beside_the_score(
    spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    words = ["train", str(spike_path), "--recipe", "recurrent", "--out", run, "--keep-epochs", "-q"]
    assert main([*words, "--hidden", "4", "--epochs", "2", "--duration", "0.5"]) == 0
    assert main(["evaluate", run, "--selection-bias"]) == 1
    assert "must be scored first" in capsys.readouterr().err
    assert main(["evaluate", run, "-q"]) == 0
    assert main(["evaluate", run, "--control", "time_reversed"]) == 0
    assert main(["evaluate", run, "--selection-bias"]) == 0
    out = capsys.readouterr().out
    assert "control     time_reversed: " in out
    assert "selection   picking the epoch on these test clips would have claimed" in out


@pytest.fixture
def chosen_run(spike_path: Path, tmp_path: Path) -> Path:
    """A run that trained with a validation part."""
    words = ["train", str(spike_path), "--recipe", "recurrent", "-q", "--hidden", "4", "--duration", "0.3"]
    assert main([*words, "--epochs", "2", "--batch-size", "4", "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    return tmp_path / "run"


def test_a_run_is_trained_anew_on_both_parts_and_its_command_repeats_that(
    spike_path: Path, tmp_path: Path, chosen_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(spike_path), "--refit", str(chosen_run), "--out", str(tmp_path / "refit")]) == 0
    assert "refit on training and validation part" in capsys.readouterr().out
    again = json.loads((tmp_path / "refit" / "card.json").read_text())["command"].split()[1:]
    again[again.index("--out") + 1] = str(tmp_path / "again")
    assert main([*again, "-q"]) == 0
    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "refit" / name).read_bytes()


def test_progress_shows_no_validation_where_there_is_none() -> None:
    notes: list[str] = []
    progress = SimpleNamespace(note=notes.append)
    record = EpochRecord(1, 1.0, 0.5, 1.0, 0.5, 2.0, 0.01, 0.1)
    for accuracy in (0.5, math.nan):
        _note(progress, record._replace(validation_accuracy=accuracy), 2)
    assert notes == ["epoch 1/2, validation 50.0%", "epoch 1/2"]


def test_training_and_scoring_tell_the_clips_that_are_done(spike_path: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    recipe = recipe_from("recurrent", {"hidden": "4", "epochs": "2", "batch_size": "4"})
    parts = {"validation_speakers": (0,), "test_speakers": (4, 5)}
    train_run(spike_path, tmp_path / "run", recipe=recipe, on_progress=lambda *now: told.append(now), **parts)

    assert told[0] == ("read", 36, 36)
    n_all = 2 * (18 + 6)  # two epochs of three speakers that train and one that validates, six clips each
    training = [done for stage, done, total in told if stage == "train" and total == n_all]
    assert len(training) == len(told) - 1
    assert training == sorted(training)
    assert (training[0], training[-1]) == (0, n_all)
    assert {3, 18, 24} <= set(training)  # within an epoch, at its end, and with the validation

    told.clear()
    evaluate_run(tmp_path / "run", on_progress=lambda *now: told.append(now))
    assert told[0] == ("read", 36, 36)
    assert told[-1] == ("score", 12, 12)


def test_a_group_names_the_run_that_is_trained(spike_path: Path, tmp_path: Path) -> None:
    told: list[str] = []
    train_group(
        spike_path, tmp_path / "runs", recipe=recipe_from("counts"), seeds=(0, 1), test_speakers=(4, 5),
        on_progress=lambda stage, *_: told.append(stage),
    )  # fmt: skip
    assert list(dict.fromkeys(told)) == ["seed-0: read", "seed-0: train", "seed-1: read", "seed-1: train"]


def test_several_seeds_are_trained_anew(
    spike_path: Path, tmp_path: Path, chosen_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(spike_path), "--refit", str(chosen_run), "--out", str(tmp_path / "runs"), "--seeds", "0,1"]
    assert main(words) == 0
    assert "validation is of the run that chose" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["seed-0", "seed-1"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--recipe recurrent --epochs 3", "--recipe --epochs"),
        ("--config x.toml", "--config"),
        ("--split by_speaker --split-seed 0 --leave-out 0", "--split --split-seed --leave-out"),
        ("--validation-speakers 0 --test-speakers 1", "--validation-speakers --test-speakers"),
        ("--leave-one-speaker-out --keep-epochs", "--leave-one-speaker-out --keep-epochs"),
        ("--hidden=8 --batch-size 3", "--hidden --batch-size"),
    ],
)
def test_what_the_refitted_run_says_cannot_be_said_again(
    spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, named: str
) -> None:
    assert main(["train", str(spike_path), "--refit", "a", "--out", str(tmp_path / "b"), *words.split()]) == 2
    error = capsys.readouterr().err
    assert error == f"spikedata: --refit takes all but seed and device from a, so leave out {named}\n"


@pytest.mark.slow  # the training that is killed stays among the quick tests
def test_a_killed_refit_goes_on_to_the_same_bits(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "-q", "--hidden", "4", "--duration", "0.3"]
    words += ["--epochs", "40", "--batch-size", "4", "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main([*words, "--learning-rate", "1e-4"]) == 0  # so slow that a late epoch is the best
    refit = ["train", str(spike_path), "--refit", str(tmp_path / "run"), "-q", "--device", "cpu", "--out"]
    with subprocess.Popen([sys.executable, "-m", "spikedata", *refit, str(tmp_path / "killed")]) as process:
        while not (tmp_path / "killed.training" / "checkpoint.safetensors").exists() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
    assert not (tmp_path / "killed").exists()
    assert main([*refit, str(tmp_path / "killed")]) == 0
    assert main([*refit, str(tmp_path / "whole")]) == 0
    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_killed_training_goes_on_to_the_same_bits(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "-q", "--hidden", "4", "--duration", "0.3"]
    words += ["--epochs", "40", "--batch-size", "4", "--device", "cpu", "--out"]
    with subprocess.Popen([sys.executable, "-m", "spikedata", *words, str(tmp_path / "killed")]) as process:
        while not (tmp_path / "killed.training" / "checkpoint.safetensors").exists() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
    assert not (tmp_path / "killed").exists()
    assert main([*words, str(tmp_path / "killed")]) == 0
    assert main([*words, str(tmp_path / "whole")]) == 0
    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_two_processes_train_what_one_does(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "-q", "--hidden", "4", "--duration", "0.3"]
    words += ["--epochs", "3", "--batch-size", "5", "--device", "cpu", "--out"]  # the last batch has one clip or more
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launcher, "-m", "spikedata", *words, str(tmp_path / "two")], check=True)
    assert main([*words, str(tmp_path / "one")]) == 0
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in ("one", "two")]
    assert [card["environment"]["processes"] for card in cards] == [1, 2]
    assert cards[0]["validation"]["loss"] == pytest.approx(cards[1]["validation"]["loss"], rel=1e-4)  # float32 sums


@pytest.mark.slow
def test_two_processes_refit_what_one_does(spike_path: Path, tmp_path: Path, chosen_run: Path) -> None:
    words = ["train", str(spike_path), "--refit", str(chosen_run), "-q", "--device", "cpu", "--out"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launcher, "-m", "spikedata", *words, str(tmp_path / "two")], check=True)
    assert main([*words, str(tmp_path / "one")]) == 0
    cards = [json.loads((tmp_path / name / "card.json").read_text()) for name in ("one", "two")]
    assert [card["environment"]["processes"] for card in cards] == [1, 2]
    losses = [(tmp_path / name / "history.csv").read_text().splitlines()[-1].split(",")[1] for name in ("one", "two")]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-4)  # float32 sums


@pytest.mark.parametrize("recipe", ["counts", "recurrent"])
def test_a_process_that_takes_itself_for_one_of_several_writes_something_or_says_why_not(
    spike_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert main(["train", str(spike_path), "--recipe", recipe, "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("spikedata: RANK is '1', but WORLD_SIZE is not set")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_folders_above_a_run_are_made_when_it_begins_and_not_before(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "counts", "--strengths", "1", "-q", "--out"]
    assert main([*words, str(tmp_path / "runs" / "best"), "--test-speakers", "77"]) == 1
    assert main([*words, str(tmp_path / "runs" / "best"), "--strengths", "-1"]) == 2
    assert main([*words, str(tmp_path / "runs" / "best"), "--split", "leave_one_speaker_out", "--leave-out", "77"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert main([*words, str(tmp_path / "runs" / "best")]) == 0
    assert main(["evaluate", str(tmp_path / "runs" / "best"), "-q"]) == 0
    assert main([*words, str(tmp_path / "more" / "seeds"), "--seeds", "0,1"]) == 0
    assert sorted(path.name for path in tmp_path.rglob("card.json")) == ["card.json"] * 3
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["best"]


def test_a_training_that_fails_before_its_first_epoch_leaves_no_folder_above(
    spike_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spikedata.training.loop.train_epoch", interrupt)
    words = ["train", str(spike_path), "--recipe", "recurrent", "--hidden", "4", "-q", "--device", "cpu", "--out"]
    assert main([*words, str(tmp_path / "many" / "runs" / "best")]) == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_of_two_processes_one_fits_the_linear_classifier_and_says_so(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "counts", "--device", "cpu", "--out"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "spikedata", *words, str(tmp_path / "two"), "--no-progress"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.count("recipe      counts") == 1
    assert done.stderr.count("this is trained by one process; the other 1 wait for it") == 1
    assert main([*words, str(tmp_path / "one")]) == 0
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("flags", [["--control", "counts_only"], ["--json"], ["--device", "cpu", "-q"]])
def test_the_file_to_score_may_stand_after_any_flag(flags, tmp_path, capsys) -> None:
    assert main(["evaluate", str(tmp_path / "run"), *flags, "other.h5"]) == 1
    assert "run: is not a run" in capsys.readouterr().err
    assert main(["evaluate", *flags, str(tmp_path / "run"), "other.h5"]) == 1


def test_a_word_too_many_is_the_one_that_is_blamed(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "run", "--show", "one.h5", "two.h5"])
    assert "unknown argument 'two.h5'" in capsys.readouterr().err
