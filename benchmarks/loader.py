"""How fast a spike file is served in batches: our layouts, and with --peers other packages' loaders, beside the memory.

    python benchmarks/loader.py FILE.h5 [--batch N] [--repeats N] [--peers PYTHON] [--json]

One thread, warm, in process; medians over passes through the whole file. `floor` is what filling the dense result with
zeros takes alone. With --peers, the Python of an environment that benchmarks/compat.txt fills, the loaders of
`benchmarks/loader_peers.py` stand beside ours.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from spikedata.events.batching import dense_batch, event_lists, sparse_batch
from spikedata.files.cache import open_events
from spikedata.torch import SpikeDataset, SpikeLoader, collate, collate_dense, collate_lists

DURATION = 1.4  # [s]


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    start = time.perf_counter()
    events = open_events(arguments.file)
    opened = time.perf_counter() - start
    start = time.perf_counter()
    open_events(arguments.file)
    again = time.perf_counter() - start
    rows = measure(arguments.file, arguments.batch, arguments.repeats)
    report = {
        "file": Path(arguments.file).name,
        "samples": len(events),
        "spikes_per_sample": int(events.offsets[-1]) / len(events),
        "times": str(events.times.dtype),
        "first_open_s": opened,
        "open_ms": 1e3 * again,
        "batch": arguments.batch,
        "memory_gb_per_s": memory_bandwidth(),
        "rows": rows,
        "peers": peers(arguments.peers, arguments.file) if arguments.peers else [],
    }
    print(json.dumps(report, indent=2) if arguments.json else as_markdown(report))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a spike file")
    parser.add_argument("--batch", type=int, default=256, metavar="N", help="clips per batch")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="passes, of which the median is shown")
    parser.add_argument("--peers", metavar="PYTHON", help="the Python of an environment with the peers")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def measure(path: str, batch: int, repeats: int) -> list[dict]:
    """Samples per second and CPU time of each way to serve a batch."""
    dataset = SpikeDataset(path)
    events = dataset.events
    order = np.random.default_rng(0).permutation(len(dataset))
    parts = [order[i : i + batch] for i in range(0, len(order) - batch + 1, batch)]
    rows = []

    def direct(name: str, n_steps: int, serve: Callable[[np.ndarray], object]) -> None:
        serve(parts[0])
        rows.append(timed(name, n_steps, lambda: exhaust(map(serve, parts)), len(parts) * batch, repeats))

    def through(name: str, n_steps: int, batches: Callable[[], Iterable[object]]) -> None:
        rows.append(timed(name, n_steps, lambda: exhaust(batches()), len(parts) * batch, repeats))

    for n_steps in (100, 250):
        how = {"dt": DURATION / n_steps, "n_steps": n_steps}
        dense = np.empty((batch, n_steps, dataset.n_units), np.float32)
        small = np.empty((batch, n_steps, dataset.n_units), np.uint8)
        direct("floor: zeros, float32", n_steps, lambda part, out=dense: out.fill(0))
        direct("dense float32, reused buffer", n_steps, partial(dense_batch, events, out=dense, **how))
        direct("dense float32, fresh", n_steps, partial(dense_batch, events, **how))
        direct("dense uint8, reused buffer", n_steps, partial(dense_batch, events, out=small, **how))
        merged = np.empty((batch, n_steps, -(-dataset.n_units // 5)), np.float32)
        direct("dense float32, 5 channels merged", n_steps, partial(dense_batch, events, out=merged, n_merged=5, **how))
        direct("event lists", n_steps, partial(event_lists, events, **how))
        direct("sparse, coalesced", n_steps, partial(sparse_batch, events, **how))
        if n_steps == 100:
            options = {"batch_size": batch, "sampler": order, "drop_last": True}
            units = dataset.n_units
            for name, function in (
                ("DataLoader: dense float32", partial(collate_dense, n_units=units, **how)),
                ("DataLoader: dense uint8", partial(collate_dense, n_units=units, dtype=torch.uint8, **how)),
                ("DataLoader: event lists", partial(collate_lists, n_units=units, **how)),
                ("DataLoader: Batch", partial(collate, n_units=units, **how)),
            ):
                through(name, n_steps, partial(iter, DataLoader(dataset, collate_fn=function, **options)))
            loader = SpikeLoader(dataset, batch_size=batch, shuffle=True, drop_last=True, **how)
            through("SpikeLoader: dense float32", n_steps, partial(iter, loader))
    return rows


def exhaust(batches: Iterable[object]) -> None:
    """Ask for every batch, and keep none."""
    for _ in batches:
        pass


def timed(name: str, n_steps: int, work: Callable[[], object], n_samples: int, repeats: int) -> dict:
    work()
    costs = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        costs.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = (statistics.median(column) / n_samples for column in zip(*costs, strict=True))
    return {"layout": name, "steps": n_steps, "samples_per_s": 1 / wall, "samples_per_cpu_s": 1 / cpu}


def memory_bandwidth() -> float:
    """What filling a large array with zeros reaches on one core [GB/s]."""
    array = np.empty(2**26, np.float32)
    array.fill(1)
    costs = []
    for _ in range(5):
        start = time.process_time()
        array.fill(0)
        costs.append(time.process_time() - start)
    return array.nbytes / 1e9 / statistics.median(costs)


def peers(python: str, path: str) -> list[dict]:
    script = Path(__file__).with_name("loader_peers.py")
    done = subprocess.run([python, str(script), path, "--json"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return []
    return json.loads(done.stdout)["peers"]


def as_markdown(report: dict) -> str:
    head = (
        f"{report['samples']:,} samples of {report['spikes_per_sample']:,.0f} spikes, times in {report['times']};"
        f" batches of {report['batch']}; opening the cached events {report['open_ms']:.1f} ms; one core, which fills"
        f" memory with zeros at {report['memory_gb_per_s']:.1f} GB/s."
    )
    best = next(row["samples_per_cpu_s"] for row in report["rows"] if row["layout"] == "dense float32, reused buffer")
    ours = [
        [row["layout"], str(row["steps"]), f"{row['samples_per_s']:,.0f}", f"{row['samples_per_cpu_s']:,.0f}"]
        for row in report["rows"]
    ]
    blocks = [head, table(["ours", "steps", "samples per s", "per CPU s"], ours)]
    if report["peers"]:
        theirs = [
            [f"{row['peer']} {row.get('version', '')}", f"{1e6 / row['cpu_us_per_sample']:,.0f}",
             f"{best * row['cpu_us_per_sample'] / 1e6:,.0f}"]
            for row in report["peers"] if row["status"] == "measured"
        ]  # fmt: skip
        blocks.append(table(["peer, dense float32, 100 steps", "samples per CPU s", "ours are faster by"], theirs))
    return "\n\n".join(blocks)


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()
