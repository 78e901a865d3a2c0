"""The command line: parse, call one function, print."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from spikedata import __version__
from spikedata.cli import corpus, encoding, files, machine, runs

DONE, FAILED, USAGE, NOT_VERIFIED, NOT_AVAILABLE, CANNOT_WRITE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
_EXTRAS = {
    "torch": "torch",
    "safetensors": "torch",
    "sklearn": "torch",
    "matplotlib": "plot",
    "espeakng_loader": "synth",
    "dask": "cluster",
    "distributed": "cluster",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; default: those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 3 data do not verify, 4 source not available, 5 cannot write, 130
        interrupted. Wrong usage leaves with 2 through `SystemExit`, as argparse does.
    """
    parser = _build_parser()
    args, rest = parser.parse_known_args(argv)
    if rest and not args.takes_rest:
        parser.error(f"unknown argument {rest[0]!r}; see: spikedata {args.command} --help")
    args.rest = rest
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    try:
        args.handler(args)
    except KeyboardInterrupt as interruption:
        return _fail(f"interrupted; {str(interruption) or 'nothing half-written was left behind'}", INTERRUPTED)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
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
    from spikedata.atomic import OutputError
    from spikedata.cluster import ClusterError
    from spikedata.downloads import ChecksumError, DownloadError
    from spikedata.schema import FormatError
    from spikedata.synth_engine import EngineError

    statuses: dict[type[Exception], int] = {
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
    return None if isinstance(error, RuntimeError) else FAILED


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spikedata",
        description="Spoken words as spikes: encode recordings with a cochlea model, inspect the files, and train "
        "spiking networks that are scored honestly.",
        epilog="Exit status: 0 done, 1 failed, 2 usage, 3 data do not verify, 4 source not available, 5 cannot write, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"spikedata-audio {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    machine.add_demo(commands)
    corpus.add_commands(commands)
    encoding.add_commands(commands)
    files.add_commands(commands)
    runs.add_commands(commands)
    machine.add_doctor(commands)
    return parser
