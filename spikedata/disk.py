"""Files and folders on the disk: written whole or not at all, checksummed, locked, and where they lie by default."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

LEFTOVERS = ".spikedata-*.part"  # names of what a killed process had half written


class OutputError(OSError):
    """An output path that cannot be written; the message names the path and the reason."""


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Find out before the work, not after it, whether a path can be written.

    Parameters
    ----------
    path : str or path-like
        The file that is to be made.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    OutputError
        If the path exists (and must not be replaced, or is no regular file), or if its folder is missing
        or not writable.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OutputError(f"{path}: is a folder, must be a file")
    if target.exists() and not overwrite:
        raise OutputError(f"{path}: exists already, will not replace it")
    if target.exists() and not target.is_file():
        raise OutputError(f"{path}: is not a regular file, will not replace it")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: no folder {str(target.parent)!r}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: folder {str(target.parent)!r} is not writable")


def write_atomically(path: str | os.PathLike[str], content: bytes, *, overwrite: bool = False) -> None:
    """Write bytes to a file that appears complete or not at all.

    The bytes go to a temporary file in the same folder (hidden, named ``.spikedata-….part``), reach the
    disk, and only then take the final name. Symbolic links are followed.

    Parameters
    ----------
    path : str or path-like
        The file to make.
    content : bytes
        All that will be in it.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    OutputError
        If the path cannot be written (see `check_output`) or the disk refuses the bytes; what was there
        before is then still there.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "note.txt")
    ...     write_atomically(path, b"hello")
    ...     path.read_bytes()
    b'hello'
    """
    check_output(path, overwrite=overwrite)
    temporary = temporary_beside(path)
    try:
        _write_to_disk(temporary, content)
        put_in_place(temporary, path, overwrite=overwrite)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: str | os.PathLike[str]) -> Path:
    """A name in the folder of a file for what will become the file; hidden, and never given twice.

    Parameters
    ----------
    path : str or path-like
        The file that is to be made. Symbolic links are followed.
    """
    target = Path(os.path.realpath(path))
    return target.parent / f".spikedata-{os.getpid()}-{secrets.token_hex(4)}.part"


def put_in_place(temporary: Path, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Give a whole file its final name, once its bytes are on the disk.

    Parameters
    ----------
    temporary : Path
        The file as it was written, in the same file system.
    path : str or path-like
        Its final name. Symbolic links are followed.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    OutputError
        If the path cannot be written (see `check_output`) or the disk refuses.
    """
    target = Path(os.path.realpath(path))
    try:
        _sync_file(temporary)
        check_output(path, overwrite=overwrite)  # somebody else may have been faster
        temporary.replace(target)
        _sync_folder(target.parent)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """What to raise where the system refuses to write.

    Parameters
    ----------
    path : str or path-like
        The file that was to be made.
    error : OSError
        What the system said.
    """
    return OutputError(f"{path}: cannot be written: {error.strerror or error}")


def _write_to_disk(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power failure, where the system can open folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
            # an interruption between locking the folder and knowing of it would leave a lock that nobody removes
            with _undisturbed():
                self._lock = self._enter(busy)
            for leftover in path.rglob(LEFTOVERS):
                leftover.unlink()
        except BaseException as error:
            self._undo()
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

    def _undo(self) -> None:
        """Take away what entering has made, and let others in; what lay in the folder before stays."""
        with suppress(OSError):  # somebody is in it, or it is not empty
            if self._lock is not None and [path.name for path in self._path.iterdir()] == [LOCK]:
                (self._path / LOCK).unlink()
            self._path.rmdir()
            self._remove_made()
        self.leave()

    def _remove_made(self) -> None:
        with suppress(OSError):  # others have put something there
            for folder in reversed(self._made):
                folder.rmdir()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Control-C wait until the block is done; only the main thread is ever interrupted by it."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


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
        try:
            lock.acquire(timeout=_PATIENCE, poll_interval=0.01)
        except Timeout:
            raise OutputError(f"{path}: another process has held {place.name} for {_PATIENCE:.0f} s") from None
        except OSError as error:
            raise cannot_write(path, error) from error
        yield
    finally:
        if lock.is_locked:  # else the file is another process's
            with suppress(OSError):  # a system that does not unlink an open file
                place.unlink(missing_ok=True)
        lock.release()


_PIECE = 2**20  # read at once [byte]


def file_digest(
    path: str | os.PathLike[str], algorithm: str, on_progress: Callable[[int, int], None] | None = None
) -> str:
    """The checksum of a file's bytes, in hexadecimal digits.

    Parameters
    ----------
    path : str or path-like
        The file.
    algorithm : str
        A name that `hashlib.new` knows.
    on_progress : callable, optional
        Called with the bytes done and all bytes, first with 0.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest, done, size = hashlib.new(algorithm, usedforsecurity=False), 0, Path(path).stat().st_size
    report = on_progress or (lambda *_: None)
    report(0, size)
    with Path(path).open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            done += len(piece)
            report(done, size)
    return digest.hexdigest()


def data_folder() -> Path:
    """The folder of downloaded data sets: SPIKEDATA_HOME, or `spikedata` in the user's data folder."""
    from platformdirs import user_data_path

    named = os.environ.get("SPIKEDATA_HOME")
    return Path(named) if named else user_data_path("spikedata", appauthor=False)


def cache_folder() -> Path:
    """The folder of what can be made anew: SPIKEDATA_CACHE, or `spikedata` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("SPIKEDATA_CACHE")
    return Path(named) if named else user_cache_path("spikedata", appauthor=False)
