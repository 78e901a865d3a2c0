"""Walk the structure of an HDF5 file as libhdf5 would, before libhdf5 does.

An HDF5 file is a graph: groups lead to tables of names, tables to objects, objects to their headers, headers to further
blocks and to the index of their chunks. libhdf5 follows every address that it finds. One damaged address is enough to
send it in a circle that takes all memory, or to make it read beyond its own. `is_sound` therefore follows the same
addresses first. It knows the layout that h5py, PyTables and our writer use by default (superblock 0), and only vouches
for what it understands in full; `guard` has all else read by a process that may die.

References
----------
The HDF Group, HDF5 File Format Specification 3.0: II.A (superblock), III.A-E (B-trees, symbol tables, heaps), IV.A
(object headers and their messages).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from spikedata.files.schema import FormatError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK = Struct("<8s8B2HI4Q")  # up to and without the entry of the root group
_ENTRY = Struct("<QQII16s")  # of a symbol table
_NODE = Struct("<4sBBHQQ")  # head of a B-tree's node
_TABLE = Struct("<4sBBH")  # head of a node of a symbol table
_HEAP = Struct("<4sB3xQQQ")  # local: size, first free block, address
_HEADER = Struct("<BBHII4x")  # version, 0, number of messages, number of links, size
_MESSAGE = Struct("<HHB3x")  # kind, size, flags
_WORDS = Struct("<QQ")
_WORD = Struct("<Q")
_UNDEFINED = 2**64 - 1
_NO_FREE_BLOCK = 1
_N_INDEXED = 32  # half the children of a node of a chunk index, fixed in superblock 0
_LARGEST_CHUNK = 2**26  # byte; PyTables makes chunks of 1 MB at most, h5py too
_NIL, _SPACE, _TYPE, _OLD_FILL, _FILL, _LAYOUT, _FILTERS = 0x00, 0x01, 0x03, 0x04, 0x05, 0x08, 0x0B
_ATTRIBUTE, _COMMENT, _MORE, _SYMBOLS, _TIME = 0x0C, 0x0D, 0x10, 0x11, 0x12
_FREQUENT = {_NIL, _ATTRIBUTE, _MORE}  # may occur more than once
_KNOWN = {*_FREQUENT, _SPACE, _TYPE, _OLD_FILL, _FILL, _LAYOUT, _FILTERS, _COMMENT, _SYMBOLS, _TIME}
_PLAIN_FLAGS = (0, 1, 4, 5)  # constant, never shared; others change how a message is read
_FIXED, _FLOAT, _TEXT, _VARIABLE = 0, 1, 3, 9  # classes of types
_DEFLATE, _SHUFFLE, _FLETCHER = 1, 2, 3
_VALUES_OF_FILTER = {_DEFLATE: (1,), _SHUFFLE: (0, 1), _FLETCHER: (0,)}  # their possible numbers
_REFERENCE_SIZE = 16
# bits, exponent's place and size, mantissa's place and size, bias
_FLOATS = {2: (16, 10, 5, 0, 10, 15), 4: (32, 23, 8, 0, 23, 127), 8: (64, 52, 11, 0, 52, 1023)}


class _Unknown(Exception):
    """Something that this module does not vouch for. It may be right."""


class _Entry(NamedTuple):
    """A name in a group, and where it leads."""

    header: int
    is_soft: bool
    cached: tuple[int, int] | None  # addresses of a group's names, which libhdf5 may use without reading its header


def is_sound(path: Path, names: Iterable[str]) -> bool:
    """Whether libhdf5 can open a file and read some of its datasets without following a wrong address.

    Parameters
    ----------
    path : Path
        A file.
    names : iterable of str
        Paths of the datasets. They need not exist.

    Returns
    -------
    bool
        False if the file has a structure that this module does not know.

    Raises
    ------
    FormatError
        If an address leads in a circle or out of the file.
    """
    size = path.stat().st_size
    if size < _SUPERBLOCK.size + _ENTRY.size:
        return True  # libhdf5 refuses it before it follows any address
    with path.open("rb") as raw, mmap(raw.fileno(), 0, access=ACCESS_READ) as content:
        if not _is_hdf5(content):
            return True
        try:
            _Walk(content, path).file(names)
        except _Unknown:
            return False
    return True


def _is_hdf5(content: mmap) -> bool:
    # libhdf5 looks for the signature at 0, 512, 1024, 2048, ...
    places = [0, *(512 << power for power in range(48) if 512 << power < len(content))]
    return any(content[place : place + 8] == _SIGNATURE for place in places)


class _Walk:
    """A walk through a file in which no structure may be met twice."""

    def __init__(self, content: mmap, path: Path) -> None:
        self._content, self._path = content, path
        self._end = len(content)
        self._seen: set[int] = set()
        self._datasets: set[int] = set()  # headers of datasets, to which several names may lead
        self._n_names = self._n_groups = 0  # half the entries of a node of names, and of the tree above

    def file(self, names: Iterable[str]) -> None:
        head = self._read(_SUPERBLOCK, 0)
        signature, versions, sizes = head[0], (head[1:4], head[5]), head[6:8]
        if signature != _SIGNATURE or versions != ((0, 0, 0), 0) or sizes != (8, 8):
            raise _Unknown
        self._n_names, self._n_groups, (base, free, end, driver) = head[9], head[10], head[12:]
        if (base, free, driver) != (0, _UNDEFINED, _UNDEFINED) or not self._n_names or not self._n_groups:
            raise _Unknown
        if end > len(self._content):
            return  # libhdf5 calls it truncated
        self._end = end
        root = self._entry_at(_SUPERBLOCK.size, None)
        if root.is_soft:
            raise _Unknown
        groups = {"": self._group(root, with_attributes=True)}
        for name in dict.fromkeys(names):
            self._follow(groups, name.split("/"))

    def _follow(self, groups: dict[str, dict[bytes, _Entry] | None], parts: list[str]) -> None:
        for depth, part in enumerate(parts):
            above, here = "/".join(parts[:depth]), "/".join(parts[: depth + 1])
            group = groups[above]
            entry = None if group is None else group.get(part.encode())
            if entry is None or entry.is_soft:
                return  # there is no such dataset, or it is refused
            if depth < len(parts) - 1:
                if here not in groups:
                    groups[here] = self._group(entry)
            elif entry.header not in self._datasets:
                self._datasets.add(entry.header)
                self._dataset(entry.header)

    # Blocks

    def _fault(self, fault: str) -> FormatError:
        return FormatError(f"{self._path}: damaged: {fault}")

    def _require(self, place: int, size: int, what: str) -> None:
        if place + size > self._end:
            raise self._fault(f"{what} at byte {place} must end within the file, which has {self._end} bytes")

    def _enter(self, place: int, size: int, what: str) -> None:
        """Enter a block that may be entered only once."""
        self._require(place, size, what)
        if place in self._seen:
            raise self._fault(f"{what} at byte {place} occurs twice: its addresses run in a circle")
        self._seen.add(place)

    def _read(self, struct: Struct, place: int) -> tuple[Any, ...]:
        if place + struct.size > self._end:
            raise _Unknown
        return struct.unpack_from(self._content, place)

    # Groups

    def _group(self, entry: _Entry, with_attributes: bool = False) -> dict[bytes, _Entry] | None:
        """The names in a group; None if it is a dataset."""
        messages = self._messages(entry.header)
        symbols = [body for kind, body in messages if kind == _SYMBOLS]
        if with_attributes:
            for kind, body in messages:
                if kind == _ATTRIBUTE:
                    _check_attribute(body)
        if not symbols:
            if any(kind == _LAYOUT for kind, _ in messages):
                return None
            raise _Unknown
        tree, heap = _take(_WORDS, symbols[0], 0)
        if entry.cached not in (None, (tree, heap)):
            raise _Unknown
        names = self._heap(heap)
        entries: dict[bytes, _Entry] = {}
        last = b""
        for table in self._tables(tree, names):
            for name, found in self._table(table, names):
                if name <= last:
                    raise _Unknown  # libhdf5, which searches by halves, may find another
                last, entries[name] = name, found
        return entries

    def _tables(self, tree: int, names: bytes) -> Iterator[int]:
        for node in self._leaves(tree, kind=0, n_most=2 * self._n_groups, key_size=8):
            for offset in node.keys:
                _text_at(names, int.from_bytes(offset, "little"))
            yield from node.children

    def _table(self, place: int, names: bytes) -> Iterator[tuple[bytes, _Entry]]:
        self._enter(place, _TABLE.size + 2 * self._n_names * _ENTRY.size, "a table of names")
        signature, version, _, n_entries = self._read(_TABLE, place)
        if (signature, version) != (b"SNOD", 1) or n_entries > 2 * self._n_names:
            raise _Unknown
        for index in range(n_entries):
            at = place + _TABLE.size + index * _ENTRY.size
            name = _text_at(names, self._read(_WORD, at)[0])
            yield name, self._entry_at(at, names)

    def _entry_at(self, place: int, names: bytes | None) -> _Entry:
        _, header, kind, _, scratch = self._read(_ENTRY, place)
        if kind == 2 and names is not None:
            _text_at(names, int.from_bytes(scratch[:4], "little"))
            return _Entry(0, True, None)
        if kind not in (0, 1):
            raise _Unknown
        return _Entry(header, False, _WORDS.unpack(scratch) if kind == 1 else None)

    def _heap(self, place: int) -> bytes:
        """The data of a local heap, which holds the names in a group."""
        self._enter(place, _HEAP.size, "a heap of names")
        signature, version, size, free, data = self._read(_HEAP, place)
        if (signature, version) != (b"HEAP", 0):
            raise _Unknown
        if data != place + _HEAP.size:  # otherwise part of the same block
            self._enter(data, size, "the names in a heap")
        self._require(data, size, "the names in a heap")
        names, seen = self._content[data : data + size], set()
        while free != _NO_FREE_BLOCK:
            if free in seen:
                raise self._fault(f"the free blocks in the heap of names at byte {place} run in a circle")
            seen.add(free)
            if free + _WORDS.size > size:
                raise _Unknown
            following, n_bytes = _WORDS.unpack_from(names, free)
            if not _WORDS.size <= n_bytes <= size - free:
                raise _Unknown
            free = following
        return names

    # B-trees

    def _leaves(self, root: int, *, kind: int, n_most: int, key_size: int) -> Iterator[_Node]:
        """The lowest nodes of a B-tree, from left to right, after all others have been checked."""
        level: list[_Node] = [self._node(root, kind, n_most, key_size)]
        if (level[0].left, level[0].right) != (_UNDEFINED, _UNDEFINED):
            raise _Unknown
        while level[0].height > 0:
            below = []
            for node in level:
                for key, place in zip(node.keys, node.children, strict=False):
                    child = self._node(place, kind, n_most, key_size)
                    if child.height != node.height - 1 or (kind == 1 and child.keys[0][8:] != key[8:]):
                        raise _Unknown
                    below.append(child)
            if not below:
                raise _Unknown
            for index, node in enumerate(below):
                left = below[index - 1].place if index else _UNDEFINED
                right = below[index + 1].place if index + 1 < len(below) else _UNDEFINED
                if (node.left, node.right) != (left, right):
                    raise _Unknown
            level = below
        yield from level

    def _node(self, place: int, kind: int, n_most: int, key_size: int) -> _Node:
        self._enter(place, _NODE.size + n_most * 8 + (n_most + 1) * key_size, "a node of a B-tree")
        signature, found_kind, height, n_children, left, right = self._read(_NODE, place)
        if (signature, found_kind) != (b"TREE", kind) or n_children > n_most:
            raise _Unknown
        step, first = key_size + 8, place + _NODE.size
        keys = [self._content[at : at + key_size] for at in range(first, first + (n_children + 1) * step, step)]
        children = [self._read(_WORD, first + index * step + key_size)[0] for index in range(n_children)]
        return _Node(place, height, left, right, keys, children)

    # Objects

    def _messages(self, place: int) -> list[tuple[int, bytes]]:
        """The messages in the header of an object, in all its blocks."""
        self._enter(place, _HEADER.size, "the header of an object")
        version, _, n_messages, _, size = self._read(_HEADER, place)
        if version != 1:
            raise _Unknown
        messages: list[tuple[int, bytes]] = []
        blocks, n_found = [(place + _HEADER.size, size)], 0
        for start, n_bytes in blocks:
            self._enter(start, n_bytes, "a part of the header of an object")
            at = start
            while at < start + n_bytes:
                if at + _MESSAGE.size > start + n_bytes:
                    raise _Unknown
                kind, length, flags = self._read(_MESSAGE, at)
                at += _MESSAGE.size
                if kind not in _KNOWN or flags not in _PLAIN_FLAGS or length % 8 or at + length > start + n_bytes:
                    raise _Unknown
                body, n_found = self._content[at : at + length], n_found + 1
                at += length
                if kind == _MORE:
                    blocks.append(_take(_WORDS, body, 0))
                elif kind not in _FREQUENT and any(kind == other for other, _ in messages):
                    raise _Unknown
                messages.append((kind, body))
        if n_found != n_messages:
            raise _Unknown
        return messages

    def _dataset(self, header: int) -> None:
        bodies = dict(self._messages(header))
        if _SYMBOLS in bodies:
            return  # a group, which is refused
        if not {_SPACE, _TYPE, _LAYOUT} <= bodies.keys():
            raise _Unknown
        shape, kind = _shape_of(bodies[_SPACE]), _type_of(bodies[_TYPE])[0]
        _check_fill(bodies, kind)
        n_filters = _check_filters(bodies.get(_FILTERS))
        body = bodies[_LAYOUT]
        version, layout = _take(_BYTES, body, 0)
        if version != 3:
            raise _Unknown
        n_bytes = math.prod(shape or ()) * kind.size
        if layout == 0:
            (n_stored,) = _take(_SHORT, body, 2)
            if n_stored != n_bytes or 4 + n_stored > len(body):
                raise _Unknown
        elif layout == 1:
            address, n_stored = _take(_WORDS, body, 2)
            if address != _UNDEFINED:
                self._require(address, n_stored, "data")
                if n_stored != n_bytes:
                    raise _Unknown
        elif layout == 2 and shape:
            self._chunks(body, shape, kind.size, n_filters)
        else:
            raise _Unknown

    def _chunks(self, body: bytes, shape: tuple[int, ...], size: int, n_filters: int) -> None:
        n_axes = body[2]
        (tree,) = _take(_WORD, body, 3)
        if n_axes != len(shape) + 1 or 11 + 4 * n_axes > len(body):
            raise _Unknown
        chunk = Struct(f"<{n_axes}I").unpack_from(body, 11)
        n_bytes = math.prod(chunk)
        if chunk[-1] != size or not 0 < n_bytes <= _LARGEST_CHUNK:
            raise _Unknown
        if tree == _UNDEFINED:
            return
        key, last = Struct(f"<II{n_axes}Q"), None
        for node in self._leaves(tree, kind=1, n_most=2 * _N_INDEXED, key_size=key.size):
            for found, place in zip(node.keys, node.children, strict=False):
                n_stored, _, *offset = key.unpack(found)
                is_inside = all(o % c == 0 and o < n for o, c, n in zip(offset, chunk, shape, strict=False))
                if place + n_stored > self._end:
                    raise _Unknown  # `hdf5.find_column` says more about chunks of a wrong size
                if not is_inside or offset[-1] or (last is not None and offset <= last):
                    raise _Unknown
                if not n_filters and n_stored != n_bytes:
                    raise _Unknown
                last = offset


class _Node(NamedTuple):
    """A node of a B-tree."""

    place: int
    height: int
    left: int
    right: int
    keys: list[bytes]
    children: list[int]


class _Type(NamedTuple):
    """The class of a type and its size [byte]."""

    kind: int
    size: int


_BYTES, _SHORT, _LONG = Struct("<BB"), Struct("<H"), Struct("<I")
_TYPE_HEAD = Struct("<B3sI")
_NUMBER, _REAL = Struct("<HH"), Struct("<HHBBBBI")
_ATTRIBUTE_HEAD, _FILTER_HEAD = Struct("<BBHHH"), Struct("<HHHH")


def _take(struct: Struct, body: bytes, place: int) -> tuple[Any, ...]:
    if place + struct.size > len(body):
        raise _Unknown
    return struct.unpack_from(body, place)


def _text_at(names: bytes, offset: int) -> bytes:
    end = names.find(b"\0", offset)
    if offset >= len(names) or end < 0:
        raise _Unknown
    return names[offset:end]


def _shape_of(body: bytes) -> tuple[int, ...] | None:
    """The shape that a message about the size of data gives; None if there are none."""
    version, n_axes = _take(_BYTES, body, 0)
    flags, kind = _take(_BYTES, body, 2)
    if version not in (1, 2) or n_axes > 32 or flags > 1:
        raise _Unknown
    place = 8 if version == 1 else 4
    sizes = _take(Struct(f"<{n_axes * (1 + flags)}Q"), body, place)
    shape = sizes[:n_axes]
    if version == 2 and kind == 2:
        return None
    if flags and any(n > most for n, most in zip(shape, sizes[n_axes:], strict=True)):
        raise _Unknown
    return shape


def _type_of(body: bytes, place: int = 0, depth: int = 0) -> tuple[_Type, int]:
    """A type, and where its description ends."""
    first, bits, size = _take(_TYPE_HEAD, body, place)
    version, kind, place = first >> 4, first & 15, place + _TYPE_HEAD.size
    flags = int.from_bytes(bits, "little")
    if version not in (1, 2, 3) or not size:
        raise _Unknown
    if kind == _FIXED and size in (1, 2, 4, 8):
        if _take(_NUMBER, body, place) != (0, 8 * size) or flags & ~0b1001:
            raise _Unknown
        return _Type(kind, size), place + _NUMBER.size
    if kind == _FLOAT and size in _FLOATS:
        n_bits, exponent, n_exponent, mantissa, n_mantissa, bias = _FLOATS[size]
        wanted = (0, n_bits, exponent, n_exponent, mantissa, n_mantissa, bias)
        if _take(_REAL, body, place) != wanted or flags & ~1 != 0x20 | (n_bits - 1) << 8:
            raise _Unknown
        return _Type(kind, size), place + _REAL.size
    if kind == _TEXT and flags & ~0x1F == 0 and flags & 15 <= 2:
        return _Type(kind, size), place
    if kind == _VARIABLE and size == _REFERENCE_SIZE and not depth and flags & 15 <= 1 and flags < 0x200:
        _, place = _type_of(body, place, depth + 1)
        return _Type(kind, size), place
    raise _Unknown


def _check_fill(bodies: dict[int, bytes], kind: _Type) -> None:
    """Refuse to vouch for a value of missing data that has a wrong size or lies in a heap."""
    sizes = []
    if _OLD_FILL in bodies:
        sizes.append((_take(_LONG, bodies[_OLD_FILL], 0)[0], len(bodies[_OLD_FILL]) - 4))
    if _FILL in bodies:
        body = bodies[_FILL]
        version, flags = _take(_BYTES, body, 0)
        has_size = version == 1 or (version == 2 and len(body) > 3 and body[3]) or (version == 3 and flags & 0x20)
        place = 2 if version == 3 else 4
        if version not in (1, 2, 3):
            raise _Unknown
        if has_size:
            sizes.append((_take(_LONG, body, place)[0], len(body) - place - 4))
    for size, room in sizes:
        is_plain = size == kind.size and kind.kind != _VARIABLE
        if size > room or not (size == 0 or is_plain):
            raise _Unknown


def _check_filters(body: bytes | None) -> int:
    """The number of filters, all of them known."""
    if body is None:
        return 0
    version, n_filters = _take(_BYTES, body, 0)
    if version != 1 or n_filters > 32:
        raise _Unknown
    place = 8
    for _ in range(n_filters):
        code, n_name, _, n_values = _take(_FILTER_HEAD, body, place)
        if n_values not in _VALUES_OF_FILTER.get(code, ()) or n_name % 8:
            raise _Unknown
        place += _FILTER_HEAD.size + n_name + 4 * (n_values + n_values % 2)
        if place > len(body):
            raise _Unknown
    return int(n_filters)


def _check_attribute(body: bytes) -> None:
    """Refuse to vouch for an attribute whose parts are not as large as they should be."""
    version, flags, n_name, n_type, n_space = _take(_ATTRIBUTE_HEAD, body, 0)
    if version not in (1, 2, 3) or (flags and version > 1) or not n_name:
        raise _Unknown
    place = _ATTRIBUTE_HEAD.size + (version == 3)
    parts = []
    for n_bytes in (n_name, n_type, n_space):
        parts.append(body[place : place + n_bytes])
        place += -(-n_bytes // 8) * 8 if version == 1 else n_bytes
    if place > len(body):
        raise _Unknown
    name, kind, space = parts
    if name.find(b"\0") != n_name - 1:
        raise _Unknown
    shape, (found, _) = _shape_of(space), _type_of(kind)
    if shape is not None and place + math.prod(shape) * found.size > len(body):
        raise _Unknown
