"""The fused chain with three classes of fibers, judged by the plain stages.

Chance: a comparison of draws fails by accident with probability 3e-6. Seeds are fixed: only a change of the random
numbers throws the dice again.
"""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from cochlea import (
    AuditoryNerveParams,
    BushyCellParams,
    CochleaParams,
    FiberClassParams,
    SumnerHairCellParams,
    auditory_nerve,
    basilar_membrane,
    bushy_cell,
    encode,
    place_hair_cells,
    sumner_hair_cell,
)
from cochlea.engine import traveling_wave
from cochlea.engine.fused import spike_steps
from cochlea.fiber_classes import calcium_conductances, deal_fibers

from .. import independent
from .test_engine import ACCIDENT, N_SEEDS, PIECE, every_convention, share_found, sound

# A piece of a membrane, as for the other engine, whose velocity is of some um/s.
HUMAN = replace(
    PIECE,
    basilar_membrane=replace(PIECE.basilar_membrane, velocity_scale=1e-8),
    hair_cell=SumnerHairCellParams(),
    auditory_nerve=AuditoryNerveParams(tau_refractory=0.75e-3, tau_relative=0.5e-3),
)
N_CHANNELS, N_STEPS = 70, 1201


def cochlea_of(convention="causal", *, n_fibers=8, n_per_place=5, tau_relative=0.5e-3, **membrane):
    return replace(
        HUMAN,
        basilar_membrane=replace(HUMAN.basilar_membrane, convention=convention, **membrane),
        hair_cell=SumnerHairCellParams(n_per_place=n_per_place),
        auditory_nerve=replace(HUMAN.auditory_nerve, n_fibers=n_fibers, tau_relative=tau_relative),
    )


def fused(pressure, params, *, sample_rate=48_000, seed=0, key=0, output="bushy_cells"):
    return spike_steps(
        pressure,
        sample_rate,
        membrane=params.basilar_membrane,
        hair_cells=params.hair_cell,
        nerve=params.auditory_nerve,
        bushy_cells=params.bushy_cell,
        seed=seed,
        key=key,
        output=output,
    )


def plain_counts(pressure, params, n_seeds):
    """Spikes of the fibers of each class, (class, cell, sample), draw by draw."""
    velocity, rate = basilar_membrane(pressure, 48_000, params.basilar_membrane)
    moved = place_hair_cells(velocity, params.hair_cell.n_per_place)
    conductance = calcium_conductances(np.arange(len(moved)), params.hair_cell)
    dealt = deal_fibers(len(moved), params.auditory_nerve.n_fibers, params.hair_cell)
    probability = sumner_hair_cell(moved, rate, params.hair_cell, conductance)
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        yield np.stack(
            [
                auditory_nerve(each, rate, params.auditory_nerve, rng, n_fibers=n_fibers)
                for each, n_fibers in zip(probability, dealt, strict=True)
            ]
        )


def plain(pressure, params, n_seeds):
    """Steps and channels of the spikes of the bushy cells, draw by draw."""
    for counts in plain_counts(pressure, params, n_seeds):
        spikes = counts.sum(axis=0, dtype=np.int64)
        spikes = spikes.reshape(-1, params.hair_cell.n_per_place, spikes.shape[-1]).sum(axis=1)
        yield bushy_cell(spikes, 24_000, params.bushy_cell, n_fibers=params.n_fibers_per_channel)


def same(a, b):
    return np.array_equal(a.steps, b.steps) and np.array_equal(a.units, b.units)


def class_of_units(params):
    """The class of each fiber of the nerve: high, medium, low in each cell."""
    dealt = deal_fibers(params.n_hair_cells, params.auditory_nerve.n_fibers, params.hair_cell)
    return np.concatenate([np.repeat([0, 1, 2], cell) for cell in dealt.T])


# Against the plain stages


@pytest.mark.parametrize(
    ("convention", "n_per_place", "n_fibers", "tau_relative"),
    [("causal", 5, 8, 0.5e-3), ("causal", 5, 8, 0.0), ("causal", 1, 40, 0.5e-3), ("causal", 2, 1, 2e-3),
     ("published", 1, 40, 0.5e-3), ("published", 3, 13, 0.0)],
)  # fmt: skip
def test_bushy_cells_fire_as_in_the_plain_stages(convention, n_per_place, n_fibers, tau_relative):
    params = cochlea_of(convention, n_per_place=n_per_place, n_fibers=n_fibers, tau_relative=tau_relative)
    pressure = sound(0.05)
    draws = (fused(pressure, params, seed=seed, key=seed) for seed in range(N_SEEDS))
    ours = independent.summarize(((each.steps, each.units) for each in draws), N_STEPS, np.arange(N_CHANNELS))
    theirs = independent.summarize(plain(pressure, params, N_SEEDS), N_STEPS, np.arange(N_CHANNELS))
    assert ours.counts.sum() > 50 * N_SEEDS
    n_free = 2 * N_SEEDS - 2
    z = independent.z_of_means(ours.counts, theirs.counts)
    assert np.abs(z).max() < stats.t.isf(ACCIDENT / 2 / z.size, n_free)
    totals = (each.counts.sum(axis=1, keepdims=True) for each in (ours, theirs))
    assert abs(independent.z_of_means(*totals)[0]) < stats.t.isf(ACCIDENT / 2, n_free)
    assert independent.interval_p(ours, theirs) > ACCIDENT
    assert independent.latency_p(ours, theirs) > ACCIDENT


