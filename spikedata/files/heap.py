"""Check the global heap of an HDF5 file, so that a damaged file cannot make HDF5 loop forever or exhaust the memory.

Data of variable length are stored in the global heap of a file: in collections of objects, each preceded by a header
with its size. A dataset of such rows holds only references: number of entries, address of a collection, index of an
object in it. libhdf5 trusts all of them. An object of size 0, as in a block of zeros, makes it loop forever, and a
reference with a high bit set makes it allocate gigabytes. Both are therefore checked here, before libhdf5 follows any
reference.

References
----------
The HDF Group, HDF5 File Format Specification 3.0, III.E, "Global Heap", and IV.B, "Variable-length".
"""

from __future__ import annotations

import re
from array import array
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from spikedata.files.hdf5 import stored_chunks, unpack_chunk
from spikedata.files.schema import FormatError

_SIGNATURE = re.compile(rb"GCOL\x01")  # of a collection, with its version; libhdf5 refuses other versions
_COLLECTION = Struct("<8xQ")  # size [byte], including this header
_OBJECT = Struct("<HH4xQ")  # index, 0 for free space; reference count; size [byte], of free space with header
_HEADER_SIZE = 16  # of a collection and of an object [byte]
_ALIGNMENT = 8  # of objects [byte]
_PLACE_OF_KIND = 3  # position in an encoded type of variable length: 0 for sequences, 1 for texts
_ADDRESS = Struct("<Q")
_REFERENCE = np.dtype([("n_entries", "<u4"), ("address", "<u8"), ("index", "<u4")])
_N_INDICES = 2**16  # number of possible indices of an object
_LARGEST_ADDRESS = 2**47  # so that address and index fit into one number; no file is larger
_MOST_SUSPECTS = 100  # more than this never look like a broken heap by chance


class HeapObjects(NamedTuple):
    """All objects in the global heap of a file.

    Parameters
    ----------
    names : ndarray of int64, shape (n_objects,)
        Address of the collection times 65536 plus the index in it [1], in rising order.
    sizes : ndarray of int64, shape (n_objects,)
        Size of each object [byte].
    """

    names: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def read_heap(file: h5py.File) -> HeapObjects:
    """The objects in the heap of a file, found without libhdf5.

    Spikes may look like a collection by chance. A broken collection is therefore an error only if its address occurs
    somewhere in the file; `check_rows` makes sure that no compressed row refers to it either.

    Parameters
    ----------
    file : h5py.File
        An open file of which nothing has been read yet.

    Raises
    ------
    FormatError
        If a collection that may be referred to is broken, so that libhdf5 could loop forever.
    """
    name, base = file.filename, file.userblock_size
    size_of_address, size_of_size = file.id.get_create_plist().get_sizes()
    if (size_of_address, size_of_size) != (8, 8):
        raise FormatError(f"{name}: addresses and sizes must have 8 bytes, got {size_of_address} and {size_of_size}")
    objects, suspects = array("q"), []
    with Path(name).open("rb") as raw, mmap(raw.fileno(), 0, access=ACCESS_READ) as content:
        n_most = len(content) // _HEADER_SIZE  # exceeded only if collections overlap; following those could take hours
        starts = [match.start() for match in _SIGNATURE.finditer(content) if match.start() >= base]
        for start in starts:
            fault = _walk(content, start, (start - base) * _N_INDICES, objects)
            if fault:
                suspects.append((start, fault))
            if len(objects) > 2 * n_most or len(suspects) > _MOST_SUSPECTS:
                raise FormatError(f"{name}: damaged: heaps overlap or are broken all over the file")
        for start, fault in suspects:
            if content.find(_ADDRESS.pack(start - base)) >= 0:
                raise FormatError(f"{name}: damaged: heap at byte {start}: {fault}")
    names, sizes = np.array(objects, dtype=np.int64).reshape(-1, 2).T
    order = np.argsort(names, kind="stable")
    return HeapObjects(names[order], sizes[order])


