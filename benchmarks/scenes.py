"""What an epoch costs whose recordings are put into another scene and encoded anew: CPU and wall time of each step.

    python benchmarks/scenes.py RECORDINGS [--clips N] [--presets NAME,...] [--loader-workers N] [--json]

RECORDINGS are the Heidelberg Digits, or any other folder with `--corpus folder`. N of them, evenly spaced, stand for
all: a step is timed on each of them, after a first pass that is not timed, and given per second of sound and for one
epoch of all recordings. CPU time is that of the process, on one thread; the wall time of an epoch is that of a
`DataLoader` with as many workers as said, on the same N recordings.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")})

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

import cochlea
from spikedata.acoustics import Scene
from spikedata.corpora import Clip, Listing, list_clips
from spikedata.corpora.audio import read_sound
from spikedata.encoding.blocks import PRESETS
from spikedata.encoding.clips import encode_clip
from spikedata.encoding.surroundings import ByteCache, Surroundings, pool_for
from spikedata.torch import SoundDataset

SCENES = {
    "level": Scene(level=(45, 85)),
    "speed": Scene(speed=(0.9, 1.1)),
    "room": Scene(room=(0.3, 0.6)),
    "white noise": Scene(noise="white", snr=(0, 20)),
    "speech-shaped noise": Scene(noise="speech_shaped", snr=(0, 20)),
    "babble of 8": Scene(noise="babble", snr=(0, 20)),
    "babble, speed and room": Scene(noise="babble", snr=(0, 20), speed=(0.9, 1.1), room=(0.3, 0.6)),
}


def main() -> None:
    args = parse()
    listing = list_clips(args.corpus, args.recordings)
    step = max(1, len(listing.clips) // args.clips)
    chosen = listing.clips[::step][: args.clips]
    sounds = [read_sound(clip.path) for clip in chosen]
    duration = sum(len(sound) / rate for sound, rate in sounds)
    whole = duration * len(listing.clips) / len(chosen)
    rows: list[dict[str, Any]] = []
    for name, cost in steps(listing, chosen, sounds, args.presets):
        rows.append({"step": name, "cpu_ms_per_s": 1000 * cost / duration, "cpu_s_per_epoch": cost * whole / duration})
        show(args, rows[-1])
    wall = [{"preset": preset, **time_epochs(listing, chosen, preset, args.loader_workers)} for preset in args.presets]
    for row in wall:
        row |= {"wall_s_per_epoch": row["wall_s"] * whole / duration}
    if args.json:
        counts = {"recordings": len(listing.clips), "sound_s": whole, "clips_timed": len(chosen)}
        print(json.dumps(counts | {"steps": rows, "epochs": wall, "processors": os.cpu_count()}))
        return
    print(f"\n{len(listing.clips):,} recordings, {whole:,.0f} s of sound; {len(chosen)} timed on {os.cpu_count()} CPUs")
    for row in wall:
        print(
            f"an epoch in babble, {row['preset']}: {row['wall_s_per_epoch']:,.0f} s with {args.loader_workers} loader "
            f"workers; again with its variants kept: {row['again_s'] * whole / duration:,.1f} s"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--corpus", default="heidelberg_digits")
    parser.add_argument("--clips", type=int, default=96, metavar="N")
    parser.add_argument("--presets", type=lambda text: text.split(","), default=list(PRESETS), metavar="NAME,...")
    parser.add_argument("--loader-workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def steps(
    listing: Listing, chosen: tuple[Clip, ...], sounds: list[tuple[npt.NDArray[np.float64], int]], presets: list[str]
) -> Iterator[tuple[str, float]]:
    """Each step, and its CPU time on all of the chosen recordings [s]."""
    yield "read", cpu_time(lambda: [read_sound(clip.path) for clip in chosen])
    for name, scene in [*SCENES.items(), ("babble of 8, no recording kept", SCENES["babble of 8"])]:
        cache = ByteCache(0) if name.endswith("kept") else None
        around = Surroundings(scene, pool_for(scene, listing.clips), cache)

        def stage(around: Surroundings = around) -> None:
            for clip, (sound, rate) in zip(chosen, sounds, strict=True):
                around.stage(sound, rate, clip, seed=0)

        yield name, cpu_time(stage)
    for preset in presets:
        params = PRESETS[preset]()

        def encode(params: cochlea.CochleaParams = params) -> None:
            for clip in chosen:
                encode_clip(clip, params, seed=0)

        encode_clip(chosen[0], params, seed=0)  # compiles, and computes the table of the membrane
        yield f"read and encode, {preset}", cpu_time(encode, is_warm=True)


def cpu_time(work: Callable[[], object], *, is_warm: bool = False) -> float:
    if not is_warm:
        work()
    started = time.process_time()
    work()
    return time.process_time() - started


def time_epochs(listing: Listing, chosen: tuple[Clip, ...], preset: str, n_workers: int) -> dict[str, float]:
    """Wall time of an epoch in babble of the chosen recordings, and of one whose spikes are kept already [s]."""
    part = Listing(corpus=listing.corpus, keys=listing.keys, clips=chosen, unfit=())
    scene = Scene(noise="babble", snr=(0, 20))
    dataset = SoundDataset(part, preset=preset, scene=scene, dt=0.01, n_steps=100, n_variants=1)
    order = torch.arange(len(dataset)).tolist()  # as it is: each worker then finds what it has kept
    loader = DataLoader(dataset, 12, sampler=order, num_workers=n_workers, persistent_workers=n_workers > 0)
    walls = []
    for _ in range(2):
        iterator = iter(loader)
        started = time.perf_counter()
        for _ in iterator:
            pass
        walls.append(time.perf_counter() - started)
    return {"wall_s": walls[0], "again_s": walls[1]}


def show(args: argparse.Namespace, row: dict[str, Any]) -> None:
    out = sys.stderr if args.json else sys.stdout
    print(f"{row['step']:32}{row['cpu_ms_per_s']:8.1f} ms per s{row['cpu_s_per_epoch']:10.1f} s an epoch", file=out)


if __name__ == "__main__":
    main()
