"""The fibers of the nerve, told apart: they are those whose number drives the bushy cells."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve, fibers_that_fire
from cochlea.bushy_cell import bushy_cell
from cochlea.engine.fibers import fiber_keys, name_fibers
from cochlea.engine.fused import SpikeSteps, spike_steps
from cochlea.engine.tiles import LANES
from cochlea.hair_cell import HairCellParams
from cochlea.model import CochleaParams, encode
from cochlea.transfer_function import BasilarMembraneParams

RATE = 24_000
WORDS = np.array([1, 2, 3, 4], np.uint32)
NOISE = np.random.default_rng(0).standard_normal(24_000)
PARAMS = CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=70))


def steps_of(params: CochleaParams, pressure: np.ndarray = NOISE, *, seed: int = 0, key: int = 0) -> SpikeSteps:
    return spike_steps(
        pressure, 48_000, membrane=params.basilar_membrane, hair_cells=params.hair_cell, nerve=params.auditory_nerve,
        bushy_cells=params.bushy_cell, seed=seed, key=key, output=params.output,
    )  # fmt: skip


@pytest.mark.parametrize("n_fibers", [1, 8, 40])
@pytest.mark.parametrize("n_per_place", [1, 5])
def test_the_sum_of_the_fibers_drives_the_bushy_cells(n_fibers: int, n_per_place: int) -> None:
    nerve = AuditoryNerveParams(n_fibers=n_fibers)
    params = replace(PARAMS, hair_cell=HairCellParams(n_per_place=n_per_place), auditory_nerve=nerve)
    fired = steps_of(params)
    fibers = steps_of(replace(params, output="nerve"))
    per_channel = n_fibers * n_per_place
    sums = np.zeros((70, NOISE.size // 2), np.int64)
    np.add.at(sums, (fibers.units // per_channel, fibers.steps), 1)
    steps, channels = bushy_cell(sums, RATE, params.bushy_cell, n_fibers=per_channel)
    order = np.lexsort((channels, steps))
    np.testing.assert_array_equal(fired.steps, steps[order])
    np.testing.assert_array_equal(fired.units, channels[order])


@pytest.mark.parametrize("tau", [0.0, 1e-3, 5e-3])
def test_a_fiber_respects_its_dead_time(tau: float) -> None:
    nerve = AuditoryNerveParams(n_fibers=3, tau_refractory=tau)
    steps, fibers, _ = steps_of(replace(PARAMS, auditory_nerve=nerve, output="nerve"))
    order = np.lexsort((steps, fibers))
    intervals = np.diff(steps[order])[np.diff(fibers[order]) == 0]
    assert intervals.min() == nerve.dead_steps(RATE)


def test_spikes_are_ordered_by_step_then_by_fiber() -> None:
    steps, fibers, _ = steps_of(replace(PARAMS, output="nerve"))
    assert np.all((np.diff(steps) > 0) | (np.diff(fibers) > 0))
    assert np.all(np.diff(steps) >= 0)


def test_fibers_of_a_cell_are_alike() -> None:
    _, fibers, _ = steps_of(replace(PARAMS, output="nerve"))
    counts = np.bincount(fibers % 8, minlength=8)
    # Dead times make counts of a fiber more even than those of a Poisson process.
    assert stats.chisquare(counts).pvalue > 1e-3


def test_fibers_of_a_cell_do_not_take_turns() -> None:
    # With five ready fibers, the next to fire is any of the other four, whatever its number.
    _, fibers, _ = steps_of(replace(PARAMS, output="nerve"))
    cell = fibers[fibers // 8 == 100] % 8
    steps = np.bincount((np.diff(cell) + 8) % 8, minlength=8)[1:]
    assert steps.max() < 2 * steps.mean()


def test_fibers_depend_on_seed_and_clip() -> None:
    params = replace(PARAMS, output="nerve")
    first, again = steps_of(params), steps_of(params)
    np.testing.assert_array_equal(first.units, again.units)
    assert not np.array_equal(first.units[:100], steps_of(params, key=1).units[:100])
    assert not np.array_equal(first.units[:100], steps_of(params, seed=1).units[:100])


def test_a_long_sound_keeps_its_fibers_from_segment_to_segment() -> None:
    nerve = AuditoryNerveParams(n_fibers=2, tau_refractory=0.02)
    membrane = BasilarMembraneParams(n_places=4)
    params = replace(PARAMS, basilar_membrane=membrane, auditory_nerve=nerve, output="nerve")
    steps, fibers, _ = steps_of(params, np.tile(NOISE, 8))
    order = np.lexsort((steps, fibers))
    assert np.diff(steps[order])[np.diff(fibers[order]) == 0].min() >= nerve.dead_steps(RATE)


def test_units_of_the_published_nerve_are_below_their_number() -> None:
    params = replace(CochleaParams.published(), output="nerve")
    spikes = encode(NOISE[:4800], 48_000, params)
    assert 27_000 < spikes.units.max() < params.n_units == 28_000


def test_the_kernel_chooses_as_the_plain_form_does() -> None:
    # The choices are independent, so only their statistics can agree: intervals of a fiber, in steps.
    nerve = AuditoryNerveParams(n_fibers=5)
    probability = np.full((LANES, 24_000), 0.01)
    counts = auditory_nerve(probability, RATE, nerve, np.random.default_rng(1))
    exact = fibers_that_fire(counts, RATE, nerve, np.random.default_rng(2))
    cells = np.arange(LANES)
    keys = np.empty((1, LANES), np.uint64)
    fiber_keys(cells[None], WORDS, keys)
    steps, units = np.empty(10**6, np.int64), np.empty(10**6, np.int64)
    free_at, n_named = np.zeros((LANES, 5), np.int64), np.zeros(LANES, np.int64)
    tile = np.ascontiguousarray(counts.T, np.float32)
    n_dead = nerve.dead_steps(RATE)
    n_found = name_fibers(tile, 24_000, 0, n_dead, free_at, n_named, keys[0], cells, LANES, steps, units, 0)
    assert n_found == exact[0].size
    assert n_named.sum() == counts.sum()
    np.testing.assert_array_equal(steps[:n_found], exact[0])
    np.testing.assert_array_equal(units[:n_found] // 5, exact[1] // 5)

    def intervals(steps: np.ndarray, fibers: np.ndarray) -> np.ndarray:
        order = np.lexsort((steps, fibers))
        return np.diff(steps[order])[np.diff(fibers[order]) == 0]

    assert stats.ks_2samp(intervals(steps[:n_found], units[:n_found]), intervals(*exact)).pvalue > 1e-3


def test_more_spikes_than_ready_fibers_are_refused() -> None:
    with pytest.raises(ValueError, match="at most the 1 fibers of cell 0 that are ready at step 1, got 2"):
        fibers_that_fire(np.array([[1, 2]]), RATE, AuditoryNerveParams(n_fibers=2), np.random.default_rng())


def test_fibers_that_recover_gradually_are_not_told_apart_by_counts() -> None:
    with pytest.raises(ValueError, match="tau_relative must be 0"):
        fibers_that_fire(np.array([[1]]), RATE, AuditoryNerveParams(tau_relative=1e-3), np.random.default_rng())


def test_where_no_fiber_fires_there_is_none() -> None:
    steps, fibers = fibers_that_fire(np.zeros((2, 5), int), RATE, AuditoryNerveParams(), np.random.default_rng())
    assert steps.size == fibers.size == 0
