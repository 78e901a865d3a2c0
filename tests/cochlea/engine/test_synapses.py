"""The kernels for hair cells with three classes of fibers against the plain stages, tile by tile."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve
from cochlea.engine.chance import DRAWS
from cochlea.engine.classes import cell_constants, pool_constants
from cochlea.engine.synapses import calcium_cubed, fire_classes, first_streams, power_of_two, release_vesicles
from cochlea.engine.tiles import LANES, REACH, STEPS
from cochlea.sumner_hair_cell import (
    SumnerHairCellParams,
    calcium_drive,
    receptor_potential,
    release,
    release_rates,
    resting_pools,
)

RATE = 24_000
N_STEPS = 1000
ONE_TILE = [0, N_STEPS]
WHOLE_TILES = [*range(0, N_STEPS, STEPS), N_STEPS]
ODD_TILES = [0, 1, 2, 9, 23, 24, 151, 152, 280, 301, 700, N_STEPS]
CUTS = pytest.mark.parametrize("cuts", [WHOLE_TILES, ODD_TILES], ids=["whole tiles", "odd tiles"])
UNTOUCHED = -7.0
PARAMS = SumnerHairCellParams()
MIDDLE = np.eye(REACH + 1, dtype=np.float32)[REACH // 2]

# from silence to a velocity of 10 mm/s, louder than any sound makes it
VELOCITY = np.random.default_rng(0).standard_normal((N_STEPS, LANES + REACH)) * np.geomspace(1e-9, 1e-2, LANES + REACH)
VELOCITY[300:600] = 0.0
MOVED = np.ascontiguousarray(VELOCITY[:, REACH // 2 :][:, :LANES].T)


def test_a_power_of_two_is_exact_but_for_rounding():
    exponents = np.r_[np.linspace(-126, 126, 20_001), np.arange(-126, 127), np.linspace(-1e-6, 1e-6, 11)]
    exponents = exponents.astype(np.float32)
    powers = np.array([power_of_two(each) for each in exponents], np.float64)
    np.testing.assert_allclose(powers, 2.0 ** exponents.astype(np.float64), rtol=2.5e-7)


# Potential and calcium


def calcium(velocity: NDArray[np.float64], taps: NDArray[np.float32], params: SumnerHairCellParams, cuts: list[int]):
    rest = params.resting_potential
    at_rest = [0.0, rest, params.open_calcium_channels(rest), params.resting_drive]
    state = np.tile(np.array(at_rest, np.float32)[:, None], (1, LANES))
    cubed = np.empty((cuts[-1], LANES), np.float32)
    tile = np.empty((N_STEPS, LANES + REACH), np.float32)
    for start, stop in pairwise(cuts):
        tile[: stop - start] = velocity[start:stop]
        filled = np.full((N_STEPS, LANES), UNTOUCHED, np.float32)
        calcium_cubed(tile, taps, stop - start, cell_constants(RATE, params), state, filled)
        cubed[start:stop] = filled[: stop - start]
        assert np.all(filled[stop - start :] == UNTOUCHED)
    return cubed, state


def assert_close(cubed: NDArray[np.float32], expected: NDArray[np.float64]) -> None:
    """Within what float32 rounds.

    A potential of 50 mV is known to 2e-8 V, the open channels to 2e-6, and their ninth power to 2e-5. A displacement of
    u steep scales is known to 1e-7 u, which tells in loud sounds.
    """
    np.testing.assert_allclose(cubed.T[: LANES // 2], expected[: LANES // 2] ** 3, rtol=3e-5)
    np.testing.assert_allclose(cubed.T, expected**3, rtol=3e-4)


@pytest.mark.parametrize(
    "params",
    [
        PARAMS,
        SumnerHairCellParams(cilia_gain=2.0, tau_cilia=1e-3, conductance_rest=3e-9, displacement_scale_steep=20e-9),
    ],
)
def test_the_calcium_is_that_of_the_plain_stages(params):
    cubed, state = calcium(VELOCITY, MIDDLE, params, WHOLE_TILES)
    potential = receptor_potential(MOVED, RATE, params)
    expected = calcium_drive(potential, RATE, params)
    assert_close(cubed, expected)
    np.testing.assert_allclose(state[1], potential[:, -1], rtol=1e-4)
    np.testing.assert_allclose(state[3], expected[:, -1], rtol=1e-4)


@pytest.mark.parametrize("row", range(REACH + 1))
def test_a_single_tap_picks_its_row(row):
    taps = np.eye(REACH + 1, dtype=np.float32)[row]
    moved = np.ascontiguousarray(VELOCITY[:, row : row + LANES].T)
    expected = calcium_drive(receptor_potential(moved, RATE, PARAMS), RATE, PARAMS)
    assert_close(calcium(VELOCITY, taps, PARAMS, ONE_TILE)[0], expected)


@CUTS
def test_potential_and_calcium_are_carried_from_tile_to_tile(cuts):
    taps = np.linspace(-0.5, 1, REACH + 1).astype(np.float32)
    for parts, whole in zip(
        calcium(VELOCITY, taps, PARAMS, cuts), calcium(VELOCITY, taps, PARAMS, ONE_TILE), strict=True
    ):
        np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("velocity", [1e30, -1e30, 1e-30, 1.0])
def test_whatever_the_velocity_the_calcium_is_a_number_and_not_negative(velocity):
    brutal = np.full((N_STEPS, LANES + REACH), velocity)
    brutal[::2, ::3] *= -1
    assert np.all(calcium(brutal, MIDDLE, PARAMS, ONE_TILE)[0] > 0)


# Vesicles

CUBED = calcium_drive(receptor_potential(MOVED, RATE, PARAMS), RATE, PARAMS).astype(np.float32)
CONDUCTANCES = np.array([[7.2e-9], [2.4e-9], [1.6e-9]]) * np.linspace(0.7, 1.5, LANES)


def vesicles(number: int, drive: NDArray[np.float32], cuts: list[int], params: SumnerHairCellParams = PARAMS):
    gain, threshold = release_rates(RATE, params, CONDUCTANCES)
    pools = resting_pools(RATE, params, gain, threshold)[number].astype(np.float32)
    cubed = np.ascontiguousarray((drive.astype(np.float64) ** 3).T, np.float32)
    hazard = np.empty((cuts[-1], LANES), np.float32)
    for start, stop in pairwise(cuts):
        tile = np.full((N_STEPS, LANES), 1.0, np.float32)
        tile[: stop - start] = cubed[start:stop]
        filled = np.full((N_STEPS, LANES), UNTOUCHED, np.float32)
        constants = pool_constants(RATE, params)[number]
        release_vesicles(tile, stop - start, gain[number].astype(np.float32), constants, pools, filled)
        hazard[start:stop] = filled[: stop - start]
        assert np.all(filled[stop - start :] == UNTOUCHED)
    return hazard, pools


@pytest.mark.parametrize("number", range(3))
def test_the_hazard_is_that_of_the_plain_stage(number):
    hazard, _ = vesicles(number, CUBED, WHOLE_TILES)
    expected = -np.log1p(-release(CUBED.astype(np.float64), RATE, PARAMS, CONDUCTANCES)[number])
    # float32 near a threshold: the difference of two numbers that are nearly equal
    np.testing.assert_allclose(hazard.T, expected, rtol=3e-5, atol=1e-9)


@pytest.mark.parametrize("strong", [0.15, 0.5, 5.0])
def test_the_hazard_is_right_however_strong_the_release(strong):
    drive = (CUBED.max() * np.linspace(0, strong, N_STEPS) * np.ones((LANES, 1))).astype(np.float32)
    hazard, _ = vesicles(0, drive, ONE_TILE)
    expected = -np.log1p(-release(drive.astype(np.float64), RATE, PARAMS, CONDUCTANCES)[0])
    np.testing.assert_allclose(hazard.T, expected, rtol=2e-4, atol=2e-5)


@CUTS
@pytest.mark.parametrize("number", range(3))
def test_vesicles_are_carried_from_tile_to_tile(cuts, number):
    for parts, whole in zip(vesicles(number, CUBED, cuts), vesicles(number, CUBED, ONE_TILE), strict=True):
        np.testing.assert_array_equal(parts, whole)


def test_a_synapse_at_rest_stays_there():
    drive = np.full((LANES, N_STEPS), PARAMS.resting_drive, np.float32)
    for number in range(3):
        hazard, _ = vesicles(number, drive, WHOLE_TILES)
        np.testing.assert_allclose(hazard, hazard[:1].repeat(N_STEPS, axis=0), rtol=1e-4)


def test_no_pool_falls_to_where_float32_has_fewer_digits():
    # a class of low rate in silence releases nothing, and what it has released dies away for ever
    pools = np.full((3, LANES), 1e-3, np.float32)
    tile, filled = np.zeros((STEPS, LANES), np.float32), np.empty((STEPS, LANES), np.float32)
    for _ in range(60 * RATE // STEPS):
        release_vesicles(tile, STEPS, np.ones(LANES, np.float32), pool_constants(RATE, PARAMS)[2], pools, filled)
    assert pools.min() > 1e-36
    assert filled.max() == 0


# Fibers

WORDS = np.array([1, 2, 3, 4], np.uint32)
RECOVERING = AuditoryNerveParams(tau_refractory=0.75e-3, tau_relative=0.5e-3)
DEALT = np.array([5, 2, 1])


class Fibers(NamedTuple):
    """The state of the fibers of 64 hair cells, as `fire_classes` takes it."""

    ring: NDArray[np.int32]
    dead_times: NDArray[np.int64]
    waiting: NDArray[np.float32]
    ready: NDArray[np.int32]
    drawn: NDArray[np.int64]
    draws: NDArray[np.float32]
    keys: NDArray[np.uint64]
    cells: NDArray[np.int64]
    words: NDArray[np.uint32]
    bits: NDArray[np.uint32]
    fibers: NDArray[np.int64]
    free_at: NDArray[np.int64]


def all_ready(dealt: NDArray[np.int64], nerve: AuditoryNerveParams, cells: NDArray[np.int64], *, told_apart: bool):
    dead_times = nerve.dead_times(RATE)
    fibers = np.repeat(np.asarray(dealt)[:, None, None], LANES, axis=2)
    waiting, ready = np.empty((1, LANES), np.float32), np.empty((1, LANES), np.int32)
    drawn, draws = np.empty((1, 2, LANES), np.int64), np.empty((1, LANES, DRAWS), np.float32)
    keys = np.empty((1, LANES), np.uint64)
    first_streams(cells[None], fibers, WORDS, waiting, ready, drawn, draws, keys)
    return Fibers(
        np.zeros((int(dead_times[-1]) + 1, LANES), np.int32), dead_times, waiting[0], ready[0], drawn[0], draws[0],
        keys[0], cells, WORDS, np.zeros(DRAWS, np.uint32), fibers[:, 0],
        np.zeros((LANES, int(sum(dealt)) if told_apart else 0), np.int64),
    )  # fmt: skip


class Fired(NamedTuple):
    """Spikes: their number (step, lane), and step, lane and fiber of each one where they are told apart."""

    counts: NDArray[np.int64]
    steps: NDArray[np.int64]
    lanes: NDArray[np.int64]
    fibers: NDArray[np.int64]


def fire(hazards, fibers: Fibers, cuts=None, *, first_step=0, n_lanes=LANES) -> Fired:
    n_steps = hazards.shape[1]
    counts = np.zeros((n_steps, LANES), np.float32)
    steps, units, n_found = np.empty(10**6, np.int64), np.empty(10**6, np.int64), 0
    for start, stop in pairwise(cuts or [0, n_steps]):
        filled = np.full((n_steps, LANES), UNTOUCHED, np.float32)
        tile = np.full(hazards.shape, 5.0, np.float32)  # what lies behind the end of a tile must not count
        tile[:, : stop - start] = hazards[:, start:stop]
        n_found = fire_classes(
            tile, stop - start, first_step + start, *fibers[:10], filled, *fibers[10:], n_lanes, steps, units, n_found
        )
        counts[start:stop] = filled[: stop - start] - UNTOUCHED
        assert np.all(filled[stop - start :] == UNTOUCHED)
    n_fibers = max(1, fibers.free_at.shape[1])
    cell = units[:n_found] // n_fibers
    order = np.argsort(fibers.cells)
    lanes = order[np.searchsorted(fibers.cells[order], cell)]
    return Fired(counts.astype(np.int64), steps[:n_found], lanes, units[:n_found] % n_fibers)


CELLS = np.random.default_rng(2).permutation(2**20)[:LANES]
# Rest, an onset, a modulated tone, differently for each class
COURSE = np.concatenate([np.full(100, 0.005), np.full(60, 0.5), 0.06 + 0.05 * np.sin(np.arange(240) / 4)])
COURSES = np.stack([COURSE, 0.3 * COURSE[::-1], np.where(COURSE > 0.08, 0.5 * COURSE, 0.0)])


def hazards_of(courses=COURSES):
    return np.repeat(courses[:, :, None], LANES, axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def trials():
    """Trials of each class, (class, trial, step): as the engine draws them together, and as the plain stage alone."""
    n_trials = 3200
    drawn = np.zeros((3, n_trials, COURSE.size), np.int64)
    limits = np.cumsum(DEALT)
    for batch in range(n_trials // LANES):
        fired = fire(hazards_of(), all_ready(DEALT, RECOVERING, batch * LANES + np.arange(LANES), told_apart=True))
        kind = np.searchsorted(limits, fired.fibers, side="right")
        np.add.at(drawn, (kind, batch * LANES + fired.lanes, fired.steps), 1)
    plain = np.stack(
        [
            auditory_nerve(
                np.tile(-np.expm1(-course), (n_trials, 1)), RATE, RECOVERING, np.random.default_rng(number),
                n_fibers=np.full(n_trials, n_fibers),
            )
            for number, (course, n_fibers) in enumerate(zip(COURSES, DEALT, strict=True))
        ]
    )  # fmt: skip
    return drawn, plain.astype(np.int64)


def z_of_means(a, b):
    spread = np.sqrt((a.var(axis=0) + b.var(axis=0)) / a.shape[0])
    return np.divide(a.mean(axis=0) - b.mean(axis=0), spread, out=np.zeros(spread.shape), where=spread > 0)


@pytest.mark.parametrize("number", range(3))
def test_each_class_fires_in_each_step_as_by_itself(trials, number):
    z = z_of_means(*(each[number] for each in trials))
    assert np.std(z[z != 0]) == pytest.approx(1, abs=0.2)
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize("number", range(3))
def test_the_number_of_spikes_of_a_class_varies_as_by_itself(trials, number):
    drawn, plain = (each[number].sum(axis=1) for each in trials)
    assert abs(z_of_means(drawn, plain)) < 4
    assert drawn.var() / plain.var() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("lag", [1, 17, 18, 24, 40])
def test_spikes_of_a_class_are_correlated_in_time_as_by_themselves(trials, lag):
    drawn, plain = (each[0] - each[0].mean(axis=0) for each in trials)
    z = z_of_means(*((c[:, lag:] * c[:, :-lag]).sum(axis=1) for c in (drawn, plain)))
    assert abs(z) < 4


def test_the_classes_of_a_cell_fire_independently(trials):
    totals = trials[0].sum(axis=2)
    assert np.abs(np.corrcoef(totals) - np.eye(3)).max() < 4 / np.sqrt(totals.shape[1])


def test_the_fibers_of_a_class_fire_equally_often():
    fired = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=True))
    number = np.bincount(fired.fibers, minlength=8)
    for fibers in (number[:5], number[5:7]):
        assert np.abs(fibers - fibers.mean()).max() < 4 * np.sqrt(fibers.mean())


@pytest.mark.parametrize(
    "nerve", [RECOVERING, AuditoryNerveParams(tau_refractory=0.75e-3)], ids=["relative", "absolute"]
)
def test_no_fiber_fires_again_within_its_dead_time(nerve):
    hazards = np.full((3, 2000, LANES), 0.8, np.float32)
    fired = fire(hazards, all_ready(DEALT, nerve, CELLS, told_apart=True))
    order = np.lexsort((fired.steps, fired.fibers, fired.lanes))
    steps, which = fired.steps[order], (fired.lanes * 8 + fired.fibers)[order]
    intervals = np.diff(steps)[np.diff(which) == 0]
    assert intervals.min() == 18
    # ready fibers fire in the next step or two: 1 / (1 - exp(-0.8)) steps after they recover
    dead = nerve.dead_times(RATE).mean()
    assert intervals.mean() == pytest.approx(dead - 1 + 1 / (1 - np.exp(-0.8)), rel=0.01)


def test_telling_fibers_apart_changes_no_spike():
    counts = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=False)).counts
    fired = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=True))
    np.testing.assert_array_equal(fired.counts, counts)
    told = np.zeros_like(counts)
    np.add.at(told, (fired.steps, fired.lanes), 1)
    np.testing.assert_array_equal(told, counts)


def test_lanes_that_are_not_used_report_nothing():
    few = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=True), n_lanes=5)
    all_lanes = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=True))
    np.testing.assert_array_equal(few.steps, all_lanes.steps[all_lanes.lanes < 5])
    assert few.lanes.max() < 5


@CUTS
@pytest.mark.parametrize(
    "nerve", [RECOVERING, AuditoryNerveParams(tau_refractory=0.0), AuditoryNerveParams(tau_refractory=0.02)]
)
def test_fibers_are_carried_from_tile_to_tile(cuts, nerve):
    hazards = np.random.default_rng(3).uniform(0, 0.1, (3, N_STEPS, LANES)).astype(np.float32)
    parts, whole = (all_ready(DEALT, nerve, CELLS, told_apart=True) for _ in range(2))
    in_parts, at_once = fire(hazards, parts, cuts), fire(hazards, whole)
    np.testing.assert_array_equal(in_parts.counts, at_once.counts)
    for left, right in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_first_step_may_have_any_number():
    late = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=True), first_step=123_456_789)
    first = fire(hazards_of(), all_ready(DEALT, RECOVERING, CELLS, told_apart=True))
    np.testing.assert_array_equal(late.counts, first.counts)
    np.testing.assert_array_equal(late.steps, first.steps + 123_456_789)
    np.testing.assert_array_equal(late.fibers, first.fibers)


def test_a_high_hazard_fires_all_fibers_and_then_none_for_the_dead_time():
    nerve = AuditoryNerveParams(tau_refractory=1e-3)
    counts = fire(
        np.full((3, 100, LANES), 13.8, np.float32), all_ready([500, 20, 1], nerve, CELLS, told_apart=False)
    ).counts
    # one in a million is ready and does not fire
    assert counts[0].sum() >= 521 * LANES - 2
    assert counts[1:24].sum() <= 2
    assert counts.max() <= 521


def test_without_hazard_none_fires():
    assert not fire(
        np.zeros((3, N_STEPS, LANES), np.float32), all_ready(DEALT, RECOVERING, CELLS, told_apart=True)
    ).counts.any()


@pytest.mark.parametrize("number", range(3))
def test_a_class_without_hazard_is_never_chosen(number):
    hazards = hazards_of()
    hazards[number] = 0.0
    fired = fire(hazards, all_ready(DEALT, RECOVERING, CELLS, told_apart=True))
    assert number not in np.searchsorted(np.cumsum(DEALT), fired.fibers, side="right")


def test_a_class_without_fibers_is_never_chosen():
    fired = fire(hazards_of(), all_ready([3, 0, 0], RECOVERING, CELLS, told_apart=True))
    assert fired.fibers.max() == 2
    assert fired.counts.sum() > 100
