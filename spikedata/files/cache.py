"""Spike files as memory-mapped events: read once, and opened in milliseconds from then on.

The flat arrays of a file are stored in SPIKEDATA_CACHE, or in the user's cache folder, under a name made from the
file's path, size and time of last change. A changed file gets a new cache, and the old one is removed. A cache is
written under a temporary name and renamed when it is complete, so that competing processes leave only one. A process
locks the folder that it is writing; the unlocked folders of killed processes are removed when the next cache is
written. When a process first opens a cache, it reads it once and compares every byte with the checksums.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata import disk as folders
from spikedata.events import Events
from spikedata.events.time_units import check_time_unit
from spikedata.files.reader import SpikeFile

_log = logging.getLogger(__name__)

_FORMAT = 4
_BEING_MADE = ".being-made-"
_ARRAYS = ("times", "units", "offsets", "labels", "speakers", "sample_rates", "durations")
_VERIFIED: set[tuple[int, ...]] = set()  # states of the cache files that this process has verified


def open_events(
    path: str | os.PathLike[str], *, cache: bool = True, time_unit: str | None = None, n_units: int | None = None
) -> Events:
    """The events of a spike file, memory-mapped from a cache, which is created if necessary.

    Parameters
    ----------
    path : str or path-like
        A spike file.
    cache : bool
        Whether to use a cache. Otherwise, the events are read into memory.
    time_unit, n_units
        What a file by another writer does not say, as `SpikeFile` takes it. Each way to read a file has its own cache.

    Returns
    -------
    Events
        The arrays may be read-only.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    FormatError
        If it violates the format.
    ValueError
        If the file contradicts what it is to be read as.
    """
    reading = {"time_unit": check_time_unit(time_unit), "n_units": n_units}
    if not cache:
        return _read(path, reading)
    try:
        folder = _folder_of(Path(path), reading)
    except OSError:
        return _read(path, reading)  # reports what is wrong with the path
    events = _open(folder)
    if events is None:
        events = _read(path, reading)
        _write(folder, events)
        events = _open(folder) or events
    return events


def cache_folder() -> Path:
    """The folder of the caches: `events` in SPIKEDATA_CACHE, or in `spikedata` in the user's cache folder."""
    return folders.cache_folder() / "events"


def _read(path: str | os.PathLike[str], reading: Mapping[str, Any]) -> Events:
    with SpikeFile(path, **reading) as file:
        return file.read_events()


def _folder_of(path: Path, reading: Mapping[str, Any]) -> Path:
    # <digest of the path and how it is read>-<digest of the state of the file>
    status = path.stat()
    told = {name: str(value) for name, value in reading.items() if value not in (None, "s")}
    told_bytes = json.dumps(told, sort_keys=True).encode() if told else b""
    where = hashlib.sha256(os.fsencode(path.resolve()) + told_bytes).hexdigest()[:16]
    state = json.dumps([_FORMAT, status.st_size, status.st_mtime_ns, status.st_ino])
    return cache_folder() / f"{where}-{hashlib.sha256(state.encode()).hexdigest()[:16]}"


def _open(folder: Path) -> Events | None:
    # None if there is no cache; a damaged or incomplete one is removed
    if not _is_there(folder):
        return None
    try:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        digest = meta.pop("digest")
        if digest != _digest_of(meta):
            raise ValueError("meta.json does not match its digest")
        arrays: dict[str, Any] = {name: _map(folder / f"{name}.npy", meta["dtypes"][name]) for name in _ARRAYS}
        state = _state_of(folder)
        if state not in _VERIFIED:
            for name, array in arrays.items():
                if _checksum(array) != meta["checksums"][name]:
                    raise ValueError(f"{name}.npy does not match its checksum")
            _VERIFIED.add(state)
        # the arrays were checked before they were written
        return Events.trusted(
            **arrays, sources=tuple(meta["sources"]), keys=tuple(meta["keys"]), n_units=int(meta["n_units"])
        )
    except PermissionError:
        return None
    except Exception as error:  # NumPy raises many kinds of error for damaged files
        _log.warning("%s: a damaged cache, written again: %s", folder, error)
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
    return tuple(number for name in _ARRAYS for number in folders.file_state(folder / f"{name}.npy"))


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
    # a cache that cannot be written is not an error
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
            with suppress(OSError):  # a share may know no permissions
                being_made.chmod(0o755)
            if not _is_there(folder):
                being_made.rename(folder)
    except OSError as error:
        if not _is_there(folder):  # otherwise another process has written it meanwhile
            _log.info("%s: the cache could not be written: %s", folder, error)
        return
    for old in folder.parent.glob(f"{folder.name.partition('-')[0]}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    # a new folder that `_remove_leftovers` spares while this process runs; removed at the end unless it was renamed
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_BEING_MADE))
        lock = _lock(folder)
        # before it was locked, another process may have removed it as a leftover
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
    # None if the folder cannot be locked; the system releases the lock when the process ends, in whatever way
    if sys.platform == "win32":  # opens no folder: leftovers of killed processes stay
        return None
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked by another process, or a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _is_same(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except OSError:
        return False
