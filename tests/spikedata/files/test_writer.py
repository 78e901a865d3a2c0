import contextlib
import gc
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikedata.disk import OutputError
from spikedata.events import Sample
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter

KEYS = ["zero", "one", "fünf"]
PROVENANCE = Provenance(package_version="0.1.0", params='{"n_places": 3500}', seed=7, corpus="heidelberg_digits")

KILLED_WHILE_WRITING = """
import os, signal, sys
from spikedata import SpikeWriter
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
writer = SpikeWriter(sys.argv[1], keys=["zero"], mode="w")
for _ in range(50):
    writer.append([0.5] * 1000, [3] * 1000, label=0, speaker=0)
writer.close()
"""

WRITES_MUCH = """
import resource, sys
from spikedata.files.writer import SpikeWriter
from spikedata.disk import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with SpikeWriter(sys.argv[1], keys=["zero"], times_dtype="float64") as writer:
        for _ in range(2500):
            writer.append([0.5] * 1000, [3] * 1000, label=0, speaker=0)
except OutputError as error:
    print(error)
"""


def write_words(path, n=3, **options):
    """A file of ``n`` clips, the second of which is silent."""
    rng = np.random.default_rng(0)
    with SpikeWriter(path, **({"keys": KEYS} | options)) as writer:
        for index in range(n):
            n_spikes = 0 if index == 1 else 20 + index
            times, units = np.sort(rng.random(n_spikes)), rng.integers(0, 700, n_spikes)
            writer.append(times, units, label=index % 3, speaker=index, source=f"{index}.wav", sample_rate=48000)


def rows_of(path):
    with SpikeFile(path) as file:
        return [(s.times.tolist(), s.units.tolist(), s.label, s.speaker, s.source, s.sample_rate) for s in file]


def test_samples_come_back_as_they_were_appended(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS, times_dtype="float64", provenance=PROVENANCE) as writer:
        writer.append([0.1, 0.1, 0.3], [5, 4, 699], label=2, speaker=3, source="ü.wav", sample_rate=16000)
        writer.append([], [], label=0, speaker=11)
        assert len(writer) == 2
    assert rows_of(tmp_path / "x.h5") == [
        ([0.1, 0.1, 0.3], [5, 4, 699], 2, 3, "ü.wav", 16000),
        ([], [], 0, 11, "", 0),
    ]
    with SpikeFile(tmp_path / "x.h5") as file:
        assert (file.keys, file.n_units, file.provenance) == (tuple(KEYS), 700, PROVENANCE)


clips = st.lists(
    st.tuples(
        arrays(np.float32, st.integers(0, 8), elements=st.floats(0, 100, width=32)),
        st.integers(0, 2),
        st.integers(0, 2**16 - 1),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    ),
    max_size=5,
)


@settings(max_examples=30, deadline=None)
@given(clips=clips, seed=st.integers(0, 2**32))
def test_any_clips_come_back(tmp_path_factory, clips, seed):
    path = tmp_path_factory.mktemp("any") / "x.h5"
    rng = np.random.default_rng(seed)
    expected = []
    with SpikeWriter(path, keys=KEYS, n_units=2**16) as writer:
        for times, label, speaker, source in clips:
            units = rng.integers(0, 2**16, len(times), dtype=np.uint16)
            writer.append(np.sort(times), units, label=label, speaker=speaker, source=source)
            expected.append((np.sort(times).tolist(), units.tolist(), label, speaker, source, 0))
    assert rows_of(path) == expected


def test_plain_h5py_reads_it_as_it_reads_shd(tmp_path):
    write_words(tmp_path / "x.h5", times_dtype="float16")
    with h5py.File(tmp_path / "x.h5") as file:
        times, units, labels = file["spikes"]["times"], file["spikes"]["units"], np.array(file["labels"], dtype=int)
        assert (len(times), len(units), labels.tolist()) == (3, 3, [0, 1, 2])
        assert (times[0].dtype, units[0].dtype, times[0].shape) == (np.float16, np.uint16, (20,))
        assert np.digitize(times[2], np.linspace(0, 1.4, 100)).shape == units[2].shape
        assert [key.decode() for key in file["extra"]["keys"]] == KEYS
        assert file["extra"]["speaker"][:].tolist() == [0, 1, 2]
        assert {file[name].dtype.name for name in ("labels", "extra/speaker")} == {"uint16"}


