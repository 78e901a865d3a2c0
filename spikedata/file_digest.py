"""The checksum of a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

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
