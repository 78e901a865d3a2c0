"""Show that other packages read the files that we write, event by event, and that we read theirs.

    python benchmarks/compat.py [--python PATH] [--only NAME,...] [--json]

The peers run in the Python of `--python`; compat.txt says how to make it. Our writer makes the same clips twice, with
float16 times as the published files have them and with float32; each peer reads both in a fresh process without a
network. Times, units, labels, classes and speakers must be those that went in. Where a peer fails by a known fault of
its own, the table says so. The exit status is 1 if any other fails, or is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from compat_peers import DTYPES, READERS, WRITERS, Clips, Peer, flat
from encode import table

from spikedata import SpikeFile, SpikeWriter

N_CLIPS = 200
N_UNITS = 700
LONGEST = 1.37  # [s]; most readers are made for 1.4 s
KEYS = [f"word {number}" for number in range(20)]
SCRIPT = Path(__file__).with_name("compat_peers.py")
TIME_LIMIT = 300.0  # [s] for one reading, imports included
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


def make_clips(rng: np.random.Generator, dtype: str) -> Clips:
    """What goes into the files: clips of one to 1,500 spikes, some at 0 s, some at equal times, units 0 and 699."""
    rows = []
    for n_spikes in (1, 2, *rng.integers(3, 1500, N_CLIPS - 2)):
        times = np.sort(rng.uniform(0, LONGEST, n_spikes)).astype(dtype).astype(np.float64)
        times[: n_spikes // 3 % 3] = 0.0
        units = rng.integers(0, N_UNITS, n_spikes)
        units[[0, -1]] = 0, N_UNITS - 1
        rows.append((times, units))
    speakers, labels = rng.integers(0, 12, N_CLIPS), np.arange(N_CLIPS) % len(KEYS)
    return flat(rows, labels, keys=np.array(KEYS, dtype=bytes), speakers=speakers)


def write_ours(clips: Clips, dtype: str, path: Path) -> None:
    cuts = np.cumsum(clips["lengths"])[:-1]
    rows = zip(*(np.split(clips[name], cuts) for name in ("times", "units")), strict=True)
    with SpikeWriter(path, keys=KEYS, times_dtype=dtype) as writer:
        for (times, units), label, speaker in zip(rows, clips["labels"], clips["speakers"], strict=True):
            writer.append(times, units, label=label, speaker=speaker)


def read_ours(path: Path) -> Clips:
    with SpikeFile(path) as file:
        events = file.read_events()
    rows = [(sample.times, sample.units) for sample in events]
    return flat(rows, events.labels, keys=np.array(events.keys, dtype=bytes), speakers=events.speakers)


def difference(found: Clips, truth: Clips, peer: Peer) -> str:
    """The first thing that is not as it went in; nothing where all is."""
    for name in ("lengths", "labels", "units", "keys", "speakers"):
        if name in found and not np.array_equal(found[name], truth[name]):
            if found[name].shape != truth[name].shape:
                return f"{len(found[name])} {name}, must be {len(truth[name])}"
            return f"{np.sum(found[name] != truth[name])} of {len(truth[name])} {name} differ"
    expected, starts = truth["times"], np.cumsum(truth["lengths"]) - truth["lengths"]
    if peer.from_first_spike:
        expected = expected - np.repeat(expected[starts], truth["lengths"])
    wrong = ~(np.abs(found["times"] - expected) <= peer.tolerance * 1.001)  # NaN is wrong
    if not wrong.any():
        return ""
    return f"{np.sum(wrong)} of {len(wrong)} times differ, the first is {found['times'][wrong][0]:.6g} s"


def run_apart(direction: str, name: str, python: Path, source: Path, target: Path) -> tuple[str, str]:
    """Let a peer read or write in a fresh process: its version, and what went wrong."""
    peer = (READERS if direction == "read" else WRITERS)[name]
    older = {"PYTHONPATH": str(python.parent.parent / "older")} if peer.older else {}
    command = [str(python), str(SCRIPT), direction, name, str(source), str(target)]
    environment = os.environ | NO_NETWORK | {"OMP_NUM_THREADS": "1"} | older
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "-", str(error)
    outcome = done.stdout.splitlines()[-1] if done.stdout else ""
    if done.returncode or not outcome.startswith("{"):
        return "-", (done.stderr.strip() or "no output").splitlines()[-1]
    return json.loads(outcome)["version"], json.loads(outcome)["error"]


def check_reader(name: str, python: Path, files: dict[str, Path], truths: dict[str, Clips], folder: Path) -> dict:
    """Whether a peer reads each of our files."""
    peer, results = READERS[name], {}
    row: dict[str, Any] = {"peer": f"{name} reads ours", "note": peer.note, "failed": False}
    for dtype, path in files.items():
        result = folder / "read.npz"
        result.unlink(missing_ok=True)
        row["version"], error = run_apart("read", name, python, path, result)
        if not error:
            with np.load(result) as found:
                error = difference(dict(found), truths[dtype], peer)
        known = dtype in peer.faulty and peer.fault in error
        results[dtype] = f"{'its fault' if known else 'FAILED'}: {error}" if error else "all equal"
        row["failed"] |= bool(error) and not known
    return row | results


def check_writer(name: str, python: Path, truth: Clips, folder: Path) -> dict:
    """Whether we read what a peer writes."""
    peer, made, given = WRITERS[name], folder / "theirs.h5", folder / "truth.npz"
    np.savez(given, **truth)
    version, error = run_apart("write", name, python, given, made)
    if not error:
        try:
            error = difference(read_ours(made), truth, peer)
        except (OSError, ValueError) as failure:
            error = str(failure)
    outcome = {"float16": f"FAILED: {error}" if error else "all equal", "float32": "-", "failed": bool(error)}
    return {"peer": f"we read {name}'s", "version": version, "note": peer.note} | outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the Python that has the peers")
    parser.add_argument("--only", metavar="NAME,...", help="those whose names begin so")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    python = Path(arguments.python).absolute()  # not resolved: a link is what makes it that environment's
    chosen = tuple(arguments.only.split(",")) if arguments.only else ("",)
    truths = {dtype: make_clips(np.random.default_rng(2022), dtype) for dtype in DTYPES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {dtype: folder / f"{dtype}.h5" for dtype in DTYPES}
        for dtype, path in files.items():
            write_ours(truths[dtype], dtype, path)
        rows = [check_reader(n, python, files, truths, folder) for n in READERS if n.startswith(chosen)]
        rows += [check_writer(n, python, truths["float16"], folder) for n in WRITERS if n.startswith(chosen)]
    if not rows:
        parser.error(f"no peer {arguments.only}; there are {'; '.join([*READERS, *WRITERS])}")
    if arguments.json:
        print(json.dumps({"clips": N_CLIPS, "peers": rows}, indent=2))
    else:
        columns = ("peer", "version", *DTYPES, "note")
        print(table(list(columns), [[row[column].replace("|", "/") for column in columns] for row in rows]))
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
