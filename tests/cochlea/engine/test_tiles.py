"""The kernels of the engine against the plain stages, tile by tile."""

from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve
from cochlea.bushy_cell import BushyCellParams, bushy_cell
from cochlea.engine.chance import DRAWS, fill_exponentials
from cochlea.engine.tiles import LANES, REACH, STEPS, fire_bushy_cells, fire_fibers, release_probability, to_hazard
from cochlea.hair_cell import HairCellParams, hair_cell, kernel_constants

RATE = 24_000
ONE_TILE = [0, 1000]  # an array may hold more steps than the engine's tiles do
WHOLE_TILES = [*range(0, 1000, STEPS), 1000]  # the last of them is partial
ODD_TILES = [0, 1, 2, 9, 23, 24, 151, 152, 280, 301, 700, 1000]
CUTS = pytest.mark.parametrize("cuts", [WHOLE_TILES, ODD_TILES], ids=["whole tiles", "odd tiles"])
UNTOUCHED = -7.0


# Hair cells

# from silence to louder than speech, and far beyond
VELOCITY = np.random.default_rng(0).standard_normal((1000, LANES + REACH)) * np.geomspace(1, 3000, LANES + REACH)
VELOCITY[300:600] = -10.0  # nothing is released
PARAMS = [
    HairCellParams(),
    HairCellParams(
        replenishment=11.11, permeability=1000.0, permeability_offset=4.0, permeability_scale=200.0, loss=1250.0,
        reuptake=16_667.0, reprocessing=250.0, release=30_000.0, capacity=2.0,
    ),
    # one pool each that a step empties by more than it holds
    HairCellParams(permeability=40_000.0),
    HairCellParams(loss=30_000.0),
    HairCellParams(reprocessing=40_000.0),
    # the free pool is overfilled in silence by what waits for reprocessing, and is not drained
    HairCellParams(replenishment=300.0, reprocessing=20.0),
]  # fmt: skip


def release(
    velocity: NDArray[np.float64], taps: NDArray[np.float64], params: HairCellParams, cuts: list[int]
) -> NDArray[np.float32]:
    """Probability (step, lane) from rest on, in tiles between the cuts."""
    rates, membrane = kernel_constants(RATE, params, np.float32)
    pools = np.tile(np.array(params.resting_pools, np.float32)[:, None], (1, LANES))
    probability = np.empty((cuts[-1], LANES), np.float32)
    tile = np.empty((1000, LANES + REACH), np.float32)
    for start, stop in pairwise(cuts):
        tile[: stop - start] = velocity[start:stop]
        filled = np.full((1000, LANES), UNTOUCHED, np.float32)
        release_probability(tile, taps.astype(np.float32), stop - start, rates, membrane, pools, filled)
        probability[start:stop] = filled[: stop - start]
        assert np.all(filled[stop - start :] == UNTOUCHED)
    return probability


