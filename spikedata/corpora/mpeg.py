"""MP3 and its elder brothers: frames in a row, of which a tag in the first may say how many there are.

Without such a tag libsndfile guesses their number from the first frame and stops there: it is told of an endless file.
Where a tag is wrong, its number is replaced by that of the frames that are there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from spikedata.corpora.views import Part, View, bytes_at, refuse_too_many, skip_id3

_N_JUNK = 1 << 15  # bytes before the first frame in which it is looked for
_N_IN_A_ROW = 3  # frames, fewer may be found in any noise
_SYNC = re.compile(rb"\xff[\xe2-\xff][^\xf0-\xff]", re.DOTALL)  # how frames begin
_N_PER_FRAME = 1152  # samples, at most
_PLACEHOLDER = 0x7000_0000  # frames, 20 months of sound
# [kbit/s] by the number in a frame's header, ISO 11172-3 and 13818-3: of the first version by layer, of the others
_BITRATES = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_LATER_BITRATES = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Header(NamedTuple):
    """What the first four bytes of a frame say.

    Attributes
    ----------
    kind : tuple of int
        Version, layer and sample rate, which all frames of a stream share.
    n_bytes : int
        The length of the frame, 0 where the header leaves it open [bytes].
    tag_at : int
        Where in the frame a tag stands that counts the others [bytes].
    is_mono : bool
        Whether the frame has one channel.
    """

    kind: tuple[int, int, int]
    n_bytes: int
    tag_at: int
    is_mono: bool

    @classmethod
    def parse(cls, header: bytes) -> Header | None:
        """The header in four bytes, None if they are none (ISO 11172-3, 2.4.1.3)."""
        if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
            return None
        version, layer, rate = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3), header[2] >> 2 & 3
        bitrate, padding, is_mono = header[2] >> 4, header[2] >> 1 & 1, header[3] >> 6 == 3
        if version == 1 or layer == 4 or rate == 3 or bitrate == 15:
            return None
        is_first = version == 3
        per_second = (44_100, 48_000, 32_000)[rate] // {3: 1, 2: 2, 0: 4}[version]
        bits = 1000 * (_BITRATES if is_first else _LATER_BITRATES)[layer][bitrate]
        if layer == 1:
            n_bytes = (12 * bits // per_second + padding) * 4
        else:
            n_bytes = (144 if is_first or layer == 2 else 72) * bits // per_second + padding
        side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
        return cls((version, layer, rate), n_bytes if bits else 0, 4 + side, is_mono)


class _Tag(NamedTuple):
    flags_at: int  # in the file [bytes]
    flags: int
    n_frames: int  # without that of the tag; 0 where it is not said
    n_bytes: int  # of the recording; 0 where it is not said


def find_first_frame(descriptor: int, start: int, stop: int) -> int | None:
    """Where frames begin, behind whatever a stream was cut from; None where nothing looks like frames [bytes].

    Parameters
    ----------
    descriptor : int
        The open file.
    start, stop : int
        Between which places the recording lies [bytes].
    """
    if Header.parse(bytes_at(descriptor, 4, start)):
        return start
    for sync in _SYNC.finditer(bytes_at(descriptor, _N_JUNK, start)):
        if _is_row(descriptor, start + sync.start(), stop):
            return start + sync.start()
    return None


def find_frames(descriptor: int, begin: int, stop: int) -> list[Part]:
    """The recordings between two places of a file, one behind the other.

    Parameters
    ----------
    descriptor : int
        The open file.
    begin, stop : int
        The places [bytes].
    """
    stop = _end_of_sound(descriptor, stop)
    parts: list[Part] = []
    while begin < stop or not parts:
        start = skip_id3(descriptor, begin)
        first = Header.parse(bytes_at(descriptor, 4, start))
        tag = _read_tag(descriptor, start, first) if first else None
        end = start + tag.n_bytes if tag and tag.n_bytes else stop
        following = end + 128 if bytes_at(descriptor, 3, end) == b"TAG" else end
        # behind what the tag counts there may be another recording that was joined to this one
        after = Header.parse(bytes_at(descriptor, 4, skip_id3(descriptor, following)))
        is_joined = after and first and (after.kind == first.kind or _is_row(descriptor, following, stop))
        if not (end < stop and is_joined):
            following = end = stop
        if first and not tag:
            following = end = _end_of_kind(descriptor, start, stop, first)
        parts.append(_part(descriptor, begin, start, end, first, tag))
        is_filled_up = first is not None and tag is None and not _is_row(descriptor, following, stop)
        begin = stop if is_filled_up else following
        refuse_too_many(len(parts))
    return parts


def _read_tag(descriptor: int, start: int, first: Header) -> _Tag | None:
    tag = bytes_at(descriptor, 16, start + first.tag_at)
    if len(tag) < 16 or tag[:4] not in (b"Xing", b"Info"):
        return None
    flags = tag[7]
    n_frames = int.from_bytes(tag[8:12], "big") if flags & 1 else 0
    at = 12 if flags & 1 else 8
    n_bytes = int.from_bytes(tag[at : at + 4], "big") if flags & 2 else 0
    return _Tag(start + first.tag_at + 7, flags, n_frames, n_bytes)


def _part(descriptor: int, begin: int, start: int, end: int, first: Header | None, tag: _Tag | None) -> Part:
    if first is None or tag is None or not tag.flags & 1:
        return Part(View(descriptor, begin, end, endless=True), is_open_ended=True)
    n_there, is_all = _walk(descriptor, start + first.n_bytes, end, first.kind)
    flags_at = tag.flags_at - begin
    is_credible = 0 < tag.n_frames < _PLACEHOLDER
    if is_credible and n_there <= tag.n_frames + 1:  # some tags count themselves
        n_spare = _N_PER_FRAME if start + tag.n_bytes <= end else 0
        return Part(View(descriptor, begin, end), n_spare=n_spare)
    if is_all:
        right = (flags_at + 1, n_there.to_bytes(4, "big"))
        return Part(View(descriptor, begin, end, (right,)), n_spare=_N_PER_FRAME)
    without = (flags_at, bytes([tag.flags & ~1]))
    return Part(View(descriptor, begin, end, (without,), endless=True), is_open_ended=True)


def _end_of_sound(descriptor: int, stop: int) -> int:
    """The place before the tags at the end of a file: ID3 of the first version, APE."""
    while True:
        if bytes_at(descriptor, 3, stop - 128) == b"TAG":
            stop -= 128
            continue
        ape = bytes_at(descriptor, 32, stop - 32)
        if len(ape) < 32 or ape[:8] != b"APETAGEX":
            return stop
        size, flags = int.from_bytes(ape[12:16], "little"), int.from_bytes(ape[20:24], "little")
        size += 32 if flags >> 31 else 0
        if not 32 <= size < stop:
            return stop
        stop -= size


def _end_of_kind(descriptor: int, start: int, stop: int, first: Header) -> int:
    """Where frames of another kind or number of channels follow, to which no decoder changes over; else the end.

    Zeros that fill up the file are no frames either: the decoder gives up in them.
    """
    header: Header | None = first
    while header and header.n_bytes and (header.kind, header.is_mono) == (first.kind, first.is_mono):
        start += header.n_bytes
        header = Header.parse(bytes_at(descriptor, 4, start))
    if header and header.n_bytes and _is_row(descriptor, start, stop):
        return start
    rest = bytes_at(descriptor, stop - start, start) if 0 < stop - start < _N_JUNK else b"?"
    return stop if rest.strip(b"\0") else start


def _is_row(descriptor: int, start: int, stop: int) -> bool:
    """Whether frames of one kind follow each other at a place."""
    kinds = set()
    for _ in range(_N_IN_A_ROW):
        header = Header.parse(bytes_at(descriptor, 4, start))
        if not header or not header.n_bytes or start >= stop:
            return False
        kinds.add((header.kind, header.is_mono))
        start += header.n_bytes
    return len(kinds) == 1


def _walk(descriptor: int, start: int, end: int, kind: tuple[int, int, int]) -> tuple[int, bool]:
    """The number of whole frames from a place on, and whether there is nothing else up to the end."""
    n_frames = 0
    while header := Header.parse(bytes_at(descriptor, 4, start)):
        if header.kind != kind or not header.n_bytes or start + header.n_bytes > end:
            break
        start += header.n_bytes
        n_frames += 1
    is_last_cut = header is not None and header.kind == kind and start + header.n_bytes > end
    return n_frames, is_last_cut or end - start < 4
