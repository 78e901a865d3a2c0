"""The command that makes a page to look at and to share: report."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from spikedata.cli.command import (
    Commands,
    add_command,
    add_network,
    add_overwrite,
    add_reading,
    add_seed,
    columns,
    foreign_code_quiet,
    print_result,
    reading_of,
    show_progress,
    whole,
)
from spikedata.cli.output import write_error


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands,
        "report",
        _report,
        "make one HTML page of a data set, with clips that play, or of a run",
        task="look at them",
        examples=(
            "spikedata report digits.h5 --audio audio/ --out digits.html",
            "spikedata report run --out run.html",
            "spikedata report . --out board.html",
        ),
    )
    sub.add_argument(
        "what", nargs="+", metavar="FILE|RUN", help="spike file; or a folder that train made, or several to compare"
    )
    sub.add_argument("--out", required=True, metavar="PAGE", help="page to make: PAGE.html")
    sub.add_argument(
        "--audio", metavar="FOLDER", help="recordings of the file, as given to encode: clips then have their sound"
    )
    sub.add_argument(
        "--columns", type=columns, metavar="ROLE=NAME,...", help="columns of the table AUDIO, as given to encode"
    )
    sub.add_argument("--data", metavar="FILE.h5", help="spike file of a RUN, if it is no longer where it was")
    add_network(sub, "code of a RUN, if its network is one's own, to show it at work")
    sub.add_argument(
        "--clips", type=whole(0), metavar="N",
        help="clips that can be looked at (default: as many as fit, 120 at most; of a run 24)",
    )  # fmt: skip
    sub.add_argument("--max-size", type=_megabytes, default=5.0, metavar="MB", help="largest page [MB] (default: 5)")
    sub.add_argument("--title", metavar="TEXT", help="heading of the page (default: name of the file or folder)")
    sub.add_argument("--open", action="store_true", help="open the page in a browser")
    add_seed(sub)
    add_reading(sub)
    add_overwrite(sub)


def _report(args: argparse.Namespace) -> None:
    from spikedata.report import report

    names = ("audio", "columns", "data", "network", "clips", "max_size", "title", "seed", "overwrite")
    options = {name: getattr(args, name) for name in names} | reading_of(args)
    with show_progress(args, "clip") as progress, foreign_code_quiet(args):
        made = report(args.what, args.out, on_progress=progress.at_stage, **options)
    size = f"{made.bytes / 1e6:.1f} MB" if made.bytes >= 100_000 else f"{made.bytes / 1e3:.0f} kB"
    print_result(args, made._asdict(), "\n  ".join([f"{made.file}: {made.kind}, {size}", *made.notes]))
    if args.open:
        _open(Path(made.file))


def _megabytes(text: str) -> float:
    """A type for an argument that must be a size above 0 [MB]."""
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0 < size < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of megabytes above 0, got {text!r}")
    return size


def _open(page: Path) -> None:
    import webbrowser

    address = page.absolute().as_uri()
    try:
        is_open = webbrowser.open(address)
    except webbrowser.Error:
        is_open = False
    if not is_open:
        write_error(f"no browser was found here; open {address}")
