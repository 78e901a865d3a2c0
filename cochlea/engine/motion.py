"""The motion of the membrane for the engine, block by block: of one linear membrane, or of an active and a passive one.

`traveling_wave` computes the velocity of a linear membrane; this module runs it once or twice and keeps what the kernel
that mixes the two velocities (`compressing`) needs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.basilar_membrane import memory
from cochlea.compression import CompressionParams, knee_velocities
from cochlea.engine.compressing import ROWS
from cochlea.engine.tiles import LANES, REACH
from cochlea.engine.traveling_wave import (
    CausalGrid,
    Segment,
    Velocity,
    causal_grid,
    cut_into_segments,
    is_single,
    room_needed,
    velocity_of_rows,
)
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import TransferTable, transfer_table

_SHARP = 0.15  # [1]; with less damping than this, the blocks are transformed over stretches of different length
_TIERS = 2.0  # times by which these lengths differ at least; with 3, as much goes into padding as into more spectra


class Motion(NamedTuple):
    """The velocity of the rows of a block during a segment, as the kernels take it.

    Parameters
    ----------
    grid, start, pitch, aligned
        Of the active or only membrane, as in `traveling_wave.Velocity`.
    passive_grid, passive_start, passive_pitch, passive_aligned
        Of the passive membrane; the grid has no rows if there is none.
    constants : ndarray of float32, shape (4,)
        See `CompressionParams.kernel_constants` [1].
    per_knee : ndarray of float32, shape (ROWS,)
        As for `compressing.compress_tile`.
    state : ndarray of float32, shape (2, ROWS)
        As for `compressing.compress_tile`; the kernels advance it in place.
    """

    grid: NDArray[np.float32]
    start: float
    pitch: float
    aligned: bool
    passive_grid: NDArray[np.float32]
    passive_start: float
    passive_pitch: float
    passive_aligned: bool
    constants: NDArray[np.float32]
    per_knee: NDArray[np.float32]
    state: NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """A segment of sound, from which the motion of each block is computed when it is asked for.

    Parameters
    ----------
    steps : range
        Numbers of the steps in the velocity of the whole sound.
    active : tuple of Segment
        What moves the active or only membrane, for each block.
    passive : Segment or None
        What moves the passive membrane.
    """

    steps: range
    active: tuple[Segment, ...]
    passive: Segment | None


@dataclass(frozen=True)
class Membrane:
    """The membrane while a sound passes: tables, knees, and the state of compression of each block.

    Parameters
    ----------
    blocks : sequence of range
        The channels of each block.
    active : TransferTable
        The transfer function of the active or only membrane.
    passive : TransferTable or None
        That of the passive membrane.
    constants : ndarray of float32, shape (4,)
        See `CompressionParams.kernel_constants`; zeros if there is no compression [1].
    per_knee : ndarray of float32, shape (block, ROWS)
        As for `compressing.compress_tile`.
    state : ndarray of float32, shape (block, 2, ROWS)
        As for `compressing.compress_tile`.
    """

    blocks: Sequence[range]
    active: TransferTable
    passive: TransferTable | None
    constants: NDArray[np.float32]
    per_knee: NDArray[np.float32]
    state: NDArray[np.float32]


def blocks_of(n_channels: int) -> list[range]:
    """The channels of each block."""
    return [range(first, min(first + LANES, n_channels)) for first in range(0, n_channels, LANES)]


@dataclass(frozen=True)
class Course:
    """How a sound is cut into stretches in front of a membrane of the causal convention.

    Parameters
    ----------
    tiers : tuple of CausalGrid
        How it is cut for blocks that respond for a shorter or a longer time; all have the same segments.
    tier_of_block : tuple of int
        The tier of each block [1].
    passive : CausalGrid or None
        How it is cut for the passive membrane.
    """

    tiers: tuple[CausalGrid, ...]
    tier_of_block: tuple[int, ...]
    passive: CausalGrid | None

    @property
    def grids(self) -> tuple[CausalGrid, ...]:
        """All that the sound is transformed over."""
        return self.tiers if self.passive is None else (*self.tiers, self.passive)

    def stretch(self, pressure: NDArray[np.float64], n_before: int, first: int, n_steps: int) -> Stretch:
        """The stretch that begins at a unit of the sound; its arguments are those of `CausalGrid.segment`."""
        of_tiers = [grid.segment(pressure, n_before, first, n_steps) for grid in self.tiers]
        active = tuple(of_tiers[tier] for tier in self.tier_of_block)
        passive = None if self.passive is None else self.passive.segment(pressure, n_before, first, n_steps)
        return Stretch(active[0].steps, active, passive)


def course_of(
    sample_rate: int,
    params: BasilarMembraneParams,
    compression: CompressionParams | None,
    *,
    hop: float | None = None,
    n_samples: int | None = None,
) -> Course:
    """How a sound is cut into stretches, in the causal convention.

    Parameters
    ----------
    sample_rate : int
        Rate of the sound [Hz].
    params : BasilarMembraneParams
        The active or only membrane.
    compression : CompressionParams or None
        None: there is only one membrane.
    hop : float, optional
        Length of a stretch [s]; the default is that of `set_in_motion`.
    n_samples : int, optional
        Length of a sound that is a single stretch [samples].
    """
    blocks = blocks_of(params.n_places)
    highest = params.sample_rate / 2
    if params.damping >= _SHARP and hop is None:
        lengths, tier_of_block = [memory(params, highest)], [0] * len(blocks)
    else:
        lengths, tier_of_block = _tiers([memory(params, highest, place=block.stop - 1) for block in blocks])
    tiers = [causal_grid(sample_rate, params, length, hop=hop, n_samples=n_samples) for length in lengths]
    passive = None
    if compression is not None:
        broad = compression.passive(params)
        passive = causal_grid(sample_rate, broad, memory(broad, highest), hop=hop, n_samples=n_samples)
    return Course(tuple(tiers), tuple(tier_of_block), passive)


def at_rest(params: BasilarMembraneParams, compression: CompressionParams | None, highest: float) -> Membrane:
    """The membrane before the sound.

    Parameters
    ----------
    params : BasilarMembraneParams
        The active or only membrane.
    compression : CompressionParams or None
        None: there is only one membrane.
    highest : float
        Highest frequency of the sound that moves it [Hz].
    """
    blocks = blocks_of(params.n_places)
    passive_table = None
    constants, per_knee = np.zeros(4, np.float32), np.ones((len(blocks), ROWS), np.float32)
    if compression is not None:
        passive_table = transfer_table(compression.passive(params), highest)
        constants = compression.kernel_constants(params.sample_rate)
        knees = knee_velocities(params, compression, highest, beyond=True)
        for number, block in enumerate(blocks):
            of_block = knees[block.start : block.stop + REACH]
            per_knee[number, : of_block.size] = 1.0 / of_block
    state = np.zeros((len(blocks), 2, ROWS), np.float32)
    state[:, 1] = 1.0
    return Membrane(blocks, transfer_table(params, highest), passive_table, constants, per_knee, state)


def set_in_motion(
    pressure: NDArray[np.float64],
    sample_rate: int,
    params: BasilarMembraneParams,
    compression: CompressionParams | None,
) -> tuple[int, Membrane, Iterator[Stretch]]:
    """The sample rate of the velocity, the membrane at rest, and the segments of the sound.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure in front of the membrane [1 or Pa].
    sample_rate : int
        Rate of the pressure [Hz].
    params : BasilarMembraneParams
        The active or only membrane.
    compression : CompressionParams or None
        None: there is only one membrane.
    """
    if params.convention == "published":
        rate, _, segments = cut_into_segments(pressure, sample_rate, params)
        membrane = at_rest(params, compression, sample_rate / 2)
        n_blocks = len(membrane.blocks)
        return rate, membrane, (Stretch(segment.steps, (segment,) * n_blocks, None) for segment in segments)
    only = pressure.size if is_single(pressure.size, sample_rate, params) else None
    course = course_of(sample_rate, params, compression, n_samples=only)
    membrane = at_rest(params, compression, params.sample_rate / 2)
    return params.sample_rate, membrane, _stretches(course, pressure)


def _stretches(course: Course, pressure: NDArray[np.float64]) -> Iterator[Stretch]:
    grid = course.tiers[0]
    for first in range(0, grid.units_of(pressure.size), grid.hop):
        yield course.stretch(pressure, 0, first, grid.steps_of(pressure.size))


def motion_of_block(membrane: Membrane, stretch: Stretch, number: int, rooms: list[NDArray[np.complex64]]) -> Motion:
    """The velocity of the rows of a block during a segment.

    Parameters
    ----------
    membrane : Membrane
    stretch : Stretch
    number : int
        Number of the block [1].
    rooms : list of ndarray
        Memory for the result, which the next call with the same list overwrites; empty at first.
    """
    block = membrane.blocks[number]
    rows = slice(block.start, block.stop + REACH)
    active = _velocity(stretch.active[number], rows, membrane.active, 0, rooms)
    if stretch.passive is None or membrane.passive is None:
        passive = Velocity(active.grid[:0], 0.0, 1.0, True)
    else:
        passive = _velocity(stretch.passive, rows, membrane.passive, 1, rooms)
    return Motion(*active, *passive, membrane.constants, membrane.per_knee[number], membrane.state[number])


def _velocity(
    segment: Segment, rows: slice, table: TransferTable, which: int, rooms: list[NDArray[np.complex64]]
) -> Velocity:
    # Fresh memory would slow the transforms down.
    needed = room_needed(segment, ROWS)
    while len(rooms) <= which:
        rooms.append(np.empty(0, np.complex64))
    if rooms[which].size < needed:
        rooms[which] = np.empty(needed, np.complex64)
    return velocity_of_rows(segment, rows, table, rooms[which])


def _tiers(needed: Sequence[float]) -> tuple[list[float], list[int]]:
    # The response to a click lasts as many periods everywhere: 10 ms at the base and 1.4 s at the apex with a damping
    # of 0.02. So a block is transformed with little more silence, or sound before it, than it needs: what the blocks
    # need, rounded up to a few lengths of time.
    lengths = [max(needed)]
    while lengths[-1] / _TIERS >= min(needed):
        lengths.append(lengths[-1] / _TIERS)
    of_block = [max(i for i, length in enumerate(lengths) if length >= each) for each in needed]
    kept = sorted(set(of_block))
    return [lengths[i] for i in kept], [kept.index(i) for i in of_block]
