"""Commands that look at files: info, verify, plot."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikedata.cli.command import (
    Commands,
    UsageError,
    add_command,
    add_overwrite,
    add_reading,
    add_seed,
    columns,
    one_of,
    print_result,
    reading_of,
    seconds,
    show_progress,
    whole,
)
from spikedata.cli.ear import add_ear, ear_options
from spikedata.cli.output import in_words


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands,
        "info",
        _info,
        "check a spike file and show what is in it",
        task="look at them",
        examples=("spikedata info words.h5",),
    )
    sub.add_argument("file", metavar="FILE", help="spike file")
    sub.add_argument(
        "--window", type=seconds, default=1.0, metavar="S", help="count the spikes outside the first S s (default: 1)"
    )
    add_reading(sub)

    sub = add_command(
        commands,
        "verify",
        _verify,
        "find out whether a file or a data set is still what it was",
        task="look at them",
        examples=("spikedata verify words.h5", "spikedata verify words.h5 --deep recordings/"),
    )
    sub.add_argument("what", metavar="FILE|NAME", help="spike file, or name of a downloaded data set")
    sub.add_argument("--root", metavar="DIR", help="folder of the data set (default: as for download)")
    sub.add_argument(
        "--deep", nargs="?", const=True, default=False, metavar="AUDIO",
        help="of a data set, compare checksums and not sizes alone; of a spike file, encode the recordings in AUDIO "
        "(as given to encode, without CORPUS) again and compare every spike",
    )  # fmt: skip
    sub.add_argument(
        "--columns", type=columns, metavar="ROLE=NAME,...", help="columns of the table AUDIO, as given to encode"
    )
    sub.add_argument("--noise", metavar="FOLDER", help="where the noise is, if the file was made with that of a folder")
    sub.add_argument("--workers", type=whole(1), metavar="N", help="threads to encode (default: one per processor)")
    add_reading(sub)

    sub = add_command(
        commands,
        "plot",
        _plot,
        "draw clips of spike files, whole files, and recordings",
        task="look at them",
        examples=(
            "spikedata plot words.h5 --out words.png",
            "spikedata plot words.h5 --clip 3 --kind psth --out psth.png",
            "spikedata plot seven.wav --out seven.png",
        ),
    )
    sub.add_argument("files", nargs="+", metavar="FILE|SOUND", help="spike files or recordings, side by side")
    sub.add_argument("--clip", metavar="N|ID", help="clip of the files, by number or id (default: the first, or all)")
    sub.add_argument("--index", type=whole(0), metavar="N", help=argparse.SUPPRESS)  # --clip, as it was called before
    sub.add_argument("--class", dest="class_name", metavar="NAME", help="only clips of this class")
    sub.add_argument(
        "--kind", type=one_of(_kinds), metavar="KIND",
        help="sound (waveform, rate, spikes; of a recording), raster, cochleagram, psth, intervals, rates, classes, "
        "means or speakers (default: raster; of a recording sound)",
    )  # fmt: skip
    add_ear(sub, preset="encode recordings with it; given twice, both side by side", several=True)
    add_seed(sub)
    sub.add_argument("--out", required=True, metavar="F", help="picture to make: .png, .svg or .pdf")
    add_reading(sub)
    add_overwrite(sub)


def _kinds() -> tuple[str, ...]:
    from spikedata.plot.file import KINDS

    return KINDS


def _info(args: argparse.Namespace) -> None:
    from spikedata.files.info import describe_file, format_description

    with show_progress(args, "clip") as progress:
        description = describe_file(args.file, window=args.window, on_progress=progress.at, **reading_of(args))
    print_result(args, _in_clips(description), format_description(description))


def _in_clips(description: dict[str, Any]) -> dict[str, Any]:
    spikes = dict(description["spikes"])
    total = {"spikes": spikes.pop("total"), "spikes_per_clip": spikes}
    return {name.replace("samples", "clips"): value for name, value in (description | total).items()}


def _verify(args: argparse.Namespace) -> None:
    from spikedata.downloads import NAMES

    if Path(args.what).is_file():
        _verify_file(args)
    elif args.what in NAMES:
        _verify_data_set(args)
    else:
        found = "is a folder" if Path(args.what).is_dir() else "no such file"
        raise FileNotFoundError(f"{args.what}: {found}, and no data set of that name ({', '.join(NAMES)})")


def _verify_file(args: argparse.Namespace) -> None:
    from spikedata.encoding.verify import format_verified, verify_file

    if args.deep is True:
        raise UsageError(f"{args.what}: --deep needs the recordings that it was made of, as --deep AUDIO")
    with show_progress(args, "clip") as progress:
        options = {"audio": args.deep or None, "columns": args.columns, "noise": args.noise}
        options |= {"workers": args.workers, **reading_of(args)}
        verified = verify_file(args.what, on_progress=progress.at_stage, **options)
    remade = None if verified.remade is None else in_words(verified.remade._asdict())
    print_result(args, {**asdict(verified), "remade": remade}, format_verified(verified))


def _verify_data_set(args: argparse.Namespace) -> None:
    from spikedata.downloads import ChecksumError, format_verification, verify_download

    if args.deep not in (True, False):
        raise UsageError(f"{args.what}: --deep of a data set takes no folder, got {args.deep!r}")
    with show_progress(args, "file") as progress:
        progress.wait("compare checksums" if args.deep else "compare sizes")
        found = verify_download(args.what, args.root, deep=args.deep)
    wrong = [str(part.path) for part in found if not part.ok]
    record = {
        "files": [str(part.path) for part in found],
        "ok": not wrong,
        "parts": [*map(in_words, map(asdict, found))],
    }
    print_result(args, record, format_verification(found))
    if wrong:
        raise ChecksumError(f"{', '.join(wrong)}: not as it was; remove it and download it again")


def _plot(args: argparse.Namespace) -> None:
    from spikedata.plot import Column, plot_side_by_side, save_figure
    from spikedata.plot.figure import check_picture

    check_picture(args.out, overwrite=args.overwrite)
    with show_progress(args, "picture") as progress:
        progress.wait("draw")
        figure = plot_side_by_side(
            [Column(file, preset) for file in args.files for preset in args.preset or [None]],
            kind=args.kind,
            clip=args.index if args.clip is None else args.clip,
            class_name=args.class_name,
            seed=args.seed,
            ear=ear_options(args),
            **reading_of(args),
        )
        save_figure(figure, args.out, overwrite=args.overwrite)
    print_result(args, {"file": args.out}, args.out)
