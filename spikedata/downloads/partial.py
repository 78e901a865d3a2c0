"""The part of an archive that has arrived, and its source, so that a later attempt can resume the download."""

from __future__ import annotations

import contextlib
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from spikedata.disk import OutputError


class Origin(NamedTuple):
    """The source of a partial file.

    Parameters
    ----------
    url : str
        The address.
    etag : str
        The host's identifier of this content (a strong entity tag, RFC 9110, section 8.8.3); empty if it gave none.
    size : int, optional
        Size of the whole file [byte], if the host gave it.
    """

    url: str = ""
    etag: str = ""
    size: int | None = None


def size_of(path: Path) -> int:
    """Size of the part that has arrived [byte]."""
    return path.stat().st_size if path.is_file() else 0


def read_origin(path: Path) -> Origin:
    """The source of a partial file; an empty record if it is not known."""
    try:
        url, etag, size = json.loads(_note(path).read_text("utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return Origin()
    etag = str(etag)
    return Origin(str(url), etag if is_strong(etag) else "", size if isinstance(size, int) else None)


def is_strong(etag: str) -> bool:
    """Whether a text is a strong entity tag, which may be sent back to the host (RFC 9110, section 8.8.3)."""
    return re.fullmatch(r'"[\x21\x23-\x7e\x80-\xff]*"', etag) is not None


def write_origin(path: Path, origin: Origin) -> None:
    """Record the source of a partial file."""
    with writing(path):
        _note(path).write_text(json.dumps(origin), "utf-8")


def discard(path: Path) -> None:
    """Remove a partial file, and then the record of its source."""
    with writing(path):
        path.unlink(missing_ok=True)
        _note(path).unlink(missing_ok=True)


def require_kind(path: Path, *, is_folder: bool = False) -> None:
    """Raise unless a path is free, or what this package puts there.

    Parameters
    ----------
    path : Path
        The path.
    is_folder : bool
        Whether it should be a folder rather than a file.

    Raises
    ------
    OutputError
        If something else is there; the message says what to remove.
    """
    with writing(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    wanted, found = "folder" if is_folder else "file", kinds.get(stat.S_IFMT(mode), "device or pipe")
    if found != wanted:
        raise OutputError(f"{path}: must be a {wanted} of the download, got a {found}; remove it")


def require_part(path: Path) -> None:
    """Raise if something else is where a partial file and the record of its source belong, as `require_kind` does."""
    require_kind(path)
    require_kind(_note(path))


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the disk within a block into an `OutputError` that says what to do.

    Raises
    ------
    OutputError
        In place of every OSError.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(
            f"{path}: cannot be written: {reason}; free some space or choose another folder (--root)"
        ) from error


@contextlib.contextmanager
def opened(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """A file opened for writing, its folders created; opening and closing (which also writes) fail as in `writing`."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file: IO[bytes] = path.open(mode)
    try:
        yield file
    finally:
        with writing(path):
            file.close()


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")
