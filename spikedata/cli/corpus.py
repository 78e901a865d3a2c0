"""Commands that get a data set or the recordings behind it: download, noisy-digits, synth."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from spikedata.cli.command import (
    Commands,
    add_command,
    add_overwrite,
    add_seed,
    one_of,
    print_result,
    saying_what_is_kept,
    show_progress,
    whole,
)
from spikedata.cli.output import in_words
from spikedata.printable import in_columns


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    _add_download(commands)
    _add_noisy(commands)
    _add_synth(commands)


def _add_download(commands: Commands) -> None:
    sub = add_command(
        commands,
        "download",
        _download,
        "fetch a published data set, check it and unpack it",
        task="get data",
        examples=("spikedata download --list", "spikedata download shd --dry-run", "spikedata download shd"),
    )
    sub.add_argument("name", nargs="?", type=one_of(_names), metavar="NAME", help="data set or file; none: list them")
    sub.add_argument("--list", action="store_true", help="show what can be fetched")
    sub.add_argument("--root", metavar="DIR", help="folder (default: SPIKEDATA_HOME, or the user's data folder)")
    sub.add_argument("--form", choices=("zip", "gz"), default="zip", help="archive of SHD and SSC (default: zip)")
    sub.add_argument("--dry-run", action="store_true", help="show what would be fetched, from where; open no socket")


def _names() -> tuple[str, ...]:
    from spikedata.downloads import NAMES

    return NAMES


def _download(args: argparse.Namespace) -> None:
    if args.list or args.name is None:
        _list_data_sets(args)
    elif args.dry_run:
        _plan(args)
    else:
        _fetch(args)


def _list_data_sets(args: argparse.Namespace) -> None:
    from spikedata.downloads import DATASETS

    rows = [("NAME", "WHAT", "LICENSE", "FILES")]
    for data_set in DATASETS.values():
        files = [name for name in data_set.files if name != data_set.name]
        rows.append((data_set.name, data_set.title, data_set.license, " ".join(files)))
    print_result(args, {"data_sets": [asdict(data_set) for data_set in DATASETS.values()]}, "\n".join(in_columns(rows)))


def _plan(args: argparse.Namespace) -> None:
    from spikedata.downloads import format_plan, plan_download

    plans = plan_download(args.name, args.root, form=args.form)
    record = {"files": [str(plan.path) for plan in plans], "parts": [in_words(asdict(plan)) for plan in plans]}
    print_result(args, record, format_plan(plans))


def _fetch(args: argparse.Namespace) -> None:
    from spikedata.downloads import download

    kept = "what was fetched is kept, and the same command goes on from there"
    with saying_what_is_kept(lambda: kept), show_progress(args, "B") as progress:
        done = download(args.name, args.root, form=args.form, on_progress=progress.at_stage)
    print_result(args, asdict(done), "\n".join(map(str, [*done.paths, *done.notes])))


def _add_noisy(commands: Commands) -> None:
    sub = add_command(
        commands,
        "noisy-digits",
        _noisy,
        "put the Heidelberg Digits in babble: Noisy Digits, with parts of their own",
        task="get data",
        examples=("spikedata noisy-digits data/heidelberg_digits --out noisy",),
    )
    sub.add_argument("audio", metavar="AUDIO", help="the Heidelberg Digits, as downloaded")
    sub.add_argument("--out", required=True, metavar="DIR", help="folder to make")


def _noisy(args: argparse.Namespace) -> None:
    from spikedata.corpora.noisy import make_noisy_digits

    with show_progress(args, "clip") as progress:
        made = make_noisy_digits(args.audio, args.out, on_progress=progress.at)
    state = "as published" if made.as_published else "not those of the published data set"
    said = f"{made.folder}: {made.n_clips:,} recordings; SHA-256 of their samples {made.sha256}: {state}"
    record = made._asdict()
    print_result(args, in_words({"out": record.pop("folder"), **record}), said)


def _add_synth(commands: Commands) -> None:
    sub = add_command(
        commands,
        "synth",
        _synth,
        "speak a small corpus of synthetic speech (eSpeak NG)",
        task="get data",
        examples=("spikedata synth --words shd --speakers 2 --takes 1 --out spoken",),
    )
    sub.add_argument("--words", required=True, metavar="shd|ssc|FILE", help="20 digits, 35 command words, or a file")
    sub.add_argument("--out", required=True, metavar="DIR", help="folder to make")
    sub.add_argument("--speakers", type=whole(1, 12), default=12, metavar="N", help="voices, 1 to 12 (default: 12)")
    sub.add_argument("--takes", type=whole(1), default=2, metavar="N", help="takes of each word and voice (default: 2)")
    sub.add_argument("--rate", type=whole(1), default=16_000, metavar="HZ", help="sample rate (default: 16000)")
    add_seed(sub)
    add_overwrite(sub)


def _synth(args: argparse.Namespace) -> None:
    from spikedata.synth import synthesize

    with show_progress(args, "clip") as progress:
        clips = synthesize(
            args.words,
            args.out,
            voices=args.speakers,
            takes=args.takes,
            sample_rate=args.rate,
            seed=args.seed,
            overwrite=args.overwrite,
            progress=progress.at,
        )
    print_result(args, {"clips": len(clips), "out": args.out}, f"{args.out}: {len(clips)} clips of synthetic speech")