def check_rows(dataset: h5py.Dataset, heap: HeapObjects) -> None:
    """Raise unless every row of variable length refers to an object of the right size in the heap.

    Parameters
    ----------
    dataset : h5py.Dataset
        One-dimensional; rows of fixed length are accepted unchecked.
    heap : HeapObjects
        The heap of its file.

    Raises
    ------
    FormatError
        If a row does not.
    """
    stored_type = dataset.id.get_type()
    if isinstance(stored_type, h5py.h5t.TypeVlenID):
        entry_size = stored_type.get_super().get_size()
    elif isinstance(stored_type, h5py.h5t.TypeStringID) and stored_type.is_variable_str():
        entry_size = 1
    else:
        return
    where = f"{dataset.file.filename}: {dataset.name.lstrip('/')!r}"
    kind = stored_type.encode()[_PLACE_OF_KIND] & 0x0F
    if kind > 1:
        raise FormatError(f"{where}: damaged: rows must be sequences or texts, got kind {kind}")
    references = _read_references(dataset, where)
    claimed = references["n_entries"].astype(np.int64) * entry_size
    found = _sizes_of(references, heap)
    wrong = np.flatnonzero(found != claimed)
    if wrong.size:
        has = "no place in the heap" if found[wrong[0]] < 0 else f"{found[wrong[0]]} bytes in the heap"
        raise FormatError(f"{where}: damaged: row {wrong[0]} must have {claimed[wrong[0]]} bytes, has {has}")
    if claimed.sum() > Path(dataset.file.filename).stat().st_size:  # rows may share objects
        raise FormatError(f"{where} claims {claimed.sum()} bytes, more than the file can hold")


def _walk(content: mmap, start: int, first_name: int, objects: array[int]) -> str | None:
    """Append names and sizes of the objects in a collection; returns its fault if it is broken."""
    if start + _HEADER_SIZE > len(content):
        return "its header is cut off"
    (size,) = _COLLECTION.unpack_from(content, start)
    place, end, n_before = start + _HEADER_SIZE, start + size, len(objects)
    if not place <= end <= len(content):
        return f"its {size} bytes must end within the file, which has {len(content)}"
    while end - place >= _HEADER_SIZE:  # a smaller rest is free space without a header
        index, _, size = _OBJECT.unpack_from(content, place)
        step = size if index == 0 else _HEADER_SIZE + -(-size // _ALIGNMENT) * _ALIGNMENT
        if not _HEADER_SIZE <= step <= end - place:
            del objects[n_before:]
            return f"object of {size} bytes at byte {place} must end within the heap, which has {end - start}"
        objects.extend((first_name + index, size))
        place += step
    return None


def _read_references(dataset: h5py.Dataset, where: str) -> np.ndarray:
    """The references of a dataset as stored, without following them."""
    properties = dataset.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.CONTIGUOUS:
        offset = dataset.id.get_offset()
        if offset is None:  # nothing has been written to it
            return np.zeros(len(dataset), _REFERENCE)
        return np.fromfile(dataset.file.filename, _REFERENCE, len(dataset), offset=offset)
    if properties.get_layout() != h5py.h5d.CHUNKED:
        raise FormatError(f"{where} must be stored in one piece or in chunks, got it in the header of the dataset")
    references = np.zeros(len(dataset), _REFERENCE)
    for chunk in stored_chunks(dataset):  # of all others, HDF5 returns empty rows
        mask, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
        rows = slice(chunk.chunk_offset[0], chunk.chunk_offset[0] + dataset.chunks[0])
        inside = references[rows]  # the last chunk may extend beyond the end
        inside[:] = np.frombuffer(unpack_chunk(packed, mask, properties, _REFERENCE.itemsize, where), _REFERENCE)[
            : len(inside)
        ]
    return references


def _sizes_of(references: np.ndarray, heap: HeapObjects) -> npt.NDArray[np.int64]:
    """Size of the object of each reference [byte]; 0 for null references, -1 if the object does not exist."""
    address, index = references["address"], references["index"]
    is_possible = (address < _LARGEST_ADDRESS) & (index < _N_INDICES) & (index > 0)
    names = np.where(is_possible, address, 0).astype(np.int64) * _N_INDICES + index
    places = np.searchsorted(heap.names, names, side="right") - 1  # the last object of that name, as in libhdf5
    is_there = is_possible & (places >= 0)
    is_there[is_there] = heap.names[places[is_there]] == names[is_there]
    sizes = np.full(len(references), -1, dtype=np.int64)
    sizes[is_there] = heap.sizes[places[is_there]]
    sizes[address == 0] = 0
    return sizes
