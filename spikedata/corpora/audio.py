"""Read a recording, or raise an error that names the file and its fault."""

from __future__ import annotations

import functools
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedata.corpora.decoders import decode
from spikedata.corpora.views import Unreadable
from spikedata.disk import undisturbed

_LOWEST_RATE = 1_000  # [Hz], the lowest sample rate that `cochlea.encode` takes
_HIGHEST_RATE = 10_000_000  # [Hz], more is a damaged header; the cochlea takes memory as the rate grows
# The mean of two channels that have nothing in common has 0.7 of their level, that of n channels 1 / sqrt(n). Where a
# seventh of this is left, they cancel each other: what would be encoded is what they do not share.
_CANCELLED = 1 / 7
_NON_BLOCKING = getattr(os, "O_NONBLOCK", 0)  # else a pipe waits for its writer; Windows has none that are files
_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone knows files of text, and would change what it reads
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class AudioError(ValueError):
    """A recording that cannot be used; the message names the file, the rule and the value found."""


class MicrophoneError(OSError):
    """A microphone that cannot be used; the message says why, and what helps."""


def read_audio(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.float64], int]:
    """A recording as one channel of samples, and its sample rate.

    The number of samples in a header is taken for a hint: what is there is read to its end. Several channels are
    averaged block by block, so that memory holds the result and a block of each channel.

    Parameters
    ----------
    path : str or path-like
        Any format that libsndfile reads (FLAC, WAV, OGG, MP3, AIFF, …) or, with the extra `formats`, PyAV (M4A, MP4,
        WebM, …), known by its content. Of several sound tracks the first is read.

    Returns
    -------
    waveform : ndarray of float64, shape (n_samples,)
        Full scale is -1..1 [1].
    sample_rate : int
        [Hz]

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    AudioError
        If the file may not be read, is empty, truncated or not a recording, has a sample that is not finite, or has
        channels of which nearly nothing is left in their mean.
    """
    import soundfile  # noqa: F401 - one that is not installed is no fault of the recording

    path = Path(path)
    try:
        descriptor = _open(path)
        try:
            with undisturbed():  # a decoder in C calls back to read on, and would lose a Control-C that came then
                waveform, sample_rate = _read(descriptor, path)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except Unreadable as error:
        raise AudioError(f"{path}: {error}") from None
    except OSError as error:  # a folder above the file may not be searched, a disk fails
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise AudioError(f"{path}: needs more memory than there is") from error
    except Exception as error:  # whatever a library does with one file concerns only this file
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise AudioError(f"{path}: not a readable recording: {reason}") from error
    if not np.isfinite(waveform).all():
        bad = int(np.argmin(np.isfinite(waveform)))
        raise AudioError(f"{path}: sample {bad} is {waveform[bad]}, must be finite")
    return waveform, sample_rate


def read_sound(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.float64], int]:
    """A recording from `read_audio`, refused if its sample rate is too low; `cochlea.encode` judges if it is silent.

    Parameters
    ----------
    path : str or path-like
        The recording.

    Returns
    -------
    waveform : ndarray of float64, shape (n_samples,)
        Full scale is -1..1 [1].
    sample_rate : int
        [Hz]

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    AudioError
        As in `read_audio`, and if the sample rate is not within 1,000 Hz and 10 MHz.
    """
    waveform, sample_rate = read_audio(path)
    if sample_rate < _LOWEST_RATE:
        raise AudioError(f"{path}: sample rate {sample_rate} Hz, must be at least {_LOWEST_RATE} Hz to be heard")
    if sample_rate > _HIGHEST_RATE:
        raise AudioError(f"{path}: sample rate {sample_rate} Hz, must be at most {_HIGHEST_RATE} Hz")
    return waveform, sample_rate


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | _NON_BLOCKING | _BINARY)
    except PermissionError:
        if path.is_dir():  # which Windows opens for nobody
            raise Unreadable("is a folder, must be a file with a recording") from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no file")
        raise Unreadable(f"is {kind}, must be a file with a recording")
    return descriptor


def _read(descriptor: int, path: Path) -> tuple[npt.NDArray[np.float64], int]:
    if os.fstat(descriptor).st_size == 0:
        raise Unreadable("the file is empty")
    rate = 0
    mono = _Mono()
    for block in decode(descriptor, path):
        if rate not in (0, block.sample_rate):
            raise Unreadable(f"its sample rate changes from {rate} to {block.sample_rate} Hz")
        rate = block.sample_rate
        mono.add(block.samples)
    waveform = mono.finish()
    if len(waveform) == 0:
        raise Unreadable("holds no samples")
    return waveform, rate


@functools.cache
def _most_memory() -> int:
    """How large a waveform may grow [byte]: a third of the memory, since the cochlea makes a copy or two of it."""
    if not hasattr(os, "sysconf"):  # Windows
        return sys.maxsize
    try:
        found: list[int] = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (OSError, ValueError):  # a system that does not say
        return sys.maxsize
    with suppress(OSError, ValueError):  # of a container
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text("utf-8")))
    return min(found) // 3


class _Mono:
    """The mean of all channels, block by block, in the memory of the result and a block."""

    def __init__(self) -> None:
        self._waveform = np.empty(0)
        self._n_samples = 0
        # of each channel and, last, of their mean, where there are several: the first sample, what deviates from it
        # summed, its squares summed. A constant offset is no sound, neither what cancels nor what is left.
        self._first = self._sums = self._squares = np.empty(0)
        self._n_observed = 0

    def add(self, block: npt.NDArray[np.float64]) -> None:
        mean = block[:, 0]
        if block.shape[1] > 1:
            with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused later, with its place
                mean = block.mean(axis=1)
                self._observe(np.column_stack([block, mean]))
        n_needed = self._n_samples + len(mean)
        if 8 * n_needed > _most_memory():
            raise MemoryError  # before the system ends the whole process
        if n_needed > len(self._waveform):
            # grown in place, where the system can; by as little as keeps the number of times small
            self._waveform.resize(max(n_needed, 5 * len(self._waveform) // 4), refcheck=False)
        self._waveform[self._n_samples : n_needed] = mean
        self._n_samples = n_needed

    def finish(self) -> npt.NDArray[np.float64]:
        self._waveform.resize(self._n_samples, refcheck=False)
        if self._n_observed:
            with np.errstate(invalid="ignore", over="ignore"):
                variances = self._squares / self._n_observed - (self._sums / self._n_observed) ** 2
            n_channels = len(variances) - 1
            level, left = np.sqrt(np.maximum([variances[:-1].mean(), variances[-1]], 0.0))
            if left < _CANCELLED / np.sqrt(n_channels) * level:
                raise Unreadable(
                    f"its {n_channels} channels cancel each other: their mean has {100 * left / level:.1f} % of their "
                    "level; keep one of them (sox IN.wav OUT.wav remix 1)"
                )
        return self._waveform

    def _observe(self, columns: npt.NDArray[np.float64]) -> None:
        if len(self._first) != columns.shape[1]:  # the first block, or one of a recording joined to another one
            self._first = columns[0].copy()
            self._sums = np.zeros_like(self._first)
            self._squares = np.zeros_like(self._first)
            self._n_observed = 0
        self._n_observed += len(columns)
        deviations = columns - self._first
        self._sums += deviations.sum(axis=0)
        self._squares += (deviations**2).sum(axis=0)
