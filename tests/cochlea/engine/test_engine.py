"""The fused chain, judged by the plain stages.

Chance: a comparison of draws fails by accident with probability 3e-6. Seeds are fixed: only a change of the random
numbers throws the dice again.
"""

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from cochlea import (
    AuditoryNerveParams,
    BasilarMembraneParams,
    BushyCellParams,
    CochleaParams,
    HairCellParams,
    StimulusParams,
    auditory_nerve,
    basilar_membrane,
    bushy_cell,
    hair_cell,
    place_hair_cells,
    prepare_stimulus,
)
from cochlea.engine import traveling_wave
from cochlea.engine.fused import SpikeSteps, spike_steps

from .. import independent

# A tenth of a membrane: 70 places (more than a block of 64) as close as those of a whole one, from 2.3 to 1.3 kHz. It
# stands alone, without a stiffer base before it, and moves less; a higher level makes up for that.
PIECE = CochleaParams(
    stimulus=StimulusParams(level=30.0, ramp_duration=0.005),
    basilar_membrane=BasilarMembraneParams(n_places=70, length=0.35, stiffness=1e7),
)
PITCH = 2.0**-8  # [cm], between places where their number varies; multiples are exact
# Fires in a step if and only if a fiber does.
RELAY = BushyCellParams(tau_mem=1e-6, tau_syn=1e-6, tau_refractory=0.0, threshold=1e-3)
N_SEEDS = 60
ACCIDENT = 3e-6  # probability with which a test of draws may fail

every_convention = pytest.mark.parametrize("convention", ["causal", "published"])


def cochlea_of(
    convention: str = "causal", *, nerve: AuditoryNerveParams | None = None, n_per_place: int = 5, **membrane: float
) -> CochleaParams:
    return replace(
        PIECE,
        basilar_membrane=replace(PIECE.basilar_membrane, convention=convention, **membrane),
        hair_cell=HairCellParams(n_per_place=n_per_place),
        auditory_nerve=nerve or AuditoryNerveParams(),
    )


def sound(duration: float, sample_rate: int = 48_000) -> NDArray[np.float64]:
    """Pressure of bursts of noise, 50 a second."""
    n_samples = round(duration * sample_rate)
    noise = np.random.default_rng(1).standard_normal(n_samples)
    bursts = noise * (1 + np.sin(2 * np.pi * 50 * np.arange(n_samples) / sample_rate))
    return prepare_stimulus(bursts, sample_rate, PIECE.stimulus)[0]


def fused(
    pressure: NDArray[np.float64], params: CochleaParams, *, sample_rate: int = 48_000, seed: int = 0, key: int = 0
) -> SpikeSteps:
    return spike_steps(
        pressure,
        sample_rate,
        membrane=params.basilar_membrane,
        hair_cells=params.hair_cell,
        nerve=params.auditory_nerve,
        bushy_cells=params.bushy_cell,
        seed=seed,
        key=key,
    )


