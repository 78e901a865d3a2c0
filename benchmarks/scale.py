"""Whether encoding many clips stays as cheap as encoding a few: memory and cost per clip along a run of 100,000.

    python benchmarks/scale.py [--clips N] [--milliseconds MS] [--preset NAME] [--workers N] [--out PICTURE] [--json]

Makes a corpus of short noises in a temporary folder, encodes it in a process of its own with `encode_clips`, and prints
a Markdown table: a row for each tenth of the run. The last row is the making of the file from its blocks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from spikedata.corpora import list_clips
from spikedata.encoding.encode import encode_clips

SAMPLE_RATE = 16_000  # [Hz]
CLIPS_PER_FOLDER = 1_000


def make_corpus(folder: Path, n_clips: int, seconds: float) -> None:
    """Class folders of short noises, all different."""
    rng = np.random.default_rng(0)
    for index in range(n_clips):
        if index % CLIPS_PER_FOLDER == 0:
            room = folder / f"{index // CLIPS_PER_FOLDER:04}"
            room.mkdir(parents=True)
        noise = rng.integers(-8_000, 8_000, round(seconds * SAMPLE_RATE), dtype=np.int16)
        soundfile.write(room / f"{index:07}.wav", noise, SAMPLE_RATE)


def memory(name: str) -> float:
    """Memory of this process as Linux counts it [MB]: VmRSS now, VmHWM at most."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").partition(f"{name}:")[2].split()[0]) / 1e3


def encode_and_watch(corpus: str, out: str, preset: str, workers: int, n_rows: int) -> None:
    """Encode, and print as JSON lines where the run stands at every tenth."""

    def say(n_clips: int) -> None:
        print(
            json.dumps(
                {
                    "clips": n_clips,
                    "cpu": time.process_time(),
                    "wall": time.perf_counter(),
                    "mb": memory("VmRSS"),
                    "mb_most": memory("VmHWM"),
                }
            ),
            flush=True,
        )

    def watch(n_done: int, n_clips: int) -> None:
        if n_done % -(-n_clips // n_rows) == 0 or n_done == n_clips:
            say(n_done)

    listing = list_clips("folder", corpus)
    done = encode_clips(listing, out, preset=preset, workers=workers, on_progress=watch)
    say(done.n_clips)


def run(n_clips: int, seconds: float, preset: str, workers: int, n_rows: int) -> dict:
    """The run's rows, in a process of its own so that memory is its own."""
    with tempfile.TemporaryDirectory() as room:
        corpus, out = Path(room) / "noises", Path(room) / "noises.h5"
        make_corpus(corpus, n_clips, seconds)
        words = [sys.executable, __file__, "--watch", str(corpus), str(out), "--preset", preset]
        words += ["--workers", str(workers), "--rows", str(n_rows)]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        size = out.stat().st_size
    states = [json.loads(line) for line in told.splitlines()]
    rows = [
        {
            "clips": after["clips"],
            "cpu_ms": 1e3 * (after["cpu"] - before["cpu"]) / (after["clips"] - before["clips"]),
            "wall_ms": 1e3 * (after["wall"] - before["wall"]) / (after["clips"] - before["clips"]),
            "mb": after["mb"],
        }
        for before, after in pairwise(states[:-1])
    ]
    encoded, ended = states[-2:]
    return {
        "n_clips": n_clips,
        "seconds": seconds,
        "preset": preset,
        "rows": rows,
        "assembly_ms_per_clip": 1e3 * (ended["cpu"] - encoded["cpu"]) / n_clips,
        "mb_most": ended["mb_most"],
        "file_mb": size / 1e6,
        "wall": ended["wall"] - states[0]["wall"],
    }


def as_markdown(result: dict) -> str:
    """The result as a table."""
    lines = [
        f"{result['n_clips']:,} clips of {1e3 * result['seconds']:g} ms, preset {result['preset']}, in "
        f"{result['wall']:,.0f} s; a file of {result['file_mb']:,.0f} MB. Most memory {result['mb_most']:.0f} MB.",
        "",
        "| clips so far | CPU ms per clip since the row before | wall ms per clip | memory [MB] |",
        "|---:|---:|---:|---:|",
    ]
    lines += [f"| {r['clips']:,} | {r['cpu_ms']:.2f} | {r['wall_ms']:.2f} | {r['mb']:.0f} |" for r in result["rows"]]
    lines.append(f"| the file from its blocks | {result['assembly_ms_per_clip']:.2f} | | |")
    return "\n".join(lines)


def draw(result: dict, path: str) -> None:
    """Cost and memory along the run, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6), layout="constrained")
    clips = [row["clips"] for row in result["rows"]]
    panels = (("cpu_ms", "CPU time per clip [ms]"), ("mb", "memory [MB]"))
    for axes, (name, label) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(clips, [row[name] for row in result["rows"]], marker="o", markersize=3)
        axes.set(xlabel="clips encoded", ylabel=label, ylim=(0, 1.3 * max(row[name] for row in result["rows"])))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--milliseconds", type=float, default=20.0)
    parser.add_argument("--preset", default="published")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--out", metavar="PICTURE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--watch", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        encode_and_watch(*args.watch, args.preset, args.workers, args.rows)
        return
    result = run(args.clips, args.milliseconds / 1e3, args.preset, args.workers, args.rows)
    print(json.dumps(result) if args.json else as_markdown(result))
    if args.out:
        draw(result, args.out)


if __name__ == "__main__":
    main()
