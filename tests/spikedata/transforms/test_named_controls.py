import numpy as np
import pytest

from spikedata.transforms.named import CONTROLS, apply_control, control_of


def _counts(events):
    return [np.bincount(clip.units, minlength=events.n_units).tolist() for clip in events]


@pytest.mark.parametrize("name", [name for name in CONTROLS if name != "counts_equalized"])
def test_every_control_but_one_keeps_the_counts_of_every_unit(make_events, name):
    events = make_events()
    assert _counts(apply_control(events, name)) == _counts(events)


def test_shuffled_times_are_the_times_of_the_clip(make_events):
    events = make_events()
    changed = apply_control(events, "times_shuffled")
    for clip, other in zip(events, changed, strict=True):
        np.testing.assert_array_equal(clip.times, other.times)
    assert not np.array_equal(events.units, changed.units)


def test_counts_only_leaves_no_time_of_the_clip(make_events):
    events = make_events()
    assert not np.isin(apply_control(events, "counts_only").times, events.times).any()


def test_a_reversed_clip_reversed_again_is_the_clip(make_events):
    events = make_events()
    twice = apply_control(apply_control(events, "time_reversed"), "time_reversed")
    for clip, other in zip(events, twice, strict=True):
        np.testing.assert_allclose(clip.times - clip.times[0], other.times, atol=1e-9)  # begins at its first spike


def test_the_seed_decides_what_is_drawn(make_events):
    events = make_events()
    first, again, other = (apply_control(events, "counts_only", seed=seed).times for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["counts_only", "times_shuffled", "steps_shuffled", "counts_equalized"])
def test_a_control_draws_the_same_for_a_clip_of_the_same_seed_and_number(make_events, name):
    events = make_events()
    whole, part = apply_control(events, name, seed=1), apply_control(events.select(np.arange(7)), name, seed=1)
    for clip, other in zip(whole, part, strict=False):
        np.testing.assert_array_equal(clip.times, other.times)
        np.testing.assert_array_equal(clip.units, other.units)


def test_equal_counts_leave_nothing_to_count(make_events):
    counts = np.array(_counts(apply_control(make_events(), "counts_equalized")))
    assert (counts == counts[0, 0]).all()


def test_the_steps_that_are_shuffled_are_those_of_the_network(make_events):
    events = make_events()
    coarse, fine = (apply_control(events, "steps_shuffled", dt=dt, n_steps=100).times for dt in (0.1, 0.002))
    assert not np.array_equal(coarse, fine)
    np.testing.assert_array_equal(apply_control(events, "steps_shuffled", dt=1.0, n_steps=1).times, events.times)


def test_the_control_of_a_network_leaves_clips_as_they_are(make_events):
    events = make_events()
    assert apply_control(events, "propagation_cut") is events


def test_an_unknown_control_is_refused():
    with pytest.raises(ValueError, match="no control 'time_reverse'; nearest: time_reversed"):
        control_of("time_reverse")
