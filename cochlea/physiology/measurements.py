"""A physiologist's experiments on the model: tuning, delays, rates, adaptation, phase locking.

Each function stimulates the stages as `cochlea.physiology.recording` does and measures with
`cochlea.physiology.analysis` and `cochlea.physiology.spike_statistics`. Levels in [dB], 0 is a tone of amplitude 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.basilar_membrane import basilar_membrane
from cochlea.model import CochleaParams
from cochlea.physiology.analysis import group_delay, median_energy_time, tuning_width
from cochlea.physiology.recording import ONSET, SAMPLE_RATE, nearest_channel, respond, tone_burst
from cochlea.physiology.spike_statistics import Adaptation, fit_adaptation, peristimulus_histogram, vector_strength
from cochlea.transfer_function import transfer_function
from cochlea.transfer_table import characteristic_frequencies

_TONE = 0.3  # [s], of the tones for rates and adaptation
_RAMP = 0.005  # [s]
_SILENT = 0.02  # [s], the start of the silence before a tone, which no anti-causal answer reaches
_STEADY = 0.1  # [s], the end of a tone, when adaptation is over
_POINTS = 400  # of a tuning curve, from 0 to the characteristic frequency


class MembraneTuning(NamedTuple):
    """Tuning along the membrane; each field has shape (channel,).

    Parameters
    ----------
    best_frequency : ndarray
        [Hz]
    q10, q_erb : ndarray
        Best frequency over the width at -10 dB, and over the equivalent rectangular bandwidth [1].
    delay : ndarray
        Group delay at the best frequency, positive in the causal convention [s].
    """

    best_frequency: NDArray[np.float64]
    q10: NDArray[np.float64]
    q_erb: NDArray[np.float64]
    delay: NDArray[np.float64]


class RateLevels(NamedTuple):
    """Rates of a fiber and a bushy cell against level [1/s]; each field has shape (level,).

    Parameters
    ----------
    onset : ndarray
        Of the fiber, in the best of its bins of two cycles from the start of the tone [1/s].
    steady : ndarray
        Of the fiber, in the last 0.1 s of the tone [1/s].
    bushy : ndarray
        Of the bushy cell, in the last 0.1 s of the tone [1/s].
    """

    onset: NDArray[np.float64]
    steady: NDArray[np.float64]
    bushy: NDArray[np.float64]


class TimeCourse(NamedTuple):
    """A fiber's answer to a tone of 0.3 s, through adaptation and recovery.

    Parameters
    ----------
    histogram : ndarray, shape (bin,)
        Rate in bins of 1 ms, from `ONSET` before the tone to 0.4 s after it [1/s].
    adaptation : Adaptation
        From the highest bin to the end of the tone.
    recovery : Adaptation
        From 10 ms after the end of the tone, when the membrane is at rest.
    recovered : float
        Rate 0.1 s after the end of the tone over the spontaneous rate [1].
    """

    histogram: NDArray[np.float64]
    adaptation: Adaptation
    recovery: Adaptation
    recovered: float


class PhaseLocking(NamedTuple):
    """Vector strengths at tone frequencies [1]; each field has shape (frequency,).

    Parameters
    ----------
    release, fiber, bushy : ndarray
        Of the release probability, the fibers' and the bushy cells' spikes [1].
    """

    release: NDArray[np.float64]
    fiber: NDArray[np.float64]
    bushy: NDArray[np.float64]


def membrane_tuning(channels: Sequence[int], params: CochleaParams) -> MembraneTuning:
    """How sharply places are tuned, and how late they answer at their best frequency.

    Parameters
    ----------
    channels : sequence of int
    params : CochleaParams
        The delay of the published convention is negative: it answers before the sound.
    """
    membrane = params.basilar_membrane
    rows = []
    for channel in channels:
        best = characteristic_frequencies(membrane)[channel]
        frequencies = best * np.arange(1, 3 * _POINTS) / _POINTS
        response = transfer_function(frequencies, membrane.positions[[channel]], membrane)[0]
        if membrane.convention == "causal":
            response = np.conjugate(response)
        delay = group_delay(frequencies, response)[np.argmax(np.abs(response))]
        rows.append((*tuning_width(frequencies, np.abs(response)), delay))
    return MembraneTuning(*np.array(rows).T)


def click_delays(channels: Sequence[int], params: CochleaParams) -> NDArray[np.float64]:
    """How long after a click half of a place's energy has passed [s], shape (channel,); negative: before it.

    Parameters
    ----------
    channels : sequence of int
    params : CochleaParams
    """
    pressure = np.zeros(round(0.4 * SAMPLE_RATE))
    pressure[pressure.size // 2] = 1.0
    velocity, rate = basilar_membrane(pressure, SAMPLE_RATE, params.basilar_membrane)
    return median_energy_time(velocity[list(channels)], rate) - pressure.size // 2 / SAMPLE_RATE


def rate_levels(
    frequency: float,
    levels: Sequence[float],
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_fibers: int = 20_000,
    n_bushy_cells: int = 200,
) -> RateLevels:
    """Rates at the place of a tone, from levels below threshold to saturation.

    Parameters
    ----------
    frequency : float
        Of the tone, of 0.3 s with ramps of 5 ms [Hz].
    levels : sequence of float
        [dB]
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers, n_bushy_cells : int
        Recorded at each level [1].
    """
    channel = nearest_channel(frequency, params)
    start, stop = ONSET + _TONE - _RAMP - _STEADY, ONSET + _TONE - _RAMP
    rows = []
    for level in levels:
        pressure = tone_burst(frequency, level, duration=_TONE)
        answer = respond(pressure, channel, params, rng, n_fibers=n_fibers, n_bushy_cells=n_bushy_cells)
        onset = peristimulus_histogram(
            answer.fiber_times - ONSET, _TONE - _RAMP, bin_width=2 / frequency, n_repeats=n_fibers
        ).max()
        steady = _count(answer.fiber_times, start, stop) / (n_fibers * _STEADY)
        bushy = _count(answer.bushy_times, start, stop) / (n_bushy_cells * _STEADY)
        rows.append((onset, steady, bushy))
    return RateLevels(*np.array(rows).T)


def time_course(
    frequency: float, level: float, params: CochleaParams, rng: np.random.Generator, *, n_fibers: int = 30_000
) -> TimeCourse:
    """Adaptation to a tone at its place, and recovery from it.

    Parameters
    ----------
    frequency : float
        A multiple of 1 kHz, so that a bin holds whole cycles [Hz].
    level : float
        [dB]
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers : int
        Recorded [1].
    """
    pressure = tone_burst(frequency, level, duration=_TONE, silence=0.4)
    answer = respond(pressure, nearest_channel(frequency, params), params, rng, n_fibers=n_fibers)
    duration = pressure.size / SAMPLE_RATE
    histogram = peristimulus_histogram(answer.fiber_times, duration, bin_width=1e-3, n_repeats=n_fibers)
    times = (np.arange(histogram.size) + 0.5) * 1e-3
    end = round(1e3 * (ONSET + _TONE))
    peak, rest = int(np.argmax(histogram)), end + 10
    last = end - round(1e3 * _RAMP)
    recovered = histogram[end + 90 : end + 110].mean() / histogram[: round(1e3 * _SILENT)].mean()
    return TimeCourse(
        histogram,
        fit_adaptation(times[peak:last] - times[peak], histogram[peak:last]),
        fit_adaptation(times[rest:] - 1e-3 * end, histogram[rest:]),
        float(recovered),
    )


def phase_locking(
    frequencies: Sequence[float],
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    level: float = 0.0,
    n_fibers: int = 200,
    n_bushy_cells: int = 50,
) -> PhaseLocking:
    """Locking to tones, each at its own place, over 0.4 s after 0.1 s of adaptation.

    Parameters
    ----------
    frequencies : sequence of float
        [Hz]. Best no divisor of 24 kHz, or few phases of the tone are sampled: at 3 and 4 kHz the vector strength of
        the release then depends on the phase of the tone, by 0.03.
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    level : float
        [dB]
    n_fibers, n_bushy_cells : int
        Recorded at each frequency [1].
    """
    rows = []
    for frequency in frequencies:
        pressure = tone_burst(frequency, level, duration=0.55)
        channel = nearest_channel(frequency, params)
        answer = respond(pressure, channel, params, rng, n_fibers=n_fibers, n_bushy_cells=n_bushy_cells)
        start = ONSET + 0.1
        stop = start + np.floor(0.4 * frequency) / frequency  # whole cycles
        samples = np.arange(answer.probability.size) / answer.sample_rate
        release, fiber, bushy = (
            vector_strength(times[(times >= start) & (times < stop)], frequency, weights)
            for times, weights in (
                (samples, answer.probability[(samples >= start) & (samples < stop)]),
                (answer.fiber_times, None),
                (answer.bushy_times, None),
            )
        )
        rows.append((release, fiber, bushy))
    return PhaseLocking(*np.array(rows).T)


def _count(times: NDArray[np.float64], start: float, stop: float) -> int:
    return int(np.sum((times >= start) & (times < stop)))
