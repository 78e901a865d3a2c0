"""Commands that hand spikes and networks to others: export, card."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from spikedata.cli.command import (
    Commands,
    UsageError,
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
        "write a spike file or a network in a format of other software",
        task="make spikes",
        examples=(
            "spikedata export digits.h5 --to npz",
            "spikedata export digits.h5 --to parquet --part train --split by_speaker",
            "spikedata export run model.nir",
        ),
    )
    sub.add_argument("file", metavar="FILE", help="spike file, folder of a run, or name of a pretrained network")
    sub.add_argument("out_file", nargs="?", metavar="OUT", help="as --out")
    sub.add_argument(
        "--to", type=one_of(_formats), metavar="FORMAT",
        help="npz (NumPy), csv, parquet (pandas, Hugging Face datasets), aer (AEDAT 4, tonic), neo (NIX or NWB) or "
        "nir-data; of a network, nir, which need not be said",
    )  # fmt: skip
    sub.add_argument(
        "--out", metavar="OUT",
        help="file to make (npz, parquet, neo: .nix or .nwb, nir) or folder (csv, aer, nir-data); default: beside FILE",
    )  # fmt: skip
    sub.add_argument("--part", metavar="NAME", help="export one part alone, such as train")
    sub.add_argument("--split", metavar="NAME", help="split that has the part (default: what FILE says of each clip)")
    sub.add_argument("--split-seed", type=whole(0), metavar="N", help="seed of the split (default: 0)")
    sub.add_argument(
        "--dt", type=seconds, metavar="S",
        help="length of a step [s]: of the grid of nir-data, or by which nir measures time (default: the network's)",
    )  # fmt: skip
    sub.add_argument(
        "--readout", type=one_of(_readouts), metavar="NODE",
        help="of nir: CubaLIF, which does not fire (default), or CubaLI, which few readers know",
    )  # fmt: skip
    sub.add_argument(
        "--discretization", type=one_of(_discretizations), metavar="NAME",
        help="of nir: how the reader steps, euler (default) or exponential",
    )  # fmt: skip
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

    return *FORMATS, "nir"


def _readouts() -> Sequence[str]:
    from spikedata.export.nir_network import READOUT_NODES

    return READOUT_NODES


def _discretizations() -> Sequence[str]:
    from spikedata.export.nir_network import DISCRETIZATIONS

    return DISCRETIZATIONS


_OF_SPIKES = ("part", "split", "split_seed", "time_unit", "units")
_OF_NETWORKS = ("readout", "discretization")


def _export(args: argparse.Namespace) -> None:
    if args.out is not None and args.out_file is not None:
        raise UsageError(f"OUT must be given once, got {args.out_file!r} and --out {args.out!r}")
    args.out = args.out if args.out_file is None else args.out_file
    export = _export_network if _is_network(args) else _export_spikes
    for name in _OF_NETWORKS if export is _export_spikes else _OF_SPIKES:
        if getattr(args, name) is not None:
            kind = "a network" if export is _export_spikes else "spikes"
            raise UsageError(f"--{name.replace('_', '-')} is for the export of {kind}, which {args.file} is not")
    export(args)


def _is_network(args: argparse.Namespace) -> bool:
    """Whether a network is named, not a spike file; raise UsageError if the format is for the other."""
    path = Path(args.file)
    is_network = bool(args.file) and path.is_dir()
    if not is_network and not path.exists():
        from spikedata.recognition import PRETRAINED

        is_network = args.file in PRETRAINED
        if not is_network and args.to in (None, "nir"):
            known = ", ".join(PRETRAINED)
            raise FileNotFoundError(f"{args.file}: no such file, run or pretrained network ({known})")
    if is_network and args.to not in (None, "nir"):
        raise UsageError(f"--to must be nir for a network, got {args.to}")
    if not is_network and args.to in (None, "nir"):
        formats = ", ".join(_formats()[:-1])
        raise UsageError(f"--to must be one of {formats} for a spike file" + ("" if args.to is None else ", got nir"))
    return is_network


def _export_spikes(args: argparse.Namespace) -> None:
    from spikedata.export import export_file

    options = {name: getattr(args, name) for name in ("to", "part", "split", "dt", "overwrite")}
    options |= {"seed": args.split_seed or 0, **reading_of(args)}
    with show_progress(args, "clip") as progress:
        done = export_file(args.file, args.out, on_progress=partial(progress.at_stage, "export"), **options)
    text = "\n  ".join([f"{done.file}: {done.clips:,} clips, {done.spikes:,} spikes", *done.notes])
    print_result(args, done._asdict(), text)


def _export_network(args: argparse.Namespace) -> None:
    from spikedata.export import to_nir
    from spikedata.recognition import load_pretrained

    options = {name: getattr(args, name) for name in ("dt", "readout", "discretization") if getattr(args, name)}
    path, network = Path(args.file), args.file
    if not path.is_dir():
        pretrained = load_pretrained(args.file)
        network, options["class_names"] = pretrained.network, pretrained.classes
    beside = path.resolve() if path.name in ("", "..") else path  # a run may be the current folder
    out = args.out or beside.with_name(f"{beside.name}.nir")
    done = to_nir(network, out, overwrite=args.overwrite, **options)
    neurons = " + ".join(f"{n:,}" for n in done.neurons)
    text = "\n  ".join([f"{done.file}: {neurons} neurons, {done.weights:,} weights", *done.notes])
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
