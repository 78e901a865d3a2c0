"""A file as a decoder is to see it: a part of it, with a header that is right."""

from __future__ import annotations

import io
import os
from typing import Any, NamedTuple

MOST_PARTS = 4096  # recordings that may be joined, tags and chunks that are looked at; more are no recording's
_FAR = 1 << 40  # bytes, the length of a `View` that shall seem endless
_N_TAG = 1 << 16  # bytes before that end where a tag is looked for
_HIGHEST = 1 << 62  # bytes, what a system takes for a place in a file


class Unreadable(ValueError):
    """A file that cannot be read as sound; the message is the rule, without the name of the file."""


class View(io.RawIOBase):
    """A part of a file, with some bytes replaced, read without moving the position of its descriptor.

    Parameters
    ----------
    descriptor : int
        An open file.
    start, stop : int
        The part [bytes].
    patches : tuple of (int, bytes)
        Where in the part other bytes are to be seen [bytes], and which.
    endless : bool
        Whether the part seems to go on: who asks for its length is told an enormous one, who reads comes to its end.
    n_at_once : int, optional
        The most that is read at once [bytes], so that the position tells where a decoder stopped.

    Attributes
    ----------
    error : OSError or None
        What went wrong in reading: what calls this from C can be given no exception.
    """

    def __init__(
        self,
        descriptor: int,
        start: int,
        stop: int,
        patches: tuple[tuple[int, bytes], ...] = (),
        *,
        endless: bool = False,
        n_at_once: int = _FAR,
    ) -> None:
        super().__init__()
        self._descriptor, self._start, self._length, self._patches = descriptor, start, max(stop - start, 0), patches
        self._seeming_length = _FAR if endless else self._length
        self._position = 0
        self._n_at_once = n_at_once
        self._n_seen = 0
        self.error: OSError | None = None

    @property
    def was_read_to_end(self) -> bool:
        """Whether the last byte of the part has been read, wherever the position is now."""
        return self._n_seen >= self._length

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position [bytes]."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position [bytes]; one that no file can have is moved to the nearest."""
        origin = (0, self._position, self._seeming_length)[whence]
        self._position = min(max(origin + offset, 0), 2 * _FAR)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of the part, or zeros where a decoder looks for a tag at the seeming end."""
        if self._seeming_length - _N_TAG <= self._position < self._seeming_length != self._length:
            found = bytes(min(len(buffer), self._seeming_length - self._position))
        else:
            n_bytes = min(len(buffer), self._n_at_once, max(self._length - self._position, 0))
            found = self._bytes_at(self._position, n_bytes)
            self._n_seen = max(self._n_seen, self._position + len(found))
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _bytes_at(self, position: int, n_bytes: int) -> bytes:
        try:
            found = bytes_at(self._descriptor, n_bytes, self._start + position)
        except OSError as error:
            self.error = error
            return b""
        for offset, patch in self._patches:
            first, last = max(offset - position, 0), min(offset - position + len(patch), len(found))
            if first < last:
                found = found[:first] + patch[first + position - offset : last + position - offset] + found[last:]
        return found


class Part(NamedTuple):
    """A recording in a file, which may hold several that were joined.

    Attributes
    ----------
    view : View
        What a decoder is to be given.
    n_promised : int or None
        Samples of each channel that the header promises, where the decoder is not to know [1].
    n_spare : int
        Samples that may be missing, since the header counts so coarsely [1].
    is_open_ended : bool
        Whether nothing says how much there is, so that what is there is all of it.
    """

    view: View
    n_promised: int | None = None
    n_spare: int = 0
    is_open_ended: bool = False


def bytes_at(descriptor: int, n_bytes: int, start: int) -> bytes:
    """Some bytes of a file, fewer at its end, none where no file can have any."""
    if not 0 <= start < _HIGHEST:
        return b""
    if hasattr(os, "pread"):
        found: bytes = os.pread(descriptor, n_bytes, start)
        return found
    os.lseek(descriptor, start, os.SEEK_SET)  # on Windows; nothing else reads by the position
    return os.read(descriptor, n_bytes)


def skip_id3(descriptor: int, start: int) -> int:
    """The place behind the ID3 tags that stand at a place of a file [bytes]."""
    for _ in range(MOST_PARTS):
        tag = bytes_at(descriptor, 10, start)
        if tag[:3] != b"ID3" or len(tag) < 10:
            break
        size = 0
        for byte in tag[6:]:
            size = size << 7 | byte & 0x7F
        start += 10 + size + (10 if tag[5] & 0x10 else 0)
    return start


def cut_off(promised: str, found: int) -> Unreadable:
    """The error of a file that holds less than its header promises."""
    return Unreadable(f"cut off: the header promises {promised}, the file holds {found}")


def refuse_too_many(n_parts: int) -> None:
    """Raise `Unreadable` for what is made to keep a reader busy."""
    if n_parts > MOST_PARTS:
        raise Unreadable(f"more than {MOST_PARTS} recordings in one file")
