import pickle

import numpy as np
import pytest

from spikedata.events import Events, offsets_of
from spikedata.schema import Sample


def sample_of(times, units, label=0, **rest):
    return Sample(np.array(times, dtype=np.float64), np.array(units, dtype=np.uint16), label, speaker=1, **rest)


SAMPLES = [
    sample_of([0.1, 0.3], [5, 9], source="a.wav", sample_rate=16000),
    sample_of([], [], label=1, source="b.wav"),
    sample_of([0.0, 0.2, 0.2], [699, 0, 3], label=1, source="c.wav"),
]


@pytest.fixture
def events():
    return Events.from_samples(SAMPLES, keys=["zero", "one"])


def assert_same(found, expected):
    np.testing.assert_array_equal(found.times, expected.times)
    np.testing.assert_array_equal(found.units, expected.units)
    assert found[2:] == expected[2:]


def test_samples_come_back_as_they_went_in(events):
    assert len(events) == 3
    for found, expected in zip(events, SAMPLES, strict=True):
        assert_same(found, expected)


def test_times_of_a_sample_are_float64_and_units_uint16(events):
    assert (events[1].times.dtype, events[1].units.dtype) == (np.float64, np.uint16)


def test_negative_numbers_count_from_the_end(events):
    assert_same(events[-1], SAMPLES[2])


@pytest.mark.parametrize("index", [3, -4])
def test_a_sample_that_is_not_there_is_an_index_error(events, index):
    with pytest.raises(IndexError):
        events[index]


@pytest.mark.parametrize("indices", [[2, 0], np.array([2, 0]), np.array([-1, -3])])
def test_select_gives_the_samples_in_the_order_asked(events, indices):
    chosen = events.select(indices)
    assert_same(chosen[0], SAMPLES[2])
    assert_same(chosen[1], SAMPLES[0])
    assert len(chosen) == 2
    assert chosen.keys == events.keys


def test_select_takes_a_mask(events):
    assert events.select(events.labels == 1).sources == ("b.wav", "c.wav")


def test_select_may_repeat_or_choose_nothing(events):
    assert events.select([1, 1, 0]).offsets.tolist() == [0, 0, 0, 2]
    assert len(events.select([])) == 0


def test_select_refuses_a_sample_that_is_not_there(events):
    with pytest.raises(IndexError):
        events.select([3])


def test_no_samples_are_events_too():
    events = Events.from_samples([], keys=["zero"])
    assert (len(events), events.times.dtype, events.units.dtype) == (0, np.float64, np.uint16)


def test_events_survive_pickling(events):
    assert_same(pickle.loads(pickle.dumps(events))[2], SAMPLES[2])


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (sample_of([0.1, 0.2], [1]), "sample 0: 2 times and 1 units, must agree"),
        (sample_of([0.2, 0.1], [1, 2]), "sample 0: times must be sorted"),
        (sample_of([-0.1], [1]), "sample 0: time -0.1 s"),
        (sample_of([0.1], [700]), "sample 0: unit 700, must be < 700"),
        (sample_of([0.1], [1], label=2), r"Events.labels must be in 0\.\.1"),
        (sample_of([0.1], [1], label=-1), r"Events.labels must be in 0\.\.1"),
    ],
)
def test_a_sample_that_breaks_a_rule_is_refused(sample, message):
    with pytest.raises(ValueError, match=message):
        Events.from_samples([sample], keys=["zero", "one"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.zeros(4, dtype=np.uint16)}, "Events.units must be as many as times, got 4 and 5"),
        ({"offsets": np.array([0, 3, 2, 5])}, "Events.offsets must rise from 0 to 5"),
        ({"offsets": np.array([0, 2, 2, 4])}, "Events.offsets must rise from 0 to 5"),
        ({"speakers": np.zeros(2, dtype=np.int64)}, "Events.speakers must be 3, one per sample, got 2"),
        ({"sources": ()}, "Events.sources must be 3, one per sample, got 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(events, changes, message):
    with pytest.raises(ValueError, match=message):
        Events(**(vars(events) | changes))


def test_offsets_of_nothing_is_zero():
    assert offsets_of([]).tolist() == [0]
    assert offsets_of([]).dtype == np.int64
