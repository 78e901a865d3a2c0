import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spikedata.events import bin_events, bin_samples, steps_of
from spikedata.events.batching import dense_batch, event_lists, sparse_batch
from spikedata.events.events import Events, offsets_of
from spikedata.events.kernels import steps_of_floats

STEP_LENGTHS = (0.1, 1 / 3, 0.0056, 1e-4)  # awkward: no float64 holds them
TIMES_DTYPES = (np.float16, np.float32, np.float64)
N_UNITS = 7
SENTINEL = 99


def events_of(rows, *, dtype=np.float64, n_units=N_UNITS):
    """Events of rows of (time, unit), in the order given; `Events.from_samples` would refuse unsorted ones."""
    spikes = [spike for row in rows for spike in row]
    return Events.trusted(
        times=np.array([time for time, _ in spikes], dtype),
        units=np.array([unit for _, unit in spikes], np.uint16),
        offsets=offsets_of([len(row) for row in rows]),
        labels=np.zeros(len(rows), np.int64),
        speakers=np.zeros(len(rows), np.int64),
        sources=("",) * len(rows),
        sample_rates=np.zeros(len(rows), np.int64),
        keys=("zero",),
        n_units=n_units,
        is_sorted=False,
    )


def random_events(n_clips=5, *, dtype=np.float32, n_units=700, n_spikes=400):
    rng = np.random.default_rng(7)
    lengths = [n_spikes * clip // n_clips for clip in range(n_clips)]
    return events_of(
        [list(zip(rng.random(n), rng.integers(0, n_units, n), strict=True)) for n in lengths],
        dtype=dtype,
        n_units=n_units,
    )


def binned(events, indices, *, dt, n_steps, n_merged=1):
    """What the plain form says: each clip alone, by `bin_events`."""
    n_units = -(-events.n_units // n_merged)
    clips = [
        bin_events(clip.times, clip.units // n_merged, dt=dt, n_steps=n_steps, n_units=n_units)
        for clip in (events[index] for index in indices)
    ]
    return np.array(clips).reshape(len(clips), n_steps, n_units)


def counts_of_lists(lists):
    n_clips, n_steps = lists.offsets.shape[0], lists.offsets.shape[1] - 1
    counts = np.zeros((n_clips, n_steps, lists.n_units), np.int64)
    for clip in range(n_clips):
        for step in range(n_steps):
            np.add.at(counts[clip, step], lists.units[lists.offsets[clip, step] : lists.offsets[clip, step + 1]], 1)
    return counts


@st.composite
def times_near_edges(draw, dt):
    """Times exactly on an edge, one float above or below, or anywhere."""
    edge = draw(st.integers(0, 40)) * dt
    near = [edge, np.nextafter(edge, np.inf), max(np.nextafter(edge, 0), 0.0)]
    return float(draw(st.sampled_from([*near, draw(st.floats(0, 50 * dt)), 60_000.0])))


@st.composite
def binnings(draw):
    """Events with their dtype, some of their clips, and how to bin them."""
    dt = draw(st.sampled_from([*STEP_LENGTHS, 2**-6]))  # every edge of the last is a half float
    spikes = st.tuples(times_near_edges(dt), st.integers(0, N_UNITS - 1))
    rows = draw(st.lists(st.lists(spikes, max_size=12), min_size=1, max_size=4))
    events = events_of(rows, dtype=draw(st.sampled_from(TIMES_DTYPES)))
    indices = draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=5))
    binning = {"dt": dt, "n_steps": draw(st.integers(1, 45)), "n_merged": draw(st.integers(1, N_UNITS + 1))}
    return events, indices, binning


@settings(max_examples=80, deadline=None)
@given(case=binnings())
def test_dense_counts_are_those_of_the_plain_binning(case):
    events, indices, binning = case
    expected = binned(events, indices, **binning)
    np.testing.assert_array_equal(dense_batch(events, indices, **binning), expected)
    np.testing.assert_array_equal(dense_batch(events, indices, **binning, dtype=np.uint8), expected)
    np.testing.assert_array_equal(dense_batch(events, indices, **binning, binary=True), expected > 0)


@settings(max_examples=50, deadline=None)
@given(case=binnings())
def test_lists_hold_the_spikes_of_the_plain_binning(case):
    events, indices, binning = case
    lists = event_lists(events, indices, **binning)
    np.testing.assert_array_equal(counts_of_lists(lists), binned(events, indices, **binning))
    assert (lists.units.dtype, lists.offsets.dtype) == (np.uint16, np.int64)
    flat = lists.offsets.ravel()
    assert (np.diff(flat) >= 0).all()
    assert flat.size == 0 or (flat[0], flat[-1]) == (0, len(lists.units))


@settings(max_examples=50, deadline=None)
@given(case=binnings())
def test_sparse_entries_are_those_of_the_plain_binning(case):
    events, indices, binning = case
    entries, counts = sparse_batch(events, indices, **binning)
    expected = binned(events, indices, **binning)
    np.testing.assert_array_equal(entries, np.array(np.nonzero(expected)))  # which are in rising order, each once
    np.testing.assert_array_equal(counts, expected[expected > 0])
    assert (entries.dtype, counts.dtype) == (np.int64, np.float32)
    assert entries.flags.c_contiguous


@pytest.mark.parametrize("dtype", TIMES_DTYPES)
@pytest.mark.parametrize("n_merged", [1, 5, 10])
def test_clips_of_the_published_size_are_binned_alike(dtype, n_merged):
    events = random_events(dtype=dtype)
    indices, dt, n_steps = [4, 0, 2, -1], 0.009, 100
    expected = binned(events, indices, dt=dt, n_steps=n_steps, n_merged=n_merged)
    assert expected.sum() > 0
    binning = {"dt": dt, "n_steps": n_steps, "n_merged": n_merged}
    np.testing.assert_array_equal(dense_batch(events, indices, **binning), expected)
    np.testing.assert_array_equal(counts_of_lists(event_lists(events, indices, **binning)), expected)
    entries, counts = sparse_batch(events, indices, **binning)
    np.testing.assert_array_equal(entries, np.array(np.nonzero(expected)))
    np.testing.assert_array_equal(counts, expected[tuple(entries)])


def test_sparse_entries_equal_those_of_bin_samples():
    events = random_events()
    found, expected = (
        sparse_batch(events, range(5), dt=0.004, n_steps=250),
        bin_samples(events, dt=0.004, n_steps=250, n_units=700),
    )
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dt", STEP_LENGTHS)
def test_steps_at_the_edges_equal_those_of_the_plain_binning(dt, dtype):
    n_steps = 3000
    edges = (np.arange(n_steps + 20) * dt).astype(dtype)
    times = np.concatenate([edges, np.nextafter(edges, dtype(np.inf)), np.nextafter(edges[1:], dtype(0))])
    steps = np.empty(times.size, np.int32)
    steps_of_floats(times, 0, times.size, dt, n_steps, steps)
    expected = steps_of(times, dt=dt)
    np.testing.assert_array_equal(steps, np.where(expected < n_steps, expected, -1))
    assert (steps == -1).any()  # those at and after the end


@settings(max_examples=200, deadline=None)
@given(
    time=st.floats(width=64),
    dt=st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False),
    n_steps=st.integers(1, 2**31 - 1),
)
@example(time=0.0, dt=1e-310, n_steps=1)  # 1 / dt is infinite
@example(time=2e-310, dt=1e-310, n_steps=5)
@example(time=np.nan, dt=0.1, n_steps=5)
@example(time=1e308, dt=1e308, n_steps=5)
def test_no_time_has_a_step_that_is_not_there(time, dt, n_steps):
    steps = np.empty(1, np.int32)
    steps_of_floats(np.array([time]), 0, 1, dt, n_steps, steps)
    assert -1 <= steps[0] < n_steps


