"""The command line: parse, call one function, print."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spikedata import __version__
from spikedata.progress import Progress

DONE, FAILED, USAGE, NOT_VERIFIED, NOT_AVAILABLE, CANNOT_WRITE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
_EXTRAS = {"torch": "torch", "safetensors": "torch", "matplotlib": "plot", "espeakng_loader": "synth"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; default: those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 3 data do not verify, 4 source not available, 5 cannot write, 130
        interrupted. Wrong usage leaves with 2
        through `SystemExit`, as argparse does.
    """
    parser = _build_parser()
    args, rest = parser.parse_known_args(argv)
    if rest and args.handler is not _train:
        parser.error(f"unknown argument {rest[0]!r}; see: spikedata {args.command} --help")
    args.rest = rest
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    try:
        args.handler(args)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing half-written was left behind", INTERRUPTED)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        return _fail(f"{error.name} is not installed: pip install 'spikedata-audio[{extra}]'", FAILED)
    except (OSError, ValueError, ArithmeticError, RuntimeError) as error:
        status = _status_of(error)
        if status is None:
            raise
        return _fail(str(error), status)
    return DONE


def _fail(message: str, status: int) -> int:
    print(f"spikedata: {message}", file=sys.stderr)
    return status


def _status_of(error: Exception) -> int | None:
    # None: an error that we do not raise ourselves, so our bug
    from spikedata.atomic import OutputError
    from spikedata.schema import FormatError
    from spikedata.synth_engine import EngineError

    statuses = {OutputError: CANNOT_WRITE, FormatError: NOT_VERIFIED, EngineError: NOT_AVAILABLE}
    for kind, status in statuses.items():
        if isinstance(error, kind):
            return status
    return None if isinstance(error, RuntimeError) else FAILED


# Handlers: each calls one function of the library and prints what it returns.


def _synth(args: argparse.Namespace) -> None:
    from spikedata.synth import synthesize

    with _progress(args, "clip") as progress:
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
    _print(args, {"clips": len(clips), "out": args.out}, f"{args.out}: {len(clips)} clips of synthetic speech")


def _encode(args: argparse.Namespace) -> None:
    from spikedata.corpora import list_clips
    from spikedata.encode import encode_clips

    listing = list_clips(args.corpus, args.audio_dir)
    with _progress(args, "clip", total=len(listing.clips)) as progress:
        done = encode_clips(
            listing,
            args.out,
            preset=args.preset,
            seed=args.seed,
            workers=args.workers,
            on_error=args.on_error,
            overwrite=args.overwrite,
            on_clip=lambda _: progress.step(),
        )
    for reason in done.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    if listing.unfit:
        print(f"{len(listing.unfit)} files are not named as in {args.corpus}: {listing.unfit[0]}, …", file=sys.stderr)
    text = (
        f"{args.out}: {done.n_clips} clips, {done.n_spikes:,} spikes of {done.sound_duration:.1f} s of sound in "
        f"{done.wall_time:.1f} s ({done.cpu_time / done.sound_duration:.2f} CPU s per second of sound)"
    )
    _print(args, {"out": args.out, **done._asdict(), "unfit": listing.unfit}, text)


def _info(args: argparse.Namespace) -> None:
    from spikedata.info import describe_file, format_description

    description = describe_file(args.file)
    _print(args, description, format_description(description))


def _plot(args: argparse.Namespace) -> None:
    from spikedata.atomic import check_output
    from spikedata.plot import plot_file, save_figure

    check_output(args.out, overwrite=args.overwrite)
    save_figure(plot_file(args.file, kind=args.kind, index=args.index), args.out, overwrite=args.overwrite)
    _print(args, {"out": args.out}, args.out)


def _train(args: argparse.Namespace) -> None:
    from spikedata.baseline.protocol import format_card, train_run
    from spikedata.baseline.recipes import recipe_from

    recipe = recipe_from(args.recipe, _overrides(args))
    with _progress(args, "epoch", total=recipe.n_epochs) as progress:
        card = train_run(
            args.file,
            args.out,
            recipe=recipe,
            seed=args.seed,
            validation_speakers=args.validation_speakers,
            test_speakers=args.test_speakers,
            overwrite=args.overwrite,
            device=args.device,
            on_epoch=lambda record: progress.step(f"validation {record.validation_accuracy:.1%}"),
        )
    _print(args, card, format_card(card))


def _evaluate(args: argparse.Namespace) -> None:
    from spikedata.baseline.protocol import evaluate_run, format_card

    card = evaluate_run(args.run, args.file, device=args.device)
    _print(args, card, format_card(card))


def _demo(args: argparse.Namespace) -> None:
    from spikedata.demo import format_demo, run_demo

    with _progress(args, "step") as progress:
        result = run_demo(args.out, seed=args.seed, overwrite=args.overwrite, on_progress=progress.at_stage)
    _print(args, result, format_demo(result))


def _doctor(args: argparse.Namespace) -> None:
    from spikedata.doctor import diagnose, format_checks

    checks = diagnose()
    _print(args, {check.name: check._asdict() for check in checks}, format_checks(checks))
    if not all(check.ok for check in checks):
        raise ValueError("not all is well: see the advice above")


