"""The identifier of a folder in git, computed from its files.

GitHub publishes these identifiers, whereas the bytes of its archives vary from download to download. A folder's is the
SHA-1 of a list of names, modes and identifiers; a file's is the SHA-1 of its length and its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple


class Blob(NamedTuple):
    """A file in git.

    Parameters
    ----------
    digest : bytes
        Its identifier: 20 bytes.
    is_executable : bool
        Whether its owner may execute it.
    """

    digest: bytes
    is_executable: bool = False


def blob_digest(size: int) -> Any:
    """A hash object for a file of `size` bytes, to be updated with them."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def tree_id(files: Mapping[str, Blob]) -> str:
    """The identifier of a folder.

    Parameters
    ----------
    files : mapping of str to Blob
        Its files by their paths within it, with forward slashes.

    Returns
    -------
    str
        40 hexadecimal digits.

    Examples
    --------
    >>> empty = Blob(blob_digest(0).digest())
    >>> tree_id({"empty": empty})
    '417c01c8795a35b8e835113a85a5c0c1c77f67fb'
    """
    return _digest(files).hex()


def _digest(files: Mapping[str, Blob]) -> bytes:
    entries: list[tuple[bytes, bytes]] = []  # the name by which git sorts, and the entry
    folders: dict[str, dict[str, Blob]] = {}
    for path, blob in files.items():
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = blob
        else:
            mode = b"100755" if blob.is_executable else b"100644"
            entries.append((name.encode(), mode + b" " + name.encode() + b"\0" + blob.digest))
    for name, inside in folders.items():
        entries.append((name.encode() + b"/", b"40000 " + name.encode() + b"\0" + _digest(inside)))
    body = b"".join(entry for _, entry in sorted(entries))
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).digest()
