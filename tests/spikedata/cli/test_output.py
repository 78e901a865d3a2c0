"""Streams as they are: of few characters, closed, full, or a narrow terminal; and names that would steer a terminal."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikedata.cli import main
from spikedata.cli.output import to_json, to_width, wants_color
from spikedata.files.writer import SpikeWriter

NAMES = ("数据", "fünf", "esc\x1b[31mred", "two\nlines", "\u202egnorw", "🎧")


@pytest.fixture
def odd_names(tmp_path: Path) -> Path:
    path = tmp_path / "数\x1b[2J.h5"
    with SpikeWriter(path, keys=NAMES) as writer:
        for label in range(len(NAMES)):
            writer.append([0.1], [3], label=label, speaker=0)
        writer.note_skipped("a\x1b[1m.wav: no sound")
    return path


def run(*words: object, env: dict[str, str] | None = None, shell: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a process of its own; `shell` holds redirections."""
    command = [sys.executable, "-m", "spikedata", *map(str, words)]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(
        command, env=os.environ | (env or {}), capture_output=True, text=True, errors="surrogateescape", check=False
    )


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        pytest.param({"PYTHONIOENCODING": "latin-1:strict"}, marks=pytest.mark.slow),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, marks=pytest.mark.slow),
    ],
    ids=lambda env: ",".join(env.values()),
)
def test_a_stream_of_few_characters_takes_every_name(env: dict[str, str], odd_names: Path) -> None:
    shown = run("info", odd_names, env=env)
    missing = run("info", "数.h5", env=env)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\\u6570\\u636e" in shown.stdout
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert missing.stderr.endswith(".h5: no such file\n")


def test_names_do_not_steer_the_terminal(odd_names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(odd_names)]) == 0

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    (classes,) = (line for line in shown.splitlines() if "classes   " in line)
    assert classes.split(None, 1)[1] == "数据, fünf, esc\\x1b[31mred, two\\nlines, \\u202egnorw, 🎧 (1 each)"


@pytest.mark.parametrize("words", [["info", "a\x1b]0;x\x07\n.h5"], ["verify", "x\x1b.h5"]])
def test_an_error_is_one_line_that_steers_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(words)

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.rstrip("\n").isprintable()


