"""A folder of unfinished work, for one process at a time, and a lock for a file that several processes change.

A lock's file is unlinked by its holder alone, and last: who waits for it then holds a file without a name, which
filelock (from 3.30 on) notices and opens the name anew. Unlinked after the release, it could be that of the next one,
and a third process would make a file of its own: two would be alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spikedata.atomic import LEFTOVERS, OutputError, cannot_write

if TYPE_CHECKING:
    from filelock import FileLock

LOCK = ".lock"
_ATTEMPTS = 100  # that others may foil by leaving the folder in the moment in which we enter it
_PATIENCE = 60.0  # [s] that a file may be held, which takes milliseconds


class WorkFolder:
    """A folder that this process is alone in, from when this is made until it is left or removed.

    Folders above it are made if need be; what a killed process had half written in it is removed.

    Parameters
    ----------
    path : Path
        The folder.
    busy : str
        What to say where another process is in it.

    Raises
    ------
    OutputError
        If the folder cannot be made, or another process is in it.
    """

    def __init__(self, path: Path, *, busy: str) -> None:
        self._path = path
        self._made: list[Path] = []
        self._lock: FileLock | None = None
        try:
            self._lock = self._enter(busy)
            for leftover in path.rglob(LEFTOVERS):
                leftover.unlink()
        except BaseException as error:
            self.leave()
            with suppress(OSError):  # somebody is in it
                path.rmdir()
                self._remove_made()
            if isinstance(error, OSError) and not isinstance(error, OutputError):
                raise cannot_write(path, error) from error
            raise

    def leave(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remove(self) -> None:
        """Remove the folder with all that is in it, and those above it that were made for it and are empty."""
        if self._lock is None:
            return
        with suppress(OSError):  # what cannot be removed stays
            for path in self._path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != LOCK:
                    path.unlink(missing_ok=True)
            (self._path / LOCK).unlink(missing_ok=True)
            self._path.rmdir()  # refused where the next one is in it already
            self._remove_made()
        self.leave()

    def _enter(self, busy: str) -> FileLock:
        from filelock import FileLock, Timeout

        for _ in range(_ATTEMPTS):
            try:
                self._made += make_parents(self._path)
                self._path.mkdir(exist_ok=True)
                lock = FileLock(self._path / LOCK)
                lock.acquire(timeout=0)
            except (FileNotFoundError, FileExistsError):  # the latter: it was there and is gone
                if any(folder.is_file() for folder in (self._path, *self._path.parents)):
                    raise
                continue
            except Timeout:
                if (self._path / LOCK).exists():
                    break
                continue
            return lock
        raise OutputError(busy)

    def _remove_made(self) -> None:
        with suppress(OSError):  # others have put something there
            for folder in reversed(self._made):
                folder.rmdir()


def make_parents(path: Path) -> list[Path]:
    """Make the folders above a path that are not there; those that were made, the uppermost first.

    Raises
    ------
    OSError
        If the system refuses.
    """
    made: list[Path] = []
    for folder in reversed(path.absolute().parents):
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            made.append(folder)
    return made


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file for as long as the block runs; they wait, and so does this one.

    Parameters
    ----------
    path : Path
        The file. The lock lies beside it, hidden, for as long as somebody holds it.

    Raises
    ------
    OutputError
        If there cannot be a lock, or another process holds it for a minute.
    """
    from filelock import FileLock, Timeout

    if not path.parent.is_dir():
        raise OutputError(f"{path}: no folder {str(path.parent)!r}")  # filelock would make it
    place = path.with_name(f".{path.name}.lock")
    lock = FileLock(place)
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=0.01)
    except Timeout:
        raise OutputError(f"{path}: another process has held {place.name} for {_PATIENCE:.0f} s") from None
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # a system that does not unlink an open file
            place.unlink(missing_ok=True)
        lock.release()
