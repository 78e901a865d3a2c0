"""Unpack an archive into a new folder: only the expected members, within limits, with a checksum of each file."""

from __future__ import annotations

import bz2
import copy
import errno
import gzip
import hashlib
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from spikedata.disk import OutputError
from spikedata.downloads.entries import ChecksumError, PublishedFile
from spikedata.downloads.git_tree import Blob, blob_digest
from spikedata.downloads.network import one_line
from spikedata.downloads.partial import opened, writing
from spikedata.downloads.transfer import OnProgress

_PIECE = 2**20  # bytes
_SMALL_PIECE = 2**16  # bytes
_LARGEST_DICTIONARY = 2**27  # of LZMA [byte]; what it unpacks with, and takes before it has unpacked a byte


# raised by the libraries for damaged archives; struct, Unicode and number errors are theirs, too
_DAMAGES = (
    zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, struct.error, ValueError, IndexError,
    OverflowError,
)  # fmt: skip


class FileRecord(NamedTuple):
    """Size and checksum of a file when it was unpacked.

    Parameters
    ----------
    size : int
        Size [byte].
    sha256 : str
        SHA-256 in hexadecimal digits.
    """

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """The content of an unpacked archive.

    Parameters
    ----------
    files : dict of str to FileRecord
        The files by their paths within the folder.
    blobs : dict of str to Blob
        The same files in git's terms, if the content is checked by a git identifier.
    left_out : list of str
        Unexpected members, which were not unpacked.
    """

    files: dict[str, FileRecord] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def unpack(archive: Path, file: PublishedFile, room: Path, on_progress: OnProgress) -> Unpacked:
    """Unpack the expected members of an archive.

    Parameters
    ----------
    archive : Path
        A .zip, .tar.gz or .gz file.
    file : PublishedFile
        The expected members and their limits.
    room : Path
        An empty folder that no other process writes to.
    on_progress : callable
        Called with the stage, the bytes read of the archive, and its size.

    Raises
    ------
    ChecksumError
        If the archive is damaged or has forbidden content.
    OutputError
        If the files cannot be written.
    """
    stage, size = f"unpack {file.archive}", archive.stat().st_size
    on_progress(stage, 0, size)
    kind = file.archive.rpartition(".")[2] if not file.is_folder else "tar.gz"
    result = Unpacked()
    try:
        with archive.open("rb") as raw:
            to_room = _ToRoom(file, room, result, lambda: on_progress(stage, min(raw.tell(), size), size))
            _READERS[kind](raw, file, to_room)
    except ChecksumError:
        raise
    except (*_DAMAGES, gzip.BadGzipFile) as error:
        raise ChecksumError(f"{file.archive}: damaged: {one_line(str(error)) or type(error).__name__}") from error
    except OSError as error:
        if isinstance(error, OutputError) or error.errno not in (None, errno.EINVAL):
            raise
        # bzip2's "invalid data stream", and places before the begin of the archive
        raise ChecksumError(f"{file.archive}: damaged: {one_line(str(error))}") from error
    except (NotImplementedError, RuntimeError) as error:  # an encrypted zip file, or an unknown compression method
        raise ChecksumError(f"{file.archive}: {one_line(str(error))}") from error
    return result


class _ToRoom:
    """Writes members to files and records their checksums."""

    def __init__(self, file: PublishedFile, room: Path, result: Unpacked, on_piece: Callable[[], None]) -> None:
        self._has_blobs = file.content is not None and file.content.algorithm == "git-tree"
        self._room = room
        self._result = result
        self._on_piece = on_piece

    def left_out(self, names: list[str]) -> None:
        self._result.left_out.extend(names)

    def write(
        self,
        path: str,
        source: IO[bytes] | gzip.GzipFile,
        size: int | None,
        limit: int,
        is_executable: bool = False,
    ) -> None:
        """Copy a member, which must have `size` bytes, or at most `limit` if the size is unknown."""
        target = self._room / path
        limit = limit if size is None else size
        sha256, blob, done = hashlib.sha256(), blob_digest(size or 0) if self._has_blobs else None, 0
        with opened(target, "xb") as written:
            while piece := source.read(min(_PIECE, limit + 1 - done)):
                done += len(piece)
                if done > limit:
                    break
                with writing(target):
                    written.write(piece)
                sha256.update(piece)
                if blob is not None:
                    blob.update(piece)
                self._on_piece()
        if done > limit or (size is not None and done != size):
            raise ChecksumError(f"{path}: {'more than ' if done > limit else ''}{done} bytes, must be {limit}")
        self._result.files[path] = FileRecord(done, sha256.hexdigest())
        if blob is not None:
            self._result.blobs[path] = Blob(blob.digest(), is_executable)


