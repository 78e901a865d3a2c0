"""The record of what was unpacked: names, sizes and checksums, in the hidden folder of a root."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from spikedata.disk import write_atomically
from spikedata.downloads.unpacking import FileRecord

HIDDEN = ".spikedata"  # folder in a root for locks, partial files, folders to unpack in, and manifests


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of a target when it was unpacked.

    Parameters
    ----------
    archive : str
        The archive it was unpacked from.
    checked : str
        What was checked, for people to read.
    files : dict of str to FileRecord
        The files by their paths within the target; if the target is a file, it is listed by its own name.
    """

    archive: str
    checked: str
    files: dict[str, FileRecord]


def write_manifest(root: Path, target: str, manifest: Manifest) -> None:
    """Write the manifest of a target.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = {"archive": manifest.archive, "checked": manifest.checked, "files": manifest.files}
    write_atomically(_path(root, target), (json.dumps(content, indent=1) + "\n").encode(), overwrite=True)


def read_manifest(root: Path, target: str) -> Manifest | None:
    """The manifest of a target; None if there is none or it cannot be read."""
    try:
        content = json.loads(_path(root, target).read_text("utf-8"))
        files = {str(path): FileRecord(int(size), str(sha256)) for path, (size, sha256) in content["files"].items()}
        return Manifest(archive=str(content["archive"]), checked=str(content["checked"]), files=files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def is_there(path: Path) -> bool:
    """Whether a target exists; an empty folder does not count."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def path_in(root: Path, target: str, path: str) -> Path:
    """The path of a file in a manifest."""
    return root / target if path == target else root / target / path


def _path(root: Path, target: str) -> Path:
    return root / HIDDEN / f"{target}.manifest.json"
