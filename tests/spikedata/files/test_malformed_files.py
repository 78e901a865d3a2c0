"""Whatever a file is, it is read rightly or refused in one line that names it."""

import re
import struct
import subprocess
import sys
from typing import NamedTuple

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.files.writer import SpikeWriter

TIMES_DTYPES, UNITS_DTYPES = ("f2", "f4", "f8"), ("u2", "i2", "u4", "i4", "i8", "u8")
KEYS = (b"zero", b"one", "fünf".encode())
N_UNITS = 700


class Content(NamedTuple):
    """What a good file holds; a fault then replaces a part of it."""

    times: list
    units: list
    labels: list
    times_dtype: str
    units_dtype: str
    storage: dict


@st.composite
def contents(draw, min_samples=0, min_spikes=0):
    times_dtype, units_dtype = draw(st.sampled_from(TIMES_DTYPES)), draw(st.sampled_from(UNITS_DTYPES))
    largest = float(np.finfo(times_dtype).max)
    width = np.dtype(times_dtype).itemsize * 8
    lengths = draw(st.lists(st.integers(min_spikes, 6), min_size=min_samples, max_size=4))
    times = st.floats(0, largest, width=width, allow_subnormal=False)
    return Content(
        times=[draw(arrays(times_dtype, n, elements=times)) for n in lengths],
        units=[draw(arrays(units_dtype, n, elements=st.integers(0, N_UNITS - 1))) for n in lengths],
        labels=[draw(st.integers(0, len(KEYS) - 1)) for _ in lengths],
        times_dtype=times_dtype,
        units_dtype=units_dtype,
        storage=draw(st.sampled_from([{}, {"chunks": (2,), "maxshape": (None,)}])),
    )


GOOD = Content([[0.1, 0.3], [], [0.2]], [[5, 9], [], [699]], [0, 1, 1], "f4", "u2", {})


def write(path, content):
    with h5py.File(path, "w") as file:
        for name, rows, dtype in (
            ("spikes/times", content.times, content.times_dtype),
            ("spikes/units", content.units, content.units_dtype),
        ):
            kind = h5py.vlen_dtype(np.dtype(dtype))
            dataset = file.create_dataset(name, (len(rows),), kind, **content.storage)
            for index, row in enumerate(rows):
                dataset[index] = row
        file["labels"] = np.array(content.labels, dtype=np.int64)
        file["extra/speaker"] = np.arange(len(content.labels), dtype=np.uint16)
        file["extra/keys"] = np.array(KEYS)
    return path


def read_all(path):
    """All events, which must be the samples, one by one."""
    with SpikeFile(path) as file:
        events = file.read_events()
        for found, expected in zip(events, file, strict=True):
            np.testing.assert_array_equal(found.times, expected.times)
            np.testing.assert_array_equal(found.units, expected.units)
            assert found[2:] == expected[2:]
        return events


def read_samples(path):
    with SpikeFile(path) as file:
        return list(file)


def refusal_of(path):
    """The line that says what is wrong, the same for all events and for the samples one by one."""
    messages = []
    for read in (read_all, read_samples):
        with pytest.raises(FormatError) as caught:
            read(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"{path}: ")
    assert len(messages[0].splitlines()) == 1
    return messages[0].removeprefix(f"{path}: ")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("malformed") / "x.h5"


@settings(max_examples=40, deadline=None)
@given(content=contents())
def test_any_good_file_is_read_rightly(path, content):
    events = read_all(write(path, content))
    assert (len(events), events.times.dtype, events.n_units) == (len(content.labels), content.times_dtype, N_UNITS)
    assert (events.labels.tolist(), events.speakers.tolist()) == (content.labels, list(range(len(content.labels))))
    for sample, times, units in zip(events, content.times, content.units, strict=True):
        spikes = sorted(zip(times.tolist(), units.tolist(), strict=True), key=lambda spike: spike[0])
        assert list(zip(sample.times.tolist(), sample.units.tolist(), strict=True)) == spikes


def place_of_a_spike(content, data):
    sample = data.draw(st.integers(0, len(content.times) - 1))
    return sample, data.draw(st.integers(0, len(content.times[sample]) - 1))


