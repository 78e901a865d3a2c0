"""A network of one's own by command: train, refit, evaluate, rank and show it; what it prints; what is not there."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spikedata.baseline.runs.folder import read_card
from spikedata.cli import main

SOURCE = '''
"""Mine."""
import torch
print("imported")
class Mine(torch.nn.Module):
    def __init__(self, n_units, n_classes, n_hidden=4, kind="relu"):
        super().__init__()
        print("made")
        self.hidden, self.drop = torch.nn.Linear(n_units, n_hidden), torch.nn.Dropout(0.2)
        self.out, self.kind = torch.nn.Linear(n_hidden, n_classes), getattr(torch, kind)
    def forward(self, counts):
        print("called")
        return self.out(self.drop(self.kind(self.hidden(counts)))).mean(dim=1)
'''
PARAMS = ["--epochs", "2", "--n-merged", "10", "--dt", "0.05", "--batch-size", "8", "--device", "cpu"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a network of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(SOURCE)
    return tmp_path


def _train(spike_path: Path, *words: str) -> int:
    return main(["train", str(spike_path), "--network", "mine.py:Mine", *PARAMS, *words])


def test_it_is_trained_refitted_scored_ranked_and_shown(
    spike_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(spike_path, "--network-arg", "n_hidden=6", "--seeds", "0,1", "--out", "runs", "-q") == 0
    mine = ["--network", "mine.py:Mine"]
    assert main(["train", str(spike_path), "--refit", "runs/seed-0", *mine, "--out", "refit", "-q"]) == 0
    assert main(["evaluate", "runs", *mine, "-q"]) == 0
    assert main(["report", "refit", *mine, "--out", "page.html", "--clips", "2", "-q"]) == 0
    assert "imported" not in capsys.readouterr().out
    assert main(["evaluate", "refit", *mine, "--json"]) == 0
    card = json.loads(capsys.readouterr().out)  # one object, and nothing that the network prints
    assert card["recipe"]["network"]["code"]["arguments"] == {"n_hidden": 6}
    assert card["refit"]["run"] == "seed-0"
    assert main(["leaderboard", "."]) == 0
    board = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Mine ") and " - " in line for line in board) == 2
    assert main(["evaluate", "refit", "--show"]) == 0
    assert "one's own: mine:Mine, n_hidden=6 in mine.py" in capsys.readouterr().out


def test_the_command_on_its_card_repeats_the_run(spike_path: Path, folder: Path) -> None:
    assert _train(spike_path, "--network-arg", "kind=tanh", "--network-arg", "n_hidden=3", "--out", "run", "-q") == 0
    command = read_card("run").command
    assert "--network mine.py:Mine --network-arg 'kind=\"tanh\"'" in command
    weights = (folder / "run" / "weights.safetensors").read_bytes()
    assert main([*shlex.split(command)[1:], "--overwrite", "-q"]) == 0
    assert (folder / "run" / "weights.safetensors").read_bytes() == weights


def test_beside_a_recipe_it_is_trained_like_that(spike_path: Path, folder: Path) -> None:
    words = ["--network", "mine.py:Mine", "--recipe", "adlif_augmented", "--epochs", "1", "--out", "run", "-q"]
    assert main(["train", str(spike_path), *words]) == 0
    recipe = read_card("run").recipe
    assert (recipe.name, recipe.network.n_merged, recipe.training.layout) == ("Mine", 5, "lists")
    weights = (folder / "run" / "weights.safetensors").read_bytes()
    assert main([*shlex.split(read_card("run").command)[1:], "--overwrite", "-q"]) == 0
    assert (folder / "run" / "weights.safetensors").read_bytes() == weights


def test_a_killed_training_goes_on_to_the_same_bits(spike_path: Path, folder: Path) -> None:
    assert _train(spike_path, "--epochs", "4", "--out", "whole", "-q") == 0
    words = [sys.executable, "-m", "spikedata", "train", str(spike_path), "--network", "mine.py:Mine", *PARAMS]
    words += ["--epochs", "4", "--out", "killed", "-q"]
    stop = "import os,spikedata.training.folder as f;k=f.TrainingFolder.keep\n"
    stop += "def keep(s,c):\n k(s,c)\n if len(c.history)==2: os._exit(9)\n"
    stop += "f.TrainingFolder.keep=keep\nimport sys\nfrom spikedata.cli import main\nmain(sys.argv[1:])"
    child = subprocess.run([sys.executable, "-c", stop, *words[3:]], capture_output=True, check=False)
    assert child.returncode == 9
    assert not (folder / "killed").exists()
    assert main(words[3:]) == 0
    assert (folder / "killed" / "weights.safetensors").read_bytes() == (
        folder / "whole" / "weights.safetensors"
    ).read_bytes()


@pytest.mark.slow
def test_two_processes_train_what_one_does(spike_path: Path, folder: Path) -> None:
    (folder / "mine.py").write_text(SOURCE.replace("Dropout(0.2)", "Dropout(0.0)"))  # each process draws its own
    words = ["train", str(spike_path), "--network", "mine.py:Mine", *PARAMS, "--out"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launcher, "-m", "spikedata", *words, "two"], check=True, capture_output=True)
    assert main([*words, "one", "-q"]) == 0
    assert read_card("two").environment.processes == 2
    assert read_card("one").validation.loss == pytest.approx(read_card("two").validation.loss, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["--network", "gone.py:Mine"], 1, "gone.py: no such file"),
        (["--network", "mine.py:Min"], 1, "mine.py: has no 'Min'; nearest: Mine"),
        (["--network", "no_such_module:Mine"], 1, "no module 'no_such_module' here"),
        (["--network", "mine"], 1, "network must be module:Class or path/to/file.py:Class, got 'mine'"),
        (["--network", "mine.py:Mine", "--network-arg", "n"], 2, "must be NAME=VALUE, as n_hidden=64, got 'n'"),
        (["--network", "mine.py:Mine", "--network-arg", "n_hiden=3"], 1, "Mine: takes no argument 'n_hiden'; it takes"),
        (["--network", "mine.py:Mine", "--hidden", "3"], 2, "recipe 'Mine' has no param 'hidden'"),
        (["--recipe", "gru", "--network-arg", "n=3"], 2, "--network-arg is an argument of --network, which is missing"),
        (["--network", "mine.py:Mine", "--recipe", "counts"], 2, "recipe 'counts' is not trained by epochs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(
    spike_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], status: int, reason: str
) -> None:
    assert main(["train", str(spike_path), *words, "--out", "run", "-q"]) == status
    lines = [line for line in capsys.readouterr().err.splitlines() if line not in ("imported", "made", "called")]
    assert len(lines) == 1
    assert reason in lines[0]
    assert not (folder / "run").exists()


def test_a_run_whose_code_is_not_named_says_how_to_name_it(
    spike_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(spike_path, "--out", "run", "-q") == 0
    (folder / "mine.py").write_text("raise SystemError")
    for words in (["evaluate", "run"], ["train", str(spike_path), "--refit", "run", "--out", "refit"]):
        capsys.readouterr()
        assert main([*words, "-q"]) == 1
        error = capsys.readouterr().err
        assert "network=Mine in Python, --network mine.py:Mine in a command" in error
        assert error.count("\n") == 1
    words = ["train", str(spike_path), "--refit", "run", "--network-arg", "n_hidden=3", "--out", "refit", "-q"]
    assert main(words) == 2
    assert "leave out --network-arg" in capsys.readouterr().err
    assert main(["evaluate", "run", "--show", "--network", "mine.py:Mine"]) == 1
    assert "--show opens and scores nothing, so leave out --network" in capsys.readouterr().err
    assert main(["report", "run", "--out", "page.html"]) == 0