def _read_zip(raw: IO[bytes], file: PublishedFile, to_room: _ToRoom) -> None:
    choice, chosen = _Choice(file), []
    with zipfile.ZipFile(raw) as packed:
        for info in packed.infolist():
            mode = info.external_attr >> 16
            is_file = not info.is_dir() and stat.S_IFMT(mode) in (0, stat.S_IFREG)
            path = choice.path_of(_Member(info.filename, info.file_size, is_file, info.is_dir()))
            if path is not None:
                chosen.append((path, info))
        choice.finish()
        to_room.left_out(choice.left_out)
        for path, info in chosen:
            with _opened_member(packed, info) as source:
                to_room.write(path, source, info.file_size, file.max_bytes)


def _opened_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.compress_type not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        return packed.open(info)
    stored = copy.copy(info)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
    del stored.CRC
    return io.BufferedReader(_Unpacking(packed.open(stored), info), _SMALL_PIECE)


class _Unpacking(io.RawIOBase):
    """A member packed by bzip2 or LZMA; zipfile would unpack a piece of it at once, to whatever it becomes."""

    def __init__(self, packed: IO[bytes], info: zipfile.ZipInfo) -> None:
        self._packed, self._info, self._sum = packed, info, 0
        self._decompressor = bz2.BZ2Decompressor() if info.compress_type == zipfile.ZIP_BZIP2 else _lzma(packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = b""
        while not piece and not self._decompressor.eof:
            more = self._packed.read(_SMALL_PIECE) if self._decompressor.needs_input else b""
            if not more and self._decompressor.needs_input:
                break  # LZMA may end with its input
            piece = self._decompressor.decompress(more, len(buffer))
        if not piece and self._sum != self._info.CRC:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {self._info.filename!r}")
        self._sum = zlib.crc32(piece, self._sum)
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._packed.close()
        super().close()


def _lzma(packed: IO[bytes]) -> lzma.LZMADecompressor:
    """What unpacks the rest of a member, by the properties at its begin (APPNOTE.TXT 5.8.8)."""
    _, size, first, dictionary = struct.unpack("<HHBI", packed.read(9))
    if size != 5 or dictionary > _LARGEST_DICTIONARY:
        raise lzma.LZMAError(f"properties of {size} bytes, a dictionary of {dictionary} bytes")
    rest, context = divmod(first, 9)
    options = {"lc": context, "lp": rest % 5, "pb": rest // 5, "dict_size": dictionary}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, **options}])


def _read_gzip(raw: IO[bytes], file: PublishedFile, to_room: _ToRoom) -> None:
    with gzip.GzipFile(fileobj=raw, mode="rb") as source:
        to_room.write(file.target, source, None, file.max_bytes)


def _read_tar(raw: IO[bytes], file: PublishedFile, to_room: _ToRoom) -> None:
    choice = _Choice(file)
    with (
        gzip.GzipFile(fileobj=raw, mode="rb") as stream,
        tarfile.open(fileobj=_LimitedReads(stream), mode="r:") as packed,  # type: ignore[call-overload]  # it only reads
    ):
        for info in packed:
            is_file = info.isreg() and not info.issparse()
            path = choice.path_of(_Member(info.name, info.size, is_file, info.isdir(), bool(info.mode & stat.S_IXUSR)))
            source = packed.extractfile(info) if path is not None else None
            if path is not None and source is not None:
                to_room.write(path, source, info.size, file.max_bytes, bool(info.mode & stat.S_IXUSR))
            packed.members.clear()  # tarfile would keep all members in this list, which is not needed
        _read_to_end(stream, file)
    choice.finish()
    to_room.left_out(choice.left_out)


def _read_to_end(stream: gzip.GzipFile, file: PublishedFile) -> None:
    """Read the zeros at the end of an archive, and with them gzip's checksum, which tarfile does not read."""
    while piece := stream.read(_PIECE):
        if piece.strip(b"\0") or stream.tell() > 2 * file.max_bytes:
            raise tarfile.ReadError(f"no header at byte {stream.tell() - len(piece)}, and not the end")


class _LimitedReads:
    """A file that is read in pieces of limited size: tarfile reads headers of any claimed size into memory."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        if not 0 <= size <= 16 * _PIECE:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()


class _Member(NamedTuple):
    """A member of an archive, as its header describes it.

    Parameters
    ----------
    name : str
        Its path in the archive.
    size : int
        Unpacked size [byte].
    is_file : bool
        Whether it is a regular file, not a link, device, pipe or sparse file.
    is_folder : bool
        Whether it is a folder.
    is_executable : bool
        Whether its owner may execute it.
    """

    name: str
    size: int
    is_file: bool = True
    is_folder: bool = False
    is_executable: bool = False


class _Choice:
    """Selects the expected members of an archive, in their order, and refuses forbidden ones.

    Parameters
    ----------
    file : PublishedFile
        The expected members and their limits.
    """

    def __init__(self, file: PublishedFile) -> None:
        self._file = file
        self._pattern = re.compile(file.members)
        self._paths: set[str] = set()
        self._n_members = self._n_bytes = 0
        self.left_out: list[str] = []

    def path_of(self, member: _Member) -> str | None:
        """The path to which a member is unpacked, with forward slashes; None if it is left out.

        Raises
        ------
        ChecksumError
            If its path leads out of the folder, it is expected but not a regular file, it occurs twice, or a limit is
            exceeded.
        """
        self._count(member)
        name = member.name.removeprefix("./")
        if _leads_out(name):
            raise self._fault(f"member {member.name!r} leads out of the folder")
        if member.is_folder:
            return None
        match = self._pattern.fullmatch(name)
        if match is None:
            self.left_out.append(member.name)
            return None
        if not member.is_file:
            raise self._fault(f"member {member.name!r} is not a regular file")
        path = match["path"]
        if path.casefold() in self._paths:  # some file systems ignore case
            raise self._fault(f"member {member.name!r} occurs twice")
        self._paths.add(path.casefold())
        return path

    def finish(self) -> None:
        """Check, after the last member, that some were selected.

        Raises
        ------
        ChecksumError
            If no member was expected.
        """
        if not self._paths:
            raise self._fault(f"none of its {self._n_members} members is expected, first {self.left_out[:3]}")

    def _count(self, member: _Member) -> None:
        self._n_members += 1
        self._n_bytes += max(member.size, 0)
        if self._n_members > self._file.max_members:
            raise self._fault(f"more than {self._file.max_members} members")
        if member.size < 0 or self._n_bytes > self._file.max_bytes:
            raise self._fault(
                f"member {member.name!r} claims {member.size} bytes, more than {self._file.max_bytes} in all"
            )

    def _fault(self, reason: str) -> ChecksumError:
        return ChecksumError(f"{self._file.archive}: {reason}; nothing was unpacked")


def _leads_out(name: str) -> bool:
    """Whether a path is anything but a plain path within the folder or the folder itself."""
    parts = name.removesuffix("/").split("/")
    is_plain = name in ("", ".") or not {"", ".", ".."} & set(parts)
    return not is_plain or "\\" in name or any(ord(letter) < 32 for letter in name)


_READERS: dict[str, Callable[[IO[bytes], PublishedFile, _ToRoom], None]] = {
    "zip": _read_zip,
    "gz": _read_gzip,
    "tar.gz": _read_tar,
}
