"""What holds for every transform, whatever it does."""

import dataclasses
import inspect
import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikedata.transforms as transforms
from spikedata.events.batching import dense_batch

TRANSFORMS = [
    transforms.AreaDrop(largest_share=0.5),
    transforms.Blend(share=0.5),
    transforms.Blend(share=0.5, is_aligned=False),
    transforms.ChannelJitter(sigma=20),
    transforms.ChannelMask(widest=100, n_masks=2),
    transforms.ChannelMerge(n_merged=10),
    transforms.ChannelSelect(channels=range(600, 20, -7)),
    transforms.ChannelShift(largest=100),
    transforms.CutMix(largest_share=1),
    transforms.EventDrop(probability=0.3),
    transforms.NoiseEvents(rate=1),
    transforms.NormalizeCounts(n_per_unit=2),
    transforms.NormalizeCounts(n_per_unit=None),
    transforms.ShuffleSteps(dt=0.01, n_steps=100),
    transforms.ShuffleTimes(),
    transforms.ShuffleTimes(keep_envelope=True),
    transforms.SpanDrop(largest_share=0.5),
    transforms.TimeJitter(sigma=0.01),
    transforms.TimeMask(longest=0.3, n_masks=2),
    transforms.TimeReversal(),
    transforms.TimeShift(largest=0.3),
    transforms.TimeStretch(largest=1.5),
    transforms.Compose([transforms.EventDrop(probability=0.2), transforms.Blend(share=0.3)]),
    transforms.Maybe(transforms.TimeShift(largest=0.3), 0.5),
]
WITHOUT_CHANCE = (transforms.TimeReversal, transforms.ChannelMerge, transforms.ChannelSelect)
ORDERED = (transforms.Compose, transforms.Maybe)  # of other transforms
IDS = [repr(transform) for transform in TRANSFORMS]
EVERY_TRANSFORM = pytest.mark.parametrize("transform", TRANSFORMS, ids=IDS)
OF_SAMPLES = (transforms.Tonic, transforms.from_tonic, transforms.to_tonic)  # tested in test_tonic.py
LENGTHS = [0, 1, 2, 300, 0, 47, 5, 120, 64]


def rows_of(events):
    """Each clip as it stands, its order kept."""
    return [
        (events.times[begin:end].tolist(), events.units[begin:end].tolist()) for begin, end in pairwise(events.offsets)
    ]


def test_every_public_transform_is_tested_here():
    public = {getattr(transforms, name) for name in transforms.__all__} - {transforms.EventTransform, *OF_SAMPLES}
    assert public == {type(transform) for transform in TRANSFORMS}


@EVERY_TRANSFORM
@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, len(LENGTHS) - 1), max_size=6))
def test_a_clip_does_not_depend_on_the_batch_it_is_in(transform, make, apply, indices):
    events = make(LENGTHS)
    alone = rows_of(apply(transform, events))
    assert rows_of(apply(transform, events, indices=indices)) == [alone[index] for index in indices]


@EVERY_TRANSFORM
def test_seeds_and_epochs_differ_where_chance_plays_a_part(transform, make, apply):
    events = make([400] * 6)
    first = rows_of(apply(transform, events))
    assert rows_of(apply(transform, events)) == first
    for other in (apply(transform, events, seed=1), apply(transform, events, epoch=1)):
        assert (rows_of(other) == first) == isinstance(transform, WITHOUT_CHANCE)


@EVERY_TRANSFORM
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_events_are_left_in_range_and_of_no_less_precision(transform, dtype, is_sorted, make, apply):
    events = make(LENGTHS, dtype=dtype, is_sorted=is_sorted)
    changed = apply(transform, events)
    assert np.isfinite(changed.times).all()
    assert changed.times.min() >= 0
    assert changed.units.max() < changed.n_units
    assert changed.units.dtype == np.uint16
    assert changed.times.dtype in ([np.float16, np.float32] if dtype == np.float16 else [dtype])


@EVERY_TRANSFORM
def test_what_is_known_of_the_clips_stays_as_it_is(transform, make, apply):
    events = make(LENGTHS)
    changed = apply(transform, events)
    for name in ("labels", "speakers", "sample_rates"):
        np.testing.assert_array_equal(getattr(changed, name), getattr(events, name))
    assert (changed.sources, changed.keys) == (events.sources, events.keys)


@EVERY_TRANSFORM
def test_the_events_given_are_left_as_they_were(transform, make, apply):
    events, untouched = make(LENGTHS), make(LENGTHS)
    batch = events.select(np.arange(len(events)))
    transform.transform_events(batch, np.arange(len(events), dtype=np.uint64), events)
    assert rows_of(events) == rows_of(untouched)
    assert rows_of(batch) == rows_of(untouched)


@EVERY_TRANSFORM
def test_clips_that_are_called_sorted_are_sorted(transform, make, apply):
    changed = apply(transform, make(LENGTHS))
    assert not changed.is_sorted or all((np.diff(times) >= 0).all() for times, _ in rows_of(changed))


