"""The chain from pressure to spikes, fused and blocked for speed; the tests check it against the plain stages.

Channels are processed in blocks of 64 and time in tiles of 128 steps, so that the output of one stage is still in the
cache when the next stage reads it. Every cell keeps its state between the segments of a long sound, so memory does not
grow with the length of the sound.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.auditory_nerve import AuditoryNerveParams
from cochlea.bushy_cell import BushyCellParams
from cochlea.compilation import Array, compiled
from cochlea.compression import CompressionParams
from cochlea.engine.blocks import Chain, fire_blocks
from cochlea.engine.chance import DRAWS, words_of
from cochlea.engine.classes import class_chain
from cochlea.engine.fibers import fiber_keys, name_fibers
from cochlea.engine.motion import blocks_of, set_in_motion
from cochlea.engine.periodic import kernel_polynomials
from cochlea.engine.tiles import (
    LANES,
    REACH,
    STEPS,
    fire_bushy_cells,
    fire_fibers,
    first_draws,
    release_probability,
    to_hazard,
)
from cochlea.engine.velocity_tiles import cell_taps, load_tile, source_points
from cochlea.hair_cell import HairCellParams, kernel_constants
from cochlea.sumner_hair_cell import SumnerHairCellParams
from cochlea.transfer_function import BasilarMembraneParams


class SpikeSteps(NamedTuple):
    """Spikes at steps of the model.

    Parameters
    ----------
    steps, units : ndarray of int64, shape (n_spikes,)
        Step, and channel or fiber, of each spike, ordered by step, then by unit.
    sample_rate : int
        Steps per second [Hz].
    """

    steps: NDArray[np.int64]
    units: NDArray[np.int64]
    sample_rate: int


class _Constants(NamedTuple):
    # What the kernels need of the params, in the order in which `_advance` takes it: the two results of
    # `hair_cell.kernel_constants`; taps (cell of a place, row of velocity); `BushyCellParams.kernel_constants`; the
    # refractory steps of the bushy cell; the polynomials of the interpolation in time.
    rates: NDArray[np.float32]
    membrane: NDArray[np.float32]
    taps: NDArray[np.float32]
    bushy: NDArray[np.float64]
    n_refractory: int
    polynomials: NDArray[np.float32]


class _State(NamedTuple):
    # The state of one block between tiles. The first axis of all but `bushy` is the cell of a place; the others are
    # those of the kernels in `tiles` and `fibers`. Where fibers are not told apart, `free_at` has none.
    pools: NDArray[np.float32]
    ring: NDArray[np.float32]
    waiting: NDArray[np.float32]
    drawn: NDArray[np.int64]
    draws: NDArray[np.float32]
    cells: NDArray[np.int64]
    keys: NDArray[np.uint64]
    n_named: NDArray[np.int64]
    free_at: NDArray[np.int64]
    bushy: NDArray[np.float64]


def spike_steps(
    pressure: NDArray[np.float64],
    sample_rate: int,
    *,
    membrane: BasilarMembraneParams,
    compression: CompressionParams | None = None,
    hair_cells: HairCellParams | SumnerHairCellParams,
    nerve: AuditoryNerveParams,
    bushy_cells: BushyCellParams,
    seed: int,
    key: int,
    output: Literal["bushy_cells", "nerve"] = "bushy_cells",
) -> SpikeSteps:
    """The steps at which each bushy cell, or each fiber of the nerve, fires, from the pressure at the stapes.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure at the stapes [1].
    sample_rate : int
        Rate of the pressure [Hz].
    membrane, compression, hair_cells, nerve, bushy_cells : params
        The parameters of the stages.
    seed, key : int
        Seed of the data set and key of the clip, each below 2**64 [1].
    output : {"bushy_cells", "nerve"}
        Whose spikes are the result. The fibers fire in the same way in both cases.

    Returns
    -------
    SpikeSteps

    Raises
    ------
    ValueError
        If the rate of the velocity is too low for the hair cells, a cell has more fibers than the engine counts, or
        fibers recover gradually, which needs `SumnerHairCellParams`.
    """
    rate, moved, stretches = set_in_motion(pressure, sample_rate, membrane, compression)
    chain = chain_at_rest(
        rate, membrane.n_places, hair_cells=hair_cells, nerve=nerve, bushy_cells=bushy_cells, seed=seed, key=key,
        output=output,
    )  # fmt: skip
    return SpikeSteps(*fire_blocks(moved, stretches, chain), rate)


def chain_at_rest(
    rate: int,
    n_channels: int,
    *,
    hair_cells: HairCellParams | SumnerHairCellParams,
    nerve: AuditoryNerveParams,
    bushy_cells: BushyCellParams,
    seed: int,
    key: int,
    output: Literal["bushy_cells", "nerve"],
) -> Chain:
    """The kernels from velocity to spikes, and the state of all cells before the sound.

    Parameters
    ----------
    rate : int
        Steps per second [Hz].
    n_channels : int
        Number of channels of the ear [1].
    hair_cells, nerve, bushy_cells, seed, key, output
        As for `spike_steps`, which raises the same errors.
    """
    if isinstance(hair_cells, SumnerHairCellParams):
        return class_chain(rate, n_channels, hair_cells, nerve, bushy_cells, seed=seed, key=key, output=output)
    if nerve.tau_relative > 0:
        raise ValueError(
            "AuditoryNerveParams.tau_relative must be 0 unless the hair cells are SumnerHairCellParams, got"
            f" {nerve.tau_relative!r}"
        )
    constants = _constants(rate, hair_cells, nerve, bushy_cells)
    told_apart = output == "nerve"
    words = words_of(seed, key)
    return Chain(
        advance=_advance,
        constants=constants,
        words=words,
        states=[_at_rest(block, rate, hair_cells, nerve, words, told_apart) for block in blocks_of(n_channels)],
        n_each=hair_cells.n_per_place * nerve.n_fibers if told_apart else 1,
        n_dead=nerve.dead_steps(rate) if told_apart else constants.n_refractory + 1,
        gives_lanes=not told_apart,
    )


def _constants(
    rate: int, hair_cells: HairCellParams, nerve: AuditoryNerveParams, bushy_cells: BushyCellParams
) -> _Constants:
    rates, membrane = kernel_constants(rate, hair_cells, np.float32)
    bushy = bushy_cells.kernel_constants(rate, hair_cells.n_per_place * nerve.n_fibers)
    taps = cell_taps(hair_cells.n_per_place)
    return _Constants(rates, membrane, taps, bushy, bushy_cells.refractory_steps(rate), kernel_polynomials())


def _at_rest(
    block: range,
    rate: int,
    hair_cells: HairCellParams,
    nerve: AuditoryNerveParams,
    words: NDArray[np.uint32],
    told_apart: bool,
) -> _State:
    # The last block has lanes beyond the last channel. They are computed like the others and not reported.
    n_cells = hair_cells.n_per_place
    pools = np.empty((n_cells, 3, LANES), np.float32)
    pools[:] = np.array(hair_cells.resting_pools, np.float32)[:, None]
    cells = (block.start + np.arange(LANES)) * n_cells + np.arange(n_cells)[:, None]
    waiting = np.full((n_cells, 2, LANES), nerve.n_fibers, np.float32)
    drawn = np.zeros((n_cells, 2, LANES), np.int64)
    draws = np.empty((n_cells, LANES, DRAWS), np.float32)
    first_draws(cells, words, waiting, drawn, draws)
    keys = np.zeros((n_cells, LANES), np.uint64)
    if told_apart:
        fiber_keys(cells, words, keys)
    return _State(
        pools=pools,
        ring=np.zeros((n_cells, nerve.dead_steps(rate), LANES), np.float32),
        waiting=waiting,
        drawn=drawn,
        draws=draws,
        cells=cells,
        keys=keys,
        n_named=np.zeros((n_cells, LANES), np.int64),
        free_at=np.zeros((n_cells, LANES, nerve.n_fibers if told_apart else 0), np.int64),
        bushy=np.zeros((3, LANES)),
    )


@compiled()
def _advance(
    grid: Array, start: float, pitch: float, aligned: bool, passive_grid: Array, passive_start: float,
    passive_pitch: float, passive_aligned: bool, compression: Array, per_knee: Array, compressed: Array,
    first_step: int, begin: int, n_steps: int, n_lanes: int, rates: Array,
    membrane: Array, taps: Array, bushy_constants: Array, n_refractory: int, polynomials: Array, words: Array,
    pools: Array, ring: Array, waiting: Array, drawn: Array, draws: Array, cells: Array, keys: Array, n_named: Array,
    free_at: Array, bushy: Array, found_steps: Array, found_units: Array, n_found: int, per_tile: int,
) -> tuple[int, int]:  # fmt: skip
    # Processes the tiles of a block from step `begin` on, one after the other, until all are done or there may be no
    # room for the spikes of another tile. Returns the number of spikes, and the first step that has not been processed.
    # All stages of a tile run before the next tile begins, so the tile stays in the cache.
    velocity = np.zeros((STEPS, LANES + REACH), np.float32)
    passive = np.zeros((STEPS, LANES + REACH), np.float32)
    source = np.zeros((source_points(min(n_steps, STEPS), pitch, passive_pitch), LANES + REACH), np.float32)
    n_cells, told_apart = taps.shape[0], free_at.shape[2] > 0
    hazard = np.zeros((n_cells, STEPS, LANES), np.float32)
    fiber_spikes = np.zeros((n_cells if told_apart else 1, STEPS, LANES), np.float32)
    bits = np.empty(DRAWS, np.uint32)
    for first in range(begin, n_steps, STEPS):
        if n_found + per_tile > found_steps.size:
            return n_found, first
        n_tile = min(STEPS, n_steps - first)
        load_tile(
            grid, start, pitch, aligned, passive_grid, passive_start, passive_pitch, passive_aligned, compression,
            per_knee, compressed, first, n_tile, polynomials, source, passive, velocity,
        )  # fmt: skip
        fiber_spikes[:] = np.float32(0.0)
        for cell in range(n_cells):
            release_probability(velocity, taps[cell], n_tile, rates, membrane, pools[cell], hazard[cell])
            to_hazard(hazard[cell], n_tile)
        row = (first_step + first) % ring.shape[1]  # the ring goes on from tile to tile and segment to segment
        fire_fibers(hazard, n_tile, row, ring, waiting, drawn, draws, cells, words, bits, fiber_spikes)
        if told_apart:
            for cell in range(n_cells):
                n_found = name_fibers(
                    fiber_spikes[cell], n_tile, first_step + first, ring.shape[1], free_at[cell], n_named[cell],
                    keys[cell], cells[cell], n_lanes, found_steps, found_units, n_found,
                )  # fmt: skip
        else:
            n_found = fire_bushy_cells(
                fiber_spikes[0], n_tile, n_lanes, first_step + first, bushy_constants, n_refractory,
                bushy, found_steps, found_units, n_found,
            )  # fmt: skip
    return n_found, n_steps
