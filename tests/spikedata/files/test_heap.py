import struct

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.files.heap import check_rows, read_heap
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter

ROWS = ([0.1, 0.3, 0.5], [], [0.2] * 40)
LOOKS_LIKE_A_HEAP = b"GCOL\x01\0\0\0"  # as a float64 a number just above 0, so a good spike time
WRITERS = {
    "one piece": {},
    "chunks": {"chunks": (2,), "maxshape": (None,)},
    "chunks of one row": {"chunks": (1,), "maxshape": (None,)},
    "chunks larger than the data": {"chunks": (1024,), "maxshape": (None,)},
    "gzip": {"chunks": (2,), "compression": "gzip"},
    "gzip and shuffle": {"chunks": (2,), "compression": "gzip", "shuffle": True},
}
FILES = {"oldest format": {}, "latest format": {"libver": "latest"}, "user block": {"userblock_size": 512}}


def write_rows(path, rows=ROWS, dtype="f8", file_options=None, **options):
    with h5py.File(path, "w", **(file_options or {})) as file:
        dataset = file.create_dataset("rows", (len(rows),), h5py.vlen_dtype(np.dtype(dtype)), **options)
        for index, row in enumerate(rows):
            dataset[index] = np.array(row, dtype=dtype)
    return path


def check(path):
    """Check a file; this follows no reference, so it cannot hang however broken the file is."""
    with h5py.File(path) as file:
        heap = read_heap(file)
        check_rows(file["rows"], heap)
        return heap


def change(path, place, content):
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def first_heap(path):
    return path.read_bytes().index(b"GCOL\x01")


def first_reference(path):
    """Place of the reference of row 0, which stands in one piece in the file."""
    with h5py.File(path) as file:
        return file["rows"].id.get_offset()


