"""Download a data set: fetch what is missing, check it, unpack it, and name it when everything is complete."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spikedata.disk import OutputError, ProcessLock, data_folder, file_digest, put_in_place
from spikedata.downloads.entries import Checksum, ChecksumError, DownloadError, PublishedFile
from spikedata.downloads.git_tree import tree_id
from spikedata.downloads.manifest import HIDDEN, Manifest, is_there, write_manifest
from spikedata.downloads.network import TransferParams, fetch_text, is_offline, one_line
from spikedata.downloads.origin import origin_of, require_genuine
from spikedata.downloads.partial import discard, require_kind, require_part, writing
from spikedata.downloads.plan import how_checked, partial_path
from spikedata.downloads.registry import files_of
from spikedata.downloads.transfer import OnProgress, fetch_archive
from spikedata.downloads.unpacking import Unpacked, unpack
from spikedata.downloads.verification import verify_file


@dataclass(frozen=True, kw_only=True)
class Download:
    """The result of a download.

    Parameters
    ----------
    name : str
        The requested data set or file.
    paths : tuple of Path
        The files or folders, in the order of the data set.
    n_bytes : int
        Number of bytes transferred [byte]; 0 if all files existed.
    notes : tuple of str
        Notes for the user: files that existed already, members left out, checksums obtained from the host.
    """

    name: str
    paths: tuple[Path, ...]
    n_bytes: int
    notes: tuple[str, ...]


def download(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    form: str = "zip",
    on_progress: OnProgress | None = None,
    params: TransferParams | None = None,
) -> Download:
    """A published data set in a folder, downloaded if it is not there.

    Until an archive is complete, the part that has arrived is kept in a hidden folder of `root`, so that an interrupted
    download can be resumed. Two processes that want the same data set download it once.

    Parameters
    ----------
    name : str
        A data set or a file: one of `NAMES`.
    root : str or path-like, optional
        The folder, created if necessary. Default: `spikedata.disk.data_folder`.
    form : {"zip", "gz"}
        Format of the archives of SHD and SSC.
    on_progress : callable, optional
        Called with the stage ("fetch …", "check …", "unpack …"), the bytes done and their total, 0 if unknown.
    params : TransferParams, optional
        Timeouts and retries.

    Returns
    -------
    Download

    Raises
    ------
    ValueError
        If the name or the form is unknown.
    DownloadError
        If a file is missing and no source has it, or SPIKEDATA_OFFLINE is set.
    ChecksumError
        If an existing or a downloaded file is not the published one.
    OutputError
        If the folder is not writable, or the disk is full.
    """
    folder = data_folder() if root is None else Path(root)
    report = on_progress or (lambda stage, done, size: None)
    got = [fetch_file(file, folder, params or TransferParams(), report) for file in files_of(name, form)]
    return Download(
        name=name,
        paths=tuple(path for part in got for path in part.paths),
        n_bytes=sum(part.n_bytes for part in got),
        notes=tuple(note for part in got for note in part.notes),
    )


def fetch_file(file: PublishedFile, root: Path, params: TransferParams, on_progress: OnProgress) -> Download:
    """Download one file of a data set, as `download` does."""
    if is_there(root / file.target):
        return _found(file, root)
    if is_offline():
        raise DownloadError(f"{root / file.target}: does not exist, and SPIKEDATA_OFFLINE forbids downloading it")
    with _alone(file, root):
        if is_there(root / file.target):  # another process may have fetched it meanwhile
            return _found(file, root)
        return _fetch(file, root, params, on_progress)


def _found(file: PublishedFile, root: Path) -> Download:
    path = root / file.target
    result = verify_file(file, root)
    if not file.is_folder and (result.ok or origin_of(path).kind == "remade"):  # put in place of the downloaded file
        return Download(name=file.name, paths=(path,), n_bytes=0, notes=(require_genuine(file, path),))
    if not result.ok:
        wrong = [*result.missing, *result.changed]
        raise ChecksumError(
            f"{path}: {len(wrong)} of {result.n_files} files are missing or changed, first {wrong[0]}; "
            f"remove {path} and download it again"
        )
    return Download(name=file.name, paths=(result.path,), n_bytes=0, notes=result.notes)


@contextmanager
def _alone(file: PublishedFile, root: Path) -> Iterator[None]:
    """Hold the lock of a target; an interruption by the user is told that the download can be resumed."""
    hidden = root / HIDDEN
    with writing(hidden):
        if hidden.exists() and not hidden.is_dir():
            raise OutputError(f"{hidden}: must be a folder for downloads, got a file; remove it")
        hidden.mkdir(parents=True, exist_ok=True)
        require_kind(hidden / f"{file.target}.lock")
        lock = ProcessLock(hidden / f"{file.target}.lock")
        lock.acquire()
    try:
        yield
    except KeyboardInterrupt as interruption:
        interruption.add_note(f"{file.name}: what has arrived is kept, and the next download resumes from there")
        raise
    finally:
        lock.release()


def _fetch(file: PublishedFile, root: Path, params: TransferParams, on_progress: OnProgress) -> Download:
    archive = partial_path(root, file)
    require_part(archive)
    require_kind(_room_path(file, root), is_folder=True)
    archive_sum, archive_note = ask_for(file.checksum, file.archive, params)
    content_sum, content_note = ask_for(file.content, file.content_folder or file.target, params)
    n_bytes = fetch_archive(file, archive_sum, archive, params, on_progress)
    with _room(file, root) as room:
        try:
            unpacked = unpack(archive, file, room, on_progress)
            _check_content(file, content_sum, unpacked, room, on_progress)
        except ChecksumError as fault:
            discard(archive)
            raise ChecksumError(f"{fault}; the archive was removed, download it again") from fault
        manifest = Manifest(archive=file.archive, checked=how_checked(file), files=unpacked.files)
        write_manifest(root, file.target, manifest)
        _give_name(file, room, root)
    discard(archive)
    notes = [note for note in (archive_note, content_note, _left_out(file, unpacked)) if note]
    return Download(name=file.name, paths=(root / file.target,), n_bytes=n_bytes, notes=tuple(notes))


def ask_for(checksum: Checksum | None, name: str, params: TransferParams) -> tuple[Checksum | None, str]:
    """A checksum with its value, and a note if the value had to be requested from the host.

    A requested value detects damage during the transfer. It comes from the host itself, so it proves nothing about the
    host.

    Parameters
    ----------
    checksum : Checksum, optional
        The checksum in the registry; None is returned as it is.
    name : str
        Name of the archive in a list of checksums, or of the folder in a commit.
    params : TransferParams
        Timeouts and retries.

    Raises
    ------
    DownloadError
        If none of the addresses gives the value.
    """
    if checksum is None or checksum.value:
        return checksum, ""
    faults = []
    for url in checksum.asked_at:
        try:
            text = fetch_text(url, params)
        except DownloadError as error:
            faults.append(str(error))
            continue
        value = _find_tree(text, name) if checksum.algorithm == "git-tree" else _find_sum(text, name)
        if value:
            note = f"{name}: {checksum.algorithm.upper()} {value}, as given by {url} at the download"
            return replace(checksum, value=value), note
        faults.append(f"{url}: does not name {name}")
    raise DownloadError(f"{name}: its checksum is not available: {'; '.join(faults)}; try again later")


def _find_sum(text: str, name: str) -> str:
    """The checksum of a name in lines such as `d41d8cd98f00b204e9800998ecf8427e  name`; empty if there is none."""
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{32}|[0-9a-fA-F]{64})\s+\*?(?:\S*/)?(\S+)", line.strip())
        if match and match[2] == name:
            return match[1].lower()
    return ""


def _find_tree(text: str, name: str) -> str:
    """The identifier of a folder in GitHub's description of a commit's tree; empty if there is none."""
    try:
        entries = json.loads(text)["tree"]
        found = [str(entry["sha"]) for entry in entries if entry["path"] == name and entry["type"] == "tree"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found[0] if found and re.fullmatch("[0-9a-f]{40}", found[0]) else ""


def _room_path(file: PublishedFile, root: Path) -> Path:
    return root / HIDDEN / f"{file.target}.room"


@contextmanager
def _room(file: PublishedFile, root: Path) -> Iterator[Path]:
    """An empty folder to unpack in, removed at the end; leftovers of a killed process are removed first."""
    room = _room_path(file, root)
    with writing(room):
        if room.exists():
            shutil.rmtree(room)
        room.mkdir()
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _check_content(
    file: PublishedFile, checksum: Checksum | None, unpacked: Unpacked, room: Path, on_progress: OnProgress
) -> None:
    if checksum is None:
        return
    if checksum.algorithm == "git-tree":
        prefix = f"{file.content_folder}/"
        blobs = {path.removeprefix(prefix): blob for path, blob in unpacked.blobs.items() if path.startswith(prefix)}
        found = tree_id(blobs)
    else:
        found = file_digest(room / file.target, checksum.algorithm, partial(on_progress, f"check {file.target}"))
    if found != checksum.value:
        what = file.content_folder or file.target
        raise ChecksumError(f"{what} of {file.archive}: {checksum.algorithm} is {found}, must be {checksum.value}")


def _give_name(file: PublishedFile, room: Path, root: Path) -> None:
    """Give the complete file or folder its name in one step, once its bytes are on the disk."""
    source, target = (room, root / file.target) if file.is_folder else (room / file.target, root / file.target)
    with writing(target):
        if file.is_folder:
            if hasattr(os, "sync"):  # not on Windows
                os.sync()  # one call for a hundred thousand files
            source.replace(target)
        else:
            put_in_place(source, target, overwrite=True)


def _left_out(file: PublishedFile, unpacked: Unpacked) -> str:
    names = unpacked.left_out
    return (
        f"{file.archive}: {len(names)} members were unexpected and left out, first {one_line(names[0])}"
        if names
        else ""
    )
