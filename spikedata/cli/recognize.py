"""The command that recognizes the words in recordings, or as they are spoken: recognize."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedata.cli.command import (
    Commands,
    UsageError,
    add_command,
    offer,
    print_result,
    seconds,
    show_progress,
    whole,
)
from spikedata.cli.ear import add_ear, ear_of, is_ear_chosen
from spikedata.cli.output import write_error, write_out
from spikedata.printable import printable

if TYPE_CHECKING:
    from spikedata.recognition import Heard, Pretrained, Recognition, Source

NAMES = ("digits", "digits_tiny")  # for the help alone, which has no time to look them up


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands, "recognize", _recognize, "recognize the spoken digit in each of some recordings", task="start here",
        examples=["spikedata recognize seven.wav acht.flac", "spikedata recognize seven.wav --stream"],
    )  # fmt: skip
    sub.add_argument(
        "recordings", nargs="*", metavar="FILE", help="recording of one word, in any format that encode takes"
    )
    sub.add_argument("--microphone", action="store_true", help="words as they are spoken, in place of recordings")
    sub.add_argument(
        "--device", metavar="N", help="microphone: its number, or a part of its name (python -m sounddevice lists them)"
    )
    sub.add_argument("--seconds", type=seconds, metavar="S", help="how long to listen (default: until Ctrl-C)")
    sub.add_argument(
        "--stream", action="store_true",
        help="play the recordings in real time and recognize all of their words as they are spoken",
    )  # fmt: skip
    sub.add_argument(
        "--as-fast-as-possible", action="store_true", help="with --stream: not in real time; the latency is reckoned"
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

    _refuse_what_does_not_fit(args)
    network = network_to_hear_with(args.network, ear_of(args)[1] if is_ear_chosen(args) else None)
    if args.microphone or args.stream:
        _listen(args, network)
        return
    found, faults = _recognize_each(args, network)
    if not args.quiet:
        for path, note in [(one["file"], note) for one in found for note in one["notes"]]:
            write_error(f"{path}: {note}")
    record = {"network": network.name, "paths": args.recordings, "n_clips": len(found)}
    record |= {"n_spikes": sum(one["spikes"] for one in found), "recognized": found, "left_out": faults}
    print_result(args, record, "\n".join(in_columns(map(_cells, found))))
    _raise_for(faults, len(args.recordings))


def _refuse_what_does_not_fit(args: argparse.Namespace) -> None:
    if args.microphone == bool(args.recordings):
        found = "both" if args.microphone else "neither"
        raise UsageError(f"recognize takes either a FILE or --microphone, got {found}")
    for given, option, needed, there in (
        (args.device is not None, "--device", "--microphone", args.microphone),
        (args.seconds is not None, "--seconds", "--microphone", args.microphone),
        (args.stream, "--stream", "a FILE", not args.microphone),
        (args.as_fast_as_possible, "--as-fast-as-possible", "--stream", args.stream),
    ):
        if given and not there:
            raise UsageError(f"{option} goes with {needed}")


def _listen(args: argparse.Namespace, network: Pretrained) -> None:
    """Print each word as it has been spoken, and how long the answers took."""
    from spikedata.recognition import Microphone, Player

    heard: list[dict[str, Any]] = []
    faults: list[str] = []
    load = None
    if args.microphone:
        device = int(args.device) if args.device is not None and args.device.isdigit() else args.device
        with Microphone(device, seconds=args.seconds) as source:
            if not args.quiet:
                write_error(f"listening at {source.sample_rate:,} Hz; Ctrl-C ends it")
            try:
                for each in _words(source, "microphone", args, network):
                    heard.append(each)
            except KeyboardInterrupt:  # the usual end
                pass
            if source.n_lost:
                write_error(f"microphone: {source.n_lost} blocks of sound were lost: the machine did not keep up")
    else:
        busy = played = 0.0
        for path in args.recordings:
            try:
                player = Player(path, in_real_time=not args.as_fast_as_possible)
                heard += _words(player, path, args, network)
                busy, played = busy + sum(player.seconds), played + player.duration
            except (ValueError, OSError) as error:
                faults.append(str(error))
        load = busy / played if played else None
    record = {"network": network.name, "paths": args.recordings, "heard": heard, "load": load, "left_out": faults}
    print_result(args, record, _on_latency(heard, load))
    _raise_for(faults, len(args.recordings))


def _words(source: Source, name: str, args: argparse.Namespace, network: Pretrained) -> Iterator[dict[str, Any]]:
    from spikedata.recognition import listen

    for heard in listen(source, network=network):
        described = _described_in_stream(name, heard, args.top)
        if not (args.json or args.quiet):
            if heard.recognition is not None:
                write_out(printable("  ".join(_cells_in_stream(described, len(args.recordings) > 1))))
            else:
                write_error(f"{name}, {heard.start:.2f} s: {heard.note}")
        yield described


def _described_in_stream(name: str, heard: Heard, top: int) -> dict[str, Any]:
    word = {} if heard.recognition is None else _described(name, heard.recognition, top)
    own = {"file": name, "start": heard.start, "end": heard.end, "latency": heard.latency}
    return word | own | ({"notes": (heard.note,)} if heard.note else {})


def _cells_in_stream(one: dict[str, Any], is_named: bool) -> tuple[str, ...]:
    name, word, *scores = _cells(one)
    delay = "" if one["latency"] is None else f"{one['latency']:.2f} s after its end"
    return *([name] if is_named else []), f"{one['start']:7.2f} s", word, *scores, delay


def _on_latency(heard: list[dict[str, Any]], load: float | None) -> str:
    import numpy as np

    delays = [one["latency"] for one in heard if "word" in one and one["latency"] is not None]
    words = f"{len(delays)} word{'s' if len(delays) != 1 else ''}"
    if not delays:
        return words
    median, late = np.percentile(delays, [50, 95])
    said = f"{words}; answers come {median:.2f} s after a word's end (95 % within {late:.2f} s)"
    return said if load is None else f"{said}; computing takes {load:.2f} s for each second of sound"


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
