"""The command line: parse, call one function, print."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Sequence

from spikedata import __version__
from spikedata.cli import catalog, corpus, encoding, export, files, machine, runs
from spikedata.cli.command import CommandParser, UsageError, write_out
from spikedata.cli.completion import SHELLS, PrintCompletion

DONE, FAILED, USAGE, NOT_VERIFIED, NOT_AVAILABLE, CANNOT_WRITE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_EPILOG = """\
exit status:
  0 done, 1 failed, 2 usage, 3 data do not verify, 4 source not available, 5 cannot write, 130 interrupted

environment:
  SPIKEDATA_HOME       folder of downloaded data sets
  SPIKEDATA_CACHE      folder of what can be made anew
  SPIKEDATA_OFFLINE=1  download nothing, open no socket for it
  NO_COLOR=1           print no color
"""


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
        interrupted. What argparse finds wrong leaves with 2 through `SystemExit`.
    """
    try:
        args, rest = build_parser().parse_known_args(argv)
        if rest:
            args.refuse(rest[0])
    except SystemExit:
        try:
            write_out()  # the help may have lost its reader, too
        except OSError as error:
            return _fail(_message_of(error), CANNOT_WRITE)
        raise
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    try:
        args.handler(args)
    except KeyboardInterrupt as interruption:
        return _fail(f"interrupted; {str(interruption) or 'nothing half-written was left behind'}", INTERRUPTED)
    except ModuleNotFoundError as error:
        from spikedata.cli.doctor import extra_of

        extra = extra_of((error.name or "").split(".")[0])
        if extra is None:
            raise
        return _fail(f"{error.name} is not installed: pip install 'spikedata-audio[{extra}]'", FAILED)
    except (OSError, ValueError, ArithmeticError, RuntimeError) as error:
        status = _status_of(error)
        if status is None:
            raise
        return _fail(_message_of(error), status)
    return DONE


def _fail(message: str, status: int) -> int:
    print(f"spikedata: {message}", file=sys.stderr)
    return status


def _message_of(error: Exception) -> str:
    """What an error says; one of the system without its number."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def _status_of(error: Exception) -> int | None:
    # None: an error that we do not raise ourselves, so our bug
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
        ClusterError: NOT_AVAILABLE,
    }
    for kind, status in statuses.items():
        if isinstance(error, kind):
            return status
    if isinstance(error, OSError) and (error.errno in _NOT_WRITTEN or error.filename == "standard output"):
        return CANNOT_WRITE
    return None if isinstance(error, RuntimeError) else FAILED


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; it loads nothing heavy."""
    parser = CommandParser(
        prog="spikedata",
        description="Spoken words as spikes: encode recordings with a cochlea model, inspect the files, and train\n"
        "spiking networks that are scored honestly.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"spikedata-audio {__version__}")
    parser.add_argument(
        "--print-completion", action=PrintCompletion, choices=SHELLS, help="print what completes commands in a shell"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    machine.add_demo(commands)
    corpus.add_commands(commands)
    encoding.add_commands(commands)
    files.add_commands(commands)
    export.add_commands(commands)
    runs.add_commands(commands)
    catalog.add_commands(commands)
    machine.add_doctor(commands)
    return parser
