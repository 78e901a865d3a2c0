"""Every format is read back by its library with all that went in; bad input gets one line."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest

import spikedata as sd
from spikedata.cli import main
from spikedata.events import Events
from spikedata.export import FORMATS, export_file, neo_block, to_csv, to_npz, to_parquet

NAMES = (
    "npz", "csv", "parquet", "parquet, pandas", "our .h5", "aer", "neo, NIX", "neo, NWB", "neo in memory", "nir-data",
    "nir-data, grid",
)  # fmt: skip
IMPORTED = {"dv-processing": "dv_processing"}


def require(exports: ModuleType, name: str) -> None:
    """Skip where a library is not installed."""
    for distribution in (exports.READERS[name].distribution, *exports.READERS[name].needs):
        try:
            metadata.version(distribution)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{distribution} is not installed")


def test_every_format_has_a_library_that_reads_it(exports: ModuleType) -> None:
    assert tuple(exports.READERS) == NAMES
    assert {known.to for known in exports.READERS.values()} - {""} == set(FORMATS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("default")  # of the libraries
def test_its_library_reads_everything_back(
    name: str, exports: ModuleType, hard: Callable[..., Path], tmp_path: Path
) -> None:
    require(exports, name)
    found = exports.check(name, hard(), tmp_path)

    assert (found["outcome"], found["clips"]) == ("all equal", 5)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in ("npz", "csv") else pytest.mark.slow) for one in NAMES]
)
@pytest.mark.parametrize(("dtype", "n_units"), [("float16", 700), ("float64", 1_000)])
@pytest.mark.filterwarnings("default")
def test_its_library_reads_times_of_every_type_and_any_number_of_units(
    name: str, dtype: str, n_units: int, exports: ModuleType, hard: Callable[..., Path], tmp_path: Path
) -> None:
    require(exports, name)
    found = exports.check(name, hard(dtype=dtype, n_units=n_units), tmp_path)

    assert (found["outcome"], found["clips"]) == ("all equal", 5)


@pytest.mark.parametrize("to", [name for name in FORMATS if name not in ("neo", "aer")])
def test_events_give_the_same_as_their_file(to: str, hard: Callable[..., Path], tmp_path: Path) -> None:
    path = hard(provenance=False)
    with sd.SpikeFile(path) as file:
        events = file.read_events()
    writer = {"npz": to_npz, "csv": to_csv, "parquet": to_parquet, "nir-data": sd.export.to_nir_data}[to]

    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    name = f"x.{to}"  # no matter of which a folder is called
    assert writer(events, tmp_path / "1" / name).spikes == writer(path, tmp_path / "2" / name).spikes == 348
    written = [sorted(p for p in (tmp_path / one).rglob("*") if p.is_file()) for one in "12"]
    assert [p.name for p in written[0]] == [p.name for p in written[1]]
    if to != "nir-data":  # its library writes the time into its file
        assert [p.read_bytes() for p in written[0]] == [p.read_bytes() for p in written[1]]


def test_chosen_clips_keep_their_numbers(hard: Callable[..., Path], tmp_path: Path) -> None:
    done = to_npz(hard(), tmp_path / "x.npz", clips=[0, 3])

    with np.load(tmp_path / "x.npz") as made:
        assert made["clips"].tolist() == [0, 3]
        assert made["offsets"].tolist() == [0, 40, 340]
        assert len(made["times"]) == done.spikes == 340
    with sd.SpikeFile(hard()) as file:
        selection = sd.events.Selection(file.read_events(), np.array([3, 0]))
    assert to_npz(selection, tmp_path / "y.npz").spikes == 340


def test_unsorted_events_are_sorted(hard: Callable[..., Path], tmp_path: Path) -> None:
    with sd.SpikeFile(hard(provenance=False)) as file:
        events = file.read_events()
    order = np.concatenate(
        [np.arange(b)[a:][::-1] for a, b in zip(events.offsets[:-1], events.offsets[1:], strict=True)]
    )
    backward = events.changed(times=events.times[order], units=events.units[order], is_sorted=False)
    to_npz(backward, tmp_path / "x.npz")

    with np.load(tmp_path / "x.npz") as made:
        assert np.array_equal(made["times"], events.times)


def test_the_class_of_clips_without_spikes_is_kept_in_tables(hard: Callable[..., Path], tmp_path: Path) -> None:
    to_csv(hard(), tmp_path / "x")
    said = json.loads((tmp_path / "x" / "about.json").read_text("utf-8"))

    assert said["class_names"][1] == "fünf\n五"
    assert said["class_names"][-1] == "unused"
    assert (said["n_units"], said["provenance"]["seed"]) == (40, 3)
    assert said["files"] == ["clips.csv", "spikes.csv"]


@pytest.mark.filterwarnings("default")
def test_the_trains_of_neo_end_with_their_clip_and_may_leave_silent_units_out(hard: Callable[..., Path]) -> None:
    pytest.importorskip("neo")
    block = neo_block(hard(), silent=False)

    ends = [{round(float(train.t_stop), 6) for train in segment.spiketrains} for segment in block.segments]
    assert ends == [{1.25}, set(), {0.98}, {0.98}, {0.98}]  # no spikes, no trains
    assert block.annotations["class_names"][2] == "null"
    assert len(neo_block(hard(), clips=[2]).segments[0].spiketrains) == 40


@pytest.mark.parametrize("to", FORMATS)
def test_what_exists_is_replaced_if_asked_alone(to: str, hard: Callable[..., Path], tmp_path: Path) -> None:
    if to == "aer":
        pytest.importorskip("dv_processing")
    out = tmp_path / ("x.nix" if to == "neo" else f"x.{to}")
    export_file(hard(), out, to=to)
    before = sorted(p.name for p in tmp_path.rglob("*"))

    with pytest.raises(OSError, match="exists already, will not replace it"):
        export_file(hard(), out, to=to)
    export_file(hard(), out, to=to, overwrite=True)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before  # and nothing half-written is left


def test_a_folder_with_other_files_is_never_replaced(hard: Callable[..., Path], tmp_path: Path) -> None:
    to_csv(hard(), tmp_path / "x")
    (tmp_path / "x" / "thesis.txt").write_text("mine")

    with pytest.raises(OSError, match=r"'thesis.txt' is not part of an export"):
        to_csv(hard(), tmp_path / "x", overwrite=True)
    (tmp_path / "y").write_text("mine")
    with pytest.raises(OSError, match="is a file, must be a folder"):
        to_csv(hard(), tmp_path / "y", overwrite=True)


def test_a_failure_leaves_the_earlier_export_alone(
    hard: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_csv(hard(), tmp_path / "x")
    before = {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}

    def stop(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spikedata.export.tables.write_clips", stop)
    with pytest.raises(OSError, match="x: cannot be written: No space left on device"):
        to_csv(hard(), tmp_path / "x", overwrite=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()} == before
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("to", "name"), [("aer", "x"), ("neo", "x.nix"), ("neo", "x.nwb")])
def test_a_full_disk_is_found_before_a_library_writes_that_would_crash(
    to: str, name: str, hard: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dv_processing" if to == "aer" else "neo")
    path = hard()

    def refuse(descriptor: int, offset: int, n_bytes: int) -> None:
        assert n_bytes > 2**17
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with pytest.raises(OSError, match=rf"{name}: cannot be written: No space left on device"):
        export_file(path, tmp_path / name, to=to)
    assert [path.name for path in tmp_path.iterdir()] == ["hard.h5"]


BAD = [
    (["{file}", "--to", "matlab"], 2, "--to: must be one of npz, csv, parquet, aer, neo, nir-data, nir, got 'matlab'"),
    (["none.h5", "--to", "npz"], 1, "none.h5"),
    (["{file}", "--to", "npz", "--out", "no/x.npz"], 5, "no folder"),
    (["{file}", "--to", "csv", "--out", "no/x"], 5, "no folder"),
    (["{file}", "--to", "neo", "--out", "x.mat"], 1, "x.mat: must end in .nix or .nwb"),
    (["{file}", "--to", "npz", "--out", "{file}", "--overwrite"], 1, "hard.h5: must end in .npz"),
    (["{file}", "--to", "parquet", "--out", "x.csv"], 1, "x.csv: must end in .parquet"),
    (["{file}", "--to", "npz", "--dt", "0.01"], 1, "only the format nir-data has steps"),
    (["{file}", "--to", "nir-data", "--dt", "0"], 2, "must be a number of seconds above 0, got '0'"),
    (["{file}", "--to", "npz", "--part", "train"], 1, "name a split that does: --split by_speaker"),
    (["{file}", "--to", "npz", "--split", "by_speaker"], 1, "as train, got split 'by_speaker' alone"),
    (["{empty}", "--to", "npz"], 1, "empty.h5: has no clips, nothing to export"),
    (["{nothing}", "--to", "npz"], 3, "nothing.h5"),
]


@pytest.mark.parametrize(("words", "status", "line"), BAD, ids=[" ".join(words) for words, _, _ in BAD])
def test_bad_input_gets_one_line(
    words: list[str],
    status: int,
    line: str,
    hard: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with sd.SpikeWriter(tmp_path / "empty.h5", keys=["a"]):
        pass
    (tmp_path / "nothing.h5").touch()
    places = {"file": str(hard()), "empty": "empty.h5", "nothing": "nothing.h5"}
    before = sorted(tmp_path.iterdir())

    try:
        found = main(["export", *(word.format(**places) for word in words)])
    except SystemExit as end:  # of argparse, with the usage above the line
        found = end.code
    error = capsys.readouterr().err
    assert found == status
    assert line in error.splitlines()[-1]
    assert status == 2 or error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("clips", "line"), [([3, 0], "must rise"), ([9], "within 0..4"), ([], "no clip was chosen")])
def test_clips_that_do_not_exist_are_refused(
    clips: list[int], line: str, hard: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=line):
        to_npz(hard(), tmp_path / "x.npz", clips=clips)
    with pytest.raises(TypeError, match="must be a spike file or Events, got dict"):
        to_npz({}, tmp_path / "x.npz")
    pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"got SpikeDataset; give its \.events"):
        to_npz(sd.SpikeDataset(hard()), tmp_path / "x.npz")


def test_a_unit_beyond_the_largest_address_is_refused(hard: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("dv_processing")
    with pytest.raises(ValueError, match=r"hard.h5: unit 39999, must be <= 32767, the largest address in AEDAT 4"):
        export_file(hard(n_units=40_000), tmp_path / "x", to="aer")


def test_files_by_others_are_exported_without_speakers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, dtype, row in (("times", "f4", [0.1, 0.2]), ("units", "u2", [3, 4])):
            rows = file.create_dataset(f"spikes/{name}", (2,), h5py.vlen_dtype(np.dtype(dtype)))
            rows[0], rows[1] = np.array(row, dtype), np.array(row[:0], dtype)
        file["labels"] = np.array([0, 1], "u2")
    assert main(["export", str(tmp_path / "x.h5"), "--to", "csv", "-q"]) == 0

    lines = (tmp_path / "x_csv" / "clips.csv").read_text().splitlines()
    assert lines[1:] == ["0,0,0,-1,,0,0.0,2", "1,1,1,-1,,0,0.0,0"]


@pytest.mark.parametrize("dtype", ["f8", "i4"])
@pytest.mark.parametrize("unit", ["ms", "samples@16000"])
def test_times_that_are_likely_not_in_seconds_are_not_exported_as_seconds(
    unit: str, dtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = np.sort(np.random.default_rng(0).uniform(0, 0.8, (3, 50)))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, stored, of_clip in (
            ("times", dtype, np.rint(seconds * {"ms": 1e3}.get(unit, 16e3))),
            ("units", "u2", np.full((3, 50), 899)),
        ):
            rows = file.create_dataset(f"spikes/{name}", (3,), h5py.vlen_dtype(np.dtype(stored)))
            for index, row in enumerate(of_clip.astype(stored)):
                rows[index] = row
        file["labels"] = np.array([0, 1, 1], "u2")
    words = [str(tmp_path / "x.h5"), "--units", "900"]

    for command in (["export", *words, "--to", "npz"], ["card", *words]):
        assert main(command) == (1 if dtype == "f8" else 3)
        line = capsys.readouterr().err
        assert ("times look like milliseconds" if dtype == "f8" else "say what they count") in line
        assert "--time-unit ms" in line
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert main(["export", *words, "--to", "npz", "--time-unit", unit, "-q"]) == 0
    with np.load(tmp_path / "x.npz") as made:
        assert np.abs(made["times"].reshape(3, 50) - seconds).max() < 1e-3
        assert made["n_units"] == 900
    assert main(["card", *words, "--time-unit", unit, "-q"]) == 0
    assert f"In x.h5 itself, times are in {unit}." in (tmp_path / "README.md").read_text()


def test_a_part_of_a_split_is_exported(
    make_events: Callable[..., Events], write_spikes: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_spikes(make_events())
    words = ["export", str(path), "--to", "npz", "--part", "test", "--split", "by_speaker", "--json"]
    assert main(words) == 0

    done = json.loads(capsys.readouterr().out)
    assert done == {
        "file": str(path.with_name("spikes_test.npz")),
        "format": "npz",
        "clips": 15,
        "spikes": 720,
        "notes": [],
    }
    with np.load(done["file"]) as made:
        assert len(set(made["speakers"].tolist())) == 1
    assert main([*words[:5], "nowhere", *words[6:]]) == 1
    assert "part must be one of train, validation, test, got 'nowhere'" in capsys.readouterr().err


def test_a_shard_is_exported_with_the_part_of_each_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sd.SpikeWriter(tmp_path / "x.h5", keys=["a"]) as writer:
        for part in ("train", "test", "train"):
            writer.append([0.1], [5], label=0, speaker=0, part=part)
    assert main(["export", str(tmp_path / "x.h5"), "--to", "csv", "--part", "train", "-q"]) == 0

    lines = (tmp_path / "x_train_csv" / "clips.csv").read_text().splitlines()
    assert [line.rpartition(",")[2] for line in lines] == ["part", "train", "train"]
    assert main(["export", str(tmp_path / "x.h5"), "--to", "npz", "--part", "valid"]) == 1
    assert "part must be one of test, train, got 'valid'" in capsys.readouterr().err
    # `info` calls these parts the split "listed", and `train` takes them by that name
    assert main(["export", str(tmp_path / "x.h5"), "--to", "npz", "--part", "test", "--split", "listed", "-q"]) == 0
    with np.load(tmp_path / "x_test.npz") as made:
        assert made["clips"].tolist() == [1]


MISSING = [("parquet", "pyarrow"), ("aer", "dv_processing"), ("neo", "neo"), ("neo", "nixio"), ("nir-data", "nir")]


@pytest.mark.parametrize(("to", "library"), MISSING)
def test_a_missing_library_is_named_with_its_extra(
    to: str,
    library: str,
    hard: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if library == "nixio":
        pytest.importorskip("neo")
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr("spikedata.cli.doctor.extra_of", {library: "export"}.get)

    assert main(["export", str(hard()), "--to", to]) == 1
    line = capsys.readouterr().err
    assert line == f"spikedata: {library} is not installed: pip install 'spikedata-audio[export]'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["hard.h5"]


def test_a_system_without_a_writer_of_aedat_is_said(
    hard: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hard()
    monkeypatch.setitem(sys.modules, "dv_processing", None)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        with pytest.raises(OSError, match="dv-processing, which has no packages for darwin"):
            export_file(path, tmp_path / "x", to="aer")


def test_importing_the_room_loads_no_library() -> None:
    code = (
        "import sys, spikedata.export; print(*{'pyarrow', 'neo', 'nir', 'pynwb', 'dv_processing'} & sys.modules.keys())"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("to", ["npz", "csv"])
def test_an_export_tells_how_many_clips_are_read(to: str, hard: Callable[..., Path], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    export_file(hard(), tmp_path / f"x.{to}", to=to, on_progress=lambda *now: told.append(now))
    assert told[0] == (0, 5)
    assert told[-1] == (5, 5)


def test_a_card_and_a_description_tell_how_many_clips_are_read(hard: Callable[..., Path], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    sd.export.write_data_card(hard(), tmp_path, on_progress=lambda *now: told.append(now))
    assert told == [(0, 5), (5, 5)]
