"""The command that makes a task: make."""

from __future__ import annotations

import argparse
import math
from typing import Any

from spikedata.cli.command import (
    Commands,
    UsageError,
    add_command,
    add_overwrite,
    one_of,
    print_result,
    show_progress,
    whole,
)
from spikedata.printable import in_columns, number_of

_PARTS = ("train", "validation", "test")
_OF_NOTHING = "none"


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands,
        "make",
        _make,
        "make a task that no ear heard: Randman, Yin-Yang, images as latencies, targets",
        task="make spikes",
        examples=(
            "spikedata make --list",
            "spikedata make randman randman.h5 --n-clips 20 --alpha 2",
            "spikedata make yin_yang yin_yang.h5",
            "spikedata make mnist mnist.h5 --images mnist.npz --code linear",
        ),
        takes_params=True,
    )
    sub.epilog = (
        "Any param of a task can be given as --NAME VALUE; --list shows them. The file says which clips train, "
        "validate and test: spikedata train OUT.h5 --split listed, then evaluate."
    )
    sub.add_argument("name", nargs="?", type=one_of(_names), metavar="NAME", help="task; none: list them")
    sub.add_argument("out", nargs="?", metavar="OUT.h5", help="spike file to make")
    sub.add_argument("--list", action="store_true", help="show the tasks and their params")
    sub.add_argument("--part", choices=_PARTS, help="make this part alone (default: all parts in one file)")
    sub.add_argument(
        "--images", metavar="PATH",
        help="folder of IDX files, or .npz, for mnist and fashion_mnist (default: what `spikedata download` fetched)",
    )  # fmt: skip
    sub.add_argument("--bitmap", metavar="FILE", help="picture of raster, .png or .npy (default: a cochlea)")
    sub.add_argument(
        "--seed", type=whole(0), metavar="N", help="seed of all randomness (default: 0; of Yin-Yang the published ones)"
    )
    add_overwrite(sub)


def _names() -> tuple[str, ...]:
    from spikedata.tasks import TASKS

    return tuple(TASKS)


def _make(args: argparse.Namespace) -> None:
    if args.list or args.name is None:
        _list_tasks(args)
        return
    if args.out is None:
        raise UsageError(f"the file to make is not given: spikedata make {args.name} OUT.h5")
    from spikedata.disk import check_output
    from spikedata.tasks import make_task, task_params, write_task

    known = task_params(args.name)
    try:
        params = {name: _value_of(name, text, known.get(name)) for name, text in args.params.items()}
    except ValueError as error:
        raise UsageError(str(error)) from None
    check_output(args.out, overwrite=args.overwrite)
    with show_progress(args, "clip") as progress:
        progress.wait(f"make {args.name}")
        options = {"part": args.part, "seed": args.seed, "images": args.images, "bitmap": args.bitmap}
        made = make_task(args.name, **options, **params)
        write_task(made, args.out, overwrite=args.overwrite)
    n_clips, n_spikes = len(made.events), len(made.events.times)
    parts = {part: made.parts.count(part) for part in dict.fromkeys(made.parts)}
    text = f"{args.out}: {number_of(n_clips, 'clip')} of {args.name}, {n_spikes:,} spikes"
    text += f"; {', '.join(f'{part} {n:,}' for part, n in parts.items())}" if parts else ""
    print_result(args, {"out": args.out, "clips": n_clips, "spikes": n_spikes, "parts": parts}, text)


def _list_tasks(args: argparse.Namespace) -> None:
    from spikedata.tasks import TASKS, task_params

    rows = [("NAME", "WHAT")]
    for name, task in TASKS.items():
        rows.append((name, task.about))
        rows += [(f"  --{key.replace('_', '-')}", _shown(value)) for key, value in task_params(name).items()]
    listed = {name: {"about": task.about, "params": task_params(name)} for name, task in TASKS.items()}
    print_result(args, {"tasks": listed}, "\n".join(in_columns(rows)))


def _shown(value: Any) -> str:
    if value is None:
        return "all"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _value_of(name: str, text: str, default: Any) -> Any:
    """A param from its text, of the type of its default; a whole number where that is none."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(default, str):
        return text
    if isinstance(default, tuple):
        return tuple(_number(option, part, isinstance(default[0], int)) for part in text.split(","))
    if text == _OF_NOTHING and name == "bias_time":
        return None
    return _number(option, text, default is None or isinstance(default, int))


def _number(option: str, text: str, is_whole: bool) -> int | float:
    try:
        number = int(text) if is_whole else float(text)
    except ValueError:
        raise ValueError(f"{option} must be a{' whole' if is_whole else ''} number, got {text!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{option} must be finite, got {text!r}")
    return number
