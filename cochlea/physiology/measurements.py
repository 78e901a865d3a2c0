"""A physiologist's experiments on the model: tuning, delays, rates, adaptation, phase locking.

Each function stimulates the model through `cochlea.physiology.recording` and measures its response with
`cochlea.physiology.analysis` and `cochlea.physiology.spike_statistics`. Levels are in [dB]; 0 dB is a tone of
amplitude 1, or in an ear that hears in pascal, 0 dB SPL. What is measured on the membrane alone is in
`cochlea.physiology.membrane_measurements`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.hair_cell import HairCellParams
from cochlea.model import CochleaParams
from cochlea.physiology.analysis import group_delay, median_energy_time, tuning_width
from cochlea.physiology.recording import (
    ONSET,
    SAMPLE_RATE,
    membrane_velocity,
    nearest_channel,
    reference_amplitude,
    respond,
    tone_burst,
)
from cochlea.physiology.spike_statistics import (
    Adaptation,
    fit_adaptation,
    modulation_gain,
    peristimulus_histogram,
    vector_strength,
)
from cochlea.sumner_hair_cell import receptor_potential
from cochlea.transfer_function import transfer_function
from cochlea.transfer_table import characteristic_frequencies

_TONE = 0.3  # [s], duration of the tones for rates and adaptation
_RAMP = 0.005  # [s], onset and offset ramps of the tones
_SILENT = 0.02  # [s], the beginning of the silence before a tone, which no anti-causal response reaches
_STEADY = 0.1  # [s], the end of a tone, when rapid and short-term adaptation are over
_POINTS = 400  # points of a tuning curve from 0 to the characteristic frequency


class MembraneTuning(NamedTuple):
    """Tuning along the membrane; each field has shape (channel,).

    Parameters
    ----------
    best_frequency : ndarray
        Frequency of the largest gain [Hz].
    q10, q_erb : ndarray
        Best frequency divided by the bandwidth at -10 dB, and by the equivalent rectangular bandwidth [1].
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
        Largest rate of the fiber in any bin of two cycles of the tone [1/s].
    steady : ndarray
        Rate of the fiber in the last 0.1 s of the tone [1/s].
    bushy : ndarray
        Rate of the bushy cell in the last 0.1 s of the tone [1/s].
    """

    onset: NDArray[np.float64]
    steady: NDArray[np.float64]
    bushy: NDArray[np.float64]


class TimeCourse(NamedTuple):
    """The response of a fiber to a tone of 0.3 s, through adaptation and recovery.

    Parameters
    ----------
    histogram : ndarray, shape (bin,)
        Rate in bins of 1 ms, from `ONSET` before the tone to 0.4 s after it [1/s].
    adaptation : Adaptation
        Fit from the highest bin to the end of the tone.
    recovery : Adaptation
        Fit from 10 ms after the end of the tone, when the membrane is at rest.
    recovered : float
        Rate 0.1 s after the end of the tone divided by the spontaneous rate; NaN if that is 0 [1].
    """

    histogram: NDArray[np.float64]
    adaptation: Adaptation
    recovery: Adaptation
    recovered: float


class ModulationTransfer(NamedTuple):
    """Modulation gains at modulation frequencies [dB]; each field has shape (modulation frequency,).

    Parameters
    ----------
    fiber, bushy : ndarray
        Gain of the spikes of fibers, and of those of bushy cells [dB].
    """

    fiber: NDArray[np.float64]
    bushy: NDArray[np.float64]


class ReceptorPotentials(NamedTuple):
    """The receptor potential of hair cells for tones.

    Parameters
    ----------
    resting : float
        Potential in silence [V].
    ac, dc : ndarray, shape (frequency,)
        Amplitude of the potential at the frequency of the tone, and how far its mean is above rest [V].
    """

    resting: float
    ac: NDArray[np.float64]
    dc: NDArray[np.float64]


class PhaseLocking(NamedTuple):
    """Vector strengths at tone frequencies [1]; each field has shape (frequency,).

    Parameters
    ----------
    release, fiber, bushy : ndarray
        Vector strength of the release probability, of the spikes of fibers and of the spikes of bushy cells [1].
    """

    release: NDArray[np.float64]
    fiber: NDArray[np.float64]
    bushy: NDArray[np.float64]


def membrane_tuning(channels: Sequence[int], params: CochleaParams) -> MembraneTuning:
    """How sharply places are tuned, and their delay at the best frequency.

    Parameters
    ----------
    channels : sequence of int
        Channels whose places are measured.
    params : CochleaParams
        In the published convention the delay is negative: the membrane responds before the sound.

    Returns
    -------
    MembraneTuning
    """
    # From the transfer function itself rather than from tones: the membrane is linear, so both are the same.
    membrane = params.basilar_membrane
    rows = []
    for channel in channels:
        best = characteristic_frequencies(membrane)[channel]
        frequencies = best * np.arange(1, 3 * _POINTS) / _POINTS
        response = transfer_function(frequencies, membrane.positions[[channel]], membrane)[0]
        if membrane.convention == "causal":  # the equations are in the convention exp(-i w t), `group_delay` is not
            response = np.conjugate(response)
        delay = group_delay(frequencies, response)[np.argmax(np.abs(response))]
        rows.append((*tuning_width(frequencies, np.abs(response)), delay))
    return MembraneTuning(*np.array(rows).T)


def click_delays(channels: Sequence[int], params: CochleaParams, *, level: float = 40.0) -> NDArray[np.float64]:
    """The time [s] from a click until half of the energy of a place's response has passed, shape (channel,).

    Parameters
    ----------
    channels : sequence of int
        Channels whose places are measured.
    params : CochleaParams
        In the published convention the time is negative: the membrane responds before the click.
    level : float
        Level of a tone that is as high as the click, which is one sample long, 21 us [dB].
    """
    # The click stands in the middle of the sound, so that a response before it is seen, too.
    pressure = np.zeros(round(0.4 * SAMPLE_RATE))
    pressure[pressure.size // 2] = reference_amplitude(params) * 10 ** (level / 20)
    velocity, rate = membrane_velocity(pressure, params)
    return median_energy_time(velocity[list(channels)], rate) - pressure.size // 2 / SAMPLE_RATE


def receptor_potentials(
    frequencies: Sequence[float], params: CochleaParams, *, level: float = 80.0
) -> ReceptorPotentials | None:
    """The receptor potential of hair cells, each for a tone at its own place; None in an ear that has none.

    Parameters
    ----------
    frequencies : sequence of float
        Frequencies of the tones [Hz].
    params : CochleaParams
        The ear.
    level : float
        Level of the tones [dB].

    Returns
    -------
    ReceptorPotentials or None
        The hair cells of Meddis (1986) have no receptor potential: the membrane moves their permeability.

    References
    ----------
    Russell, Sellick, J. Physiol. 338:179 (1983); Osses Vecchi et al., Acta Acustica 6:17 (2022).
    """
    hair_cells = params.hair_cell
    if isinstance(hair_cells, HairCellParams):
        return None
    ac, dc = [], []
    for frequency in frequencies:
        pressure = tone_burst(frequency, level, duration=0.2, reference=reference_amplitude(params))
        velocity, rate = membrane_velocity(pressure, params)
        channel = nearest_channel(frequency, params)
        potential = receptor_potential(velocity[channel : channel + 1], rate, hair_cells)[0].astype(np.float64)
        start = ONSET + 0.1
        inside = np.arange(round(start * rate), round((start + np.floor(0.08 * frequency) / frequency) * rate))
        wave = np.exp(-2j * np.pi * frequency * inside / rate)
        ac.append(2 * np.abs(np.mean(wave * (potential[inside] - hair_cells.resting_potential))))
        dc.append(np.mean(potential[inside]) - hair_cells.resting_potential)
    return ReceptorPotentials(hair_cells.resting_potential, np.array(ac), np.array(dc))


def rate_levels(
    frequency: float,
    levels: Sequence[float],
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_fibers: int = 20_000,
    n_bushy_cells: int = 200,
    fiber_class: str | None = None,
) -> RateLevels:
    """Rates of a fiber and a bushy cell at the place of a tone, at several levels.

    Parameters
    ----------
    frequency : float
        Frequency of the tone, which lasts 0.3 s with ramps of 5 ms [Hz].
    levels : sequence of float
        Levels of the tone [dB].
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers, n_bushy_cells : int
        Number of fibers and bushy cells that are recorded at each level; the rate of none is NaN [1].
    fiber_class : str, optional
        Which of `fiber_classes` is recorded; default: the first.

    Returns
    -------
    RateLevels
    """
    channel = nearest_channel(frequency, params)
    reference = reference_amplitude(params)
    start, stop = ONSET + _TONE - _RAMP - _STEADY, ONSET + _TONE - _RAMP
    rows = []
    for level in levels:
        pressure = tone_burst(frequency, level, duration=_TONE, reference=reference)
        answer = respond(
            pressure, channel, params, rng, n_fibers=n_fibers, n_bushy_cells=n_bushy_cells, fiber_class=fiber_class
        )
        onset = peristimulus_histogram(
            answer.fiber_times - ONSET, _TONE - _RAMP, bin_width=2 / frequency, n_repeats=n_fibers
        ).max()
        steady = _count(answer.fiber_times, start, stop) / (n_fibers * _STEADY)
        bushy = _count(answer.bushy_times, start, stop) / (n_bushy_cells * _STEADY) if n_bushy_cells else np.nan
        rows.append((onset, steady, bushy))
    return RateLevels(*np.array(rows).T)


def time_course(
    frequency: float,
    level: float,
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_fibers: int = 30_000,
    fiber_class: str | None = None,
) -> TimeCourse:
    """Adaptation of a fiber to a tone at its place, and recovery from the tone.

    Parameters
    ----------
    frequency : float
        Frequency of the tone, a multiple of 1 kHz so that a bin of 1 ms holds whole cycles [Hz].
    level : float
        Level of the tone [dB].
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers : int
        Number of fibers that are recorded [1].
    fiber_class : str, optional
        Which of `fiber_classes` is recorded; default: the first.

    Returns
    -------
    TimeCourse
    """
    pressure = tone_burst(frequency, level, duration=_TONE, silence=0.4, reference=reference_amplitude(params))
    channel = nearest_channel(frequency, params)
    answer = respond(pressure, channel, params, rng, n_fibers=n_fibers, fiber_class=fiber_class)
    duration = pressure.size / SAMPLE_RATE
    histogram = peristimulus_histogram(answer.fiber_times, duration, bin_width=1e-3, n_repeats=n_fibers)
    times = (np.arange(histogram.size) + 0.5) * 1e-3
    end = round(1e3 * (ONSET + _TONE))
    # Adaptation is fitted between the peak and the offset ramp, recovery once the membrane has stopped moving.
    peak, rest = int(np.argmax(histogram)), end + 10
    last = end - round(1e3 * _RAMP)
    spontaneous = histogram[: round(1e3 * _SILENT)].mean()
    recovered = histogram[end + 90 : end + 110].mean() / spontaneous if spontaneous else np.nan
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
    fiber_class: str | None = None,
) -> PhaseLocking:
    """Phase locking to tones, each at its own place, over 0.4 s after 0.1 s of adaptation.

    Parameters
    ----------
    frequencies : sequence of float
        Frequencies of the tones [Hz]. Divisors of 24 kHz are best avoided, since few phases of the tone are then
        sampled: at 3 and 4 kHz the vector strength of the release varies by 0.03 with the phase of the tone.
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    level : float
        Level of the tones [dB].
    n_fibers, n_bushy_cells : int
        Number of fibers and bushy cells that are recorded at each frequency [1].
    fiber_class : str, optional
        Which of `fiber_classes` is recorded; default: the first.

    Returns
    -------
    PhaseLocking
    """
    rows = []
    for frequency in frequencies:
        pressure = tone_burst(frequency, level, duration=0.55, reference=reference_amplitude(params))
        channel = nearest_channel(frequency, params)
        answer = respond(
            pressure, channel, params, rng, n_fibers=n_fibers, n_bushy_cells=n_bushy_cells, fiber_class=fiber_class
        )
        samples = np.arange(answer.probability.size) / answer.sample_rate
        release, fiber, bushy = (
            vector_strength(times[_in_whole_cycles(times, frequency)], frequency, weights)
            for times, weights in (
                (samples, answer.probability[_in_whole_cycles(samples, frequency)]),
                (answer.fiber_times, None),
                (answer.bushy_times, None),
            )
        )
        rows.append((release, fiber, bushy))
    return PhaseLocking(*np.array(rows).T)


def modulation_transfer(
    frequency: float,
    modulation_frequencies: Sequence[float],
    level: float,
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_fibers: int = 2000,
    n_bushy_cells: int = 50,
    fiber_class: str | None = None,
) -> ModulationTransfer:
    """How well the envelope of a tone at its place is kept, over 0.4 s after 0.1 s of adaptation.

    Parameters
    ----------
    frequency : float
        Frequency of the tone, whose amplitude is fully modulated by a sine [Hz].
    modulation_frequencies : sequence of float
        Frequencies of the modulation, at least 5 [Hz].
    level : float
        Level of the carrier [dB].
    params : CochleaParams
        The ear.
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers, n_bushy_cells : int
        Number of fibers and bushy cells that are recorded at each frequency [1].
    fiber_class : str, optional
        Which of `fiber_classes` is recorded; default: the first.

    Returns
    -------
    ModulationTransfer

    References
    ----------
    Joris, Yin, JASA 91:215 (1992).
    """
    channel = nearest_channel(frequency, params)
    rows = []
    for modulation in modulation_frequencies:
        pressure = tone_burst(frequency, level, duration=0.55, reference=reference_amplitude(params))
        time = np.arange(pressure.size) / SAMPLE_RATE
        pressure *= 1 + np.sin(2 * np.pi * modulation * time)
        answer = respond(
            pressure, channel, params, rng, n_fibers=n_fibers, n_bushy_cells=n_bushy_cells, fiber_class=fiber_class
        )
        rows.append(
            [
                modulation_gain(times[_in_whole_cycles(times, modulation)], modulation, 1.0)
                for times in (answer.fiber_times, answer.bushy_times)
            ]
        )
    return ModulationTransfer(*np.array(rows).T)


def _in_whole_cycles(times: NDArray[np.float64], frequency: float) -> NDArray[np.bool_]:
    # Which times are in the 0.4 s after 0.1 s of adaptation, less a part of a cycle, which would look like locking.
    start = ONSET + 0.1
    return np.asarray((times >= start) & (times < start + np.floor(0.4 * frequency) / frequency))


def _count(times: NDArray[np.float64], start: float, stop: float) -> int:
    return int(np.sum((times >= start) & (times < stop)))