@pytest.mark.parametrize("options", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("file_options", FILES.values(), ids=FILES)
def test_a_good_file_passes(tmp_path, options, file_options):
    heap = check(write_rows(tmp_path / "x.h5", file_options=file_options, **options))
    assert {24, 320} <= set(heap.sizes.tolist())


def test_rows_that_were_never_written_pass(tmp_path):
    for name, options in WRITERS.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("rows", (5,), h5py.vlen_dtype(np.float32), **options)
        assert len(check(tmp_path / f"{name}.h5").names) == 0


def test_texts_of_variable_length_pass(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["rows"] = np.array(["zero", "fünf", ""], dtype=h5py.string_dtype())
    assert {4, 5} <= set(check(tmp_path / "x.h5").sizes.tolist())


def test_a_file_by_pytables_passes(tmp_path):
    tables = pytest.importorskip("tables", reason="PyTables is not installed")
    for level in (0, 5):
        with tables.open_file(str(tmp_path / "x.h5"), "w") as file:
            rows = file.create_vlarray("/", "rows", tables.Float16Atom(), filters=tables.Filters(level))
            for row in ROWS:
                rows.append(np.float16(row))
        assert {6, 80} <= set(check(tmp_path / "x.h5").sizes.tolist())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_file_whose_rows_were_rewritten_again_and_again_passes(tmp_path_factory, seed):
    path, rng = tmp_path_factory.mktemp("rewritten") / "x.h5", np.random.default_rng(seed)
    write_rows(path, [[0.5] * n for n in rng.integers(0, 3000, 12)], chunks=(4,), maxshape=(None,))
    for _ in range(3):  # what is freed in one session is used again by the next object of that session
        with h5py.File(path, "a") as file:
            for index in rng.integers(0, 12, 20):
                file["rows"][index] = np.full(rng.integers(0, 3000), 0.25)
    check(path)


def test_spikes_that_look_like_a_heap_are_spikes(tmp_path):
    times = np.frombuffer(LOOKS_LIKE_A_HEAP + struct.pack("<d", 0.25)).tolist()
    with SpikeWriter(tmp_path / "x.h5", keys=["zero"], times_dtype="float64") as writer:
        writer.append(times, [1, 2], label=0, speaker=0)
    assert LOOKS_LIKE_A_HEAP in (tmp_path / "x.h5").read_bytes()
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file[0].times.tolist() == times


@pytest.mark.parametrize("n_zeros", [16, 512])
@pytest.mark.parametrize("file_options", FILES.values(), ids=FILES)
def test_a_block_of_zeros_in_a_heap_is_refused(tmp_path, n_zeros, file_options):
    path = write_rows(tmp_path / "x.h5", file_options=file_options)
    start = first_heap(path)
    change(path, start + 16, bytes(n_zeros))
    rule = f"heap at byte {start}: object of 0 bytes at byte {start + 16} must end within the heap, which has 4096"
    with pytest.raises(FormatError, match=rf"x\.h5: damaged: {rule}"):
        check(path)


@pytest.mark.parametrize(
    ("index", "size"),
    [(0, 0), (0, 8), *((index, size) for index in (0, 1) for size in (2**64 - 16, 2**63, 4096, 4090))],
)
def test_an_object_that_does_not_end_within_its_heap_is_refused(tmp_path, size, index):
    path = write_rows(tmp_path / "x.h5")
    change(path, first_heap(path) + 16, struct.pack("<HHIQ", index, 0, 0, size))
    with pytest.raises(FormatError, match=rf"object of {size} bytes at byte \d+ must end within the heap"):
        check(path)


@pytest.mark.parametrize("size", [0, 15, 2**20, 2**64 - 1])
def test_a_heap_that_does_not_end_within_the_file_is_refused(tmp_path, size):
    path = write_rows(tmp_path / "x.h5")
    change(path, first_heap(path) + 8, struct.pack("<Q", size))
    with pytest.raises(FormatError, match=f"heap at byte .*: its {size} bytes must end within the file, which has"):
        check(path)


@pytest.mark.parametrize("options", [WRITERS["gzip"], WRITERS["gzip and shuffle"]], ids=["gzip", "shuffle"])
def test_a_broken_heap_that_only_packed_rows_lead_to_is_refused(tmp_path, options):
    path = write_rows(tmp_path / "x.h5", **options)
    change(path, first_heap(path) + 16, bytes(16))
    with pytest.raises(FormatError, match="'rows': damaged: row 0 must have 24 bytes, has no place in the heap"):
        check(path)


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ((4, None, None), "row 0 must have 32 bytes, has 24 bytes in the heap"),
        ((2**31 + 3, None, None), r"row 0 must have 17179869208 bytes, has 24 bytes in the heap"),
        ((None, 0, None), "row 0 must have 24 bytes, has 0 bytes in the heap"),
        ((None, 4097, None), "row 0 must have 24 bytes, has no place in the heap"),
        ((None, 2**64 - 1, None), "row 0 must have 24 bytes, has no place in the heap"),
        ((None, None, 9), "row 0 must have 24 bytes, has no place in the heap"),
        ((None, None, 2**16 + 1), "row 0 must have 24 bytes, has no place in the heap"),
        ((None, None, 0), "row 0 must have 24 bytes, has no place in the heap"),
        ((0, None, None), "row 0 must have 0 bytes, has 24 bytes in the heap"),
    ],
)
def test_a_row_that_leads_elsewhere_is_refused(tmp_path, reference, rule):
    path = write_rows(tmp_path / "x.h5")
    place = first_reference(path)
    stored = struct.unpack_from("<IQI", path.read_bytes(), place)
    changed = (old if new is None else new for old, new in zip(stored, reference, strict=True))
    change(path, place, struct.pack("<IQI", *changed))
    with pytest.raises(FormatError, match=rf"x\.h5: 'rows': damaged: {rule}"):
        check(path)


