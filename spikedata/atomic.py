"""Write a file whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

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