def assert_close_to_float64(
    probability: NDArray[np.float32], velocity: NDArray[np.float64], params: HairCellParams
) -> None:
    """Within what float32 rounds: 4e-6 of it (measured), which does not grow with time; less where it has died."""
    expected = hair_cell(np.ascontiguousarray(velocity.T), RATE, params).T
    np.testing.assert_allclose(probability, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("params", PARAMS)
def test_the_release_is_that_of_the_plain_hair_cell(params: HairCellParams) -> None:
    taps = np.zeros(REACH + 1)
    taps[REACH // 2] = 1.0
    moved = VELOCITY[:, REACH // 2 :][:, :LANES]
    assert_close_to_float64(release(VELOCITY, taps, params, WHOLE_TILES), moved, params)


@pytest.mark.parametrize("row", range(REACH + 1))
def test_a_single_tap_picks_its_row(row: int) -> None:
    probability = release(VELOCITY, np.eye(REACH + 1)[row], PARAMS[0], ONE_TILE)
    assert_close_to_float64(probability, VELOCITY[:, row : row + LANES], PARAMS[0])


def test_the_taps_mix_the_rows_around_a_lane() -> None:
    taps = np.random.default_rng(1).normal(0, 0.4, REACH + 1).astype(np.float32)
    moved = sum(tap * VELOCITY[:, row : row + LANES] for row, tap in enumerate(taps))
    assert_close_to_float64(release(VELOCITY, taps, PARAMS[0], WHOLE_TILES), moved, PARAMS[0])


def test_whatever_the_velocity_a_probability_is_a_number_and_not_negative() -> None:
    brutal = np.tile([1e30, -1e30, 1e4, 0.0], (1000, LANES))[:, : LANES + REACH]
    brutal[::2, 2::4] *= -1
    assert np.all(release(brutal, np.eye(REACH + 1)[0], PARAMS[0], WHOLE_TILES) >= 0)


@CUTS
def test_the_pools_are_carried_from_tile_to_tile(cuts: list[int]) -> None:
    taps = np.linspace(-0.5, 1, REACH + 1)
    np.testing.assert_array_equal(
        release(VELOCITY, taps, PARAMS[0], cuts), release(VELOCITY, taps, PARAMS[0], ONE_TILE)
    )


# Hazard

# Float32: a few roundings of 6e-8. The series' first missing term is 1.3e-8 of the hazard, its last 1.4e-7.
HAZARD_TOLERANCE = 2e-7
MOST_PROBABLE = float(np.float32(1 - 1e-6))


def hazard_of(probability: NDArray[np.float64]) -> NDArray[np.float32]:
    hazard = np.full((STEPS, LANES), UNTOUCHED, np.float32)
    n_steps = probability.size // LANES
    hazard[:n_steps] = probability.reshape(n_steps, LANES)
    to_hazard(hazard, n_steps)
    assert np.all(hazard[n_steps:] == UNTOUCHED)
    return hazard[:n_steps].ravel()


@pytest.mark.parametrize("highest", [1e-6, 0.01, 0.0999, 0.1, 0.1001, 0.15, 0.2, 0.9, 1.0])
@pytest.mark.parametrize("n_steps", [STEPS, 5])
def test_the_hazard_is_the_logarithm(highest: float, n_steps: int) -> None:
    n = n_steps * LANES // 2
    probability = highest * np.r_[np.geomspace(1e-9, 1, n), np.linspace(0, 1, n)]
    capped = np.minimum(probability.astype(np.float32).astype(np.float64), MOST_PROBABLE)
    np.testing.assert_allclose(hazard_of(probability), -np.log1p(-capped), rtol=HAZARD_TOLERANCE)


@pytest.mark.parametrize("lane", range(0, LANES, 9))
@pytest.mark.parametrize("step", [0, 4])
def test_one_probable_lane_is_enough_for_the_logarithm(lane: int, step: int) -> None:
    probability = np.full((5, LANES), 1e-3)
    probability[step, lane] = 0.8  # the series would give 1.42
    expected = -np.log1p(-probability.astype(np.float32).astype(np.float64)).ravel()
    np.testing.assert_allclose(hazard_of(probability), expected, rtol=HAZARD_TOLERANCE)


@pytest.mark.parametrize("other", [0.0, 0.05, 0.5, 1.0])
def test_impossibility_has_exactly_no_hazard(other: float) -> None:
    hazard = hazard_of(np.tile([0.0, other], LANES))
    np.testing.assert_array_equal(hazard[::2], 0.0)


@pytest.mark.parametrize("probability", [1.0, 3.0, 1e30])
def test_certainty_has_the_hazard_of_the_most_probable(probability: float) -> None:
    np.testing.assert_array_equal(hazard_of(np.full(LANES, probability)), hazard_of(np.full(LANES, MOST_PROBABLE)))


# Fibers

WORDS = np.array([1, 2, 3, 4], np.uint32)
CELLS = np.random.default_rng(2).permutation(2**20)[:LANES]


class Fibers(NamedTuple):
    """The state of the fibers of 64 hair cells, as `fire_fibers` takes it."""

    ring: NDArray[np.float32]
    waiting: NDArray[np.float32]
    drawn: NDArray[np.int64]
    draws: NDArray[np.float32]
    cells: NDArray[np.int64]
    words: NDArray[np.uint32]
    bits: NDArray[np.uint32]


def all_ready(n_fibers: int, n_dead: int, cells: NDArray[np.int64]) -> Fibers:
    """Fibers that have never fired; the first number of each stream is the wait for the first spike."""
    bits, draws = np.empty(DRAWS, np.uint32), np.empty((LANES, DRAWS), np.float32)
    for cell, block in zip(cells, draws, strict=True):
        fill_exponentials(0, cell, WORDS, bits, block)
    return Fibers(
        ring=np.zeros((n_dead, LANES), np.float32),
        waiting=np.stack([np.full(LANES, n_fibers, np.float32), draws[:, 0]]),
        drawn=np.ones((2, LANES), np.int64),
        draws=draws,
        cells=cells,
        words=WORDS,
        bits=bits,
    )


def fire(
    hazard: NDArray[np.float32], fibers: Fibers, cuts: list[int] | None = None, *, first_step: int = 0
) -> NDArray[np.int64]:
    """Spikes (step, lane), in tiles between the cuts; the state of the fibers is advanced."""
    spikes = np.zeros(hazard.shape, np.float32)
    for start, stop in pairwise(cuts or [0, len(hazard)]):
        filled = np.full(hazard.shape, UNTOUCHED, np.float32)
        tile = np.full(hazard.shape, 5.0, np.float32)  # what lies behind the end of a tile must not count
        tile[: stop - start] = hazard[start:stop]
        row = (first_step + start) % fibers.ring.shape[0]
        ring, waiting, drawn, draws, cells = (array[None] for array in fibers[:5])
        fire_fibers(tile[None], stop - start, row, ring, waiting, drawn, draws, cells, *fibers[5:], filled[None])
        spikes[start:stop] = filled[: stop - start] - UNTOUCHED
        assert np.all(filled[stop - start :] == UNTOUCHED)
    return spikes.astype(np.int64)


def one_by_one(hazard: NDArray[np.float64], n_fibers: int, n_dead: int, cell: int) -> list[int]:
    """The spikes of one cell's fibers, from the same stream of exponential numbers, in float64."""
    bits, block, draws, n_blocks = np.empty(DRAWS, np.uint32), np.empty(DRAWS, np.float32), [], 0
    spikes, ready, left = [], n_fibers, None
    for t, h in enumerate(hazard.tolist()):
        while len(draws) <= n_fibers:
            fill_exponentials(n_blocks, cell, WORDS, bits, block)
            draws, n_blocks = [*draws, *block.tolist()], n_blocks + 1
        left = draws.pop(0) if left is None else left
        ready += spikes[t - n_dead] if t >= n_dead else 0
        left -= ready * h
        spikes.append(0)
        while left < 0 and ready > 0:
            rest_of_step = min(-left / ready, h)
            ready -= 1
            spikes[t] += 1
            left = draws.pop(0) - ready * rest_of_step
    return spikes


# Every lane has its own course, from 0.002 to 0.6 per step, with silent steps in it. In units of 2**-16 the sums over
# silent steps are exact in float32.
COURSES = np.random.default_rng(4).uniform(0, 2, (1000, LANES)) * np.geomspace(0.001, 0.3, LANES)
COURSES = (np.round(COURSES * 2**16) / 2**16).astype(np.float32)
COURSES[100:150] = 0.0


@pytest.mark.parametrize(("n_fibers", "n_dead"), [(1, 24), (8, 24), (40, 24), (40, 1), (3, 1), (8, 500)])
def test_the_spikes_are_those_of_a_plain_loop(n_fibers: int, n_dead: int) -> None:
    fibers = all_ready(n_fibers, n_dead, CELLS)
    spikes = fire(COURSES, fibers)
    # A count could only differ where a wait ends within rounding, 1e-6, of a step's end.
    expected = [one_by_one(COURSES[:, lane], n_fibers, n_dead, int(CELLS[lane])) for lane in range(LANES)]
    np.testing.assert_array_equal(spikes.T, expected)
    # the number of a stream that is used is that of the spikes, and the one that is waited for
    np.testing.assert_array_equal(DRAWS * (fibers.drawn[0] - 1) + fibers.drawn[1], spikes.sum(axis=0) + 1)
    last = spikes[max(0, len(spikes) - n_dead) :].sum(axis=0)
    np.testing.assert_array_equal(fibers.ring.sum(axis=0), last)
    np.testing.assert_array_equal(fibers.waiting[0], n_fibers - last)


@CUTS
@pytest.mark.parametrize("n_dead", [1, 24, 500])
def test_the_fibers_are_carried_from_tile_to_tile(cuts: list[int], n_dead: int) -> None:
    whole, parts = all_ready(8, n_dead, CELLS), all_ready(8, n_dead, CELLS)
    np.testing.assert_array_equal(fire(COURSES, parts, cuts), fire(COURSES, whole))
    for left, right in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_ring_may_begin_anywhere() -> None:
    late = fire(COURSES, all_ready(8, 24, CELLS), WHOLE_TILES, first_step=1007)
    np.testing.assert_array_equal(late, fire(COURSES, all_ready(8, 24, CELLS)))


@pytest.mark.parametrize(("n_fibers", "n_dead"), [(8, 24), (40, 1), (1, 3)])
def test_a_high_hazard_fires_all_fibers_and_then_none_for_the_dead_time(n_fibers: int, n_dead: int) -> None:
    spikes = fire(np.full((100, LANES), 200.0, np.float32), all_ready(n_fibers, n_dead, CELLS))
    expected = np.zeros((100, LANES))
    expected[::n_dead] = n_fibers
    np.testing.assert_array_equal(spikes, expected)


def test_without_hazard_none_fires_and_nothing_is_used_up() -> None:
    fibers = all_ready(8, 24, CELLS)
    assert not fire(np.zeros((1000, LANES), np.float32), fibers).any()
    for left, right in zip(fibers, all_ready(8, 24, CELLS), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("hazard", [0.002, 0.7, 13.8])
@pytest.mark.parametrize("n_dead", [2, 24])
def test_no_fiber_fires_twice_within_the_dead_time(hazard: float, n_dead: int) -> None:
    spikes = fire(np.full((1000, LANES), hazard, np.float32), all_ready(3, n_dead, CELLS))
    in_dead_time = np.apply_along_axis(np.convolve, 0, spikes, np.ones(n_dead, int))
    assert in_dead_time.max() == 3 if hazard > 0.1 else in_dead_time.max() <= 3


# Rest, an onset, a modulated tone: up to 0.5 per step, as loud as speech gets.
PROBABILITY = np.concatenate([np.full(100, 0.003), np.full(60, 0.5), 0.06 + 0.05 * np.sin(np.arange(240) / 4)])
N_TRIALS = 2048


Populations = tuple[NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(scope="module", params=[8, 40])
def populations(request: pytest.FixtureRequest) -> Populations:
    """The same trials twice, shape (trial, step): as the engine draws them, and as the plain stage does."""
    hazard = np.tile(PROBABILITY.astype(np.float32)[:, None], (1, LANES))
    to_hazard(hazard, len(hazard))
    batches = np.arange(N_TRIALS).reshape(-1, LANES)
    drawn = np.concatenate([fire(hazard, all_ready(request.param, 24, cells)).T for cells in batches])
    params, rng = AuditoryNerveParams(n_fibers=request.param), np.random.default_rng(4)
    rows = np.tile(PROBABILITY, (N_TRIALS, 1))
    return drawn, auditory_nerve(rows, RATE, params, rng).astype(np.int64)


def z_of_means(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt((a.var(axis=0) + b.var(axis=0)) / a.shape[0])


def test_each_step_has_the_mean_count_of_the_plain_stage(populations: Populations) -> None:
    z = z_of_means(*populations)
    # 400 steps: the spread of z is 1 +- 0.035 (neighbors are correlated: 0.05), its largest value below 4.5
    assert np.std(z) == pytest.approx(1, abs=0.2)
    assert np.abs(z).max() < 4.5


def test_each_step_has_the_variance_of_the_plain_stage(populations: Populations) -> None:
    z = z_of_means(*((counts - counts.mean(axis=0)) ** 2 for counts in populations))
    assert np.std(z) == pytest.approx(1, abs=0.2)
    assert np.abs(z).max() < 5  # squares have heavier tails


def test_the_total_of_a_trial_varies_as_in_the_plain_stage(populations: Populations) -> None:
    drawn, plain = (counts.sum(axis=1) for counts in populations)
    assert abs(z_of_means(drawn, plain)) < 4
    # the ratio of two variances of 2048 trials has a standard deviation of 4.4 %
    assert drawn.var() / plain.var() == pytest.approx(1, abs=0.18)


# Bushy cells

FIBER_SPIKES = np.random.default_rng(5).poisson(np.geomspace(0.05, 10, LANES), (1000, LANES)).astype(np.float32)


def fire_bushy(
    params: BushyCellParams, cuts: list[int], *, n_lanes: int = LANES, first_step: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps and lanes of the spikes, in tiles between the cuts."""
    steps, lanes = np.full((2, FIBER_SPIKES.size), -1)
    state, n_fired = np.zeros((3, LANES)), 0
    constants = params.kernel_constants(RATE, 40)
    for start, stop in pairwise(cuts):
        tile = np.full((1000, LANES), 1e6, np.float32)  # what lies behind the end of a tile must not count
        tile[: stop - start] = FIBER_SPIKES[start:stop]
        n_fired = fire_bushy_cells(
            tile, stop - start, n_lanes, first_step + start, constants, params.refractory_steps(RATE),
            state, steps, lanes, n_fired,
        )  # fmt: skip
    assert np.all(steps[n_fired:] == -1)
    return steps[:n_fired], lanes[:n_fired]


def plain_spikes(params: BushyCellParams, n_lanes: int = LANES) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same from the plain stage, ordered by step, then by lane."""
    steps, lanes = bushy_cell(FIBER_SPIKES.T[:n_lanes].astype(np.int64), RATE, params, n_fibers=40)
    order = np.lexsort((lanes, steps))
    return steps[order], lanes[order]


@CUTS
@pytest.mark.parametrize(
    "params",
    [
        BushyCellParams(),
        BushyCellParams(tau_mem=4e-3, tau_syn=1e-3, tau_refractory=2e-3, weight=9000.0, threshold=2.0),
        BushyCellParams(tau_refractory=0.0),
        BushyCellParams(tau_refractory=1 / RATE),
        BushyCellParams(tau_refractory=200 / RATE),  # longer than a tile
    ],
)
def test_the_spikes_are_exactly_those_of_the_plain_bushy_cells(params: BushyCellParams, cuts: list[int]) -> None:
    steps, lanes = plain_spikes(params)
    assert steps.size > 100
    np.testing.assert_array_equal(fire_bushy(params, cuts), (steps, lanes))


@pytest.mark.parametrize("n_lanes", [1, 33, LANES - 1])
def test_lanes_that_are_not_used_report_nothing(n_lanes: int) -> None:
    spikes = fire_bushy(BushyCellParams(), WHOLE_TILES, n_lanes=n_lanes)
    np.testing.assert_array_equal(spikes, plain_spikes(BushyCellParams(), n_lanes))


def test_steps_are_counted_from_the_first_of_the_sound() -> None:
    steps, lanes = plain_spikes(BushyCellParams())
    shifted = fire_bushy(BushyCellParams(), WHOLE_TILES, first_step=123_456_789_012)
    np.testing.assert_array_equal(shifted, (steps + 123_456_789_012, lanes))


@pytest.mark.parametrize("n_counted", [1, 3])
def test_cells_of_a_lane_fire_as_each_does_alone(n_counted: int) -> None:
    alone = [all_ready(8, 24, CELLS + cell) for cell in range(3)]
    together = [np.stack(arrays) for arrays in zip(*(fibers[:5] for fibers in deepcopy(alone)), strict=True)]
    hazard = np.stack([np.roll(COURSES[:STEPS], cell, axis=1) for cell in range(3)])
    spikes = np.zeros((n_counted, STEPS, LANES), np.float32)
    fire_fibers(hazard, STEPS, 5, *together, *alone[0][5:], spikes)
    expected = np.stack([fire(each, fibers, first_step=5) for each, fibers in zip(hazard, alone, strict=True)])
    np.testing.assert_array_equal(spikes, expected if n_counted == 3 else expected.sum(axis=0, keepdims=True))
    for advanced, number in zip(together, range(5), strict=True):
        np.testing.assert_array_equal(advanced, np.stack([fibers[number] for fibers in alone]))
