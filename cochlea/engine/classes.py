"""The chain from pressure to spikes with the hair cells of Sumner and others, whose fibers are of three classes.

Like `fused`, which hands over to it: blocks of 64 channels, tiles of 128 steps, and states that are kept between the
segments of a long sound.
"""

from math import e, log2
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.auditory_nerve import AuditoryNerveParams
from cochlea.bushy_cell import BushyCellParams
from cochlea.compilation import Array, compiled
from cochlea.engine.blocks import Chain
from cochlea.engine.chance import DRAWS, words_of
from cochlea.engine.motion import blocks_of
from cochlea.engine.periodic import kernel_polynomials
from cochlea.engine.synapses import (
    MOST_FIBERS,
    N_CLASSES,
    calcium_cubed,
    fire_classes,
    first_streams,
    release_vesicles,
)
from cochlea.engine.tiles import LANES, REACH, STEPS, fire_bushy_cells
from cochlea.engine.velocity_tiles import cell_taps, load_tile, source_points
from cochlea.fiber_classes import calcium_conductances, deal_fibers
from cochlea.sumner_hair_cell import (
    SumnerHairCellParams,
    release_rates,
    resting_pools,
    step_constants,
)


class ClassConstants(NamedTuple):
    """What the kernels need of the params, in the order in which `_advance` takes it.

    Parameters
    ----------
    taps : ndarray of float32, shape (cell of a place, row of velocity)
        Weights of the places around each cell [1].
    cell : ndarray of float32, shape (15,)
        See `cell_constants`.
    pool : ndarray of float32, shape (class, 7)
        See `pool_constants`.
    dead_times : ndarray of int64
        See `AuditoryNerveParams.dead_times` [steps].
    bushy : ndarray of float64, shape (4,)
        See `BushyCellParams.kernel_constants`.
    n_refractory : int
        Refractory steps of the bushy cell [steps].
    polynomials : ndarray of float32
        See `periodic.kernel_polynomials` [1].
    """

    taps: NDArray[np.float32]
    cell: NDArray[np.float32]
    pool: NDArray[np.float32]
    dead_times: NDArray[np.int64]
    bushy: NDArray[np.float64]
    n_refractory: int
    polynomials: NDArray[np.float32]


class ClassState(NamedTuple):
    """The state of one block between tiles; the axes are those of the kernels, after (cell of a place,) if any.

    Parameters
    ----------
    gain, cell, pools, ring, waiting, ready, drawn, draws, keys, cells, fibers, free_at, bushy : ndarray
        As the kernels in `synapses` and `tiles` take them.
    """

    gain: NDArray[np.float32]
    cell: NDArray[np.float32]
    pools: NDArray[np.float32]
    ring: NDArray[np.int32]
    waiting: NDArray[np.float32]
    ready: NDArray[np.int32]
    drawn: NDArray[np.int64]
    draws: NDArray[np.float32]
    keys: NDArray[np.uint64]
    cells: NDArray[np.int64]
    fibers: NDArray[np.int64]
    free_at: NDArray[np.int64]
    bushy: NDArray[np.float64]


def cell_constants(rate: int, params: SumnerHairCellParams) -> NDArray[np.float32]:
    """The constants of `synapses.calcium_cubed` at a rate [Hz]; shape (15,).

    Parameters
    ----------
    rate : int
        Steps per second [Hz].
    params : SumnerHairCellParams
    """
    p, step = params, step_constants(rate, params)
    steep = p.displacement_scale_steep / log2(e)  # so that the kernel's exponentials are powers of two
    gentle = p.displacement_scale / log2(e)
    # G = leak + open / S: half of what leaves in a step is (leak + Gk) / 2 + open / (2 S), what comes is
    # leak Et + Gk Ek' + open Et / S, all of it over the capacitance.
    return np.array(
        [
            step.cilia, step.cilia_input / steep, p.displacement_offset / gentle, steep / gentle,
            p.displacement_offset_steep / steep,
            0.5 * step.charge * (p.conductance_leak + p.potassium_conductance), 0.5 * step.charge * p.conductance_max,
            step.charge
            * (p.conductance_leak * p.endocochlear_potential + p.potassium_conductance * p.reversal_potential),
            step.charge * p.conductance_max * p.endocochlear_potential,
            -p.calcium_channel_slope * log2(e), 1 / p.calcium_channel_ratio, step.channel, p.calcium_reversal,
            step.calcium, 1.0,
        ],
        np.float32,
    )  # fmt: skip