@pytest.mark.parametrize("dt", [*STEP_LENGTHS, 2**-6])
@pytest.mark.parametrize("n_steps", [1, 64, 1000])
def test_every_half_float_falls_where_the_plain_binning_puts_it(dt, n_steps):
    times = np.arange(2**16, dtype=np.uint16).view(np.float16)  # NaN, infinite and negative ones, too
    events = events_of([[]], n_units=1).changed(
        times=times, units=np.zeros(2**16, np.uint16), offsets=np.array([0, 2**16])
    )
    memory = np.full((3, n_steps, 1), SENTINEL, np.float32)
    dense_batch(events, [0], dt=dt, n_steps=n_steps, out=memory[1:2])
    steps = steps_of(times[(times >= 0) & (times < np.inf)], dt=dt)
    np.testing.assert_array_equal(memory[1, :, 0], np.bincount(steps[steps < n_steps], minlength=n_steps))
    assert (memory[[0, 2]] == SENTINEL).all()


def test_spikes_of_no_time_in_the_batch_are_left_out():
    spikes = [(time, 0) for time in (-0.5, -1e-7, np.nan, np.inf, -np.inf, 0.25, 0.15)]
    for dtype in TIMES_DTYPES:
        events = events_of([spikes], dtype=dtype)
        memory = np.zeros((3, 2, N_UNITS), np.float32)
        dense_batch(events, [0], dt=0.125, n_steps=2, out=memory[1:2])
        assert np.argwhere(memory).tolist() == [[1, 1, 0]]
        assert event_lists(events, [0], dt=0.125, n_steps=2).offsets.tolist() == [[0, 0, 1]]


