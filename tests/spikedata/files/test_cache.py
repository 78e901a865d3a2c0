import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spikedata.events import Events
from spikedata.files import cache as event_cache
from spikedata.files.cache import cache_folder, open_events
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter

ARRAYS = ("times", "units", "offsets", "labels", "speakers", "sample_rates", "durations")
HEADER_SIZE = 128  # of a small .npy file [byte]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of its own for each test."""
    monkeypatch.setenv("SPIKEDATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "events"


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.h5")


def write(path, *, seed=0, n_clips=6, times_dtype="float32", n_units=700):
    rng = np.random.default_rng(seed)
    with SpikeWriter(path, keys=["zero", "eins"], mode="w", times_dtype=times_dtype, n_units=n_units) as writer:
        for clip in range(n_clips):
            times, units = np.sort(rng.random(5 * clip)), rng.integers(0, n_units, 5 * clip)
            about = {"source": f"{clip}_ä.flac", "sample_rate": 16000}
            writer.append(times, units, label=clip % 2, speaker=clip // 3, **about)
    return path


def read(path):
    with SpikeFile(path) as file:
        return file.read_events()


def assert_same(found, expected):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    assert (found.keys, found.sources, found.n_units) == (expected.keys, expected.sources, expected.n_units)
    assert found.is_sorted == expected.is_sorted


def is_mapped(events):
    return all(isinstance(getattr(events, name), np.memmap) for name in ARRAYS)


@pytest.fixture
def no_reading(monkeypatch):
    """Returns a function after which opening a spike file is an error."""

    def refuse(path):
        raise AssertionError(f"{path} was opened")

    return lambda: monkeypatch.setattr(event_cache, "SpikeFile", refuse)


@pytest.mark.parametrize("times_dtype", ["float16", "float32", "float64"])
def test_cached_events_are_those_of_the_file(tmp_path, times_dtype):
    path = write(tmp_path / "x.h5", times_dtype=times_dtype, n_units=800)
    for _ in range(2):
        assert_same(open_events(path), read(path))


@pytest.mark.parametrize("n_clips", [0, 1])
def test_a_file_without_spikes_is_cached_too(tmp_path, n_clips, no_reading):
    path = write(tmp_path / "x.h5", n_clips=n_clips)  # the first clip of all is empty
    expected = read(path)
    assert_same(open_events(path), expected)
    no_reading()
    assert_same(open_events(path), expected)


def test_the_second_opening_maps_the_cache_and_leaves_the_file_alone(path, folder, no_reading):
    first, expected = open_events(path), read(path)
    no_reading()
    second = open_events(path)
    assert_same(second, expected)
    assert is_mapped(first)
    assert is_mapped(second)
    assert Path(second.times.filename).parent.parent == folder


def test_the_first_opening_leaves_one_cache_and_nothing_else(path, folder):
    open_events(path)
    (cache,) = folder.iterdir()
    assert sorted(file.name for file in cache.iterdir()) == sorted([*(f"{name}.npy" for name in ARRAYS), "meta.json"])


def test_a_file_has_one_cache_whatever_it_is_called(path, tmp_path, folder, monkeypatch):
    (tmp_path / "link.h5").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    for name in (path, str(path), "x.h5", "./x.h5", "link.h5"):
        open_events(name)
    assert len(list(folder.iterdir())) == 1


def test_files_do_not_share_a_cache(tmp_path, folder, no_reading):
    paths = [write(tmp_path / "x.h5"), write(tmp_path / "y.h5", seed=1)]
    expected = [read(path) for path in paths]
    for path in paths:
        open_events(path)
    assert len(list(folder.iterdir())) == 2
    no_reading()
    for path, events in zip(paths, expected, strict=True):
        assert_same(open_events(path), events)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"n_clips": 9}], ids=["content", "size"])
def test_a_file_that_changed_is_read_again_and_its_old_cache_removed(path, folder, changes):
    before = open_events(path)
    expected = read(path)
    (old,) = folder.iterdir()
    write(path, **changes)
    assert_same(open_events(path), read(path))
    (new,) = folder.iterdir()
    assert new != old
    assert_same(before, expected)  # what was opened stays as it was


