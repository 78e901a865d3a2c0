import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.transforms import AreaDrop, ChannelMask, EventDrop, SpanDrop, TimeMask

STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change
N_CLIPS = 4000


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_each_event_is_dropped_with_the_probability(probability, make, apply):
    n_left = apply(EventDrop(probability=probability), make([40_000])).times.size
    standard_error = np.sqrt(probability * (1 - probability) * 40_000)
    assert abs(n_left - 40_000 * (1 - probability)) < STANDARD_ERRORS * standard_error


def test_events_are_dropped_independently(make, apply):
    events = make([2] * 10_000, dtype=np.float64)
    left = np.diff(apply(EventDrop(probability=0.5), events).offsets)
    np.testing.assert_allclose(np.bincount(left), [2500, 5000, 2500], atol=STANDARD_ERRORS * 50)


@pytest.mark.parametrize(("probability", "n_left"), [(0, 300), (1, 0)])
def test_none_or_all_events_are_dropped_at_the_ends(probability, n_left, make, apply):
    assert apply(EventDrop(probability=probability), make([300])).times.size == n_left


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_mask_leaves_out_neighbors_and_nothing_else(make, apply, dtype, seed):
    events = make([400], dtype=dtype)
    left = apply(TimeMask(longest=0.4), events, seed=seed)
    n_before = int(np.argmax(np.append(left.times, np.inf) != np.append(events.times, -np.inf)[: left.times.size + 1]))
    n_dropped = 400 - left.times.size
    np.testing.assert_array_equal(left.times, np.delete(events.times, slice(n_before, n_before + n_dropped)))
    assert left.times.dtype == dtype
    if n_dropped:
        masked = events.times[n_before : n_before + n_dropped]
        assert masked[-1] - masked[0] <= 0.4


def test_the_length_of_a_span_is_uniform_up_to_its_share(make, apply):
    events = make([1001] * 200, dtype=np.float64)
    events.times[:] = np.tile(np.arange(1001) / 1000, 200)
    shares = 1 - np.diff(apply(SpanDrop(largest_share=0.4), events).offsets) / 1001
    assert shares.max() <= 0.4
    assert abs(shares.mean() - 0.2) < STANDARD_ERRORS * 0.4 / np.sqrt(12 * 200)
    assert abs(shares.std() / (0.4 / np.sqrt(12)) - 1) < STANDARD_ERRORS * np.sqrt(0.2 / 200)


def test_spans_lie_anywhere_in_the_clip(make, apply):
    events = make([101] * N_CLIPS, dtype=np.float64)
    events.times[:] = np.tile(np.arange(101) / 100, N_CLIPS)
    left = apply(SpanDrop(largest_share=0.2), events)
    kept = np.histogram(left.times, np.arange(102) / 100 - 0.005)[0] / N_CLIPS
    middle = kept[20:81]
    assert abs(middle - middle.mean()).max() < STANDARD_ERRORS * 0.5 / np.sqrt(N_CLIPS)
    # a span never reaches beyond an end, so the ends are hit less, and both alike; the latest event is never hit
    assert kept[[1, 99]].min() > middle.mean()
    assert abs(kept[1] - kept[99]) < STANDARD_ERRORS * 0.3 / np.sqrt(N_CLIPS)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 1000), st.integers(1, 3))
def test_a_band_leaves_out_neighboring_units_and_nothing_else(make, apply, seed, widest, n_masks):
    events = make([3000])
    left = apply(ChannelMask(widest=widest, n_masks=n_masks), events, seed=seed)
    is_gone = ~np.isin(np.arange(700), left.units) & np.isin(np.arange(700), events.units)
    np.testing.assert_array_equal(left.units, events.units[~is_gone[events.units]])
    assert np.count_nonzero(is_gone) <= n_masks * widest


@pytest.mark.parametrize(
    ("transform", "mean", "largest"),
    [(ChannelMask(widest=100), 50, 100), (AreaDrop(largest_share=0.3), 105, 210)],
)
def test_the_width_of_a_band_is_uniform(transform, mean, largest, make, apply):
    events = make([700] * 500)
    events.units[:] = np.tile(np.arange(700), 500)
    widths = 700 - np.diff(apply(transform, events).offsets)
    assert widths.max() <= largest
    assert abs(widths.mean() - mean) < STANDARD_ERRORS * largest / np.sqrt(12 * 500)


def test_a_mask_longer_than_the_clip_still_fits_into_it(make, apply):
    left = apply(TimeMask(longest=100), make([50] * 100))
    assert left.times.size < 50 * 100
