"""Commands that look at files: info, verify, plot."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from spikedata.cli.command import (
    Commands,
    UsageError,
    add_command,
    add_overwrite,
    add_reading,
    columns,
    print_result,
    reading_of,
    seconds,
    show_progress,
    whole,
)


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(commands, "info", _info, "check a spike file and show what is in it")
    sub.add_argument("file", metavar="FILE", help="spike file")
    sub.add_argument(
        "--window", type=seconds, default=1.0, metavar="S", help="count the spikes outside the first S s (default: 1)"
    )
    add_reading(sub)

    sub = add_command(commands, "verify", _verify, "find out whether a file or a data set is still what it was")
    sub.add_argument("what", metavar="FILE|NAME", help="spike file, or name of a downloaded data set")
    sub.add_argument("--root", metavar="DIR", help="folder of the data set (default: as for download)")
    sub.add_argument(
        "--deep", nargs="?", const=True, default=False, metavar="AUDIO",
        help="of a data set, compare checksums and not sizes alone; of a spike file, encode the recordings in AUDIO "
        "(as given to encode) again and compare every spike",
    )  # fmt: skip
    sub.add_argument(
        "--columns", type=columns, metavar="ROLE=NAME,...", help="columns of the table AUDIO, as given to encode"
    )
    sub.add_argument("--workers", type=whole(1), metavar="N", help="threads to encode (default: one per processor)")
    add_reading(sub)

    sub = add_command(commands, "plot", _plot, "draw a sample or a whole spike file")
    sub.add_argument("file", metavar="FILE", help="spike file")
    sub.add_argument("--index", type=whole(0), default=0, metavar="I", help="sample to draw (default: 0)")
    sub.add_argument(
        "--kind", choices=("raster", "cochleagram", "rates", "classes", "means", "speakers"), default="raster"
    )
    sub.add_argument("--out", required=True, metavar="F", help="picture to make: .png, .svg or .pdf")
    add_reading(sub)
    add_overwrite(sub)


def _info(args: argparse.Namespace) -> None:
    from spikedata.files.info import describe_file, format_description

    description = describe_file(args.file, window=args.window, **reading_of(args))
    print_result(args, description, format_description(description))


def _verify(args: argparse.Namespace) -> None:
    from spikedata.downloads import NAMES

    if Path(args.what).is_file():
        _verify_file(args)
    elif args.what in NAMES:
        _verify_data_set(args)
    else:
        raise FileNotFoundError(f"{args.what}: no such file, and no data set of that name ({', '.join(NAMES)})")


def _verify_file(args: argparse.Namespace) -> None:
    from spikedata.encoding.verify import format_verified, verify_file

    if args.deep is True:
        raise UsageError(f"{args.what}: --deep needs the recordings that it was made of, as --deep AUDIO")
    with show_progress(args, "clip") as progress:
        options = {"audio": args.deep or None, "columns": args.columns, "workers": args.workers, **reading_of(args)}
        verified = verify_file(args.what, on_progress=progress.at_stage, **options)
    print_result(args, asdict(verified), format_verified(verified))


def _verify_data_set(args: argparse.Namespace) -> None:
    from spikedata.downloads import ChecksumError, format_verification, verify_download

    if args.deep not in (True, False):
        raise UsageError(f"{args.what}: --deep of a data set takes no folder, got {args.deep!r}")
    found = verify_download(args.what, args.root, deep=args.deep)
    wrong = [str(part.path) for part in found if not part.ok]
    print_result(args, {"ok": not wrong, "files": [asdict(part) for part in found]}, format_verification(found))
    if wrong:
        raise ChecksumError(f"{', '.join(wrong)}: not as it was; remove it and download it again")


def _plot(args: argparse.Namespace) -> None:
    from spikedata.disk import check_output
    from spikedata.plot import plot_file, save_figure

    check_output(args.out, overwrite=args.overwrite)
    save_figure(
        plot_file(args.file, kind=args.kind, index=args.index, **reading_of(args)), args.out, overwrite=args.overwrite
    )
    print_result(args, {"out": args.out}, args.out)
