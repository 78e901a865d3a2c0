"""The stimulus: a waveform at a given sample rate and level, with onset and offset ramps, as it enters the membrane."""

# In this order: what lies below hearing is removed, at the rate of the recording; then the sample rate, the level and
# the ramps are set. An offset would otherwise count as sound when the level is set, and leave little of it.

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import gcd, log10
from numbers import Real
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.checks import Bounds, check_fields, checked, checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.elementary import bessel_i0, cosines, sin_cos
from cochlea.high_pass import HIGHEST_CUTOFF, Cutoff, high_pass_in_place
from cochlea.signals import as_signals

REFERENCE_PRESSURE = 20e-6  # [Pa] of 0 dB SPL
LOUDEST = (
    120.0  # [dB SPL]; above it hearing hurts, and the middle ear and the membrane are no longer what they are here
)
_RampDuration = Annotated[float, Bounds(at_least=0, is_finite=False)]
_REACH, _KAISER = 10, 5.0  # of the filter for resampling: samples of the lower rate on either side, shape of the window
_PIECE = 512  # samples that are summed at a time
# What is left at five times the cutoff of a recording that holds only what lies below hearing, its onset and end aside:
# less than 1/2,000 of it below 15 Hz, and the rounding of its samples, 0.29 steps or, with triangular dither, 0.5.
_LEFT_OF_RUMBLE = 1 / 2000
_LEFT_OF_ROUNDING = 0.6
_FINEST = 1 / 8  # of the range: larger steps are no rounding, but edges that are heard
_MOST_PASSES = 8  # of the filter: against a rumble much louder than the sound


@dataclass(frozen=True, kw_only=True)
class StimulusParams:
    """How a recording is prepared.

    The level is set in exactly one of three ways: every sound has the same `level`; or every sound has the same
    `level_db_spl`; or every sound keeps its own level, which `full_scale_db_spl` calibrates. In the second and third
    way the pressure is in pascal. The fields of the other two ways are None.

    Parameters
    ----------
    level : float or None
        Root mean square to which the waveform is scaled, in relative units [1].
    level_db_spl : float or None
        Sound pressure level to which the waveform is brought, in root mean square re 20 uPa [dB SPL].
    full_scale_db_spl : float or None
        Sound pressure level of a waveform whose root mean square is 1; sounds keep their own level. At 93.98, the
        waveform is in pascal [dB SPL].
    ramp_duration : float
        Duration of the onset ramp and of the offset ramp [s]. Each covers at most half of the sound, so infinity gives
        one Hann window over the whole sound.
    sample_rate : int or None
        Rate to which the waveform is resampled [Hz]; None keeps the rate of the recording.
    high_pass : float or None
        Frequency below which the waveform is silenced, before its level is set [Hz]; None keeps offset, drift and
        rumble, which then count as sound. See `cochlea.high_pass`.
    """

    level: Annotated[float, Bounds(above=0, at_most=1e6)] | None = 0.3
    level_db_spl: Annotated[float, Bounds(at_least=-20, at_most=LOUDEST)] | None = None
    full_scale_db_spl: Annotated[float, Bounds(at_least=0, at_most=200)] | None = None
    ramp_duration: _RampDuration = 0.03
    sample_rate: Annotated[int, Bounds(at_least=1000)] | None = None
    high_pass: Cutoff | None = 20.0

    def __post_init__(self) -> None:
        check_fields(self)
        ways = {name: getattr(self, name) for name in ("level", "level_db_spl", "full_scale_db_spl")}
        given = [f"{name}={value!r}" for name, value in ways.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                "StimulusParams.level must be None if level_db_spl or full_scale_db_spl is a number, and of the three "
                f"exactly one is a number, got {', '.join(given) or 'none'}"
            )

    @property
    def is_absolute(self) -> bool:
        """Whether the pressure is in pascal, so that it has a sound pressure level."""
        return self.level is None


def prepare_stimulus(
    waveform: ArrayLike, sample_rate: float, params: StimulusParams
) -> tuple[NDArray[np.float64], int]:
    """The sound pressure that enters the membrane, at the rate and level of the params and with ramps, and its rate.

    With `params.high_pass`, a sound with nothing above that frequency becomes silence: a constant, a drift, a rumble.
    Where the filter removes more than half of the power, it is applied again until it finds no more than a tenth, so
    that a rumble much louder than the sound does not set its level.

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
        Sound pressure, always a new array; relative with `params.level`, in pascal otherwise [1 or Pa].
    sample_rate : int
        Rate of the pressure [Hz].

    Raises
    ------
    ValueError
        See `as_waveform` and `as_sample_rate`; with `params.full_scale_db_spl`, if the sound is above 120 dB SPL.
    TypeError
        If `params` is not a `StimulusParams`.
    """
    prepared = prepare_and_judge(waveform, sample_rate, params)
    return prepared.pressure, prepared.sample_rate


