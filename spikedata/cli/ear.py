"""The options that choose a cochlea, the same in every command that encodes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from spikedata.cli.command import UsageError, whole

if TYPE_CHECKING:
    from cochlea import CochleaParams

PRESET_NAMES = ("default", "published", "human")  # written out, since the help has no time to load the cochlea
_OUTPUTS = ("bushy_cells", "nerve")


def add_ear(
    parser: argparse.ArgumentParser,
    *,
    preset: str = "3,500 hair cells and a causal membrane (default), the setting that made the published data sets, or "
    "the human ear with its middle ear, compression and fibers of three kinds, at 65 dB SPL",
    several: bool = False,
) -> None:
    """The options `--preset`, `--params`, `--channels`, `--output` and `--set`.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    preset : str
        What the help says of ``--preset``.
    several : bool
        Whether several presets can be given.
    """
    more: dict[str, Any] = {"action": "append"} if several else {}
    parser.add_argument("--preset", choices=PRESET_NAMES, help=preset, **more)
    parser.add_argument(
        "--params", metavar="F.toml", help="params of the cochlea, as `spikedata params --toml` prints them"
    )
    parser.add_argument(
        "--channels", type=whole(16, 3500), metavar="N",
        help="16 to 3,500 channels, each with as many fibers as those of the preset (default: its 700)",
    )  # fmt: skip
    parser.add_argument(
        "--output", choices=_OUTPUTS, help="whose spikes: one bushy cell for each channel (default), or all fibers"
    )
    parser.add_argument(
        "--set", action="append", type=_setting, default=[], metavar="NAME=VALUE",
        help="a param of the cochlea, such as auditory_nerve.n_fibers=4; can be repeated",
    )  # fmt: skip


def ear_options(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_ear` has taken beside the preset, as `spikedata.encoding.ear.ear_params` takes it."""
    values = dict(args.set)
    if args.channels is not None and "basilar_membrane.n_places" in values:
        raise UsageError("--channels N and --set basilar_membrane.n_places=N are the same, so leave out one of them")
    if args.output is not None and "output" in values:
        raise UsageError("--output and --set output are the same, so leave out one of them")
    return {"file": args.params, "values": values, "channels": args.channels, "output": args.output}


def is_ear_chosen(args: argparse.Namespace) -> bool:
    """Whether any of the options has been given."""
    return bool(args.preset or any(ear_options(args).values()))


def ear_of(args: argparse.Namespace) -> tuple[str, CochleaParams]:
    """The name of the preset and the params that were chosen."""
    from spikedata.encoding.ear import ear_params

    return ear_params(args.preset, **ear_options(args))


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, as auditory_nerve.n_fibers=4, got {text!r}")
    return name, value