def test_a_file_of_another_age_is_read_again(path, folder):
    open_events(path)
    (old,) = folder.iterdir()
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    open_events(path)
    (new,) = folder.iterdir()
    assert new != old


def damage(cache, name, change):
    content = (cache / name).read_bytes()
    (cache / name).unlink()  # not in place: it may be mapped
    changed = change(content)
    if changed is not None:
        (cache / name).write_bytes(changed)


DAMAGES = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "cut in its signature": lambda content: content[:4],
    "cut in its header": lambda content: content[:40],
    "cut in its data": lambda content: content[:-1],
    "zeroed": lambda content: bytes(len(content)),
    "text": lambda content: b"Not what it was.\n" * 20,
}


@pytest.mark.parametrize("name", [*(f"{name}.npy" for name in ARRAYS), "meta.json"])
@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_made_anew(path, folder, no_reading, name, change):
    expected = read(path)
    open_events(path)
    (cache,) = folder.iterdir()
    damage(cache, name, change)
    assert_same(open_events(path), expected)
    no_reading()
    assert_same(open_events(path), expected)
    assert list(folder.iterdir()) == [cache]


META = {"keys": ["zero", "eins"], "sources": [""] * 6, "n_units": 700}


@pytest.mark.parametrize(
    "meta",
    [None, [], 5, "text", {}, {"keys": ["zero", "eins"]}]
    + [META | {"keys": keys} for keys in (5, None, [], ["zero"])]
    + [META | {"sources": sources} for sources in (5, None, [], [""] * 7)]
    + [META | {"n_units": n_units} for n_units in (None, "many", [])],
)
def test_a_cache_whose_description_does_not_fit_is_made_anew(path, folder, meta):
    open_events(path)
    (cache,) = folder.iterdir()
    (cache / "meta.json").write_text(json.dumps(meta), "utf-8")
    assert_same(open_events(path), read(path))


def test_arrays_of_another_file_are_found_out(path, tmp_path, folder):
    open_events(path)
    (cache,) = folder.iterdir()
    other = write(tmp_path / "y.h5", n_clips=7)
    open_events(other)
    (other_cache,) = set(folder.iterdir()) - {cache}
    (cache / "units.npy").unlink()
    shutil.copy(other_cache / "units.npy", cache / "units.npy")
    assert_same(open_events(path), read(path))


@pytest.fixture(scope="module")
def opened_damaged(tmp_path_factory):
    """A function that opens a file whose cache has one flipped bit, and the events of the file."""
    root = tmp_path_factory.mktemp("flipped")
    path = write(root / "x.h5")

    def open_damaged(name, byte, bit):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPIKEDATA_CACHE", str(root / "cache"))
            open_events(path)
            (cache,) = cache_folder().iterdir()
            content = bytearray((cache / f"{name}.npy").read_bytes())
            content[byte] ^= 1 << bit
            damage(cache, f"{name}.npy", lambda _: bytes(content))
            try:
                return open_events(path)
            finally:
                shutil.rmtree(cache)

    return open_damaged, read(path)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(ARRAYS), byte=st.integers(0, HEADER_SIZE - 1), bit=st.integers(0, 7))
@example(name="labels", byte=8, bit=6)  # the header seems to end before its brackets do
@example(name="times", byte=8, bit=1)  # the data seem to begin two bytes before they do
@example(name="labels", byte=21, bit=4)  # the dtype is ",i8"
@example(name="times", byte=21, bit=1)  # the dtype is ">f4"
@example(name="offsets", byte=22, bit=2)  # the dtype is "<m8"
def test_a_flipped_bit_in_a_header_does_no_harm(opened_damaged, name, byte, bit):
    open_damaged, expected = opened_damaged
    assert_same(open_damaged(name, byte, bit), expected)


def raising(error):
    def refuse(*_, **__):
        raise error

    return refuse


