"""No file of any writer crashes a process, holds it, or takes more than a bounded memory."""

import json
import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikedata.cli import main
from spikedata.files import guard, layout
from spikedata.files.columns import TABLE
from spikedata.files.hdf5 import read_numbers
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter

from .hostile import checksums_of, lookup3, replaced

SHARED = Path(__file__).parents[4] / "shared" / "cases"
NAMES = [column.name for column in TABLE]
GZIP = {"chunks": (2,), "maxshape": (None,), "compression": "gzip", "shuffle": True}
LATEST = {"libver": "latest"}


def rows(n):
    rng = np.random.default_rng(0)
    return [
        (np.sort(rng.integers(0, 1024, size)) / 1024, rng.integers(0, 700, size)) for size in rng.integers(0, 30, n)
    ]


def write_ours(path, n=5):
    with SpikeWriter(path, keys=["zero", "one"], mode="w") as writer:
        for index, (times, units) in enumerate(rows(n)):
            writer.append(times, units, label=index % 2, speaker=index % 12, source=f"{index}.wav", sample_rate=16000)
    return path


def write(path, n=5, n_names=0, text=False, file_options=None, numbers=None, **storage):
    """A file as h5py writes it; many names and attributes of the root take other structures than few."""
    with h5py.File(path, "w", **(file_options or {})) as file:
        for place, (name, dtype) in enumerate((("times", "f2"), ("units", "u2"))):
            kind = h5py.vlen_dtype(np.dtype(dtype))
            dataset = file.create_dataset(f"spikes/{name}", (n,), kind, **storage)
            for index, row in enumerate(rows(n)):
                dataset[index] = row[place].astype(dtype)
        for name, largest in (("labels", 2), ("extra/speaker", 12)):
            file.create_dataset(name, data=np.arange(n) % largest, **(storage if numbers is None else numbers))
        file["extra/keys"] = np.array(["zero", "one"], dtype=h5py.string_dtype() if text else "S4")
        for index in range(n_names):
            file[f"extra/other{index}"] = index
            file.attrs[f"note{index}"] = np.bytes_(f"note {index}")
    return path


PLAIN = {  # what `layout` vouches for
    "ours": write_ours,
    "one piece": write,
    "chunks": lambda path: write(path, chunks=(2,), maxshape=(None,)),
    "gzip": lambda path: write(path, text=True, **GZIP),
    "checksums": lambda path: write(path, numbers={**GZIP, "fletcher32": True}, chunks=(2,), maxshape=(None,)),
    "large chunks": lambda path: write(path, **{**GZIP, "chunks": (100_000,)}),
    "many chunks": lambda path: write(path, n=200, **{**GZIP, "chunks": (1,)}),
    "many names": lambda path: write(path, n_names=60),
}
OTHERS = {  # what is tried out
    "latest": lambda path: write(path, file_options=LATEST),
    "latest, chunks": lambda path: write(path, file_options=LATEST, chunks=(2,)),
    "latest, one chunk": lambda path: write(path, file_options=LATEST, chunks=(5,), compression="gzip"),
    "latest, growing chunks": lambda path: write(path, file_options=LATEST, **GZIP),
    "latest, many chunks": lambda path: write(path, n=200, file_options=LATEST, **{**GZIP, "chunks": (1,)}),
    "latest, many names": lambda path: write(path, file_options=LATEST, n_names=60),
    "HDF5 1.8": lambda path: write(path, file_options={"libver": "v108"}, n_names=60, **GZIP),
    "names in their order": lambda path: write(path, file_options={"track_order": True}, n_names=20),
    "a block of the user": lambda path: write(path, file_options={"userblock_size": 512}),
    "LZF": lambda path: write(path, numbers={"chunks": (2,), "compression": "lzf"}),
}
WRITERS = PLAIN | OTHERS


@pytest.mark.parametrize("writer", WRITERS)
def test_a_good_file_of_any_writer_is_read(tmp_path, writer):
    path = tmp_path / "x.h5"
    WRITERS[writer](path)
    assert layout.is_sound(path, NAMES) == (writer in PLAIN)
    with SpikeFile(path) as file:
        found = [(sample.times.tolist(), sample.units.tolist()) for sample in file]
    assert found == [(times.tolist(), units.tolist()) for times, units in rows(len(found))]


# Circles, in the layout that every writer uses by default


def u64(content, place):
    return struct.unpack_from("<Q", content, place)[0]


def put(content, place, *numbers):
    struct.pack_into(f"<{len(numbers)}Q", content, place, *numbers)


def root_of(content):
    """Addresses of the header, the tree and the heap of the root group."""
    return u64(content, 64), u64(content, 80), u64(content, 88)