class Prepared(NamedTuple):
    """A sound as `prepare_stimulus` returns it, and whether there is any.

    Parameters
    ----------
    pressure : ndarray of float64, shape (n_samples,)
        Sound pressure [1 or Pa].
    sample_rate : int
        Rate of the pressure [Hz].
    silence : str
        Why the sound is silent; empty if it is not.
    """

    pressure: NDArray[np.float64]
    sample_rate: int
    silence: str


def prepare_and_judge(waveform: ArrayLike, sample_rate: float, params: StimulusParams) -> Prepared:
    """As `prepare_stimulus`, and why the sound is silent, if it is.

    A recording is silent if all its samples are equal, or if nothing is left above `params.high_pass`.

    Parameters
    ----------
    waveform, sample_rate, params
        As in `prepare_stimulus`.
    """
    params = checked_object("params", params, StimulusParams)
    rate = as_sample_rate(sample_rate)
    new_rate = params.sample_rate or rate
    # `as_waveform` always copies, so all but the resampling is done in place: a long sound is held in memory only once.
    pressure = as_waveform(waveform)
    silence = _why_constant(pressure)
    if params.full_scale_db_spl is not None:
        _calibrate(pressure, params.full_scale_db_spl)
    if params.high_pass is not None and not _remove_inaudible(pressure, rate, params.high_pass):
        silence = silence or f"silent: nothing is left of it above {params.high_pass:g} Hz"
    pressure = resample(pressure, rate, new_rate)
    if params.level_db_spl is not None:
        _normalize_rms(pressure, pascal(params.level_db_spl))
    elif params.level is not None:
        _normalize_rms(pressure, params.level)
    else:
        refuse_loud(_power(pressure))
    _apply_ramps(pressure, new_rate, params.ramp_duration)
    return Prepared(pressure, new_rate, silence)


def pascal(level_db_spl: float) -> float:
    """The root mean square [Pa] of a sound pressure level, the same on every machine.

    Parameters
    ----------
    level_db_spl : float
        Level re 20 uPa [dB SPL].

    Examples
    --------
    >>> round(pascal(94), 3)
    1.002
    """
    # The power of a float is left to the C library, whose last bit is its own. Decimal numbers are the same everywhere.
    return REFERENCE_PRESSURE * float(Decimal(10) ** (Decimal(float(level_db_spl)) / 20))


def _calibrate(waveform: NDArray[np.float64], full_scale_db_spl: float) -> None:
    # In place. What follows scales what is very loud or very quiet, and thereby loses its level.
    scale = pascal(full_scale_db_spl)
    peak = max(-float(waveform.min()), float(waveform.max())) * scale
    if peak > 1e50:
        raise too_loud(peak)
    waveform *= scale if peak > 1e-50 else 0.0


def refuse_loud(power: float) -> None:
    """Raise a ValueError if the mean square of a pressure [Pa^2] is above that of 120 dB SPL."""
    rms = float(np.sqrt(power))
    if rms > 1.001 * pascal(LOUDEST):  # a sound of just 120 dB SPL may have gained a little by the filters before
        raise too_loud(rms)


def too_loud(rms: float) -> ValueError:
    """The error for a sound of a root mean square that is too large [Pa]."""
    level = 20 * (log10(rms) - log10(REFERENCE_PRESSURE)) if rms < np.inf else rms
    return ValueError(f"the level of a sound must be <= {LOUDEST:g} dB SPL, got {level:.1f}; see full_scale_db_spl")


def _why_constant(waveform: NDArray[np.float64]) -> str:
    low, high = float(waveform.min()), float(waveform.max())
    if waveform.size == 1:  # a click, unless it is 0 or filtered
        return "silent: its only sample is 0" if high == 0.0 else ""
    return f"silent: all {waveform.size} samples are {high:g}" if low == high else ""


def _remove_inaudible(waveform: NDArray[np.float64], sample_rate: int, cutoff: float) -> bool:
    # Whether anything is left; the waveform is all zeros if not.
    low, high = float(waveform.min()), float(waveform.max())
    exponent = int(np.frexp(max(-low, high))[1])
    if abs(exponent) > 300:  # so that the squares neither overflow nor underflow; exact, as the subtractions nearly are
        np.ldexp(waveform, -exponent, out=waveform)
        low, high = float(waveform.min()), float(waveform.max())
    waveform -= low / 2 + high / 2
    waveform -= total(waveform, False) / waveform.size
    step = _smallest_step(waveform)
    step = step if step <= _FINEST * (high - low) else 0.0
    power = _power(waveform)
    floor = max(_LEFT_OF_RUMBLE**2 * power, (_LEFT_OF_ROUNDING * step) ** 2)
    high_pass_in_place(waveform, sample_rate, cutoff)
    before, power = power, _power(waveform)
    if power > before / 2:
        return True
    # From here on, the recording is mostly inaudible: rare, so that copies and further passes cost nothing.
    heard = waveform.copy()
    _apply_ramps(heard, sample_rate, 1 / cutoff)
    high_pass_in_place(heard, sample_rate, min(5 * cutoff, HIGHEST_CUTOFF))
    if _power(heard) <= floor:
        waveform[:] = 0.0
        return False
    for _ in range(_MOST_PASSES):
        filtered = waveform.copy()
        high_pass_in_place(filtered, sample_rate, cutoff)
        before, power = power, _power(filtered)
        if power > 0.9 * before:
            break
        waveform[:] = filtered
    return True


