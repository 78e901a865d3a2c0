"""The command line as a whole: how it explains itself, what it prints, and with which status it leaves."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spikedata.cli import build_parser, main

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
    "words", [["--json"], ["fly"], ["info"], ["info", "x.h5", "--fly"], ["encode", "folder", "a", "b", "--seed", "x"]]
)
def test_wrong_usage_leaves_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)

    assert left.value.code == 2
    assert "usage: spikedata" in capsys.readouterr().err


def test_json_is_one_object_on_standard_output(spike_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(spike_path), "--json"]) == 0

    described = json.loads(capsys.readouterr().out)
    assert described["clips"] == 36
    assert described["classes"] == {"low": 18, "high": 18}
    assert described["spikes"] == 36 * 200


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
    assert capsys.readouterr().err == "spikedata: nowhere.h5: no such file\n"


@pytest.mark.parametrize(
    "words",
    [
        ["encode", "folder", "{corpus}", "{taken}"],
        ["plot", "{spikes}", "--out", "{taken}"],
        ["train", "{spikes}", "--recipe", "counts", "--out", "{taken}"],
        ["synth", "--words", "shd", "--out", "{taken}"],
        ["demo", "--out", "{taken}"],
        ["demo", "--out", "{taken}", "--overwrite"],
    ],
)
def test_a_path_that_is_taken_gives_one_line_and_status_5(
    words: list[str], spike_path: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken.png"
    taken.write_text("mine")
    places = {"corpus": corpus, "taken": taken, "spikes": spike_path}
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


# What was typed


@pytest.mark.parametrize(
    ("words", "blamed"),
    [
        (["encode", "folder", "a", "b.h5", "--seed", "-1"], "argument --seed: must be a whole number of at least 0"),
        (["demo", "--seed", str(2**63)], "argument --seed: must be a whole number of at least 0"),
        (["train", "a.h5", "--out", "r", "--seeds", "1,-2"], "argument --seeds: must be whole numbers of at least 0"),
        (["train", "a.h5", "--out", "r", "--threads", "0"], "argument --threads: must be a whole number of at least 1"),
        (["synth", "--words", "shd", "--out", "w", "--speakers", "13"], "must be a whole number from 1 to 12"),
        (["plot", "a.h5", "--out", "x.png", "--index", "-1"], "argument --index: must be a whole number"),
        (["info", "a.h5", "--jsn"], "unknown argument '--jsn'; nearest: --json; see: spikedata info --help"),
        (["train", "a.h5", "b.h5", "--recipe", "counts", "--out", "r"], "unknown argument 'b.h5'"),
        (["train", "a.h5", "--dropout", "--out", "r"], "--dropout needs a value"),
        (["train", "a.h5", "--out", "r", "--dropout"], "--dropout needs a value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_what_is_blamed(words: list[str], blamed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)

    assert left.value.code == 2
    assert blamed in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "train needs --recipe NAME, or a --config with recipe = NAME; `spikedata recipes` lists them"),
        (["--recipe", "recurrent", "--lr", "1"], "recipe 'recurrent' has no param 'lr'; nearest: learning_rate"),
        (["--recipe", "recurrent", "--zzz", "1"], "recipe 'recurrent' has no param 'zzz'; `spikedata params"),
        (["--recipe", "recurrent", "--augmentation", "channel_jitter"], "needs sigma, as 'channel_jitter sigma="),
        (["--recipe", "recurrent", "--epochs", "1", "--dropout", "x"], "dropout must be of type float, got 'x'"),
    ],
)  # fmt: skip
def test_a_param_that_cannot_be_meant_gives_one_line_and_status_2(
    words: list[str], told: str, spike_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(spike_path), "--out", str(tmp_path / "run"), *words]) == 2

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert error.count(",") <= 3
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", [0, 2, 3, 5])
def test_a_param_may_stand_anywhere(place: int, spike_path: Path, tmp_path: Path) -> None:
    words = [
        "--recipe",
        "recurrent",
        str(spike_path),
        "--epochs",
        "1",
        "--hidden=4",
        "--out",
        str(tmp_path / "run"),
        "-q",
    ]
    words[place:place] = ["--learning-rate", "5e-3"]

    assert main(["train", *words]) == 0
    assert re.search(r"\"learning_rate\": 0.005\b", (tmp_path / "run" / "card.json").read_text())


# Standard output


def run_with(stdout: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spikedata", *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize(
    "words", [["info", "{spikes}"], ["info", "{spikes}", "--json"], ["--help"], ["plot", "--help"]]
)
def test_a_reader_that_has_left_is_no_failure(words: list[str], spike_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_with(writer, *(word.format(spikes=spike_path) for word in words))
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["info", "{spikes}"], ["--help"]])
def test_standard_output_on_a_full_disk_gives_one_line_and_status_5(words: list[str], spike_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = run_with(full.fileno(), *(word.format(spikes=spike_path) for word in words))

    assert (done.returncode, done.stderr) == (5, "spikedata: standard output: no space left on device\n")


def test_a_worker_whose_pipe_breaks_is_a_failure(
    spike_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_pipe(*_: object, **__: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("spikedata.files.info.describe_file", break_pipe)
    assert main(["info", str(spike_path)]) == 1
    assert "Broken pipe" in capsys.readouterr().err


def test_the_help_tells_statuses_and_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert "0 done, 1 failed, 2 usage, 3 data do not verify, 4 source not available, 5 cannot write, 130" in told
    for name in ("SPIKEDATA_HOME", "SPIKEDATA_CACHE", "SPIKEDATA_OFFLINE=1", "NO_COLOR"):
        assert name in told


def optional_positionals() -> list[tuple[str, ...]]:
    """Each command with words for all its positional arguments, of which the last may be left out."""
    (commands,) = (action for action in build_parser()._actions if action.dest == "command")
    # what is looked up among names; a path may be any
    words = {"recipe": "counts", "download": "shd", "make": "yin_yang"}
    return [
        (name, *(_word_for(name, action.dest, words) for action in parser._get_positional_actions()))
        for name, parser in commands.choices.items()  # type: ignore[union-attr]
        if any(action.nargs == "?" for action in parser._get_positional_actions())
    ]


def _word_for(command: str, argument: str, words: dict[str, str]) -> str:
    return words.get(command if argument == "name" else argument, f"{argument}.h5")


@pytest.mark.parametrize("words", optional_positionals(), ids=lambda words: words[0])
def test_options_may_stand_anywhere_among_positional_arguments(words: tuple[str, ...]) -> None:
    command, *values = words
    wanted = build_parser().parse_args([command, *values, "--json", "-q"])
    for place in range(len(values) + 1):
        mixed = build_parser().parse_args([command, *values[:place], "--json", *values[place:], "-q"])
        assert vars(mixed) | {"refuse": None} == vars(wanted) | {"refuse": None}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evaluate", "run", "--device", "cpu", "b.h5"], {"run": "run", "device": "cpu", "file": "b.h5"}),
        (["evaluate", "--device=cpu", "run", "b.h5"], {"run": "run", "device": "cpu", "file": "b.h5"}),
        (["evaluate", "--device", "cpu", "run"], {"run": "run", "device": "cpu", "file": None}),
        (["verify", "--deep", "audio", "a.h5"], {"what": "a.h5", "deep": "audio"}),
        (["verify", "a.h5", "--deep"], {"what": "a.h5", "deep": True}),
        (["verify", "--workers", "2", "--", "-a.h5"], {"what": "-a.h5", "workers": 2}),
    ],
)
def test_values_of_options_are_no_positional_arguments(words: list[str], expected: dict[str, object]) -> None:
    parsed = vars(build_parser().parse_args(words))
    assert {name: parsed[name] for name in expected} == expected


# The way on


@pytest.fixture
def place(corpus: Path, spike_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spike file, recordings, what looks like a run, and an empty folder."""
    (tmp_path / "spikes.h5").write_bytes(spike_path.read_bytes())
    for name in ("run", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "card.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "way_on"),
    [
        ("info words", "turn it into spikes: spikedata encode words OUT.h5"),
        ("info run", "it is a run that train made: spikedata evaluate run"),
        ("train run --recipe counts --out x", "it is a run that train made: spikedata evaluate run"),
        ("train words --recipe counts --out x", "turn it into spikes: spikedata encode words OUT.h5"),
        ("train spikes.h5 --recipe counts --out run", "exists already, will not replace it (--overwrite does)"),
        ("evaluate spikes.h5", "a run is the folder that train made: train spikes.h5 --out RUN"),
        ("evaluate empty", "train makes one: spikedata train FILE.h5 --out RUN"),
        ("train spikes.h5 --refit none --out x", "train makes one: spikedata train FILE.h5 --out RUN"),
        ("encode heidelberg_digits words x.h5", "as they lie, without a corpus: spikedata encode words OUT.h5"),
        ("encode words none/x.png", "a spike file has a name with .h5"),
        ("plot spikes.h5 --out none/x.png", "make it first"),
        ("verify run", "is a folder, and no data set of that name"),
    ],
)
def test_an_error_names_the_way_on(line: str, way_on: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    assert main(line.split()) in (1, 3, 5)

    told = capsys.readouterr().err
    assert way_on in told
    assert told.count("\n") == 1
    assert sorted(place.rglob("*")) == before