def test_rows_are_stored_so_that_pytables_can_read_them(tmp_path):
    write_words(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        for name in ("spikes/times", "spikes/units"):
            assert file[name].maxshape == (None,)
            assert file[name].chunks == (1024,)


def test_pytables_reads_it(tmp_path):
    tables = pytest.importorskip("tables", reason="PyTables is not installed")
    write_words(tmp_path / "x.h5", provenance=PROVENANCE)
    with tables.open_file(str(tmp_path / "x.h5")) as file:
        assert len(file.root.spikes.times[0]) == len(file.root.spikes.units[0]) == 20
        assert file.root.labels[:].tolist() == [0, 1, 2]
        assert [key.decode() for key in file.root.extra.keys[:]] == KEYS
        assert file.root.extra.source[2] == b"2.wav"
        assert file.root.extra.checksum[:].dtype == np.uint64


def test_equal_clips_give_equal_bytes_at_another_time(tmp_path):
    write_words(tmp_path / "a.h5", provenance=PROVENANCE)
    time.sleep(1.1)  # HDF5 stamps whole seconds, where it stamps
    write_words(tmp_path / "b.h5", provenance=PROVENANCE)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_nothing_is_there_before_the_writer_is_closed(tmp_path):
    writer = SpikeWriter(tmp_path / "x.h5", keys=KEYS)
    writer.append([0.1], [1], label=0, speaker=0)
    assert list(tmp_path.iterdir()) == []
    writer.close()
    writer.close()
    assert len(rows_of(tmp_path / "x.h5")) == 1


def test_an_exception_discards_everything(tmp_path):
    writer = SpikeWriter(tmp_path / "x.h5", keys=KEYS)
    with contextlib.suppress(KeyboardInterrupt), writer:
        writer.append([0.1], [1], label=0, speaker=0)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"x\.h5: the writer is closed"):
        writer.append([0.1], [1], label=0, speaker=0)


def test_a_closed_writer_refuses_clips(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS) as writer:
        pass
    with pytest.raises(ValueError, match=r"x\.h5: the writer is closed"):
        writer.append([0.1], [1], label=0, speaker=0)
    assert rows_of(tmp_path / "x.h5") == []


def test_a_disk_that_fails_when_bytes_are_brought_there_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    writer = SpikeWriter(tmp_path / "x.h5", keys=KEYS)
    writer.append([0.1], [1], label=0, speaker=0)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="sizes of files are limited as on POSIX")
@pytest.mark.parametrize("limit", [100_000, 3_000_000, 20_000_000])  # [byte]: at once, in the first rows, in later ones
@pytest.mark.parametrize("has_fallocate", [True, False])
def test_a_full_disk_ends_in_one_line_and_leaves_nothing(tmp_path, limit, has_fallocate):
    # in a process of its own: libhdf5 used to take the whole process with it
    program = WRITES_MUCH if has_fallocate else f"import os; os.__dict__.pop('posix_fallocate', None){WRITES_MUCH}"
    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "x.h5", str(limit)], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "x.h5: cannot be written: File too large" in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_nobody_closes_leaves_nothing(tmp_path):
    writer = SpikeWriter(tmp_path / "x.h5", keys=KEYS)
    for _ in range(1100):  # more than waits in memory
        writer.append([0.1], [1], label=0, speaker=0)
    assert len(list(tmp_path.iterdir())) == 1
    del writer
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_many_clips_come_back_in_their_order(tmp_path):
    n_clips = 2500  # more than twice what waits in memory
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS) as writer:
        for index in range(n_clips):
            writer.append([index] * (index % 3), [index % 700] * (index % 3), label=0, speaker=index)
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.speakers.tolist() == list(range(n_clips))
        events = file.read_events()
        assert np.diff(events.offsets).tolist() == [index % 3 for index in range(n_clips)]
        assert events.times.tolist() == [index for index in range(n_clips) for _ in range(index % 3)]