@settings(max_examples=30, deadline=None)
@given(content=contents(min_samples=1, min_spikes=1), data=st.data())
def test_a_time_that_is_negative_or_no_number_is_named(path, content, data):
    sample, spike = place_of_a_spike(content, data)
    smallest = float(np.finfo(content.times_dtype).tiny)
    wrong = data.draw(st.sampled_from([np.nan, -np.nan, np.inf, -np.inf, -smallest, -1.0, -60000.0]))
    content.times[sample][spike] = wrong
    value = float(content.times[sample][spike])
    assert refusal_of(write(path, content)) == f"sample {sample}: time {value} s, must be finite and >= 0"


@settings(max_examples=30, deadline=None)
@given(content=contents(min_samples=1, min_spikes=1), data=st.data())
def test_a_unit_out_of_range_is_named(path, content, data):
    sample, spike = place_of_a_spike(content, data)
    limits = np.iinfo(content.units_dtype)
    wrong = st.integers(N_UNITS, limits.max)
    wrong = data.draw(st.one_of(wrong, st.integers(limits.min, -1)) if limits.min else wrong)
    content.units[sample][spike] = wrong
    rule = "must be >= 0" if wrong < 0 else f"must be < {N_UNITS}"
    refusal, _, advice = refusal_of(write(path, content)).partition("; ")
    published = " as in the published files" if 0 <= wrong < 2**16 else ""
    assert refusal == f"sample {sample}: unit {wrong}, {rule}{published}"
    assert bool(advice) == (wrong >= 0)


@settings(max_examples=40, deadline=None)
@given(content=contents(min_samples=1, min_spikes=1), data=st.data())
def test_a_row_with_fewer_times_or_units_is_named(path, content, data):
    sample, spike = place_of_a_spike(content, data)
    rows = data.draw(st.sampled_from([content.times, content.units]))
    rows[sample] = rows[sample][:spike]
    found = f"{len(content.times[sample])} times and {len(content.units[sample])} units"
    assert refusal_of(write(path, content)) == f"sample {sample}: {found}, must agree"


@settings(max_examples=40, deadline=None)
@given(
    content=contents(min_samples=1),
    data=st.data(),
    wrong=st.one_of(st.integers(len(KEYS), 2**63 - 1), st.integers(-(2**63), -1)),
)
def test_a_label_without_a_name_is_named(path, content, data, wrong):
    sample = data.draw(st.integers(0, len(content.labels) - 1))
    content.labels[sample] = wrong
    assert refusal_of(write(path, content)) == f"sample {sample}: label {wrong}, must be in 0..{len(KEYS) - 1}"


def replaced(name, data):
    """A fault: a dataset holds something else."""

    def replace(file):
        del file[name]
        file[name] = data

    return replace


def rows_of(name, *rows, dtype):
    """A fault: a dataset holds these rows of variable length."""

    def replace(file):
        del file[name]
        dataset = file.create_dataset(name, (len(rows),), h5py.vlen_dtype(np.dtype(dtype)))
        for index, row in enumerate(rows):
            dataset[index] = row

    return replace


def linked(name, link):
    """A fault: a link stands where the data were."""

    def replace(file):
        file.move(name, "elsewhere")
        file[name] = link

    return replace


def moved(name, to):
    return lambda file: file.move(name, to)


def dropped_keys_and_huge_label(file):
    del file["extra/keys"]
    file["labels"][1] = 2**40


def virtual_labels(file):
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource(".", "elsewhere", (3,))
    file.move("labels", "elsewhere")
    file.create_virtual_dataset("labels", layout)


def external_labels(file):
    del file["labels"]
    file.create_dataset("labels", (3,), "i8", external=[("labels.bin", 0, 24)])


def group_of_labels(file):
    file.move("labels", "extra/labels")
    file.move("extra/labels", "labels/train")


def references(file):
    kind = h5py.ref_dtype
    replaced("labels", np.array([file["extra"].ref] * 3, dtype=kind))(file)