@compiled()
def _smallest_step(waveform: Array) -> float:
    # The smallest difference between neighboring samples that differ: one bit, for a recording of few bits.
    smallest = np.inf
    for i in range(1, waveform.size):
        step = abs(waveform[i] - waveform[i - 1])
        if 0.0 < step < smallest:
            smallest = step
    return smallest if smallest < np.inf else 0.0


def _power(waveform: NDArray[np.float64]) -> float:
    return total(waveform, True) / waveform.size


@compiled()
def total(waveform: Array, squared: bool) -> float:
    """The sum of samples or of their squares [1], with little rounding and always in the same order.

    Parameters
    ----------
    waveform : ndarray of float64, shape (n_samples,)
        The samples [1].
    squared : bool
        Whether their squares are summed.
    """
    # The sum of the samples or of their squares, piece by piece: that loses less to rounding than one long sum, and
    # the order is always the same, unlike that of `np.sum`.
    whole = 0.0
    for first in range(0, waveform.size, _PIECE):
        part = 0.0
        for i in range(first, min(first + _PIECE, waveform.size)):
            part += waveform[i] * waveform[i] if squared else waveform[i]
        whole += part
    return whole


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
    waveform *= level / np.sqrt(_power(waveform))


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
        rising = ramp(n_ramp)
        waveform[:n_ramp] *= rising
        waveform[-n_ramp:] *= rising[::-1]


def ramp(n_ramp: int) -> NDArray[np.float64]:
    """The first half of a symmetric Hann window; shape (n_ramp,) [1].

    Parameters
    ----------
    n_ramp : int
        Length of the half [samples].
    """
    return 0.5 - 0.5 * cosines(np.arange(n_ramp) * (2 * np.pi / max(1, 2 * n_ramp - 1)))


def resample(waveform: NDArray[np.float64], sample_rate: int, new_rate: int) -> NDArray[np.float64]:
    """The waveform resampled to another rate by a polyphase filter; its duration does not change.

    The filter is that of SciPy's `resample_poly`: a sinc in a Kaiser window of shape 5, over 20 samples of the lower
    rate.

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
    common = gcd(sample_rate, new_rate)
    up, down = new_rate // common, sample_rate // common
    resampled = np.empty(-(-waveform.size * up // down))
    convolve(waveform, 0, 0, up, down, low_pass(up, down), resampled)
    return resampled


@lru_cache(maxsize=4)
def low_pass(up: int, down: int) -> NDArray[np.float64]:
    """The filter of `resample` at the rate at which up - 1 zeros stand between the samples; shape (tap,) [1].

    Parameters
    ----------
    up, down : int
        The new rate over the old one, as a fraction in lowest terms [1].
    """
    half = _REACH * max(up, down)
    taps = np.empty(2 * half + 1)
    _fill_low_pass(max(up, down), half, taps)
    return taps


@compiled()
def _fill_low_pass(widest: int, half: int, taps: Array) -> None:
    # sinc(i / widest) in a Kaiser window, symmetric, with a sum of 1
    total = 0.0
    for i in range(half + 1):
        place = i / half
        window = bessel_i0(_KAISER * math.sqrt(1.0 - place * place))
        phase = math.pi * i / widest
        taps[half + i] = window * (sin_cos(phase)[0] / phase if i > 0 else 1.0)
        taps[half - i] = taps[half + i]
        total += taps[half + i] if i == 0 else 2.0 * taps[half + i]
    for i in range(taps.size):
        taps[i] /= total


@compiled()
def convolve(waveform: Array, n_before: int, begin: int, up: int, down: int, taps: Array, resampled: Array) -> None:
    """Fill `resampled` with some samples of the sound at its new rate.

    Parameters
    ----------
    waveform : ndarray of float64, shape (sample,)
        The sound, or a part of it with all that is needed [1].
    n_before : int
        Samples of the sound before this part [1].
    begin : int
        Number of the first sample to compute, at the new rate [1].
    up, down, taps
        See `low_pass`.
    resampled : ndarray of float64, shape (sample,)
        The result [1].
    """
    # As if up - 1 zeros stood between the samples, and of the filtered sound only every down-th sample were kept.
    half = taps.size // 2
    for n in range(resampled.size):
        middle = (begin + n) * down
        first = max(0, -((half - middle) // up))
        last = min(n_before + waveform.size - 1, (middle + half) // up)
        total = 0.0
        for k in range(first, last + 1):
            total += taps[half + middle - k * up] * waveform[k - n_before]
        resampled[n] = up * total
