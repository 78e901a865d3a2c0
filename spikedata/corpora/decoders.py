"""Decode a recording block by block: with libsndfile, and what it does not know with PyAV."""

from __future__ import annotations

import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.corpora.containers import find_sound
from spikedata.corpora.views import Part, Unreadable, View, bytes_at, skip_id3

_log = logging.getLogger(__name__)

_N_BLOCK = 1 << 16  # samples of all channels that are decoded at once
_UNKNOWN = 1 << 62  # samples from which on libsndfile does not know their number
_N_BLOCK_OPEN_ENDED = 256  # samples of a channel; less than a compressed frame, so that a fault is found where it is
# Errors of libsndfile that say that a file is not for it, but may be for another decoder: format not recognized;
# unsupported and unimplemented encodings; a codec that a WAV file cannot have; FLAC in OGG as others write it (two)
_NOT_FOR_LIBSNDFILE = (1, 4, 18, 64, 158, 161)
_MALFORMED = 3  # so libsndfile calls a short Opus stream, too, whose time does not begin with what is to be skipped
_SKIP_MANUAL = 1 << 29  # FFmpeg's AV_CODEC_FLAG2_SKIP_MANUAL: a decoder takes nothing off by itself
_HAVE_NO_ID3 = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"OggS", b"caff", b".snd")
# How FFmpeg calls what begins with certain bytes. It is never asked to guess: some of its guesses are lists of other
# files and addresses, which it would open.
_DEMUXERS = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (4, b"free", "mov"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (0, b"#!AMR", "amr"),
    (0, b"RIFF", "wav"),
    (0, b"caff", "caf"),
    (0, b"FORM", "aiff"),
    (0, b".snd", "au"),
    (0, b"OggS", "ogg"),
    (0, b"MAC ", "ape"),
    (0, b"wvpk", "wv"),
    (0, b"TTA1", "tta"),
    (0, b"tBaK", "tak"),
    (0, b"MPCK", "mpc8"),
    (0, b"MP+", "mpc"),
    (0, b".RMF", "rm"),
    (0, b".ra\xfd", "rm"),
    (0, b"DSD ", "dsf"),
    (0, b"FRM8", "iff"),
    (0, b"\x7f\xfe\x80\x01", "dts"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
)
_DEMUXERS_BY_SUFFIX = {  # of streams that begin with nothing of their own, or not at their beginning
    **{".aac": "aac", ".adts": "aac", ".mp3": "mp3", ".mp2": "mp3", ".ac3": "ac3", ".eac3": "eac3"},
    **{".dts": "dts", ".gsm": "gsm", ".g722": "g722"},
}
_N_PLANES = 8  # channels; of more, each in its own memory, PyAV does not find the end and reads what is no sound
_OPEN_ENDED = ("aac", "ac3", "amr", "dts", "eac3", "g722", "gsm", "mp3")  # nothing says how long they are


class Block(NamedTuple):
    """Some samples of a recording.

    Attributes
    ----------
    samples : ndarray of float64, shape (n_samples, n_channels)
        Full scale is -1..1 [1]; overwritten by the next block.
    sample_rate : int
        [Hz]
    """

    samples: npt.NDArray[np.float64]
    sample_rate: int


def decode(descriptor: int, path: Path) -> Iterator[Block]:
    """The samples of a recording, whatever number of them its header announces.

    Parameters
    ----------
    descriptor : int
        The open file.
    path : Path
        Its name, whose suffix tells what the content does not.

    Yields
    ------
    Block
        Of recordings that were joined to one file, one after the other.

    Raises
    ------
    Unreadable
        If the file cannot be decoded or ends before its header credibly says.
    """
    import soundfile  # imported here, since it loads a shared library

    tag = skip_id3(descriptor, 0)
    if tag and bytes_at(descriptor, 4, tag) in _HAVE_NO_ID3:  # places in such a file count from its own beginning
        with tempfile.TemporaryFile() as untagged:
            shutil.copyfileobj(View(descriptor, tag, os.fstat(descriptor).st_size), untagged, _N_BLOCK)
            untagged.flush()
            yield from decode(untagged.fileno(), path)
        return
    for part in find_sound(descriptor, os.fstat(descriptor).st_size):
        # the resources of a Sound Designer file lie in another one, which libsndfile finds by name
        source = str(path) if path.suffix.lower() == ".sd2" else part.view
        try:
            recording = _forward_only()(source)
        except soundfile.LibsndfileError as error:
            _raise_failed(part.view)
            demuxer = _demuxer(descriptor, path)
            is_malformed_opus = (error.code, demuxer) == (_MALFORMED, "ogg")
            if demuxer is None or not (error.code in _NOT_FOR_LIBSNDFILE or is_malformed_opus):
                raise Unreadable(f"not a readable recording: {_sentence(error)}") from None
            part.view.seek(0)
            yield from _decode_with_pyav(part.view, path, demuxer, _sentence(error))
            continue
        with recording:
            yield from _read_to_end(recording, part)


@functools.cache
def _forward_only() -> Any:
    import soundfile

    class Forward(soundfile.SoundFile):  # type: ignore[misc]
        """soundfile seeks after each block, which not every decoder can, and reads no more than is announced."""

        def seekable(self) -> bool:
            return False

    return Forward


def _read_to_end(recording: Any, part: Part) -> Iterator[Block]:
    from soundfile import LibsndfileError

    # a power of 2, so that a block ends where one of libsndfile's own ends: not every decoder of it goes on elsewhere
    n_block = _N_BLOCK_OPEN_ENDED if part.is_open_ended else 1 << (_N_BLOCK // recording.channels).bit_length() - 1
    block = np.empty((n_block, recording.channels))
    fault: LibsndfileError | None = None
    n_found = 0
    while True:
        error = None
        block.fill(np.nan)
        try:
            n_read = len(recording.read(out=block))
        except LibsndfileError as caught:
            error = caught
            is_empty = np.isnan(block[:, 0])  # the samples before the fault are there, only their number is not told
            n_read = int(is_empty.argmax()) if is_empty.any() else n_block
        if n_read and fault:
            raise Unreadable(f"damaged after sample {n_found}: {_sentence(fault)}")
        n_found += n_read
        if error and not part.view.was_read_to_end:
            raise Unreadable(f"damaged after sample {n_found}: {_sentence(error)}")
        fault = fault or error
        if not n_read:
            break
        yield Block(block[:n_read], int(recording.samplerate))
    _raise_failed(part.view)
    n_promised = recording.frames if part.n_promised is None else part.n_promised
    if part.is_open_ended or n_promised >= _UNKNOWN or n_found + part.n_spare >= n_promised:
        return  # a fault now is the end of a stream in the midst of a frame, or what follows the sound
    raise Unreadable(f"cut off: the header promises {n_promised} samples, the file holds {n_found}")


def _raise_failed(view: View) -> None:
    if view.error is not None:
        raise view.error


def _sentence(error: Any) -> str:
    return str(error.error_string).strip().removeprefix("Error : ").rstrip(".")


def _demuxer(descriptor: int, path: Path) -> str | None:
    head = bytes_at(descriptor, 16, skip_id3(descriptor, 0))
    for at, magic, name in _DEMUXERS:
        if head[at : at + len(magic)] == magic:
            return name
    return _DEMUXERS_BY_SUFFIX.get(path.suffix.lower())


def _decode_with_pyav(file: View, path: Path, demuxer: str, refusal: str) -> Iterator[Block]:
    try:
        import av
    except ImportError:
        raise Unreadable(
            f"not read by libsndfile ({refusal}), PyAV may do it: pip install 'spikedata-audio[formats]'"
        ) from None

    fault: av.FFmpegError | None = None
    n_found = 0
    try:
        # the names in a file's tags may be in any encoding
        with av.open(file, "r", format=demuxer, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise Unreadable("holds no sound track")
            track = container.streams.audio[0]
            is_alac_in_caf = demuxer == "caf" and track.codec_context.name == "alac"
            if is_alac_in_caf:  # FFmpeg takes what fills up the last packet off twice
                track.codec_context.flags2 |= _SKIP_MANUAL
            if len(container.streams.audio) > 1:
                _log.info("%s: reads the first of %d sound tracks", path, len(container.streams.audio))
            end = 0.0  # of the last packet, which the container may say to be shorter than its frame [s]
            last: Any = None
            for packet in container.demux(track):
                if (demuxer == "mov" or is_alac_in_caf) and packet.pts is not None and packet.duration:
                    end = max(end, float((packet.pts + packet.duration) * packet.time_base))
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    fault = fault or error
                    continue
                for frame in frames:
                    if fault:
                        raise Unreadable(f"damaged after sample {n_found}: {fault.strerror}")
                    if last:
                        n_found += last.samples
                        yield Block(_samples(last), int(last.sample_rate))
                    last = frame
            if last:
                n_found += last.samples
                n_after = round((float(last.time or 0.0) - end) * last.sample_rate) + last.samples if end else 0
                n_kept = last.samples - n_after if 0 < n_after < last.samples else last.samples
                yield Block(_samples(last)[:n_kept], int(last.sample_rate))
    except av.FFmpegError as error:
        _raise_failed(file)
        raise Unreadable(f"not a readable recording: {error.strerror}") from None
    _raise_failed(file)
    if fault and demuxer not in _OPEN_ENDED:
        raise Unreadable(f"damaged after sample {n_found}: {fault.strerror}")


def _samples(frame: Any) -> npt.NDArray[np.float64]:
    """The samples of a frame, shape (n_samples, n_channels), with full scale -1..1 as libsndfile gives them."""
    n_channels = frame.layout.nb_channels
    if frame.format.is_planar and n_channels > _N_PLANES:
        raise Unreadable(f"has {n_channels} channels, at most {_N_PLANES} are read from such a file: convert it to WAV")
    values: npt.NDArray[Any] = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype.kind == "u":
        return (values.astype(np.float64) - 128.0) / 128.0
    scale = 2.0 ** (8 * values.dtype.itemsize - 1) if values.dtype.kind == "i" else 1.0
    return values.astype(np.float64) / scale
