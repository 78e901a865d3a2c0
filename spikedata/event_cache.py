"""Spike files as memory-mapped events: read once, opened in milliseconds ever after.

The flat arrays of a file are kept in the folder that SPIKEDATA_CACHE names, or else in the user's cache folder, under a
name made of the file's path, size and time of last change: a file that changes has another cache, and the old one is
removed. A cache is written beside its place and renamed to it when it is complete: processes that race leave one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata import folders
from spikedata.events import Events
from spikedata.reader import SpikeFile

_log = logging.getLogger(__name__)

_FORMAT = 2
_ARRAYS = ("times", "units", "offsets", "labels", "speakers", "sample_rates")


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
        arrays: dict[str, Any] = {name: _map(folder / f"{name}.npy", meta["dtypes"][name]) for name in _ARRAYS}
        return Events(**arrays, sources=tuple(meta["sources"]), keys=tuple(meta["keys"]), n_units=int(meta["n_units"]))
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
    array = np.load(path, mmap_mode="r")
    if array.dtype.str != dtype or array.ndim != 1 or array.offset + array.nbytes != path.stat().st_size:
        raise ValueError(f"{path.name} is not the array that was written")
    return array


def _write(folder: Path, events: Events) -> None:
    # complete or not there; a cache that cannot be kept is no error
    dtypes = {name: getattr(events, name).dtype.str for name in _ARRAYS}
    meta = {"keys": events.keys, "sources": events.sources, "n_units": events.n_units, "dtypes": dtypes}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        being_made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".being-made-"))
        try:
            for name in _ARRAYS:
                np.save(being_made / f"{name}.npy", getattr(events, name))
            (being_made / "meta.json").write_text(json.dumps(meta), "utf-8")
            being_made.chmod(0o755)
            if not _is_there(folder):
                being_made.rename(folder)
        finally:
            shutil.rmtree(being_made, ignore_errors=True)
    except OSError as error:
        if not _is_there(folder):  # no other process has made it meanwhile
            _log.info("%s: the events could not be kept: %s", folder, error)
        return
    for old in folder.parent.glob(f"{folder.name.partition('-')[0]}-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
