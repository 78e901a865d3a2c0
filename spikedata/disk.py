"""Files and folders on disk: written whole or not at all, locked against other processes, checksummed, and found.

What takes a file's or a folder's final name is complete. Until then the bytes are in a hidden file beside it, which the
next process removes if this one is killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LEFTOVERS = ".spikedata-*.part"  # names of the files that a killed process left half-written
LOCK = ".lock"
_LOCKS = {LOCK, f"{LOCK}.owner"}

_KEEPS_OPEN_FILES = os.name == "nt"  # Windows removes no file that is open; a lock is released before its file goes
_ATTEMPTS = 100  # to enter a folder; each may fail because another process removes the folder at that moment
_POLL = 0.01  # between two attempts at a lock [s]
_PATIENCE = 60.0  # [s]; a file is locked for milliseconds, so a longer wait means that something is wrong
_PIECE = 2**20  # bytes read at once
_ENOTSUPP = 524  # Linux's own, which leaks out of NFS and DVS; Python's errno has no name for it
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.ENOTSUP, errno.EOPNOTSUPP, _ENOTSUPP})
# what NFS without its lock daemon, Lustre without flock, FUSE and sandboxes answer to a request for a lock
WITHOUT_LOCKS = _UNSUPPORTED | {errno.ENOLCK, errno.EPERM, errno.EIO, errno.EBADF}


class OutputError(OSError):
    """An output path that cannot be written; the message names the path and the reason."""


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise unless a path can be written, so that a long computation does not fail at its end.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the path exists (and may not be replaced, or is not a regular file), or if its folder is missing or not
        writable.
    ValueError
        If `overwrite` is neither True nor False.
    """
    if not isinstance(overwrite, bool):  # such as "no", which would be true
        raise ValueError(f"overwrite must be True or False, got {overwrite!r}")
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OutputError(f"{path}: is a folder, must be a file")
    if target.exists() and not overwrite:
        raise OutputError(f"{path}: exists already, will not replace it (--overwrite does)")
    if target.exists() and not target.is_file():
        raise OutputError(f"{path}: is not a regular file, will not replace it")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: no folder {str(target.parent)!r}; make it first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: folder {str(target.parent)!r} is not writable")


