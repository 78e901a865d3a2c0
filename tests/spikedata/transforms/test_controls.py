import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.events import bin_events
from spikedata.transforms import NormalizeCounts, ShuffleSteps, ShuffleTimes, TimeReversal

STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change
ROUNDING = 1e-6  # [s], of float32 times of about a second
LENGTHS = [0, 1, 30, 400]
SEEDS = st.integers(0, 10**6)


def counts_of(events):
    """Events of each clip and unit."""
    clips = np.repeat(np.arange(len(events)), np.diff(events.offsets))
    counts = np.zeros((len(events), events.n_units), int)
    np.add.at(counts, (clips, events.units), 1)
    return counts


def test_reversal_keeps_counts_and_intervals(make, apply):
    events = make(LENGTHS, dtype=np.float64)
    backwards = apply(TimeReversal(), events)
    np.testing.assert_array_equal(counts_of(backwards), counts_of(events))
    intervals, reversed_intervals = np.diff(events[3].times), np.diff(backwards[3].times)
    np.testing.assert_allclose(reversed_intervals, intervals[::-1], atol=1e-12)  # rounding of float64


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_reversal_twice_is_the_clip_from_its_first_spike_on(dtype, make, apply):
    events = make(LENGTHS, dtype=dtype)
    twice = apply(TimeReversal(), apply(TimeReversal(), events))
    for found, expected in zip(twice, events, strict=True):
        np.testing.assert_allclose(found.times, expected.times - expected.times.min(initial=2), atol=ROUNDING)


@pytest.mark.parametrize("keep_envelope", [False, True])
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_shuffling_keeps_the_count_of_every_unit(make, apply, keep_envelope, seed):
    events = make(LENGTHS)
    shuffled = apply(ShuffleTimes(keep_envelope=keep_envelope), events, seed=seed)
    np.testing.assert_array_equal(counts_of(shuffled), counts_of(events))


def test_shuffled_times_are_uniform_up_to_the_latest(make, apply):
    events = make([20_000], dtype=np.float64)
    events.times[:] **= 3
    latest = events.times[-1]
    times = apply(ShuffleTimes(), events).times / latest
    assert times.max() <= 1
    assert abs(times.mean() - 0.5) < STANDARD_ERRORS / np.sqrt(12 * times.size)
    assert abs(times.var() * 12 - 1) < STANDARD_ERRORS * np.sqrt(0.8 / times.size)


def test_keeping_the_envelope_keeps_the_times(make, apply):
    events = make(LENGTHS, dtype=np.float16)
    shuffled = apply(ShuffleTimes(keep_envelope=True), events)
    np.testing.assert_array_equal(shuffled.times, events.times)
    assert shuffled.is_sorted


def test_every_order_of_a_clip_is_as_likely(make, apply):
    events = make([3] * 6000, n_units=3)
    events.units[:] = np.tile([0, 1, 2], 6000)
    orders = apply(ShuffleTimes(keep_envelope=True), events).units.reshape(-1, 3) @ [9, 3, 1]
    _, counts = np.unique(orders, return_counts=True)
    assert counts.size == 6
    np.testing.assert_allclose(counts, 1000, atol=STANDARD_ERRORS * np.sqrt(1000 * 5 / 6))


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 5))
def test_normalized_counts_are_all_the_same(make, apply, seed, n_per_unit):
    events = make(LENGTHS, n_units=20)
    normalized = apply(NormalizeCounts(n_per_unit=n_per_unit), events, seed=seed)
    assert (counts_of(normalized)[0] == 0).all()
    assert (counts_of(normalized)[1:] == n_per_unit).all()


def test_normalizing_keeps_events_of_busy_units_and_all_of_quiet_ones(make, apply):
    events = make([400], n_units=100)  # four events a unit on the average
    normalized = apply(NormalizeCounts(n_per_unit=4), events)
    for unit in range(100):
        own = set(events.times[events.units == unit].tolist())
        found = set(normalized.times[normalized.units == unit].tolist())
        assert len(found & own) == min(len(own), 4)


def test_each_event_of_a_unit_is_as_likely_to_stay(make, apply):
    events = make([10] * 5000, n_units=1, dtype=np.float64)
    events.times[:] = np.tile(np.arange(10), 5000)
    kept = np.bincount(apply(NormalizeCounts(n_per_unit=3), events).times.astype(int), minlength=10)
    np.testing.assert_allclose(kept, 1500, atol=STANDARD_ERRORS * np.sqrt(5000 * 0.3 * 0.7))


def test_added_events_are_uniform_up_to_the_latest(make, apply):
    events = make([1] * 2000, n_units=2, dtype=np.float64)
    events.units[:], events.times[:] = 0, 2.0
    normalized = apply(NormalizeCounts(n_per_unit=1), events)
    added = normalized.times[normalized.units == 1]
    assert added.max() < 2
    assert abs(added.mean() - 1) < STANDARD_ERRORS * 2 / np.sqrt(12 * 2000)


def test_counts_of_no_number_are_those_of_the_mean_unit(make, apply):
    counts = counts_of(apply(NormalizeCounts(n_per_unit=None), make([0, 1, 29, 400], n_units=20)))
    assert [np.unique(row).tolist() for row in counts] == [[0], [1], [1], [20]]


def binned(events, *, dt, n_steps):
    """Counts of each clip by step and unit."""
    return [bin_events(clip.times, clip.units, dt=dt, n_steps=n_steps, n_units=events.n_units) for clip in events]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dt", [0.01, 1 / 256, 0.3])
def test_a_shuffled_step_is_a_step_of_the_clip(make, apply, dtype, dt):
    events = make(LENGTHS, dtype=dtype, n_units=20)
    n_steps = int(1 / dt) + 2
    shuffled = apply(ShuffleSteps(dt=dt, n_steps=n_steps), events, seed=3)
    for before, after in zip(
        binned(events, dt=dt, n_steps=n_steps), binned(shuffled, dt=dt, n_steps=n_steps), strict=True
    ):
        assert sorted(map(bytes, before)) == sorted(map(bytes, after))


def test_shuffled_steps_end_where_the_clip_ends(make, apply):
    events = make([4000], duration=0.5)
    counts = binned(apply(ShuffleSteps(dt=0.01, n_steps=100), events), dt=0.01, n_steps=100)[0].sum(axis=1)
    assert counts[:50].all()
    assert not counts[50:].any()


def test_what_comes_after_the_window_stays_where_it_is(make, apply):
    events = make([400], dtype=np.float64)
    shuffled = apply(ShuffleSteps(dt=0.01, n_steps=50), events)
    late = events.times >= 0.5
    np.testing.assert_array_equal(shuffled.times[late], events.times[late])
    assert (shuffled.times[~late] < 0.5).all()
    assert not np.array_equal(shuffled.times[~late], events.times[~late])


def test_every_order_of_steps_is_as_likely(make, apply):
    events = make([3] * 6000, n_units=3, dtype=np.float64)
    events.times[:], events.units[:] = np.tile([0.5, 1.5, 2.5], 6000), np.tile([0, 1, 2], 6000)
    orders = apply(ShuffleSteps(dt=1, n_steps=3), events).times.reshape(-1, 3).astype(int) @ [9, 3, 1]
    _, counts = np.unique(orders, return_counts=True)
    assert counts.size == 6
    np.testing.assert_allclose(counts, 1000, atol=STANDARD_ERRORS * np.sqrt(1000 * 5 / 6))


def test_one_step_has_one_order(make, apply):
    events = make(LENGTHS, dtype=np.float64)
    np.testing.assert_array_equal(apply(ShuffleSteps(dt=1, n_steps=1), events).times, events.times)