def _overrides(args: argparse.Namespace) -> dict[str, str]:
    # `--learning-rate 1e-3 --n-hidden=64` as {"learning_rate": "1e-3", "n_hidden": "64"}
    words = [part for word in args.rest for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names, values = words[::2], words[1::2]
    for name in names:
        if not name.startswith("--") or len(names) != len(values):
            raise ValueError(f"train takes params of the recipe as --NAME VALUE, got {' '.join(args.rest)!r}")
    overrides = {name[2:].replace("-", "_"): value for name, value in zip(names, values, strict=True)}
    return overrides if args.epochs is None else {"epochs": str(args.epochs), **overrides}


def _print(args: argparse.Namespace, record: dict[str, Any], text: str) -> None:
    if args.json:
        print(json.dumps(record, default=str, indent=None))
    elif not args.quiet:
        print(text)


def _progress(args: argparse.Namespace, unit: str, total: int | None = None) -> Progress:
    return Progress(unit, total, hidden=args.quiet or args.no_progress)


def _speakers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"speakers are numbers with commas between, as 4,5; got {text!r}") from None


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spikedata",
        description="Spoken words as spikes: encode recordings with a cochlea model, inspect the files, and train "
        "spiking networks that are scored honestly.",
        epilog="Exit status: 0 done, 1 failed, 2 usage, 3 data do not verify, 4 source not available, 5 cannot write, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"spikedata-audio {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")

    def command(name: str, handler: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        sub.set_defaults(handler=handler)
        sub.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        sub.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
        sub.add_argument("-v", "--verbose", action="store_true", help="print what is done")
        sub.add_argument("--no-progress", action="store_true", help="draw no progress bar")
        return sub

    def add_seed(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all chance (default: 0)")

    def add_overwrite(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--overwrite", action="store_true", help="replace what is at the output path")

    sub = command("demo", _demo, "speak, encode, train and score the corpus that ships with the package")
    sub.add_argument("--out", default="demo", metavar="DIR", help="folder for everything it makes (default: demo)")
    add_seed(sub)
    add_overwrite(sub)

    sub = command("synth", _synth, "speak a small corpus of synthetic speech (eSpeak NG)")
    sub.add_argument("--words", required=True, metavar="shd|ssc|FILE", help="20 digits, 35 command words, or a file")
    sub.add_argument("--out", required=True, metavar="DIR", help="folder to make")
    sub.add_argument("--speakers", type=int, default=12, metavar="N", help="voices, 1 to 12 (default: 12)")
    sub.add_argument("--takes", type=int, default=2, metavar="N", help="takes of each word and voice (default: 2)")
    sub.add_argument("--rate", type=int, default=16_000, metavar="HZ", help="sample rate (default: 16000)")
    add_seed(sub)
    add_overwrite(sub)

    sub = command("encode", _encode, "turn the recordings of a corpus into a spike file")
    sub.add_argument("corpus", metavar="CORPUS", help="heidelberg_digits, speech_commands or folder (class folders)")
    sub.add_argument("audio_dir", type=Path, metavar="AUDIO_DIR", help="folder of the recordings")
    sub.add_argument("out", metavar="OUT.h5", help="spike file to make")
    sub.add_argument(
        "--preset", choices=("default", "published"), default="default",
        help="3,500 hair cells and a causal membrane, or the setting that made the published data sets",
    )  # fmt: skip
    sub.add_argument("--workers", type=int, metavar="N", help="threads (default: one per processor)")
    sub.add_argument(
        "--on-error", choices=("fail", "skip"), default="fail", help="what to do with a recording that cannot be used"
    )
    add_seed(sub)
    add_overwrite(sub)

    sub = command("info", _info, "check a spike file and show what is in it")
    sub.add_argument("file", metavar="FILE", help="spike file")

    sub = command("plot", _plot, "draw a sample or a whole spike file")
    sub.add_argument("file", metavar="FILE", help="spike file")
    sub.add_argument("--index", type=int, default=0, metavar="I", help="sample to draw (default: 0)")
    sub.add_argument(
        "--kind", choices=("raster", "cochleagram", "rates", "classes", "means", "speakers"), default="raster"
    )
    sub.add_argument("--out", required=True, metavar="F", help="picture to make: .png, .svg or .pdf")
    add_overwrite(sub)

    sub = command("train", _train, "train a baseline; speakers of the validation and test parts are held out")
    sub.add_argument("file", metavar="FILE.h5", help="spike file")
    sub.add_argument("--recipe", required=True, metavar="NAME", help="recurrent, or counts (linear, time thrown away)")
    sub.add_argument("--out", required=True, metavar="RUN", help="folder for weights, history and result card")
    sub.add_argument("--validation-speakers", type=_speakers, metavar="A,B", help="default: drawn with the seed")
    sub.add_argument("--test-speakers", type=_speakers, metavar="A,B", help="default: drawn with the seed")
    sub.add_argument("--epochs", type=int, metavar="N", help="epochs (default: the recipe's)")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    sub.epilog = "Any param of the recipe can be set as --NAME VALUE, for example --learning-rate 1e-3."
    add_seed(sub)
    add_overwrite(sub)

    sub = command("evaluate", _evaluate, "score a trained run on its test part, once")
    sub.add_argument("run", metavar="RUN", help="folder that train made")
    sub.add_argument("file", nargs="?", metavar="FILE.h5", help="another spike file to score as a whole")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")

    command("doctor", _doctor, "check versions, name clashes, folders, threads and GPU")
    return parser
