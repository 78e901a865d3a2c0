"""Fetch a published file: over https alone, checked before it has its name, from a mirror where a host fails."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib import request

from spikedata.registry import FILES, SOURCES, PublishedFile

_log = logging.getLogger(__name__)

_PIECE = 2**20  # bytes
_TIMEOUT = 60.0  # [s], between two pieces


class DownloadError(OSError):
    """A file that could not be fetched, or is not what it must be."""


def download(name: str, root: str | os.PathLike[str]) -> Path:
    """A published file in a folder, fetched if it is not there.

    Two processes that ask for the same file fetch it once. Nothing has the file's name before its checksum is right.

    Parameters
    ----------
    name : str
        One of `spikedata.registry.FILES`: "shd_train", "shd_test", "ssc_train", "ssc_valid", "ssc_test".
    root : str or path-like
        The folder, which is made.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If there is no file of that name.
    DownloadError
        If it cannot be fetched from any host, is not what it must be, or SPIKEDATA_OFFLINE is set.
    """
    from filelock import FileLock

    if name not in FILES:
        raise ValueError(f"no published file {name!r}, must be one of {', '.join(FILES)}")
    file, folder = FILES[name], Path(root)
    path = folder / file.name
    if path.is_file():
        return path
    if os.environ.get("SPIKEDATA_OFFLINE", "0") not in ("", "0"):
        raise DownloadError(f"{path}: not there, and SPIKEDATA_OFFLINE forbids to fetch it")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{file.name}.lock"):
        if not path.is_file():  # another process may have fetched it meanwhile
            with tempfile.TemporaryDirectory(dir=folder, prefix=f".{file.name}-") as room:
                archive = _fetch(file, Path(room))
                _unpack(archive, file, Path(room) / file.name)
                (Path(room) / file.name).replace(path)
    return path


def _fetch(file: PublishedFile, room: Path) -> Path:
    faults = []
    for source in SOURCES:
        target = room / file.archive
        try:
            with _open(source + file.archive) as response, target.open("wb") as written:
                digest = hashlib.md5(usedforsecurity=False)
                size = _copy(iter(lambda: response.read(_PIECE), b""), written, digest)
            announced = response.headers.get("Content-Length")
            if announced is not None and size != int(announced):
                raise DownloadError(f"got {size} of {announced} bytes")
            if digest.hexdigest() != file.archive_md5:
                raise DownloadError(f"MD5 is {digest.hexdigest()}, must be {file.archive_md5}")
            return target
        except OSError as error:  # of the network, the disk or the checks
            faults.append(f"{source + file.archive}: {error}")
            _log.warning("%s", faults[-1])
    raise DownloadError("; ".join(faults))


class _OnlyHttps(request.HTTPRedirectHandler):
    # a host that leads elsewhere may not lead out of https
    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> request.Request | None:
        if not newurl.startswith("https://"):
            raise DownloadError(f"leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _open(url: str) -> Any:
    return request.build_opener(_OnlyHttps).open(url, timeout=_TIMEOUT)


def _unpack(archive: Path, file: PublishedFile, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if member.filename == file.name]
            if len(members) != 1:
                raise DownloadError(f"{archive.name}: must hold {file.name} once, got {packed.namelist()[:5]}")
            if members[0].file_size > min(file.largest, shutil.disk_usage(target.parent).free):
                raise DownloadError(f"{archive.name}: {members[0].file_size} bytes, more than there is room for")
            digest = hashlib.md5(usedforsecurity=False)
            with packed.open(members[0]) as source, target.open("wb") as written:
                _copy(iter(lambda: source.read(_PIECE), b""), written, digest)
                written.flush()
                os.fsync(written.fileno())
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive.name}: {error}") from error
    if file.md5 and digest.hexdigest() != file.md5:
        raise DownloadError(f"{file.name}: MD5 is {digest.hexdigest()}, must be {file.md5}")


def _copy(pieces: Iterable[bytes], written: IO[bytes], digest: Any) -> int:
    size = 0
    for piece in pieces:
        written.write(piece)
        digest.update(piece)
        size += len(piece)
    return size