def plain(
    pressure: NDArray[np.float64], params: CochleaParams, n_seeds: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Steps and channels of the spikes of the plain stages, draw by draw, each ordered by channel."""
    velocity, rate = basilar_membrane(pressure, 48_000, params.basilar_membrane)
    probability = hair_cell(place_hair_cells(velocity, params.hair_cell.n_per_place), rate, params.hair_cell)
    for seed in range(n_seeds):
        releases = auditory_nerve(probability, rate, params.auditory_nerve, np.random.default_rng(seed))
        releases = releases.reshape(params.n_channels, params.hair_cell.n_per_place, -1).sum(axis=1, dtype=np.int64)
        yield bushy_cell(releases, rate, params.bushy_cell, n_fibers=params.n_fibers_per_channel)


def same(a: SpikeSteps, b: SpikeSteps) -> bool:
    return np.array_equal(a.steps, b.steps) and np.array_equal(a.units, b.units)


def share_found(spikes: SpikeSteps, others: SpikeSteps, *, within: int) -> float:
    """Share of the spikes that have another one in their channel within so many steps."""
    apart = 10**9  # from channel to channel
    at, there = (np.sort(each.units * apart + each.steps) for each in (spikes, others))
    behind = np.clip(np.searchsorted(there, at), 1, there.size - 1)
    return float(np.mean(np.minimum(np.abs(there[behind] - at), np.abs(there[behind - 1] - at)) <= within))


# Against the plain stages


@pytest.mark.slow  # compiles the whole chain once more
@every_convention
@pytest.mark.parametrize("n_per_place", [1, 5])
def test_with_very_many_fibers_each_spike_stands_where_the_plain_stages_put_it(
    convention: str, n_per_place: int
) -> None:
    # 20,000 fibers leave little to chance: of two draws of the plain stages, too, two thirds of the spikes stand in the
    # same step, nine tenths within a step, and these 0.00 +- 0.04 steps apart in the mean
    params = cochlea_of(convention, nerve=AuditoryNerveParams(n_fibers=20_000 // n_per_place), n_per_place=n_per_place)
    pressure = sound(0.05)
    steps, channels = next(plain(pressure, params, 1))
    spikes = fused(pressure, params)
    assert spikes.steps.size == pytest.approx(steps.size, rel=0.03)
    assert steps.size > 150
    early = []
    for step, channel in zip(steps, channels, strict=True):
        theirs = spikes.steps[spikes.units == channel]
        early.append(step - theirs[np.argmin(np.abs(theirs - step))] if theirs.size else 999)
    within_a_step = np.abs(early) <= 1
    assert within_a_step.mean() > 0.8
    assert np.mean(np.array(early)[within_a_step]) == pytest.approx(0.0, abs=0.15)


@pytest.mark.parametrize(
    ("convention", "n_per_place", "n_fibers", "tau_refractory", "tau_bushy"),
    [("causal", 1, 40, 1e-3, 1e-3), ("causal", 2, 20, 1e-3, 1e-3), ("causal", 5, 8, 1e-3, 1e-3),
     ("causal", 8, 5, 1e-3, 1e-3), ("published", 1, 40, 1e-3, 1e-3), ("published", 3, 13, 1e-3, 1e-3),
     # a fiber may fire in every step; its dead time is longer than a tile; is two and a bit of them
     ("causal", 5, 8, 0.0, 1e-3), ("causal", 5, 8, 0.006, 1e-3), ("causal", 1, 40, 0.011, 1e-3),
     # one fiber; a bushy cell that may fire in every step, and one that hardly may
     ("causal", 1, 1, 1e-3, 1e-3), ("causal", 5, 1, 1e-3, 0.0), ("causal", 5, 8, 1e-3, 0.02)],
)  # fmt: skip
def test_spikes_are_distributed_as_those_of_the_plain_stages(
    convention: str, n_per_place: int, n_fibers: int, tau_refractory: float, tau_bushy: float
) -> None:
    nerve = AuditoryNerveParams(n_fibers=n_fibers, tau_refractory=tau_refractory)
    params = replace(
        cochlea_of(convention, nerve=nerve, n_per_place=n_per_place),
        bushy_cell=BushyCellParams(tau_refractory=tau_bushy),
    )
    pressure, channels, n_steps = sound(0.05), np.arange(70), 1201
    draws = (fused(pressure, params, seed=seed, key=seed) for seed in range(N_SEEDS))
    ours = independent.summarize(((each.steps, each.units) for each in draws), n_steps, channels)
    theirs = independent.summarize(plain(pressure, params, N_SEEDS), n_steps, channels)
    assert ours.counts.sum() > 50 * N_SEEDS
    z = independent.z_of_means(ours.counts, theirs.counts)
    n_free = 2 * N_SEEDS - 2
    assert np.abs(z).max() < stats.t.isf(ACCIDENT / 2 / z.size, n_free)
    totals = (each.counts.sum(axis=1, keepdims=True) for each in (ours, theirs))
    assert abs(independent.z_of_means(*totals)[0]) < stats.t.isf(ACCIDENT / 2, n_free)
    assert independent.interval_p(ours, theirs) > ACCIDENT
    assert independent.latency_p(ours, theirs) > ACCIDENT


def test_a_rate_at_which_the_hair_cells_are_unstable_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a sample_rate above 4540 Hz to be stable, got 4000"):
        fused(sound(0.01, 8000), cochlea_of("published"), sample_rate=8000)


# Blocks, segments and threads leave no trace


@pytest.mark.parametrize("n_places", [1, 2, 63, 64, 65, 128, 129])
def test_a_channel_does_not_depend_on_how_many_come_after_it(n_places: int) -> None:
    pressure = sound(0.1)
    many, few = (fused(pressure, cochlea_of(n_places=n, length=PITCH * max(1, n - 1))) for n in (130, n_places))
    first = many.units < n_places
    np.testing.assert_array_equal(few.steps, many.steps[first])
    np.testing.assert_array_equal(few.units, many.units[first])


@every_convention
@pytest.mark.parametrize("n_places", [1, 70])
def test_spikes_are_ordered_by_time_then_by_channel(
    convention: str, n_places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.2)
    spikes = fused(sound(0.5), cochlea_of(convention, n_places=n_places, length=PITCH * max(1, n_places - 1)))
    assert spikes.sample_rate == 24_000
    assert spikes.steps.dtype == spikes.units.dtype == np.int64
    assert spikes.steps.size > 20 * n_places
    np.testing.assert_array_equal(np.lexsort((spikes.units, spikes.steps)), np.arange(spikes.steps.size))
    assert spikes.steps[0] >= 0
    assert 11_000 < spikes.steps[-1] <= 12_000
    assert spikes.units.max() == n_places - 1
    if n_places > 1:
        assert np.any(np.diff(spikes.steps) == 0)


@every_convention
@pytest.mark.parametrize("n_samples", [1, 2, 255, 256, 257, 511])
def test_spikes_stand_anywhere_within_the_sound_and_nowhere_else(convention: str, n_samples: int) -> None:
    params = replace(cochlea_of(convention), bushy_cell=RELAY)
    n_steps = -(-n_samples // 2) if convention == "causal" else n_samples // 2 + 1
    steps = np.concatenate([fused(np.zeros(n_samples), params, seed=seed).steps for seed in range(20)])
    assert set(steps) == set(range(n_steps))


@every_convention
@pytest.mark.parametrize("n_per_place", [1, 5])
def test_a_long_sound_in_segments_evokes_the_spikes_of_one_piece(
    convention: str, n_per_place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Velocities differ by 1e-5, so that a few draws fall in the step before or after. The published convention rings at
    # the end of its half spectrum, so that velocities differ by 4e-4, more draws move, and some by a few steps.
    pressure, params = sound(1.1), cochlea_of(convention, n_per_place=n_per_place)
    whole = fused(pressure, params)
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.4991)  # no whole number of tiles or dead times
    cut = fused(pressure, params)
    assert whole.steps.size > 4000
    assert cut.steps.size == pytest.approx(whole.steps.size, rel=0.01)
    same_step, nearly = (share_found(whole, cut, within=n) for n in (0, 4))
    assert same_step > (0.97 if convention == "causal" else 0.7)
    assert nearly > (0.99 if convention == "causal" else 0.92)


@every_convention
def test_the_memory_needed_does_not_grow_with_the_sound(convention: str) -> None:
    params = cochlea_of(convention, n_places=4, n_per_place=1, length=3 * PITCH)
    noise = np.random.default_rng(0).standard_normal(32 * 16_000)
    fused(noise[:16_000], params, sample_rate=16_000)  # tables and compiled code stay
    peaks = []
    for duration in (8, 32):
        tracemalloc.start()
        spikes = fused(noise[: duration * 16_000], params, sample_rate=16_000)
        peaks.append(tracemalloc.get_traced_memory()[1] - 2 * (spikes.steps.nbytes + spikes.units.nbytes))
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_threads_and_their_order_leave_no_trace() -> None:
    params, pressure = cochlea_of(), sound(0.2)
    alone = [fused(pressure[key * 480 :], params, key=key) for key in range(12)]
    with ThreadPoolExecutor(4) as pool:
        jobs = {key: pool.submit(fused, pressure[key * 480 :], params, key=key) for key in reversed(range(12))}
    assert all(same(jobs[key].result(), spikes) for key, spikes in enumerate(alone))


def test_the_pressure_is_not_changed() -> None:
    pressure = sound(0.05)
    before = pressure.copy()
    pressure.setflags(write=False)
    fused(pressure, PIECE)
    np.testing.assert_array_equal(pressure, before)


# Chance


def test_every_bit_of_seed_and_key_matters() -> None:
    numbers = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
    draws = [fused(np.zeros(480), replace(PIECE, bushy_cell=RELAY), seed=s, key=k) for s in numbers for k in numbers]
    assert not any(same(a, b) for a, b in combinations(draws, 2))


def fibers_at_rest(*, seed: int = 0, key: int = 0) -> NDArray[np.bool_]:
    """Where any of the 40 fibers of a cell fires in 0.5 s of silence, shape (step, channel)."""
    params = replace(cochlea_of(nerve=AuditoryNerveParams(n_fibers=40), n_per_place=1), bushy_cell=RELAY)
    spikes = fused(np.zeros(24_000), params, seed=seed, key=key)
    fired = np.zeros((12_000, 70), np.bool_)
    fired[spikes.steps, spikes.units] = True
    return fired


def assert_independent(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> None:
    """The two fire in the same step, or the next one, as often as by chance, which is nearly Poisson's."""
    for a_part, b_part in ((a, b), (a[1:], b[:-1]), (a[:-1], b[1:])):
        expected = a_part.mean() * b_part.mean() * a_part.size
        assert np.sum(a_part & b_part) == pytest.approx(expected, abs=stats.norm.isf(ACCIDENT / 2) * expected**0.5)


@pytest.mark.parametrize(
    ("one", "other"),
    [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 0)), ((0, 0), (0, 2**63)), ((0, 0), (2**63, 0)),
     ((2**32, 0), (0, 2**32)), ((5, 5), (6, 6))],
)  # fmt: skip
def test_draws_of_different_seeds_or_keys_are_independent(one: tuple[int, int], other: tuple[int, int]) -> None:
    a, b = (fibers_at_rest(seed=seed, key=key) for seed, key in (one, other))
    assert_independent(a, b)


def test_the_channels_of_a_draw_are_independent() -> None:
    fired = fibers_at_rest()
    for distance in (1, 2, 5, 64):
        assert_independent(fired[:, distance:], fired[:, :-distance])


def test_in_the_first_step_a_fiber_is_as_likely_to_fire_as_at_rest() -> None:
    params, n_keys = replace(PIECE, bushy_cell=RELAY), 200
    n_fired = sum(fused(np.zeros(1), params, key=key).steps.size for key in range(n_keys))
    _, cleft, _ = params.hair_cell.resting_pools
    likely = 1 - (1 - cleft * params.hair_cell.release / 24_000) ** 40  # that one of 40 does: 0.096
    assert stats.binomtest(n_fired, n_keys * 70, likely).pvalue > ACCIDENT
