"""Write rows of spikes to an HDF5 file as they come: in flat memory, and with the same bytes for the same rows.

If the disk is full when HDF5 writes, libhdf5 crashes the process when the file is closed. `RowStream` therefore
reserves the space before it hands rows to HDF5, and `_Backing`, the file object below HDF5, hides write errors from it
until the file is closed.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from spikedata.files.columns import TIMES, UNITS

_CHUNKS = (1024,)  # PyTables reads variable-length rows only from chunked, extendable datasets
_MOST_ROWS, _MOST_BYTES = 1024, 2**24  # buffered rows and bytes; the bytes of the file depend on them
_ROOM_PER_ROW, _ROOM_FOR_ALL = 2**13, 2**20  # upper bounds of the space that HDF5 needs besides the data [byte]


class RowStream:
    """A spike file that is being written, under a temporary name.

    `discard` closes and removes the file, if it still exists; so does the garbage collection of the object.

    Parameters
    ----------
    path : Path
        Temporary name of the file, which is created when the buffer is full for the first time, or at the end.
    times_dtype : dtype
        Type of the stored times.
    """

    def __init__(self, path: Path, times_dtype: np.dtype) -> None:
        self._path, self._times_dtype = path, times_dtype
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._n_bytes = 0
        self._opened: list[tuple[h5py.File, _Backing]] = []  # at most one, after rows have been handed over
        self.discard = weakref.finalize(self, _close_and_remove, self._opened, path)  # also on collection

    def add(self, times: np.ndarray, units: npt.NDArray[np.uint16]) -> None:
        """Add one row.

        Parameters
        ----------
        times : ndarray, shape (n_spikes,)
            Spike times in the stored type [s].
        units : ndarray of uint16, shape (n_spikes,)
            Unit of each spike [1].

        Raises
        ------
        OSError
            If writing fails.
        """
        self._rows.append((times, units))
        self._n_bytes += times.nbytes + units.nbytes
        if len(self._rows) == _MOST_ROWS or self._n_bytes >= _MOST_BYTES:
            self._hand_over()

    def finish(self, columns: Mapping[str, np.ndarray | Sequence[str]], attributes: Mapping[str, str | int]) -> Path:
        """Write the remaining rows, close the file and return its name.

        Parameters
        ----------
        columns : mapping of str to ndarray or sequence of str
            The other datasets by name.
        attributes : mapping of str to str or int
            Root attributes by name, in the order in which they are written.

        Raises
        ------
        OSError
            If writing fails.
        """
        self._hand_over()
        file, backing = self._open()
        stored = {name: _fixed_bytes(v) if not isinstance(v, np.ndarray) else v for name, v in columns.items()}
        backing.reserve(sum(values.nbytes for values in stored.values()) + _ROOM_FOR_ALL)
        for name, values in stored.items():
            file.create_dataset(name, data=values, track_times=False)
        for name, value in attributes.items():
            file.attrs[name] = _fixed_bytes([value]).reshape(()) if isinstance(value, str) else value
        file.close()
        backing.close()
        return self._path

    def _open(self) -> tuple[h5py.File, _Backing]:
        if not self._opened:
            backing = _Backing(self._path)
            file = h5py.File(backing, "w")  # h5py requires an empty file
            self._opened.append((file, backing))
            backing.reserve(_ROOM_FOR_ALL)
            for name, dtype in ((TIMES.name, self._times_dtype), (UNITS.name, np.dtype(UNITS.dtypes[0]))):
                kind = h5py.vlen_dtype(dtype)
                file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=_CHUNKS, track_times=False)
        return self._opened[0]

    def _hand_over(self) -> None:
        """Hand the buffered rows to libhdf5, after reserving space for them."""
        file, backing = self._open()
        backing.reserve(self._n_bytes + _ROOM_PER_ROW * len(self._rows) + _ROOM_FOR_ALL)
        for place, name in enumerate((TIMES.name, UNITS.name) if self._rows else ()):
            _extend(file[name], [row[place] for row in self._rows])
        self._rows.clear()
        self._n_bytes = 0


def _close_and_remove(opened: list[tuple[h5py.File, _Backing]], path: Path) -> None:
    for file, backing in opened:
        file.close()
        with contextlib.suppress(OSError):  # the error has been reported before
            backing.close()
    path.unlink(missing_ok=True)


def _extend(dataset: h5py.Dataset, rows: list[np.ndarray]) -> None:
    # h5py's low-level interface, since the high-level one takes rows of equal lengths for a matrix
    n_before, handed = len(dataset), np.empty(len(rows), dtype=dataset.dtype)
    for index, row in enumerate(rows):
        handed[index] = row
    dataset.resize((n_before + len(rows),))
    place = dataset.id.get_space()
    place.select_hyperslab((n_before,), (len(rows),))
    dataset.id.write(h5py.h5s.create_simple((len(rows),)), place, handed)


def _fixed_bytes(texts: Sequence[str]) -> np.ndarray:
    """UTF-8 as fixed-length bytes, which every HDF5 reader supports; HDF5 has no texts of length 0."""
    encoded = [text.encode() for text in texts]
    return np.array(encoded, dtype=f"S{max(1, *map(len, encoded))}" if encoded else "S1")


class _Backing:
    """A new file for h5py's driver for file objects; it hides write errors from HDF5 and reports them later.

    Parameters
    ----------
    path : Path
        The file, which must not exist.

    Raises
    ------
    OSError
        If the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
        self._end = 0  # of the written bytes; the reserved space may extend beyond it
        self._error: OSError | None = None

    def reserve(self, n_bytes: int) -> None:
        """Reserve space on the disk after the written bytes.

        Parameters
        ----------
        n_bytes : int
            Size of the space [byte].

        Raises
        ------
        OSError
            If there is not enough space, or an earlier write failed.
        """
        if self._error is not None:
            raise self._error
        if hasattr(os, "posix_fallocate"):  # on other systems, a full disk is noticed only when writing
            os.posix_fallocate(self._file.fileno(), self._end, n_bytes)

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Raises
        ------
        OSError
            If a write failed.
        """
        self._file.close()
        if self._error is not None:
            raise self._error

    # The methods that h5py calls on a file object.

    def read(self, size: int = -1) -> bytes:
        """Read bytes; h5py recognizes a file object by this method, but calls `readinto`."""
        return self._file.read(size) or b""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; bytes beyond the end of the file are zeros."""
        n_read = self._file.readinto(buffer) or 0
        buffer[n_read:] = bytes(len(buffer) - n_read)
        return len(buffer)

    def write(self, content: memoryview) -> int:
        """Write all of a buffer."""
        rest = memoryview(content)
        try:
            while len(rest) and self._error is None:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            self._error = error
        self._end = max(self._end, self._file.tell())
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Get the position."""
        return self._file.tell()

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""
