import h5py
import numpy as np
import pytest

from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter

TIMES = ([0.1, 0.3], [], [0.0, 0.5, 0.5])
UNITS = ([5, 9], [], [699, 1, 0])


def write_foreign(path, times=TIMES, units=UNITS, times_dtype="f2", units_dtype="u2", drop=(), **columns):
    """A file in the published layout as others write it, with columns replaced or left out."""
    with h5py.File(path, "w") as file:
        for name, rows, dtype in (("times", times, times_dtype), ("units", units, units_dtype)):
            dataset = file.create_dataset(f"spikes/{name}", (len(rows),), h5py.vlen_dtype(np.dtype(dtype)))
            for index, row in enumerate(rows):
                dataset[index] = np.array(row, dtype=dtype)
        file["labels"] = columns.get("labels", np.array([0, 1, 1], dtype=np.uint16))
        file["extra/speaker"] = columns.get("speaker", np.array([4, 5, 4], dtype=np.uint16))
        file["extra/keys"] = columns.get("keys", np.array([b"zero", b"one"]))
        for name in drop:
            del file[name]
    return path


PROVENANCE = Provenance(package_version="0", params='{"preset": "default"}', seed=7, corpus="heidelberg_digits")


def write_ours(path, n_samples=5, provenance=None):
    rng = np.random.default_rng(0)
    with SpikeWriter(path, keys=["zero", "one"], provenance=provenance) as writer:
        for index in range(n_samples):
            times, units = np.sort(rng.random(300)), rng.integers(0, 700, 300)
            writer.append(times, units, label=index % 2, speaker=index, source=f"clip-{index}.wav", sample_rate=16000)
    return path


def read_all(path):
    with SpikeFile(path) as file:
        return file.read_events()


def test_a_file_in_the_published_layout_is_read(tmp_path):
    with SpikeFile(write_foreign(tmp_path / "x.h5")) as file:
        assert (len(file), file.keys, file.n_units, file.is_ours) == (3, ("zero", "one"), 700, False)
        assert (file.labels.tolist(), file.speakers.tolist()) == ([0, 1, 1], [4, 5, 4])
        assert (file.labels.dtype, file.speakers.dtype) == (np.int64, np.int64)
        assert (file.sources, file.sample_rates.tolist(), file.provenance) == (("", "", ""), [0, 0, 0], None)
        sample = file[2]
    assert (sample.times.tolist(), sample.units.tolist()) == ([0.0, 0.5, 0.5], [699, 1, 0])
    assert (sample.times.dtype, sample.units.dtype) == (np.float64, np.uint16)
    assert (sample.label, sample.speaker, sample.source, sample.sample_rate) == (1, 4, "", 0)