def test_a_list_keeps_the_order_of_the_file_within_a_step():
    events = events_of([[(0.05, 3), (0.15, 6), (0.01, 5), (0.05, 1), (0.12, 0)]])
    lists = event_lists(events, [0], dt=0.1, n_steps=2)
    assert lists.units.tolist() == [3, 5, 1, 6, 0]


@pytest.mark.parametrize("n_units", [1, 63, 64, 65, 700])
def test_every_unit_has_its_entry(n_units):
    events = events_of([[(0.0, unit) for unit in reversed(range(n_units))]], n_units=n_units)
    entries, counts = sparse_batch(events, [0], dt=0.1, n_steps=1)
    np.testing.assert_array_equal(entries[2], np.arange(n_units))
    np.testing.assert_array_equal(counts, np.ones(n_units))


def test_units_that_do_not_divide_leave_a_smaller_last_one():
    events = events_of([[(0.0, unit) for unit in range(700)]], n_units=700)
    counts = dense_batch(events, [0], dt=0.1, n_steps=1, n_merged=3)
    assert counts.shape == (1, 1, 234)
    assert counts[0, 0].tolist() == [3.0] * 233 + [1.0]
    assert event_lists(events, [0], dt=0.1, n_steps=1, n_merged=3).n_units == 234


def test_counts_in_bytes_stop_at_255():
    events = events_of([[(0.01, 4)] * 300 + [(0.01, 5)] * 255])
    counts = dense_batch(events, [0], dt=0.1, n_steps=1, dtype=np.uint8)
    assert counts[0, 0].tolist() == [0, 0, 0, 0, 255, 255, 0]
    assert dense_batch(events, [0], dt=0.1, n_steps=1)[0, 0, 4] == 300


def test_counts_in_floats_stop_where_they_are_no_longer_exact():
    n_spikes = 2**24 + 3
    clip = events_of([[]], dtype=np.float16)
    events = clip.changed(
        times=np.zeros(n_spikes, np.float16),
        units=np.zeros(n_spikes, np.uint16),
        offsets=np.array([0, n_spikes]),
    )
    assert dense_batch(events, [0], dt=0.1, n_steps=1)[0, 0, 0] == 2**24


