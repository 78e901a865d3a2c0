"""Level, onset ramps and sample rate of the waveform: what enters the membrane."""

from dataclasses import dataclass
from math import gcd
from numbers import Real
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.checks import Bounds, check_fields, checked, checked_object, whole_number
from cochlea.signals import as_signals

_RampDuration = Annotated[float, Bounds(at_least=0, is_finite=False)]
_PIECE = 2**20  # samples whose power is summed at once


@dataclass(frozen=True, kw_only=True)
class StimulusParams:
    """How a recording is prepared.

    Parameters
    ----------
    level : float
        Root mean square that the waveform is brought to [1].
    ramp_duration : float
        Length of the onset and of the offset ramp [s]; each is at most half of the sound, so that
        infinity asks for one Hann window over the whole of it.
    sample_rate : int or None
        Rate that the waveform is resampled to before anything else [Hz]; None leaves it at its own.
    """

    level: Annotated[float, Bounds(above=0, at_most=1e6)] = 0.3
    ramp_duration: _RampDuration = 0.03
    sample_rate: Annotated[int, Bounds(at_least=1000)] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


def prepare_stimulus(
    waveform: ArrayLike, sample_rate: float, params: StimulusParams
) -> tuple[NDArray[np.float64], int]:
    """What enters the membrane: the waveform at the rate and level of the params, with ramps; and its rate [Hz].

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        Sound pressure in any linear unit [1].
    sample_rate : float
        Rate of the waveform [Hz].
    params : StimulusParams

    Raises
    ------
    ValueError
        As `as_waveform` and `as_sample_rate`.
    """
    params = checked_object("params", params, StimulusParams)
    rate = as_sample_rate(sample_rate)
    new_rate = params.sample_rate or rate
    # `as_waveform` made a copy, which is changed in place: a long sound takes no more memory than that.
    pressure = resample(as_waveform(waveform), rate, new_rate)
    _normalize_rms(pressure, params.level)
    _apply_ramps(pressure, new_rate, params.ramp_duration)
    return pressure, new_rate


def as_waveform(waveform: ArrayLike) -> NDArray[np.float64]:
    """A waveform as one-dimensional float64; integer samples are scaled to -1..1 by their type's range.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        Sound pressure in any linear unit [1].

    Returns
    -------
    ndarray, shape (n_samples,)
        A copy.

    Raises
    ------
    ValueError
        If it is not one-dimensional, is empty, is complex or holds a sample that is not finite.
    """
    try:
        samples = np.asarray(waveform)
    except ValueError:  # of a list whose rows are unequally long
        raise ValueError("a waveform must be one-dimensional (mono), got rows of unequal length") from None
    if samples.ndim != 1:
        raise ValueError(f"a waveform must be one-dimensional (mono), got shape {samples.shape}")
    if samples.size == 0:
        raise ValueError("a waveform must have at least one sample, got 0")
    if samples.dtype.kind not in "iuf":
        raise ValueError(f"a waveform must hold integer or real samples, got {samples.dtype}")
    if samples.dtype.kind in "iu":
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
    """A sample rate [Hz] as an integer.

    Raises
    ------
    ValueError
        If it is not a whole number of at least 1,000 Hz.
    """
    if not (isinstance(sample_rate, Real) and float(sample_rate).is_integer() and sample_rate >= 1000):
        raise ValueError(f"sample_rate must be a whole number of Hz, at least 1000, got {sample_rate!r}")
    return int(sample_rate)


def normalize_rms(waveform: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """The waveform at a given root mean square; silence stays silent.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    level : float
        Root mean square of the result [1].
    """
    normalized = np.array(as_signals("waveform", waveform, "sample"))
    _normalize_rms(normalized, level)
    return normalized


def _normalize_rms(waveform: NDArray[np.float64], level: float) -> None:
    peak = max(-float(waveform.min()), float(waveform.max()))
    if peak == 0.0:
        return
    waveform /= peak  # so that no square overflows or vanishes
    power = sum(float(np.sum(np.square(waveform[i : i + _PIECE]))) for i in range(0, waveform.size, _PIECE))
    waveform *= level / np.sqrt(power / waveform.size)


def apply_ramps(waveform: NDArray[np.float64], sample_rate: int, ramp_duration: float) -> NDArray[np.float64]:
    """The waveform with a raised-cosine onset and offset (halves of a symmetric Hann window).

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    sample_rate : int
        [Hz]
    ramp_duration : float
        Length of each ramp [s]; at most half of the sound is used.
    """
    ramp_duration = checked("ramp_duration", ramp_duration, _RampDuration)
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    ramped = np.array(as_signals("waveform", waveform, "sample"))
    _apply_ramps(ramped, sample_rate, ramp_duration)
    return ramped


def _apply_ramps(waveform: NDArray[np.float64], sample_rate: int, ramp_duration: float) -> None:
    n_ramp = int(min(round(min(ramp_duration, 1e6) * sample_rate), waveform.size // 2))
    if n_ramp:
        ramp = np.hanning(2 * n_ramp)[:n_ramp]
        waveform[:n_ramp] *= ramp
        waveform[-n_ramp:] *= ramp[::-1]


def resample(waveform: NDArray[np.float64], sample_rate: int, new_rate: int) -> NDArray[np.float64]:
    """The waveform at another rate, by SciPy's polyphase filter; it keeps its duration.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    sample_rate, new_rate : int
        Rates of the waveform and of the result [Hz].

    Returns
    -------
    ndarray, shape (ceil(n_samples * new_rate / sample_rate),)
    """
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    new_rate = whole_number("new_rate", new_rate, at_least=1)
    waveform = as_signals("waveform", waveform, "sample")
    if sample_rate == new_rate:
        return waveform
    from scipy.signal import resample_poly  # a second to import, and most sounds do without

    common = gcd(sample_rate, new_rate)
    return np.asarray(resample_poly(waveform, new_rate // common, sample_rate // common))