def test_a_file_says_which_recordings_were_left_out(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS) as writer:
        writer.append([0.1], [1], label=0, speaker=0)
        writer.note_skipped("b.wav: silent\nall the time")
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.skipped == ("b.wav: silent all the time",)


def test_a_file_says_which_part_a_clip_belongs_to(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS) as writer:
        for part in ("train", "test"):
            writer.append([0.1], [1], label=0, speaker=0, part=part)
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.parts == ("train", "test")


def test_a_file_may_be_made_in_another_folder(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    writer = SpikeWriter(tmp_path / "x.h5", keys=KEYS, scratch=scratch)
    for _ in range(1100):
        writer.append([0.1], [1], label=0, speaker=0)
    assert list(tmp_path.iterdir()) == [scratch]
    assert len(list(scratch.iterdir())) == 1
    writer.close()
    assert list(scratch.iterdir()) == []
    assert len(rows_of(tmp_path / "x.h5")) == 1100


@pytest.mark.parametrize("existing", [False, True])
def test_a_killed_writer_leaves_nothing_or_the_old_file(tmp_path, existing):
    path = tmp_path / "x.h5"
    if existing:
        write_words(path)
    before = path.read_bytes() if existing else None
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (path.read_bytes() if path.exists() else None) == before
    assert list(tmp_path.glob("*.h5")) == [path] * existing


def test_mode_x_refuses_a_path_that_exists_at_once(tmp_path):
    write_words(tmp_path / "x.h5")
    with pytest.raises(OutputError, match=r"x\.h5: exists already"):
        SpikeWriter(tmp_path / "x.h5", keys=KEYS)


def test_mode_w_replaces(tmp_path):
    write_words(tmp_path / "x.h5", n=3)
    write_words(tmp_path / "x.h5", n=1, mode="w", keys=["other"])
    with SpikeFile(tmp_path / "x.h5") as file:
        assert (len(file), file.keys) == (1, ("other",))


def test_mode_a_adds_to_what_is_there(tmp_path):
    write_words(tmp_path / "x.h5", n=3, times_dtype="float16")
    before = rows_of(tmp_path / "x.h5")
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS, mode="a", times_dtype="float16") as writer:
        assert len(writer) == 3
        writer.append([0.5], [1], label=2, speaker=0, source="new.wav")
    assert rows_of(tmp_path / "x.h5") == [*before, ([0.5], [1], 2, 0, "new.wav", 0)]


def test_adding_in_two_goes_gives_the_bytes_of_one(tmp_path):
    write_words(tmp_path / "one.h5", n=2)
    write_words(tmp_path / "two.h5", n=1)
    with SpikeWriter(tmp_path / "two.h5", keys=KEYS, mode="a") as writer:
        writer.append([], [], label=1, speaker=1, source="1.wav", sample_rate=48000)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_mode_a_starts_a_file_that_is_not_there(tmp_path):
    write_words(tmp_path / "x.h5", mode="a")
    assert len(rows_of(tmp_path / "x.h5")) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ["zero", "one"]}, r"x\.h5: keys of the file must be kept"),
        ({"n_units": 64}, r"n_units of the file must be kept: it has 700, got 64"),
        ({"times_dtype": "float16"}, r"times_dtype of the file must be kept: it has float32, got float16"),
        ({"provenance": PROVENANCE}, r"provenance of the file must be kept: it has None, got Provenance"),
    ],
)
def test_mode_a_refuses_to_mix(tmp_path, options, message):
    write_words(tmp_path / "x.h5")
    with pytest.raises(ValueError, match=message):
        SpikeWriter(tmp_path / "x.h5", mode="a", **({"keys": KEYS} | options))