def write_atomically(path: str | os.PathLike[str], content: bytes, *, overwrite: bool = False) -> None:
    """Write bytes to a file that appears complete or not at all.

    The bytes are written to a temporary file in the same folder (hidden, named ``.spikedata-….part``), flushed to the
    disk, and only then given the final name. Symbolic links are followed.

    Parameters
    ----------
    path : str or path-like
        The file to write.
    content : bytes
        Its whole content.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the path cannot be written (see `check_output`) or writing fails; an existing file is then unchanged.

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
    """A hidden name in the folder of a file, unique to this call, for the file while it is being written.

    Parameters
    ----------
    path : str or path-like
        The file to be written. Symbolic links are followed.
    """
    target = Path(os.path.realpath(path))
    return target.parent / f".spikedata-{os.getpid()}-{secrets.token_hex(4)}.part"


def put_in_place(temporary: Path, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Give a complete file its final name, once its bytes are on the disk.

    Parameters
    ----------
    temporary : Path
        The complete file, on the same file system.
    path : str or path-like
        Its final name. Symbolic links are followed.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the path cannot be written (see `check_output`) or the system refuses.
    """
    target = Path(os.path.realpath(path))
    try:
        sync_file(temporary)
        check_output(path, overwrite=overwrite)  # another process may have written it since the first check
        _rename(temporary, target)
        _sync_folder(target.parent)
    except OutputError:
        raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The error to raise where the system refuses to write.

    Parameters
    ----------
    path : str or path-like
        The file that was to be written.
    error : OSError
        The error of the system.
    """
    said = error.strerror or str(error)
    if "unable to lock file" in said and error.errno in WITHOUT_LOCKS:  # of a library that writes HDF5 by itself
        said = "its file system has no locks; set HDF5_USE_FILE_LOCKING=FALSE to write without"
    return OutputError(f"{path}: cannot be written: {said}")


def _write_to_disk(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk, where the file system can tell.

    Raises
    ------
    OSError
        If bytes are lost.
    """
    with path.open("rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _UNSUPPORTED:  # EIO, ENOSPC, EDQUOT: bytes are lost
                raise


def _rename(temporary: Path, target: Path) -> None:
    """Rename a file; one from another file system is copied beside its final name first."""
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = temporary_beside(target)
        try:
            shutil.copyfile(temporary, beside)
            sync_file(beside)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure, where the system can; the file has its name and its bytes by then."""
    if os.name != "posix":
        return
    with suppress(OSError):  # a share of VirtualBox (EINVAL), CIFS (EIO, EBADF), some FUSE (ENOSYS), no right to list
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ProcessLock:
    """A lock against other processes, also on a file system that has no locks.

    There the existence of a second file beside it is the lock. It names the process and the host that made it, so one
    that a killed process of this host left is recognized.

    Parameters
    ----------
    place : Path
        The lock file; it stays when the lock is released.
    """

    def __init__(self, place: Path) -> None:
        from filelock import FileLock, SoftFileLock

        self._native = FileLock(place, fallback_to_soft=False)  # by itself it would fall back for ENOSYS alone
        self._soft = SoftFileLock(_soft_place(place))

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._native.is_locked or self._soft.is_locked

    @property
    def is_soft(self) -> bool:
        """Whether this process has it, on a file system without locks."""
        return self._soft.is_locked

    def acquire(self, *, timeout: float = -1) -> None:
        """Wait for the lock and take it.

        Parameters
        ----------
        timeout : float
            How long to wait [s]; below 0 without end.

        Raises
        ------
        filelock.Timeout
            If another process holds it for so long; it names the file that exists because of that.
        OSError
            If the file cannot be made.
        """
        from filelock import Timeout

        try:
            self._native.acquire(timeout=timeout, poll_interval=_POLL)
        except Timeout:
            raise
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        try:
            # where locks work, somebody may still hold it softly: a host that mounts the file system without them
            if not self._native.is_locked or Path(self._soft.lock_file).exists():
                self._soft.acquire(timeout=timeout, poll_interval=_POLL)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let others have it; does nothing where it is not held."""
        self._soft.release()
        self._native.release()


def _soft_place(place: Path) -> Path:
    # a name of its own: the lock file itself is there in any case
    return place.with_name(f"{place.name}.owner")


def _owner_told(place: Path) -> str:
    """Who holds a soft lock and what to do if that is wrong, to be put behind a message; empty for a native lock."""
    try:
        process, host, *_ = _soft_place(place).read_text(encoding="utf-8").split()
    except OSError:
        return ""
    except ValueError:  # it was killed while it wrote this
        return f" (if none is, remove {_soft_place(place)})"
    return f" (process {process} on {host}; if it is gone, remove {_soft_place(place)})"


class WorkFolder:
    """A folder that belongs to this process alone, until `leave` or `remove` is called.

    The folders above it are created if necessary. Files that a killed process left half-written in it are removed.

    Parameters
    ----------
    path : Path
        The folder.
    busy : str
        The error message if another process has the folder.

    Raises
    ------
    OutputError
        If the folder cannot be created, or another process has it.
    """

    def __init__(self, path: Path, *, busy: str) -> None:
        self._path = path
        self._made: list[Path] = []
        self._lock: ProcessLock | None = None
        try:
            # an interruption between locking the folder and knowing of it would leave a lock that nobody removes
            with undisturbed():
                self._lock = self._enter(busy)
            for leftover in path.rglob(LEFTOVERS):
                leftover.unlink()
        except BaseException as error:
            self._undo()
            if isinstance(error, OSError) and not isinstance(error, OutputError):
                raise cannot_write(path, error) from error
            raise

    def leave(self) -> None:
        """Let other processes use the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def remove(self) -> None:
        """Remove the folder with everything in it, and those folders above it that were created for it and are empty.

        The lock is held to the end, so that no other process enters a folder that is about to disappear.
        """
        if self._lock is None:
            return
        with suppress(OSError):  # what cannot be removed stays
            for path in self._path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name not in _LOCKS:
                    path.unlink(missing_ok=True)
            if _KEEPS_OPEN_FILES:  # nor is the next process's lock removed, if that comes first
                self._lock.release()
            (self._path / LOCK).unlink(missing_ok=True)
            if self._lock.is_soft:  # its file would keep the folder
                self.leave()
            self._path.rmdir()  # fails if the next process has created its lock in the folder
            remove_empty(self._made)
        self.leave()

    def _enter(self, busy: str) -> ProcessLock:
        from filelock import Timeout

        place = self._path / LOCK
        for _ in range(_ATTEMPTS):
            try:
                self._made += make_parents(self._path)
                self._path.mkdir(exist_ok=True)
                lock = ProcessLock(place)
                lock.acquire(timeout=0)
                return lock
            except (FileNotFoundError, FileExistsError):  # FileExistsError: the folder existed and is gone again
                if any(folder.is_file() for folder in (self._path, *self._path.parents)):
                    raise
            except Timeout as held:
                if Path(held.lock_file).exists():
                    raise OutputError(f"{busy}{_owner_told(place)}") from None
                # the process that held the lock has removed the folder, or its soft lock was left by a killed one
        raise OutputError(busy)

    def _undo(self) -> None:
        """Take away what entering has made, and let others in; what lay in the folder before stays."""
        with suppress(OSError):  # somebody is in it, or it is not empty
            if self._lock is not None and {path.name for path in self._path.iterdir()} <= _LOCKS:
                if _KEEPS_OPEN_FILES:
                    self._lock.release()
                (self._path / LOCK).unlink(missing_ok=True)
                if self._lock.is_soft:
                    self.leave()
            self._path.rmdir()
            remove_empty(self._made)
        self.leave()


@contextmanager
def undisturbed() -> Iterator[None]:
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
    """Create the missing folders above a path and return them, the uppermost first.

    Raises
    ------
    OSError
        If the system refuses; those created so far are removed again.
    """
    made: list[Path] = []
    try:
        for folder in reversed(path.absolute().parents):
            if not folder.exists():
                with suppress(FileExistsError):  # another process has just created it
                    folder.mkdir()
                    made.append(folder)
    except BaseException:
        remove_empty(made)
        raise
    return made


def remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders that lie in each other, the last first, up to one that holds something.

    Parameters
    ----------
    folders : sequence of Path
        As `make_parents` returns them.
    """
    with suppress(OSError):
        for folder in reversed(folders):
            folder.rmdir()


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Lock a file for the length of a block; other processes, and this one at the start, wait for the lock.

    Parameters
    ----------
    path : Path
        The file. The lock is a hidden file beside it, which exists while a process holds it.

    Raises
    ------
    OutputError
        If the lock cannot be created, or another process holds it for a minute.
    """
    from filelock import Timeout

    if not path.parent.is_dir():
        raise OutputError(f"{path}: no folder {str(path.parent)!r}")  # filelock would create it
    place = path.with_name(f".{path.name}.lock")
    lock = ProcessLock(place)
    try:
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            words = f"{path}: another process has held {place.name} for {_PATIENCE:.0f} s{_owner_told(place)}"
            raise OutputError(words) from None
        except OSError as error:
            raise cannot_write(path, error) from error
        yield
    finally:
        # removed before it is released: a process that waits then finds that its lock is gone, and tries again
        if lock.is_held:  # otherwise the file belongs to another process
            with suppress(OSError):  # some systems do not remove an open file
                place.unlink(missing_ok=True)
        lock.release()


def file_state(path: Path) -> tuple[int, ...]:
    """Numbers that change if a file is replaced or written to.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OSError
        If there is none.
    """
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def file_digest(
    path: str | os.PathLike[str], algorithm: str, on_progress: Callable[[int, int], None] | None = None
) -> str:
    """The checksum of a file's bytes, in hexadecimal digits.

    Parameters
    ----------
    path : str or path-like
        The file.
    algorithm : str
        A name that `hashlib.new` takes.
    on_progress : callable, optional
        Called with the number of bytes read and the size of the file, first with 0.

    Raises
    ------
    OSError
        If the file cannot be read.
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
    """The folder for downloaded data sets: SPIKEDATA_HOME, or `spikedata` in the user's data folder."""
    from platformdirs import user_data_path

    named = os.environ.get("SPIKEDATA_HOME")
    return Path(named) if named else user_data_path("spikedata", appauthor=False)


def cache_folder() -> Path:
    """The folder for files that can be made again: SPIKEDATA_CACHE, or `spikedata` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("SPIKEDATA_CACHE")
    return Path(named) if named else user_cache_path("spikedata", appauthor=False)
