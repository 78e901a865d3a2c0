"""Download an archive from the first source that has it, resuming an interrupted attempt where that is safe."""

from __future__ import annotations

import contextlib
import http
import logging
import re
import shutil
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from urllib.error import HTTPError

from spikedata.disk import OutputError, file_digest
from spikedata.downloads.entries import Checksum, ChecksumError, DownloadError, PublishedFile
from spikedata.downloads.network import Reply, TransferParams, keep_trying, one_line, open_url
from spikedata.downloads.partial import (
    Origin,
    discard,
    is_strong,
    opened,
    read_origin,
    size_of,
    write_origin,
    writing,
)

_log = logging.getLogger(__name__)

OnProgress = Callable[[str, int, int], None]  # stage, bytes done, bytes in total (0 if unknown)

_PIECE = 2**20  # bytes


def fetch_archive(
    file: PublishedFile, checksum: Checksum | None, path: Path, params: TransferParams, on_progress: OnProgress
) -> int:
    """Download an archive to a path, complete and checked.

    A partial download is resumed if that is safe: if the host confirms that its content has not changed (If-Range with
    a strong entity tag), or if a checksum will show a mixture of two contents.

    Parameters
    ----------
    file : PublishedFile
        The file to download.
    checksum : Checksum, optional
        Checksum of the archive, with its value.
    path : Path
        Path of the archive; a partial download stays there.
    params : TransferParams
        Timeouts and retries.
    on_progress : callable
        Called with the stage, the bytes done and their total.

    Returns
    -------
    int
        Number of bytes transferred [byte].

    Raises
    ------
    DownloadError
        If no source has the archive.
    ChecksumError
        If no source has the archive, and at least one has different content instead.
    OutputError
        If the archive cannot be written.
    """
    faults: list[Exception] = []
    arrived: list[int] = []
    for url in file.urls:
        try:
            _fetch_from(url, file, checksum, path, params, on_progress, arrived.append)
            return sum(arrived)
        except (DownloadError, ChecksumError) as fault:
            faults.append(fault)
            _log.warning("%s", fault)
    summary = "; ".join(map(str, faults))
    if any(isinstance(fault, ChecksumError) for fault in faults):
        raise ChecksumError(f"{file.archive}: no source has the file of the registry: {summary}")
    kept = "; what has arrived is kept, try again later" if size_of(path) else "; try again later"
    raise DownloadError(f"{file.archive}: not available: {summary}{kept}")


def _fetch_from(
    url: str,
    file: PublishedFile,
    checksum: Checksum | None,
    path: Path,
    params: TransferParams,
    on_progress: OnProgress,
    on_bytes: Callable[[int], None],
) -> None:
    def receive() -> int:
        return _receive(url, file, checksum is not None, path, params, on_progress, on_bytes)

    while True:
        is_completed = _is_whole(path)  # from parts, rather than downloaded in one go
        if not is_completed:
            is_completed = keep_trying(url, receive, params, lambda: size_of(path)) > 0
        if checksum is None:
            return
        found = file_digest(path, checksum.algorithm, partial(on_progress, f"check {file.archive}"))
        if found == checksum.value:
            return
        discard(path)
        if not is_completed:
            name = checksum.algorithm.upper()
            raise ChecksumError(f"{url}: {name} is {found}, must be {checksum.value}; removed, nothing was unpacked")
        _log.info("%s: the parts do not belong together, downloading it again", file.archive)