def free_blocks(content):
    heap = root_of(content)[2]
    free = u64(content, heap + 24) + u64(content, heap + 16)
    put(content, free, u64(content, heap + 16))


def header_continued_by_itself(content):
    header = root_of(content)[0]
    (size,) = struct.unpack_from("<I", content, header + 8)
    place = content.index(struct.pack("<HHB", 0x10, 16, 0), header, header + 16 + size)
    put(content, place + 8, header + 16, size)


def tree_below_itself(content):
    tree = root_of(content)[1]
    content[tree + 5] = 1
    put(content, tree + 32, tree)


def tables_twice(content):
    place = next(p for p in range(0, len(content), 8) if content[p : p + 6] == b"TREE\0\0" and content[p + 6] > 1)
    put(content, place + 48, u64(content, place + 32))


def chunks_below_themselves(content):
    place = next(p for p in range(0, len(content), 8) if content[p : p + 6] == b"TREE\1\1")
    put(content, place + 48, place)


CIRCLES = {
    "free blocks": (write, free_blocks, r"the free blocks in the heap of names at byte \d+ run in a circle"),
    "a header": (PLAIN["many names"], header_continued_by_itself, r"a part of the header .* at byte \d+ occurs twice"),
    "a group": (
        write,
        tree_below_itself,
        r"a node of a B-tree at byte \d+ occurs twice: its addresses run in a circle",
    ),
    "tables of names": (PLAIN["many names"], tables_twice, r"a table of names at byte \d+ occurs twice"),
    "chunks": (PLAIN["many chunks"], chunks_below_themselves, r"a node of a B-tree at byte \d+ occurs twice"),
}


@pytest.mark.parametrize(("writer", "change", "said"), CIRCLES.values(), ids=CIRCLES)
def test_a_circle_is_refused_before_it_is_walked(tmp_path, writer, change, said):
    path = tmp_path / "x.h5"
    writer(path)
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"x\.h5: damaged: {said}"):
        SpikeFile(path)


@pytest.mark.parametrize("name", ["loop_ours.h5", "loop_pytables.h5"])
def test_the_files_that_took_all_memory_are_refused_at_once(name, capsys):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} does not exist")
    assert main(["info", str(SHARED / name)]) == 3
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "run in a circle" in said


def test_an_address_beyond_the_end_is_named(tmp_path):
    content = bytearray(write(tmp_path / "x.h5").read_bytes())
    put(content, root_of(content)[1] + 32, len(content) - 8)
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(FormatError, match=rf"a table of names at byte {len(content) - 8} must end within the file"):
        SpikeFile(tmp_path / "x.h5")


def test_what_is_wrong_elsewhere_does_not_matter(tmp_path):
    path = write(tmp_path / "x.h5", n_names=3)
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file["extra/other1"].id).addr
    content = bytearray(path.read_bytes())
    content[place : place + 200] = b"\xff" * 200
    path.write_bytes(content)
    with SpikeFile(path) as file:
        assert len(file) == 5


# Circles in the latest layout: HDF5 itself is asked, with little time


def chunks_without_end(good):
    """An index of chunks that claims far more of them than there are."""
    return replaced(good, good.index(b"EAHD") + 44, struct.pack("<Q", 2**62), checksums_of(good))


def header_continued_in_a_circle(good):
    """A header whose second block continues in itself."""
    place = good.index(b"OCHK")
    size = u64(good, good.index(struct.pack("<Q", place)) + 8)
    rest = size - 8 - 20 - 4
    block = b"OCHK" + struct.pack("<BHBQQ", 0x10, 16, 0, place, size) + struct.pack("<BHB", 0, rest, 0) + bytes(rest)
    content = bytearray(good)
    content[place : place + size - 4] = block
    struct.pack_into("<I", content, place + size - 4, int(lookup3(np.frombuffer(block, np.uint8), 0, len(block))))
    return bytes(content)


@pytest.mark.parametrize(
    "change", [pytest.param(chunks_without_end, marks=pytest.mark.slow), header_continued_in_a_circle]
)
def test_what_only_hdf5_can_walk_is_refused_in_bounded_time(tmp_path, monkeypatch, change):
    monkeypatch.setattr(guard, "_SECONDS", 1)
    path = tmp_path / "x.h5"
    good = write(path, n_names=5, file_options=LATEST, **GZIP).read_bytes()
    path.unlink()
    path.write_bytes(change(good))
    if change is header_continued_in_a_circle and h5py.version.hdf5_version_tuple < (2, 0, 0):
        with SpikeFile(path) as file:  # HDF5 1.14 reads each block once
            assert len(file.read_events()) == 5
        return
    with pytest.raises(FormatError, match=r"x\.h5: ") as caught:
        SpikeFile(path)
    assert len(str(caught.value).splitlines()) == 1


