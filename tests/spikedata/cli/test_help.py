"""What the command line says of itself: the front page, commands sorted by task, examples that run."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import spikedata
from spikedata.cli import build_parser, main
from spikedata.cli.command import TASKS, CommandParser
from spikedata.corpora.audio import read_audio

(COMMANDS,) = (action.choices for action in build_parser()._actions if action.dest == "command")
EXAMPLES = [example for parser in COMMANDS.values() for example in parser.examples]


def help_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    return capsys.readouterr().out


def test_without_a_command_the_first_ones_are_shown_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    out, shown = capsys.readouterr()
    assert out == ""
    lines = [line for line in shown.splitlines() if line.startswith("  spikedata ")]
    assert len(lines) == len({line.split()[1] for line in lines}) == 5
    for line in lines:
        assert any(line.strip().startswith(example) for example in EXAMPLES)
    assert max(map(len, shown.splitlines())) < 80
    assert "spikedata --help" in shown


def test_a_narrow_terminal_gets_the_front_page_in_its_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main([]) == 2
    assert max(map(len, capsys.readouterr().err.splitlines())) <= 60


def test_each_command_is_listed_once_below_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of([], capsys).splitlines()
    headings = [line.removesuffix(":") for line in shown if line.endswith(":") and not line.startswith(" ")]
    listed = [line.split()[0] for line in shown if line.startswith("  ") and line[2:3].isalpha()]

    assert [name for name in listed if name in COMMANDS] == sorted(
        COMMANDS, key=lambda name: TASKS.index(COMMANDS[name].task)
    )
    assert headings[: len(TASKS) - 1] == list(TASKS[:-1])
    assert TASKS[-1] not in headings


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_examples_of_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = COMMANDS[name].examples
    assert examples
    shown = help_of([name], capsys)
    for example in examples:
        assert example.split()[:2] == ["spikedata", name]
        assert f"\n  {example}\n" in shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_line_that_parses(example: str) -> None:
    words = shlex.split(example.partition(" > ")[0])[1:]
    parsed, rest = build_parser().parse_known_args(words)
    assert rest == []
    assert parsed.command == words[0]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words) or "all")
def test_the_help_fits_the_terminal(
    words: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    kept = {f"  {example}" for example in EXAMPLES}  # a command to be copied is not broken
    for line in help_of(words, capsys).splitlines():
        assert len(line) <= max(columns, 66) or line in kept, line


def test_a_misspelled_word_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for words, meant in (
        (["enocde", "a", "b"], "encode"),
        (["download", "sdh"], "shd"),
        (["plot", "a.h5", "--out", "a.png", "--kind", "psht"], "psth"),
        (["encode", "spech_commands", "a", "b"], "speech_commands"),
        (["params", "--preset", "publish"], "published"),
        (["--print-completion", "zhs"], "zsh"),
    ):
        with pytest.raises(SystemExit) as left:
            main(words)
        assert left.value.code == 2
        assert f"nearest: {meant}; see: spikedata" in capsys.readouterr().err.splitlines()[-1]


def test_a_usage_error_shows_what_must_be_given_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["encode", "recordings"])

    assert capsys.readouterr().err.splitlines() == [
        "usage: spikedata encode [OPTIONS] [CORPUS] AUDIO [AUDIO ...] OUT",
        "example: spikedata encode recordings/ words.h5",
        "spikedata encode: error: the following arguments are required: OUT; see: spikedata encode --help",
    ]


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A folder as the examples expect it: audio/ with names of Heidelberg Digits, class folders, a single file."""
    (tmp_path / "audio").mkdir()
    for path in sorted(spikedata.embedded_corpus().rglob("lang-*.flac")):
        digit = path.stem[-1]
        if digit in "07" and not list((tmp_path / "audio").glob(f"{path.stem.partition('_trial')[0]}*digit-{digit}*")):
            shutil.copy(path, tmp_path / "audio")
            (tmp_path / "recordings" / digit).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / "recordings" / digit)
    sounds = sorted((tmp_path / "recordings" / "7").iterdir())
    soundfile.write(tmp_path / "seven.wav", *read_audio(sounds[0]))
    shutil.copy(sounds[-1], tmp_path / "acht.flac")
    images, labels = (
        np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8),
        np.arange(20, dtype=np.uint8) % 10,
    )
    parts = {f"{part}_images": images for part in ("train", "test")}
    np.savez(tmp_path / "mnist.npz", train_labels=labels, test_labels=labels, **parts)
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="examples are lines for a shell")
def test_all_examples_run_one_after_the_other(speech: Path) -> None:
    status_of = {"spikedata download shd": 4}  # downloads nothing here
    left_out = {"demo"}  # minutes, with tests of its own
    shell = f'spikedata() {{ {shlex.quote(sys.executable)} -m spikedata "$@"; }}; '
    for name, parser in COMMANDS.items():
        for example in parser.examples if name not in left_out else ():
            done = subprocess.run(
                ["bash", "-c", shell + example], cwd=speech, capture_output=True, text=True, check=False,
                env=os.environ | {"SPIKEDATA_OFFLINE": "1", "SPIKEDATA_HOME": str(speech / "home")},
            )  # fmt: skip
            assert done.returncode == status_of.get(example, 0), (example, done.stderr)


def test_a_command_without_a_task_is_listed_as_well() -> None:
    assert CommandParser(prog="x").task == TASKS[-1]
