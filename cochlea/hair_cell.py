"""From velocity to release probability: the transmitter pools of the inner hair cell (Meddis 1986, 1988)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cochlea.checks import Count, Positive, check_fields, checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.interpolation import lagrange_weights
from cochlea.signals import as_signals

# Places from which the velocity at a cell is interpolated. With four places (cubic) the release probability is off by
# up to 3e-3, with six (quintic) by 1e-4 (measured).
NODES = 6
_TILE = 16  # cells that a kernel advances together, step by step: 64 bytes of float32, one or two vector registers
_CHUNK = 128  # steps that it transposes at once: 8 kB for a tile, which stays in the first-level cache


@dataclass(frozen=True, kw_only=True)
class HairCellParams:
    """The parameters of the inner hair cells; the defaults are those of the published converter.

    Parameters
    ----------
    n_per_place : int
        Number of hair cells of a channel, side by side on the membrane [cells].
    replenishment : float
        y, the rate at which the free pool is replenished [1/s].
    permeability : float
        g, the largest permeability of the cell membrane [1/s].
    permeability_offset : float
        A: the permeability vanishes where the velocity is at or below -A [1].
    permeability_scale : float
        B: the permeability is half of g where the velocity is B - A [1].
    loss : float
        l, the rate at which transmitter is lost from the cleft [1/s].
    reuptake : float
        r, the rate at which transmitter returns from the cleft into the cell [1/s].
    reprocessing : float
        x, the rate at which returned transmitter becomes free again [1/s].
    release : float
        h, the rate at which a fiber fires per unit of transmitter in the cleft [1/s].
    capacity : float
        M, the amount of transmitter up to which the free pool is replenished [1].
    """

    n_per_place: Count = 5  # 700 channels then have the 3,500 inner hair cells of a human cochlea
    # As in the published converter. They are the values of Meddis, Hewitt, Shackleton, JASA 87:1813 (1990), for a fiber
    # of high spontaneous rate (with x = 66.31 there).
    replenishment: Positive = 5.05
    permeability: Positive = 2000.0
    permeability_offset: Positive = 5.0
    permeability_scale: Positive = 300.0
    loss: Positive = 2500.0
    reuptake: Positive = 6580.0
    reprocessing: Positive = 66.3
    release: Positive = 50_000.0
    capacity: Positive = 1.0

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def resting_pools(self) -> tuple[float, float, float]:
        """Contents of the free, cleft and reprocessing pool [1] in equilibrium at velocity 0."""
        # With all derivatives zero, k q = (l + r) c, x w = r c, and what is lost is replenished: l c = y (M - q).
        k = self.permeability * self.permeability_offset / (self.permeability_offset + self.permeability_scale)
        emptying = self.loss + self.reuptake
        cleft = self.capacity * self.replenishment * k / (self.loss * k + self.replenishment * emptying)
        return cleft * emptying / k, cleft, cleft * self.reuptake / self.reprocessing


def hair_cell(velocity: NDArray[np.floating], sample_rate: int, params: HairCellParams) -> NDArray[np.floating]:
    """The probability that a nerve fiber that is not refractory fires in each step.

    The membrane's permeability to transmitter is k = g (v + A) / (v + A + B) where v + A > 0, and 0 elsewhere. The free
    pool q, the cleft c and the reprocessing pool w change by dq = y (M - q) [only where q < M] + x w - k q,
    dc = k q - (l + r) c and dw = r c - x w per second, and the probability is h c dt. The equations are integrated with
    forward Euler steps at the rate of the velocity, from the resting equilibrium; no pool falls below zero.

    Parameters
    ----------
    velocity : ndarray, shape (cell, sample)
        Velocity of the basilar membrane at each cell [1].
    sample_rate : int
        Rate of the velocity [Hz]. Forward Euler is stable where (l + r) dt, (g + y) dt and x dt are below 2, and
        accurate where they are well below 1.
    params : HairCellParams

    Returns
    -------
    ndarray, shape (cell, sample)
        Probability per step, in the type of the velocity, or in float64 if the velocity has integers [1].

    Raises
    ------
    ValueError
        If the sample rate is so low that the Euler steps are unstable, or the velocity is not two-dimensional.
    TypeError
        If `params` is not a `HairCellParams`.

    References
    ----------
    Meddis, JASA 79:702 (1986), equations 1 to 5; Meddis, JASA 83:1056 (1988).
    """
    params = checked_object("params", params, HairCellParams)
    velocity = as_signals("velocity", velocity, "cell", "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    rates, membrane = kernel_constants(sample_rate, params, velocity.dtype)
    probability = np.empty_like(velocity)
    _advance_pools(velocity, rates, membrane, np.array(params.resting_pools, velocity.dtype), probability)
    return probability


def kernel_constants(
    sample_rate: int, params: HairCellParams, dtype: DTypeLike
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The constants of the kernels: the rates y, g, l + r, r, x and h per step [1], and A, B and M [1].

    Parameters
    ----------
    sample_rate : int
        Steps per second [Hz].
    params : HairCellParams
    dtype : dtype
        Float type of the result.

    Returns
    -------
    rates : ndarray, shape (6,)
    membrane : ndarray, shape (3,)

    Raises
    ------
    ValueError
        If the sample rate is so low that the Euler steps are unstable.
    """
    p = params
    # Forward Euler is stable up to a rate of 2 per step. k + y is at most g + y, since k never exceeds g.
    fastest = max(p.loss + p.reuptake, p.permeability + p.replenishment, p.reprocessing)
    if sample_rate <= fastest / 2:
        raise ValueError(f"hair_cell needs a sample_rate above {fastest / 2:g} Hz to be stable, got {sample_rate}")
    rates = np.array([p.replenishment, p.permeability, p.loss + p.reuptake, p.reuptake, p.reprocessing, p.release])
    membrane = np.array([p.permeability_offset, p.permeability_scale, p.capacity])
    return (rates / sample_rate).astype(dtype), membrane.astype(dtype)


