"""The options of a scene: what sounds go through before they are encoded."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spikedata.cli.command import UsageError, whole

if TYPE_CHECKING:
    from spikedata.acoustics import Scene

_NONE = "none"


def add_scene(parser: argparse.ArgumentParser) -> None:
    """The options `--noise`, `--snr`, `--talkers`, `--loop-noise`, `--level`, `--speed`, `--room`, `--direct`."""
    group = parser.add_argument_group(
        "sound before the cochlea",
        "A number, LOW:HIGH to draw from for each clip, or none (default). What is drawn depends on the clip and "
        "--seed alone, and stands in the file.",
    )
    group.add_argument(
        "--noise", metavar="KIND", help="white, speech-shaped, babble (of other clips) or a folder of recordings"
    )
    group.add_argument("--snr", type=_range_of("dB"), metavar="DB", help="signal-to-noise ratio, as 10 or -5:20 [dB]")
    group.add_argument("--talkers", type=whole(1, 100), metavar="N", help="of babble (default: 8)")
    group.add_argument("--loop-noise", action="store_true", help="repeat noise of a folder that is shorter than a clip")
    group.add_argument(
        "--level", type=_range_of("dB SPL"), metavar="DB", help="level of the sound with its noise, as 45:85 [dB SPL]"
    )
    group.add_argument("--speed", type=_range_of("1"), metavar="X", help="times that of the recording, as 0.9:1.1")
    group.add_argument("--room", type=_range_of("s"), metavar="S", help="reverberation time T60, as 0.3:0.6 [s]")
    group.add_argument(
        "--direct",
        type=_range_of("dB"),
        metavar="DB",
        help="direct over reverberant energy in the room (default: 5) [dB]",
    )


def scene_of(args: argparse.Namespace) -> Scene | None:
    """The scene that was chosen; None if sounds are left as they are."""
    from spikedata.acoustics.scene import NOISES, Scene

    noise = None if args.noise in (None, _NONE) else {"speech-shaped": "speech_shaped"}.get(args.noise, args.noise)
    if (noise is None) != (args.snr is None):
        raise UsageError("--noise KIND needs --snr DB" if args.snr is None else "--snr DB needs --noise KIND")
    if args.loop_noise and noise in (None, *NOISES):
        raise UsageError("--loop-noise needs --noise FOLDER")
    more: dict[str, Any] = {}
    for option, needed, name in (("talkers", "babble", "n_talkers"), ("direct", "room", "direct_to_reverberant")):
        if getattr(args, option) is None:
            continue
        if (noise != "babble") if needed == "babble" else args.room is None:
            raise UsageError(f"--{option} needs --{'noise babble' if needed == 'babble' else needed}")
        more[name] = getattr(args, option)
    try:
        scene = Scene(
            noise=noise,
            snr=args.snr,
            loop_noise=args.loop_noise,
            level=args.level,
            speed=args.speed,
            room=args.room,
            **more,
        )
    except ValueError as error:
        raise UsageError(str(error).replace("Scene.", "--").replace("two ascending numbers", "LOW:HIGH")) from None
    return None if scene.changes_nothing else scene


def _range_of(unit: str) -> Callable[[str], float | tuple[float, float] | None]:
    def check(text: str) -> float | tuple[float, float] | None:
        if text == _NONE:
            return None
        low, colon, high = text.partition(":")
        try:
            return (float(low), float(high)) if colon else float(low)
        except ValueError:
            how = f"a number{'' if unit == '1' else f' of {unit}'}, LOW:HIGH or none"
            raise argparse.ArgumentTypeError(f"must be {how}, got {text!r}") from None

    return check