@EVERY_TRANSFORM
def test_an_empty_batch_stays_empty(transform, make, apply):
    changed = apply(transform, make([3, 3, 3]), indices=[])
    assert (len(changed), changed.times.size) == (0, 0)


@EVERY_TRANSFORM
def test_silent_clips_stay_silent(transform, make, apply):
    changed = apply(transform, make([0, 0, 0]))
    assert (len(changed), changed.times.size) == (3, 0)


@EVERY_TRANSFORM
def test_what_is_left_can_be_binned(transform, make, apply):
    changed = apply(transform, make(LENGTHS))
    counts = dense_batch(changed, np.arange(len(changed)), dt=0.1, n_steps=100)
    assert counts.sum() == np.count_nonzero(changed.times < 10)


@EVERY_TRANSFORM
def test_a_transform_is_frozen_and_survives_pickling(transform):
    assert pickle.loads(pickle.dumps(transform)) == transform
    assert hash(transform) == hash(pickle.loads(pickle.dumps(transform)))
    assert type(transform).__dataclass_params__.frozen


@pytest.mark.parametrize("transform", list({type(t): None for t in TRANSFORMS}), ids=lambda t: t.__name__)
def test_every_field_says_its_unit_and_every_transform_its_paper(transform):
    text = inspect.getdoc(transform)
    for field in dataclasses.fields(transform):
        described = re.search(rf"(?s)^{field.name} : .*?\[(1|s|Hz)\]", text, re.MULTILINE)
        assert described, field.name
    assert issubclass(transform, ORDERED) or "References\n" in text
    assert issubclass(transform, ORDERED) or all(field.kw_only for field in dataclasses.fields(transform))


@pytest.mark.parametrize(
    ("transform", "fields", "rule"),
    [
        (transforms.AreaDrop, {"largest_share": 1.1}, "in 0..1, got 1.1"),
        (transforms.Blend, {"share": -0.1}, "in 0..1, got -0.1"),
        (transforms.ChannelJitter, {"sigma": -1}, ">= 0, got -1"),
        (transforms.ChannelMask, {"widest": -1}, ">= 0, got -1"),
        (transforms.ChannelMask, {"widest": 1, "n_masks": 0}, ">= 1, got 0"),
        (transforms.ChannelMerge, {"n_merged": 0}, ">= 1, got 0"),
        (transforms.ChannelMerge, {"n_merged": 2.5}, "a whole number >= 1, got 2.5"),
        (transforms.ChannelMask, {"widest": 1, "n_masks": True}, "a whole number >= 1, got True"),
        (transforms.ChannelSelect, {"channels": []}, "whole numbers >= 0 and <= 65535, at least one, got []"),
        (transforms.ChannelSelect, {"channels": [0, -1]}, "whole numbers >= 0 and <= 65535, at least one, got [0, -1]"),
        (transforms.ChannelSelect, {"channels": [0.5]}, "whole numbers >= 0 and <= 65535, at least one, got [0.5]"),
        (transforms.ChannelSelect, {"channels": [3, 1, 3]}, "different, got 3 twice"),
        (transforms.ChannelShift, {"largest": -1}, ">= 0 and <= 65536, got -1"),
        (transforms.ChannelShift, {"largest": 10**30}, f">= 0 and <= 65536, got {10**30}"),
        (transforms.CutMix, {"largest_share": 2}, "in 0..1, got 2"),
        (transforms.EventDrop, {"probability": float("nan")}, "a number in 0..1, got nan"),
        (transforms.NoiseEvents, {"rate": float("inf")}, "finite, got inf"),
        (transforms.NormalizeCounts, {"n_per_unit": 0}, ">= 1, got 0"),
        (transforms.ShuffleSteps, {"dt": 0, "n_steps": 1}, "> 0, got 0"),
        (transforms.ShuffleSteps, {"dt": 0.01, "n_steps": 0}, ">= 1, got 0"),
        (transforms.SpanDrop, {"largest_share": -1}, "in 0..1, got -1"),
        (transforms.TimeJitter, {"sigma": float("nan")}, "a number >= 0, got nan"),
        (transforms.TimeMask, {"longest": -1}, ">= 0, got -1"),
        (transforms.TimeMask, {"longest": 1, "n_masks": 0}, ">= 1, got 0"),
        (transforms.TimeShift, {"largest": -1}, ">= 0, got -1"),
        (transforms.TimeStretch, {"largest": 0.9}, ">= 1, got 0.9"),
        (transforms.Maybe, {"transform": transforms.TimeReversal(), "probability": 2}, "in 0..1, got 2"),
    ],
)
def test_a_number_out_of_range_is_refused(transform, fields, rule):
    with pytest.raises(ValueError, match=rf"^{transform.__name__}\.\w+ must be {re.escape(rule)}$"):
        transform(**fields)
