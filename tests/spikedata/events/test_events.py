import pickle
from dataclasses import replace

import numpy as np
import pytest

from spikedata.events import Sample, bin_samples
from spikedata.events.events import Events, Selection, offsets_of


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
    assert found[2:6] == expected[2:6]


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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_select_copies_spikes_bit_by_bit(events, dtype):
    events = replace(events, times=events.times.astype(dtype))
    chosen = events.select([2, 2, 0])
    assert (chosen.times.dtype, chosen.units.dtype, chosen.offsets.dtype) == (dtype, np.uint16, np.int64)
    np.testing.assert_array_equal(chosen.times, events.times[[2, 3, 4, 2, 3, 4, 0, 1]])
    np.testing.assert_array_equal(chosen.units, events.units[[2, 3, 4, 2, 3, 4, 0, 1]])
    assert not np.shares_memory(chosen.times, events.times)


def test_select_takes_spikes_that_may_not_be_written(events):
    for array in (events.times, events.units, events.offsets):
        array.flags.writeable = False
    assert_same(events.select([2])[0], SAMPLES[2])


def test_select_refuses_a_mask_of_another_length(events):
    with pytest.raises(IndexError):
        events.select(np.array([True, False]))


UNSORTED = {"times": np.array([0.3, 0.1, 0.2, 0.0, 0.2]), "is_sorted": False}  # units 5, 9; none; 699, 0, 3


def test_a_clip_that_is_not_sorted_is_sorted_when_it_is_taken_out(events):
    unsorted = replace(events, **UNSORTED)
    assert (unsorted[0].times.tolist(), unsorted[0].units.tolist()) == ([0.1, 0.3], [9, 5])
    assert unsorted[2].times.tolist() == [0.0, 0.2, 0.2]
    assert unsorted[2].units.tolist() == [0, 699, 3]  # at equal times the order is that of the events
    assert unsorted.times.tolist() == UNSORTED["times"].tolist()


def test_a_part_of_unsorted_events_is_unsorted(events):
    part = replace(events, **UNSORTED).select([2, 0])
    assert not part.is_sorted
    assert part[1].times.tolist() == [0.1, 0.3]
    assert events.select([0]).is_sorted


def test_binning_does_not_ask_whether_events_are_sorted(events):
    unsorted = replace(events, **UNSORTED)
    indices, counts = bin_samples(unsorted, dt=0.1, n_steps=4, n_units=700)
    assert indices.T.tolist() == [[0, 1, 9], [0, 2, 5], [2, 0, 0], [2, 2, 3], [2, 2, 699]]  # 0.3 < 3 * 0.1
    assert counts.tolist() == [1] * 5


def test_a_selection_is_a_sequence_of_samples(events):
    selection = Selection(events, np.array([2, 0, 2]))
    assert len(selection) == 3
    for found, expected in zip(selection, [SAMPLES[2], SAMPLES[0], SAMPLES[2]], strict=True):
        assert_same(found, expected)
    assert_same(selection[-2], SAMPLES[0])
    assert [sample.label for sample in reversed(selection)] == [1, 0, 1]


def test_a_selection_copies_nothing(events):
    assert Selection(events, np.array([1])).events is events
    assert Selection.of_all(events).events is events


def test_a_selection_knows_its_labels(events):
    assert Selection(events, np.array([2, 0])).labels.tolist() == [1, 0]
    assert Selection(events, np.array([-3, 1])).labels.tolist() == [0, 1]
    assert Selection(events, np.empty(0, np.int64)).labels.shape == (0,)


def test_all_clips_are_a_selection(events):
    assert Selection.of_all(events).indices.tolist() == [0, 1, 2]
    assert [sample.source for sample in Selection.of_all(events)] == ["a.wav", "b.wav", "c.wav"]


def test_a_part_of_a_selection_is_one(events):
    part = Selection(events, np.array([2, 0, 1]))[1:]
    assert isinstance(part, Selection)
    assert part.indices.tolist() == [0, 1]
    assert part.events is events


@pytest.mark.parametrize("index", [2, -3])
def test_a_place_that_a_selection_lacks_is_an_index_error(events, index):
    with pytest.raises(IndexError):
        Selection(events, np.array([0, 1]))[index]


