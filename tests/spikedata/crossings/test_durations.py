"""A clip has a duration: from its recording through file, merge, cache and data set to a transform."""

from __future__ import annotations

import dataclasses

import h5py
import numpy as np
import pytest
from torch.utils.data import ConcatDataset

from spikedata.encoding.encode import encode_clips
from spikedata.encoding.merge import merge_shards
from spikedata.encoding.verify import verify_file
from spikedata.events import Events, Sample
from spikedata.files.cache import open_events
from spikedata.files.info import describe_file, format_description
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter
from spikedata.torch import SpikeDataset
from spikedata.transforms import Blend, Compose, CutMix, Maybe, TimeJitter, TimeShift, TimeStretch

LASTS = 40 / 8_000  # the noises of the fixture [s]


def clip(duration: float, *times: float) -> Sample:
    return Sample(np.array(times), np.zeros(len(times), np.uint16), 0, 0, n_units=4, duration=duration)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.h5"
    with SpikeWriter(path, keys=["zero"], n_units=4) as writer:
        for sample in (clip(0.8, 0.1, 0.7), clip(0.5), clip(0.0, 0.25)):
            writer.append(**sample._asdict())
    return path


@pytest.fixture(scope="module")
def encoded(listing, tmp_path_factory):
    folder = tmp_path_factory.mktemp("durations")
    few = dataclasses.replace(listing, clips=listing.clips[:6])
    shards = [encode_clips(few, folder / "x.h5", preset="published", shard=(i, 2)).outputs[0] for i in (1, 2)]
    encode_clips(few, folder / "whole.h5", preset="published")
    return folder / "whole.h5", shards


def test_an_encoded_clip_lasts_as_long_as_its_recording(encoded):
    with SpikeFile(encoded[0]) as file:
        assert [sample.duration for sample in file] == [LASTS] * 6
        # half floats round the times of this preset
        assert all(sample.times.max(initial=0) <= sample.duration * (1 + 2**-11) for sample in file)


def test_merged_shards_have_the_durations_and_the_bytes_of_one_go(encoded, tmp_path):
    whole, shards = encoded
    merge_shards(shards, tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == whole.read_bytes()
    assert verify_file(tmp_path / "x.h5").has_checksums
    assert open_events(tmp_path / "x.h5").durations.tolist() == [LASTS] * 6


def test_a_recording_of_another_length_is_found(encoded, noises):
    assert verify_file(encoded[0], audio=noises).n_compared == 6


def test_a_changed_duration_is_damage(path):
    with h5py.File(path, "a") as file:
        file["extra/duration"][0] = 0.9
    with pytest.raises(FormatError, match="its digest does not match"):
        SpikeFile(path)


def test_a_file_without_durations_has_no_such_column_and_says_so(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=["zero"]) as writer:
        writer.append([0.25], [3], label=0, speaker=0)
    described = describe_file(tmp_path / "x.h5")
    assert "extra/duration" not in described["columns"]
    assert "  duration    not in the file" in format_description(described)
    assert SpikeDataset(tmp_path / "x.h5")[0].duration == 0


def test_the_durations_of_some_are_shown(path):
    described = describe_file(path)
    assert described["durations"] == {"total": 1.3, "min": 0.5, "mean": 0.65, "max": 0.8}
    assert "duration    0.650 s (0.500..0.800); 1.3 s together; not known of 1 clip" in format_description(described)


@pytest.mark.parametrize("cache", [True, False])
def test_a_data_set_gives_durations_in_parts_and_joined(path, cache):
    dataset = SpikeDataset(path, cache=cache)
    assert [sample.duration for sample in dataset.events] == [0.8, 0.5, 0.0]
    assert [sample.duration for sample in dataset.events[::-1]] == [0.0, 0.5, 0.8]
    assert ConcatDataset([dataset.select([2]), dataset.select([0, 1])])[1].duration == 0.8
    again = Events.from_samples(list(dataset.events), keys=dataset.classes)
    assert again.durations.tolist() == [0.8, 0.5, 0.0]


def test_a_file_by_another_writer_may_count_in_whole_seconds(path, tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        for name, dtype in (("times", "f4"), ("units", "u2")):
            file.create_dataset(f"spikes/{name}", (2,), h5py.vlen_dtype(dtype))
        file["labels"], file["extra/duration"] = [0, 0], [1, 2]
    with SpikeFile(tmp_path / "y.h5") as file:
        assert file.durations.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("wrong", [-1.0, np.inf, np.nan])
def test_a_duration_is_finite_and_not_negative(path, tmp_path, wrong):
    with pytest.raises(ValueError, match=r"durations? must be|duration .* must be"):
        Events.from_samples([clip(wrong)], keys=["zero"])
    with SpikeWriter(tmp_path / "y.h5", keys=["zero"], n_units=4) as writer:
        with pytest.raises(ValueError, match=r"sample 0: duration"):
            writer.append(**clip(wrong)._asdict())
        writer.append(**clip(1.0)._asdict())
    events = open_events(path)
    with pytest.raises(ValueError, match=r"Events\.durations must be finite and >= 0"):
        dataclasses.replace(events, durations=np.array([0.8, wrong, 0.0]))


@pytest.mark.parametrize(
    "transform",
    [TimeStretch(largest=2), TimeShift(largest=0.3), TimeJitter(sigma=0.2), Blend(share=0.5), CutMix(largest_share=1),
     Maybe(TimeStretch(largest=2), 0.5), Compose([TimeShift(largest=0.3), TimeStretch(largest=2)])],
    ids=lambda transform: type(transform).__name__,
)  # fmt: skip
def test_no_transform_leaves_a_spike_after_the_end_or_ends_a_clip_that_has_none(path, transform):
    dataset = SpikeDataset(path, transform=transform)
    for _ in range(20):
        for index, sample in enumerate(dataset.samples([0, 1, 2])):
            assert (sample.duration > 0) == (index < 2)
            assert not sample.duration or sample.times.max(initial=0) <= sample.duration + 1e-6


def test_a_stretched_clip_lasts_longer_by_as_much(path):
    events = open_events(path)
    streams = np.arange(3, dtype=np.uint64)
    stretched = TimeStretch(largest=3).transform_events(events, streams, events)
    factor = stretched[0].times[1] / 0.7
    assert stretched.durations.tolist() == pytest.approx([0.8 * factor, stretched.durations[1], 0])
    assert factor != pytest.approx(1)
    moved = TimeShift(largest=0.05).transform_events(events, streams, events)
    assert moved[0].duration == pytest.approx(0.8 + max(0, moved[0].times[1] - 0.7))
