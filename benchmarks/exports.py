"""Whether the library of each export format reads back what went in, event by event.

    python benchmarks/exports.py FILE.h5 [--out FOLDER] [--only NAME,...] [--json]

Every clip must come back with its times, units, class, speaker, clip id and duration. The exit status is 1 if one does
not. Libraries that are not installed are said and skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import spikedata as sd
from spikedata.export import export_file

GRID = 0.01  # [s]


class Clip(NamedTuple):
    """A clip as a library has read it; spikes in the order of their units, those of a unit in that of time."""

    times: np.ndarray  # [s]
    units: np.ndarray
    word: str
    speaker: int
    source: str
    duration: float


@dataclass(frozen=True)
class Reader:
    """How a library reads what was exported."""

    read: Callable[[Path, Path], Iterable[Clip]]
    distribution: str
    to: str = ""  # the format; empty where the library reads the spike file itself or its events
    ending: str = ""
    tolerance: float = 0.0  # [s]
    dt: float | None = None
    note: str = ""
    needs: tuple[str, ...] = ()


READERS: dict[str, Reader] = {}


def reader(name: str, distribution: str, **known: Any) -> Callable[[Callable], Callable]:
    def register(read: Callable[[Path, Path], Iterable[Clip]]) -> Callable[[Path, Path], Iterable[Clip]]:
        READERS[name] = Reader(read, distribution, **known)
        return read

    return register


def clip_of(times: Any, units: Any, row: Any, word: str | None = None) -> Clip:
    """A clip of its spikes and of the row of its metadata, by the names that all tables of an export have."""
    times, units = np.asarray(times, np.float64), np.asarray(units, np.int64)
    order = np.lexsort((times, units))
    said = (int(row["speaker"]), str(row["source"]), float(row["duration"]))
    return Clip(times[order], units[order], str(row["class_name"]) if word is None else word, *said)


def require(is_so: bool, what: str) -> None:
    if not is_so:
        raise ValueError(what)


def read_table(folder: Path) -> Any:
    import pandas as pd

    options = {"keep_default_na": False, "float_precision": "round_trip"}  # a class may be named "null"
    return pd.read_csv(folder / "clips.csv", **options).to_dict("records")


@reader("npz", "numpy", to="npz", ending=".npz")
def read_npz(path: Path, folder: Path) -> Iterable[Clip]:
    with np.load(path) as file:
        d = dict(file)
    for index, (first, last) in enumerate(zip(d["offsets"][:-1], d["offsets"][1:], strict=True)):
        row = {name: d[f"{name}s"][index] for name in ("speaker", "source", "duration")}
        yield clip_of(d["times"][first:last], d["units"][first:last], row, str(d["class_names"][d["labels"][index]]))


@reader("csv", "pandas", to="csv")
def read_csv(path: Path, folder: Path) -> Iterable[Clip]:
    import pandas as pd

    spikes = pd.read_csv(path / "spikes.csv", float_precision="round_trip")
    of_clip = dict(list(spikes.groupby("clip")))
    for row in read_table(path):
        found = of_clip.get(row["clip"], spikes[:0])
        yield clip_of(found["time"], found["unit"], row)


@reader("parquet", "datasets", to="parquet", ending=".parquet", note="label is a ClassLabel with its names")
def read_parquet(path: Path, folder: Path) -> Iterable[Clip]:
    dataset = load_dataset("parquet", path, folder)
    for row in dataset:
        yield clip_of(row["times"], row["units"], row, dataset.features["label"].int2str(row["label"]))


@reader("parquet, pandas", "pandas", to="parquet", ending=".parquet", needs=("pyarrow",))
def read_pandas(path: Path, folder: Path) -> Iterable[Clip]:
    import pandas as pd
    import pyarrow.parquet

    names = json.loads(pyarrow.parquet.read_schema(path).metadata[b"spikedata"])["class_names"]
    for row in pd.read_parquet(path).to_dict("records"):
        yield clip_of(row["times"], row["units"], row, names[row["label"]])


@reader("our .h5", "datasets", note='`load_dataset("hdf5", features=...)`')
def read_hdf5(path: Path, folder: Path) -> Iterable[Clip]:
    import h5py
    from datasets import ClassLabel, Features, List, Value

    with h5py.File(path) as file:
        names = [name.decode() for name in file["extra/keys"]]
        dtypes = {name: str(file[f"extra/{name}"].dtype) for name in ("speaker", "duration") if name in file["extra"]}
        times = str(h5py.check_vlen_dtype(file["spikes/times"].dtype))
    features = Features(
        {
            "spikes": {"times": List(Value(times)), "units": List(Value("uint16"))},
            "labels": ClassLabel(names=names),
            "extra": {"source": Value("string")} | {name: Value(dtype) for name, dtype in dtypes.items()},
        }
    )
    for row in load_dataset("hdf5", path, folder, features=features):
        said = {"duration": 0.0} | row["extra"]
        yield clip_of(row["spikes"]["times"], row["spikes"]["units"], said, names[row["labels"]])


def load_dataset(kind: str, path: Path, folder: Path, **options: Any) -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(folder), **options)


@reader("aer", "tonic", to="aer", tolerance=0.501e-6, needs=("dv-processing", "aedat"), note="AEDAT 4, microseconds")
def read_aedat4(path: Path, folder: Path) -> Iterable[Clip]:
    from tonic.io import read_aedat4

    for row in read_table(path):
        events = read_aedat4(str(path / row["file"])) if row["file"] else {"t": [], "x": []}
        yield clip_of(np.asarray(events["t"]) / 1e6, events["x"], row)


@reader("neo, NIX", "neo", to="neo", ending=".nix", needs=("nixio",))
def read_nix(path: Path, folder: Path) -> Iterable[Clip]:
    import neo

    with neo.io.NixIO(str(path), "ro") as file:
        block = file.read_block()
    for segment in block.segments:
        (train,) = segment.spiketrains
        end = max(segment.annotations["duration"], train.magnitude.max(initial=0))
        require(float(train.t_stop) == end, f"t_stop is {train.t_stop}, must be {end}")
        yield clip_of(train.rescale("s").magnitude, train.array_annotations["unit"], segment.annotations)


@reader("neo, NWB", "pynwb", to="neo", ending=".nwb", tolerance=1e-9, note="times to 1 ns; it validates")
def read_nwb(path: Path, folder: Path) -> Iterable[Clip]:
    import pynwb

    faults = pynwb.validate(path=str(path))
    require(not faults, f"not valid: {faults}")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        trains = [file.units[unit, "spike_times"][:] for unit in range(len(file.units))]
        trials = file.trials.to_dataframe().to_dict("records")
    times, units = np.concatenate(trains), np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    for row in trials:
        within = (times >= row["start_time"]) & (times <= row["stop_time"])
        yield clip_of(times[within] - row["start_time"], units[within], row)


@reader("neo in memory", "elephant", note="mean rates by Elephant are those of the counts")
def read_elephant(path: Path, folder: Path) -> Iterable[Clip]:
    from elephant.statistics import mean_firing_rate

    for segment in sd.export.neo_block(path).segments:
        trains = segment.spiketrains
        for train in trains if segment.annotations["n_spikes"] else []:  # a clip may be known to last 0 s
            rate = float(mean_firing_rate(train))
            require(np.isclose(rate, len(train) / float(train.t_stop)), f"mean rate {rate}")
        units = np.repeat([train.annotations["unit"] for train in trains], [len(train) for train in trains])
        yield clip_of(np.concatenate([train.magnitude for train in trains]), units, segment.annotations)


@reader("nir-data", "nir", to="nir-data")
def read_nir(path: Path, folder: Path) -> Iterable[Clip]:
    import nir

    data = nir.read_data(str(path / "data.nir")).nodes["input"].observables["spikes"]
    grid = data.to_time_gridded(GRID)  # the reader's own conversion must not run out of steps
    require(grid.n_time_steps == round(data.t_max / GRID), f"{grid.n_time_steps} steps")
    for row, units, times in zip(read_table(path), data.idx, data.time, strict=True):
        yield clip_of(times[units >= 0], units[units >= 0], row)


@reader("nir-data, grid", "nir", to="nir-data", dt=GRID, note=f"steps of {GRID * 1000:g} ms")
def read_nir_grid(path: Path, folder: Path) -> Iterable[Clip]:
    import nir

    data = nir.read_data(str(path / "data.nir")).nodes["input"].observables["spikes"]
    for row, grid in zip(read_table(path), data.data, strict=True):
        steps, units = np.nonzero(grid)
        yield clip_of(steps * data.dt, units, row)


def read_ours(path: Path, dt: float | None = None) -> list[Clip]:
    """The clips of the spike file; on a grid, a unit's spikes of a step are one at its beginning."""
    clips = []
    with sd.SpikeFile(path) as file:
        for sample in file:
            row = {"duration": 0.0} | sample._asdict()
            times, units = sample.times, sample.units
            if dt is not None:
                pairs = np.unique(np.stack([sd.events.steps_of(times, dt=dt), units.astype(np.int64)]), axis=1)
                times, units = pairs[0] * dt, pairs[1]
            clips.append(clip_of(times, units, row, file.keys[sample.label]))
    return clips


