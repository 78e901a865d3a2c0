"""A folder of unfinished work, for one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spikedata.atomic import LEFTOVERS, OutputError, cannot_write

if TYPE_CHECKING:
    from filelock import FileLock

LOCK = ".lock"


def enter_alone(folder: Path, *, busy: str) -> FileLock:
    """Make a folder, keep other processes out of it, and remove what a killed one had half written.

    Parameters
    ----------
    folder : Path
        The folder.
    busy : str
        What to say where another process is in it.

    Returns
    -------
    FileLock
        Held; to be released by the caller.

    Raises
    ------
    OutputError
        If the folder cannot be made, or another process is in it.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(busy) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    for leftover in folder.rglob(LEFTOVERS):
        leftover.unlink()
    return lock
