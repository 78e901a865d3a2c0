"""The stimulus: a waveform at a given sample rate and level, with onset and offset ramps, as it enters the membrane."""

from dataclasses import dataclass
from math import gcd
from numbers import Real
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.checks import Bounds, check_fields, checked, checked_object, whole_number
from cochlea.signals import as_signals

_RampDuration = Annotated[float, Bounds(at_least=0, is_finite=False)]
_PIECE = 2**20  # samples squared at a time (8 MB), so that a long sound needs no second array of its own length


@dataclass(frozen=True, kw_only=True)
class StimulusParams:
    """How a recording is prepared.

    Parameters
    ----------
    level : float
        Root mean square to which the waveform is scaled [1].
    ramp_duration : float
        Duration of the onset ramp and of the offset ramp [s]. Each covers at most half of the sound, so infinity gives
        one Hann window over the whole sound.
    sample_rate : int or None
        Rate to which the waveform is resampled first [Hz]; None keeps the rate of the recording.
    """

    level: Annotated[float, Bounds(above=0, at_most=1e6)] = 0.3
    ramp_duration: _RampDuration = 0.03
    sample_rate: Annotated[int, Bounds(at_least=1000)] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


def prepare_stimulus(
    waveform: ArrayLike, sample_rate: float, params: StimulusParams
) -> tuple[NDArray[np.float64], int]:
    """The sound pressure that enters the membrane, at the rate and level of the params and with ramps, and its rate.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        Sound pressure in any linear unit [1].
    sample_rate : float
        Rate of the waveform [Hz].
    params : StimulusParams

    Returns
    -------
    pressure : ndarray of float64, shape (n_samples,)
        Sound pressure, always a new array [1].
    sample_rate : int
        Rate of the pressure [Hz].

    Raises
    ------
    ValueError
        See `as_waveform` and `as_sample_rate`.
    TypeError
        If `params` is not a `StimulusParams`.
    """
    params = checked_object("params", params, StimulusParams)
    rate = as_sample_rate(sample_rate)
    new_rate = params.sample_rate or rate
    # `as_waveform` always copies, so level and ramps can be applied in place: a long sound is held in memory only once.
    pressure = resample(as_waveform(waveform), rate, new_rate)
    _normalize_rms(pressure, params.level)
    _apply_ramps(pressure, new_rate, params.ramp_duration)
    return pressure, new_rate


def as_waveform(waveform: ArrayLike) -> NDArray[np.float64]:
    """The waveform as one-dimensional float64; integer samples are scaled to -1..1 by the range of their type.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        Sound pressure in any linear unit [1].

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        Always a copy.

    Raises
    ------
    ValueError
        If the waveform is not one-dimensional, is empty, is not real or has a sample that is not finite.
    """
    try:
        samples = np.asarray(waveform)
    except ValueError:  # NumPy's own message about a ragged list would not say what a waveform is
        raise ValueError("a waveform must be one-dimensional (mono), got rows of unequal length") from None
    if samples.ndim != 1:
        raise ValueError(f"a waveform must be one-dimensional (mono), got shape {samples.shape}")
    if samples.size == 0:
        raise ValueError("a waveform must have at least one sample, got 0")
    if samples.dtype.kind not in "iuf":
        raise ValueError(f"a waveform must hold integer or real samples, got {samples.dtype}")
    if samples.dtype.kind in "iu":
        # Signed samples are centered at 0, unsigned ones (8-bit WAV files) at the middle of their range. The divisor is
        # half of the range, 2**(bits - 1), so that scaling is exact for samples of up to 53 bits.
        kind = np.iinfo(samples.dtype)
        middle = (int(kind.max) + int(kind.min) + 1) // 2
        scaled = samples.astype(np.float64)
        scaled -= middle
        scaled /= float(kind.max) - middle + 1.0
        return scaled
    finite = np.isfinite(samples)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise ValueError(f"a waveform must be finite, got {samples[bad]} at sample {bad}")
    return samples.astype(np.float64)


def as_sample_rate(sample_rate: float) -> int:
    """The sample rate [Hz] as an integer.

    Raises
    ------
    ValueError
        If the sample rate is not a whole number of at least 1,000 Hz.
    """
    if not (isinstance(sample_rate, Real) and float(sample_rate).is_integer() and sample_rate >= 1000):
        raise ValueError(f"sample_rate must be a whole number of Hz, at least 1000, got {sample_rate!r}")
    return int(sample_rate)


def normalize_rms(waveform: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """The waveform scaled to a given root mean square; silence stays silent.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    level : float
        Root mean square of the result [1].

    Returns
    -------
    ndarray, shape (n_samples,)
        A new array.

    Raises
    ------
    ValueError
        If the waveform is not one-dimensional and real.
    """
    normalized = np.array(as_signals("waveform", waveform, "sample"))
    _normalize_rms(normalized, level)
    return normalized


def _normalize_rms(waveform: NDArray[np.float64], level: float) -> None:
    peak = max(-float(waveform.min()), float(waveform.max()))
    if peak == 0.0:
        return
    waveform /= peak  # first to a peak of 1, so that the squares neither overflow nor underflow
    power = sum(float(np.sum(np.square(waveform[i : i + _PIECE]))) for i in range(0, waveform.size, _PIECE))
    waveform *= level / np.sqrt(power / waveform.size)


def apply_ramps(waveform: NDArray[np.float64], sample_rate: int, ramp_duration: float) -> NDArray[np.float64]:
    """The waveform with raised-cosine onset and offset ramps (the halves of a symmetric Hann window).

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    sample_rate : int
        Rate of the waveform [Hz].
    ramp_duration : float
        Duration of each ramp, at most half of the sound; infinity is allowed [s].

    Returns
    -------
    ndarray, shape (n_samples,)
        A new array.

    Raises
    ------
    ValueError
        If the waveform is not one-dimensional and real, or the rate or duration is out of range.
    """
    ramp_duration = checked("ramp_duration", ramp_duration, _RampDuration)
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    ramped = np.array(as_signals("waveform", waveform, "sample"))
    _apply_ramps(ramped, sample_rate, ramp_duration)
    return ramped


def _apply_ramps(waveform: NDArray[np.float64], sample_rate: int, ramp_duration: float) -> None:
    # A duration may be infinite, which cannot be rounded: 1e6 s is longer than half of any sound.
    n_ramp = int(min(round(min(ramp_duration, 1e6) * sample_rate), waveform.size // 2))
    if n_ramp:
        ramp = np.hanning(2 * n_ramp)[:n_ramp]
        waveform[:n_ramp] *= ramp
        waveform[-n_ramp:] *= ramp[::-1]


def resample(waveform: NDArray[np.float64], sample_rate: int, new_rate: int) -> NDArray[np.float64]:
    """The waveform resampled to another rate by SciPy's polyphase filter; its duration does not change.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    sample_rate, new_rate : int
        Rates of the waveform and of the result [Hz].

    Returns
    -------
    ndarray, shape (ceil(n_samples * new_rate / sample_rate),)
        The waveform itself, not a copy, if the rates are equal [1].

    Raises
    ------
    ValueError
        If the waveform is not one-dimensional and real, or a rate is not a whole number of at least 1.
    """
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    new_rate = whole_number("new_rate", new_rate, at_least=1)
    waveform = as_signals("waveform", waveform, "sample")
    if sample_rate == new_rate:
        return waveform
    from scipy.signal import resample_poly  # takes a second to import, and most sounds need no resampling

    common = gcd(sample_rate, new_rate)
    return np.asarray(resample_poly(waveform, new_rate // common, sample_rate // common))
