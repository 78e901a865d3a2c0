"""Sounds at chosen levels, and the spikes of one channel, as a physiologist's electrode records them.

Here the sound enters the ear unchanged. An ear whose pressure is in pascal gets its tones in dB SPL. To one that brings
every sound to a relative level (`published` and the default), 0 dB is a tone of amplitude 1, and `encode` would present
a steady tone at -7.4 dB (root mean square 0.3). A physiologist presents a sound many times to one fiber or bushy cell;
here it is presented once to as many independent ones, which is equivalent.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.auditory_nerve import auditory_nerve
from cochlea.bushy_cell import bushy_cell
from cochlea.compression import compressive_membrane
from cochlea.fiber_classes import calcium_conductances, deal_fibers
from cochlea.hair_cell import HairCellParams, hair_cell, place_hair_cells
from cochlea.model import CochleaParams
from cochlea.stimulus import REFERENCE_PRESSURE, apply_ramps
from cochlea.sumner_hair_cell import CLASSES, sumner_hair_cell
from cochlea.transfer_table import characteristic_frequencies

SAMPLE_RATE = 48_000  # [Hz], of the sounds; the velocity then has 24 kHz in both presets
ONSET = 0.05  # [s], the silence before a tone
_BUSHY_CELLS_AT_ONCE = 10  # so that memory does not grow with the number of bushy cells


class Response(NamedTuple):
    """The response of a channel to a sound.

    Parameters
    ----------
    probability : ndarray, shape (sample,)
        Release probability of the channel's middle hair cell, at a synapse of the class, per step [1].
    sample_rate : int
        Steps per second [Hz].
    fiber_times : ndarray, shape (n_spikes,)
        Spike times of the middle hair cell's fibers, from the start of the sound [s].
    bushy_times : ndarray, shape (n_spikes,)
        Spike times of the channel's bushy cells, from the start of the sound [s].
    """

    probability: NDArray[np.floating]
    sample_rate: int
    fiber_times: NDArray[np.float64]
    bushy_times: NDArray[np.float64]


def reference_amplitude(params: CochleaParams) -> float:
    """The amplitude of a tone at 0 dB, in the unit of the ear's pressure: 1, or 28 uPa (0 dB SPL) in pascal.

    Parameters
    ----------
    params : CochleaParams
        The ear; its pressure is in pascal where sounds have no relative level.
    """
    return math.sqrt(2.0) * REFERENCE_PRESSURE if params.stimulus.is_absolute else 1.0


def tone_burst(
    frequency: float,
    level: float,
    *,
    duration: float,
    silence: float = 0.05,
    ramp: float = 0.005,
    reference: float = 1.0,
) -> NDArray[np.float64]:
    """A tone after `ONSET` of silence, at the rate `SAMPLE_RATE`, shape (n_samples,) [1].

    Parameters
    ----------
    frequency : float
        Frequency of the tone [Hz].
    level : float
        Level of the tone; 0 is an amplitude of `reference` [dB].
    duration : float
        Duration of the tone, including its ramps [s].
    silence : float
        Duration of the silence after the tone [s].
    ramp : float
        Duration of each raised-cosine ramp [s].
    reference : float
        Amplitude of a tone at 0 dB, of `reference_amplitude` for the ear that hears it [1].
    """
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    tone = apply_ramps(np.sin(2 * np.pi * frequency * time), SAMPLE_RATE, ramp)
    return np.pad(reference * 10 ** (level / 20) * tone, (round(ONSET * SAMPLE_RATE), round(silence * SAMPLE_RATE)))


def nearest_channel(frequency: float, params: CochleaParams) -> int:
    """The channel whose characteristic frequency is nearest to a frequency [Hz], in octaves.

    Parameters
    ----------
    frequency : float
        The frequency [Hz].
    params : CochleaParams
        The ear.
    """
    return int(np.argmin(np.abs(np.log(characteristic_frequencies(params.basilar_membrane) / frequency))))


def fiber_classes(params: CochleaParams) -> tuple[str, ...]:
    """The names of the classes of fibers, that of the highest spontaneous rate first; ("all",) if all are alike.

    Parameters
    ----------
    params : CochleaParams
        The ear.
    """
    return ("all",) if isinstance(params.hair_cell, HairCellParams) else CLASSES


def membrane_velocity(pressure: NDArray[np.float64], params: CochleaParams) -> tuple[NDArray[np.float32], int]:
    """The velocity at each place, shape (place, sample) [1], and its sample rate [Hz], for a sound of any level.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure, at the rate `SAMPLE_RATE`, in the unit of `reference_amplitude` [1].
    params : CochleaParams
        The ear.
    """
    velocity, rate = compressive_membrane(pressure, SAMPLE_RATE, params.basilar_membrane, params.compression)
    return np.asarray(velocity, np.float32), rate


def respond(
    pressure: NDArray[np.float64],
    channel: int,
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_fibers: int,
    n_bushy_cells: int = 0,
    fiber_class: str | None = None,
) -> Response:
    """The response of the cells of one channel to a sound of any level.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure at the stapes, at the rate `SAMPLE_RATE` [1].
    channel : int
        Number of the channel.
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers, n_bushy_cells : int
        Number of independent fibers and bushy cells that are recorded, or of presentations to a single one. At most
        65,535 fibers, since those that fire in a step are counted in 16 bits [1].
    fiber_class : str, optional
        Which of `fiber_classes` the fibers are of; default: the first. Bushy cells always hear all.

    Returns
    -------
    Response

    Raises
    ------
    ValueError
        If the ear has no such class of fibers.
    """
    number = fiber_classes(params).index(_checked_class(fiber_class, params))
    velocity, rate = membrane_velocity(pressure, params)
    n_cells = params.hair_cell.n_per_place
    cells = place_hair_cells(velocity, n_cells, range(channel, channel + 1))
    typical = _typical_release(cells, rate, params)[number]
    counts = auditory_nerve(typical[None], rate, replace(params.auditory_nerve, n_fibers=n_fibers), rng)[0]
    fiber_times = np.repeat(np.arange(counts.size), counts) / rate
    if not n_bushy_cells:
        return Response(typical, rate, fiber_times, np.zeros(0))
    synapses = _synapses(cells, channel * n_cells + np.arange(n_cells), rate, params)
    return Response(typical, rate, fiber_times, _bushy_times(synapses, rate, params, rng, n_bushy_cells))


def spontaneous_times(
    duration: float,
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_bushy_cells: int,
    fiber_class: str | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The times of spontaneous spikes, in silence, of one fiber and of a number of bushy cells.

    Parameters
    ----------
    duration : float
        Duration of the silence [s].
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_bushy_cells : int
        Number of bushy cells that are recorded, of the middle channel [1].
    fiber_class : str, optional
        Which of `fiber_classes` the fiber is of; default: the first.

    Returns
    -------
    fiber_times, bushy_times : ndarray, shape (n_spikes,)
        Spike times of the fiber, and of all bushy cells together [s].
    """
    # In silence the membrane does not move, so that a hair cell is what it was in the first step. All cells of a
    # channel are alike, but for the jitter of their synapses.
    number = fiber_classes(params).index(_checked_class(fiber_class, params))
    rate, n_cells = params.basilar_membrane.sample_rate, params.hair_cell.n_per_place
    n_steps = round(duration * rate)
    # The transmitter of Meddis's cells creeps by rounding; the cells of Sumner rest, and a step of them is enough.
    silence = np.zeros((1, n_steps if isinstance(params.hair_cell, HairCellParams) else 1), np.float32)
    typical = np.broadcast_to(_typical_release(silence, rate, params)[number], (1, n_steps))
    one = replace(params.auditory_nerve, n_fibers=1)
    fiber_times = np.nonzero(auditory_nerve(typical, rate, one, rng)[0])[0] / rate
    if not n_bushy_cells:
        return fiber_times, np.zeros(0)
    numbers = params.n_channels // 2 * n_cells + np.arange(n_cells)
    probability, n_fibers = _synapses(np.repeat(silence, n_cells, axis=0), numbers, rate, params)
    probability = np.broadcast_to(probability, (len(probability), n_steps))
    return fiber_times, _bushy_times((probability, n_fibers), rate, params, rng, n_bushy_cells)


