"""The command that recognizes the words in recordings: recognize."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedata.cli.command import Commands, add_command, offer, print_result, show_progress, whole
from spikedata.cli.ear import add_ear, ear_of, is_ear_chosen
from spikedata.cli.output import write_error

if TYPE_CHECKING:
    from spikedata.recognition import Pretrained, Recognition

NAMES = ("digits", "digits_tiny")  # for the help alone, which has no time to look them up


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands, "recognize", _recognize, "recognize the spoken digit in each of some recordings", task="start here",
        examples=["spikedata recognize seven.wav acht.flac"],
    )  # fmt: skip
    sub.add_argument(
        "recordings", nargs="+", metavar="FILE", help="recording of one word, in any format that encode takes"
    )
    network = sub.add_argument(
        "--network", default="digits", metavar="NAME|RUN",
        help=f"pretrained network ({', '.join(NAMES)}; default: digits), or a folder that train made",
    )  # fmt: skip
    offer(network, lambda: NAMES)
    sub.add_argument("--top", type=whole(1), default=3, metavar="K", help="how many words to show (default: 3)")
    add_ear(sub, preset="the cochlea of a RUN whose data do not say it")


def _recognize(args: argparse.Namespace) -> None:
    from spikedata.printable import in_columns
    from spikedata.recognition.pretrained import network_to_hear_with

    network = network_to_hear_with(args.network, ear_of(args)[1] if is_ear_chosen(args) else None)
    found, faults = _recognize_each(args, network)
    if not args.quiet:
        for path, note in [(one["file"], note) for one in found for note in one["notes"]]:
            write_error(f"{path}: {note}")
    record = {"network": network.name, "paths": args.recordings, "n_clips": len(found)}
    record |= {"n_spikes": sum(one["spikes"] for one in found), "recognized": found, "left_out": faults}
    print_result(args, record, "\n".join(in_columns(map(_cells, found))))
    _raise_for(faults, len(args.recordings))


def _recognize_each(args: argparse.Namespace, network: Pretrained) -> tuple[list[dict[str, Any]], list[str]]:
    """What was recognized, and why the other recordings were not."""
    from spikedata.recognition import recognize

    found, faults = [], []
    with show_progress(args, "file", len(args.recordings)) as progress:
        for path in args.recordings:
            try:
                if Path(path).is_dir():
                    raise IsADirectoryError(f"{path}: is a folder; name its files: {Path(path) / '*.wav'}")
                found.append(_described(path, recognize(path, network=network), args.top))
            except (ValueError, OSError) as error:
                faults.append(str(error))
            progress.step()
    return found, faults


def _described(path: str, heard: Recognition, top: int) -> dict[str, Any]:
    return {
        "file": path,
        "word": heard.word,
        "score": heard.score,
        "scores": dict(list(heard.scores.items())[:top]),
        "spikes": len(heard.spikes.times),
        "start": heard.start,
        "stop": heard.stop,
        "notes": heard.notes,
    }


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    (word, score), *others = one["scores"].items()
    return one["file"], word, f"{score:.1%}", *(f"{other} {share:.1%}" for other, share in others)


def _raise_for(faults: list[str], n_files: int) -> None:
    """Say what went wrong: the fault of a single recording is the command's, those of several get a line each."""
    if n_files > 1:
        for fault in faults:
            write_error(f"spikedata: {fault}")
    if faults:
        raise ValueError(f"{len(faults)} of {n_files} recordings were not recognized" if n_files > 1 else faults[0])
