"""How fast other packages serve batches of a spike file: one thread, 256 clips, 100 bins over 1.4 s, dense float32.

    peers/bin/python benchmarks/loader_peers.py FILE [--batches N] [--only NAME,...] [--json]

Run by the Python that has the peers (compat.txt says how to make it). Each peer has a fresh process. It serves the
first batches of one shuffled order twice; the second time counts, so files and caches are warm. What a user waits for
once stands apart as set-up. `kept` is the share of the spikes that arrive: readers that make binary or other frames, or
that lose spikes, show it there. sparch, stork and spytorch are not on the registry: their way of reading is written
anew here, and where it would write spikes after 1.4 s out of bounds, it drops them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the measured Python may have nothing installed, and shall still say so
    import torch

BATCH, N_STEPS, N_UNITS, DURATION = 256, 100, 700, 1.4  # DURATION in [s]
TIME_LIMIT = 120.0  # [s] for one peer, imports and set-up included
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")

Serve = Callable[[], Iterable["torch.Tensor"]]  # one pass over the order


@dataclass(frozen=True)
class Peer:
    """A way to read batches, the package that it comes in, and what is peculiar."""

    prepare: Callable[[Path, Path, list[int]], Serve]  # takes the file, a folder to work in and the order of the clips
    distribution: str
    note: str = ""


PEERS: dict[str, Peer] = {}
COLUMNS = {"peer": "", "version": "", "samples_per_s": ",.0f", "cpu_us_per_sample": ",.0f"}
COLUMNS |= {"setup_s": ".1f", "kept": ".1%", "note": ""}


def peer(name: str, distribution: str, note: str = "") -> Callable[[Callable], Callable]:
    def register(prepare: Callable[[Path, Path, list[int]], Serve]) -> Callable[[Path, Path, list[int]], Serve]:
        PEERS[name] = Peer(prepare, distribution, note)
        return prepare

    return register


@peer("tonic", "tonic")
def tonic(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    return serve_tonic(tonic_frames(spike_file, folder), order)


@peer("tonic, disk cache", "tonic", note="frames cached as HDF5 files in the first pass")
def tonic_disk(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    from tonic import DiskCachedDataset

    return serve_tonic(DiskCachedDataset(tonic_frames(spike_file, folder), cache_path=str(folder / "cache")), order)


@peer("tonic, memory cache", "tonic", note="frames kept in memory, 140 kB a sample")
def tonic_memory(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    from tonic import MemoryCachedDataset

    return serve_tonic(MemoryCachedDataset(tonic_frames(spike_file, folder)), order)


def tonic_frames(spike_file: Path, folder: Path) -> Any:
    from peer_datasets import open_tonic, place_tonic
    from tonic.datasets import SHD
    from tonic.transforms import ToFrame

    end = DURATION * 1e6
    to_frame = ToFrame(sensor_size=SHD.sensor_size, time_window=end / N_STEPS, start_time=0, end_time=end)
    place_tonic(spike_file, folder)
    return open_tonic(folder, transform=to_frame)


def serve_tonic(dataset: Any, order: list[int]) -> Serve:
    from tonic.collation import PadTensors

    loader = load(dataset, order, collate_fn=PadTensors(batch_first=True))
    return lambda: (frames.reshape(len(frames), -1, N_UNITS).float() for frames, _ in loader)


@peer("spikingjelly", "spikingjelly", note="all clips converted to frames of equal counts before")
def spikingjelly(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    from peer_datasets import open_spikingjelly, place_spikingjelly

    place_spikingjelly(spike_file, folder)
    dataset = open_spikingjelly(folder, data_type="frame", frames_number=N_STEPS, split_by="number")
    place_of = {int(Path(path).stem): place for place, (path, _) in enumerate(dataset.samples)}  # it sorts by name
    loader = load(dataset, [place_of[index] for index in order])
    return lambda: (frames.float() for frames, _ in loader)


@peer("snntorch", "snntorch", note="from an export to its layout; channels come reversed, times from the first spike")
def snntorch(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    from peer_datasets import import_torchvision, open_snntorch, place_snntorch

    import_torchvision()
    from snntorch.spikevision import _transforms as steps

    place_snntorch(spike_file, folder)
    to_frame = [steps.Downsample([round(DURATION / N_STEPS * 1e6), 1]), steps.ToChannelHeightWidth()]
    to_frame += [steps.ToCountFrame(T=N_STEPS, size=[N_UNITS]), steps.ToTensor(), steps.hflip()]  # its default ones
    # It reads num_steps milliseconds whatever the length of a step is, and would crop to 0.1 s with 100 of them.
    dataset = open_snntorch(folder, num_steps=round(DURATION * 1e3), transform=steps.Compose(to_frame))
    loader = load(dataset, order)
    return lambda: (frames for frames, _ in loader)


@peer("sparch-style", "h5py", note="reads, digitizes and makes dense clip by clip")
def sparch(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    import h5py
    import numpy as np
    import torch

    file = h5py.File(spike_file, "r")
    times, units, edges = file["spikes"]["times"], file["spikes"]["units"], np.linspace(0, DURATION, num=N_STEPS)

    class Clips(torch.utils.data.Dataset):
        def __getitem__(self, index: int) -> torch.Tensor:
            steps = np.digitize(times[index], edges)
            kept = steps < N_STEPS
            places = torch.from_numpy(np.array([steps[kept], units[index][kept]], dtype=np.int64))
            return torch.sparse_coo_tensor(places, torch.ones(places.shape[1]), (N_STEPS, N_UNITS)).to_dense()

        def __len__(self) -> int:
            return len(times)

    loader = load(Clips(), order, collate_fn=lambda clips: torch.nn.utils.rnn.pad_sequence(clips, batch_first=True))
    return lambda: loader


@peer("stork-style", "h5py", note="all rows in memory; at most one spike for each step and unit")
def stork(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    import h5py
    import torch

    with h5py.File(spike_file, "r") as file:
        rows = list(zip(file["spikes"]["times"], file["spikes"]["units"], strict=True))

    class Clips(torch.utils.data.Dataset):
        def __getitem__(self, index: int) -> torch.Tensor:
            times, units = rows[index]
            steps = torch.from_numpy(times * (N_STEPS / DURATION)).float()
            channels = torch.from_numpy(units.astype("float32"))
            inside = (steps >= 0) & (steps < N_STEPS) & (channels >= 0) & (channels < N_UNITS)
            dense = torch.zeros(N_STEPS, N_UNITS)
            dense[steps[inside].long(), channels[inside].long()] = 1.0
            return dense

        def __len__(self) -> int:
            return len(rows)

    loader = load(Clips(), order)
    return lambda: loader


@peer("spytorch-style", "h5py", note="collects the places of a batch in Python lists")
def spytorch(spike_file: Path, folder: Path, order: list[int]) -> Serve:
    import h5py
    import numpy as np
    import torch

    file = h5py.File(spike_file, "r")
    times, units, edges = file["spikes"]["times"], file["spikes"]["units"], np.linspace(0, DURATION, num=N_STEPS)

    def serve() -> Iterator[torch.Tensor]:
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            clips: list[int] = []
            steps: list[int] = []
            channels: list[int] = []
            for clip, index in enumerate(chosen):
                row = np.digitize(times[index], edges)
                kept = row < N_STEPS
                clips.extend([clip] * int(kept.sum()))
                steps.extend(row[kept])
                channels.extend(units[index][kept])
            places = torch.LongTensor([clips, steps, channels])
            shape = (len(chosen), N_STEPS, N_UNITS)
            yield torch.sparse_coo_tensor(places, torch.ones(len(clips)), shape).to_dense()

    return serve


def load(dataset: Any, order: list[int], **options: Any) -> Iterable[Any]:
    from torch.utils.data import DataLoader

    return DataLoader(dataset, batch_size=BATCH, sampler=order, **options)


def measure(name: str, spike_file: Path, n_batches: int) -> dict:
    """What a peer's batches cost, measured in this process."""
    distribution = PEERS[name].distribution
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return {"status": "not installed"}
    import h5py
    import numpy as np
    import torch

    torch.set_num_threads(1)
    with h5py.File(spike_file, "r") as file:
        order = np.random.default_rng(0).permutation(len(file["labels"]))[: n_batches * BATCH].tolist()
        n_spikes = sum(len(file["spikes/units"][index]) for index in order)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        serve = PEERS[name].prepare(spike_file, Path(folder), order)
        setup = time.perf_counter() - begin
        for batch in serve():
            shape, dtype = tuple(batch.shape[1:]), batch.dtype
            if (shape, dtype) != ((N_STEPS, N_UNITS), torch.float32):
                return {"status": f"failed: serves {dtype} {shape}"}
        kept, cpu, wall = 0.0, 0.0, 0.0
        batches = iter(serve())
        while True:
            begin_cpu, begin = time.process_time(), time.perf_counter()
            batch = next(batches, None)
            cpu, wall = cpu + time.process_time() - begin_cpu, wall + time.perf_counter() - begin
            if batch is None:
                break
            kept += float(batch.sum(dtype=torch.float64))
    return {
        "status": "measured",
        "version": version if name.startswith(distribution) else f"{distribution} {version}",
        "samples": len(order),
        "samples_per_s": len(order) / wall,
        "cpu_us_per_sample": cpu / len(order) * 1e6,
        "setup_s": setup,
        "kept": kept / n_spikes,
    }


