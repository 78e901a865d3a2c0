"""The commands that train a baseline and score it."""

import json
from pathlib import Path

import pytest

from spikedata.cli import main


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
    assert main([*words, "--n-hidden=4", "--duration", "0.5"]) == 0

    params = json.loads((tmp_path / "run" / "card.json").read_text())["recipe"]["params"]
    assert (params["n_hidden"], params["duration"], params["epochs"]) == (4, 0.5, 1)


def test_the_command_on_a_card_repeats_the_run(spike_path: Path, tmp_path: Path) -> None:
    words = ["train", str(spike_path), "--recipe", "recurrent", "--out", str(tmp_path / "run"), "--n-hidden", "4"]
    assert main([*words, "--epochs", "2", "-q", "--seed", "5"]) == 0
    card = json.loads((tmp_path / "run" / "card.json").read_text())

    again = card["command"].split()[1:]
    again[again.index("--out") + 1] = str(tmp_path / "again")
    assert main([*again, "-q"]) == 0

    for name in ("weights.safetensors", "split.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