NO_FLOATS = "'spikes/times' must hold variable-length rows of floats, got"
NO_INTEGERS = "'spikes/units' must hold variable-length rows of integers, got"
OUTSIDE = "must be in the file itself, got"
FAULTS = {
    "capital letters": (moved("spikes", "Spikes"), "no dataset 'spikes/times'"),
    "datasets one level up": (moved("spikes/units", "units"), "no dataset 'spikes/units'"),
    "label for labels": (moved("labels", "label"), "no dataset 'labels'"),
    "a dataset for the group of spikes": (replaced("spikes", np.arange(3)), "no dataset 'spikes/times'"),
    "a group for labels": (group_of_labels, "'labels' must be a dataset, got a group"),
    "times as a table": (replaced("spikes/times", np.zeros((3, 2))), "'spikes/times' must have one dimension"),
    "one number for times": (replaced("spikes/times", 0.5), "'spikes/times' must have one dimension"),
    "no data in times": (replaced("spikes/times", h5py.Empty("f4")), "'spikes/times' must have one dimension"),
    "times all in one row": (replaced("spikes/times", np.zeros(3)), f"{NO_FLOATS} float64"),
    "times as text": (replaced("spikes/times", np.array(["0.1", "", ""], h5py.string_dtype())), f"{NO_FLOATS} text"),
    "times as bytes": (replaced("spikes/times", np.array([b"0.1", b"", b""])), f"{NO_FLOATS} |S3"),
    "times as integers": (rows_of("spikes/times", [100], [], [7], dtype="u4"), f"{NO_FLOATS} uint32"),
    "times as complex numbers": (rows_of("spikes/times", *GOOD.times, dtype="c8"), f"{NO_FLOATS} complex64"),
    "times and units in one": (replaced("spikes/times", np.zeros(3, "f4,u2")), f"{NO_FLOATS} [('f0'"),
    "units as floats": (rows_of("spikes/units", *GOOD.times, dtype="f2"), f"{NO_INTEGERS} float16"),
    "units as bools": (rows_of("spikes/units", [True], [], [False], dtype="?"), f"{NO_INTEGERS} bool"),
    "units as a table": (replaced("spikes/units", np.zeros((3, 700), "u2")), "'spikes/units' must have one dimension"),
    "one row of units too few": (
        rows_of("spikes/units", [1, 2], [], dtype="u2"),
        "'spikes/units' has 2 rows, must be 3",
    ),
    "labels as floats": (replaced("labels", np.array([0.0, 1.0, np.nan])), "'labels' must hold integers, got float64"),
    "labels as names": (
        replaced("labels", np.array([b"zero", b"one", b"one"])),
        "'labels' must hold integers, got |S4",
    ),
    "labels of one for each": (replaced("labels", np.eye(3, dtype="u1")), "'labels' must have one dimension"),
    "labels as references": (references, "'labels' must hold integers, got object"),
    "a label too many": (replaced("labels", np.array([0, 1, 1, 0])), "'labels' has 4 rows, must be 3"),
    "a label over 2**63": (
        replaced("labels", np.array([0, 1, 2**64 - 1], dtype="u8")),
        "'labels' must hold integers below 2**63, got 18446744073709551615",
    ),
    "a speaker over 2**63": (
        replaced("extra/speaker", np.array([0, 1, 2**63], dtype="u8")),
        "'extra/speaker' must hold integers below 2**63, got 9223372036854775808",
    ),
    "speakers as names": (replaced("extra/speaker", np.array([b"a", b"b", b"c"])), "'extra/speaker' must hold"),
    "a speaker too few": (replaced("extra/speaker", np.array([1, 2])), "'extra/speaker' has 2 rows, must be 3"),
    "keys as numbers": (replaced("extra/keys", np.arange(3)), "'extra/keys' must hold text, got int64"),
    "one text for keys": (replaced("extra/keys", "zero one two"), "'extra/keys' must have one dimension, got shape ()"),
    "keys in Latin-1": (replaced("extra/keys", np.array([b"f\xfcnf", b"one"])), "'extra/keys' must hold UTF-8: "),
    "keys twice": (replaced("extra/keys", np.array([b"a", b"b", b"b"])), "'extra/keys' must differ, got 'b' twice"),
    "no keys at all": (replaced("extra/keys", np.array([], "S1")), "sample 0: label 0, must be in 0..-1"),
    "no keys and a huge label": (
        dropped_keys_and_huge_label,
        "labels without 'extra/keys' must be below 65536, got 1099511627776",
    ),
    "a soft link": (linked("labels", h5py.SoftLink("/elsewhere")), f"'labels' {OUTSIDE} a link"),
    "a link to nothing": (linked("spikes", h5py.SoftLink("/nothing")), f"'spikes/times' {OUTSIDE} a link"),
    "a link to itself": (linked("spikes", h5py.SoftLink("/spikes")), f"'spikes/times' {OUTSIDE} a link"),
    "another file": (linked("spikes", h5py.ExternalLink("y.h5", "/spikes")), f"'spikes/times' {OUTSIDE} a link"),
    "a file of numbers": (external_labels, f"'labels' {OUTSIDE} data in other files"),
    "a view of other data": (virtual_labels, f"'labels' {OUTSIDE} data in other files"),
}


