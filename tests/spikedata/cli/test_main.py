"""The command line as a whole: how it explains itself, what it prints, and with which status it leaves."""

import json
import sys
from pathlib import Path

import pytest

from spikedata.cli import main

COMMANDS = (
    "demo", "download", "synth", "encode", "merge", "info", "verify", "plot", "train", "evaluate", "doctor",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])

    assert left.value.code == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["info"], ["info", "x.h5", "--fly"], ["encode", "folder", "a", "b", "--seed", "x"]]
)
def test_wrong_usage_leaves_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)

    assert left.value.code == 2
    assert "usage: spikedata" in capsys.readouterr().err


def test_json_is_one_object_on_standard_output(spike_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(spike_path), "--json"]) == 0

    described = json.loads(capsys.readouterr().out)
    assert described["samples"] == 36
    assert described["classes"] == {"low": 18, "high": 18}
    assert described["spikes"]["total"] == 36 * 200


def test_quiet_prints_nothing(spike_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(spike_path), "-q"]) == 0

    assert capsys.readouterr() == ("", "")


def test_a_missing_file_gives_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "x.h5")]) == 1
    assert capsys.readouterr().err.rstrip().endswith("x.h5: no such file")


def test_a_missing_file_is_told_of_without_the_number_of_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--recipe", "counts", "--out", "run", "nowhere.h5"]) == 1
    assert capsys.readouterr().err == "spikedata: nowhere.h5: no such file or directory\n"


@pytest.mark.parametrize(
    "words",
    [
        ["encode", "folder", "{corpus}", "{taken}"],
        ["encode", "folder", "{corpus}", "{nowhere}/x.h5"],
        ["plot", "{spikes}", "--out", "{taken}"],
        ["train", "{spikes}", "--recipe", "counts", "--out", "{taken}"],
        ["synth", "--words", "shd", "--out", "{taken}"],
        ["demo", "--out", "{taken}"],
        ["demo", "--out", "{taken}", "--overwrite"],
    ],
)
def test_a_path_that_is_taken_or_missing_gives_one_line_and_status_5(
    words: list[str], spike_path: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken.png"
    taken.write_text("mine")
    places = {"corpus": corpus, "taken": taken, "nowhere": tmp_path / "nowhere", "spikes": spike_path}
    before = sorted(tmp_path.rglob("*"))

    assert main([word.format(**places) for word in words]) == 5
    assert capsys.readouterr().err.count("\n") == 1
    assert taken.read_text() == "mine"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_library_names_the_extra(
    spike_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, name, None)

    assert main(["plot", str(spike_path), "--out", str(tmp_path / "x.png")]) == 1
    assert "pip install 'spikedata-audio[plot]'" in capsys.readouterr().err
