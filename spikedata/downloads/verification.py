"""Check whether downloaded files are still as they were unpacked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spikedata.disk import data_folder, file_digest
from spikedata.downloads.entries import PublishedFile
from spikedata.downloads.manifest import Manifest, is_there, path_in, read_manifest
from spikedata.downloads.registry import files_of
from spikedata.downloads.unpacking import FileRecord


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result for one file or folder.

    Parameters
    ----------
    name : str
        Name of the file in the registry.
    path : Path
        Its path.
    n_files : int
        Number of files checked.
    missing, changed : tuple of str
        Files that do not exist, and files that have changed.
    notes : tuple of str
        Further notes for the user.
    is_deep : bool
        Whether checksums were compared, rather than sizes.
    """

    name: str
    path: Path
    n_files: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    notes: tuple[str, ...]
    is_deep: bool

    @property
    def ok(self) -> bool:
        """Whether nothing is missing or changed."""
        return not self.missing and not self.changed


def verify_download(name: str, root: str | os.PathLike[str] | None = None, *, deep: bool = False) -> list[Verification]:
    """Compare the files in a folder with those that were unpacked there.

    Parameters
    ----------
    name : str
        A data set or a file: one of `NAMES`.
    root : str or path-like, optional
        The folder. Default: `spikedata.disk.data_folder`.
    deep : bool
        Whether to compare checksums, rather than existence and sizes only.

    Returns
    -------
    list of Verification
        One for each file of the data set.

    Raises
    ------
    ValueError
        If the name is unknown.
    FileNotFoundError
        If a file of the data set does not exist.
    """
    folder = data_folder() if root is None else Path(root)
    return [verify_file(file, folder, deep=deep) for file in files_of(name)]


def verify_file(file: PublishedFile, root: Path, *, deep: bool = False) -> Verification:
    """Check one file of a data set, as `verify_download` does."""
    path = root / file.target
    if not is_there(path):
        raise FileNotFoundError(f"{path}: does not exist; `spikedata download {file.name}` fetches it")
    manifest = read_manifest(root, file.target)
    if manifest is None:
        return _against_registry(file, path, deep)
    return _against_manifest(file, root, manifest, deep)


def format_verification(verifications: Iterable[Verification]) -> str:
    """The results as text.

    Parameters
    ----------
    verifications : iterable of Verification
        As `verify_download` returns them.
    """
    lines = []
    for found in verifications:
        what = "checksums" if found.is_deep else "sizes"
        state = "ok" if found.ok else f"{len(found.missing)} missing, {len(found.changed)} changed"
        lines.append(f"{found.path}: {state} ({found.n_files} files, {what})")
        lines += [f"  missing  {name}" for name in found.missing]
        lines += [f"  changed  {name}" for name in found.changed]
        lines += [f"  note     {note}" for note in found.notes]
    return "\n".join(lines)


def _against_registry(file: PublishedFile, path: Path, deep: bool) -> Verification:
    """Check a file without a manifest: only a published checksum of the file itself can tell."""
    changed: tuple[str, ...] = ()
    can_tell = deep and file.content is not None and file.content.algorithm != "git-tree" and path.is_file()
    note = f"{path}: existed already and has no manifest, so it was not checked"
    if can_tell and file.content is not None:
        algorithm, published = file.content.algorithm, file.content.value
        found = file_digest(path, algorithm)
        changed = () if found == published else (file.target,)
        note = f"{path}: existed already; its {algorithm.upper()} is {found}, published is {published}"
    return Verification(
        name=file.name, path=path, n_files=1, missing=(), changed=changed, notes=(note,), is_deep=can_tell
    )


def _against_manifest(file: PublishedFile, root: Path, manifest: Manifest, deep: bool) -> Verification:
    missing, changed = [], []
    for name, record in manifest.files.items():
        path = path_in(root, file.target, name)
        if not path.is_file():
            missing.append(name)
        elif not _is_as_before(path, record, deep):
            changed.append(name)
    return Verification(
        name=file.name,
        path=root / file.target,
        n_files=len(manifest.files),
        missing=tuple(missing),
        changed=tuple(changed),
        notes=_extra(file, root, manifest) if deep else (),
        is_deep=deep,
    )


def _is_as_before(path: Path, record: FileRecord, deep: bool) -> bool:
    return path.stat().st_size == record.size and (not deep or file_digest(path, "sha256") == record.sha256)


def _extra(file: PublishedFile, root: Path, manifest: Manifest) -> tuple[str, ...]:
    folder = root / file.target
    if not folder.is_dir():
        return ()
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    extra = [name for name in found if name not in manifest.files]
    return (f"{folder}: {len(extra)} files were not unpacked from the archive, first {extra[0]}",) if extra else ()