@pytest.mark.parametrize("times_dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("units_dtype", ["u2", "i2", "u4", "i4", "i8", "u8"])
def test_any_floats_and_integers_are_taken(tmp_path, times_dtype, units_dtype):
    path = write_foreign(tmp_path / "x.h5", times_dtype=times_dtype, units_dtype=units_dtype)
    events = read_all(path)
    assert (events.times.dtype, events.units.dtype) == (np.dtype(times_dtype), np.uint16)
    assert events[2].units.tolist() == [699, 1, 0]
    assert events[2].times.tolist() == [0.0, 0.5, 0.5]


def test_events_are_the_samples(tmp_path):
    with SpikeFile(write_ours(tmp_path / "x.h5")) as file:
        events = file.read_events()
        assert len(events) == len(file) == 5
        for found, expected in zip(events, file, strict=True):
            np.testing.assert_array_equal(found.times, expected.times)
            np.testing.assert_array_equal(found.units, expected.units)
            assert found[2:] == expected[2:]
        assert (events.keys, events.n_units) == (file.keys, file.n_units)


def test_events_keep_the_stored_precision(tmp_path):
    assert read_all(write_foreign(tmp_path / "x.h5")).times.dtype == np.float16


def test_unsorted_rows_are_sorted_and_ties_keep_their_order(tmp_path):
    times, units = ([0.5, 0.25, 0.5, 0.0], [0.1], [0.75, 0.5]), ([1, 2, 3, 4], [5], [6, 7])
    path = write_foreign(tmp_path / "x.h5", times=times, units=units, times_dtype="f4")
    events = read_all(path)
    with SpikeFile(path) as file:
        for sample in (file[0], events[0]):
            assert (sample.times.tolist(), sample.units.tolist()) == ([0.0, 0.25, 0.5, 0.5], [4, 2, 1, 3])
    assert events[2].units.tolist() == [7, 6]


def test_ties_of_a_long_unsorted_row_keep_their_order(tmp_path):
    path = write_foreign(tmp_path / "x.h5", times=([0.5] + [0.25] * 600, [], []), units=(range(601), [], []))
    assert read_all(path)[0].units.tolist() == [*range(1, 601), 0]


def test_class_names_are_numbers_where_the_file_has_none(tmp_path):
    with SpikeFile(write_foreign(tmp_path / "x.h5", drop=["extra/keys"], labels=np.array([0, 2, 1]))) as file:
        assert file.keys == ("0", "1", "2")


def test_speakers_are_unknown_where_the_file_has_none(tmp_path):
    assert read_all(write_foreign(tmp_path / "x.h5", drop=["extra/speaker"])).speakers.tolist() == [-1, -1, -1]


def test_class_names_may_be_variable_length_text(tmp_path):
    keys = np.array(["zero", "fünf"], dtype=h5py.string_dtype())
    with SpikeFile(write_foreign(tmp_path / "x.h5", keys=keys)) as file:
        assert file.keys == ("zero", "fünf")


def test_a_file_without_samples_is_read(tmp_path):
    events = read_all(write_ours(tmp_path / "x.h5", n_samples=0))
    assert (len(events), len(events.times)) == (0, 0)


def test_numbers_count_from_the_end_and_end_somewhere(tmp_path):
    with SpikeFile(write_ours(tmp_path / "x.h5")) as file:
        assert file[-1].source == "clip-4.wav"
        for index in (5, -6):
            with pytest.raises(IndexError):
                file[index]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": ["spikes/times"]}, r"x\.h5: no dataset 'spikes/times'"),
        ({"drop": ["spikes"]}, r"x\.h5: no dataset 'spikes/times'"),
        ({"drop": ["spikes/units"]}, r"x\.h5: no dataset 'spikes/units'"),
        ({"drop": ["labels"]}, r"x\.h5: no dataset 'labels'"),
        ({"times_dtype": "i4"}, "'spikes/times' must hold variable-length rows of floats, got int32"),
        ({"units_dtype": "f4"}, "'spikes/units' must hold variable-length rows of integers, got float32"),
        ({"units_dtype": ">i4"}, "'spikes/units' must have this machine's byte order, got >i4"),
        ({"labels": np.array([0, 1])}, "'labels' has 2 rows, must be 3"),
        ({"speaker": np.arange(4)}, "'extra/speaker' has 4 rows, must be 3"),
        ({"units": UNITS[:2]}, "'spikes/units' has 2 rows, must be 3"),
        ({"labels": np.array([0, 1, 2])}, r"x\.h5: sample 2: label 2, must be in 0\.\.1"),
        ({"labels": np.array([0, -1, 1])}, r"x\.h5: sample 1: label -1, must be in 0\.\.1"),
        ({"labels": np.array([0, -1, 1]), "drop": ["extra/keys"]}, "sample 1: label -1, must be in"),
        ({"labels": np.array([0.0, 1.0, 1.0])}, "'labels' must hold integers, got float64"),
        ({"keys": np.array([1, 2])}, "'extra/keys' must hold text, got int64"),
        ({"keys": np.array([b"\xff", b"one"])}, "'extra/keys' must hold UTF-8"),
    ],
)
def test_a_wrong_structure_is_refused_on_opening(tmp_path, changes, message):
    path = write_foreign(tmp_path / "x.h5", **changes)
    with pytest.raises(FormatError, match=message):
        SpikeFile(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ([5, 9], [], [699, 812, 0])}, r"x\.h5: sample 2: unit 812, must be < 700"),
        ({"units": ([5, 9], [], [699, -2, 0]), "units_dtype": "i4"}, "sample 2: unit -2, must be >= 0"),
        ({"units": ([5, 9], [], [699, 1])}, "sample 2: 3 times and 2 units, must agree"),
        ({"times": (TIMES[0], [], [-0.5, 0.5, 0.5])}, r"sample 2: time -0\.5 s, must be finite and >= 0"),
        ({"times": (TIMES[0], [], [0.0, np.nan, 0.5])}, "sample 2: time nan s, must be finite and >= 0"),
    ],
)
def test_a_wrong_row_is_refused_when_it_is_read(tmp_path, changes, message):
    with SpikeFile(write_foreign(tmp_path / "x.h5", **changes)) as file:
        assert len(file[0].times) == 2
        with pytest.raises(FormatError, match=message):
            file[2]
        with pytest.raises(FormatError, match=message):
            file.read_events()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.h5: no such file"):
        SpikeFile(tmp_path / "x.h5")


