"""Sounds at chosen levels, and the spikes of one channel: what a physiologist's electrode sees.

`encode` brings every sound to one level. Here the sound enters the membrane as it is: 0 dB is a tone of amplitude 1;
`encode` presents a steady tone at -7.4 dB (root mean square 0.3). Many presentations to one fiber or bushy cell are one
presentation to as many that do not know of each other.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.auditory_nerve import auditory_nerve
from cochlea.basilar_membrane import basilar_membrane
from cochlea.bushy_cell import bushy_cell
from cochlea.hair_cell import hair_cell, place_hair_cells
from cochlea.model import CochleaParams
from cochlea.stimulus import apply_ramps
from cochlea.transfer_table import characteristic_frequencies

SAMPLE_RATE = 48_000  # [Hz], of the sounds; both presets then have velocities at 24 kHz
ONSET = 0.05  # [s] of silence before a tone
_BUSHY_CELLS_AT_ONCE = 10


class Response(NamedTuple):
    """What a channel answers to a sound.

    Parameters
    ----------
    probability : ndarray, shape (sample,)
        Release probability of its middle hair cell per step [1].
    sample_rate : int
        [Hz]
    fiber_times : ndarray, shape (n_spikes,)
        Spikes of the middle hair cell's fibers from the start of the sound [s].
    bushy_times : ndarray, shape (n_spikes,)
        Spikes of the channel's bushy cells [s].
    """

    probability: NDArray[np.floating]
    sample_rate: int
    fiber_times: NDArray[np.float64]
    bushy_times: NDArray[np.float64]


def tone_burst(
    frequency: float, level: float, *, duration: float, silence: float = 0.05, ramp: float = 0.005
) -> NDArray[np.float64]:
    """A tone that begins `ONSET` after the start, at `SAMPLE_RATE`, shape (n_samples,).

    Parameters
    ----------
    frequency : float
        [Hz]
    level : float
        [dB], 0 is an amplitude of 1.
    duration : float
        Of the tone, ramps included [s].
    silence : float
        After the tone [s].
    ramp : float
        Of the raised-cosine onset and of the offset [s].
    """
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    tone = apply_ramps(np.sin(2 * np.pi * frequency * time), SAMPLE_RATE, ramp)
    return np.pad(10 ** (level / 20) * tone, (round(ONSET * SAMPLE_RATE), round(silence * SAMPLE_RATE)))


def nearest_channel(frequency: float, params: CochleaParams) -> int:
    """The channel whose characteristic frequency is nearest to a frequency [Hz], in octaves."""
    return int(np.argmin(np.abs(np.log(characteristic_frequencies(params.basilar_membrane) / frequency))))


def respond(
    pressure: NDArray[np.float64],
    channel: int,
    params: CochleaParams,
    rng: np.random.Generator,
    *,
    n_fibers: int,
    n_bushy_cells: int = 0,
) -> Response:
    """What the cells of one channel answer to a sound of any level.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        The sound at the stapes, at `SAMPLE_RATE` [1].
    channel : int
        Number of the channel.
    params : CochleaParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers, n_bushy_cells : int
        How many independent fibers and bushy cells are recorded, or one as often; n_fibers at most 65,535 [1].
    """
    velocity, rate = basilar_membrane(pressure, SAMPLE_RATE, params.basilar_membrane)
    cells = place_hair_cells(velocity, params.hair_cell.n_per_place, range(channel, channel + 1))
    probability = hair_cell(cells, rate, params.hair_cell)
    middle = probability[len(probability) // 2]
    counts = auditory_nerve(middle[None], rate, replace(params.auditory_nerve, n_fibers=n_fibers), rng)[0]
    fiber_times = np.repeat(np.arange(counts.size), counts) / rate
    return Response(middle, rate, fiber_times, _bushy_times(probability, rate, params, rng, n_bushy_cells))


def spontaneous_times(
    duration: float, params: CochleaParams, rng: np.random.Generator, *, n_bushy_cells: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spikes in silence [s]: of one fiber, and of many bushy cells.

    Parameters
    ----------
    duration : float
        Of the silence [s].
    params : CochleaParams
    rng : numpy.random.Generator
    n_bushy_cells : int
        Recorded [1].

    Returns
    -------
    fiber_times, bushy_times : ndarray, shape (n_spikes,)
        The latter of all cells together.
    """
    rate = params.basilar_membrane.sample_rate
    silence = np.zeros((1, round(duration * rate)), np.float32)
    probability = hair_cell(silence, rate, params.hair_cell)
    one = replace(params.auditory_nerve, n_fibers=1)
    fiber_times = np.nonzero(auditory_nerve(probability, rate, one, rng)[0])[0] / rate
    alike = np.broadcast_to(probability, (params.hair_cell.n_per_place, probability.size))
    return fiber_times, _bushy_times(alike, rate, params, rng, n_bushy_cells)


def _bushy_times(
    probability: NDArray[np.floating], rate: int, params: CochleaParams, rng: np.random.Generator, n_cells: int
) -> NDArray[np.float64]:
    # spikes of n_cells bushy cells driven by the hair cells of one channel, in order of the cells
    steps = [np.zeros(0, np.int64)]
    for first in range(0, n_cells, _BUSHY_CELLS_AT_ONCE):
        n_block = min(_BUSHY_CELLS_AT_ONCE, n_cells - first)
        counts = auditory_nerve(np.tile(probability, (n_block, 1)), rate, params.auditory_nerve, rng)
        spikes = counts.reshape(n_block, -1, counts.shape[1]).sum(axis=1, dtype=np.uint16)
        steps.append(bushy_cell(spikes, rate, params.bushy_cell, n_fibers=params.n_fibers_per_channel)[0])
    return np.concatenate(steps) / rate
