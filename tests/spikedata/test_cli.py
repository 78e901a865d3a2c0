"""The command line: what it prints, what it leaves, and with which status."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from spikedata.cli import main
from spikedata.reader import SpikeFile
from spikedata.writer import SpikeWriter

COMMANDS = ("demo", "synth", "encode", "info", "plot", "train", "evaluate", "doctor")


@pytest.fixture(scope="module")
def spike_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that differ in their channels, spoken by six speakers."""
    path = tmp_path_factory.mktemp("spikes") / "words.h5"
    rng = np.random.default_rng(0)
    with SpikeWriter(path, keys=["low", "high"]) as writer:
        for speaker in range(6):
            for label in (0, 1) * 3:
                units = rng.integers(350 * label, 350 * (label + 1), 200)
                writer.append(np.sort(rng.uniform(0, 0.5, 200)), units, label=label, speaker=speaker)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "words"
    rng = np.random.default_rng(1)
    for name in ("cat/1.wav", "dog/1.wav"):
        (root / name).parent.mkdir(parents=True)
        soundfile.write(root / name, rng.uniform(-0.5, 0.5, 1600), 16_000)
    return root


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


def test_encode_writes_a_file_and_prints_one_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", "folder", str(corpus), str(tmp_path / "x.h5")]) == 0

    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1
    assert "2 clips" in printed.out
    assert printed.err == ""
    with SpikeFile(tmp_path / "x.h5") as file:
        assert len(file) == 2


def test_json_is_one_object_on_standard_output(spike_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(spike_path), "--json"]) == 0

    described = json.loads(capsys.readouterr().out)
    assert described["samples"] == 36
    assert described["classes"] == {"low": 18, "high": 18}
    assert described["spikes"]["total"] == 36 * 200


def test_quiet_prints_nothing(spike_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(spike_path), "-q"]) == 0

    assert capsys.readouterr() == ("", "")


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


@pytest.mark.parametrize("kind", ["raster", "cochleagram", "rates", "classes"])
def test_plot_draws_every_kind(spike_path: Path, tmp_path: Path, kind: str) -> None:
    assert main(["plot", str(spike_path), "--kind", kind, "--out", str(tmp_path / "x.png"), "-q"]) == 0

    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def broken(path: Path, kind: str) -> Path:
    with SpikeWriter(path, keys=["a"]) as writer:
        for _ in range(3):
            writer.append([0.1, 0.2], [5, 6], label=0, speaker=0)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
        return path
    with h5py.File(path, "r+") as file:
        if kind == "no dataset":
            del file["spikes/times"]
        elif kind == "unit":
            file["spikes/units"][1] = np.array([5, 812], np.uint16)
        elif kind == "unequal":
            file["spikes/units"][1] = np.array([5], np.uint16)
        elif kind == "negative":
            file["spikes/times"][1] = np.array([-0.1, 0.2], np.float32)
        for name in ("extra/checksum",):
            del file[name]
        for name in list(file.attrs):
            del file.attrs[name]
    return path


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("no dataset", "no dataset 'spikes/times'"),
        ("unit", "sample 1.*unit 812, must be < 700"),
        ("unequal", "sample 1.*2 times.*1 unit"),
        ("negative", "sample 1.*time -0.1"),
        ("truncated", "truncated"),
    ],
)
def test_a_broken_spike_file_gives_one_line_and_status_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, line: str
) -> None:
    import re

    path = broken(tmp_path / "x.h5", kind)

    assert main(["info", str(path)]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(rf"x\.h5: .*{line}", error), error


def test_a_missing_file_gives_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "x.h5")]) == 1
    assert capsys.readouterr().err.rstrip().endswith("x.h5: no such file")


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


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_control_c_leaves_one_line_and_no_file(tmp_path: Path) -> None:
    root = tmp_path / "words"
    rng = np.random.default_rng(1)
    for index in range(60):
        (root / "cat").mkdir(parents=True, exist_ok=True)
        soundfile.write(root / f"cat/{index}.wav", rng.uniform(-0.5, 0.5, 8 * 16_000), 16_000)
    # a shell that runs its jobs in the background has them ignore the signal
    heed = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heed}; from spikedata.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "encode", "folder", str(root), str(tmp_path / "x.h5")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(5)  # well inside the encoding of 480 s of sound, which takes 100 s of CPU
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)

    assert process.returncode == 130
    assert error == "spikedata: interrupted; nothing half-written was left behind\n"
    assert {path.name for path in tmp_path.iterdir()} == {"words"}
