"""Rows of spikes on their way into an HDF5 file, in flat memory, and with the same bytes for the same rows."""

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


class Backing:
    """A new file for h5py's driver for file objects.

    Parameters
    ----------
    path : Path
        The file, which must not exist.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
        self._end = 0  # of what was written; room that was taken may reach further
        self._error: OSError | None = None

    def reserve(self, n_bytes: int) -> None:
        """Take room on the disk behind what is there.

        Parameters
        ----------
        n_bytes : int
            How much [byte].

        Raises
        ------
        OSError
            If there is not so much, or an earlier write failed.
        """
        if self._error is not None:
            raise self._error
        if hasattr(os, "posix_fallocate"):  # elsewhere a full disk is found out when it is written to
            os.posix_fallocate(self._file.fileno(), self._end, n_bytes)

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Raises
        ------
        OSError
            If any write failed.
        """
        self._file.close()
        if self._error is not None:
            raise self._error

    # What h5py asks of a file object.

    def read(self, size: int = -1) -> bytes:
        """Read bytes; h5py knows a file object by this name, and then uses `readinto`."""
        return self._file.read(size) or b""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; what is not there reads as zeros."""
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
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Say the place."""
        return self._file.tell()

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""


_CHUNKS = (1024,)  # PyTables reads variable-length rows only from chunked, extendable datasets
_MOST_ROWS, _MOST_BYTES = 1024, 2**24  # that wait in memory; the bytes of the file depend on them
_ROOM_PER_ROW, _ROOM_FOR_ALL = 2**13, 2**20  # what HDF5 may need beside the data, for sure [byte]


class RowStream:
    """A spike file in the making, under a name of its own.

    `discard` closes and removes the file, where there still is one; so does the end of the object's life.

    Parameters
    ----------
    path : Path
        Name of the file, made with the first rows that do not fit memory, or at the end.
    times_dtype : dtype
        How times are stored.
    """

    def __init__(self, path: Path, times_dtype: np.dtype) -> None:
        self._path, self._times_dtype = path, times_dtype
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._n_bytes = 0
        self._opened: list[tuple[h5py.File, Backing]] = []  # one, once rows were handed over
        self.discard = weakref.finalize(self, _close_and_remove, self._opened, path)  # also where nobody calls it

    def add(self, times: np.ndarray, units: npt.NDArray[np.uint16]) -> None:
        """Add one row.

        Parameters
        ----------
        times : ndarray, shape (n_spikes,)
            In the dtype in which they are stored [s].
        units : ndarray of uint16, shape (n_spikes,)
            Their channels.

        Raises
        ------
        OSError
            If the disk refuses the bytes.
        """
        self._rows.append((times, units))
        self._n_bytes += times.nbytes + units.nbytes
        if len(self._rows) == _MOST_ROWS or self._n_bytes >= _MOST_BYTES:
            self._hand_over()

    def finish(self, columns: Mapping[str, np.ndarray | Sequence[str]], attributes: Mapping[str, str | int]) -> Path:
        """Write what is left, close the file and give its name.

        Parameters
        ----------
        columns : mapping of str to ndarray or sequence of str
            The other datasets by name.
        attributes : mapping of str to str or int
            Root attributes by name, in the order in which they are written.

        Raises
        ------
        OSError
            If the disk refuses the bytes.
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

    def _open(self) -> tuple[h5py.File, Backing]:
        if not self._opened:
            backing = Backing(self._path)
            file = h5py.File(backing, "w")  # which must find it empty
            self._opened.append((file, backing))
            backing.reserve(_ROOM_FOR_ALL)
            for name, dtype in ((TIMES.name, self._times_dtype), (UNITS.name, np.dtype(UNITS.dtypes[0]))):
                kind = h5py.vlen_dtype(dtype)
                file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=_CHUNKS, track_times=False)
        return self._opened[0]

    def _hand_over(self) -> None:
        """Give libhdf5 the rows that wait, once there is room for them."""
        file, backing = self._open()
        backing.reserve(self._n_bytes + _ROOM_PER_ROW * len(self._rows) + _ROOM_FOR_ALL)
        for place, name in enumerate((TIMES.name, UNITS.name) if self._rows else ()):
            _extend(file[name], [row[place] for row in self._rows])
        self._rows.clear()
        self._n_bytes = 0


def _close_and_remove(opened: list[tuple[h5py.File, Backing]], path: Path) -> None:
    for file, backing in opened:
        file.close()
        with contextlib.suppress(OSError):  # that it failed was said before
            backing.close()
    path.unlink(missing_ok=True)


def _extend(dataset: h5py.Dataset, rows: list[np.ndarray]) -> None:
    # by h5py's inner call, since its outer one takes rows of equal lengths for a matrix
    n_before, handed = len(dataset), np.empty(len(rows), dtype=dataset.dtype)
    for index, row in enumerate(rows):
        handed[index] = row
    dataset.resize((n_before + len(rows),))
    place = dataset.id.get_space()
    place.select_hyperslab((n_before,), (len(rows),))
    dataset.id.write(h5py.h5s.create_simple((len(rows),)), place, handed)


def _fixed_bytes(texts: Sequence[str]) -> np.ndarray:
    """UTF-8 in the fixed-length bytes that every HDF5 reader knows; HDF5 has no text of length 0."""
    encoded = [text.encode() for text in texts]
    return np.array(encoded, dtype=f"S{max(1, *map(len, encoded))}" if encoded else "S1")