def numbers_of(counts, dtype):
    return (counts.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else counts


@pytest.mark.parametrize(
    ("dtype", "stops"),
    [("bool", 1), ("int8", 127), ("uint8", 255), ("bfloat16", 256), ("float16", 2048)]
    + [(dtype, 9_000) for dtype in ("int16", "int32", "float32")],
)
@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("max_count", [None, 15, 1])
def test_counts_of_every_type_are_exact_and_stop_where_told_or_where_it_ends(dtype, stops, time_first, max_count):
    if dtype == "bool" and max_count == 15:
        return  # refused below
    wanted = np.array([0, 1, 14, 15, 16, 126, 127, 128, 255, 256, 257, 2047, 2048, 2049, 9000])
    spikes = [(0.15, unit) for unit in np.repeat(np.arange(wanted.size), wanted)]
    events = events_of([[(0.05, 2)], spikes, []], n_units=wanted.size)
    options = {"dt": 0.1, "n_steps": 2, "time_first": time_first, "max_count": max_count}
    counts = numbers_of(dense_batch(events, [0, 1, 2], dtype=dtype, **options), dtype)
    expected = np.zeros((3, 2, wanted.size))
    expected[0, 0, 2], expected[1, 1] = 1, np.minimum(wanted, max_count or stops)
    np.testing.assert_array_equal(counts, expected.transpose(1, 0, 2) if time_first else expected)
    binary = numbers_of(dense_batch(events, [0, 1, 2], dtype=dtype, binary=True, **options), dtype)
    np.testing.assert_array_equal(binary, counts > 0)


@settings(max_examples=50, deadline=None)
@given(case=binnings(), dtype=st.sampled_from(["float32", "bfloat16", "int8"]), max_count=st.integers(1, 5))
def test_time_first_batches_are_those_of_the_plain_binning_turned(case, dtype, max_count):
    events, indices, binning = case
    expected = np.minimum(binned(events, indices, **binning), max_count)
    counts = dense_batch(events, indices, **binning, dtype=dtype, max_count=max_count, time_first=True)
    np.testing.assert_array_equal(numbers_of(counts, dtype), expected.transpose(1, 0, 2))
    entries, values = sparse_batch(events, indices, **binning, max_count=max_count)
    np.testing.assert_array_equal(values, expected[tuple(entries)])


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"max_count": 0}, "max_count must be >= 1, got 0"),
        ({"max_count": 2.5}, "max_count must be a whole number >= 1, got 2.5"),
        ({"dtype": bool, "max_count": 15}, "max_count must be at most 1, which bool holds, got 15"),
        ({"dtype": np.int8, "max_count": 128}, "max_count must be at most 127, which int8 holds, got 128"),
        ({"dtype": "bfloat16", "max_count": 257}, "max_count must be at most 256, which bfloat16 holds, got 257"),
        ({"binary": "no"}, "binary must be True or False, got 'no'"),
        ({"time_first": 1}, "time_first must be True or False, got 1"),
    ],
)
def test_what_counts_cannot_hold_is_refused(options, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        dense_batch(events_of([[(0.1, 1)]]), [0], dt=0.1, n_steps=4, **options)


@pytest.mark.parametrize("dtype", TIMES_DTYPES)
def test_an_empty_batch_is_one_of_no_clips(dtype):
    events = events_of([[(0.1, 1)]], dtype=dtype)
    assert dense_batch(events, [], dt=0.1, n_steps=4).shape == (0, 4, N_UNITS)
    lists = event_lists(events, [], dt=0.1, n_steps=4)
    assert (lists.units.shape, lists.offsets.shape) == ((0,), (0, 5))
    entries, counts = sparse_batch(events, [], dt=0.1, n_steps=4)
    assert (entries.shape, counts.shape) == ((3, 0), (0,))


def test_silence_stays_silent():
    events = events_of([[], []])
    assert not dense_batch(events, [0, 1, 0], dt=0.1, n_steps=4).any()
    assert event_lists(events, [0, 1], dt=0.1, n_steps=4).offsets.tolist() == [[0] * 5] * 2


def test_clips_may_be_repeated_and_counted_from_the_end():
    events = events_of([[(0.0, clip)] for clip in range(4)])
    counts = dense_batch(events, [-1, 2, 2, -4], dt=0.1, n_steps=1)
    assert counts[:, 0].argmax(axis=1).tolist() == [3, 2, 2, 0]


@pytest.mark.parametrize("index", [2, -3])
@pytest.mark.parametrize("batch", [dense_batch, event_lists, sparse_batch])
def test_a_clip_that_is_not_there_is_an_index_error(batch, index):
    with pytest.raises(IndexError):
        batch(events_of([[], []]), [0, index], dt=0.1, n_steps=4)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_buffer_that_is_given_is_cleared_filled_and_returned(dtype):
    events = random_events()
    buffer = np.full((3, 20, 70), SENTINEL, dtype)
    found = dense_batch(events, [1, 4, 2], dt=0.05, n_steps=20, n_merged=10, out=buffer)
    assert found is buffer
    np.testing.assert_array_equal(buffer, binned(events, [1, 4, 2], dt=0.05, n_steps=20, n_merged=10))


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((1, 4, N_UNITS + 1), np.float32),
        np.zeros((2, 4, N_UNITS), np.float32),
        np.zeros((4, N_UNITS), np.float32),
        np.zeros((1, 4, N_UNITS), np.float64),
        np.zeros((1, 4, N_UNITS), np.int64),
        np.zeros((1, 4, 2 * N_UNITS), np.float32)[:, :, ::2],
        np.zeros((1, N_UNITS, 4), np.float32).transpose(0, 2, 1),
    ],
    ids=["unit", "clip", "axes", "float64", "int64", "strided", "transposed"],
)
def test_a_buffer_that_does_not_fit_is_refused(out):
    with pytest.raises(ValueError, match=r"out must be contiguous \(1, 4, 7\) of float32, got"):
        dense_batch(events_of([[(0.1, 1)]]), [0], dt=0.1, n_steps=4, out=out)
    assert not out.any()