@pytest.mark.parametrize(("fault", "rule"), FAULTS.values(), ids=FAULTS)
def test_a_file_of_another_form_is_refused_with_the_rule_that_it_breaks(path, fault, rule):
    with h5py.File(write(path, GOOD), "a") as file:
        fault(file)
    assert refusal_of(path).startswith(rule)


def test_each_fault_has_a_line_of_its_own(path):
    lines = set()
    for fault, _ in FAULTS.values():
        with h5py.File(write(path, GOOD), "a") as file:
            fault(file)
        lines.add(refusal_of(path))
    assert len(lines) >= len(FAULTS) - 6  # several ways lead to a missing dataset, and to a link


@pytest.mark.parametrize("text", [b"", b"\n", b"time,unit\n0.1,5\n", b"<html>404</html>", b"PK\x03\x04" + bytes(600)])
def test_a_file_of_another_format_is_refused(path, text):
    path.write_bytes(text)
    assert refusal_of(path).startswith("not a readable HDF5 file: ")


def test_a_folder_is_refused(tmp_path):
    assert refusal_of(tmp_path).startswith("must be a file, got a folder or device")


def test_an_empty_hdf5_file_is_refused(path):
    h5py.File(path, "w").close()
    assert refusal_of(path).startswith("no dataset 'spikes/times'; it holds nothing")


def test_a_hard_link_is_the_data_itself(path):
    with h5py.File(write(path, GOOD), "a") as file:
        file.move("labels", "elsewhere")
        file["labels"] = file["elsewhere"]
    assert read_all(path).labels.tolist() == GOOD.labels


@pytest.mark.parametrize(
    ("storage", "size_and_mask", "rule"),
    [
        ({}, (90, 0), "its chunks must have 74 bytes, got 90"),
        ({}, (58, 0), "its chunks must have 74 bytes, got 58"),
        ({"compression": "gzip"}, (0, 0), r"a packed chunk must have 1 to \d+ bytes, got 0"),
        ({"compression": "gzip"}, (2**31, 0), r"a packed chunk must have 1 to \d+ bytes, got 2147483648"),
        ({"compression": "gzip"}, (None, 1), r"its chunks must have 74 bytes, got \d+"),
    ],
)
def test_a_chunk_of_an_impossible_size_is_refused(path, storage, size_and_mask, rule):
    # libhdf5 2.0 reads and writes past the end of its memory for some of these.
    with h5py.File(write(path, GOOD), "a") as file:
        del file["labels"]
        labels = file.create_dataset(
            "labels", data=np.array([0, 1, 1], "u2"), chunks=(37,), maxshape=(None,), **storage
        )
        stored = labels.id.get_chunk_info(0).size
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<IIQQ", stored, 0, 0, 0))  # in the index of the chunks: size, mask, first row
    struct.pack_into("<II", content, place, *(size_and_mask if size_and_mask[0] is not None else (stored, 1)))
    path.write_bytes(content)
    assert re.fullmatch(f"'labels': damaged: {rule}", refusal_of(path))


def write_ours(path, n_clips=6, provenance=None):
    """Clips with checksums; the first row is long, so that its heap is not that of the others."""
    rng = np.random.default_rng(0)
    with SpikeWriter(path, keys=["zero", "one"], mode="w", provenance=provenance) as writer:
        for index in range(n_clips):
            n = (700, 0, 3, 40, 200, 7)[index] if index < 6 else 4
            times, units = np.sort(rng.random(n)), rng.integers(0, N_UNITS, n)
            part = "" if provenance is None else ("train", "test")[index % 2]
            source = f"{index}.wav"
            writer.append(times, units, label=index % 2, speaker=index, source=source, sample_rate=16000, part=part)
        if provenance is not None:
            writer.note_skipped("seven.wav: the file is empty")


