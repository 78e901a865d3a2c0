from itertools import pairwise

import numpy as np
import pytest

from spikedata.events.events import Events, offsets_of
from spikedata.transforms.streams import streams_of


def make_events(lengths, *, n_units=700, dtype=np.float32, duration=1.0, seed=0, n_classes=3, is_sorted=True):
    """Clips of random spikes of the given lengths."""
    rng = np.random.default_rng(seed)
    offsets = offsets_of(lengths)
    times = rng.uniform(0, duration, offsets[-1]).astype(dtype)
    if is_sorted:
        for begin, end in pairwise(offsets):
            times[begin:end].sort()
    n_clips = len(lengths)
    return Events(
        times=times,
        units=rng.integers(0, n_units, offsets[-1]).astype(np.uint16),
        offsets=offsets,
        labels=np.arange(n_clips) % n_classes,
        speakers=np.arange(n_clips),
        sources=tuple(f"{clip}.wav" for clip in range(n_clips)),
        sample_rates=np.full(n_clips, 48_000),
        keys=tuple(str(label) for label in range(n_classes)),
        n_units=n_units,
        is_sorted=is_sorted,
    )


def apply_to(transform, events, *, indices=None, seed=0, epoch=0, source=None):
    """What a data set does: some clips of a source, transformed."""
    source = events if source is None else source
    indices = np.arange(len(events)) if indices is None else np.asarray(indices, np.int64)
    return transform.transform_events(events.select(indices), streams_of(seed, epoch, indices), source)


@pytest.fixture(scope="session")
def make():
    return make_events


@pytest.fixture(scope="session")
def apply():
    return apply_to
