"""Where the sound lies in a file, and how much of it the file promises.

A header's sizes are what its writer knew when it wrote them: a pipe, a browser or a recorder that was killed leaves
placeholders, and some writers count their own header. libsndfile reads what such a header says, so it is given a
`View` of the file in which the sizes are right. Whatever is not known here is left to libsndfile as it is.
"""

from __future__ import annotations

import functools
import operator
import re
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

from spikedata.corpora.mpeg import find_first_frame, find_frames
from spikedata.corpora.views import MOST_PARTS, Part, Unreadable, View, bytes_at, cut_off, refuse_too_many, skip_id3

_PLACEHOLDER = 0x7000_0000  # sizes up to 32 bits from here on are placeholders where the file is shorter: 1.75 GiB
_PLACEHOLDER_64 = 1 << 62
_N_TAG = 1 << 16  # bytes before the end of a file where tags are looked for
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_N_AT_ONCE = 512  # bytes, less than a frame of FLAC
_MPEG_IN_WAV = (0x50, 0x55)  # the codecs MP2 and MP3 of a WAV file
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def find_sound(descriptor: int, n_bytes: int) -> list[Part]:
    """The recordings in a file, each as a decoder can read it to its end; usually one.

    Parameters
    ----------
    descriptor : int
        The open file.
    n_bytes : int
        Its length [bytes].

    Returns
    -------
    list of Part
        Never empty. What is not known here is one part, the file as it is.

    Raises
    ------
    Unreadable
        If the file is shorter than its header credibly says.
    """
    head = bytes_at(descriptor, 12, 0)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _wav(descriptor, n_bytes, head[:4])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        wanted = b"BODY" if head[8:12].endswith(b"SV") or head[8:12] == b"8SVX" else b"SSND"
        chunk = _find(_chunks(descriptor, n_bytes, 12, "big"), wanted)
        # the chunk of AIFF begins with two numbers, so 8 is the size of no sound at all
        return _sized(descriptor, n_bytes, chunk, n_before=8 if wanted == b"SSND" else 0)
    if head[:4] == b"riff" and len(head) == 12:
        return _sized(descriptor, n_bytes, _find(_w64_chunks(descriptor, n_bytes), _W64_DATA))
    if head[:4] == b"caff":
        return _sized(descriptor, n_bytes, _find(_chunks(descriptor, n_bytes, 8, "big", 8), b"data"), n_before=4)
    if head[:4] in (b".snd", b"dns.") and len(head) == 12:
        order: Literal["big", "little"] = "big" if head[:4] == b".snd" else "little"
        start = int.from_bytes(head[4:8], order)
        return _sized(descriptor, n_bytes, _Chunk(b"", 8, 4, order, start, int.from_bytes(head[8:12], order)))
    if head[:7] == b"NIST_1A":
        return _nist(descriptor, n_bytes)
    if head[:4] == b"OggS":
        return _ogg(descriptor, n_bytes)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        _refuse_cut_boxes(descriptor, n_bytes)
        return [Part(View(descriptor, 0, n_bytes))]
    if head[:4] == b"\x1aE\xdf\xa3":
        _refuse_cut_segment(descriptor, n_bytes)
        return [Part(View(descriptor, 0, n_bytes))]
    if head[:8] == b"0&\xb2u\x8ef\xcf\x11":
        _refuse_cut_asf(descriptor, n_bytes)
        return [Part(View(descriptor, 0, n_bytes))]
    if head[:2] == b"\xf0\x7e" and head[3:4] == b"\x01":
        _refuse_damaged_dump(descriptor, n_bytes)
        return [Part(View(descriptor, 0, n_bytes))]
    start = skip_id3(descriptor, 0)
    head = bytes_at(descriptor, 4, start)
    if head == b"fLaC":
        return _flac(descriptor, n_bytes, start)
    first = find_first_frame(descriptor, start, n_bytes)
    if first is not None:
        return find_frames(descriptor, 0 if first == start else first, n_bytes)
    return [Part(View(descriptor, 0, n_bytes))]


class _Chunk(NamedTuple):
    name: bytes
    size_at: int  # where the size is written [bytes], in how many bytes, and how
    size_width: int
    order: Literal["big", "little"]
    start: int
    size: int  # of what follows `start`, as written