def _typical_release(cells: NDArray[np.floating], rate: int, params: CochleaParams) -> NDArray[np.floating]:
    # The release probability of the middle cell, at a synapse of each class without jitter; (class, sample).
    if isinstance(params.hair_cell, HairCellParams):
        return hair_cell(cells, rate, params.hair_cell)[[len(cells) // 2]]
    middle = len(cells) // 2
    return sumner_hair_cell(cells[middle : middle + 1], rate, params.hair_cell)[:, 0]


def _synapses(
    cells: NDArray[np.floating], numbers: NDArray[np.int64], rate: int, params: CochleaParams
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    # The release probability in each class and cell, (class x cell, sample), and how many fibers each has.
    hair_cells, n_fibers = params.hair_cell, params.auditory_nerve.n_fibers
    if isinstance(hair_cells, HairCellParams):
        return hair_cell(cells, rate, hair_cells), np.full(len(cells), n_fibers)
    conductance = calcium_conductances(numbers, hair_cells)
    probability = sumner_hair_cell(cells, rate, hair_cells, conductance)
    dealt = deal_fibers(params.n_hair_cells, n_fibers, hair_cells)[:, numbers]
    return probability.reshape(-1, cells.shape[1]), dealt.ravel()


def _checked_class(fiber_class: str | None, params: CochleaParams) -> str:
    classes = fiber_classes(params)
    if fiber_class is not None and fiber_class not in classes:
        raise ValueError(f"fiber_class must be one of {', '.join(classes)}, got {fiber_class!r}")
    return fiber_class or classes[0]


def _bushy_times(
    synapses: tuple[NDArray[np.floating], NDArray[np.int64]],
    rate: int,
    params: CochleaParams,
    rng: np.random.Generator,
    n_cells: int,
) -> NDArray[np.float64]:
    # The spike times of n_cells independent bushy cells that are driven by the fibers of one channel.
    probability, n_fibers = synapses
    steps = [np.zeros(0, np.int64)]
    for first in range(0, n_cells, _BUSHY_CELLS_AT_ONCE):
        n_block = min(_BUSHY_CELLS_AT_ONCE, n_cells - first)
        driven = np.tile(probability, (n_block, 1))
        counts = auditory_nerve(driven, rate, params.auditory_nerve, rng, np.tile(n_fibers, n_block))
        spikes = counts.reshape(n_block, -1, counts.shape[1]).sum(axis=1, dtype=np.uint16)
        steps.append(bushy_cell(spikes, rate, params.bushy_cell, n_fibers=params.n_fibers_per_channel)[0])
    return np.concatenate(steps) / rate