def write_shard(path, n_clips=6):
    """The same, and all else that a file of ours can say."""
    params = '{"preset": "default", "stimulus": {"ramp": 0.03}}'
    made = {"package_version": "0.1.0", "params": params, "seed": 3, "corpus": "folder"}
    write_ours(path, n_clips, Provenance(**made, split="by hand", run="0123456789abcdef", shard="2/3"))


def write_foreign(path, text=False, file_options=None, **storage):
    """The same without checksums, as h5py writes it."""
    write_ours(path)
    with SpikeFile(path) as ours:
        samples = list(ours)
    with h5py.File(path, "w", **(file_options or {})) as file:
        for name, dtype in (("times", "f2"), ("units", "u2")):
            kind = h5py.vlen_dtype(np.dtype(dtype))
            dataset = file.create_dataset(f"spikes/{name}", (len(samples),), kind, **storage)
            for index, sample in enumerate(samples):
                dataset[index] = getattr(sample, name)
        for name, field in (("labels", "label"), ("extra/speaker", "speaker")):
            values = np.array([getattr(sample, field) for sample in samples], dtype="u2")
            file.create_dataset(name, data=values, **storage)
        file["extra/keys"] = np.array(["zero", "one"], dtype=h5py.string_dtype() if text else "S4")
        file.attrs["title"] = "text of variable length"


CHUNKS = {"chunks": (2,), "maxshape": (None,)}
OURS = {
    "ours": write_ours,
    "our shard": write_shard,
    "ours, long": lambda path: write_shard(path, n_clips=1500),  # rows in two chunks
}
WRITERS = OURS | {
    "one piece": write_foreign,
    "chunks and text": lambda path: write_foreign(path, text=True, **CHUNKS),
    "gzip": lambda path: write_foreign(path, compression="gzip", shuffle=True, **CHUNKS),
    "latest format": lambda path: write_foreign(path, file_options={"libver": "latest"}, **CHUNKS),
}

# Damage a file again and again and read it: one line of text for each time, written before and after, so that the last
# line says what was read when the process hung or crashed. Memory is limited: no wrong length may ask for gigabytes.
READ_DAMAGED_FILES = """
import random, resource, signal, sys
from pathlib import Path
from spikedata import SpikeFile
from spikedata.files.schema import FormatError

path, seed, n, kinds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
good = path.read_bytes()
written = [place for place, byte in enumerate(good) if byte]
if sys.platform == "linux":  # macOS has no such limit
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
LONGEST_READ = 60  # s, far above the milliseconds that it takes; then the process is ended, inside of HDF5 too
MOST_MEMORY = 2**20  # kB, of which the libraries take a quarter

def damaged(kind, rng):
    content, place = bytearray(good), rng.randrange(len(good))
    if kind == "a flipped bit":  # near a byte that is not 0: elsewhere is nothing that anybody reads
        place = min(rng.choice(written) + rng.choice([0, 0, 1, 4]), len(good) - 1)
        content[place] ^= 1 << rng.randrange(8)
    elif kind == "a few other bytes":
        place, size = rng.choice(written), rng.choice([1, 1, 2, 4, 8])
        new = rng.choice([bytes(size), b"\\xff" * size, rng.randbytes(size)])
        content[place : place + size] = new[: len(content) - place]
    elif kind == "a cut":
        del content[place:]
    else:
        near, aligned = max(rng.choice(written) - rng.randrange(512), 0), place // 512 * 512
        place = rng.choice([near, aligned])
        block = slice(place, place + 512)
        other = slice(near // 512 * 512, near // 512 * 512 + 512)
        if kind == "a block of zeros":
            content[block] = bytes(len(good[block]))
        elif kind == "a block of chance":
            content[block] = rng.randbytes(len(good[block]))
        elif kind == "two swapped blocks":
            content[other], content[block] = good[block].ljust(512, b"0"), good[other].ljust(512, b"0")
        elif kind == "a block in another's place":
            content[other] = good[block]
        elif kind == "a repeated block":
            content[block] = good[block] * 2
        elif kind == "a missing block":
            del content[block]
        else:
            raise SystemExit(f"unknown kind {kind}")
    return place, bytes(content)

def head_of(file):
    columns = (file.labels, file.speakers, file.sample_rates)
    rest = (file.keys, file.sources, file.parts, file.skipped, file.n_units, file.provenance)
    return [column.tobytes() for column in columns] + [*rest, len(file), file.is_ours]

def rows_of(file):
    events = file.read_events()
    if len(file) < 100:
        list(file)
    arrays = (events.times, events.units, events.offsets)
    return [array.tobytes() for array in arrays] + [file.times_dtype]  # which the checksums of rows cover

with SpikeFile(path) as file:
    expected = head_of(file), rows_of(file)
for kind in kinds:
    for index in range(n):
        place, content = damaged(kind, random.Random(f"{kind} {seed} {index}"))
        path.write_bytes(content)
        signal.alarm(LONGEST_READ)
        print(f"{kind} at byte {place}, number {index}: ", end="", flush=True)
        outcome = "refused"
        try:
            with SpikeFile(path) as file:
                # what an open file says must be right, whatever its rows hold
                outcome = "refused" if head_of(file) == expected[0] else "changed"
                rows = rows_of(file)
            outcome = "unchanged" if outcome == "refused" and rows == expected[1] else "changed"
        except FormatError as error:
            if not str(error).startswith(f"{path}: ") or len(str(error).splitlines()) != 1:
                outcome = f"refused in bad words: {error}"
        print(outcome, flush=True)
signal.alarm(0)
if sys.platform == "linux":  # ru_maxrss would be that of the process which started this one, if that was larger
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    if peak > MOST_MEMORY:
        raise SystemExit(f"took {peak} kB")
"""
KINDS = (
    "a flipped bit",
    "a few other bytes",
    "a block of zeros",
    "a block of chance",
    "two swapped blocks",
    "a block in another's place",
    "a repeated block",
    "a missing block",
    "a cut",
)