@pytest.mark.parametrize("content", [b"", b"spikes", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_a_file_that_is_no_hdf5_is_refused(tmp_path, content):
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.h5: not a readable HDF5 file"):
        SpikeFile(tmp_path / "x.h5")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, kept):
    content = write_ours(tmp_path / "x.h5").read_bytes()
    (tmp_path / "x.h5").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(FormatError, match=r"x\.h5: not a readable HDF5 file: truncated"):
        SpikeFile(tmp_path / "x.h5")


def test_our_file_without_its_end_marker_is_refused(tmp_path):
    with h5py.File(write_ours(tmp_path / "x.h5"), "a") as file:
        del file.attrs["spikedata_complete"]
    with pytest.raises(FormatError, match=r"x\.h5: not complete: no attribute 'spikedata_complete'"):
        SpikeFile(tmp_path / "x.h5")


def test_our_file_with_fewer_samples_than_it_had_is_refused(tmp_path):
    with h5py.File(write_ours(tmp_path / "x.h5"), "a") as file:
        file.attrs["spikedata_complete"] = 6
    with pytest.raises(FormatError, match=r"x\.h5: has 5 samples, must be 6"):
        SpikeFile(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("spikedata_n_units", 0, r"'spikedata_n_units' must be in 1\.\.65536, got 0"),
        ("spikedata_n_units", b"many", "damaged root attributes"),
        ("spikedata_version", np.bytes_(b"0.1.0"), "damaged: its digest does not match"),
        ("spikedata_seed", 7, "damaged root attributes: Provenance.params must be JSON"),
        ("spikedata_seed", [7, 8], "damaged root attributes: 'spikedata_seed' must be one text or whole number"),
    ],
)
def test_our_file_with_wrong_attributes_is_refused(tmp_path, name, value, message):
    with h5py.File(write_ours(tmp_path / "x.h5"), "a") as file:
        file.attrs[name] = value
    with pytest.raises(FormatError, match=message):
        SpikeFile(tmp_path / "x.h5")


def test_our_file_without_checksums_is_refused(tmp_path):
    with h5py.File(write_ours(tmp_path / "x.h5"), "a") as file:
        del file["extra/checksum"]
    with pytest.raises(FormatError, match="no dataset 'extra/checksum'"):
        SpikeFile(tmp_path / "x.h5")


def test_a_flipped_bit_in_a_row_is_found(tmp_path):
    path = write_ours(tmp_path / "x.h5")
    with SpikeFile(path) as file:
        row = file[3].units.tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(row) + 100] ^= 1
    path.write_bytes(content)
    with SpikeFile(path) as file:
        assert len(file[2].times) == 300
        with pytest.raises(FormatError, match=r"x\.h5: sample 3: damaged, its checksum does not match"):
            file[3]
        with pytest.raises(FormatError, match=r"x\.h5: sample 3: damaged, its checksum does not match"):
            file.read_events()


@pytest.mark.parametrize("text", [b"clip-3.wav", b"zero", b'{"preset"', b"heidelberg_digits"])
def test_a_flipped_bit_in_what_is_said_is_found(tmp_path, text):
    path = write_ours(tmp_path / "x.h5", provenance=PROVENANCE)
    content = bytearray(path.read_bytes())
    content[content.index(text) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.h5: damaged"):
        SpikeFile(path)


def test_a_swapped_label_is_found_when_the_file_is_opened(tmp_path):
    with h5py.File(write_ours(tmp_path / "x.h5"), "a") as file:
        file["labels"][4] = 1
    with pytest.raises(
        FormatError, match=r"x\.h5: damaged: its digest does not match its labels, names and provenance"
    ):
        SpikeFile(tmp_path / "x.h5")


def test_a_refused_file_is_closed(tmp_path):
    path = write_foreign(tmp_path / "x.h5", drop=["labels"])
    with pytest.raises(FormatError) as caught:
        SpikeFile(path)
    assert caught.tb  # as long as somebody holds the traceback, nothing else closes the file
    with h5py.File(path, "a") as file:  # HDF5 refuses this while a reader has the file open
        file["labels"] = np.array([0, 1, 1])
    assert len(read_all(path)) == 3


def test_rows_of_more_than_64_bits_are_refused(tmp_path):
    path = write_foreign(tmp_path / "x.h5", drop=["spikes/times"])
    with h5py.File(path, "a") as file:
        rows = file.create_dataset("spikes/times", (3,), h5py.vlen_dtype(np.longdouble))
        rows[0] = np.array([0.1], np.longdouble)
    with pytest.raises(FormatError, match="'spikes/times' must have entries of at most 64 bits, got float"):
        SpikeFile(path)


def test_a_slice_of_a_file_is_events(tmp_path):
    with SpikeFile(write_ours(tmp_path / "x.h5")) as file:
        for part in (slice(1, 3), slice(None, None, -2), slice(3, 3), slice(9)):
            events = file[part]
            assert [sample.source for sample in events] == list(file.sources)[part]
            assert [len(sample.times) for sample in events] == [len(sample.times) for sample in file][part]
        with pytest.raises(TypeError, match="an index of SpikeFile must be a whole number, got float"):
            file[0.0]


def test_samples_know_their_number_of_units_and_are_written_as_they_are_read(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=["zero"], n_units=64) as writer:
        writer.append([0.1, 0.2], [3, 63], label=0, speaker=1)
    with SpikeFile(tmp_path / "x.h5") as file, SpikeWriter(tmp_path / "y.h5", keys=["zero"], n_units=64) as writer:
        assert file[0].n_units == file.read_events()[0].n_units == 64
        writer.append(**file[0]._asdict())
    with SpikeFile(tmp_path / "x.h5") as file:
        sample = file[0]
    writer = SpikeWriter(tmp_path / "z.h5", keys=["zero"])
    with pytest.raises(ValueError, match="sample 0: n_units 64, must be 700 as in the file"), writer:
        writer.append(**sample._asdict())