def test_rows_that_share_an_object_to_look_larger_are_refused(tmp_path):
    path = write_rows(tmp_path / "x.h5", [[0.5] * 300] * 20)
    place = first_reference(path)
    change(path, place + 16, path.read_bytes()[place : place + 16] * 19)
    check(path)  # 48,000 of 50,000 bytes
    path = write_rows(tmp_path / "y.h5", [[0.5] * 300, *[[]] * 50])
    place = first_reference(path)
    change(path, place + 16, path.read_bytes()[place : place + 16] * 50)
    with pytest.raises(FormatError, match=r"y\.h5: 'rows' claims 122400 bytes, more than the file can hold"):
        check(path)


@pytest.mark.parametrize("content", [LOOKS_LIKE_A_HEAP + struct.pack("<Q", 2**40), LOOKS_LIKE_A_HEAP + bytes(8)])
def test_a_file_full_of_broken_heaps_is_refused_at_once(tmp_path, content):
    path = write_rows(tmp_path / "x.h5", [np.frombuffer(content * 100_000, "u1")], dtype="u1")
    with pytest.raises(FormatError, match=r"x\.h5: damaged: heaps overlap or are broken all over the file"):
        check(path)


def test_a_file_full_of_heaps_that_overlap_is_refused_at_once(tmp_path):
    # Each object holds the header of a sound heap that goes to the end; to follow them all takes n**2 / 2 steps.
    n = 20_000
    parts = [("index", "<u8"), ("size", "<u8"), ("signature", "S8"), ("size_of_heap", "<u8")]
    objects = np.zeros(n, parts)
    objects["index"], objects["size"], objects["signature"] = 1, 16, LOOKS_LIKE_A_HEAP
    objects["size_of_heap"] = 16 + 32 * np.arange(n - 1, -1, -1)
    path = write_rows(tmp_path / "x.h5", [objects.view("u1")], dtype="u1")
    with pytest.raises(FormatError, match=r"x\.h5: damaged: heaps overlap or are broken all over the file"):
        check(path)


def test_rows_of_no_known_kind_are_refused(tmp_path):
    path = write_rows(tmp_path / "x.h5")
    change(path, path.read_bytes().index(b"\x19\0\0\0\x10\0\0\0") + 1, b"\x02")
    with pytest.raises(FormatError, match=r"x\.h5: 'rows': damaged: rows must be sequences or texts, got kind 2"):
        check(path)


def test_references_in_the_header_of_a_dataset_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        kind, space = h5py.h5t.py_create(h5py.vlen_dtype(np.float32), logical=True), h5py.h5s.create_simple((2,))
        h5py.h5d.create(file.id, b"rows", kind, space, properties)
    with pytest.raises(FormatError, match="'rows' must be stored in one piece or in chunks, got it in the header"):
        check(tmp_path / "x.h5")


def test_what_other_filters_than_gzip_pack_is_unpacked_by_hdf5(tmp_path):
    path = write_rows(tmp_path / "x.h5", ROWS * 20, chunks=(40,), compression="lzf")
    assert len(check(path).sizes) == len(check(write_rows(tmp_path / "y.h5", ROWS * 20)).sizes)
    with h5py.File(path) as file:
        chunk = file["rows"].id.get_chunk_info(0)
    for place, content in ((0, b"\xff"), (2, b"\xe0\xff"), (chunk.size - 2, b"\x1f\x1f")):
        kept = path.read_bytes()
        change(path, chunk.byte_offset + place, content)
        with pytest.raises(FormatError, match=r"x\.h5: 'rows': damaged: "):
            check(path)
        path.write_bytes(kept)


def test_addresses_of_another_size_are_refused(tmp_path):
    properties = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    properties.set_sizes(4, 8)
    with h5py.File(h5py.h5f.create(bytes(tmp_path / "x.h5"), fcpl=properties)) as file:
        file["rows"] = np.arange(3)
    with pytest.raises(FormatError, match=r"x\.h5: addresses and sizes must have 8 bytes, got 4 and 8"):
        check(tmp_path / "x.h5")