# Chunks that unpack to less than they should, beyond which HDF5 would read


@pytest.mark.parametrize("packed_by", ["gzip", "lzf"])
@pytest.mark.parametrize("n_rows", [16, 3000])
def test_a_chunk_that_unpacks_to_another_size_is_refused(tmp_path, packed_by, n_rows):
    path = write(tmp_path / "x.h5", numbers={"chunks": (2000,), "maxshape": (None,), "compression": packed_by})
    with h5py.File(tmp_path / "y.h5", "w") as other:
        other.create_dataset("x", data=np.zeros(n_rows, "i8"), chunks=(n_rows,), compression=packed_by)
        packed = other["x"].id.read_direct_chunk((0,))[1]
    with h5py.File(path) as file:
        chunk = file["labels"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<Q", chunk.byte_offset))
    content += bytes(-len(content) % 8)
    put(content, place, len(content))
    struct.pack_into("<I", content, place - 24, len(packed))  # the head of the chunk's key
    content += packed
    put(content, 40, len(content))  # where the file ends
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.h5: 'labels': damaged: its chunks must have 16000 bytes, got \d+$"):
        SpikeFile(path)


FILTERS = {
    "gzip": {"compression": "gzip"},
    "gzip, shuffle, checksums": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf"},
    "lzf and shuffle": {"compression": "lzf", "shuffle": True},
    "scale-offset": {"scaleoffset": 0},
    "scale-offset and gzip": {"scaleoffset": 0, "compression": "gzip"},
    "szip": {"compression": "szip"},
    "checksums": {"fletcher32": True},
}


@pytest.mark.parametrize("storage", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("n_rows", [1, 300, 20_000])
def test_good_columns_packed_by_any_filter_are_read(tmp_path, n_rows, storage):
    if storage.get("compression") == "szip" and not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        pytest.skip("this HDF5 has no szip")
    values = np.repeat(np.random.default_rng(0).integers(0, 2, n_rows), 3)[:n_rows]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("labels", data=values, chunks=(max(n_rows, 32),), maxshape=(None,), **storage)
        assert np.array_equal(read_numbers(file, "labels"), values)


def test_a_file_that_hdf5_cannot_even_close_is_refused(tmp_path):
    path = tmp_path / "x.h5"
    OTHERS["names in their order"](path)
    good = path.read_bytes()
    place = good.index(b"FRHP") + 22  # the address of an index of the heap that holds the attributes
    path.unlink()
    path.write_bytes(replaced(good, place, bytes(8), checksums_of(good)))
    with pytest.raises(FormatError, match=r"x\.h5: damaged: "):
        SpikeFile(path)


# The process that tries a file out


@pytest.fixture
def helper(monkeypatch):
    """A process of the test's own that tries files out."""
    own = guard._Helper()
    monkeypatch.setattr(guard, "_helper", own)
    monkeypatch.setattr(guard, "_passed", set())
    yield own
    own.end()


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "x.h5"
    OTHERS["latest"](path)
    return path


def read(path):
    with SpikeFile(path) as file:
        return file.labels.tolist()


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        ("import os; os.abort()", "HDF5 crashes when it reads it"),
        ("import os; os.kill(os.getpid(), 11)", "HDF5 crashes when it reads it"),
        ("import time; time.sleep(100)", "HDF5 takes longer than 1 s to read it"),
        ("held = bytes(2**33)", r"HDF5 takes more than 512 MB of memory to read it"),
    ],
)
def test_a_file_of_which_a_process_dies_is_refused(helper, other, monkeypatch, happens, said):
    monkeypatch.setattr(guard, "_SECONDS", 1)
    if "sleep" in happens:
        monkeypatch.setattr(guard, "_WAIT", -7)  # and eight for the second
    cause = f"import spikedata.files.trial as trial\ndef die(*_):\n    {happens}\ntrial.read_heap = die\n"
    monkeypatch.setattr(guard, "_START", guard._START.replace("from spikedata", f"exec({cause!r}); from spikedata"))
    with pytest.raises(FormatError, match=rf"x\.h5: damaged: {said}$"):
        read(other)
    monkeypatch.undo()
    assert len(read(other)) == 5


def test_a_file_is_tried_once_until_it_changes(helper, other, monkeypatch):
    asked = []
    monkeypatch.setattr(helper, "_ask", lambda request, wait: asked.append(request["path"]) or "")
    for _ in range(3):
        read(other)
    assert len(asked) == 1
    other.write_bytes(other.read_bytes())
    read(other)
    assert len(asked) == 2