def pool_constants(rate: int, params: SumnerHairCellParams) -> NDArray[np.float32]:
    """The constants of `synapses.release_vesicles` at a rate [Hz]; shape (class, 7).

    Parameters
    ----------
    rate : int
        Steps per second [Hz].
    params : SumnerHairCellParams
    """
    step = step_constants(rate, params)
    _, threshold = release_rates(rate, params, np.ones((N_CLASSES, 1)))
    rates = step.replenished, step.reprocessed, step.cleft, step.arrived, step.returned
    rows = [(float(low), each.n_vesicles, *rates) for low, each in zip(threshold, params.classes, strict=True)]
    return np.array(rows, np.float32)


def class_constants(
    rate: int, params: SumnerHairCellParams, nerve: AuditoryNerveParams, bushy_cells: BushyCellParams
) -> ClassConstants:
    """The constants of all kernels.

    Parameters
    ----------
    rate : int
        Steps per second [Hz].
    params, nerve, bushy_cells : params
        The parameters of the stages.

    Raises
    ------
    ValueError
        If a hair cell has more fibers than the engine counts.
    """
    if nerve.n_fibers > MOST_FIBERS:
        raise ValueError(
            f"AuditoryNerveParams.n_fibers must be <= {MOST_FIBERS} with SumnerHairCellParams, got {nerve.n_fibers}"
        )
    return ClassConstants(
        taps=cell_taps(params.n_per_place),
        cell=cell_constants(rate, params),
        pool=pool_constants(rate, params),
        dead_times=nerve.dead_times(rate),
        bushy=bushy_cells.kernel_constants(rate, params.n_per_place * nerve.n_fibers),
        n_refractory=bushy_cells.refractory_steps(rate),
        polynomials=kernel_polynomials(),
    )


def at_rest(
    block: range,
    n_channels: int,
    rate: int,
    params: SumnerHairCellParams,
    nerve: AuditoryNerveParams,
    words: NDArray[np.uint32],
    *,
    output: Literal["bushy_cells", "nerve"],
) -> ClassState:
    """The state of a block of channels before the sound.

    Parameters
    ----------
    block : range
        The channels.
    n_channels : int
        Number of channels of the ear [1].
    rate : int
        Steps per second [Hz].
    params, nerve : params
        The parameters of the stages.
    words : ndarray of uint32, shape (4,)
        As for `chance.fill_exponentials`.
    output : {"bushy_cells", "nerve"}
        Whether the spikes of the fibers are told apart.
    """
    n_cells = params.n_per_place
    cells = (block.start + np.arange(LANES)) * n_cells + np.arange(n_cells)[:, None]
    # Lanes beyond the last channel have no fibers.
    dealt = deal_fibers(n_channels * n_cells, nerve.n_fibers, params)
    fibers = np.zeros((N_CLASSES, n_cells, LANES), np.int64)
    fibers[:, :, : len(block)] = dealt[:, cells[:, : len(block)]]
    conductance = calcium_conductances(cells.ravel(), params)
    gain, threshold = release_rates(rate, params, conductance)
    pools = resting_pools(rate, params, gain, threshold).reshape(N_CLASSES, 3, n_cells, LANES)
    dead_times = nerve.dead_times(rate)
    rest = params.resting_potential
    cell = np.array([0.0, rest, params.open_calcium_channels(rest), params.resting_drive], np.float32)
    waiting, ready = np.empty((n_cells, LANES), np.float32), np.empty((n_cells, LANES), np.int32)
    drawn, draws = np.empty((n_cells, 2, LANES), np.int64), np.empty((n_cells, LANES, DRAWS), np.float32)
    keys = np.empty((n_cells, LANES), np.uint64)
    first_streams(cells, fibers, words, waiting, ready, drawn, draws, keys)
    return ClassState(
        gain=np.ascontiguousarray(gain.reshape(N_CLASSES, n_cells, LANES).transpose(1, 0, 2), np.float32),
        cell=np.tile(cell[:, None], (n_cells, 1, LANES)),
        pools=np.ascontiguousarray(pools.transpose(2, 0, 1, 3), np.float32),
        ring=np.zeros((n_cells, int(dead_times[-1]) + 1, LANES), np.int32),
        waiting=waiting,
        ready=ready,
        drawn=drawn,
        draws=draws,
        keys=keys,
        cells=cells,
        fibers=np.ascontiguousarray(fibers.transpose(1, 0, 2)),
        free_at=np.zeros((n_cells, LANES, nerve.n_fibers if output == "nerve" else 0), np.int64),
        bushy=np.zeros((3, LANES)),
    )


