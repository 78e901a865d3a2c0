"""The command line: parse, call one function, print."""

from __future__ import annotations

import argparse
import errno
import logging
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from spikedata import __version__
from spikedata.cli import catalog, corpus, encoding, export, files, machine, probes, recognize, report, runs, tasks
from spikedata.cli.command import TASKS, CommandParser, Commands, Misused, UsageError
from spikedata.cli.completion import SHELLS, PrintCompletion
from spikedata.cli.output import (
    log_to_standard_error,
    ready_streams,
    settle,
    to_json,
    write_error,
    write_fault,
    write_out,
)
from spikedata.printable import in_columns, printable

DONE, FAILED, USAGE, NOT_VERIFIED, NOT_AVAILABLE, CANNOT_WRITE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_FIRST = {  # what somebody needs first, and why
    "demo": "all of it, in minutes",
    "recognize": "which word is it?",
    "encode": "recordings to spikes",
    "plot": "look at them",
    "train": "a network on them",
}
_STATUS = "0 done, 1 failed, 2 usage, 3 data do not verify, 4 source not available, 5 cannot write, 130 interrupted"
_ENVIRONMENT = """\
  SPIKEDATA_HOME       folder of downloaded data sets
  SPIKEDATA_CACHE      folder of what can be made anew
  SPIKEDATA_OFFLINE=1  download nothing, open no socket for it
  NO_COLOR=1           print no color"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; default: those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 2 usage, 3 data do not verify, 4 source not available, 5 cannot write, 130
        interrupted. What argparse finds wrong leaves with 2 through `SystemExit`; without a command, the front page
        goes to standard error, with 2 as well, lest a script that lost its command goes on.
    """
    ready_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    record: dict[str, Any] = {}
    try:
        status = _run(words, record)
        if status != DONE and "--json" not in words:
            return status
        if record:
            write_out(to_json(record))
    except Misused as left:
        if "--json" in words:
            write_out(to_json({"error": left.message, "status": USAGE}))
        raise
    except OSError as error:
        return _fail(_message_of(error), CANNOT_WRITE)
    except Exception:
        if "--json" in words:
            write_out(to_json(record))
        raise
    finally:
        settle()
    return status


def _run(words: Sequence[str], record: dict[str, Any]) -> int:
    """Run one command; what it has to say as JSON, its error included, is put into the record."""
    try:
        parser = build_parser()
        if not words:
            for line in front_page(parser).splitlines():
                write_error(line)
            return USAGE
        args, rest = parser.parse_known_args(words)
        if rest:
            args.refuse(rest[0])
        log_to_standard_error(logging.INFO if args.verbose else logging.WARNING, first_use=not args.quiet)
        args.record = record
        args.handler(args)
    except (Exception, KeyboardInterrupt) as error:
        fault = _fault_of(error)
        if fault is None:  # our bug
            record |= {"error": printable(f"{type(error).__name__}: {error}"), "status": FAILED}
            raise
        message, status = fault
        record |= {"error": printable(message), "status": status}
        return _fail(message, status)
    return DONE


def _fail(message: str, status: int) -> int:
    write_fault("spikedata", message)
    return status


def _fault_of(error: BaseException) -> tuple[str, int] | None:
    """What to say of an error, and with which status to leave; None for one that is our bug."""
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {str(error) or 'nothing half-written was left behind'}", INTERRUPTED
    if isinstance(error, ModuleNotFoundError):
        from spikedata.cli.doctor import extra_of

        module = (error.name or "").split(".")[0]
        extra = extra_of(module)
        if extra is not None:
            return f"{error.name} is not installed: pip install 'spikedata-audio[{extra}]'", FAILED
        if module in ("", "spikedata", "cochlea"):
            return None
        # a clone that was updated keeps the metadata of its first installation, which know no newer extra
        remedy = "no extra of spikedata-audio as it was installed here brings it: install that anew, with its extras"
        return f"{error.name} is not installed, and {remedy}", FAILED
    if isinstance(error, (OSError, ValueError, ArithmeticError, RuntimeError)):
        status = _status_of(error)
        return None if status is None else (_message_of(error), status)
    return None