def difference(found: list[Clip], truth: list[Clip], tolerance: float) -> str:
    """The first thing that is not as it went in; nothing where all is."""
    if len(found) != len(truth):
        return f"{len(found)} clips, must be {len(truth)}"
    for index, (one, other) in enumerate(zip(found, truth, strict=True)):
        if one[2:] != other[2:]:
            return f"clip {index}: {one[2:]}, must be {other[2:]}"
        if not np.array_equal(one.units, other.units):
            return f"clip {index}: {len(one.units)} spikes of other units than the {len(other.units)} that went in"
        if len(one.times) and np.abs(one.times - other.times).max() > tolerance:
            return f"clip {index}: times differ by up to {np.abs(one.times - other.times).max():.3g} s"
    return ""


def check(name: str, path: Path, folder: Path) -> dict[str, Any]:
    """Export a file, let the library read it, and compare."""
    known = READERS[name]
    row: dict[str, Any] = {"export": name, "read by": known.distribution, "note": known.note}
    try:
        versions = [metadata.version(one) for one in (known.distribution, *known.needs)]
    except metadata.PackageNotFoundError as error:
        return row | {"version": "-", "clips": "-", "spikes": "-", "outcome": f"{error.name} is not installed"}
    row["version"] = ", ".join([versions[0], *map(" ".join, zip(known.needs, versions[1:], strict=True))])
    out = folder / f"{''.join(filter(str.isalnum, name))}{known.ending}"
    if known.to:
        export_file(path, out, to=known.to, dt=known.dt, overwrite=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries
        found = list(known.read(out if known.to else path, folder / "cache"))
    fault = difference(found, read_ours(path, known.dt), known.tolerance)
    n_spikes = sum(len(clip.times) for clip in found)
    return row | {"clips": len(found), "spikes": n_spikes, "outcome": f"FAILED: {fault}" if fault else "all equal"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="spike file")
    parser.add_argument("--out", metavar="FOLDER", help="keep the exports here")
    parser.add_argument("--only", metavar="NAME,...", help="those whose names begin so")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    chosen = tuple(arguments.only.split(",")) if arguments.only else ("",)
    with nullcontext(arguments.out) if arguments.out else tempfile.TemporaryDirectory() as name:
        Path(name).mkdir(parents=True, exist_ok=True)
        rows = [check(one, arguments.file, Path(name)) for one in READERS if one.startswith(chosen)]
    if arguments.json:
        print(json.dumps({"file": str(arguments.file), "exports": rows}, indent=2))
    else:
        columns = ("export", "read by", "version", "clips", "spikes", "outcome", "note")
        lines = [columns, ["---"] * len(columns), *([f"{row[name]}" for name in columns] for row in rows)]
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return int(any(str(row["outcome"]).startswith("FAILED") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
