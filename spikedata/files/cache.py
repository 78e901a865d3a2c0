"""Spike files as memory-mapped events: read once, opened in milliseconds ever after.

The flat arrays of a file are kept in the folder that SPIKEDATA_CACHE names, or else in the user's cache folder, under a
name made of the file's path, size and time of last change: a file that changes has another cache, and the old one is
removed. A cache is written beside its place and renamed to it when it is complete: processes that race leave one.
What a process that was killed left half made is removed by the next one that makes a cache: whoever makes one holds a
lock on its folder. Every byte is held against a checksum when a process first opens a cache, which reads it once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import fcntl
except ImportError:  # on Windows, where leftovers stay
    fcntl = None  # type: ignore[assignment]

from spikedata import disk as folders
from spikedata.events import Events
from spikedata.files.reader import SpikeFile

_log = logging.getLogger(__name__)

_FORMAT = 3
_BEING_MADE = ".being-made-"
_ARRAYS = ("times", "units", "offsets", "labels", "speakers", "sample_rates")
_VERIFIED: set[tuple[int, ...]] = set()  # states of the files of caches that this process has verified


def open_events(path: str | os.PathLike[str], *, cache: bool = True) -> Events:
    """The events of a spike file, memory-mapped from a cache that is made when there is none.

    Parameters
    ----------
    path : str or path-like
        A spike file.
    cache : bool
        Whether to use and to make a cache; otherwise the events are read into memory.

    Returns
    -------
    Events
        Its arrays may be read-only.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it breaks a rule of the format.
    """
    if not cache:
        return _read(path)
    try:
        folder = _folder_of(Path(path))
    except OSError:
        return _read(path)  # which says what is wrong
    events = _open(folder)
    if events is None:
        events = _read(path)
        _write(folder, events)
        events = _open(folder) or events
    return events


def cache_folder() -> Path:
    """Where events are kept: `events` in SPIKEDATA_CACHE, or in `spikedata` in the user's cache folder."""
    return folders.cache_folder() / "events"


def _read(path: str | os.PathLike[str]) -> Events:
    with SpikeFile(path) as file:
        return file.read_events()


def _folder_of(path: Path) -> Path:
    # <digest of the path>-<digest of the state of the file>
    status = path.stat()
    where = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    state = json.dumps([_FORMAT, status.st_size, status.st_mtime_ns, status.st_ino])
    return cache_folder() / f"{where}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _open(folder: Path) -> Events | None:
    # None where there is no cache; one that is damaged or not complete is removed
    if not _is_there(folder):
        return None
    try:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        digest = meta.pop("digest")
        if digest != _digest_of(meta):
            raise ValueError("meta.json does not fit its digest")
        arrays: dict[str, Any] = {name: _map(folder / f"{name}.npy", meta["dtypes"][name]) for name in _ARRAYS}
        state = _state_of(folder)
        if state not in _VERIFIED:
            for name, array in arrays.items():
                if _checksum(array) != meta["checksums"][name]:
                    raise ValueError(f"{name}.npy does not fit its checksum")
            _VERIFIED.add(state)
        # which were checked before they were written
        return Events.trusted(
            **arrays, sources=tuple(meta["sources"]), keys=tuple(meta["keys"]), n_units=int(meta["n_units"])
        )
    except PermissionError:
        return None
    except Exception as error:  # whatever a damaged file makes NumPy raise
        _log.warning("%s: a damaged cache, made anew: %s", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:  # a folder above it may not be searched
        return False


def _map(path: Path, dtype: str) -> npt.NDArray[np.generic]:
    array: np.memmap[Any, Any] = np.load(path, mmap_mode="r")
    if array.dtype.str != dtype or array.ndim != 1 or array.offset + array.nbytes != path.stat().st_size:
        raise ValueError(f"{path.name} is not the array that was written")
    return array


def _state_of(folder: Path) -> tuple[int, ...]:
    # what another file, or the same one written to, would not have
    numbers = []
    for name in _ARRAYS:
        status = (folder / f"{name}.npy").stat()
        numbers += [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return tuple(numbers)


def _checksum(array: npt.NDArray[np.generic]) -> int:
    from spikedata.events.kernels import checksum

    content = np.asarray(array).view(np.uint8)
    n_whole = content.size // 8 * 8
    rest = np.zeros(8, np.uint8)
    rest[: content.size - n_whole] = content[n_whole:]
    return int(checksum(content[:n_whole].view(np.uint64), rest.view(np.uint64)[0], content.size))


def _digest_of(meta: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=16).hexdigest()


def _write(folder: Path, events: Events) -> None:
    # complete or not there; a cache that cannot be kept is no error
    meta: dict[str, Any] = {
        "keys": list(events.keys),
        "sources": list(events.sources),
        "n_units": events.n_units,
        "dtypes": {name: getattr(events, name).dtype.str for name in _ARRAYS},
        "checksums": {name: _checksum(getattr(events, name)) for name in _ARRAYS},
    }
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder.parent)
        with _locked_folder(folder.parent) as being_made:
            for name in _ARRAYS:
                np.save(being_made / f"{name}.npy", getattr(events, name))
            (being_made / "meta.json").write_text(json.dumps(meta | {"digest": _digest_of(meta)}), "utf-8")
            being_made.chmod(0o755)
            if not _is_there(folder):
                being_made.rename(folder)
    except OSError as error:
        if not _is_there(folder):  # no other process has made it meanwhile
            _log.info("%s: the events could not be kept: %s", folder, error)
        return
    for old in folder.parent.glob(f"{folder.name.partition('-')[0]}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    # a new folder that `_remove_leftovers` leaves alone as long as this process lives; removed unless it was renamed
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_BEING_MADE))
        lock = _lock(folder)
        # another process may have taken it for a leftover before it was locked
        if lock is None or _is_same(lock, folder):
            break
        os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_leftovers(parent: Path) -> None:
    for leftover in parent.glob(f"{_BEING_MADE}*"):
        with suppress(OSError):
            lock = _lock(leftover, wait=False)
            if lock is not None:
                shutil.rmtree(leftover, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path, *, wait: bool = True) -> int | None:
    # None where the folder cannot be locked; the system unlocks it when a process ends, however it ends
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or of a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _is_same(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except OSError:
        return False