def _message_of(error: Exception) -> str:
    """What an error says; one of the system without its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def _status_of(error: Exception) -> int | None:
    # None: an error that we do not raise ourselves, so our bug
    from spikedata.corpora.audio import MicrophoneError
    from spikedata.disk import OutputError
    from spikedata.downloads import ChecksumError, DownloadError
    from spikedata.encoding.cluster import ClusterError
    from spikedata.files.schema import FormatError
    from spikedata.synth.engine import EngineError

    statuses: dict[type[Exception], int] = {
        UsageError: USAGE,
        OutputError: CANNOT_WRITE,
        FormatError: NOT_VERIFIED,
        ChecksumError: NOT_VERIFIED,
        DownloadError: NOT_AVAILABLE,
        EngineError: NOT_AVAILABLE,
        MicrophoneError: NOT_AVAILABLE,
        ClusterError: NOT_AVAILABLE,
    }
    for kind, status in statuses.items():
        if isinstance(error, kind):
            return status
    if isinstance(error, OSError) and (error.errno in _NOT_WRITTEN or error.filename == "standard output"):
        return CANNOT_WRITE
    return None if isinstance(error, RuntimeError) else FAILED


def build_parser() -> CommandParser:
    """The parser of the whole command line; it loads nothing heavy."""
    parser = CommandParser(
        prog="spikedata",
        description="Spoken words as spikes: encode recordings with a cochlea model, look at the files, and train "
        "spiking networks that are scored honestly.",
    )
    parser.add_argument("--version", action="version", version=f"spikedata-audio {__version__}")
    parser.add_argument(
        "--print-completion", action=PrintCompletion, choices=SHELLS, help="print what completes commands in a shell"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    machine.add_demo(commands)
    corpus.add_commands(commands)
    encoding.add_commands(commands)
    tasks.add_commands(commands)
    files.add_commands(commands)
    export.add_commands(commands)
    runs.add_commands(commands)
    probes.add_commands(commands)
    report.add_commands(commands)
    recognize.add_commands(commands)
    catalog.add_commands(commands)
    machine.add_doctor(commands)
    _sort_by_task(parser, commands)
    return parser


def _sort_by_task(parser: CommandParser, commands: Commands) -> None:
    """List the commands in the help below their tasks, and not in one list; argparse has no groups of commands."""
    options, one_list = parser._optionals, parser._action_groups[-1]
    one_list._group_actions.clear()
    for task in TASKS:
        listed = [listed for listed in commands._get_subactions() if commands.choices[listed.dest].task == task]
        parser.add_argument_group(task)._group_actions.extend(listed)
    parser._action_groups.remove(options)
    parser._action_groups.append(options)
    parser.add_argument_group("exit status", _STATUS)
    parser.add_argument_group("environment", _ENVIRONMENT)
    parser.epilog = f"One command: {parser.prog} COMMAND --help, with examples."


def front_page(parser: CommandParser) -> str:
    """What a newcomer needs first: some commands, a line each, and how to see the others.

    Parameters
    ----------
    parser : CommandParser
        From `build_parser`.
    """
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    rows = [
        (f"  {commands.choices[name].examples[0]}", why) for name, why in _FIRST.items() if name in commands.choices
    ]
    lines = in_columns(rows)
    columns = shutil.get_terminal_size().columns
    if max(map(len, lines)) > columns:
        lines = [line for example, why in rows for line in (f"  {why}:", f"  {example}")]
    return "\n".join(
        [
            *textwrap.wrap(f"spikedata {__version__}: spoken words as spikes, and networks that learn them", columns),
            "",
            *lines,
            "",
            f"All {len(commands.choices)} commands:  {parser.prog} --help",
            f"One of them:      {parser.prog} COMMAND --help",
        ]
    )
