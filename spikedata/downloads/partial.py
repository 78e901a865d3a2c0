"""What has arrived of an archive so far, and where it came from, so that a later try can go on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from spikedata.disk import OutputError


class Origin(NamedTuple):
    """Where the bytes of a partial file came from.

    Parameters
    ----------
    url : str
        The address.
    etag : str
        What the host calls this very content (a strong entity tag, RFC 9110, section 8.8.3); empty if nothing.
    size : int, optional
        How many bytes there are in all, where the host said.
    """

    url: str = ""
    etag: str = ""
    size: int | None = None


def size_of(path: Path) -> int:
    """How much has arrived [byte]."""
    return path.stat().st_size if path.is_file() else 0


def read_origin(path: Path) -> Origin:
    """Where a partial file came from; an empty record where that is not known."""
    try:
        url, etag, size = json.loads(_note(path).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return Origin()
    return Origin(str(url), str(etag), size if isinstance(size, int) else None)


def write_origin(path: Path, origin: Origin) -> None:
    """Note where a partial file comes from."""
    with writing(path):
        _note(path).write_text(json.dumps(origin), "utf-8")


def discard(path: Path) -> None:
    """Remove a partial file, and then the note on it."""
    with writing(path):
        path.unlink(missing_ok=True)
        _note(path).unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of faults of the disk in a block that they are such, and what to do.

    Raises
    ------
    OutputError
        In place of any OSError.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{path}: cannot be written: {reason}; make room or name another folder (--root)") from error


@contextlib.contextmanager
def opened(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """A file to write to, folders made as needed; opening and closing (which writes, too) fail as in `writing`."""
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
