"""A file under libhdf5 that never fails it.

libhdf5 ends the process where a disk is full (HDF5 1.10 to 2.0: an error while it closes a file leaves its caches
torn). So room is asked for before rows are handed over, and an error that comes all the same is kept until the file is
closed, while libhdf5 goes on as if nothing had happened.
"""

from __future__ import annotations

import os
from pathlib import Path


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
