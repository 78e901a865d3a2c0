"""Sound as a few bands of its spectrum, the usual input of networks that hear: a front end to compare an ear with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.levels import as_rate, as_sound
from spikedata.acoustics.speed import resample
from spikedata.checks import Count, Positive, ShareBelowOne, check_fields

_FLOOR = 1e-10  # of the power of a band, -100 dB re full scale: the logarithm of silence must be a number


@dataclass(frozen=True, kw_only=True)
class LogMelParams:
    """Frames and bands of a spectrum; the defaults are those of the raw digits of Zenke & Vogels.

    Neural Computation 33:899 (2021), RawHD: 80 frames of 10 ms.

    Parameters
    ----------
    sample_rate : int
        Sample rate to which the sound is brought first [Hz].
    n_bands : int
        Number of mel bands, from 0 Hz to half of the sample rate [1].
    n_frames : int
        Number of frames: a longer sound is cut, of a shorter one the last frame is repeated [1].
    step : float
        Time from one frame to the next [s].
    frame : float
        Length of the window of a frame [s].
    n_fft : int
        Length of the Fourier transform [samples]; not below that of the window.
    preemphasis : float
        Each sample loses this share of the one before, which lifts high frequencies [1].

    Raises
    ------
    ValueError
        If a number is out of range, or the window does not fit into the transform.
    """

    sample_rate: Count = 16_000
    n_bands: Count = 40
    n_frames: Count = 80
    step: Positive = 10e-3
    frame: Positive = 25e-3
    n_fft: Count = 512
    preemphasis: ShareBelowOne = 0.95

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("step", "frame"):
            if round(getattr(self, name) * self.sample_rate) < 1:
                raise ValueError(f"LogMelParams.{name} must be at least one sample, got {getattr(self, name)}")
        if round(self.frame * self.sample_rate) > self.n_fft:
            n_samples = round(self.frame * self.sample_rate)
            raise ValueError(f"LogMelParams.n_fft must be at least {n_samples}, the frame, got {self.n_fft}")


def log_mel(waveform: npt.ArrayLike, sample_rate: int, params: LogMelParams | None = None) -> npt.NDArray[np.float32]:
    """The logarithm of the power of each mel band in each frame, of mean 0 and standard deviation 1 over the clip.

    The bands are those of librosa (Slaney's scale, triangles of equal area), frame n is centered at ``n * step``, and
    the logarithm is that to base 10. Mean and standard deviation are those of all bands and frames of the sound
    together, before its last frame is repeated.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound [1].
    sample_rate : int
        [Hz]
    params : LogMelParams, optional
        Frames and bands.

    Returns
    -------
    ndarray of float32, shape (n_frames, n_bands)
        Zeros for silence.

    Raises
    ------
    ValueError
        If the sound is empty or not finite, or the sample rate not positive.

    Examples
    --------
    >>> frames = log_mel(np.sin(np.arange(8000) / 3), 16_000)
    >>> frames.shape, int(frames.mean(axis=0).argmax())
    ((80, 40), 11)
    """
    from librosa.feature import melspectrogram

    params = LogMelParams() if params is None else params
    sound, rate = as_sound("waveform", waveform), as_rate(sample_rate)
    if rate != params.sample_rate:
        sound = resample(sound, rate, params.sample_rate)
    sound = np.append(sound[:1], sound[1:] - params.preemphasis * sound[:-1])
    power = melspectrogram(
        y=sound,
        sr=params.sample_rate,
        n_fft=params.n_fft,
        win_length=round(params.frame * params.sample_rate),
        hop_length=round(params.step * params.sample_rate),
        n_mels=params.n_bands,
        pad_mode="constant",
    )
    frames = np.log10(np.maximum(power.T[: params.n_frames], _FLOOR))
    deviation = frames.std()
    frames = (frames - frames.mean()) / (deviation if deviation > 0 else 1.0)
    lacking = params.n_frames - len(frames)
    return np.concatenate([frames, np.repeat(frames[-1:], lacking, axis=0)]).astype(np.float32)
