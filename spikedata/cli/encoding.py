"""Commands that make a spike file of recordings: encode, merge."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    saying_what_is_kept,
    show_progress,
    whole,
)
from spikedata.cli.ear import add_ear, ear_of
from spikedata.cli.output import write_error
from spikedata.cli.scene import add_scene, scene_of
from spikedata.printable import number_of

if TYPE_CHECKING:
    from spikedata.corpora import Listing
    from spikedata.encoding.encode import Encoding

_N_UNFIT = 3  # recordings that do not fit the corpus that are named for each reason
_N_REASONS = 10  # reasons to leave out a recording that are shown


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    _add_encode(commands)
    _add_merge(commands)


def _add_encode(commands: Commands) -> None:
    sub = add_command(
        commands,
        "encode",
        _encode,
        "turn the recordings of a corpus into spikes",
        task="make spikes",
        examples=(
            "spikedata encode recordings/ words.h5",
            "spikedata encode heidelberg_digits audio/ digits.h5",
            "spikedata encode recordings/ published.h5 --preset published",
            "spikedata encode recordings/ noisy.h5 --noise babble --snr 0:20",
            "spikedata encode recordings/ many.h5 --shard 1/2",
            "spikedata encode recordings/ many.h5 --shard 2/2",
        ),
    )
    sub.epilog = (
        "After an interruption, the same command resumes the encoding. The result does not depend on workers, shards, "
        "cluster or interruptions."
    )
    sub.add_argument(
        "corpus", nargs="?", type=_corpus_or_path(), metavar="CORPUS",
        help="heidelberg_digits, speech_commands, speech_commands_12, fsdd, audiomnist, spoken_digits, spoken_words, "
        "folder (class folders), files or manifest (a table); default: what AUDIO looks like of the last three",
    )  # fmt: skip
    sub.add_argument(
        "audio", nargs="+", metavar="AUDIO", help="folder of the recordings; one or several files; or a table"
    )
    sub.add_argument(
        "out", metavar="OUT", help="spike file to make (OUT.h5); with --split, the folder for one file per part"
    )
    sub.add_argument(
        "--columns", type=columns, metavar="ROLE=NAME,...",
        help="columns of a table: path=Path,label=category,speaker=client_id,split=fold",
    )  # fmt: skip
    add_ear(sub)
    add_scene(sub)
    sub.add_argument("--split", type=one_of(_splits), metavar="NAME", help="write the parts of a named split")
    sub.add_argument("--shard", type=_shard, metavar="I/N", help="write the I-th of N shards alone; `merge` joins them")
    sub.add_argument("--workers", type=whole(1), metavar="N", help="threads (default: one per processor)")
    sub.add_argument("--cluster", metavar="ADDRESS", help="Dask scheduler (tcp://HOST:PORT) or scheduler file")
    sub.add_argument(
        "--on-error", choices=("fail", "skip"), default="fail", help="what to do with a recording that cannot be used"
    )
    add_seed(sub)
    add_overwrite(sub)


def _corpora() -> Sequence[str]:
    from spikedata.corpora import CORPORA

    return tuple(CORPORA)


def _corpus_or_path() -> Callable[[str], str]:
    """A type for the first word: a corpus or, if none is named, the first recording."""
    check_name = one_of(_corpora)

    def check(text: str) -> str:
        # a word that is neither a path that exists nor written as one is a misspelled corpus
        is_path = "/" in text or Path(text).suffix != "" or Path(text).exists()
        return text if is_path else check_name(text)

    check.find_names = _corpora  # type: ignore[attr-defined]
    return check


def _splits() -> Sequence[str]:
    from spikedata.splits import SPLITS

    return SPLITS


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise argparse.ArgumentTypeError(f"a shard is I/N with 1 <= I <= N, as 3/16, got {text!r}")
    return int(index), int(count)


def _encode(args: argparse.Namespace) -> None:
    from spikedata.corpora import describe_unfit
    from spikedata.encoding.encode import encode

    options = {name: getattr(args, name) for name in _ENCODE_OPTIONS}
    preset, params = ear_of(args)
    scene = scene_of(args)
    listing = _list(args)
    # who sits at a terminal can still stop; elsewhere, they stand with the result
    n_said = _say(args, listing.notes) if sys.stderr.isatty() else 0
    with saying_what_is_kept(lambda: _describe_kept(args)), show_progress(args, "clip") as progress:
        done = encode(listing, args.out, preset=preset, params=params, scene=scene, on_progress=progress.at, **options)
    _warn(args, done.skipped, describe_unfit(done, None if args.verbose else _N_UNFIT))
    _warn(args, () if args.quiet else done.remarks, what="note")
    _say(args, done.notes[n_said:])
    reasons = {name: done.reasons.get(name, f"does not fit {done.corpus}") for name in done.unfit}
    print_result(args, {**done._asdict(), "reasons": reasons}, _describe(done))


_ENCODE_OPTIONS = ("split", "seed", "workers", "shard", "cluster", "on_error", "overwrite")


def _list(args: argparse.Namespace) -> Listing:
    from spikedata.corpora import CORPORA, list_source

    corpus, audio = args.corpus, args.audio
    if corpus is not None and corpus not in CORPORA:
        corpus, audio = None, [corpus, *audio]
    if corpus is None and audio[0] in CORPORA and not Path(audio[0]).exists():
        raise UsageError(f"the recordings of {audio[0]} are not given: spikedata encode {audio[0]} AUDIO {args.out}")
    return list_source(audio, corpus, missing=args.on_error, columns=args.columns)


def _say(args: argparse.Namespace, notes: Sequence[str]) -> int:
    for note in () if args.quiet else notes:
        write_error(f"note: {note}")
    return len(notes)


def _describe_kept(args: argparse.Namespace) -> str:
    from spikedata.encoding.folder import blocks_folder
    from spikedata.encoding.plan import shard_path

    folder = blocks_folder(Path(args.out) if args.shard is None else shard_path(args.out, *args.shard))
    n_blocks = len(list(folder.glob("*.h5")))
    if not n_blocks:
        return "no clip was done yet; the same command begins anew"
    return (
        f"finished clips are kept ({number_of(n_blocks, 'block')} in {folder}), and the same command goes on from there"
    )


def _warn(args: argparse.Namespace, skipped: Sequence[str], unfit: str = "", *, what: str = "skipped") -> None:
    shown = skipped if args.verbose else skipped[:_N_REASONS]
    for reason in shown:
        write_error(f"{what}: {reason}")
    if len(skipped) > len(shown):
        write_error(f"{what}: {len(skipped) - len(shown)} more; -v shows all")
    if unfit and not args.quiet:
        for line in unfit.splitlines():
            write_error(line)


def _describe(done: Encoding) -> str:
    kept = f" ({done.n_kept:,} kept from before)" if done.n_kept else ""
    text = f"{', '.join(done.outputs)}: {number_of(done.n_clips, 'clip')}{kept}, {done.n_spikes:,} spikes"
    if done.sound_duration:
        text += (
            f"; {done.sound_duration:,.1f} s of sound in {done.wall_time:,.1f} s "
            f"({done.cpu_time / done.sound_duration:.2f} CPU s per second of sound)"
        )
    return text


def _add_merge(commands: Commands) -> None:
    sub = add_command(
        commands,
        "merge",
        _merge,
        "join the shards of an encoding, or whole files of the same classes",
        task="make spikes",
        examples=("spikedata merge many.shard-*.h5 --out many.h5",),
    )
    sub.add_argument(
        "files", nargs="+", metavar="FILE.h5",
        help="all shards of one encoding, in any order; or whole files, such as the training and test file",
    )  # fmt: skip
    sub.add_argument("--out", required=True, metavar="OUT", help="spike file to make, or folder as for encode --split")
    sub.add_argument(
        "--parts", type=_part_names, metavar="A,B",
        help="which part each whole file is, as train,test (default: what it says, or a word in its name)",
    )  # fmt: skip
    add_reading(sub)
    add_overwrite(sub)


def _part_names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _merge(args: argparse.Namespace) -> None:
    from spikedata.encoding.join import merge_files

    options = {"parts": args.parts, "overwrite": args.overwrite, **reading_of(args)}
    with show_progress(args, "file") as progress:
        merged = merge_files(args.files, args.out, on_progress=progress.at, **options)
    _warn(args, merged.skipped)
    _warn(args, () if args.quiet else merged.remarks, what="note")
    _say(args, merged.notes)
    text = f"{', '.join(merged.outputs)}: {merged.n_clips:,} clips, {merged.n_spikes:,} spikes"
    print_result(args, merged._asdict(), text)