def _receive(
    url: str,
    file: PublishedFile,
    is_checked: bool,
    path: Path,
    params: TransferParams,
    on_progress: OnProgress,
    on_bytes: Callable[[int], None],
) -> int:
    """One attempt: request the missing bytes and write those that arrive; returns the place of their first."""
    n_have, origin = size_of(path), read_origin(path)
    with _ask(url, path, _range_headers(url, n_have, origin, is_checked), params) as reply:
        start, size = _what_comes(reply, n_have, path)
        if None not in (size, file.size) and size != file.size:
            raise DownloadError(f"{url}: the host has {size} bytes, must be {file.size}")
        if start and origin.size not in (None, size):
            discard(path)
            raise ConnectionError(f"the host had {origin.size} bytes, now it has {size}")
        if start and origin.url == url and origin.etag and reply.headers.get("ETag", origin.etag) != origin.etag:
            discard(path)  # a host that does not heed If-Range
            raise ConnectionError("the host's file has changed meanwhile")
        if start == 0:
            discard(path)
            write_origin(path, Origin(url, _strong_etag(reply), size))
        _check_space(path, (size or start) - start + file.unpacked_size)
        stage = f"fetch {file.archive}"
        on_progress(stage, start, size or 0)
        limit = file.max_bytes if size is None else size
        done = start
        with contextlib.closing(_write_pieces(reply, path, params)) as pieces:
            for n_bytes in pieces:
                done += n_bytes
                on_bytes(n_bytes)
                on_progress(stage, done, size or 0)
                if done > limit:
                    break
    if size is not None and done < size:
        raise ConnectionError(f"the connection ended after {done} of {size} bytes")
    if done > limit:
        discard(path)
        raise DownloadError(f"{url}: more than {limit} bytes")
    write_origin(path, Origin(url, _strong_etag(reply), done))
    return start


def _ask(url: str, path: Path, headers: dict[str, str], params: TransferParams) -> Reply:
    try:
        return open_url(url, headers, params)
    except HTTPError as fault:
        if fault.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            discard(path)  # the next attempt then requests the whole file
        raise


def _range_headers(url: str, n_have: int, origin: Origin, is_checked: bool) -> dict[str, str]:
    """The headers that request the remaining bytes if appending them is safe, or else the whole file."""
    if n_have == 0:
        return {}
    if origin.url == url and origin.etag:
        return {"Range": f"bytes={n_have}-", "If-Range": origin.etag}
    return {"Range": f"bytes={n_have}-"} if is_checked else {}


def _what_comes(reply: Reply, n_have: int, path: Path) -> tuple[int, int | None]:
    """Position of the first byte that the host sends, and the total size; None if the host does not give it."""
    if reply.status == 206:
        said = reply.headers.get("Content-Range", "").strip()
        match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", said, re.ASCII)
        if match is None or int(match[1]) != n_have:
            fault = f"requested bytes from {n_have}, got {one_line(said) or 'no word which'}"
            if n_have:
                discard(path)  # the next attempt then requests the whole file
                raise ConnectionError(fault)
            raise DownloadError(f"{one_line(reply.url)}: {fault}")
        return n_have, int(match[3])
    if reply.status != 200:
        raise DownloadError(f"{one_line(reply.url)}: HTTP status {reply.status} instead of the file")
    length = reply.headers.get("Content-Length", "").strip()
    return 0, int(length) if re.fullmatch(r"\d{1,18}", length, re.ASCII) else None


def _strong_etag(reply: Reply) -> str:
    etag: str = reply.headers.get("ETag", "").strip()
    return etag if is_strong(etag) else ""


def _is_whole(path: Path) -> bool:
    size = read_origin(path).size
    return size is not None and size_of(path) == size


def _check_space(path: Path, n_needed: int) -> None:
    n_free = shutil.disk_usage(path.parent).free
    if n_needed > n_free:
        raise OutputError(
            f"{path.parent}: {n_needed / 1e6:,.0f} MB are needed, {n_free / 1e6:,.0f} MB are free; "
            "free some space or choose another folder (--root)"
        )


def _write_pieces(reply: Reply, path: Path, params: TransferParams) -> Generator[int, None, None]:
    """Append a response to a file and yield the length of each piece once it is written."""
    began, n_window, patience = time.monotonic(), 0, params.rate_window + params.timeout
    reply.deadline.put_off(patience)  # also ends the wait for what is no content: sizes of chunks, trailers
    with opened(path, "ab") as target:
        while piece := reply.read1(_PIECE):
            with writing(path):
                target.write(piece)
                target.flush()
            yield len(piece)
            n_window += len(piece)
            elapsed = time.monotonic() - began
            if elapsed >= params.rate_window:
                if n_window < params.min_rate * elapsed:
                    raise TimeoutError(f"slower than {params.min_rate:g} bytes a second for {elapsed:.0f} s")
                began, n_window = time.monotonic(), 0
                reply.deadline.put_off(patience)