def read_damaged_files(path, writer, kinds, seed, n, timeout):
    """How often damaged files were read unchanged, read changed, and refused."""
    WRITERS[writer](path)
    command = [sys.executable, "-c", READ_DAMAGED_FILES, str(path), str(seed), str(n), *kinds]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"{writer}: hangs: {(error.stdout or b'').decode().splitlines()[-1:]}")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{writer}: {lines[-1:]} {done.stderr[-1000:]}"
    outcomes = [line.rpartition(": ")[2] for line in lines]
    counts = {outcome: outcomes.count(outcome) for outcome in ("unchanged", "changed", "refused")}
    assert sum(counts.values()) == n * len(kinds), [line for line in lines if line.rpartition(": ")[2] not in counts]
    if writer in OURS:
        assert counts["changed"] == 0, [line for line in lines if line.endswith(": changed")][:3]
    return counts


@pytest.mark.parametrize("writer", WRITERS)
def test_a_damaged_file_is_refused_or_read(tmp_path, writer):
    # of each kind; hundreds in the slow test below: a file of another layout takes a trial of its own
    n = 2 if writer == "ours, long" else 3
    counts = read_damaged_files(tmp_path / "x.h5", writer, KINDS, seed=0, n=n, timeout=120)
    assert counts["refused"] > 0


def test_a_cut_file_is_refused(tmp_path):
    counts = read_damaged_files(tmp_path / "x.h5", "our shard", ["a cut"], seed=0, n=40, timeout=120)
    assert counts["refused"] == 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("writer", WRITERS)
def test_hundreds_of_damaged_files_are_refused_or_read(tmp_path, writer, kind):
    read_damaged_files(tmp_path / "x.h5", writer, [kind], seed=1, n=600, timeout=600)


def test_no_damaged_name_makes_our_file_another_writers_which_nobody_checks(tmp_path):
    path = tmp_path / "x.h5"
    write_shard(path)
    good = path.read_bytes()
    places = [match.start() for match in re.finditer(b"spikedata_|checksum", good)]
    assert len(places) > 10
    for place in places:
        for byte in (0, ord("z"), 0xFF):
            damaged = bytearray(good)
            damaged[place + 3] = byte
            path.write_bytes(damaged)
            with pytest.raises(FormatError, match=r"x\.h5: "):
                SpikeFile(path)


@pytest.mark.parametrize("params", ["[" * 50_000, "{" * 50_000, "1" * 50_000])
def test_absurd_params_are_refused(tmp_path, params):
    path = tmp_path / "x.h5"
    write_shard(path)
    with h5py.File(path, "a") as file:
        file.attrs["spikedata_params"] = np.bytes_(params)
    with pytest.raises(FormatError, match=r"x\.h5: damaged") as caught:
        SpikeFile(path)
    assert len(str(caught.value)) < 1000