def test_mode_a_does_not_touch_the_files_of_others(tmp_path):
    write_words(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["extra/checksum"]
        for name in list(file.attrs):
            del file.attrs[name]
    with pytest.raises(FormatError, match=r"x\.h5: was not made by this writer"):
        SpikeWriter(tmp_path / "x.h5", keys=KEYS, mode="a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ["zero", "one", "zero"]}, r"keys must differ, got \['zero'\] twice"),
        ({"keys": []}, "keys must be 1 to 65536 names, got 0"),
        ({"keys": "zero"}, "keys must be a sequence of names"),
        ({"keys": ["zero", ""]}, "keys must be a sequence of names, none of them empty"),
        ({"mode": "r"}, "mode must be 'x', 'w' or 'a', got 'r'"),
        ({"times_dtype": "int32"}, "times_dtype must be one of float16, float32, float64, got 'int32'"),
        ({"n_units": 0}, "n_units must be >= 1 and <= 65536, got 0"),
        ({"n_units": 65537}, "n_units must be >= 1 and <= 65536, got 65537"),
    ],
)
def test_options_that_break_a_rule_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        SpikeWriter(tmp_path / "x.h5", **({"keys": KEYS} | options))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": [0.1]}, r"x\.h5: sample 1: times \(1,\) and units \(2,\), must be \(n_spikes,\) both"),
        ({"times": [[0.1, 0.2]], "units": [[1, 2]]}, r"must be \(n_spikes,\) both"),
        ({"times": [0.2, 0.1]}, "sample 1: times must be sorted"),
        ({"times": [-0.1, 0.1]}, r"sample 1: time -0\.1 s, must be finite and >= 0"),
        ({"times": [0.1, np.nan]}, "sample 1: time nan s, must be finite and >= 0"),
        ({"times": [0.1, np.inf]}, "sample 1: time inf s, must be finite and >= 0"),
        ({"times": [0.1, 70000.0]}, r"sample 1: time 70000\.0 s, does not fit float16"),
        ({"units": [1, 700]}, "sample 1: unit 700, must be < 700"),
        ({"units": [-1, 1]}, "sample 1: unit -1, must be >= 0"),
        ({"units": [1.0, 2.0]}, "sample 1: units float64, must be integers"),
        ({"label": 3}, r"sample 1: label 3, must be in 0\.\.2"),
        ({"label": -1}, r"sample 1: label -1, must be in 0\.\.2"),
        ({"speaker": -2}, r"sample 1: speaker -2, must be in 0\.\.65535"),
        ({"sample_rate": -1}, r"sample 1: sample_rate -1 Hz, must be in 0\.\.2147483647"),
        ({"source": "a\0b"}, "must not contain a null character"),
    ],
)
def test_a_clip_that_breaks_a_rule_is_refused_and_not_kept(tmp_path, changes, message):
    good = {"times": [0.1, 0.2], "units": [1, 2], "label": 0, "speaker": 0}
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS, times_dtype="float16") as writer:
        writer.append(**good)
        with pytest.raises(ValueError, match=message):
            writer.append(**(good | changes))
        writer.append(**good)
    assert len(rows_of(tmp_path / "x.h5")) == 2


@pytest.mark.parametrize("label", [0.5, True, "0"])
def test_a_label_must_be_a_whole_number(tmp_path, label):
    rule = r"x\.h5: sample 0: label must be a whole number, got"
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS) as writer, pytest.raises(ValueError, match=rule):
        writer.append([0.1], [1], label=label, speaker=0)


def test_the_arrays_of_the_caller_are_copied(tmp_path):
    times, units = np.array([0.1, 0.2], dtype=np.float32), np.array([1, 2], dtype=np.uint16)
    with SpikeWriter(tmp_path / "x.h5", keys=KEYS) as writer:
        writer.append(times, units, label=0, speaker=0)
        units[:] = 9
        times[:] = 9
    assert rows_of(tmp_path / "x.h5")[0][:2] == ([np.float32(0.1), np.float32(0.2)], [1, 2])


def test_a_sample_of_another_number_of_units_is_refused(tmp_path):
    clip = Sample(np.array([0.1]), np.array([5], np.uint16), label=0, speaker=3, n_units=64)
    with SpikeWriter(tmp_path / "x.h5", keys=["a"], n_units=64) as writer:
        writer.append(**clip._asdict())
        with pytest.raises(ValueError, match=r"sample 1: n_units 700, must be 64 as in the file"):
            writer.append(**clip._replace(n_units=700)._asdict())
    with SpikeFile(tmp_path / "x.h5") as file:
        assert len(file) == 1
