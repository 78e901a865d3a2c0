import numpy as np
import pytest

from spikedata.transforms import ChannelMerge, Compose, EventDrop, EventTransform, Maybe, TimeShift, TimeStretch
from spikedata.transforms.streams import streams_of, substreams

STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change


def test_composing_applies_one_after_the_other_with_numbers_of_its_own(make, apply):
    events, parts = make([100, 20]), [TimeShift(largest=0.1), EventDrop(probability=0.5)]
    streams = streams_of(0, 0, [0, 1])
    expected = events
    for position, part in enumerate(parts):
        expected = part.transform_events(expected, substreams(streams, position), events)
    found = apply(Compose(parts), events)
    np.testing.assert_array_equal(found.times, expected.times)
    np.testing.assert_array_equal(found.units, expected.units)


def test_two_equal_transforms_in_a_row_draw_different_numbers(make, apply):
    half = EventDrop(probability=0.5)
    n_left = apply(Compose([half, half]), make([40_000])).times.size
    assert abs(n_left - 10_000) < STANDARD_ERRORS * np.sqrt(40_000 * 3 / 16)


def test_composing_nothing_changes_nothing(make, apply):
    events = make([10])
    np.testing.assert_array_equal(apply(Compose([]), events).times, events.times)


def test_maybe_changes_each_clip_with_the_probability(make, apply):
    events = make([5] * 4000, dtype=np.float64)
    changed = apply(Maybe(TimeStretch(largest=2), 0.3), events)
    is_changed = (changed.times != events.times).reshape(-1, 5)
    assert (is_changed.all(axis=1) == is_changed.any(axis=1)).all()
    assert abs(is_changed[:, 0].mean() - 0.3) < STANDARD_ERRORS * np.sqrt(0.3 * 0.7 / 4000)


@pytest.mark.parametrize(("probability", "n_left"), [(0, 350), (1, 0)])
def test_maybe_is_never_or_always_at_the_ends(probability, n_left, make, apply):
    left = apply(Maybe(EventDrop(probability=1), probability), make([100, 0, 250]))
    assert left.times.size == n_left


def test_maybe_leaves_the_clips_in_their_order(make, apply):
    events = make([3, 0, 7, 1, 4, 9, 2])
    left = apply(Maybe(EventDrop(probability=1), 0.5), events)
    kept = np.diff(left.offsets) > 0
    assert kept.any()
    for clip in np.flatnonzero(kept):
        np.testing.assert_array_equal(left[clip].times, events[clip].times)
        assert left[clip].source == events[clip].source


def test_maybe_refuses_to_change_the_number_of_units(make, apply):
    with pytest.raises(ValueError, match="must keep the number of units, got ChannelMerge"):
        apply(Maybe(ChannelMerge(n_merged=5), 0.5), make([10]))


@pytest.mark.parametrize("make_wrong", [lambda: Compose([abs]), lambda: Maybe(abs, 0.5)])
def test_what_cannot_transform_events_is_refused(make_wrong):
    with pytest.raises(TypeError, match="must be a transform with a method transform_events, got <built-in"):
        make_wrong()


def test_a_transform_of_ones_own_needs_no_base_class():
    class Own:
        def transform_events(self, events, streams, source):
            return events

    assert isinstance(Own(), EventTransform)