def class_chain(
    rate: int,
    n_channels: int,
    hair_cells: SumnerHairCellParams,
    nerve: AuditoryNerveParams,
    bushy_cells: BushyCellParams,
    *,
    seed: int,
    key: int,
    output: Literal["bushy_cells", "nerve"],
) -> Chain:
    """The chain with these hair cells, at rest.

    Parameters
    ----------
    rate : int
        Steps per second [Hz].
    n_channels : int
        Number of channels of the ear [1].
    hair_cells, nerve, bushy_cells : params
        The parameters of the stages.
    seed, key : int
        Seed of the data set and key of the clip, each below 2**64 [1].
    output : {"bushy_cells", "nerve"}
        Whose spikes are the result. The fibers fire in the same way in both cases. The number of a fiber is
        that of its hair cell times `nerve.n_fibers`, and its number among those of the cell, first high, then medium,
        then low.

    Raises
    ------
    ValueError
        If a hair cell has more fibers than the engine counts.
    """
    constants = class_constants(rate, hair_cells, nerve, bushy_cells)
    words = words_of(seed, key)
    told_apart = output == "nerve"
    return Chain(
        advance=_advance,
        constants=constants,
        words=words,
        states=[
            at_rest(block, n_channels, rate, hair_cells, nerve, words, output=output) for block in blocks_of(n_channels)
        ],
        n_each=hair_cells.n_per_place * nerve.n_fibers if told_apart else 1,
        n_dead=int(constants.dead_times[0]) if told_apart else constants.n_refractory + 1,
        gives_lanes=not told_apart,
    )


@compiled()
def _advance(
    grid: Array, start: float, pitch: float, aligned: bool, passive_grid: Array, passive_start: float,
    passive_pitch: float, passive_aligned: bool, compression: Array, per_knee: Array, compressed: Array,
    first_step: int, begin: int, n_steps: int, n_lanes: int,
    taps: Array, cell_factors: Array, pool_factors: Array, dead_times: Array, bushy_constants: Array,
    n_refractory: int, polynomials: Array, words: Array,
    gain: Array, cell_state: Array, pools: Array, ring: Array, waiting: Array, ready: Array, drawn: Array,
    draws: Array, keys: Array, cells: Array, fibers: Array, free_at: Array, bushy: Array,
    found_steps: Array, found_units: Array, n_found: int, per_tile: int,
) -> tuple[int, int]:  # fmt: skip
    # Processes the tiles of a block from `begin` on, one after the other, until all are done or there may be no room
    # for the spikes of another tile. Returns the number of spikes, and the first step that has not been processed.
    velocity = np.zeros((STEPS, LANES + REACH), np.float32)
    passive = np.zeros((STEPS, LANES + REACH), np.float32)
    source = np.zeros((source_points(min(n_steps, STEPS), pitch, passive_pitch), LANES + REACH), np.float32)
    cubed = np.zeros((STEPS, LANES), np.float32)
    hazards = np.zeros((N_CLASSES, STEPS, LANES), np.float32)
    fiber_spikes = np.zeros((STEPS, LANES), np.float32)
    bits = np.empty(DRAWS, np.uint32)
    told_apart = free_at.shape[2] > 0
    for first in range(begin, n_steps, STEPS):
        if n_found + per_tile > found_steps.size:
            return n_found, first
        n_tile = min(STEPS, n_steps - first)
        load_tile(
            grid, start, pitch, aligned, passive_grid, passive_start, passive_pitch, passive_aligned, compression,
            per_knee, compressed, first, n_tile, polynomials, source, passive, velocity,
        )  # fmt: skip
        fiber_spikes[:] = np.float32(0.0)
        for cell in range(taps.shape[0]):
            calcium_cubed(velocity, taps[cell], n_tile, cell_factors, cell_state[cell], cubed)
            for number in range(N_CLASSES):
                release_vesicles(
                    cubed, n_tile, gain[cell, number], pool_factors[number], pools[cell, number], hazards[number]
                )
            n_found = fire_classes(
                hazards, n_tile, first_step + first, ring[cell], dead_times, waiting[cell], ready[cell], drawn[cell],
                draws[cell], keys[cell], cells[cell], words, bits, fiber_spikes, fibers[cell], free_at[cell], n_lanes,
                found_steps, found_units, n_found,
            )  # fmt: skip
        if not told_apart:
            n_found = fire_bushy_cells(
                fiber_spikes, n_tile, n_lanes, first_step + first, bushy_constants, n_refractory,
                bushy, found_steps, found_units, n_found,
            )  # fmt: skip
    return n_found, n_steps