@pytest.mark.parametrize(
    ("where", "name"),
    [(Path, "mkdir"), (Path, "rename"), (event_cache.tempfile, "mkdtemp"), (event_cache.np, "save")],
)
def test_a_cache_that_cannot_be_kept_is_no_error(path, folder, monkeypatch, where, name):
    expected = read(path)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, raising(PermissionError(13, "Permission denied")))
        assert_same(open_events(path), expected)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_cache_is_kept_where_there_are_no_permissions(path, folder, monkeypatch):
    monkeypatch.setattr(Path, "chmod", raising(PermissionError(1, "Operation not permitted")))
    open_events(path)
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_no_error(path, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPIKEDATA_CACHE", str(tmp_path / "file" / "cache"))
    assert_same(open_events(path), read(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do all")
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_that_may_not_be_used_is_no_error(path, tmp_path, monkeypatch, mode):
    closed = tmp_path / "closed"
    closed.mkdir(mode)
    monkeypatch.setenv("SPIKEDATA_CACHE", str(closed / "cache"))
    assert_same(open_events(path), read(path))


def test_a_folder_that_may_not_even_be_asked_for_is_no_error(path, folder, monkeypatch):
    expected = read(path)
    for name in ("mkdir", "read_text", "exists"):  # what the system answers in a closed folder, also to root here
        real = getattr(Path, name)

        def closed(self, *args, real=real, **rest):
            if self.is_relative_to(folder):
                raise PermissionError(13, "Permission denied")
            return real(self, *args, **rest)

        monkeypatch.setattr(Path, name, closed)
    assert_same(open_events(path), expected)


def test_a_cache_that_another_process_made_meanwhile_is_kept(path, folder, monkeypatch):
    real, expected = event_cache._read, read(path)

    def slow(path, reading):
        monkeypatch.setattr(event_cache, "_read", real)
        open_events(path)
        return real(path, reading)

    monkeypatch.setattr(event_cache, "_read", slow)
    events = open_events(path)
    assert_same(events, expected)
    assert is_mapped(events)
    assert len(list(folder.iterdir())) == 1


def test_a_cache_that_another_process_puts_in_place_first_is_kept(path, folder, monkeypatch):
    real, expected = Path.rename, read(path)

    def late(self, target):
        monkeypatch.setattr(Path, "rename", real)
        open_events(path)
        return real(self, target)

    monkeypatch.setattr(Path, "rename", late)
    events = open_events(path)
    assert_same(events, expected)
    assert is_mapped(events)
    assert len(list(folder.iterdir())) == 1


def test_processes_that_race_leave_one_whole_cache(path, folder, no_reading):
    program = (
        "import sys; from spikedata.files.cache import open_events; print(float(open_events(sys.argv[1]).times.sum()))"
    )
    expected = read(path)
    processes = [
        subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert outputs == [f"{expected.times.sum()}\n"] * 4
    assert len(list(folder.iterdir())) == 1
    no_reading()
    assert_same(open_events(path), expected)


def test_what_a_killed_process_left_is_not_taken_for_a_cache(path, folder):
    (folder / ".being-made-x").mkdir(parents=True)
    assert is_mapped(open_events(path))


def fault_of(open_it, path):
    with pytest.raises((OSError, FormatError)) as caught:
        open_it(path)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("name", ["text.h5", "empty.h5", "cut.h5", "missing.h5", "loop.h5", "x.h5/x.h5", "."])
def test_what_is_no_spike_file_is_told_as_by_its_reader(path, tmp_path, folder, name, cache):
    (tmp_path / "text.h5").write_text("spikes", "utf-8")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "loop.h5").symlink_to(tmp_path / "loop.h5")
    (tmp_path / "cut.h5").write_bytes(path.read_bytes()[:-100])
    bad = tmp_path / name
    assert fault_of(lambda path: open_events(path, cache=cache), bad) == fault_of(SpikeFile, bad)
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read_is_told_as_by_its_reader(path):
    path.chmod(0)
    assert fault_of(open_events, path) == fault_of(SpikeFile, path)


def test_without_a_cache_the_events_are_read_into_memory(path, folder):
    events = open_events(path, cache=False)
    assert_same(events, read(path))
    assert not any(isinstance(getattr(events, name), np.memmap) for name in ARRAYS)
    assert not folder.exists()


def test_a_mapped_cache_cannot_be_changed_by_its_users(path):
    open_events(path)
    with pytest.raises(ValueError, match="read-only"):
        open_events(path).times[0] = 1.0


def test_clips_can_be_taken_out_of_mapped_events(path):
    events, expected = open_events(path), read(path)
    assert_same(events.select([4, 1]), expected.select([4, 1]))
    assert isinstance(events, Events)
    np.testing.assert_array_equal(events[4].times, expected[4].times)


def test_the_folder_is_the_one_named_or_the_users_own(tmp_path, monkeypatch):
    assert cache_folder() == tmp_path / "cache" / "events"
    monkeypatch.delenv("SPIKEDATA_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, **_: tmp_path / "home" / name)
    assert cache_folder() == tmp_path / "home" / "spikedata" / "events"
    monkeypatch.setenv("SPIKEDATA_CACHE", "")
    assert cache_folder() == tmp_path / "home" / "spikedata" / "events"


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("place", [0, 0.3, 0.999])
def test_a_flipped_byte_is_found_out_when_a_process_first_opens_a_cache(path, folder, no_reading, name, place):
    expected = read(path)
    open_events(path)
    (cache,) = folder.iterdir()

    def flipped(content):
        changed = bytearray(content)
        changed[HEADER_SIZE + int(place * (len(content) - HEADER_SIZE))] ^= 1
        return bytes(changed)

    damage(cache, f"{name}.npy", flipped)
    assert_same(open_events(path), expected)
    no_reading()
    assert_same(open_events(path), expected)


@pytest.mark.parametrize(("old", "new"), [(b"eins", b"eine"), (b"700", b"800"), (b"0_", b"9_")])
def test_a_changed_description_is_found_out(path, folder, old, new):
    open_events(path)
    (cache,) = folder.iterdir()
    damage(cache, "meta.json", lambda content: content.replace(old, new))
    assert_same(open_events(path), read(path))


def test_a_cache_is_verified_once_in_a_process(path, monkeypatch):
    open_events(path)
    open_events(path)
    monkeypatch.setattr(event_cache, "_checksum", raising(AssertionError("verified again")))
    assert is_mapped(open_events(path))


KILLED = """
import os, signal, sys
import numpy as np
from spikedata.files import cache as event_cache
real = np.save
def save(place, array):
    real(place, array)
    if str(place).endswith("units.npy"):
        os.kill(os.getpid(), signal.SIGKILL)
event_cache.np.save = save
event_cache.open_events(sys.argv[1])
"""


def test_what_a_killed_process_left_is_removed_by_the_next_that_makes_a_cache(path, tmp_path, folder):
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -9
    assert [name.name.startswith(".being-made-") for name in folder.iterdir()] == [True]  # the second swept the first's
    assert is_mapped(open_events(write(tmp_path / "other.h5")))
    assert [name.name.startswith(".being-made-") for name in folder.iterdir()] == [False]


WAITING = """
import sys
import numpy as np
from spikedata.files import cache as event_cache
real = np.save
def save(place, array):
    real(place, array)
    if str(place).endswith("units.npy"):
        print("half made", flush=True)
        sys.stdin.readline()
event_cache.np.save = save
events = event_cache.open_events(sys.argv[1])
print(isinstance(events.times, np.memmap), float(events.times.sum()))
"""


def test_what_a_living_process_is_making_is_left_alone(path, tmp_path, folder):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "half made\n"
    open_events(write(tmp_path / "other.h5", seed=1))
    assert len(list(folder.glob(".being-made-*"))) == 1
    assert process.communicate("go on\n")[0] == f"True {read(path).times.sum()}\n"
    assert len(list(folder.iterdir())) == 2
    assert not list(folder.glob(".being-made-*"))


def test_a_folder_that_was_swept_before_it_was_locked_is_made_again(path, folder, monkeypatch):
    real, taken = event_cache._lock, []

    def late(made, **rest):
        if not taken:
            taken.append(made)
            lock = real(made, **rest)
            shutil.rmtree(made)  # as another process did that had the lock a moment before
            return lock
        return real(made, **rest)

    monkeypatch.setattr(event_cache, "_lock", late)
    assert is_mapped(open_events(path))
    assert len(taken) == len(list(folder.iterdir())) == 1