def test_what_is_logged_steers_nothing(odd_names: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = (
        "import logging; from spikedata.cli.output import log_to_standard_error; log_to_standard_error(logging.INFO)\n"
        "logging.getLogger('x').warning('%s: says %s', 'host', 'a\\x1b[31mb')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "host: says a\\x1b[31mb\n"


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="closes streams as a shell does")
@pytest.mark.parametrize(
    ("words", "shell", "status"),
    [
        (["info", "{spikes}", "--json"], ">&- 2>&- <&-", 0),
        (["info", "{spikes}.none"], "2>/dev/full", 1),
        (["info", "{spikes}.none", "--json"], "2>/dev/full >/dev/full", 5),
        (["fly"], "2>/dev/full", 2),
        (["--print-completion", "bash"], ">/dev/full", 5),
        pytest.param(["info", "{spikes}"], ">&-", 0, marks=pytest.mark.slow),
        pytest.param(["info", "{spikes}.none"], "2>&-", 1, marks=pytest.mark.slow),
        pytest.param(["info", "{spikes}", "--json"], ">/dev/full", 5, marks=pytest.mark.slow),
        pytest.param(["--help"], ">&-", 0, marks=pytest.mark.slow),
    ],
)
def test_closed_and_full_streams_change_no_status_but_that_of_the_output(
    words: list[str], shell: str, status: int, spike_path: Path
) -> None:
    done = run(*(word.format(spikes=spike_path) for word in words), shell=shell)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    if status == 5 and "2>" not in shell:
        assert done.stderr == "spikedata: standard output: no space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="closes streams as a shell does")
def test_what_is_printed_to_a_closed_stream_does_not_end_up_in_a_file(corpus: Path, tmp_path: Path) -> None:
    # the first files that are opened would get the numbers of the streams, and a C library prints to a number
    program = (
        "import os, sys, spikedata.cli.output as output; output.ready_streams()\n"
        "file = open(sys.argv[1], 'wb')\n"
        "for number in (0, 1, 2):\n"
        "    os.write(number, b'printed') if number else os.read(number, 1)\n"
        "print('printed'); print('printed', file=sys.stderr)\n"
        "file.write(b'mine')"
    )
    subprocess.run(
        ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", sys.executable, "-c", program, tmp_path / "x"], check=True
    )
    assert (tmp_path / "x").read_bytes() == b"mine"


@pytest.mark.parametrize("words", [["--help"], pytest.param(["info", "{spikes}"], marks=pytest.mark.slow)])
def test_a_reader_of_an_unbuffered_stream_may_leave(words: list[str], spike_path: Path) -> None:
    words = [word.format(spikes=spike_path) for word in words]
    done = run(*words, env={"PYTHONUNBUFFERED": "1"}, shell='| head -c 1; exit "${PIPESTATUS[0]}"')
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("columns", ["20", "1", "0", "none"])
def test_a_narrow_terminal_still_gets_the_help(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as left:
        main(["encode", "--help"])
    assert left.value.code == 0
    assert "--on-error" in capsys.readouterr().out


def test_json_holds_what_json_can_hold() -> None:
    record = {
        "a": [np.float32(0.5), float("inf")],
        "b": (np.array([1, 2]), Path("x")),
        3: {"c": np.bool_(True)},
        "d": None,
    }
    told = json.loads(to_json(record))
    assert told == {"a": [0.5, None], "b": [[1, 2], "x"], "3": {"c": True}, "d": None}


# Color


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("env", "on_terminal", "in_pipe"),
    [
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "xterm", "CLICOLOR": "0"}, False, False),
        ({"TERM": "xterm", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "xterm", "FORCE_COLOR": "0"}, True, False),
        ({"TERM": "dumb", "CLICOLOR_FORCE": "1"}, True, True),
        ({"TERM": "xterm", "CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False),
    ],
    ids=str,
)
def test_color_is_for_terminals_and_those_who_ask(
    env: dict[str, str], on_terminal: bool, in_pipe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    assert wants_color(Terminal()) is on_terminal
    assert wants_color(io.StringIO()) is in_pipe


def test_errors_headings_and_findings_have_color_and_names_none(
    odd_names: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["info", "a\x1b[2J.h5"]) == 1
    assert capsys.readouterr().err == "\x1b[1;31mspikedata:\x1b[0m a\\x1b[2J.h5: no such file\n"
    assert main(["info", str(odd_names)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["info", "--help"])
    assert "\x1b[1mexamples\x1b[0m:\n" in capsys.readouterr().out


# Width


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_words_in_a_last_column_keep_to_the_width_of_the_terminal(columns: int) -> None:
    rows = ["name            what", *(f"a{number:<13}  {'some words of it ' * 5}".rstrip() for number in range(3))]
    filled = to_width("\n".join(rows), columns).splitlines()

    assert max(map(len, filled)) <= columns
    assert " ".join(" ".join(filled).split()) == " ".join(" ".join(rows).split())
    assert all(line.startswith(("name", "a", " " * 16)) for line in filled)


@pytest.mark.parametrize("row", ["recurrent  1  " + "58.3 %  " * 9, "x" * 90, "数字  " + "words of it " * 9])
def test_numbers_and_long_names_are_not_broken(row: str) -> None:
    assert to_width(row, 60) == row


def test_a_pipe_gets_each_row_on_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    assert main(["params"]) == 0
    in_pipe = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["params"]) == 0
    on_terminal = capsys.readouterr().out
    assert max(map(len, in_pipe.splitlines())) > 110 >= max(map(len, on_terminal.splitlines()))
    assert in_pipe.split() == on_terminal.split()
