import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.transforms import TimeJitter, TimeShift, TimeStretch

STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change
ROUNDING = 1e-6  # relative, of float32 times after one multiplication and one addition
N_CLIPS = 4000


def test_jitter_adds_a_normal_number_to_each_time(make, apply):
    events = make([20_000], duration=0.1, dtype=np.float64)
    events.times[:] += 10  # far from 0, where nothing is reflected
    moves = apply(TimeJitter(sigma=0.02), events).times - events.times
    assert abs(moves.mean()) < STANDARD_ERRORS * 0.02 / np.sqrt(moves.size)
    assert abs(moves.std() / 0.02 - 1) < STANDARD_ERRORS / np.sqrt(2 * moves.size)
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < STANDARD_ERRORS / np.sqrt(moves.size)


def test_jitter_reflects_at_zero_and_loses_no_event(make, apply):
    events = make([1000], duration=1e-6, dtype=np.float64)
    jittered = apply(TimeJitter(sigma=0.1), events)
    assert jittered.times.size == 1000
    assert jittered.times.min() >= 0
    np.testing.assert_array_equal(jittered.units, events.units)


def test_jitter_of_nothing_changes_nothing(make, apply):
    events = make([100], dtype=np.float64)
    np.testing.assert_array_equal(apply(TimeJitter(sigma=0), events).times, events.times)


def test_a_shift_is_the_same_for_all_events_of_a_clip_and_uniform_over_clips(make, apply):
    events = make([3] * N_CLIPS, dtype=np.float64)
    events.times[:] += 1  # so that nothing is dropped
    shifts = (apply(TimeShift(largest=0.2), events).times - events.times).reshape(-1, 3)
    np.testing.assert_allclose(shifts, shifts[:, :1] * np.ones(3), atol=1e-12)  # rounding of float64
    assert -0.2 <= shifts.min() < -0.19
    assert 0.19 < shifts.max() <= 0.2
    assert abs(shifts[:, 0].mean()) < STANDARD_ERRORS * 0.2 / np.sqrt(3 * N_CLIPS)
    assert abs(shifts[:, 0].var() / (0.2**2 / 3) - 1) < STANDARD_ERRORS * np.sqrt(0.8 / N_CLIPS)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_a_shift_drops_only_what_would_come_before_zero(make, apply, seed):
    events = make([200], dtype=np.float64)
    shifted = apply(TimeShift(largest=0.5), events, seed=seed)
    assert shifted.times.min(initial=0) >= 0
    n_dropped = 200 - shifted.times.size
    np.testing.assert_array_equal(shifted.units, events.units[n_dropped:])
    moves = shifted.times - events.times[n_dropped:]
    assert (events.times[:n_dropped] + moves[0] < 1e-12).all()  # rounding of float64


def test_stretching_keeps_order_and_proportions(make, apply):
    events = make([50] * 20)
    stretched = apply(TimeStretch(largest=2), events)
    assert stretched.is_sorted
    factors = (stretched.times.astype(float) / events.times).reshape(20, 50)
    np.testing.assert_allclose(factors, factors[:, :1] * np.ones(50), rtol=ROUNDING)


def test_the_logarithm_of_a_stretch_is_uniform(make, apply):
    events = make([1] * N_CLIPS, dtype=np.float64)
    logs = np.log2(apply(TimeStretch(largest=2), events).times / events.times)
    assert -1 <= logs.min() < -0.99
    assert 0.99 < logs.max() <= 1
    assert abs(logs.mean()) < STANDARD_ERRORS / np.sqrt(3 * N_CLIPS)
    assert abs(logs.var() * 3 - 1) < STANDARD_ERRORS * np.sqrt(0.8 / N_CLIPS)


@pytest.mark.parametrize("transform", [TimeJitter(sigma=1e-4), TimeShift(largest=0.1), TimeStretch(largest=1.1)])
def test_half_floats_become_single_ones(transform, make, apply):
    assert apply(transform, make([10], dtype=np.float16)).times.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "transform",
    [TimeJitter(sigma=1e308), TimeShift(largest=1.7e308), TimeStretch(largest=1.7e308)],
    ids=lambda transform: type(transform).__name__,
)
def test_no_param_makes_times_infinite(transform, dtype, make, apply):
    events = make([20] * 50, dtype=dtype)
    events.times[1] = np.finfo(dtype).max  # of a damaged or foreign file
    durations = np.where(np.arange(50) % 2, np.finfo(np.float64).max, 0.0)
    moved = apply(transform, events.changed(is_sorted=False, durations=durations))
    assert moved.times.size
    assert np.isfinite(moved.durations).all()
    assert (moved.durations[::2] == 0).all()
    assert np.isfinite(moved.times).all()
    assert moved.times.min() >= 0
