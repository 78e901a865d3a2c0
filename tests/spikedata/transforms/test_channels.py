import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikedata as sd
from spikedata.events.batching import dense_batch
from spikedata.transforms import ChannelJitter, ChannelMerge, ChannelSelect, ChannelShift, Compose, Maybe

STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change
N_EVENTS = 400_000  # so that a mean off by half a unit is seen


def test_jitter_adds_a_rounded_normal_number_to_each_unit(make, apply):
    events = make([N_EVENTS], n_units=50_000)
    events.units[:] = 25_000
    moves = apply(ChannelJitter(sigma=20), events).units.astype(float) - 25_000
    assert moves.size == N_EVENTS
    variance = 20**2 + 1 / 12  # rounding adds that of a uniform number
    assert abs(moves.mean()) < STANDARD_ERRORS * np.sqrt(variance / N_EVENTS)
    assert abs(moves.var() / variance - 1) < STANDARD_ERRORS * np.sqrt(2 / N_EVENTS)
    assert abs(np.corrcoef(moves[1:], moves[:-1])[0, 1]) < STANDARD_ERRORS / np.sqrt(N_EVENTS)


def test_jitter_drops_half_of_what_stands_at_the_edge(make, apply):
    events = make([N_EVENTS])
    for unit in (0, 699):
        events.units[:] = unit
        n_left = apply(ChannelJitter(sigma=20), events).units.size
        expected = 0.5 + 0.5 * 0.0199  # half, and half of those that round to 0: P(|x| < 1/2) of a sigma of 20
        assert abs(n_left / N_EVENTS - expected) < STANDARD_ERRORS * 0.5 / np.sqrt(N_EVENTS)


def test_jitter_of_nothing_changes_nothing(make, apply):
    events = make([100])
    jittered = apply(ChannelJitter(sigma=0), events)
    np.testing.assert_array_equal(jittered.units, events.units)
    np.testing.assert_array_equal(jittered.times, events.times)


def test_jitter_leaves_the_times_of_what_stays(make, apply):
    events = make([500], dtype=np.float16)
    jittered = apply(ChannelJitter(sigma=5), events)
    assert jittered.is_sorted
    assert np.isin(jittered.times, events.times).all()


def test_a_shift_is_uniform_among_whole_numbers(make, apply):
    events = make([1] * 7000)
    events.units[:] = 350
    shifts = apply(ChannelShift(largest=3), events).units.astype(int) - 350
    counts = np.bincount(shifts + 3, minlength=7)
    assert counts.size == 7
    np.testing.assert_allclose(counts, 1000, atol=STANDARD_ERRORS * np.sqrt(1000 * 6 / 7))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2000))
def test_a_shift_moves_all_events_alike_and_drops_those_beyond(make, apply, seed, largest):
    events = make([100])
    shifted = apply(ChannelShift(largest=largest), events, seed=seed)
    units = events.units.astype(int)
    possible = [
        shift
        for shift in range(-largest, largest + 1)
        if np.array_equal((units + shift)[(units + shift >= 0) & (units + shift < 700)], shifted.units)
    ]
    assert possible


def test_merging_is_that_of_a_batch(make, apply):
    events = make([300, 20, 0])
    for n_merged in (1, 3, 5, 700, 70_000):
        merged = apply(ChannelMerge(n_merged=n_merged), events)
        expected = dense_batch(events, [0, 1, 2], dt=0.1, n_steps=10, n_merged=n_merged)
        np.testing.assert_array_equal(dense_batch(merged, [0, 1, 2], dt=0.1, n_steps=10), expected)


@pytest.mark.parametrize("channels", [range(0, 700, 10), [699], range(699, -1, -1), np.array([5, 3, 400])])
def test_selecting_is_that_of_a_batch(channels, make, apply):
    events = make([300, 20, 0], dtype=np.float16)
    selected = apply(ChannelSelect(channels=channels), events)
    assert (selected.n_units, selected.times.dtype, selected.is_sorted) == (len(channels), np.float16, True)
    expected = dense_batch(events, [0, 1, 2], dt=0.1, n_steps=10)[:, :, list(channels)]
    np.testing.assert_array_equal(dense_batch(selected, [0, 1, 2], dt=0.1, n_steps=10), expected)


def test_selected_channels_come_through_the_loader_with_their_number(make):
    dataset = sd.SpikeDataset(
        make([300, 200, 0, 5]),
        transform=Compose([ChannelSelect(channels=range(100, 200)), ChannelMerge(n_merged=10)]),
    )
    for batch in sd.loader(dataset, batch_size=2, dt=0.1, n_steps=10, reuse=True):
        assert (batch.counts.shape, batch.n_units) == ((2, 10, 10), 10)
    assert dataset[0].n_units == 10


def test_channels_that_are_not_there_are_refused_and_so_is_a_choice_by_chance(make, apply):
    events = make([30], n_units=70)
    with pytest.raises(ValueError, match=r"^ChannelSelect.channels must be below the 70 units that there are, got 70$"):
        apply(ChannelSelect(channels=[0, 70]), events)
    with pytest.raises(ValueError, match=r"^Maybe.transform must keep the number of units, got ChannelSelect"):
        apply(Maybe(ChannelSelect(channels=[0, 1]), 0.5), events)
