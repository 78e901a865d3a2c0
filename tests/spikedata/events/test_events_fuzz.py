"""Whatever a user hands to public functions, no compiled pass meets what it does not expect.

Run with NUMBA_BOUNDSCHECK=1 NUMBA_DISABLE_CACHE=1 to have every access checked.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata import transforms
from spikedata.events import Sample
from spikedata.events.batching import dense_batch, event_lists, sparse_batch
from spikedata.events.events import Events, offsets_of
from spikedata.torch import SpikeDataset, collate, collate_dense, collate_lists, loader
from spikedata.transforms.streams import streams_of

N_CLIPS, N_UNITS = 3, 8
GOOD = {
    "times": np.array([0.0, 0.1, 0.2, 0.0, 0.4], np.float32),
    "units": np.array([0, 7, 3, 3, 1], np.uint16),
    "offsets": np.array([0, 3, 3, 5]),
    "labels": np.array([0, 1, 0]),
    "speakers": np.array([0, -1, 2]),
    "sources": ("a", "", "b"),
    "sample_rates": np.array([0, 16_000, 8_000]),
    "keys": ("x", "y"),
    "n_units": N_UNITS,
}
ALL_TRANSFORMS = [
    transforms.AreaDrop(largest_share=0.5),
    transforms.Blend(share=0.5),
    transforms.ChannelJitter(sigma=1e9),
    transforms.ChannelMask(widest=99, n_masks=2),
    transforms.ChannelMerge(n_merged=3),
    transforms.ChannelShift(largest=9),
    transforms.CutMix(largest_share=1),
    transforms.EventDrop(probability=0.5),
    transforms.Maybe(transforms.NormalizeCounts(n_per_unit=2), 0.5),
    transforms.NoiseEvents(rate=5),
    transforms.NormalizeCounts(n_per_unit=3),
    transforms.ShuffleTimes(),
    transforms.ShuffleTimes(keep_envelope=True),
    transforms.SpanDrop(largest_share=1),
    transforms.TimeJitter(sigma=1e30),
    transforms.TimeMask(longest=1, n_masks=2),
    transforms.TimeReversal(),
    transforms.TimeShift(largest=1e30),
    transforms.TimeStretch(largest=1e30),
]
numbers = st.one_of(
    st.integers(-2, 9),
    st.sampled_from([700, 65_535, 2**40, -(2**62)]),
    st.floats(-1, 2),
    st.sampled_from([np.nan, np.inf]),
)
dtypes = st.sampled_from(
    [
        np.float16,
        np.float32,
        np.float64,
        ">f4",
        np.uint16,
        ">u2",
        np.int64,
        np.int32,
        np.uint64,
        bool,
        object,
        complex,
        "S3",
    ]
)


@st.composite
def arrays(draw):
    values, dtype = draw(st.lists(numbers, max_size=7)), draw(dtypes)
    with np.errstate(all="ignore"):
        try:
            array = np.array(values).astype(dtype)
        except (OverflowError, ValueError, TypeError):
            array = np.array(values)
    return draw(st.sampled_from([array, array[::-1], array[::2], array.reshape(1, -1), array.tolist()]))


anything = st.one_of(
    arrays(), st.none(), st.text(max_size=2), numbers, st.lists(st.text(max_size=1), max_size=3).map(tuple)
)
ERRORS = (TypeError, ValueError, IndexError, OverflowError)


def use(events):
    """Send events through everything that is compiled."""
    streams = streams_of(0, 0, np.arange(len(events)))
    for transform in ALL_TRANSFORMS:
        changed = transform.transform_events(events, streams, events)
        assert (changed.units < changed.n_units).all()
        for function in (dense_batch, sparse_batch, event_lists):
            function(changed, np.arange(len(events)), dt=0.1, n_steps=4)
    events.select(np.arange(len(events))[::-1])
    list(events)
    assert len(loader(events, batch_size=2, dt=0.1, n_steps=4, time_unit="s", transform=transforms.TimeReversal())) >= 0


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), anything, min_size=1, max_size=2))
def test_events_are_refused_or_harmless(changes):
    try:
        events = Events(**(GOOD | changes))
    except ERRORS as error:
        assert str(error).startswith("Events")  # noqa: PT017
        return
    use(events)


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), max_size=5),
    n_units=st.sampled_from([1, 2, 8, 65_535, 65_536]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    latest=st.sampled_from([0.0, 1.0, 1e4, 65_504.0]),
    seed=st.integers(0, 99),
)
def test_events_that_are_taken_are_harmless(lengths, n_units, dtype, latest, seed):
    rng = np.random.default_rng(seed)
    n_spikes = sum(lengths)
    events = Events(
        times=(rng.choice([0.0, 0.5, 1.0], n_spikes) * latest).astype(dtype),
        units=rng.choice([0, n_units - 1], n_spikes).astype(np.uint16),
        offsets=offsets_of(lengths),
        labels=np.zeros(len(lengths), np.int64),
        speakers=np.zeros(len(lengths), np.int64),
        sources=("",) * len(lengths),
        sample_rates=np.zeros(len(lengths), np.int64),
        keys=("x",),
        n_units=n_units,
        is_sorted=False,
    )
    if n_units < 10 and latest < 10:
        use(events)
    streams = streams_of(seed, 0, np.arange(len(lengths)))
    for transform in ALL_TRANSFORMS:
        if not isinstance(transform, (transforms.NoiseEvents, transforms.NormalizeCounts, transforms.Maybe)):
            transform.transform_events(events, streams, events)


@settings(max_examples=100, deadline=None)
@given(indices=anything, dt=anything, n_steps=anything, n_merged=anything)
def test_batches_are_refused_or_harmless(indices, dt, n_steps, n_merged):
    if isinstance(n_steps, (int, np.integer)) and n_steps > 1000:
        n_steps = 1000  # more is only a matter of memory
    events = Events(**GOOD)
    for function in (dense_batch, event_lists, sparse_batch):
        for chosen, given_dt, steps in ((indices, 0.1, 4), ([0, 2], dt, n_steps)):
            try:
                function(events, chosen, dt=given_dt, n_steps=steps, n_merged=n_merged)
            except ERRORS:
                continue


@settings(max_examples=100, deadline=None)
@given(times=anything, units=anything, label=anything, n_units=anything)
def test_samples_are_refused_or_harmless(times, units, label, n_units):
    for sample in (
        Sample(times, units, 0, 0, n_units=N_UNITS),
        Sample(np.array([0.1]), np.array([1]), label, 0),
        Sample(np.array([0.1]), units, 0, 0, "", 0, n_units),
    ):
        for function in (collate, collate_dense, collate_lists):
            for options in ({}, {"n_units": n_units}, {"n_units": N_UNITS}):
                try:
                    function([sample, sample], dt=0.1, n_steps=4, **options)
                except (*ERRORS, AttributeError, RuntimeError):
                    continue


@settings(max_examples=60, deadline=None)
@given(streams=anything, which=st.sampled_from(ALL_TRANSFORMS))
def test_streams_are_refused_or_harmless(streams, which):
    events = Events(**GOOD)
    try:
        which.transform_events(events, streams, events)
    except ERRORS as error:
        assert "streams must be" in str(error)  # noqa: PT017


class Wrong:
    """A transform of a user that gives what it should not."""

    def __init__(self, give):
        self.give = give

    def transform_events(self, events, streams, source):
        return self.give(events)


def shorter(events):
    return events.select([0])


def beyond(events):
    return replace(events, units=events.units + np.uint16(60))


def written_to(events):
    events.units[:] = 60_000
    return events


@pytest.mark.parametrize("give", [shorter, beyond, list, lambda events: None])
@pytest.mark.parametrize("around", [lambda t: t, lambda t: transforms.Maybe(t, 1.0), lambda t: transforms.Compose([t])])
def test_a_transform_of_the_user_that_goes_wrong_is_named_or_its_rule(give, around):
    dataset = SpikeDataset(Events(**GOOD), transform=around(Wrong(give)))
    with pytest.raises((TypeError, ValueError), match=r"must be < 8|transform_events must give Events|as many clips"):
        dataset.__getitems__([0, 1, 2])


def test_arrays_that_a_transform_wrote_to_do_not_crash():
    both = transforms.Compose([Wrong(written_to), transforms.NormalizeCounts(n_per_unit=2)])
    assert (SpikeDataset(Events(**GOOD), transform=both).__getitems__([0, 1, 2]).events.units < N_UNITS).all()


def test_noise_without_end_is_refused():
    late = Events(**(GOOD | {"times": np.array([0, 0.1, 1e300, 0, 0.4])}))
    with pytest.raises(ValueError, match=r"NoiseEvents.rate must give below 2147483648 events a batch, got"):
        transforms.NoiseEvents(rate=1).transform_events(late, streams_of(0, 0, range(3)), late)