def test_a_process_that_has_ended_is_started_again(helper, other, monkeypatch):
    read(other)
    helper._process.kill()
    monkeypatch.setattr(guard, "_passed", set())
    assert len(read(other)) == 5


def test_a_fork_uses_a_process_of_its_own(helper, other):
    read(other)
    first, forget = helper._process.pid, helper.forget
    pid = os.fork()
    if pid == 0:
        forget()  # as the hook does for the one that the module holds
        guard._passed.clear()
        os._exit(0 if len(read(other)) == 5 and helper._process.pid != first and helper.end() == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    guard._passed.clear()
    assert len(read(other)) == 5
    assert helper._process.pid == first


FORKED = """
import multiprocessing, sys
from spikedata import SpikeFile

def work(path):
    with SpikeFile(path) as file:
        assert len(file) == 5

work(sys.argv[1])
worker = multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[2],), daemon=True)
worker.start()
worker.join()
work(sys.argv[3])
raise SystemExit(worker.exitcode)
"""


def test_a_forked_worker_reads_other_layouts_and_leaves_no_pipe_open(tmp_path):
    paths = [tmp_path / f"{index}.h5" for index in range(3)]
    for path in paths:
        OTHERS["latest"](path)
    command = [sys.executable, "-W", "error", "-c", FORKED, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_take_turns(helper, tmp_path):
    paths = [tmp_path / f"{index}.h5" for index in range(6)]
    for path in paths:
        OTHERS["latest"](path)
    with ThreadPoolExecutor(6) as pool:
        assert len(list(pool.map(read, paths))) == 6


def test_without_another_process_a_file_is_read_and_that_is_said(helper, other, monkeypatch, caplog):
    for fault in ("/no/such/python", "/bin/false"):
        monkeypatch.setattr(guard, "_passed", set())
        monkeypatch.setattr(guard.sys, "executable", fault)
        caplog.clear()
        assert len(read(other)) == 5
        assert "read without a trial, since no process for it can be started" in caplog.text


# All addresses, in all directions

READ = """
import json, resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from hostile import mutations
from spikedata import SpikeFile
from spikedata.files.schema import FormatError

path, kind, n, seed = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
good = path.read_bytes()

def content_of():
    with SpikeFile(path) as file:
        events = file.read_events()
        list(file[:20])
        arrays = (events.times, events.units, events.offsets, events.labels, events.speakers)
        return [array.tobytes() for array in arrays], events.keys

expected = content_of()
if sys.platform == "linux":  # macOS has no such limit
    status = Path("/proc/self/statm").read_text().split()
    size = int(status[0]) * resource.getpagesize() + 2**31
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
for place, content in mutations(good, kind, n, seed):
    path.unlink()  # a new file, which has not been seen
    path.write_bytes(content)
    print(f"byte {place}: ", end="", flush=True)
    signal.alarm(100)
    try:
        outcome = "same" if content_of() == expected else "changed"
    except FormatError as error:
        is_good = str(error).startswith(f"{path}: ") and len(str(error).splitlines()) == 1
        outcome = "refused" if is_good else f"refused in bad words: {error}"
    signal.alarm(0)
    print(outcome, flush=True)
if sys.platform == "linux":
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    if peak > 2**20:
        raise SystemExit(f"took {peak} kB")
"""


def outcomes_of_damage(path, writer, kind, n, seed, timeout):
    WRITERS[writer](path)
    command = [sys.executable, "-c", READ, str(Path(__file__).parent), str(path), kind, str(n), str(seed)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"{writer}: hangs: {(error.stdout or b'').decode().splitlines()[-1:]}")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{writer}: {lines[-1:]} {done.stderr[-1000:]}"
    outcomes = [line.rpartition(": ")[2] for line in lines]
    counts = {outcome: outcomes.count(outcome) for outcome in ("same", "changed", "refused")}
    assert sum(counts.values()) == n, [line for line in lines if line.rpartition(": ")[2] not in counts]
    assert writer != "ours" or counts["changed"] == 0
    return counts


@pytest.mark.parametrize(("writer", "n"), [("gzip", 10), ("latest, growing chunks", 3)])
def test_an_address_that_leads_astray_is_refused_or_harmless(tmp_path, writer, n):
    counts = outcomes_of_damage(tmp_path / "x.h5", writer, "addresses", n, seed=0, timeout=200)
    assert counts["refused"] or n < 10  # where the few lie depends on the version of HDF5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["addresses", "bytes", "numbers"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_thousand_damages_of_each_kind_are_refused_or_harmless(tmp_path, writer, kind):
    counts = outcomes_of_damage(tmp_path / "x.h5", writer, kind, 1000, seed=1, timeout=3000)
    print(json.dumps([writer, kind, counts]))
