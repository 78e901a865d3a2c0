"""How other packages read and write spike files, each in a process of its own: `compat.py` starts them.

    peers/bin/python benchmarks/compat_peers.py read NAME SPIKE_FILE RESULT.npz
    peers/bin/python benchmarks/compat_peers.py write NAME CLIPS.npz SPIKE_FILE

The last line printed is a JSON object with the version and the error, empty where there is none.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

DTYPES = ("float16", "float32")  # of the times in the files that the peers get

Clips = dict[str, np.ndarray]  # times [s], units, lengths, labels; keys and speakers where the peer tells them


@dataclass(frozen=True)
class Peer:
    """A package, how it reads or writes a file, and what is known of it."""

    run: Callable[[Path, Path], Any]
    distribution: str
    tolerance: float = 0.0  # [s]: what the peer rounds times to
    from_first_spike: bool = False  # whether its times count from the first spike
    older: bool = False  # whether it lies in peers/older
    faulty: tuple[str, ...] = ()  # the files that it cannot read
    fault: str = ""  # a part of what happens then
    note: str = ""


READERS: dict[str, Peer] = {}
WRITERS: dict[str, Peer] = {}


def reader(name: str, distribution: str, **known: Any) -> Callable[[Callable], Callable]:
    def register(run: Callable[[Path, Path], Clips]) -> Callable[[Path, Path], Clips]:
        READERS[name] = Peer(run, distribution, **known)
        return run

    return register


@reader("h5py", "h5py", note="the tutorial idiom of spytorch, sparch and stork")
def read_h5py(spike_file: Path, folder: Path) -> Clips:
    import h5py

    with h5py.File(spike_file, "r") as file:
        times, units, labels = file["spikes"]["times"], file["spikes"]["units"], np.array(file["labels"], dtype=int)
        rows = [(times[index], units[index]) for index in range(len(labels))]
        return flat(rows, labels, keys=file["extra"]["keys"], speakers=file["extra"]["speaker"])


@reader("PyTables", "tables")
def read_pytables(spike_file: Path, folder: Path) -> Clips:
    import tables

    with tables.open_file(str(spike_file)) as file:
        rows = zip(file.root.spikes.times, file.root.spikes.units, strict=True)
        return flat(rows, file.root.labels, keys=file.root.extra.keys, speakers=file.root.extra.speaker)


@reader(
    "tonic, older",
    "tonic",
    tolerance=1e-6,
    older=True,
    faulty=("float16",),
    fault="times differ",
    note="NumPy 2 overflows: tonic issue 321",
)
@reader("tonic", "tonic", tolerance=1e-6, note="times cut to microseconds")
def read_tonic(spike_file: Path, folder: Path) -> Clips:
    from peer_datasets import open_tonic, place_tonic

    place_tonic(spike_file, folder)
    dataset = open_tonic(folder)
    clips = [dataset[index] for index in range(len(dataset))]
    rows = [(events["t"] / 1e6, events["x"]) for events, _ in clips]
    return flat(rows, [label for _, label in clips], keys=dataset.classes, speakers=dataset.speaker)


@reader("spikingjelly, older", "spikingjelly", older=True)
@reader("spikingjelly", "spikingjelly", note="events; labels of its frames count classes sorted as text: 10 comes as 2")
def read_spikingjelly(spike_file: Path, folder: Path) -> Clips:
    from peer_datasets import open_spikingjelly, place_spikingjelly

    place_spikingjelly(spike_file, folder)
    dataset = open_spikingjelly(folder, data_type="event")
    clips = [dataset[index] for index in range(len(dataset))]
    return flat([(events["t"], events["x"]) for events, _ in clips], [label for _, label in clips])


@reader("snntorch, exported", "snntorch", tolerance=1e-6, from_first_spike=True, note="reads shd.hdf5, its own layout")
def read_snntorch(spike_file: Path, folder: Path) -> Clips:
    from peer_datasets import open_snntorch, place_snntorch

    place_snntorch(spike_file, folder)
    return snntorch_clips(open_snntorch(folder, num_steps=2000, transform=np.asarray))  # up to 2 s, as events


@reader(
    "snntorch",
    "snntorch",
    faulty=DTYPES,
    fault="object 'labels' doesn't exist",
    note="its conversion to shd.hdf5 drops all events, as in snntorch issue 285",
)
def read_snntorch_converted(spike_file: Path, folder: Path) -> Clips:
    from peer_datasets import import_torchvision, open_snntorch, place

    import_torchvision()
    from snntorch.spikevision.spikedata.shd import create_events_hdf5

    for part in ("train", "test"):
        place(spike_file, folder / f"shd_{part}.h5")
    create_events_hdf5(str(folder), str(folder / "shd.hdf5"))
    return snntorch_clips(open_snntorch(folder, num_steps=2000, transform=np.asarray))


def snntorch_clips(dataset: Any) -> Clips:
    clips = [dataset[index] for index in range(len(dataset))]
    return flat([(events[:, 0] / 1e6, events[:, 1]) for events, _ in clips], [int(label) for _, label in clips])


def write_pytables(truth: Path, spike_file: Path) -> None:
    """A file as the authors of SHD made theirs: variable-length arrays of PyTables, float16 times."""
    import tables

    clips = np.load(truth)
    cuts = np.cumsum(clips["lengths"])[:-1]
    with tables.open_file(str(spike_file), "w") as file:
        for name, column, atom in (("times", "times", tables.Float16Atom()), ("units", "units", tables.UInt16Atom())):
            rows = file.create_vlarray("/spikes", name, atom, createparents=True)
            for row in np.split(clips[column], cuts):
                rows.append(row)
        file.create_array("/", "labels", clips["labels"].astype(np.uint16))
        file.create_array("/extra", "speaker", clips["speakers"].astype(np.uint16), createparents=True)
        file.create_array("/extra", "keys", clips["keys"].astype(bytes))


WRITERS["PyTables"] = Peer(write_pytables, "tables", note="as the published files were written")


def flat(rows: Iterable[tuple[np.ndarray, np.ndarray]], labels: Any, **names: Any) -> Clips:
    times, units = zip(*((np.asarray(t, np.float64), np.asarray(u, np.int64)) for t, u in rows), strict=True)
    return {
        "times": np.concatenate(times),
        "units": np.concatenate(units),
        "lengths": np.array([len(row) for row in times]),
        "labels": np.array([int(label) for label in labels]),
    } | {name: np.array(values[:]) for name, values in names.items()}


def run(direction: str, name: str, source: str, target: str) -> None:
    """Let one peer read or write, and print how it went."""
    peer, error = (READERS if direction == "read" else WRITERS)[name], ""
    try:
        version = metadata.version(peer.distribution)
        with tempfile.TemporaryDirectory() as folder:
            if direction == "read":
                np.savez(target, **peer.run(Path(source), Path(folder)))
            else:
                peer.run(Path(source), Path(target))
    except metadata.PackageNotFoundError:
        version, error = "-", "not installed"
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}".splitlines()[0]
    print("\n" + json.dumps({"version": version, "error": error}))


if __name__ == "__main__":
    run(*sys.argv[1:])
