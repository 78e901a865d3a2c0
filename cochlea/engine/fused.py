"""The chain from pressure to spikes, fused and blocked for speed; the tests check it against the plain stages.

Channels are processed in blocks of 64 and time in tiles of 128 steps, so that the output of one stage is still in the
cache when the next stage reads it. Every cell keeps its state between the segments of a long sound, so memory does not
grow with the length of the sound.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.auditory_nerve import AuditoryNerveParams
from cochlea.bushy_cell import BushyCellParams
from cochlea.compilation import Array, compiled
from cochlea.engine.chance import DRAWS
from cochlea.engine.periodic import N_TAPS, interpolation_taps, kernel_polynomials
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
from cochlea.engine.traveling_wave import Velocity, cut_into_segments, room_needed, velocity_of_rows
from cochlea.hair_cell import NODES, HairCellParams, cell_offsets, kernel_constants
from cochlea.interpolation import lagrange_weights
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import N_BEYOND


class SpikeSteps(NamedTuple):
    """Spikes at steps of the model.

    Parameters
    ----------
    steps, units : ndarray of int64, shape (n_spikes,)
        Step and channel of each spike, ordered by step, then by channel.
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
    # those of the kernels in `tiles`.
    pools: NDArray[np.float32]
    ring: NDArray[np.float32]
    waiting: NDArray[np.float32]
    drawn: NDArray[np.int64]
    draws: NDArray[np.float32]
    cells: NDArray[np.int64]
    bushy: NDArray[np.float64]


def spike_steps(
    pressure: NDArray[np.float64],
    sample_rate: int,
    *,
    membrane: BasilarMembraneParams,
    hair_cells: HairCellParams,
    nerve: AuditoryNerveParams,
    bushy_cells: BushyCellParams,
    seed: int,
    key: int,
) -> SpikeSteps:
    """The steps at which each bushy cell fires, from the pressure at the stapes.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure at the stapes [1].
    sample_rate : int
        Rate of the pressure [Hz].
    membrane, hair_cells, nerve, bushy_cells : params
        The parameters of the stages.
    seed, key : int
        Seed of the data set and key of the clip, each below 2**64 [1].

    Returns
    -------
    SpikeSteps

    Raises
    ------
    ValueError
        If the rate of the velocity is too low for the hair cells.
    """
    rate, table, segments = cut_into_segments(pressure, sample_rate, membrane)
    constants = _constants(rate, hair_cells, nerve, bushy_cells)
    # Philox works on words of 32 bits: low and high word of the key, low and high word of the seed.
    words = np.array([key % 2**32, key >> 32, seed % 2**32, seed >> 32], np.uint32)
    n_channels = membrane.n_places
    blocks = [range(first, min(first + LANES, n_channels)) for first in range(0, n_channels, LANES)]
    states = [_at_rest(block, rate, hair_cells, nerve, words) for block in blocks]
    steps, units = [], []
    room = np.empty(0, np.complex64)  # shared by all blocks and segments: fresh memory would slow the transforms down
    for segment in segments:
        needed = room_needed(segment, LANES + REACH)
        room = room if room.size >= needed else np.empty(needed, np.complex64)
        found = []
        for block, state in zip(blocks, states, strict=True):
            velocity = velocity_of_rows(segment, slice(block.start, block.stop + REACH), table, room)
            found.append(_fire(velocity, segment.steps, block, constants, words, state))
        at, which = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(at, kind="stable")  # blocks are in order of channel, which a stable sort keeps in each step
        steps.append(at[order])
        units.append(which[order])
    return SpikeSteps(np.concatenate(steps), np.concatenate(units), rate)


