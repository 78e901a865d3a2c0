"""Levels in dB, and waveforms in pascal.

The power of a sound is that of its *active frames*: of pieces of 20 ms, those within 40 dB of the loudest (the rule by
which STOI leaves out silent frames: Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19:2125, 2011). Silence before and
after a word therefore changes neither its level nor its signal-to-noise ratio. An offset does not count, either.
"""

from __future__ import annotations

from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number

REFERENCE_PRESSURE = 20e-6  # [Pa], the root mean square of a sound of 0 dB SPL
LOUDEST = 120.0  # [dB SPL]: beyond it hearing is pain, and no model of the cochlea means anything

_FRAME_DURATION = 0.02  # [s]
_FRAMES_AT_ONCE = 1024  # so that a long sound needs little more memory than its own
_DYNAMIC_RANGE = 1e-4  # in power: 40 dB
_CONTEXT = Context(prec=30)  # decimal arithmetic is the same everywhere, which the power of a C library is not


def gain_of(decibels: float) -> float:
    """The factor of an amplitude that raises its level by some dB: 10 ** (decibels / 20), the same on every machine.

    Parameters
    ----------
    decibels : float
        Difference of level [dB].

    Examples
    --------
    >>> gain_of(20.0), gain_of(-6.0)
    (10.0, 0.5011872336272722)
    """
    return power_of_ten(float(decibels), 20)


def power_of_ten(numerator: float, denominator: float | Decimal) -> float:
    """10 to the power of a quotient, the same on every machine.

    Parameters
    ----------
    numerator, denominator : float
        Of the exponent; the denominator may be a product that is exact as a `Decimal` [1].
    """
    exponent = _CONTEXT.divide(Decimal(numerator), Decimal(denominator))
    return float(_CONTEXT.power(Decimal(10), exponent))


def decibels_of(gain: float) -> float:
    """The level that a factor of an amplitude adds [dB]; the inverse of `gain_of`.

    Parameters
    ----------
    gain : float
        Factor of an amplitude, > 0 [1].
    """
    return float(_CONTEXT.multiply(Decimal(20), _CONTEXT.log10(Decimal(float(gain)))))


def active_rms(waveform: npt.ArrayLike, sample_rate: int) -> float:
    """Root mean square of a sound over its active frames, without its offset; 0 for silence.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    sample_rate : int
        [Hz]

    Returns
    -------
    float
        In the unit of the waveform.

    Raises
    ------
    ValueError
        If the waveform is no sound, as `as_sound` says.

    Examples
    --------
    >>> word = np.sin(np.arange(8000) / 3)
    >>> padded = np.concatenate([np.zeros(8000), word, np.zeros(8000)])
    >>> round(active_rms(word, 16_000), 3), round(active_rms(padded, 16_000), 3)
    (0.707, 0.707)
    """
    sound = as_sound("waveform", waveform)
    low, high = float(sound.min()), float(sound.max())
    if low == high:
        return 0.0
    if max(-low, high) > 1e290:  # sums and squares would overflow
        return active_rms(np.ldexp(sound, -600), sample_rate) * 2.0**600
    offset = float(np.mean(sound))
    peak = max(high - offset, offset - low)
    n_frame = max(1, round(_FRAME_DURATION * sample_rate))
    powers = np.concatenate(
        [
            _powers_of((sound[first : first + _FRAMES_AT_ONCE * n_frame] - offset) / peak, n_frame)
            for first in range(0, sound.size, _FRAMES_AT_ONCE * n_frame)
        ]
    )
    lengths = np.full(powers.size, n_frame)
    lengths[-1] = sound.size - (powers.size - 1) * n_frame
    is_active = powers >= _DYNAMIC_RANGE * float(np.max(powers / lengths)) * lengths
    return float(np.sqrt(np.sum(powers[is_active]) / np.sum(lengths[is_active]))) * peak


def _powers_of(sound: npt.NDArray[np.float64], n_frame: int) -> npt.NDArray[np.float64]:
    """The sum of the squares of each frame; the last one may be shorter."""
    squares = np.square(sound)
    n_full = squares.size // n_frame
    powers = np.sum(squares[: n_full * n_frame].reshape(n_full, n_frame), axis=1)
    rest = squares[n_full * n_frame :]
    return np.append(powers, np.sum(rest)) if rest.size else powers


def level_of(waveform: npt.ArrayLike, sample_rate: int) -> float:
    """The level of a sound in pascal [dB SPL]; minus infinity for silence.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        Sound pressure [Pa].
    sample_rate : int
        [Hz]
    """
    rms = active_rms(waveform, sample_rate)
    return decibels_of(rms / REFERENCE_PRESSURE) if rms else -np.inf


def set_level(waveform: npt.ArrayLike, sample_rate: int, level: float) -> npt.NDArray[np.float64]:
    """The sound at a level, in pascal: a root mean square of 1 is 94 dB SPL.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    sample_rate : int
        [Hz]
    level : float
        Of its active frames [dB SPL].

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        Sound pressure [Pa].

    Raises
    ------
    ValueError
        If the sound is silent, or the level is above 120 dB SPL.

    Examples
    --------
    >>> quiet = set_level(np.sin(np.arange(16_000) / 3), 16_000, 40.0)
    >>> round(level_of(quiet, 16_000), 6)
    40.0
    """
    if not level <= LOUDEST:
        raise ValueError(f"level must be at most {LOUDEST:g} dB SPL, got {level!r}")
    sound = as_sound("waveform", waveform)
    rms = active_rms(sound, sample_rate)
    if not rms:
        raise ValueError(f"silent: no level can be set, all {sound.size} samples are {sound[0]:g}")
    return sound / rms * (REFERENCE_PRESSURE * gain_of(level))


def as_sound(name: str, waveform: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A waveform as float64, not copied if it is.

    Parameters
    ----------
    name : str
        What messages call it.
    waveform : array_like, shape (n_samples,)
        The sound.

    Raises
    ------
    ValueError
        If it is not one-dimensional, is empty, or has a sample that is not a finite real number.
    """
    samples = np.asarray(waveform)
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError(f"{name} must be one-dimensional with at least one sample, got shape {samples.shape}")
    if samples.dtype.kind != "f":
        raise ValueError(f"{name} must have real samples, as `spikedata.read_audio` gives them, got {samples.dtype}")
    if not np.isfinite(samples).all():
        bad = int(np.argmin(np.isfinite(samples)))
        raise ValueError(f"{name} must be finite, got {samples[bad]} at sample {bad}")
    return samples.astype(np.float64, copy=False)


def as_rate(sample_rate: float) -> int:
    """A sample rate as an int.

    Parameters
    ----------
    sample_rate : float
        [Hz]

    Raises
    ------
    ValueError
        If it is not a whole number of at least 1.
    """
    rate = int(sample_rate) if isinstance(sample_rate, float) and sample_rate.is_integer() else sample_rate
    return whole_number("sample_rate", rate, at_least=1)