@pytest.fixture(scope="module")
def nerves():
    """Spikes (seed, class, cell) of the nerve, fused and plain."""
    pressure, kinds = sound(0.05), class_of_units(HUMAN)
    ours = np.zeros((N_SEEDS, 3, HUMAN.n_hair_cells))
    for seed, counts in enumerate(ours):
        units = fused(pressure, HUMAN, seed=seed, key=7, output="nerve").units
        np.add.at(counts, (kinds[units], units // 8), 1)
    theirs = np.array([each.sum(axis=-1) for each in plain_counts(pressure, HUMAN, N_SEEDS)])
    return ours, theirs


@pytest.mark.parametrize("number", range(3))
def test_the_fibers_of_each_class_and_cell_fire_as_in_the_plain_stages(nerves, number):
    ours, theirs = (each[:, number] for each in nerves)
    z = independent.z_of_means(ours, theirs)
    assert np.abs(z).max() < stats.t.isf(ACCIDENT / 2 / z.size, 2 * N_SEEDS - 2)
    assert np.std(z[z != 0]) == pytest.approx(1, abs=0.15)
    totals = (each.sum(axis=1, keepdims=True) for each in (ours, theirs))
    assert abs(independent.z_of_means(*totals)[0]) < stats.t.isf(ACCIDENT / 2, 2 * N_SEEDS - 2)


def test_silence_evokes_the_spontaneous_rate_of_each_class():
    still = [
        FiberClassParams(share=share, calcium_conductance=g, release_threshold=threshold, n_vesicles=10)
        for share, g, threshold in ((0.61, 7.2e-9, 0), (0.23, 2.4e-9, 3.35e-14), (0.16, 1.6e-9, 1.4e-11))
    ]
    alike = replace(
        HUMAN,
        hair_cell=SumnerHairCellParams(high=still[0], medium=still[1], low=still[2]),
        auditory_nerve=AuditoryNerveParams(tau_refractory=0.75e-3),
    )
    units = fused(np.zeros(8 * 48_000), alike, output="nerve").units
    kinds = class_of_units(alike)
    rates = np.bincount(kinds[units], minlength=3) / np.bincount(kinds) / 8
    assert rates[0] == pytest.approx(107.0, rel=0.01)
    assert rates[1] == pytest.approx(6.27, rel=0.03)
    assert rates[2] == 0


def test_the_jitter_makes_cells_unequal_and_keeps_the_mean():
    units = fused(np.zeros(8 * 48_000), HUMAN, output="nerve").units
    kinds, rates = class_of_units(HUMAN), np.bincount(units, minlength=2800) / 8
    high, medium = rates[kinds == 0], rates[kinds == 1]
    assert high.std() / high.mean() > 0.25  # 0.08 by chance
    assert medium.std() / medium.mean() > 0.6  # 0.15 by chance
    # All alike would fire at 116 / (1 + 116 * 0.00125) = 101; high rates saturate, so that their mean is lower.
    assert high.mean() == pytest.approx(94.5, rel=0.03)
    assert medium.mean() == pytest.approx(6.2, rel=0.15)


# The nerve and its bushy cells


def test_the_spikes_of_the_nerve_are_those_that_drive_the_bushy_cells():
    pressure = sound(0.2)
    nerve, bushy = (fused(pressure, HUMAN, key=3, output=output) for output in ("nerve", "bushy_cells"))
    counts = np.zeros((N_CHANNELS, 4801), np.int64)
    np.add.at(counts, (nerve.units // 40, nerve.steps), 1)
    steps, channels = bushy_cell(counts, 24_000, HUMAN.bushy_cell, n_fibers=40)
    order = np.lexsort((channels, steps))
    np.testing.assert_array_equal(bushy.steps, steps[order])
    np.testing.assert_array_equal(bushy.units, channels[order])


def test_no_fiber_fires_within_the_absolute_time():
    nerve = fused(10 * sound(0.3), HUMAN, output="nerve")
    order = np.lexsort((nerve.steps, nerve.units))
    intervals = np.diff(nerve.steps[order])[np.diff(nerve.units[order]) == 0]
    assert intervals.min() == 18  # 0.75 ms


def test_spikes_of_the_nerve_are_ordered_by_time_then_by_fiber(monkeypatch):
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.2)
    nerve = fused(sound(0.5), HUMAN, output="nerve")
    np.testing.assert_array_equal(np.lexsort((nerve.units, nerve.steps)), np.arange(nerve.steps.size))
    assert nerve.units.max() < 2800
    assert len(np.unique(nerve.units)) > 2300  # most of those of low rate stay silent
    assert 11_990 < nerve.steps[-1] < 12_000


def test_encode_gives_fibers_as_units():
    params = replace(HUMAN, output="nerve")
    spikes = encode(np.random.default_rng(0).standard_normal(4800), 48_000, params, key="a")
    assert params.n_units == 2800
    assert spikes.units.dtype == np.uint16
    assert 2000 < spikes.units.max() < 2800


# Blocks, segments and threads leave no trace


@pytest.mark.parametrize("output", ["bushy_cells", "nerve"])
@pytest.mark.parametrize(("n_places", "n_more"), [(64, 66), (66, 70), (128, 130)])
def test_a_channel_does_not_depend_on_how_many_come_after_it(n_places, n_more, output):
    # Even numbers, since rows of velocity are transformed in pairs, and so near to each other that the longer membrane
    # asks for no longer transform: otherwise velocities are rounded differently.
    pressure, pitch = sound(0.1), 2.0**-8
    params = (cochlea_of(n_places=n, length=pitch * (n - 1)) for n in (n_more, n_places))
    many, few = (fused(pressure, each, output=output) for each in params)
    first = many.units < n_places * (40 if output == "nerve" else 1)
    np.testing.assert_array_equal(few.steps, many.steps[first])
    np.testing.assert_array_equal(few.units, many.units[first])


@every_convention
@pytest.mark.parametrize("output", ["bushy_cells", "nerve"])
def test_a_long_sound_in_segments_evokes_the_spikes_of_one_piece(convention, output, monkeypatch):
    # Velocities differ by 1e-5 (4e-4 in the published convention), so that a few draws fall in another step. Where that
    # exchanges two spikes of a cell, their random numbers are exchanged, and later spikes of the cell are others.
    pressure, params = sound(1.1), cochlea_of(convention)
    whole = fused(pressure, params, output=output)
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.4991)  # no whole number of tiles or dead times
    cut = fused(pressure, params, output=output)
    assert whole.steps.size > 3000
    assert cut.steps.size == pytest.approx(whole.steps.size, rel=0.02)
    same_step, nearly = (share_found(whole, cut, within=n) for n in (0, 4))
    assert same_step > (0.93 if convention == "causal" else 0.35)
    assert nearly > (0.95 if convention == "causal" else 0.5)


@pytest.mark.parametrize("output", ["bushy_cells", "nerve"])
def test_threads_and_their_order_leave_no_trace(output):
    pressure = sound(0.2)
    alone = [fused(pressure[key * 480 :], HUMAN, key=key, output=output) for key in range(6)]
    with ThreadPoolExecutor(4) as pool:
        jobs = {
            key: pool.submit(fused, pressure[key * 480 :], HUMAN, key=key, output=output) for key in range(5, -1, -1)
        }
    assert all(same(jobs[key].result(), spikes) for key, spikes in enumerate(alone))


def test_seed_and_key_change_the_spikes():
    draws = [fused(sound(0.1), HUMAN, seed=seed, key=key) for seed, key in ((0, 0), (1, 0), (0, 1), (0, 2**63))]
    assert not any(same(a, b) for i, a in enumerate(draws) for b in draws[:i])


@pytest.mark.parametrize("output", ["bushy_cells", "nerve"])
def test_the_memory_needed_does_not_grow_with_the_sound(output):
    params = cochlea_of(n_places=4, n_per_place=1, length=3 * 2.0**-8)
    noise = np.random.default_rng(0).standard_normal(32 * 16_000)
    fused(noise[:16_000], params, sample_rate=16_000, output=output)  # tables and compiled code stay
    peaks = []
    for duration in (8, 32):
        tracemalloc.start()
        spikes = fused(noise[: duration * 16_000], params, sample_rate=16_000, output=output)
        peaks.append(tracemalloc.get_traced_memory()[1] - 2 * (spikes.steps.nbytes + spikes.units.nbytes))
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


# What the engine cannot do


def test_more_fibers_than_the_engine_counts_are_refused():
    with pytest.raises(ValueError, match="n_fibers must be <= 1023 with SumnerHairCellParams, got 1024"):
        fused(sound(0.01), cochlea_of(n_fibers=1024))


def test_gradual_recovery_of_identical_fibers_is_refused():
    params = replace(PIECE, auditory_nerve=AuditoryNerveParams(tau_relative=1e-3))
    with pytest.raises(ValueError, match=r"tau_relative must be 0 unless .* SumnerHairCellParams, got 0\.001"):
        fused(sound(0.01), params)


def test_a_relay_shows_every_spike():
    relay = BushyCellParams(tau_mem=1e-6, tau_syn=1e-6, tau_refractory=0.0, threshold=1e-3)
    params = replace(cochlea_of(n_per_place=1), bushy_cell=relay)
    assert isinstance(params, CochleaParams)
    nerve, bushy = (fused(np.zeros(4800), params, output=output) for output in ("nerve", "bushy_cells"))
    fired = np.unique(np.stack([nerve.steps, nerve.units // 8], axis=1), axis=0)
    np.testing.assert_array_equal(np.stack([bushy.steps, bushy.units], axis=1), fired)
