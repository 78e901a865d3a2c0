"""Run the kernels of a chain over all blocks and segments of a sound, and put their spikes in order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cochlea.engine.motion import Membrane, Stretch, motion_of_block
from cochlea.engine.tiles import STEPS

_UNIT_BITS = 16  # a spike is kept as one number, its unit in the lower bits: sorting numbers sorts spikes, and fast
_ROOM = 16  # tiles for whose spikes there is room at first


@dataclass(frozen=True)
class Chain:
    """The kernels of a chain from velocity to spikes, and the state of its cells, which they advance.

    Parameters
    ----------
    advance : kernel
        Processes the tiles of a block from a step on, until all are done or there may be no room for the spikes of
        another one. It takes the fields of a `motion.Motion`, the number of the segment's first step, the step from
        which on to process, the number of steps and of lanes in use, `constants`, `words`, the fields of a state, room
        for steps and for units, the number of spikes that are there, and how many a tile may add. It returns the number
        of spikes and the first step that has not been processed.
    constants : sequence
        What the kernel needs of the params.
    words : ndarray of uint32, shape (4,)
        See `chance.words_of`.
    states : sequence of sequence of ndarray
        The state of each block; the kernel advances it in place.
    n_each, n_dead : int
        Number of units of a channel [1], and of steps from a spike of a unit to the earliest next one [steps].
    gives_lanes : bool
        Whether the kernel gives lanes of the block instead of units.
    """

    advance: Callable[..., tuple[int, int]]
    constants: Sequence[Any]
    words: NDArray[np.uint32]
    states: Sequence[Sequence[Any]]
    n_each: int
    n_dead: int
    gives_lanes: bool


def fire_blocks(
    membrane: Membrane, stretches: Iterable[Stretch], chain: Chain
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The spikes of all blocks, ordered by step, then by unit.

    Parameters
    ----------
    membrane, stretches
        From `motion.set_in_motion`; or some stretches of a sound, those before which have been passed to earlier calls
        with the same membrane and chain.
    chain : Chain

    Returns
    -------
    steps, units : ndarray of int64, shape (n_spikes,)
        Step and unit of each spike.
    """
    steps, units = [], []
    rooms: list[NDArray[np.complex64]] = []  # shared by all blocks and segments
    for stretch in stretches:
        found = []
        for number, (block, state) in enumerate(zip(membrane.blocks, chain.states, strict=True)):
            motion = motion_of_block(membrane, stretch, number, rooms)
            # A unit fires at most once in its dead time, so that the spikes of a tile always have room.
            per_tile = len(block) * chain.n_each * (STEPS // chain.n_dead + 1)
            found_steps, found_units = np.empty(0, np.int64), np.empty(0, np.int64)
            n_found, first, n_steps = 0, 0, len(stretch.steps)
            while first < n_steps:
                room = max(2 * found_steps.size, _ROOM * per_tile)
                found_steps, found_units = np.resize(found_steps, room), np.resize(found_units, room)
                # The kernel takes plain arrays and numbers, so the fields of the records are passed one by one.
                n_found, first = chain.advance(
                    *motion, stretch.steps.start, first, n_steps, len(block), *chain.constants, chain.words, *state,
                    found_steps, found_units, n_found, per_tile,
                )  # fmt: skip
            packed = (found_steps[:n_found] << _UNIT_BITS) + found_units[:n_found]
            found.append(packed + block.start if chain.gives_lanes else packed)
        spikes = np.sort(np.concatenate(found))
        steps.append(spikes >> _UNIT_BITS)
        units.append(spikes & (2**_UNIT_BITS - 1))
    none = [np.empty(0, np.int64)]  # where there is no stretch
    return np.concatenate(steps or none), np.concatenate(units or none)
