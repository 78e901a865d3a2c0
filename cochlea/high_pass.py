"""Remove what lies below hearing from a sound: an offset, drift and rumble, without a transient at the onset."""

from math import pi
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import Bounds, checked, whole_number
from cochlea.compilation import Array, compiled
from cochlea.elementary import sin_cos
from cochlea.signals import as_signals

HIGHEST_CUTOFF = 400.0  # [Hz], below half of the lowest sample rate, 1,000 Hz, so that every rate has room for it
Cutoff = Annotated[float, Bounds(at_least=1, at_most=HIGHEST_CUTOFF)]
ORDER = 4
# Natural logarithm of how far the response to the onset has decayed where it is no longer fitted: to 1e-10.
_DECAY = 23.0


def high_pass(waveform: NDArray[np.float64], sample_rate: int, cutoff: float) -> NDArray[np.float64]:
    """The waveform without what lies below a frequency: a causal Butterworth filter of order 4.

    A filter that starts from rest takes an offset for a step, which rings at the onset. Here each of the two sections
    starts from the state that leaves the least power. The state that constants and straight lines leave behind is among
    those it can choose, so an offset and a linear drift are removed without a trace, from the first sample on; nothing
    is left of a sound of one or two samples.

    Parameters
    ----------
    waveform : ndarray, shape (n_samples,)
        Sound pressure [1].
    sample_rate : int
        Rate of the waveform [Hz].
    cutoff : float
        Frequency that passes with half of its power [Hz].

    Returns
    -------
    ndarray, shape (n_samples,)
        A new array [1].

    Raises
    ------
    ValueError
        If the waveform is not one-dimensional and real, or the rate or cutoff is out of range.

    References
    ----------
    Zavalishin, The Art of VA Filter Design (2012), chapter 4: the state-variable filter with trapezoidal integrators,
    whose rounding errors stay small at cutoffs far below the sample rate.
    """
    cutoff = checked("cutoff", cutoff, Cutoff)
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1000)
    filtered = np.array(as_signals("waveform", waveform, "sample"), np.float64)
    if filtered.size:
        filtered -= filtered.min() / 2 + filtered.max() / 2  # so that a huge offset costs no precision
        high_pass_in_place(filtered, sample_rate, cutoff)
    return filtered


def high_pass_in_place(waveform: NDArray[np.float64], sample_rate: int, cutoff: float) -> None:
    """As `high_pass`, but overwrites the waveform, whose arguments have been checked.

    Parameters
    ----------
    waveform : ndarray of float64, shape (n_samples,)
        Sound pressure [1], not far from 0 on average.
    sample_rate : int
        Rate of the waveform [Hz].
    cutoff : float
        Frequency that passes with half of its power [Hz].
    """
    gain, sections = _design(sample_rate, cutoff)
    for damping, n_onset in sections:
        _run_section(waveform, gain, damping, *_fit_section(waveform, gain, damping, n_onset))


