"""Commands that try out this machine: demo, doctor."""

from __future__ import annotations

import argparse
import re
import sys

from spikedata.cli.command import Commands, add_command, add_overwrite, add_seed, print_result, show_progress
from spikedata.cli.output import styled


def add_demo(commands: Commands) -> None:
    """Add the command `demo` to the program."""
    sub = add_command(
        commands,
        "demo",
        _demo,
        "encode, train, score and recognize the recordings that ship with the package",
        task="start here",
        examples=("spikedata demo --out demo",),
    )
    sub.add_argument("--out", default="demo", metavar="DIR", help="folder for everything it makes (default: demo)")
    add_seed(sub)
    add_overwrite(sub)


def add_doctor(commands: Commands) -> None:
    """Add the command `doctor` to the program."""
    add_command(
        commands,
        "doctor",
        _doctor,
        "check versions, extras, folders, compiled kernels, processors and GPU",
        task="this machine",
        examples=("spikedata doctor",),
    )


def _demo(args: argparse.Namespace) -> None:
    from spikedata.cli.demo import format_demo, run_demo

    with show_progress(args, "step") as progress:
        result = run_demo(args.out, seed=args.seed, overwrite=args.overwrite, on_progress=progress.at_stage)
    print_result(args, result, format_demo(result))


def _doctor(args: argparse.Namespace) -> None:
    from spikedata.cli.doctor import diagnose, format_checks

    with show_progress(args, "check") as progress:
        progress.wait("check")
        checks = diagnose()
    print_result(args, {"checks": [check._asdict() for check in checks]}, format_checks(checks), paint=_paint)
    if not all(check.ok for check in checks):
        raise ValueError("not all is well: see the advice above")


def _paint(table: str) -> str:
    colors = {"ok": "green", "note": "yellow", "FAIL": "red"}
    return re.sub(
        r"^(ok|note|FAIL)\b", lambda found: styled(found[0], colors[found[0]], sys.stdout), table, flags=re.MULTILINE
    )