@pytest.mark.parametrize("unit", [N_UNITS, N_UNITS + 1, 2**16 - 1])
@pytest.mark.parametrize("dtype", TIMES_DTYPES)
def test_a_unit_that_is_not_there_is_refused_and_nothing_written_beyond(unit, dtype):
    good = [(0.05, 1), (0.15, N_UNITS - 1)]
    events = events_of([good, [*good, (0.15, unit), (0.19, unit)], good], dtype=dtype)
    memory = np.full((5, 2, N_UNITS), SENTINEL, np.uint8)
    with pytest.raises(ValueError, match="2 spikes have a unit that is not below 7"):
        dense_batch(events, [0, 1, 2], dt=0.1, n_steps=2, out=memory[1:4])
    assert (memory[[0, 4]] == SENTINEL).all()
    for batch in (event_lists, sparse_batch):
        with pytest.raises(ValueError, match="2 spikes have a unit that is not below 7"):
            batch(events, [0, 1, 2], dt=0.1, n_steps=2)
    assert dense_batch(events, [0, 2], dt=0.1, n_steps=2).sum() == 4  # the other clips are as they were


@settings(max_examples=50, deadline=None)
@given(
    times=st.lists(st.floats(width=32) | st.sampled_from([0.0, 0.125, 0.375]), min_size=1, max_size=20),
    units=st.lists(st.integers(0, 2**16 - 1), min_size=20, max_size=20),
    dtype=st.sampled_from(TIMES_DTYPES),
)
def test_whatever_damaged_events_hold_nothing_is_written_beyond(times, units, dtype):
    with np.errstate(over="ignore"):
        events = events_of([list(zip(times, units, strict=False))], dtype=dtype)
    memory = np.full((3, 3, N_UNITS), SENTINEL, np.float32)
    try:
        dense_batch(events, [0], dt=0.125, n_steps=3, out=memory[1:2])
    except ValueError:
        assert max(units[: len(times)]) >= N_UNITS
    else:
        assert max(units[: len(times)]) < N_UNITS
    assert (memory[[0, 2]] == SENTINEL).all()


@pytest.mark.parametrize("batch", [dense_batch, event_lists, sparse_batch])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dt": 0.0}, r"dt must be > 0, got 0\.0"),
        ({"dt": -1.0}, r"dt must be > 0, got -1\.0"),
        ({"dt": float("nan")}, "dt must be a number > 0, got nan"),
        ({"dt": float("inf")}, "dt must be finite, got inf"),
        ({"n_steps": 0}, "n_steps must be >= 1 and <= 2147483647, got 0"),
        ({"n_merged": 0}, "n_merged must be >= 1, got 0"),
        ({"n_merged": -5}, "n_merged must be >= 1, got -5"),
    ],
)
def test_what_cannot_be_binned_is_refused(batch, changes, message):
    with pytest.raises(ValueError, match=message):
        batch(events_of([[(0.1, 1)]]), [0], **({"dt": 0.1, "n_steps": 4} | changes))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint16, "bfloat", str])
def test_counts_of_another_kind_are_refused(dtype):
    with pytest.raises(ValueError, match=r"^dtype must be one of float32, float16, bfloat16, bool, .*, got "):
        dense_batch(events_of([[(0.1, 1)]]), [0], dt=0.1, n_steps=4, dtype=dtype)


def test_the_events_are_as_before():
    events = random_events(dtype=np.float16)
    times, units = events.times.copy(), events.units.copy()
    for batch in (dense_batch, event_lists, sparse_batch):
        batch(events, [3, 1], dt=0.05, n_steps=20)
    np.testing.assert_array_equal(events.times, times)
    np.testing.assert_array_equal(events.units, units)


def test_arrays_that_may_not_be_written_are_binned_too():
    events = random_events()
    frozen = events.changed(times=events.times.copy(), units=events.units.copy(), offsets=events.offsets.copy())
    for array in (frozen.times, frozen.units, frozen.offsets):
        array.flags.writeable = False
    np.testing.assert_array_equal(
        dense_batch(frozen, [4, 1], dt=0.05, n_steps=20), dense_batch(events, [4, 1], dt=0.05, n_steps=20)
    )
