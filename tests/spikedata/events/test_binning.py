import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.events import Events, Sample, bin_events, bin_samples, steps_of

STEP_LENGTHS = (0.001, 0.004, 0.0014, 0.1, 0.014, 1 / 3, 0.3)
TIMES = st.floats(0, 3, allow_subnormal=False)


def by_edges(times, dt, n):
    """The rule in its plainest form."""
    return np.searchsorted(np.arange(n + 1) * dt, times, side="right") - 1


@pytest.mark.parametrize("dt", STEP_LENGTHS)
def test_a_spike_on_an_edge_belongs_to_the_later_step(dt):
    edges = np.arange(2000) * dt
    np.testing.assert_array_equal(steps_of(edges, dt=dt), np.arange(2000))


@pytest.mark.parametrize("dt", STEP_LENGTHS)
def test_a_spike_just_below_an_edge_belongs_to_the_earlier_step(dt):
    edges = np.arange(1, 2000) * dt
    np.testing.assert_array_equal(steps_of(np.nextafter(edges, 0), dt=dt), np.arange(1999))


@pytest.mark.parametrize("dt", STEP_LENGTHS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_stored_times_are_widened_before_they_are_binned(dt, dtype):
    times = (np.arange(2000) * dt).astype(dtype)
    np.testing.assert_array_equal(steps_of(times, dt=dt), by_edges(times.astype(np.float64), dt, 2001))


@settings(max_examples=50, deadline=None)
@given(times=st.lists(TIMES, max_size=20), dt=st.floats(1e-3, 1.0))
def test_steps_equal_a_search_among_the_edges(times, dt):
    n = int(3 / dt) + 2
    np.testing.assert_array_equal(steps_of(times, dt=dt), by_edges(times, dt, n))


@settings(max_examples=30, deadline=None)
@given(spikes=st.lists(st.tuples(TIMES, st.integers(0, 9)), max_size=30), dt=st.floats(0.01, 1.0), n=st.integers(1, 40))
def test_every_spike_before_the_end_is_counted_once(spikes, dt, n):
    times, units = [time for time, _ in spikes], [unit for _, unit in spikes]
    counts = bin_events(times, units, dt=dt, n_steps=n, n_units=10)
    assert counts.sum() == sum(time < n * dt for time in times)
    np.testing.assert_array_equal(
        counts.sum(axis=0), [sum(u == unit and t < n * dt for t, u in spikes) for unit in range(10)]
    )


@pytest.mark.parametrize("dt", STEP_LENGTHS)
def test_a_spike_at_the_end_is_dropped(dt):
    end = 100 * dt
    counts = bin_events([np.nextafter(end, 0), end, end + dt], [0, 1, 2], dt=dt, n_steps=100, n_units=3)
    assert counts.sum(axis=0).tolist() == [1, 0, 0]
    assert counts[-1].tolist() == [1, 0, 0]


def test_spikes_of_one_unit_in_one_step_add_up():
    assert bin_events([0.0, 0.001, 0.002], [4, 4, 4], dt=0.01, n_steps=2, n_units=5)[0, 4] == 3


def test_silence_stays_silent():
    counts = bin_events([], [], dt=0.01, n_steps=3, n_units=2)
    assert (counts.shape, counts.sum(), counts.dtype) == ((3, 2), 0, np.int64)


def test_the_order_of_spikes_does_not_matter():
    times, units = np.array([0.3, 0.1, 0.2]), np.array([1, 2, 3])
    order = np.argsort(times)
    np.testing.assert_array_equal(
        bin_events(times, units, dt=0.1, n_steps=4, n_units=4),
        bin_events(times[order], units[order], dt=0.1, n_steps=4, n_units=4),
    )


def test_samples_bin_as_each_alone():
    rng = np.random.default_rng(0)
    samples = [
        Sample(np.sort(rng.random(n)), rng.integers(0, 7, n).astype(np.uint16), label=0, speaker=0) for n in (5, 0, 40)
    ]
    for batch in (samples, Events.from_samples(samples, keys=["zero"], n_units=7)):
        indices, counts = bin_samples(batch, dt=0.05, n_steps=15, n_units=7)
        dense = np.zeros((3, 15, 7), dtype=np.int64)
        dense[tuple(indices)] = counts
        for row, sample in enumerate(samples):
            np.testing.assert_array_equal(dense[row], bin_events(*sample[:2], dt=0.05, n_steps=15, n_units=7))


def test_entries_rise_and_occur_once():
    rng = np.random.default_rng(1)
    samples = [Sample(np.sort(rng.random(200)), rng.integers(0, 5, 200), label=0, speaker=0) for _ in range(3)]
    indices, counts = bin_samples(samples, dt=0.1, n_steps=10, n_units=5)
    codes = np.ravel_multi_index(tuple(indices), (3, 10, 5))
    assert (np.diff(codes) > 0).all()
    assert counts.sum() == 600
    assert counts.min() >= 1


def test_no_samples_have_no_entries():
    indices, counts = bin_samples([], dt=0.1, n_steps=10, n_units=5)
    assert (indices.shape, counts.shape) == ((3, 0), (0,))


@pytest.mark.parametrize(
    ("times", "units", "rest", "message"),
    [
        ([-0.1], [0], {}, r"time -0\.1 s, must be finite and >= 0"),
        ([float("nan")], [0], {}, "time nan s, must be finite"),
        ([0.1], [5], {}, "unit 5, must be < 5"),
        ([0.1], [-1], {}, "unit -1, must be >= 0"),
        ([0.1], [0.5], {}, "units must be integers, got float64"),
        ([0.1, 0.2], [1], {}, "2 times and 1 units, must agree"),
        ([0.1], [0], {"dt": 0.0}, r"dt must be > 0, got 0\.0"),
        ([0.1], [0], {"dt": float("nan")}, "dt must be a number > 0, got nan"),
        ([0.1], [0], {"dt": 1e-300}, "dt must be more than .* got 1e-300"),
        ([0.1], [0], {"n_steps": 0}, "n_steps must be >= 1, got 0"),
        ([], [], {"n_units": 0}, "n_units must be >= 1, got 0"),
    ],
)
def test_what_cannot_be_binned_is_refused(times, units, rest, message):
    with pytest.raises(ValueError, match=message):
        bin_events(times, units, **({"dt": 0.1, "n_steps": 3, "n_units": 5} | rest))


def test_a_fault_names_the_sample():
    good, bad = (Sample(np.array([0.1]), np.array([unit]), label=0, speaker=0) for unit in (1, 9))
    with pytest.raises(ValueError, match="sample 1: unit 9, must be < 5"):
        bin_samples([good, bad], dt=0.1, n_steps=3, n_units=5)


@pytest.mark.parametrize("time", [-1e-9, float("nan"), float("inf")])
def test_steps_of_impossible_times_are_refused(time):
    with pytest.raises(ValueError, match="times must be finite and >= 0"):
        steps_of([0.1, time], dt=0.1)