def measure_apart(name: str, spike_file: str, n_batches: int) -> dict:
    """`measure`, in a fresh process; the status says how it went."""
    command = [sys.executable, __file__, spike_file, "--measure", name, "--batches", str(n_batches)]
    environment = os.environ | ONE_THREAD | NO_NETWORK
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT)
        if done.returncode:
            measured = {"status": "failed: " + (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]}
        else:
            measured = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        measured = {"status": f"failed: {error}"}
    note = PEERS[name].note if measured["status"] == "measured" else measured["status"].replace("|", "/")
    return {"peer": name, "note": note} | measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", help="a spike file with at least N * 256 clips")
    parser.add_argument("--batches", type=int, default=4, metavar="N", help="batches a pass (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME,...", help="those whose names begin so")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # one peer, in this process
    arguments = parser.parse_args()
    if arguments.measure:
        print("\n" + json.dumps(measure(arguments.measure, Path(arguments.file), arguments.batches)))
        return
    chosen = tuple(arguments.only.split(",")) if arguments.only else ("",)
    results = [measure_apart(name, arguments.file, arguments.batches) for name in PEERS if name.startswith(chosen)]
    if arguments.json:
        print(json.dumps({"batch": BATCH, "steps": N_STEPS, "duration_s": DURATION, "peers": results}, indent=2))
        return
    rows = [["-" if result.get(c) is None else format(result[c], f) for c, f in COLUMNS.items()] for result in results]
    head = [column.replace("_", " ") for column in COLUMNS]
    print("\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]))


if __name__ == "__main__":
    main()
