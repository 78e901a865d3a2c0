"""Commands that ask a trained network what it needs: probe (time, counts, memory) and quantize (bits)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from spikedata.cli.command import (
    Commands,
    add_command,
    add_network,
    add_overwrite,
    add_reading,
    foreign_code_quiet,
    offer,
    print_result,
    reading_of,
    saying_what_is_kept,
    show_progress,
    whole,
    wholes,
)
from spikedata.cli.output import write_error

NAMES = ("digits", "digits_tiny")  # for the help alone, which has no time to look them up


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the program."""
    sub = add_command(
        commands, "probe", _probe, "score a run without time, counts or memory, beside its plain score",
        task="train networks", examples=("spikedata probe run", "spikedata probe run --retrain --epochs 2"),
    )  # fmt: skip
    sub.add_argument("run", metavar="RUN", help="folder that train made, of one run or of several")
    sub.add_argument(
        "file", nargs="?", metavar="FILE.h5",
        help="another spike file, which the run has been scored on (default: the validation part)",
    )  # fmt: skip
    controls = sub.add_argument(
        "--control", metavar="A,B", type=_names, dest="controls",
        help="what is taken away (default: counts_only,steps_shuffled,counts_equalized,propagation_cut)",
    )  # fmt: skip
    offer(controls, _controls)
    add_network(sub, "code of the run, if its network is one's own")
    sub.add_argument("--retrain", action="store_true", help="train anew under each, too, in the folder RUN.probes")
    sub.add_argument("--epochs", type=whole(1), metavar="N", help="of the trainings anew (default: the recipe's)")
    sub.add_argument("--test", action="store_true", help="score the test part instead, which must have been scored")
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    sub.add_argument("--threads", type=whole(1), default=1, metavar="N", help="threads on the processor (default: 1)")
    add_reading(sub)
    add_overwrite(sub)

    sub = add_command(
        commands, "quantize", _quantize, "accuracy of a network against the bits of its weights",
        task="train networks", examples=("spikedata quantize run", "spikedata quantize run --bits 8,4"),
    )  # fmt: skip
    network = sub.add_argument(
        "network", metavar="RUN|NAME", help=f"folder that train made, or a pretrained network ({', '.join(NAMES)})"
    )
    offer(network, lambda: NAMES)
    sub.add_argument(
        "file", nargs="?", metavar="FILE.h5",
        help="spike file to score on; a run must have been scored on it (default: the validation part of the run)",
    )  # fmt: skip
    sub.add_argument("--bits", type=wholes, default=(8, 4, 3, 2), metavar="A,B", help="2 to 8 (default: 8,4,3,2)")
    scale = sub.add_argument(
        "--scale", metavar="NAME", type=_names, dest="scales", help="largest or least_squares (default: both)"
    )
    offer(scale, lambda: ("largest", "least_squares"))
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    add_reading(sub)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().replace("-", "_") for part in text.split(",") if part.strip())


def _controls() -> Sequence[str]:
    from spikedata.transforms.named import CONTROLS

    return tuple(name for name in CONTROLS if name != "none")


def _probe(args: argparse.Namespace) -> None:
    with show_progress(args, "clip") as progress, saying_what_is_kept(lambda: _KEPT), foreign_code_quiet(args):
        progress.wait("load PyTorch")
        from spikedata.baseline.runs.folder import is_group, read_card, runs_of_group
        from spikedata.baseline.runs.groups import probe_group
        from spikedata.baseline.runs.probes import left_out, probe_run
        from spikedata.cli.runs import own_network_of, print_run

        several = is_group(args.run)
        result = (probe_group if several else probe_run)(
            args.run,
            args.file,
            controls=args.controls,
            retrain=args.retrain,
            epochs=args.epochs,
            test=args.test,
            overwrite=args.overwrite,
            network=own_network_of(args),
            device=args.device,
            threads=args.threads,
            on_epoch=lambda name, record: progress.note(f"{name}: epoch {record.epoch}"),
            on_progress=progress.at_stage,
            **reading_of(args),
        )
        recipe = read_card(runs_of_group(args.run)[0] if several else args.run).recipe
    for name, why in () if args.controls or args.quiet else left_out(recipe).items():
        write_error(f"{args.run}: no {name}: {why}")
    print_run(args, args.run, result)


_KEPT = "finished probes, epochs and trainings are kept, and the same command goes on from there"


def _quantize(args: argparse.Namespace) -> None:
    with show_progress(args, "clip") as progress:
        progress.wait("load PyTorch")
        from spikedata.baseline.runs.quantized import format_bits, quantize_run
        from spikedata.nn.quantization import SCALES
        from spikedata.recognition.pretrained import PRETRAINED, quantize_pretrained

        options = {"bits": args.bits, "scales": args.scales or SCALES, **reading_of(args)}
        options |= {"device": args.device, "on_progress": progress.at_stage}
        score = quantize_pretrained if args.network in PRETRAINED else quantize_run
        table = score(args.network, args.file, **options)
    record = {"file": args.network, "scored_on": table.file, "part": table.part, "n_clips": table.rows[0].score.n}
    print_result(args, record | {"rows": table.to_json()["rows"]}, format_bits(table))
