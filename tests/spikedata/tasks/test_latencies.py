import numpy as np
import pytest

from spikedata.tasks import events_from_latencies


def test_a_unit_without_a_finite_time_does_not_fire():
    events = events_from_latencies([[0.02, np.inf, 0.01], [np.nan, 0.03, np.inf]], [0, 1], keys="ab", duration=0.05)
    assert events[0].times.tolist() == [0.01, 0.02]
    assert events[0].units.tolist() == [2, 0]
    assert events[1].units.tolist() == [1]


def test_a_spike_after_the_end_is_dropped_and_not_moved():
    events = events_from_latencies([[0.02, 0.0500001, 0.05]], [0], keys=["a"], duration=0.05)
    assert events[0].units.tolist() == [0, 2]


def test_units_that_fire_together_stand_in_their_order():
    assert events_from_latencies([[0.01, 0.0, 0.01]], [0], keys=["a"], duration=1)[0].units.tolist() == [1, 0, 2]


def test_large_tables_are_those_of_their_rows(monkeypatch):
    table = np.random.default_rng(0).random((7, 5))
    whole = events_from_latencies(table, np.zeros(7, int), keys=["a"], duration=0.8)
    monkeypatch.setattr("spikedata.tasks.latencies._PIECE", 10)
    pieces = events_from_latencies(table, np.zeros(7, int), keys=["a"], duration=0.8)
    assert whole.times.tolist() == pieces.times.tolist()
    assert whole.offsets.tolist() == pieces.offsets.tolist()


def test_no_clip_is_allowed():
    assert len(events_from_latencies(np.empty((0, 3)), np.empty(0, int), keys=["a"], duration=1.0)) == 0


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ([0.1], r"\(n_clips, n_units\), got an array of shape \(1,\)"),
        ([[-0.1]], "time -0.1 s, must be finite and >= 0"),
    ],
)
def test_other_tables_are_refused(table, rule):
    with pytest.raises(ValueError, match=rule):
        events_from_latencies(table, [0], keys=["a"], duration=1.0)
