"""What all commands share: the options of every one, and how a result is printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from spikedata.progress import Progress

# a text, since the class takes its argument only from a type checker
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands, name: str, handler: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    """A new command with the options that every command has.

    Parameters
    ----------
    commands : argparse subparsers
        Where it is added.
    name : str
        What is typed.
    handler : callable
        Called with the parsed arguments.
    summary : str
        What it does, in one line.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(handler=handler, takes_rest=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what is done")
    parser.add_argument("--no-progress", action="store_true", help="draw no progress bar")
    return parser


def add_seed(parser: argparse.ArgumentParser) -> None:
    """The option `--seed`."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all chance (default: 0)")


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """The option `--overwrite`."""
    parser.add_argument("--overwrite", action="store_true", help="replace what is at the output path")


def one_of(what: str, find_names: Callable[[], Iterable[str]]) -> Callable[[str], str]:
    """A type for an argument that must be one of some names, which are looked up no sooner than it is read.

    Parameters
    ----------
    what : str
        What the names are of.
    find_names : callable
        Called for the names: it may import what takes long.
    """

    def check_name(text: str) -> str:
        names = tuple(find_names())
        if text not in names:
            raise argparse.ArgumentTypeError(f"{what} must be one of {', '.join(names)}, got {text!r}")
        return text

    return check_name


@contextmanager
def saying_what_is_kept(describe: Callable[[], str]) -> Iterator[None]:
    """Give an interruption by the user the words that tell what of the work is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(describe()) from None


def print_result(args: argparse.Namespace, record: dict[str, Any], text: str) -> None:
    """Print what a command returns: one JSON object, or text, or nothing where the user asked for quiet."""
    if args.json:
        print(json.dumps(record, default=str, indent=None))
    elif not args.quiet:
        print(text)


def show_progress(args: argparse.Namespace, unit: str, total: int | None = None) -> Progress:
    """A progress bar, hidden where the user asked for none."""
    return Progress(unit, total, hidden=args.quiet or args.no_progress)
