"""Files in the published layout, laid out as other writers and other versions of HDF5 may lay them out."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.files.info import describe_file
from spikedata.files.reader import SpikeFile

KEYS = (b"zero", b"one")
GZIP = {"chunks": (3,), "maxshape": (None,), "compression": "gzip", "shuffle": True}
PLACES = {
    "in one piece": {},
    "in chunks": {"chunks": (3,), "maxshape": (None,)},
    "as PyTables": {"chunks": (2048,), "maxshape": (None,)},
    "compressed": GZIP,
    "by LZF": {"chunks": (3,), "maxshape": (None,), "compression": "lzf"},
    "by LZF, shuffled": {"chunks": (3,), "maxshape": (None,), "compression": "lzf", "shuffle": True},
}
LIBRARIES = ["earliest", "v108", "latest"]


def make_rows(n_rows=7, seed=0, longest=60, sort=True):
    """Rows of exact float16 times [s] and of units, some of them empty."""
    rng = np.random.default_rng(seed)
    rows = []
    for n_spikes in rng.integers(0, longest, n_rows):
        times = rng.integers(0, 1024, n_spikes) / 1024  # no float type rounds these
        rows.append((np.sort(times) if sort else times, rng.integers(0, 700, n_spikes)))
    return rows


def write_foreign(path, rows, *, times_dtype="f2", units_dtype="u2", extra=True, place=None, **file_options):
    with h5py.File(path, "w", **file_options) as file:
        for column, dtype, name in ((0, times_dtype, "times"), (1, units_dtype, "units")):
            rows_type = h5py.vlen_dtype(np.dtype(dtype))
            dataset = file.create_dataset(f"spikes/{name}", (len(rows),), rows_type, **(place or {}))
            for index, row in enumerate(rows):
                dataset[index] = row[column].astype(dtype)
        file["labels"] = np.arange(len(rows)) % 2
        if extra:
            file["extra/keys"] = np.array(KEYS)
            file["extra/speaker"] = np.arange(len(rows)) % 12
    return path


def sorted_rows(rows):
    orders = [np.argsort(times, kind="stable") for times, _ in rows]
    return [(times[order].tolist(), units[order].tolist()) for (times, units), order in zip(rows, orders, strict=True)]


def read_both_ways(path):
    """Rows as `SpikeFile` gives them one by one, and as `Events` give them; they must agree."""
    with SpikeFile(path) as file:
        single = [(sample.times.tolist(), sample.units.tolist()) for sample in file]
        whole = [(sample.times.tolist(), sample.units.tolist()) for sample in file.read_events()]
    assert single == whole
    return whole


# Layouts


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("place", PLACES)
def test_rows_may_lie_as_any_version_of_hdf5_lays_them(tmp_path, place, library):
    rows = make_rows()
    path = write_foreign(tmp_path / "x.h5", rows, place=PLACES[place], libver=library)
    assert read_both_ways(path) == sorted_rows(rows)


@pytest.mark.parametrize("place", PLACES)
def test_a_file_may_begin_with_a_block_of_the_user(tmp_path, place):
    rows = make_rows()
    path = write_foreign(tmp_path / "x.h5", rows, place=PLACES[place], userblock_size=512)
    with path.open("r+b") as file:
        file.write(b"GCOL\x01 made by hand")
    assert read_both_ways(path) == sorted_rows(rows)


def test_a_row_may_be_longer_than_a_block_of_the_heap(tmp_path):
    rows = make_rows(n_rows=3, longest=200_000)
    assert read_both_ways(write_foreign(tmp_path / "x.h5", rows)) == sorted_rows(rows)


def test_a_row_may_have_been_written_twice(tmp_path):
    rows = make_rows()
    path = write_foreign(tmp_path / "x.h5", rows)
    with h5py.File(path, "a") as file:
        for index in (0, 3, 5):
            rows[index] = (np.array([0.25, 0.5]), np.array([1, index]))
            file["spikes/times"][index], file["spikes/units"][index] = rows[index]
    assert read_both_ways(path) == sorted_rows(rows)


def test_a_file_may_have_grown_clip_by_clip(tmp_path):
    rows = make_rows(n_rows=20)
    path = write_foreign(tmp_path / "x.h5", rows[:1], place={"maxshape": (None,), "chunks": (4,)})
    for index in range(1, len(rows)):
        with h5py.File(path, "a") as file:
            for column, name in ((0, "times"), (1, "units")):
                file[f"spikes/{name}"].resize((index + 1,))
                file[f"spikes/{name}"][index] = rows[index][column]
            speakers = np.append(file["extra/speaker"][:], 1)
            del file["labels"], file["extra/speaker"]
            file["labels"], file["extra/speaker"] = np.arange(index + 1) % 2, speakers
    assert read_both_ways(path) == sorted_rows(rows)


@pytest.mark.parametrize("place", PLACES)
def test_rows_that_were_never_written_are_silent_clips(tmp_path, place):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for name, dtype in (("times", np.float32), ("units", np.uint16)):
            dataset = file.create_dataset(f"spikes/{name}", (5,), h5py.vlen_dtype(dtype), **PLACES[place])
            dataset[2] = np.array([1, 2], dtype=dtype)
        file["labels"] = np.zeros(5, dtype=np.uint8)
    assert read_both_ways(path) == [([], []), ([], []), ([1.0, 2.0], [1, 2]), ([], []), ([], [])]


def test_a_file_laid_out_by_pytables_is_read(tmp_path):
    """Groups, attributes and types as PyTables writes them; benchmarks/compat.py has PyTables itself write."""
    rows = make_rows(n_rows=9)
    path = write_foreign(tmp_path / "x.h5", rows, place=PLACES["as PyTables"], libver="earliest")
    with h5py.File(path, "a") as file:
        file["extra/meta_info/gender"] = np.array([b"male"] * 12)
        file["extra/meta_info/age"] = np.array([b"29"] * 12)
        file["extra/meta_info/body_height"] = np.array([b"180"] * 12)
        file.attrs.update(TITLE=np.bytes_(""), CLASS=np.bytes_("GROUP"), PYTABLES_FORMAT_VERSION=np.bytes_("2.1"))
        for name, kind in (("spikes/times", "VLARRAY"), ("spikes/units", "VLARRAY"), ("labels", "ARRAY")):
            file[name].attrs.update(CLASS=np.bytes_(kind), VERSION=np.bytes_("1.4"), FLAVOR=np.bytes_("numpy"))
    assert read_both_ways(path) == sorted_rows(rows)
    assert describe_file(path)["provenance"] is None


def test_what_else_is_in_a_file_does_not_matter(tmp_path):
    rows = make_rows()
    path = write_foreign(tmp_path / "x.h5", rows)
    with h5py.File(path, "a") as file:
        file["spikes/amplitudes"] = np.zeros(3)
        file["extra/notes"] = h5py.SoftLink("/nowhere")
        file["history/of/the/file"] = "by hand"
        file["spikes"].attrs["spikedata_format"] = 99
    assert read_both_ways(path) == sorted_rows(rows)


# Types


@pytest.mark.parametrize("times_dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("units_dtype", ["u1", "i1"])
def test_units_may_be_stored_in_one_byte(tmp_path, times_dtype, units_dtype):
    rows = [(times, units % 128) for times, units in make_rows()]
    path = write_foreign(tmp_path / "x.h5", rows, times_dtype=times_dtype, units_dtype=units_dtype)
    assert read_both_ways(path) == sorted_rows(rows)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u4", "i8", "u8", ">i4", ">u2"])
def test_labels_and_speakers_may_be_any_integers(tmp_path, dtype):
    path = write_foreign(tmp_path / "x.h5", make_rows())
    with h5py.File(path, "a") as file:
        for name in ("labels", "extra/speaker"):
            values = file[name][:]
            del file[name]
            file[name] = values.astype(dtype)
    with SpikeFile(path) as file:
        assert file.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
        assert file.speakers.tolist() == list(range(7))


def test_float32_times_keep_what_float16_would_round(tmp_path):
    times, units = np.array([0.1, 1.0001, 1.39999]), np.array([1, 2, 3])
    for dtype in ("f2", "f4", "f8"):
        path = write_foreign(tmp_path / f"{dtype}.h5", [(times, units)], times_dtype=dtype)
        assert read_both_ways(path)[0][0] == times.astype(dtype).astype(np.float64).tolist()


@pytest.mark.parametrize("keys", [h5py.string_dtype("ascii"), h5py.string_dtype("utf-8"), "S4", "S40"])
def test_class_names_may_be_any_kind_of_text(tmp_path, keys):
    path = write_foreign(tmp_path / "x.h5", make_rows(), extra=False)
    with h5py.File(path, "a") as file:
        file["extra/keys"] = np.array(KEYS, dtype=keys)
    with SpikeFile(path) as file:
        assert file.keys == ("zero", "one")


# What may be missing


def test_a_file_without_the_extra_group_is_read(tmp_path):
    rows = make_rows()
    path = write_foreign(tmp_path / "x.h5", rows, extra=False)
    assert read_both_ways(path) == sorted_rows(rows)
    with SpikeFile(path) as file:
        assert (file.keys, set(file.speakers.tolist())) == (("0", "1"), {-1})


def test_a_file_without_the_extra_group_is_described(tmp_path):
    description = describe_file(write_foreign(tmp_path / "x.h5", make_rows(), extra=False))
    assert (description["classes"], description["speakers"]) == ({"0": 4, "1": 3}, {})
    assert description["samples_of_unknown_speaker"] == 7


# All at once


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_rows=st.integers(1, 12),
    sort=st.booleans(),
    times_dtype=st.sampled_from(["f2", "f4", "f8"]),
    units_dtype=st.sampled_from(["u2", "i2", "u4", "i4", "u8", "i8"]),
    place=st.sampled_from(sorted(PLACES)),
    library=st.sampled_from(LIBRARIES),
    extra=st.booleans(),
)
def test_any_file_in_the_published_layout_is_read(tmp_path_factory, seed, n_rows, sort, place, library, **options):
    rows = make_rows(n_rows, seed, sort=sort)
    path = write_foreign(tmp_path_factory.mktemp("any") / "x.h5", rows, place=PLACES[place], libver=library, **options)
    assert read_both_ways(path) == sorted_rows(rows)
