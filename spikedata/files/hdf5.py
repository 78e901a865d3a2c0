"""Read columns from an HDF5 file that may be damaged or malicious.

HDF5 lets a file refer to data in other files (links, virtual and external storage) and claim sizes that it does not
have. Spike files need neither, so both are refused before anything is read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikedata.disk import WITHOUT_LOCKS
from spikedata.files.guard import require_harmless
from spikedata.files.kinds import check_filters, explained, folder_advice, is_locked, other_content, refuse_other_kinds
from spikedata.files.schema import FormatError

READ_ERRORS = (OSError, RuntimeError, KeyError)  # raised by h5py for damaged data
_REFERENCE_SIZE = 16  # of the reference to a row of variable length [byte]
_SUM_SIZE = 4  # of the checksum of a chunk [byte]
_LZF = 32000  # the number of h5py's own filter
_KNOWN_FILTERS = frozenset(
    {
        h5py.h5z.FILTER_DEFLATE,
        h5py.h5z.FILTER_SHUFFLE,
        h5py.h5z.FILTER_FLETCHER32,
        h5py.h5z.FILTER_SZIP,
        h5py.h5z.FILTER_NBIT,
        h5py.h5z.FILTER_SCALEOFFSET,
        _LZF,
    }
)
_UNPACKED_HERE = frozenset({h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32})
_MOST_OVERHEAD = 2**16  # of a chunk that one filter hands to the next [byte]
_LARGEST_ENTRY = 8  # of an entry of a row [byte]
_LARGEST_RATIO = 100  # of the claimed size to that of the file; HDF5's filters stay below it for such data


def open_hdf5(path: Path, names: Iterable[str] = ()) -> h5py.File:
    """An HDF5 file, open for reading.

    Parameters
    ----------
    path : Path
        The file.
    names : iterable of str
        Paths of the datasets that will be read, if they exist. Reading others may crash or fill the memory.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    FormatError
        If it is not an HDF5 file, truncated, or so damaged that reading it would crash or fill the memory; the
        message names what it is.
    BlockingIOError
        If another process is writing it.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not path.is_file():
        raise FormatError(f"{path}: must be a file, got a folder or device{folder_advice(path)}")
    try:
        refuse_other_kinds(path)
        require_harmless(path, names)
        return open_unguarded(path)
    except PermissionError:
        raise PermissionError(f"{path}: may not be read") from None
    except READ_ERRORS as error:
        if is_locked(error):
            raise BlockingIOError(f"{path}: is being written by another process; read it when that is done") from None
        raise FormatError(f"{path}: not a readable HDF5 file: {explained(path, reason(error))}") from error