def cell_offsets(n_per_place: int) -> NDArray[np.float64]:
    """Positions of the hair cells of a place relative to it, in distances between places [1]; shape (n_per_place,)."""
    return (np.arange(n_per_place) - (n_per_place - 1) / 2) / n_per_place


def place_hair_cells(
    velocity: NDArray[np.floating], n_per_place: int, places: range | None = None
) -> NDArray[np.floating]:
    """The velocity at the hair cells around some places, by polynomial interpolation between the places.

    The cells of a place are evenly spaced: five of them stand at -0.4, -0.2, 0, 0.2 and 0.4 of the distance between
    places. The velocity varies slowly along the membrane. At the default distance of 50 um, the quintic through six
    places is within 1e-4 of the exact solution's peak, except at the outermost cells of the last place (3e-4), which
    lie beyond it.

    Parameters
    ----------
    velocity : ndarray, shape (place, sample)
        Velocity at evenly spaced places, at least four unless `n_per_place` is 1 [1].
    n_per_place : int
        Number of cells around each place [cells].
    places : range, optional
        The places whose cells are wanted; default: all.

    Returns
    -------
    ndarray, shape (len(places) * n_per_place, sample)
        Velocity at the cells from base to apex; a view of `velocity` if `n_per_place` is 1 [1].

    Raises
    ------
    ValueError
        If there are fewer than four places to interpolate between, or the velocity is not two-dimensional.
    """
    velocity = as_signals("velocity", velocity, "place", "sample")
    n_per_place = whole_number("n_per_place", n_per_place, at_least=1)
    n_places = velocity.shape[0]
    places = range(n_places) if places is None else places
    if n_per_place == 1:
        return velocity[places.start : places.stop]
    if n_places < 4:
        raise ValueError(f"place_hair_cells needs at least 4 places to interpolate between, got {n_places}")
    n_nodes = min(NODES, n_places)
    positions = (np.array(places)[:, None] + cell_offsets(n_per_place)).ravel()
    # The nodes lie symmetrically around a cell, where the interpolation is most accurate, except at the two ends.
    first = np.clip(np.floor(positions).astype(np.int64) - (n_nodes // 2 - 1), 0, n_places - n_nodes)
    cells = np.empty((positions.size, velocity.shape[1]), velocity.dtype)
    _mix_rows(velocity, first, lagrange_weights(positions - first, n_nodes).astype(velocity.dtype), cells)
    return cells


@compiled()
def _mix_rows(rows: Array, first: Array, taps: Array, mixed: Array) -> None:
    for cell in range(mixed.shape[0]):
        out = mixed[cell]
        out[:] = 0.0
        for node in range(taps.shape[1]):
            tap, row = taps[cell, node], rows[first[cell] + node]
            for t in range(out.size):
                out[t] += tap * row[t]


@compiled()
def _advance_pools(velocity: Array, rates: Array, membrane: Array, rest: Array, probability: Array) -> None:
    # Meddis's letters; rates are per step. Time is sequential, so the loop over cells is the one that is vectorized:
    # tiles of cells are transposed, and one step of a whole tile is one vector.
    y, g, lr, r, x, h = rates
    A, B, M = membrane
    zero = rest[0] - rest[0]  # in the type of the arrays: a literal 0.0 would turn float32 arithmetic into float64
    tile = np.empty((_CHUNK, _TILE), velocity.dtype)
    pools = np.empty((3, _TILE), velocity.dtype)
    n_cells, n_samples = velocity.shape
    for first in range(0, n_cells, _TILE):
        n_tile = min(_TILE, n_cells - first)
        for i in range(3):
            pools[i] = rest[i]
        q, c, w = pools[0], pools[1], pools[2]
        for start in range(0, n_samples, _CHUNK):
            n_chunk = min(_CHUNK, n_samples - start)
            for j in range(n_tile):
                for t in range(n_chunk):
                    tile[t, j] = velocity[first + j, start + t]
            for t in range(n_chunk):
                v = tile[t]
                for j in range(_TILE):  # even if the last tile has fewer cells: a constant count can be unrolled
                    drive = v[j] + A
                    drive = drive if drive > zero else zero
                    k = g * drive / (drive + B)
                    deficit = M - q[j]
                    deficit = deficit if deficit > zero else zero
                    ejected = k * q[j]
                    returned = r * c[j]
                    reprocessed = x * w[j]
                    # All changes are taken from the old pools, as forward Euler asks; the probability is that of the
                    # new cleft. Conditional expressions are vectorized where max() is not.
                    q_next = q[j] + y * deficit - ejected + reprocessed
                    c_next = c[j] + ejected - lr * c[j]
                    w_next = w[j] + returned - reprocessed
                    q[j] = q_next if q_next > zero else zero
                    c[j] = c_next if c_next > zero else zero
                    w[j] = w_next if w_next > zero else zero
                    v[j] = h * c[j]
            for j in range(n_tile):
                for t in range(n_chunk):
                    probability[first + j, start + t] = tile[t, j]