def _constants(
    rate: int, hair_cells: HairCellParams, nerve: AuditoryNerveParams, bushy_cells: BushyCellParams
) -> _Constants:
    rates, membrane = kernel_constants(rate, hair_cells, np.float32)
    # Rows of the table begin N_BEYOND places before the membrane, so column j of a tile of velocity is the place
    # N_BEYOND before lane j. All lanes share their taps, which is why the rows beyond the ends are needed.
    position = cell_offsets(hair_cells.n_per_place) + N_BEYOND
    first = np.floor(position).astype(np.int64) - (NODES // 2 - 1)
    taps = np.zeros((position.size, REACH + 1), np.float32)
    weights = lagrange_weights(position - first, NODES).astype(np.float32)
    np.put_along_axis(taps, first[:, None] + np.arange(NODES), weights, axis=1)
    bushy = bushy_cells.kernel_constants(rate, hair_cells.n_per_place * nerve.n_fibers)
    return _Constants(rates, membrane, taps, bushy, bushy_cells.refractory_steps(rate), kernel_polynomials())


def _at_rest(
    block: range, rate: int, hair_cells: HairCellParams, nerve: AuditoryNerveParams, words: NDArray[np.uint32]
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
    return _State(
        pools=pools,
        ring=np.zeros((n_cells, nerve.dead_steps(rate), LANES), np.float32),
        waiting=waiting,
        drawn=drawn,
        draws=draws,
        cells=cells,
        bushy=np.zeros((3, LANES)),
    )


def _fire(
    velocity: Velocity, steps: range, block: range, constants: _Constants, words: NDArray[np.uint32], state: _State
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # The spikes of a block of channels in a segment, ordered by step, then by channel. A cell fires at most once in
    # n_refractory + 1 steps, which bounds their number.
    most = len(block) * (len(steps) // (constants.n_refractory + 1) + 1)
    found_steps, found_lanes = np.empty(most, np.int64), np.empty(most, np.int64)
    # The kernel takes plain arrays and numbers, so the fields of the records are passed one by one.
    given: Any = (*velocity, steps.start, len(steps), len(block), *constants, words, *state, found_steps, found_lanes)
    n_found = _advance(*given)
    return found_steps[:n_found], found_lanes[:n_found] + block.start


@compiled()
def _advance(
    grid: Array, start: float, pitch: float, aligned: bool, first_step: int, n_steps: int, n_lanes: int, rates: Array,
    membrane: Array, taps: Array, bushy_constants: Array, n_refractory: int, polynomials: Array, words: Array,
    pools: Array, ring: Array, waiting: Array, drawn: Array, draws: Array, cells: Array, bushy: Array,
    found_steps: Array, found_lanes: Array,
) -> int:  # fmt: skip
    # Processes all tiles of a block, one after the other, and returns the number of spikes. All stages of a tile run
    # before the next tile begins, so the tile stays in the cache.
    velocity = np.zeros((STEPS, LANES + REACH), np.float32)
    # The grid points that the steps of a tile span, the taps, and one to spare at either end for rounding.
    source = np.zeros((int(min(n_steps, STEPS) * pitch) + N_TAPS + 2, LANES + REACH), np.float32)
    hazard = np.zeros((STEPS, LANES), np.float32)
    fiber_spikes = np.zeros((STEPS, LANES), np.float32)
    bits = np.empty(DRAWS, np.uint32)
    n_found = 0
    for first in range(0, n_steps, STEPS):
        n_tile = min(STEPS, n_steps - first)
        if aligned:  # the steps of a causal segment lie within the period of the grid, so nothing wraps around
            _copy_tile(grid, np.int64(start) + first, n_tile, velocity)
        else:
            _interpolate_tile(grid, start + first * pitch, pitch, n_tile, polynomials, source, velocity)
        fiber_spikes[:] = np.float32(0.0)
        for cell in range(taps.shape[0]):
            release_probability(velocity, taps[cell], n_tile, rates, membrane, pools[cell], hazard)
            to_hazard(hazard, n_tile)
            row = (first_step + first) % ring.shape[1]  # the ring goes on from tile to tile and segment to segment
            fire_fibers(
                hazard, n_tile, row, ring[cell], waiting[cell], drawn[cell], draws[cell], cells[cell],
                words, bits, fiber_spikes,
            )  # fmt: skip
        n_found = fire_bushy_cells(
            fiber_spikes, n_tile, n_lanes, first_step + first, bushy_constants, n_refractory,
            bushy, found_steps, found_lanes, n_found,
        )  # fmt: skip
    return n_found


@compiled()
def _copy_tile(grid: Array, first: np.int64, n_steps: int, tile: Array) -> None:
    # Copies grid points from `first` on into a tile, which turns (row, step) into (step, lane). Two pairs of rows at a
    # time: four neighboring floats are written together.
    n_pairs = grid.shape[0]
    for pair in range(0, n_pairs - 1, 2):
        for t in range(n_steps):
            tile[t, 2 * pair] = grid[pair, first + t, 0]
            tile[t, 2 * pair + 1] = grid[pair, first + t, 1]
            tile[t, 2 * pair + 2] = grid[pair + 1, first + t, 0]
            tile[t, 2 * pair + 3] = grid[pair + 1, first + t, 1]
    if n_pairs % 2:
        for t in range(n_steps):
            tile[t, 2 * n_pairs - 2] = grid[n_pairs - 1, first + t, 0]
            tile[t, 2 * n_pairs - 1] = grid[n_pairs - 1, first + t, 1]


@compiled()
def _interpolate_tile(
    grid: Array, position: float, pitch: float, n_steps: int, polynomials: Array, source: Array, tile: Array,
) -> None:  # fmt: skip
    # Interpolates the grid at the steps of a tile. The grid points needed are first copied to `source`, turned to
    # (point, lane), in more than one piece where they go past the end of the periodic grid.
    taps = np.empty(N_TAPS, np.float32)
    begin = interpolation_taps(position, polynomials, taps)
    n_source = interpolation_taps(position + (n_steps - 1) * pitch, polynomials, taps) - begin + N_TAPS
    period = grid.shape[1]
    copied = 0
    while copied < n_source:
        at = (begin + copied) % period
        n = min(period - at, n_source - copied)
        _copy_tile(grid, at, n, source[copied:])
        copied += n
    for t in range(n_steps):
        first = interpolation_taps(position + t * pitch, polynomials, taps) - begin
        a, b, c, d, e, f, g, h = taps  # spelled out, so that the loop over lanes is vectorized
        for j in range(LANES + REACH):
            tile[t, j] = (
                a * source[first, j] + b * source[first + 1, j] + c * source[first + 2, j]
                + d * source[first + 3, j] + e * source[first + 4, j] + f * source[first + 5, j]
                + g * source[first + 6, j] + h * source[first + 7, j]
            )  # fmt: skip
