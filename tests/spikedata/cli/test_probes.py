"""The commands probe and quantize."""

import json
from pathlib import Path

import pytest

from spikedata.cli import main

SMALL = ["--hidden", "8", "--duration", "0.2", "--epochs", "1", "--validation-speakers", "3", "--test-speakers", "4,5"]


@pytest.fixture
def run(spike_path: Path, tmp_path: Path) -> str:
    out = str(tmp_path / "run")
    assert main(["train", str(spike_path), "--recipe", "recurrent", "--out", out, "-q", *SMALL]) == 0
    return out


def test_a_run_is_probed_by_one_command(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", run, "--json"]) == 0
    probes = json.loads(capsys.readouterr().out)["probes"]
    names = ["counts_only", "steps_shuffled", "counts_equalized", "propagation_cut"]
    assert [(one["control"], one["weights"]) for one in probes] == [(name, "same") for name in names]
    assert main(["probe", run, "--control", "propagation-cut", "--retrain", "--epochs", "1"]) == 0
    assert "trained anew in 1 epochs" in capsys.readouterr().out
    assert main(["leaderboard", str(Path(run).parent), "--probes", "--neurobench"]) == 0
    assert "membrane updates" in capsys.readouterr().out


def test_bits_are_weighed_by_one_command(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quantize", run, "--bits", "8,2", "--scale", "least-squares", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["bits"] for row in record["rows"]] == [None, 8, 2]
    assert record["clips"] == 6
    assert main(["quantize", run, "--bits", "4"]) == 0
    assert "4 bits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["probe", "RUN", "--control", "order"], "no control 'order'"),
        (["probe", "RUN", "--test"], "the test part must be scored first"),
        (["quantize", "RUN", "--bits", "16"], "bits must be >= 2 and <= 8, got 16"),
        (["quantize", "RUN", "--scale", "best"], "scales must be of largest, least_squares, got 'best'"),
        (["quantize", "digits_tiny"], "digits_tiny: has no clips of its own, so name a spike file to score it on"),
        (["quantize", "nowhere"], "nowhere: is not a run"),
    ],
)
def test_what_is_wrong_is_one_line(run: str, words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([run if word == "RUN" else word for word in words] + ["--no-progress"]) == 1
    assert why in capsys.readouterr().err.splitlines()[-1]


def test_a_file_of_other_classes_is_refused_for_a_pretrained_network(
    spike_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quantize", "digits_tiny", str(spike_path), "--no-progress"]) == 1
    assert "must have the classes" in capsys.readouterr().err
