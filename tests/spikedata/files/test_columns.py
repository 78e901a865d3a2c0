"""The table of columns: whoever reads a file checks every row of it, and a new column is a new row."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from spikedata.encoding.merge import merge_shards
from spikedata.encoding.verify import verify_file
from spikedata.files import columns
from spikedata.files.columns import TABLE, Column
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter

GAIN = Column(name="extra/gain", field="gain", kind="numbers", dtypes=("f4",), is_sparse=True, absent=0.0, at_least=0)
SHARD = Provenance(
    package_version="0", params='{"preset": "own"}', seed=0, corpus="folder", split="by hand", run="ab", shard="1/1"
)
DRAWN = {"snr": 3.0, "level": 65.0, "speed": 0.9, "room": 0.5, "direct_to_reverberant": 5.0}
NAMED = [pytest.param(column, id=column.name) for column in TABLE]
NUMBERS = [pytest.param(column, id=column.name) for column in TABLE if column.at_least is not None]


def write(path, *, n_clips=3, mode="x", **more):
    with SpikeWriter(path, keys=["zero", "one"], provenance=SHARD, n_units=8, mode=mode) as writer:
        for index in range(n_clips):
            writer.append(
                [0.1, 0.2], [index, 7], label=index % 2, speaker=index, source=f"{index}.wav", sample_rate=8000,
                part=("train", "test")[index % 2], duration=0.5, **DRAWN, **more,
            )  # fmt: skip
        writer.note_skipped("3.wav: silent")
        writer.note_remark("1.wav: faint")
    return path


def merge(path):
    return merge_shards([path], path.parent / "merged")


def read(path):
    with SpikeFile(path) as file:
        return file.columns


READERS = [read, describe_file, verify_file, merge]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.h5")


@pytest.fixture
def with_gain(monkeypatch):
    """One row more, as whoever adds a column would write it."""
    monkeypatch.setattr(columns, "TABLE", (*TABLE, GAIN))


def put(path, column, values, dtype=None):
    with h5py.File(path, "a") as file:
        del file[column.name]
        file.create_dataset(column.name, data=values, dtype=dtype)


@pytest.mark.parametrize("reader", READERS)
def test_a_whole_file_is_taken(path, reader):
    assert reader(path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("column", NAMED)
def test_a_column_of_another_type_is_refused_by_whoever_reads(path, column, reader):
    n_entries = 3 if column.is_per_sample else 1
    wrong = np.array([b"a"] * n_entries) if column.kind == "numbers" else np.zeros(n_entries, "c8")
    put(path, column, wrong)
    with pytest.raises(FormatError, match=rf"x\.h5: '{column.name}' must hold"):
        reader(path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("column", [p for p in NAMED if p.values[0].is_per_sample and p.values[0] is not columns.TIMES])
def test_a_column_of_another_length_is_refused_by_whoever_reads(path, column, reader):
    with h5py.File(path, "a") as file:
        values = file[column.name][:2]
        del file[column.name]
        if column.kind == "rows":
            rows = file.create_dataset(column.name, (2,), h5py.vlen_dtype(np.dtype(column.dtypes[0])))
            for index, row in enumerate(values):
                rows[index] = row
        else:
            file[column.name] = values
    with pytest.raises(FormatError, match=rf"x\.h5: '{column.name}' has 2 rows, must be 3"):
        reader(path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("column", NUMBERS)
def test_a_number_out_of_range_is_refused_by_whoever_reads(path, column, reader):
    put(path, column, np.array([0, -7, 0]))
    with pytest.raises(FormatError, match=rf"x\.h5: sample 1: {column.field} -7.*, must be (in 0\.\.1|>= 0)"):
        reader(path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("column", [p for p in NAMED if p.values[0].in_files != "some"])
def test_a_column_that_must_be_there_is_missed_by_whoever_reads(path, column, reader):
    with h5py.File(path, "a") as file:
        del file[column.name]
    with pytest.raises(FormatError, match=rf"x\.h5: no dataset '{column.name}'"):
        reader(path)


@pytest.mark.parametrize("column", [p for p in NAMED if p.values[0].in_files == "some"])
def test_a_column_that_somebody_took_out_of_our_file_is_missed(path, column):
    with h5py.File(path, "a") as file:
        del file[column.name]
    with pytest.raises(FormatError, match="damaged: its digest does not match"):
        read(path)


def test_info_names_the_columns_that_a_file_has(path):
    described = describe_file(path)
    assert list(described["columns"]) == [column.name for column in TABLE]
    assert described["columns"]["labels"] == "uint16"
    assert described["columns"]["spikes/times"] == "rows of float32"
    assert "  columns     spikes/times, spikes/units, labels, " in format_description(described)


def test_one_row_of_the_table_is_a_column(tmp_path, with_gain):
    path = write(tmp_path / "x.h5", gain=0.75)
    assert read(path).numbers(GAIN).tolist() == [0.75] * 3
    assert describe_file(path)["columns"]["extra/gain"] == "float32"
    assert verify_file(path).has_checksums
    write(path, n_clips=1, mode="a")
    assert read(path).numbers(GAIN).tolist() == [0.75] * 3 + [0]
    parts = [read(part).numbers(GAIN).tolist() for part in sorted(map(tmp_path.joinpath, merge(path).outputs))]
    assert parts == [[0.75], [0.75, 0.75, 0]]


@pytest.mark.parametrize(
    ("gain", "rule"),
    [(-1.0, r"sample 0: gain -1\.0, must be >= 0"), ("long", "sample 0: gain must be a number, got 'long'"),
     (float("nan"), "gain must be a number")],
)  # fmt: skip
def test_a_new_column_is_checked_when_it_is_written(tmp_path, with_gain, gain, rule):
    with pytest.raises(ValueError, match=rule):
        write(tmp_path / "x.h5", gain=gain)


def test_a_new_column_is_checked_when_it_is_read(tmp_path, with_gain):
    path = write(tmp_path / "x.h5", gain=0.75)
    put(path, GAIN, np.array([0.75, np.nan, 0.75]))
    with pytest.raises(FormatError, match=r"sample 1: gain nan, must be >= 0"):
        read(path)
    put(path, GAIN, np.array([0.75, 0.5, 0.75]))
    with pytest.raises(FormatError, match="its digest does not match"):
        read(path)


def test_files_without_a_new_column_stay_as_they_are_and_are_read(path, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "TABLE", (*TABLE, GAIN))
    assert read(path).numbers(GAIN).tolist() == [0, 0, 0]
    assert write(tmp_path / "y.h5").read_bytes() == path.read_bytes()


def test_an_argument_without_a_column_is_refused(tmp_path):
    with pytest.raises(TypeError, match="sample 0: a spike file has no column for 'gain'"):
        write(tmp_path / "x.h5", gain=0.75)


def test_numbers_are_stored_in_the_first_type_that_holds_them_all():
    column = replace(GAIN, dtypes=("u2", "i4"))
    for values, dtype in (([], "u2"), ([0, 65535], "u2"), ([-1], "i4"), ([65536], "i4")):
        collected = column.collected()
        collected.extend(values)
        assert column.stored(collected).dtype == dtype
