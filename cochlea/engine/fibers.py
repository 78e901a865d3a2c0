"""Which fiber of a hair cell fires, where the spikes of the nerve itself are wanted and not only their number.

`tiles.fire_fibers` draws how many of a cell's fibers fire in each step, which is all that the bushy cells need. The
fibers are alike, so each that is ready is as likely to be the one that fires, and the choice changes nothing else: the
same seed gives the spikes whose sum drives the bushy cells.
"""

import numpy as np

from cochlea.compilation import Array, compiled
from cochlea.engine.chance import DRAWS, key_of_choices, mixed
from cochlea.engine.tiles import LANES

_U = np.uint64


@compiled()
def fiber_keys(cells: Array, words: Array, keys: Array) -> None:
    """Fill `keys` with the keys of the numbers that choose among the fibers of each cell.

    Parameters
    ----------
    cells : ndarray of int64, shape (cell, lane)
        Numbers of the cells [1].
    words : ndarray of uint32, shape (4,)
        As for `chance.fill_exponentials`.
    keys : ndarray of uint64, shape (cell, lane)
        The result [1].
    """
    bits, numbers = np.empty(DRAWS, np.uint32), np.empty(DRAWS, np.float32)
    for cell in range(cells.shape[0]):
        for j in range(cells.shape[1]):
            keys[cell, j] = key_of_choices(cells[cell, j], words, bits, numbers)


@compiled()
def name_fibers(
    counts: Array, n_steps: int, first_step: int, n_dead: int, free_at: Array, n_named: Array, keys: Array,
    cells: Array, n_lanes: int, found_steps: Array, found_units: Array, n_found: int,
) -> int:  # fmt: skip
    """Choose the fibers that fire, append their spikes, and return the number of all spikes.

    Parameters
    ----------
    counts : ndarray of float32, shape (step, lane)
        Number of fibers of each lane's cell that fire in each step [spikes].
    n_steps, first_step : int
        Number of steps in use, and number of the first one in the sound [steps].
    n_dead : int
        Number of steps from a spike of a fiber to the earliest next one [steps].
    free_at : ndarray of int64, shape (lane, fiber)
        Step from which on each fiber is ready; advanced in place [steps].
    n_named : ndarray of int64, shape (lane,)
        Number of each cell's spikes so far; advanced in place [spikes].
    keys : ndarray of uint64, shape (lane,)
        The result of `fiber_keys` for the cells [1].
    cells : ndarray of int64, shape (lane,)
        Number of each lane's cell [1].
    n_lanes : int
        Number of lanes in use [1].
    found_steps, found_units : ndarray of int64
        Step and fiber of each spike; the first `n_found` are those of earlier calls. The number of a fiber is that of
        its cell times the number of fibers, and its number in the cell [1].
    n_found : int
        Number of spikes before this call [spikes].

    Returns
    -------
    int
        Number of spikes up to the end of this call [spikes].
    """
    n_fibers = free_at.shape[1]
    for t in range(n_steps):
        step = first_step + t
        row = counts[t]
        highest = np.float32(0.0)
        for j in range(LANES):
            highest = row[j] if row[j] > highest else highest
        if highest == np.float32(0.0):
            continue
        for j in range(n_lanes):
            for _ in range(np.int64(row[j])):
                free = free_at[j]
                n_ready = 0
                for fiber in range(n_fibers):
                    n_ready += 1 if free[fiber] <= step else 0
                # the upper 32 random bits, scaled to 0 .. n_ready - 1
                random = mixed(keys[j] + _U(n_named[j])) >> _U(32)
                rank = np.int64((random * _U(n_ready)) >> _U(32))
                fiber = 0
                while free[fiber] > step or rank > 0:
                    rank -= 1 if free[fiber] <= step else 0
                    fiber += 1
                free[fiber] = step + n_dead
                n_named[j] += 1
                found_steps[n_found] = step
                found_units[n_found] = cells[j] * n_fibers + fiber
                n_found += 1
    return n_found