def open_unguarded(path: Path) -> h5py.File:
    """A file that HDF5 opens, on a file system without locks, too.

    Parameters
    ----------
    path : Path
        A file that may still crash or fill the memory.

    Raises
    ------
    OSError, RuntimeError, KeyError
        As h5py.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        # on a file system without locks nothing is lost: files are complete before they get their name
        refused = re.search(r"unable to lock file, errno = (\d+)", str(error))
        # this process has it open without a lock already, and all that have a file open must agree
        is_open = "file locking flag values don't match" in str(error)
        if not is_open and (refused is None or int(refused[1]) not in WITHOUT_LOCKS):
            raise
    return h5py.File(path, "r", locking=False)


def reason(error: BaseException) -> str:
    """The reason at the end of a long HDF5 message, on one line.

    Parameters
    ----------
    error : BaseException
        An error raised by h5py.

    Examples
    --------
    >>> reason(OSError("Unable to synchronously open file (file signature not found)"))
    'file signature not found'
    """
    text = " ".join(str(error).split())
    inner = re.search(r"\((.*)\)\W*$", text)
    return inner[1] if inner else text


def find_column(file: h5py.File, name: str) -> h5py.Dataset | None:
    """A one-dimensional dataset stored in the file itself; None if there is none of that name.

    Parameters
    ----------
    file : h5py.File
        An open file.
    name : str
        Path of the dataset.

    Raises
    ------
    FormatError
        If it is a link or a group, is stored in another file, is not one-dimensional, or has an impossible size.
    """
    where, place = f"{file.filename}: {name!r}", file
    for part in name.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise FormatError(f"{where} must be in the file itself, got a link")
        place = place[part]
    if not isinstance(place, h5py.Dataset):
        raise FormatError(f"{where} must be a dataset, got a {type(place).__name__.lower()}")
    if place.is_virtual or place.external:
        raise FormatError(f"{where} must be in the file itself, got data in other files")
    if place.ndim != 1:
        raise FormatError(f"{where} must have one dimension, got shape {place.shape}")
    try:
        place.dtype  # noqa: B018
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where} has a type that NumPy does not support: {error}") from None
    if place.nbytes > _LARGEST_RATIO * Path(file.filename).stat().st_size:
        raise FormatError(f"{where} claims {place.nbytes} bytes, more than the file can hold")
    check_filters(place, where)
    _check_chunks(place, where)
    return place


def _check_chunks(column: h5py.Dataset, where: str) -> None:
    """Raise if a chunk has an impossible size, for which libhdf5 would read beyond its memory."""
    if column.chunks is None:
        return
    size = column.chunks[0] * (_REFERENCE_SIZE if column.dtype.kind == "O" else column.id.get_type().get_size())
    largest = Path(column.file.filename).stat().st_size
    codes = filters_of(column)
    for chunk in stored_chunks(column):
        used = [code for index, code in enumerate(codes) if not chunk.filter_mask >> index & 1]
        is_packed = any(code != h5py.h5z.FILTER_SHUFFLE for code in used)
        if is_packed and not 0 < chunk.size <= largest:
            raise FormatError(f"{where}: damaged: a packed chunk must have 1 to {largest} bytes, got {chunk.size}")
        if not is_packed and chunk.size != size:
            raise FormatError(f"{where}: damaged: its chunks must have {size} bytes, got {chunk.size}")


def stored_chunks(column: h5py.Dataset) -> list[h5py.h5d.StoreInfo]:
    """The chunks of a column, without those that are listed and not stored: HDF5 fills them."""
    chunks: list[h5py.h5d.StoreInfo] = []
    column.id.chunk_iter(chunks.append)
    return [chunk for chunk in chunks if chunk.chunk_offset is not None]


def filters_of(column: h5py.Dataset) -> list[int]:
    """The numbers of the filters that pack the chunks of a column, in their order."""
    properties = column.id.get_create_plist()
    return [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]


def check_packed(column: h5py.Dataset, where: str = "") -> None:
    """Raise if a packed chunk does not have its size when it is unpacked: libhdf5 would read beyond its memory.

    Parameters
    ----------
    column : Dataset
        From `find_column`.
    where : str
        File and column, for the message. Default: those of the column.

    Raises
    ------
    FormatError
        If one does not. Chunks packed by filters that come with neither HDF5 nor h5py are not checked.
    """
    properties = column.id.get_create_plist()
    filters = [properties.get_filter(index)[::2] for index in range(properties.get_nfilters())]
    if not filters or not _KNOWN_FILTERS.issuperset(code for code, _ in filters):
        return
    size = column.chunks[0] * column.id.get_type().get_size()
    where = where or f"{column.file.filename}: {column.name.lstrip('/')!r}"
    for chunk in stored_chunks(column):
        mask, packed = column.id.read_direct_chunk(chunk.chunk_offset)
        for index, (code, values) in reversed(list(enumerate(filters))):
            if not mask >> index & 1:
                packed = _unpacked(packed, code, values, size + _MOST_OVERHEAD, where)
        if len(packed) != size:
            raise FormatError(f"{where}: damaged: its chunks must have {size} bytes, got {len(packed)}")


def _unpacked(packed: bytes, code: int, values: tuple[int, ...], largest: int, where: str) -> bytes:
    """As many bytes as a filter would make of those of a chunk, at most one more than allowed."""
    if code == h5py.h5z.FILTER_SHUFFLE:
        return packed
    if code == h5py.h5z.FILTER_DEFLATE:
        return _inflated(packed, largest + 1, where)
    if code == h5py.h5z.FILTER_FLETCHER32 and len(packed) > _SUM_SIZE:
        return packed[:-_SUM_SIZE]
    if code == h5py.h5z.FILTER_FLETCHER32:
        size = 0
    elif code == h5py.h5z.FILTER_SZIP:
        size = int.from_bytes(packed[:4], "little")
    elif code == _LZF:
        size = _size_of_lzf(packed, largest)
    else:  # n-bit and scale-offset say how many entries there are, and their size
        size = values[2] * values[4] if len(values) > 4 else 0
    if size <= 0:
        raise FormatError(f"{where}: damaged: a packed chunk must have more than {len(packed)} bytes")
    return bytes(min(size, largest + 1))


def _inflated(packed: bytes, largest: int, where: str) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, largest)
    except zlib.error as error:
        raise FormatError(f"{where}: damaged: {error}") from None


def _size_of_lzf(packed: bytes, largest: int) -> int:
    """What a chunk packed by LZF unpacks to [byte], or a larger size than allowed."""
    place = size = 0
    while place < len(packed) and size <= largest:
        control = packed[place]
        if control < 32:  # so many bytes and one as they are
            place, size = place + control + 2, size + control + 1
        else:  # a repetition: its length, continued in a byte if it is 7, and a byte of where it begins
            is_long = control >> 5 == 7
            more = packed[place + 1] if is_long and place + 1 < len(packed) else 0
            place, size = place + 2 + is_long, size + (control >> 5) + more + 2
    return size


def unpack_chunk(packed: bytes, mask: int, properties: h5py.h5p.PropDCID, entry_size: int, where: str) -> bytes:
    """The content of a chunk.

    Parameters
    ----------
    packed : bytes
        The chunk as stored.
    mask : int
        Marks the filters that were not applied to it.
    properties : PropDCID
        Of its dataset.
    entry_size : int
        Size of an entry [byte].
    where : str
        File and dataset, for messages.

    Raises
    ------
    FormatError
        If it cannot be unpacked, or has not the size that it should have.
    """
    size = properties.get_chunk()[0] * entry_size
    codes = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    if not _UNPACKED_HERE.issuperset(codes):
        return _unpacked_by_hdf5(packed, mask, properties, entry_size, where)
    for index in reversed(range(len(codes))):
        code, _, values, _ = properties.get_filter(index)
        if mask >> index & 1:
            continue
        n_sums = sum(
            4
            for place, other in enumerate(codes[:index])
            if other == h5py.h5z.FILTER_FLETCHER32 and not mask >> place & 1
        )
        if code == h5py.h5z.FILTER_DEFLATE:
            packed = _inflated(packed, size + n_sums + 1, where)
        elif code == h5py.h5z.FILTER_FLETCHER32 and len(packed) > _SUM_SIZE:
            packed = packed[:-_SUM_SIZE]
        elif code == h5py.h5z.FILTER_SHUFFLE and values == (entry_size,) and len(packed) == size:
            packed = np.frombuffer(packed, np.uint8).reshape(entry_size, -1).T.tobytes()
        else:
            raise FormatError(f"{where}: damaged: its chunks do not fit filter {code}, got {len(packed)} bytes")
    if len(packed) != size:
        raise FormatError(f"{where}: damaged: its chunks must have {size} bytes, got {len(packed)}")
    return packed


def _unpacked_by_hdf5(packed: bytes, mask: int, properties: h5py.h5p.PropDCID, entry_size: int, where: str) -> bytes:
    """The content of a chunk that LZF, or a filter of a plugin, has packed.

    References to rows cannot be read as they are stored, but a chunk is the same in a dataset of plain entries.
    """
    shape, created = properties.get_chunk(), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_chunk(shape)
    for index in range(properties.get_nfilters()):
        code, flags, values, _ = properties.get_filter(index)
        if not mask >> index & 1:
            created.set_filter(code, flags, values)
    entries = np.empty(shape, f"V{entry_size}")
    try:
        with h5py.File("chunk", "w", driver="core", backing_store=False) as memory:
            kind, space = h5py.h5t.py_create(entries.dtype), h5py.h5s.create_simple(shape)
            dataset = h5py.h5d.create(memory.id, b"chunk", kind, space, created)
            dataset.write_direct_chunk((0,), packed)
            check_packed(h5py.Dataset(dataset), where)
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, entries, mtype=kind)
    except READ_ERRORS as error:
        raise FormatError(f"{where}: damaged: {reason(error)}") from error
    return entries.tobytes()


def require_rows(file: h5py.File, name: str, kinds: str) -> tuple[h5py.Dataset, np.dtype]:
    """A dataset of variable-length rows, and the dtype of their entries.

    Parameters
    ----------
    file : h5py.File
        An open file.
    name : str
        Path of the dataset.
    kinds : {"f", "iu", "fiu"}
        Floats, integers, or both.

    Raises
    ------
    FormatError
        If it is missing, holds something else, or has another byte order than this machine.
    """
    dataset = find_column(file, name)
    if dataset is None:
        raise FormatError(f"{file.filename}: no dataset {name!r}{other_content(file)}")
    dtype = h5py.check_vlen_dtype(dataset.dtype)
    if dtype is None or np.dtype(dtype).kind not in kinds:
        wanted, found = "floats" if "f" in kinds else "integers", dataset.dtype if dtype is None else dtype
        found = "text" if dtype in (str, bytes) else found
        raise FormatError(f"{file.filename}: {name!r} must hold variable-length rows of {wanted}, got {found}")
    if np.dtype(dtype).itemsize > _LARGEST_ENTRY:
        raise FormatError(f"{file.filename}: {name!r} must have entries of at most 64 bits, got {dtype}")
    if not np.dtype(dtype).isnative:  # h5py 3.16 returns such rows unswapped, as if they were native
        raise FormatError(f"{file.filename}: {name!r} must have this machine's byte order, got {dtype}")
    return dataset, np.dtype(dtype)


def read_numbers(file: h5py.File, name: str, dtype: npt.DTypeLike = np.int64) -> npt.NDArray[Any] | None:
    """A column of numbers; None if there is none of that name.

    Parameters
    ----------
    file : h5py.File
        An open file.
    name : str
        Path of the dataset.
    dtype : dtype
        Type of the result: 64-bit integer or float.

    Raises
    ------
    FormatError
        If it does not hold integers, or numbers where floats are wanted, or a number is out of range.
    """
    column, wanted = find_column(file, name), np.dtype(dtype)
    if column is None:
        return None
    kinds, what = ("fiu", "numbers") if wanted.kind == "f" else ("iu", "integers")
    if column.dtype.kind not in kinds:
        raise FormatError(f"{file.filename}: {name!r} must hold {what}, got {column.dtype}")
    check_packed(column)
    values = column[:]
    if values.size and wanted.kind != "f":
        limits = np.iinfo(wanted)
        if int(values.max()) > limits.max:
            raise FormatError(
                f"{file.filename}: {name!r} must hold integers below 2**{limits.max.bit_length()}, got {values.max()}"
            )
        if int(values.min()) < limits.min:
            raise FormatError(f"{file.filename}: {name!r} must hold integers >= {limits.min}, got {values.min()}")
    return np.asarray(values, dtype=wanted)


def read_text(file: h5py.File, name: str) -> tuple[str, ...] | None:
    """A column of UTF-8 text; None if there is none of that name.

    Parameters
    ----------
    file : h5py.File
        An open file.
    name : str
        Path of the dataset.

    Raises
    ------
    FormatError
        If it does not hold UTF-8 text.
    """
    column = find_column(file, name)
    if column is None:
        return None
    if column.dtype.kind != "S" and h5py.check_string_dtype(column.dtype) is None:
        raise FormatError(f"{file.filename}: {name!r} must hold text, got {column.dtype}")
    check_packed(column)
    try:
        return tuple(value.decode() for value in column[:])
    except UnicodeDecodeError as error:
        raise FormatError(f"{file.filename}: {name!r} must hold UTF-8: {error}") from None


def read_attributes(file: h5py.File, prefix: str) -> dict[str, str | int]:
    """Root attributes, texts or whole numbers, whose names begin with a prefix.

    Parameters
    ----------
    file : h5py.File
        An open file.
    prefix : str
        Beginning of the names.

    Raises
    ------
    ValueError
        If one is neither, or has variable length: it is then stored in the heap, which is checked for columns only.
    """
    return {name: _read_attribute(file, name) for name in file.attrs if name.startswith(prefix)}


def _read_attribute(file: h5py.File, name: str) -> str | int:
    kind = file.attrs.get_id(name).dtype.kind
    if kind == "O":
        raise ValueError(f"{name!r} must have a fixed length")
    value = file.attrs[name]
    if np.shape(value) != () or kind not in "Siu":
        raise ValueError(f"{name!r} must be one text or whole number, got {value!r}")
    return value.decode() if kind == "S" else int(value)
