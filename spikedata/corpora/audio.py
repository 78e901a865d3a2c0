"""Read a recording, or raise an error that names the file and its fault."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # the size in a RIFF header that was written as a stream
_LOWEST_RATE = 1_000  # [Hz], the lowest sample rate that `cochlea.encode` takes


class AudioError(ValueError):
    """A recording that cannot be used; the message names the file, the rule and the value found."""


def read_audio(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.float64], int]:
    """A recording as one channel of samples, and its sample rate.

    Parameters
    ----------
    path : str or path-like
        Any format that libsndfile reads: FLAC, WAV, OGG, MP3, AIFF, … Several channels are averaged.

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
        If the file may not be read, is empty, truncated or not a recording, or has a sample that is not finite.
    """
    import soundfile  # imported here, since it loads a shared library

    path = Path(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: the file is empty")
    except PermissionError as error:  # a folder above the file may not be searched
        raise _unreadable(path, error) from error
    try:
        _refuse_cut_riff(path)
        with soundfile.SoundFile(path) as recording:
            n_announced = recording.frames
            samples = recording.read(dtype="float64", always_2d=True)
            sample_rate = int(recording.samplerate)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: not a readable recording: {error.error_string.strip().rstrip('.')}") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(samples) < n_announced < np.iinfo(np.int64).max:
        raise AudioError(f"{path}: cut off: the header promises {n_announced} samples, the file holds {len(samples)}")
    if len(samples) == 0:
        raise AudioError(f"{path}: holds no samples")
    waveform = samples.mean(axis=1)
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
        As in `read_audio`, and if the sample rate is below 1,000 Hz.
    """
    waveform, sample_rate = read_audio(path)
    if sample_rate < _LOWEST_RATE:
        raise AudioError(f"{path}: sample rate {sample_rate} Hz, must be at least {_LOWEST_RATE} Hz to be heard")
    return waveform, sample_rate


def _unreadable(path: Path, error: OSError) -> AudioError:
    return AudioError(f"{path}: cannot be read: {error.strerror or error}")


def _refuse_cut_riff(path: Path) -> None:
    # libsndfile takes the length of a WAV file from the size of the file and does not notice a missing end
    with path.open("rb") as file:
        header = file.read(12)
    if header[:4] != b"RIFF" or len(header) < 8:
        return
    n_promised = int.from_bytes(header[4:8], "little")
    n_bytes = path.stat().st_size
    if n_promised not in _UNKNOWN_LENGTHS and n_bytes < n_promised + 7:  # 7, not 8: some writers count a padding byte
        raise AudioError(f"{path}: cut off: the header promises {n_promised + 8} bytes, the file holds {n_bytes}")