def _chunks(
    descriptor: int, n_bytes: int, start: int, order: Literal["big", "little"], width: int = 4
) -> Iterator[_Chunk]:
    for _ in range(MOST_PARTS):
        header = bytes_at(descriptor, 4 + width, start)
        if len(header) < 4 + width:
            return
        size = int.from_bytes(header[4:], order)
        yield _Chunk(header[:4], start + 4, width, order, start + 4 + width, size)
        start += 4 + width + size + (size % 2 if width == 4 else 0)  # CAF has no padding
        if start > n_bytes:
            return


def _w64_chunks(descriptor: int, n_bytes: int) -> Iterator[_Chunk]:
    start = 40
    for _ in range(MOST_PARTS):
        header = bytes_at(descriptor, 24, start)
        if len(header) < 24:
            return
        size = int.from_bytes(header[16:], "little") - 24  # it counts its own header
        yield _Chunk(header[:16], start + 16, 8, "little", start + 24, size)
        start += 24 + -(-max(size, 0) // 8) * 8
        if start > n_bytes:
            return


def _find(chunks: Iterator[_Chunk], name: bytes) -> _Chunk | None:
    return next((chunk for chunk in chunks if chunk.name == name), None)


def _sized(
    descriptor: int,
    n_bytes: int,
    chunk: _Chunk | None,
    *,
    n_before: int = 0,
    patches: tuple[tuple[int, bytes], ...] = (),
) -> list[Part]:
    """The file with the right size of its data; `n_before` bytes of the chunk are no samples."""
    if chunk is None or chunk.start > n_bytes:
        return [Part(View(descriptor, 0, n_bytes, patches))]
    size = _true_size(descriptor, n_bytes, chunk, n_before)
    if size != chunk.size:
        own = 24 if chunk.name == _W64_DATA else 0
        written = min(size + own, (1 << 8 * chunk.size_width) - 1).to_bytes(chunk.size_width, chunk.order)
        patches = (*patches, (chunk.size_at, written))
    return [Part(View(descriptor, 0, n_bytes, patches))]


def _true_size(descriptor: int, n_bytes: int, chunk: _Chunk, n_before: int) -> int:
    n_rest = n_bytes - chunk.start
    if chunk.size <= n_rest and _is_chunks(descriptor, n_bytes, chunk):
        return chunk.size
    n_there = n_rest - _n_tags_at_end(descriptor, n_bytes, n_rest)
    if chunk.size <= n_before:  # the writer was stopped before it came back to write the size
        return n_there
    is_placeholder = _PLACEHOLDER <= chunk.size < 1 << 32 or chunk.size >= _PLACEHOLDER_64
    # writers that count their header: the whole of it, without its first eight bytes, these, or the shortest that there
    # is, though theirs is longer; or a byte of padding
    counts_header = chunk.size - n_there in (chunk.start, chunk.start - 8, 44, 36, 8, 1)
    if counts_header or (is_placeholder and chunk.size > n_rest):
        return n_there
    if chunk.size <= n_rest:
        return chunk.size
    raise cut_off(f"{chunk.size} bytes of sound", n_there)


def _is_chunks(descriptor: int, n_bytes: int, chunk: _Chunk) -> bool:
    """Whether nothing but other chunks follows a chunk."""
    end = chunk.start + max(chunk.size, 0)
    if end >= n_bytes:
        return True
    if chunk.name == _W64_DATA:
        return chunk.size > 0
    width = 4 if chunk.order == "little" else chunk.size_width  # RF64 keeps one size elsewhere, in eight bytes
    for other in _chunks(descriptor, n_bytes, end + (end % 2 if width == 4 else 0), chunk.order, width):
        if not re.fullmatch(rb"[A-Za-z0-9 _]{4}", other.name):
            return False
        end = other.start + other.size
    return n_bytes - 1 <= end <= n_bytes + 1


def _n_tags_at_end(descriptor: int, n_bytes: int, n_rest: int) -> int:
    """The bytes of a LIST chunk that ends with the file."""
    n_looked_at = min(n_rest, _N_TAG)
    end = bytes_at(descriptor, n_looked_at, n_bytes - n_looked_at)
    at = end.rfind(b"LIST")
    is_tag = at >= 0 and int.from_bytes(end[at + 4 : at + 8], "little") - (len(end) - at - 8) in (0, -1)
    return len(end) - at if is_tag else 0


def _wav(descriptor: int, n_bytes: int, magic: bytes) -> list[Part]:
    order: Literal["big", "little"] = "big" if magic == b"RIFX" else "little"
    found = list(_chunks(descriptor, n_bytes, 12, order))
    chunks = {chunk.name: chunk for chunk in reversed(found)}
    data = chunks.get(b"data")
    for name in (b"fmt ", b"LIST"):  # FFmpeg takes the memory for all of them
        chunk = chunks.get(name)
        if chunk and chunk.start + chunk.size > n_bytes and not (data and data.start < chunk.start):
            raise cut_off(f"{chunk.size} bytes in {name.decode()!r}", n_bytes - chunk.start)
    patches: tuple[tuple[int, bytes], ...] = ()
    if magic in (b"RF64", b"BW64"):
        wide = chunks.get(b"ds64")
        # libsndfile knows BW64 by its older name alone, and takes a file that needs no 64 bits for WAV
        patches = ((0, b"RF64" if wide else b"RIFF"),) if not wide or magic == b"BW64" else ()
        if wide and data:
            sizes = bytes_at(descriptor, 16, wide.start)
            size = int.from_bytes(sizes[8:], "little") if data.size == 0xFFFF_FFFF else data.size
            data = data._replace(size_at=wide.start + 8, size_width=8, size=size)
            patches = (*patches, (wide.start + 8, size.to_bytes(8, "little")))  # libsndfile reads it there in any case
    if data and data.start <= n_bytes and b"fmt " in chunks:
        codec = int.from_bytes(bytes_at(descriptor, 2, chunks[b"fmt "].start), order)
        if codec in _MPEG_IN_WAV:
            return find_frames(descriptor, data.start, data.start + _true_size(descriptor, n_bytes, data, 0))
    several = [chunk for chunk in found if chunk.name == b"data"]
    if len(several) > 1 and magic in (b"RIFF", b"RIFX") and _is_chunks(descriptor, n_bytes, several[0]):
        parts = []
        for one in [chunk for chunk in several if chunk.size] or several[:1]:
            hidden = tuple((other.size_at - 4, b"JUNK") for other in several if other is not one)
            parts += _sized(descriptor, n_bytes, one, patches=hidden)
        return parts
    return _sized(descriptor, n_bytes, data, patches=patches)


def _nist(descriptor: int, n_bytes: int) -> list[Part]:
    head = bytes_at(descriptor, 1024, 0)
    fields = dict(re.findall(rb"^(\w+) -\w+ ([^\n]*)$", head, re.MULTILINE))
    start = re.match(rb"NIST_1A\n *(\d{1,9})\n", head)
    sizes = [fields.get(name, b"") for name in (b"sample_count", b"sample_n_bytes", b"channel_count")]
    if start and all(size.isdigit() for size in sizes) and b"," not in fields.get(b"sample_coding", b""):
        n_samples, n_per_sample, n_channels = map(int, sizes)
        n_there = n_bytes - int(start[1])
        if n_there < n_samples * n_per_sample * n_channels < _PLACEHOLDER:
            raise cut_off(f"{n_samples * n_per_sample * n_channels} bytes of sound", n_there)
    return [Part(View(descriptor, 0, n_bytes))]


def _flac(descriptor: int, n_bytes: int, start: int) -> list[Part]:
    count = bytes_at(descriptor, 5, start + 21)
    if len(count) < 5:
        return [Part(View(descriptor, 0, n_bytes))]
    n_promised = int.from_bytes(count, "big") & 0xF_FFFF_FFFF  # of 36 bits
    unknown = (start + 21, bytes([count[0] & 0xF0, 0, 0, 0, 0]))  # so that the decoder reads on to the end
    is_known = 0 < n_promised < 0xF_FFFF_FFFF
    view = View(descriptor, 0, n_bytes, (unknown,), n_at_once=_N_AT_ONCE)
    return [Part(view, n_promised if is_known else None, is_open_ended=not is_known)]


def _ogg(descriptor: int, n_bytes: int) -> list[Part]:
    """A view of each link of a chain: streams that were joined, each with a beginning of its own."""
    starts, at, is_in_sound = [0], 0, False
    while at < n_bytes:
        header = bytes_at(descriptor, 27 + 255, at)
        if not header.startswith(b"OggS"[: len(header)]):
            break  # damaged, or followed by something else: the decoder finds out
        n_lacing = header[26] if len(header) > 26 else 255
        length = 27 + n_lacing + sum(header[27 : 27 + n_lacing])
        if at + length > n_bytes:
            raise cut_off(f"a last page of {length} bytes", n_bytes - at)
        if not _is_intact(bytes_at(descriptor, length, at)):
            raise Unreadable(f"damaged in its page at byte {at}")  # decoders leave such a page out
        is_first = bool(header[5] & 2)
        if is_first and is_in_sound:
            starts.append(at)
            refuse_too_many(len(starts))
        is_in_sound = not is_first
        at += length
    ends = [*starts[1:], n_bytes]
    return [Part(View(descriptor, start, end)) for start, end in zip(starts, ends, strict=True)]


def _is_intact(page: bytes) -> bool:
    # the check sum of RFC 3533 is that of zlib with the bits the other way round, and without its two inversions
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    found = zlib.crc32(mirrored, 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return found.to_bytes(4, "big").translate(_MIRRORED) == page[22:26]


def _refuse_cut_boxes(descriptor: int, n_bytes: int) -> None:
    """MP4 and QuickTime (ISO 14496-12) are a row of boxes."""
    start = 0
    for _ in range(MOST_PARTS):
        header = bytes_at(descriptor, 16, start)
        if len(header) < 8:
            return
        size, name = int.from_bytes(header[:4], "big"), header[4:8]
        if size == 1:
            size = int.from_bytes(header[8:], "big")
        if size < 8:  # 0: up to the end of the file
            return
        if start + size > n_bytes:
            raise cut_off(f"{size} bytes in {name.decode('latin-1')!r}", n_bytes - start)
        start += size


def _refuse_cut_segment(descriptor: int, n_bytes: int) -> None:
    """Matroska and WebM (RFC 9559) are a header and a segment, whose size a browser's recorder leaves unknown."""
    start, size = _ebml_size(descriptor, 4)
    start, size = _ebml_size(descriptor, start + size + 4)
    if size and start + size > n_bytes:
        raise cut_off(f"{size} bytes in its segment", n_bytes - start)


def _ebml_size(descriptor: int, start: int) -> tuple[int, int]:
    """Where the content of an element begins, and its size, 0 if unknown [bytes]."""
    size = bytes_at(descriptor, 8, start)
    if not size or not size[0]:
        return start, 0
    width = 9 - size[0].bit_length()
    value = int.from_bytes(size[:width], "big") & ((1 << 7 * width) - 1)
    return start + width, 0 if value == (1 << 7 * width) - 1 else value


def _refuse_cut_asf(descriptor: int, n_bytes: int) -> None:
    """WMA is a header and the packets of data, each with its size behind its name of 16 bytes."""
    start = int.from_bytes(bytes_at(descriptor, 8, 16), "little")
    size = int.from_bytes(bytes_at(descriptor, 8, min(start, n_bytes) + 16), "little")
    if n_bytes < start + size < _PLACEHOLDER:
        raise cut_off(f"{start + size} bytes", n_bytes)


def _refuse_damaged_dump(descriptor: int, n_bytes: int) -> None:
    """What is missing or wrong in a MIDI sample dump, libsndfile makes up, and prints as much."""
    header = bytes_at(descriptor, 13, 0).ljust(13, b"\0")
    n_samples = header[10] | header[11] << 7 | header[12] << 14
    n_per_packet = 120 // max(-(-header[6] // 7), 1)
    n_packets = -(-n_samples // max(n_per_packet, 1))
    if 21 + 127 * n_packets > n_bytes:
        raise cut_off(f"{21 + 127 * n_packets} bytes", n_bytes)
    for number in range(n_packets):
        packet = bytes_at(descriptor, 127, 21 + 127 * number)
        if packet[4] != number & 0x7F or functools.reduce(operator.xor, packet[1:125]) & 0x7F != packet[125]:
            raise Unreadable(f"damaged in packet {number} of {n_packets}")