def _design(sample_rate: int, cutoff: float) -> tuple[float, list[tuple[float, int]]]:
    # The gain of an integrator, and for each section its damping and how many samples its onset has.
    sine, cosine = sin_cos(pi * cutoff / sample_rate)
    sections = []
    for section in range(ORDER // 2):
        damping = 2 * sin_cos(pi * (2 * section + 1) / (2 * ORDER))[0]  # the Butterworth poles, a pair in each section
        sections.append((damping, int(2 * _DECAY / (damping * 2 * pi * cutoff) * sample_rate) + 1))
    return sine / cosine, sections  # the cutoff is exact at this sample rate


class RunningHighPass:
    """`high_pass` for a sound that comes block by block; the result is that of the whole sound, but for rounding.

    The state from which a section starts depends on the onset of the sound, so nothing comes out before the onset is
    there: 9.6 over the cutoff, which is 0.48 s at 20 Hz. From then on, all that is put in comes out.

    Parameters
    ----------
    sample_rate : int
        Rate of the waveform [Hz].
    cutoff : float
        Frequency that passes with half of its power [Hz].

    Raises
    ------
    ValueError
        If the rate or cutoff is out of range.
    """

    def __init__(self, sample_rate: int, cutoff: float) -> None:
        cutoff = checked("cutoff", cutoff, Cutoff)
        sample_rate = whole_number("sample_rate", sample_rate, at_least=1000)
        self._gain, self._sections = _design(sample_rate, cutoff)
        self._held: list[NDArray[np.float64]] = []
        self._offset = 0.0
        self._states: list[tuple[float, float]] = []

    @property
    def n_onset(self) -> int:
        """Number of samples [1] that have to be there before any comes out."""
        return self._sections[0][1]  # the second section needs fewer

    def push(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The samples that are ready, with those of another block.

        Parameters
        ----------
        block : ndarray of float64, shape (n_samples,)
            The next samples [1]; it may be overwritten.
        """
        if not self._states:
            self._held.append(block)
            if sum(each.size for each in self._held) < self.n_onset:
                return np.empty(0)
            return self._begin()
        block -= self._offset
        for i, (damping, _) in enumerate(self._sections):
            self._states[i] = _run_section(block, self._gain, damping, *self._states[i])
        return block

    def finish(self) -> NDArray[np.float64]:
        """What is left of a sound that ends before its onset does."""
        return self._begin() if not self._states and any(each.size for each in self._held) else np.empty(0)

    def _begin(self) -> NDArray[np.float64]:
        begun = np.concatenate(self._held)
        self._held.clear()
        self._offset = float(begun.min() / 2 + begun.max() / 2)  # so that a huge offset costs no precision
        begun -= self._offset
        for damping, n_onset in self._sections:
            started = _fit_section(begun, self._gain, damping, n_onset)
            self._states.append(_run_section(begun, self._gain, damping, *started))
        return begun


@compiled()
def _fit_section(signal: Array, gain: float, damping: float, n_onset: int) -> tuple[float, float]:
    # Zavalishin's filter: s1 and s2 are the states of the integrators, and the high-passed signal y is
    #   y = (x - (damping + gain) s1 - s2) / (1 + damping gain + gain^2)
    # A first pass, over the onset: the response y of the filter at rest, and its responses without input from the two
    # states that remain after a constant (u) and after a straight line (v). No array is needed: only sums are kept.
    feedback = damping + gain
    scale = 1.0 / (1.0 + gain * feedback)
    y1, y2, u1, u2, v1, v2 = 0.0, 0.0, 0.0, 1.0, 1.0, -feedback
    uu, uv, vv, uy, vy = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(min(signal.size, n_onset)):
        y = scale * (signal[i] - feedback * y1 - y2)
        u = scale * (-feedback * u1 - u2)
        v = scale * (-feedback * v1 - v2)
        uu += u * u
        uv += u * v
        vv += v * v
        uy += u * y
        vy += v * y
        middle_y, middle_u, middle_v = gain * y + y1, gain * u + u1, gain * v + v1
        y2 += 2.0 * gain * middle_y
        u2 += 2.0 * gain * middle_u
        v2 += 2.0 * gain * middle_v
        y1 = gain * y + middle_y
        u1 = gain * u + middle_u
        v1 = gain * v + middle_v
    # the a and b for which y + a u + b v has the least power; a line cannot be told from a constant in one sample
    b = (uv * uy - uu * vy) / (uu * vv - uv * uv) if vv > 0.0 else 0.0
    a = (-uy - b * uv) / uu
    return b, a - b * feedback


@compiled()
def _run_section(signal: Array, gain: float, damping: float, s1: float, s2: float) -> tuple[float, float]:
    # Filters in place, from a state; returns the state behind the signal.
    feedback = damping + gain
    scale = 1.0 / (1.0 + gain * feedback)
    for i in range(signal.size):
        high = scale * (signal[i] - feedback * s1 - s2)
        middle = gain * high + s1
        s2 += 2.0 * gain * middle
        s1 = gain * high + middle
        signal[i] = high
    return s1, s2