def test_a_selection_of_clips_that_are_not_there_is_an_index_error_not_a_shorter_one(events):
    with pytest.raises(IndexError):
        list(Selection(events, np.array([0, 9, 1])))


def test_a_selection_bins_as_its_samples(events):
    selection = Selection(events, np.array([2, 1, 0]))
    for found, expected in zip(
        bin_samples(selection, dt=0.1, n_steps=4, n_units=700),
        bin_samples([SAMPLES[2], SAMPLES[1], SAMPLES[0]], dt=0.1, n_steps=4, n_units=700),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.array([5, 9, 700, 0, 3], np.uint16)}, "Events: sample 2: unit 700, must be < 700"),
        ({"times": np.array([0.1, np.nan, 0, 0, 0])}, "Events: sample 0: time nan s, must be finite and >= 0"),
        ({"times": np.array([0.1, 0.3, 0, -0.1, 0])}, r"Events: sample 2: time -0\.1 s, must be finite and >= 0"),
        ({"times": np.array([0.1, 0.3, 0.2, 0.1, 0.2])}, "Events: sample 2: times must be sorted, or is_sorted=False"),
        ({"times": np.zeros(5, np.int64)}, "Events.times must be float16, float32 or float64, got int64"),
        ({"times": np.zeros((5, 1))}, r"Events.times must be flat, got an array of shape \(5, 1\)"),
        ({"times": [0.0] * 5}, "Events.times must be an ndarray, got list"),
        ({"units": np.zeros(5)}, "Events.units must be uint16, got float64"),
        ({"labels": np.zeros(3)}, "Events.labels must be whole numbers, got float64"),
        ({"labels": np.array([0, 1, 2])}, r"Events.labels must be in 0\.\.1"),
        ({"n_units": 700.0}, r"Events.n_units must be a whole number, got 700\.0"),
        ({"n_units": 0}, r"Events.n_units must be in 1\.\.65536, got 0"),
        ({"keys": "zero"}, "Events.keys must be a tuple of str, got 'zero'"),
    ],
)
@pytest.mark.parametrize("dtype", [None, np.float16])
def test_what_no_compiled_pass_expects_is_refused_where_events_are_made(events, changes, message, dtype):
    if dtype is not None and getattr(changes.get("times", events.times), "dtype", None) != np.float64:
        pytest.skip("of another dtype already")
    values = vars(events) | changes
    if dtype is not None and isinstance(values["times"], np.ndarray):
        values["times"] = values["times"].astype(dtype)
        message = message.replace("-0\\.1", r"-0\.0999\d*")
    with pytest.raises((TypeError, ValueError), match=message):
        Events(**values)


def test_events_of_other_whole_numbers_and_layouts_are_taken(events):
    wide = np.zeros((5, 2), np.float32)
    wide[:, 0] = events.times
    taken = replace(events, times=wide[:, 0], labels=events.labels.astype(np.uint8), n_units=np.int64(700))
    assert taken.times.flags.c_contiguous
    assert (taken.labels.dtype, type(taken.n_units)) == (np.int64, int)
    swapped = replace(events, times=events.times.astype(">f8"), units=events.units.astype(">u2"))
    assert_same(swapped.select([2])[0], SAMPLES[2])


def test_a_slice_of_events_is_events(events):
    part = events[1:]
    assert isinstance(part, Events)
    assert_same(part[1], SAMPLES[2])
    assert [len(sample.times) for sample in events[::-1]] == [3, 0, 2]


@pytest.mark.parametrize("index", [0.0, "0", None, np.array([0, 1])])
def test_what_is_no_index_is_refused_in_one_line(events, index):
    with pytest.raises(TypeError, match=r"^an index of Events must be a whole number, got \w+; Events.select"):
        events[index]


@pytest.mark.parametrize("n_units", [2.5, np.nan, np.array([np.nan], dtype=object), "16", 2**20, True])
def test_a_number_of_units_that_is_none_is_refused_wherever_it_is_said(n_units):
    clip = Sample(np.array([0.1]), np.array([1], np.uint16), label=0, speaker=0)
    for samples, options in (([clip], {"n_units": n_units}), ([clip._replace(n_units=n_units)], {})):
        with pytest.raises(ValueError, match="n_units must be"):
            Events.from_samples(samples, keys=["a"], **options)
