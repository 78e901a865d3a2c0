"""The velocity of a block of places at the steps of a tile, as the kernels of hair cells take it: (step, lane)."""

import numpy as np
from numpy.typing import NDArray

from cochlea.compilation import Array, compiled
from cochlea.engine.compressing import compress_tile
from cochlea.engine.periodic import N_TAPS, taps_of_steps
from cochlea.engine.tiles import LANES, REACH
from cochlea.engine.turning import turn
from cochlea.hair_cell import NODES, cell_offsets
from cochlea.interpolation import lagrange_weights
from cochlea.transfer_table import N_BEYOND


def cell_taps(n_per_place: int) -> NDArray[np.float32]:
    """The weights of the places around each hair cell of a channel; shape (cell of a place, REACH + 1).

    Parameters
    ----------
    n_per_place : int
        Number of hair cells of a channel [cells].
    """
    # Rows of the table begin N_BEYOND places before the membrane, so column j of a tile of velocity is the place
    # N_BEYOND before lane j. All lanes share their taps, which is why the rows beyond the ends are needed.
    position = cell_offsets(n_per_place) + N_BEYOND
    first = np.floor(position).astype(np.int64) - (NODES // 2 - 1)
    taps = np.zeros((position.size, REACH + 1), np.float32)
    weights = lagrange_weights(position - first, NODES).astype(np.float32)
    np.put_along_axis(taps, first[:, None] + np.arange(NODES), weights, axis=1)
    return taps


@compiled()
def load_tile(
    grid: Array, start: float, pitch: float, aligned: bool, passive_grid: Array, passive_start: float,
    passive_pitch: float, passive_aligned: bool, constants: Array, per_knee: Array, state: Array,
    first: int, n_steps: int, polynomials: Array, source: Array, passive: Array, tile: Array,
) -> None:  # fmt: skip
    """Fill a tile with the velocity of a block: of the only membrane, or mixed of the active and the passive one.

    Parameters
    ----------
    grid, start, pitch, aligned, passive_grid, passive_start, passive_pitch, passive_aligned, constants, per_knee, state
        The fields of `motion.Motion`.
    first, n_steps : int
        Number of the first step in the segment, and number of steps [steps].
    polynomials : ndarray of float32
        See `periodic.kernel_polynomials` [1].
    source : ndarray of float32, shape (at least `source_points`, row)
        Scratch space for grid points.
    passive : ndarray of float32, shape (step, row)
        Scratch space for the velocity of the passive membrane.
    tile : ndarray of float32, shape (step, row)
        The result [1 or m/s].
    """
    if aligned:  # the steps of a causal segment lie within the period of the grid, so nothing wraps around
        copy_tile(grid, np.int64(start) + first, n_steps, tile)
    else:
        interpolate_tile(grid, start + first * pitch, pitch, n_steps, polynomials, source, tile)
    if passive_grid.shape[0] == 0:
        return
    if passive_aligned:
        copy_tile(passive_grid, np.int64(passive_start) + first, n_steps, passive)
    else:
        interpolate_tile(
            passive_grid, passive_start + first * passive_pitch, passive_pitch, n_steps, polynomials, source, passive
        )
    compress_tile(tile, passive, n_steps, constants, per_knee, state)


@compiled()
def source_points(n_steps: int, pitch: float, passive_pitch: float) -> int:
    """How many grid points the steps of a tile span at most, with the taps and one to spare at either end.

    Parameters
    ----------
    n_steps : int
        Number of steps of a tile [steps].
    pitch, passive_pitch : float
        As for `load_tile` [grid points].
    """
    return int(n_steps * max(pitch, passive_pitch)) + N_TAPS + 2


@compiled()
def copy_tile(grid: Array, first: np.int64, n_steps: int, tile: Array) -> None:
    """Copy grid points into a tile, which turns (row, step) into (step, lane).

    Parameters
    ----------
    grid : ndarray of float32, shape (pair of rows, grid point, 2)
        As in `traveling_wave.Velocity` [1].
    first : int
        The first grid point [1].
    n_steps : int
        Number of grid points [steps].
    tile : ndarray of float32, shape (step, row)
        The result [1].
    """
    # A pair of rows is copied as one number of 64 bits.
    turn(grid.view(np.int64)[:, first : first + n_steps, 0], tile.view(np.int64))


@compiled()
def interpolate_tile(
    grid: Array, position: float, pitch: float, n_steps: int, polynomials: Array, source: Array, tile: Array,
) -> None:  # fmt: skip
    """Interpolate the periodic grid at the steps of a tile.

    Parameters
    ----------
    grid : ndarray of float32, shape (pair of rows, grid point, 2)
        As in `traveling_wave.Velocity` [1].
    position, pitch : float
        Position of the first step, and distance between steps [grid points].
    n_steps : int
        Number of steps [steps].
    polynomials : ndarray of float32
        See `periodic.kernel_polynomials` [1].
    source : ndarray of float32, shape (grid point, row)
        Scratch space.
    tile : ndarray of float32, shape (step, row)
        The result [1].
    """
    # The grid points needed are first copied to `source`, turned to (point, lane), in more than one piece where they go
    # past the end of the periodic grid.
    taps, starts = np.empty((N_TAPS + 1, n_steps), np.float32), np.empty(n_steps, np.int64)
    taps_of_steps(position, pitch, n_steps, polynomials, taps, starts)
    begin = starts[0]
    n_source = starts[n_steps - 1] - begin + N_TAPS
    period = grid.shape[1]
    copied = 0
    while copied < n_source:
        at = (begin + copied) % period
        n = min(period - at, n_source - copied)
        copy_tile(grid, at, n, source[copied:])
        copied += n
    for t in range(n_steps):
        first = starts[t] - begin
        # spelled out, so that the loop over lanes is vectorized
        a, b, c, d = taps[0, t], taps[1, t], taps[2, t], taps[3, t]
        e, f, g, h = taps[4, t], taps[5, t], taps[6, t], taps[7, t]
        for j in range(LANES + REACH):
            tile[t, j] = (
                a * source[first, j] + b * source[first + 1, j] + c * source[first + 2, j]
                + d * source[first + 3, j] + e * source[first + 4, j] + f * source[first + 5, j]
                + g * source[first + 6, j] + h * source[first + 7, j]
            )  # fmt: skip
