"""Tonic reads our events, and its transforms work on our data sets."""

import dataclasses
import pickle

import numpy as np
import pytest
from torch.utils.data import DataLoader

import spikedata as sd
from spikedata.events import Events
from spikedata.files.writer import SpikeWriter
from spikedata.torch import TonicDataset
from spikedata.transforms import ChannelSelect, Tonic, from_tonic, to_tonic

tonic = pytest.importorskip("tonic", reason="tonic is not installed")
HALF_A_MICROSECOND = 0.5e-6 * (1 + 1e-6)


@pytest.fixture
def events(make):
    return make([300, 200, 0, 5])


@pytest.fixture
def clip(events):
    return events[0]


def test_a_clip_survives_the_way_to_tonic_and_back(clip):
    again = from_tonic(to_tonic(clip), clip)
    np.testing.assert_allclose(again.times, clip.times, rtol=0, atol=HALF_A_MICROSECOND)
    np.testing.assert_array_equal(again.units, clip.units)
    assert again[2:] == clip[2:]
    assert (again.times.dtype, again.units.dtype) == (clip.times.dtype, clip.units.dtype)
    microseconds = to_tonic(again)
    np.testing.assert_array_equal(microseconds, to_tonic(from_tonic(microseconds, again)))


def test_events_are_those_that_tonic_reads_of_the_same_file(clip, tmp_path):
    path = tmp_path / "shd_train.h5"
    with SpikeWriter(path, keys=["zero", "one", "two"], times_dtype="float16") as writer:
        writer.append(clip.times, clip.units, label=2, speaker=1)
    shd = object.__new__(tonic.datasets.SHD)  # its own __init__ would ask for what it has downloaded
    shd.location_on_system, shd.data_filename, shd.transform, shd.target_transform = tmp_path, path.name, None, None
    ours, theirs = TonicDataset(path), shd[0]
    for name in ("sensor_size", "ordering", "dtype"):
        assert getattr(ours, name) == getattr(shd, name)
    assert ours[0][1] == theirs[1] == 2
    for name in ("x", "p"):
        np.testing.assert_array_equal(ours[0][0][name], theirs[0][name])
    assert np.isin(ours[0][0]["t"] - theirs[0]["t"], (0, 1)).all()  # tonic cuts, we round


@pytest.mark.parametrize(
    "transform",
    [
        tonic.transforms.TimeJitter(std=1000, clip_negative=True),
        tonic.transforms.DropEvent(p=0.3),
        tonic.transforms.CropTime(max=500_000),
        tonic.transforms.TimeSkew(coefficient=1.1),
        tonic.transforms.Compose([tonic.transforms.DropEvent(p=0.1), tonic.transforms.TimeJitter(10, True)]),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_tonics_transforms_work_on_a_data_set_and_its_loader(events, transform):
    dataset = sd.SpikeDataset(events, transform=Tonic(transform))
    for batch in sd.loader(dataset, batch_size=3, dt=0.1, n_steps=11):
        assert batch.n_units == 700
        assert 0 < batch.counts.sum() <= 500
    assert (np.diff(dataset[0].times) >= 0).all()


def test_a_transform_may_change_the_number_of_units(events):
    fewer = Tonic(tonic.transforms.Downsample(sensor_size=(700, 1, 1), spatial_factor=(0.1, 1)), n_units=70)
    assert next(iter(sd.loader(events, batch_size=4, dt=0.1, n_steps=11, transform=fewer))).n_units == 70


def test_frames_come_through_tonics_caches_and_collate_functions(events, tmp_path):
    source = sd.SpikeDataset(events, transform=ChannelSelect(channels=range(0, 700, 7)), dt=0.1, n_steps=5)
    dataset = TonicDataset(source, target_transform=lambda label: label + 10)
    assert dataset.sensor_size == (100, 1, 1)
    frames = tonic.transforms.ToFrame(sensor_size=dataset.sensor_size, time_window=100_000)
    for cached in (
        tonic.MemoryCachedDataset(dataset, transform=frames),
        tonic.DiskCachedDataset(dataset, cache_path=str(tmp_path / "cache"), transform=frames),
    ):
        for _ in range(2):  # from the data set, then from the cache
            counts, labels = next(iter(DataLoader(cached, batch_size=2, collate_fn=tonic.collation.PadTensors())))
            assert counts.shape[:1] + counts.shape[2:] == (2, 1, 100)
            assert counts.sum() > 0
            assert labels.tolist() == [10, 11]


def test_what_is_no_clip_afterwards_is_refused_in_one_line(clip):
    shape = "must give events, got ndarray from ToFrame; .* spikedata.torch.TonicDataset"
    frames = tonic.transforms.ToFrame(sensor_size=(700, 1, 1), n_time_bins=3)
    with pytest.raises(TypeError, match=f"^Tonic.transform {shape}"):
        Tonic(frames)(clip)
    for transform in (tonic.transforms.DropEvent, 3):
        with pytest.raises(TypeError, match=r"^Tonic.transform must be one that is made, as TimeJitter\(std=10\), got"):
            Tonic(transform)
    for name, value, rule in (("t", -3, "finite and >= 0"), ("x", -1, r"whole, in 0\.\.699"), ("x", 700, "whole")):
        wrong = to_tonic(clip)
        wrong[name][4] = value
        with pytest.raises(ValueError, match=f"^tonic events: {name} must be {rule}.*, got {value}$"):
            from_tonic(wrong, clip)
    with pytest.raises(TypeError, match=r"^events must be a structured array with fields t and x, got .* shape \(3,\)"):
        from_tonic(np.zeros(3), clip)
    with pytest.raises(TypeError, match=r"^sample must be a spikedata.Sample, got tuple"):
        to_tonic((clip.times, clip.units))


def test_a_transform_of_tonics_is_frozen_and_survives_pickling(clip):
    transform = pickle.loads(pickle.dumps(Tonic(tonic.transforms.CropTime(max=500_000), n_units=700)))
    assert transform(clip).times.max() <= 0.5
    with pytest.raises(dataclasses.FrozenInstanceError):
        transform.n_units = 3


def test_a_file_of_no_clips_has_no_items():
    empty = TonicDataset(Events.from_samples([], keys=["zero"]))
    assert (len(empty), empty.sensor_size) == (0, (700, 1, 1))
    with pytest.raises(IndexError):
        empty[0]
