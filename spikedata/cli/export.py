"""Commands that hand spikes to others: export, card."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from spikedata.cli.command import (
    Commands,
    add_command,
    add_overwrite,
    add_reading,
    one_of,
    print_result,
    reading_of,
    seconds,
    show_progress,
    whole,
)


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands,
        "export",
        _export,
        "write a spike file in a format of other software",
        task="make spikes",
        examples=(
            "spikedata export digits.h5 --to npz",
            "spikedata export digits.h5 --to parquet --part train --split by_speaker",
        ),
    )
    sub.add_argument("file", metavar="FILE", help="spike file")
    sub.add_argument(
        "--to", required=True, type=one_of(_formats), metavar="FORMAT",
        help="npz (NumPy), csv, parquet (pandas, Hugging Face datasets), aer (AEDAT 4, tonic), neo (NIX or NWB) or "
        "nir-data",
    )  # fmt: skip
    sub.add_argument(
        "--out", metavar="OUT",
        help="file to make (npz, parquet, neo: .nix or .nwb) or folder (csv, aer, nir-data); default: beside FILE",
    )  # fmt: skip
    sub.add_argument("--part", metavar="NAME", help="export one part alone, such as train")
    sub.add_argument("--split", metavar="NAME", help="split that has the part (default: what FILE says of each clip)")
    sub.add_argument("--split-seed", type=whole(0), default=0, metavar="N", help="seed of the split (default: 0)")
    sub.add_argument("--dt", type=seconds, metavar="S", help="length of a step [s], for nir-data on a grid")
    add_reading(sub)
    add_overwrite(sub)

    sub = add_command(
        commands,
        "card",
        _card,
        "write the card of a data set: README.md and croissant.json",
        task="make spikes",
        examples=("spikedata card words.h5 --license cc-by-4.0 --creator 'A. Name'",),
    )
    sub.add_argument("file", nargs="+", metavar="FILE", help="spike file, or those of all parts of a data set")
    sub.add_argument("--out", metavar="FOLDER", help="folder to write to (default: that of FILE)")
    sub.add_argument("--license", metavar="ID", help="license as Hugging Face names it (default: that of the corpus)")
    sub.add_argument("--creator", metavar="NAME", help="who made the data set")
    sub.add_argument("--url", metavar="URL", help="page of the data set")
    add_reading(sub)
    add_overwrite(sub)


def _formats() -> Sequence[str]:
    from spikedata.export import FORMATS

    return FORMATS


def _export(args: argparse.Namespace) -> None:
    from spikedata.export import export_file

    options = {name: getattr(args, name) for name in ("to", "part", "split", "dt", "overwrite")}
    options |= {"seed": args.split_seed, **reading_of(args)}
    with show_progress(args, "clip") as progress:
        done = export_file(args.file, args.out, on_progress=partial(progress.at_stage, "export"), **options)
    text = "\n  ".join([f"{done.file}: {done.clips:,} clips, {done.spikes:,} spikes", *done.notes])
    print_result(args, done._asdict(), text)


def _card(args: argparse.Namespace) -> None:
    from spikedata.export import write_data_card

    options = {name: getattr(args, name) for name in ("license", "creator", "url", "overwrite")}
    with show_progress(args, "clip") as progress:
        done = write_data_card(
            args.file, args.out, on_progress=partial(progress.at_stage, "read"), **options, **reading_of(args)
        )
    text = "\n  ".join([f"{done.file}, {done.croissant}: {', '.join(done.described)}", *done.notes])
    print_result(args, done._asdict(), text)
