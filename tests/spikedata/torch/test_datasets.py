import copy
import functools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset

from spikedata.events import Events, Sample
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter
from spikedata.torch.batch import collate
from spikedata.torch.datasets import EventTransform, SpikeDataset
from spikedata.transforms import TimeReversal

COLLATE = functools.partial(collate, dt=0.1, n_steps=10, n_units=700)


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    with SpikeWriter(tmp_path / "x.h5", keys=["zero", "one"]) as writer:
        for index in range(10):
            times, units = np.sort(rng.random(5 * index)), rng.integers(0, 700, 5 * index)
            writer.append(times, units, label=index % 2, speaker=index // 5)
    return tmp_path / "x.h5"


def double_time(sample: Sample) -> Sample:
    return sample._replace(times=sample.times * 2)


def batches_of(dataset, **options):
    loader = DataLoader(dataset, batch_size=4, collate_fn=COLLATE, **options)
    return [(batch.dense(), batch.labels) for batch in loader]


def test_a_dataset_has_the_samples_of_its_file(path):
    dataset = SpikeDataset(path)
    assert len(dataset) == 10
    assert (dataset.classes, dataset.n_units) == (("zero", "one"), 700)
    assert dataset.labels.tolist() == [0, 1] * 5
    assert dataset.speakers.tolist() == [0] * 5 + [1] * 5
    assert [len(sample.times) for sample in dataset] == list(range(0, 50, 5))


def test_a_dataset_may_be_made_of_events(path):
    chosen = SpikeDataset(path).events.select([3, 1])
    assert [len(sample.times) for sample in SpikeDataset(chosen)] == [15, 5]


def test_a_transform_is_applied_to_each_sample(path):
    plain, doubled = SpikeDataset(path), SpikeDataset(path, transform=double_time)
    np.testing.assert_array_equal(doubled[3].times, plain[3].times * 2)
    np.testing.assert_array_equal(doubled[3].times, plain[3].times * 2)  # the events are as before


def test_a_sample_that_is_not_there_is_an_index_error(path):
    with pytest.raises(IndexError):
        SpikeDataset(path)[10]


def test_its_description_reads_as_in_torchvision(path):
    assert repr(SpikeDataset(path)).splitlines() == [
        "Dataset SpikeDataset",
        "    Number of datapoints: 10",
        f"    Root location: {path}",
        "    Classes: 2, units: 700",
    ]
    assert "    Transform: <function double_time" in repr(SpikeDataset(path, transform=double_time))
    assert "Root location" not in repr(SpikeDataset(Events.from_samples([], keys=["zero"])))


def test_it_survives_pickling(path):
    again = pickle.loads(pickle.dumps(SpikeDataset(path, transform=double_time)))
    np.testing.assert_array_equal(again[4].times, SpikeDataset(path)[4].times * 2)


def test_a_loader_gives_every_sample_once(path):
    batches = batches_of(SpikeDataset(path))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert sum(dense.sum() for dense, _ in batches) == sum(range(0, 50, 5))


def test_workers_change_nothing(path):
    dataset = SpikeDataset(path)
    expected = batches_of(dataset)
    found = batches_of(dataset, num_workers=2, multiprocessing_context="fork")
    assert len(found) == len(expected)
    for (dense, labels), (expected_dense, expected_labels) in zip(found, expected, strict=True):
        assert torch.equal(dense, expected_dense)
        assert torch.equal(labels, expected_labels)


def test_the_errors_of_the_file_come_through(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.h5: no such file"):
        SpikeDataset(tmp_path / "x.h5")
    (tmp_path / "x.h5").write_bytes(b"")
    with pytest.raises(FormatError, match=r"x\.h5: not a readable HDF5 file"):
        SpikeDataset(tmp_path / "x.h5")


class Draw:
    """An event transform that leaves one spike per clip, at a time drawn from the clip's stream."""

    def transform_events(self, events, streams, source):
        times = (streams >> np.uint64(11)) * 2.0**-53
        units = events.labels.astype(np.uint16)
        return replace(events, times=times, units=units, offsets=np.arange(len(events) + 1))


class Backward:
    """An event transform that leaves the spikes unsorted."""

    def transform_events(self, events, streams, source):
        return replace(events, times=1 - events.times, is_sorted=False)


class Borrow:
    """An event transform that takes each clip from the next one of the whole data set."""

    def transform_events(self, events, streams, source):
        return source.select([(source.sources.index(name) + 1) % len(source) for name in events.sources])


def assert_same(found, expected):
    assert len(found) == len(expected)
    for sample, expected_sample in zip(found, expected, strict=True):
        np.testing.assert_array_equal(sample.times, expected_sample.times)
        np.testing.assert_array_equal(sample.units, expected_sample.units)
        assert sample[2:6] == expected_sample[2:6]


def draws_of(dataset, indices):
    return [sample.times.tolist() for sample in dataset.__getitems__(indices)]


@pytest.mark.parametrize("transform", [None, double_time, Draw(), Backward()], ids=["none", "sample", "draw", "order"])
def test_a_batch_holds_what_single_items_are(path, transform):
    dataset = SpikeDataset(path, transform=transform, seed=3)
    dataset.set_epoch(0)
    for indices in ([4, 9, 0, 4], [1], [], np.array([2, 3])):
        assert_same(dataset.__getitems__(indices), [dataset[int(index)] for index in indices])


@pytest.mark.parametrize("transform", [None, double_time, Draw()], ids=["none", "sample", "event"])
def test_negative_numbers_count_from_the_end(path, transform):
    dataset = SpikeDataset(path, transform=transform)
    dataset.set_epoch(0)
    assert_same([dataset[-1], dataset[-10]], [dataset[9], dataset[0]])
    assert_same(dataset.__getitems__([-1, 3]), dataset.__getitems__([9, 3]))


@pytest.mark.parametrize("transform", [None, double_time, Draw()], ids=["none", "sample", "event"])
@pytest.mark.parametrize("index", [10, -11])
def test_a_batch_with_a_sample_that_is_not_there_is_an_index_error(path, transform, index):
    with pytest.raises(IndexError):
        list(SpikeDataset(path, transform=transform).__getitems__([0, index, 1]))


def test_what_a_transform_leaves_unsorted_is_sorted_in_a_sample(path):
    plain, backward = SpikeDataset(path), SpikeDataset(path, transform=Backward())
    np.testing.assert_array_equal(backward[7].times, (1 - plain.events.select([7]).times)[::-1])
    np.testing.assert_array_equal(backward[7].units, plain[7].units[::-1])


def test_an_event_transform_sees_the_whole_data_set(tmp_path):
    with SpikeWriter(tmp_path / "x.h5", keys=["zero"]) as writer:
        for clip in range(4):
            writer.append([clip / 10], [clip], label=0, speaker=clip, source=f"{clip}.flac")
    dataset = SpikeDataset(tmp_path / "x.h5", transform=Borrow())
    assert [sample.speaker for sample in dataset.__getitems__([2, 3])] == [3, 0]


def test_an_event_transform_is_told_from_one_of_samples():
    assert isinstance(Draw(), EventTransform)
    assert not isinstance(double_time, EventTransform)


def test_chance_depends_on_seed_epoch_and_number_only(path):
    dataset = SpikeDataset(path, transform=Draw(), seed=5)
    dataset.set_epoch(0)
    whole = draws_of(dataset, range(10))
    assert len({str(draw) for draw in whole}) == 10
    assert draws_of(dataset, [7, 7, 2]) == [whole[7], whole[7], whole[2]]
    assert draws_of(SpikeDataset(path, transform=Draw(), seed=5), [3]) == [whole[3]]
    assert draws_of(SpikeDataset(path, transform=Draw(), seed=6), [3]) != [whole[3]]
    dataset.set_epoch(1)
    assert all(new != old for new, old in zip(draws_of(dataset, range(10)), whole, strict=True))
    dataset.set_epoch(0)
    assert draws_of(dataset, range(10)) == whole


def samples_of(samples):
    """For a loader: the samples themselves, each by its times."""
    return [sample.times.tolist() for sample in samples]


def epoch_of(loader):
    return [times for batch in loader for times in batch]


@pytest.mark.parametrize("batch_size", [1, 3, 10])
@pytest.mark.parametrize("n_workers", [0, 2])
def test_neither_batches_nor_workers_change_chance(path, batch_size, n_workers):
    dataset = SpikeDataset(path, transform=Draw())
    dataset.set_epoch(0)
    options = {"num_workers": n_workers, "multiprocessing_context": "fork" if n_workers else None}
    loader = DataLoader(dataset, batch_size=batch_size, collate_fn=samples_of, **options)
    assert epoch_of(loader) == draws_of(dataset, range(10))


def sent(dataset):
    return pickle.loads(pickle.dumps(dataset))


def itself(dataset):
    return dataset


@pytest.mark.parametrize("made", [itself, sent, copy.deepcopy])
def test_workers_that_go_on_see_the_epoch(path, made):
    dataset = made(SpikeDataset(path, transform=Draw()))
    loader = DataLoader(
        dataset,
        batch_size=4,
        collate_fn=samples_of,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="fork",
    )
    for epoch in (0, 1, 5):
        dataset.set_epoch(epoch)
        assert epoch_of(loader) == draws_of(dataset, range(10))


SPAWNED = """
from dataclasses import replace

import numpy as np


class Draw:
    def transform_events(self, events, streams, source):
        times = (streams >> np.uint64(11)) * 2.0**-53
        return replace(events, times=times, units=np.zeros(len(events), np.uint16), offsets=np.arange(len(events) + 1))


def samples_of(samples):
    return [sample.times.tolist() for sample in samples]
"""


def test_spawned_workers_that_go_on_see_the_epoch(path, tmp_path, monkeypatch):
    (tmp_path / "drawing.py").write_text(SPAWNED, "utf-8")  # a spawned worker has to import its transform
    monkeypatch.syspath_prepend(tmp_path)
    import drawing

    dataset = SpikeDataset(path, transform=drawing.Draw())
    loader = DataLoader(
        dataset,
        batch_size=4,
        collate_fn=drawing.samples_of,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        assert epoch_of(loader) == draws_of(dataset, range(10))


def test_what_is_pickled_does_not_carry_the_events(tmp_path):
    rng = np.random.default_rng(0)
    with SpikeWriter(tmp_path / "x.h5", keys=["zero"]) as writer:
        for clip in range(20):
            writer.append(np.sort(rng.random(5000)), rng.integers(0, 700, 5000), label=0, speaker=clip)
    dataset = SpikeDataset(tmp_path / "x.h5", transform=Draw(), seed=4)
    dataset.set_epoch(2)
    content = pickle.dumps(dataset)
    assert len(content) < 10_000  # bytes; the events have 600,000
    again = pickle.loads(content)
    assert isinstance(again.events.times, np.memmap)
    assert (again.seed, again.epoch, len(again)) == (4, 2, 20)
    assert draws_of(again, [7]) == draws_of(dataset, [7])


@pytest.mark.parametrize("made", [sent, copy.deepcopy])
def test_a_copy_has_an_epoch_of_its_own(path, made):
    dataset = SpikeDataset(path)
    other = made(dataset)
    other.set_epoch(3)
    assert (dataset.epoch, other.epoch) == (None, 3)


def test_events_that_have_no_file_are_pickled_themselves(path):
    for dataset in (SpikeDataset(SpikeDataset(path).events), SpikeDataset(path, cache=False)):
        assert_same(list(sent(dataset)), list(dataset))


def test_without_a_cache_the_events_are_in_memory(path):
    assert not isinstance(SpikeDataset(path, cache=False).events.times, np.memmap)
    assert isinstance(SpikeDataset(path).events.times, np.memmap)
    assert_same(list(SpikeDataset(path, cache=False)), list(SpikeDataset(path)))


def test_a_part_has_the_samples_in_the_order_asked(path):
    dataset = SpikeDataset(path)
    for indices in ([7, 2, 7], np.array([7, 2, 7]), torch.tensor([7, 2, 7])):
        assert_same(list(dataset.select(indices)), [dataset[7], dataset[2], dataset[7]])
    assert_same(list(dataset.select(dataset.speakers == 1)), [dataset[clip] for clip in range(5, 10)])
    assert len(dataset.select([])) == 0
    assert len(dataset) == 10


def test_a_part_keeps_transform_and_seed_and_has_no_location(path):
    part = SpikeDataset(path, transform=Draw(), seed=8).select([1, 2])
    assert isinstance(part.transform, Draw)
    assert part.seed == 8
    assert "Root location" not in repr(part)
    assert "Number of datapoints: 2" in repr(part)
    assert_same(list(sent(part)), list(part))


def test_a_part_has_an_epoch_of_its_own(path):
    dataset = SpikeDataset(path)
    dataset.set_epoch(2)
    training, validation = dataset.select(range(8)), dataset.select([8, 9])
    assert (training.epoch, validation.epoch) == (2, 2)
    training.set_epoch(5)
    assert (training.epoch, validation.epoch, dataset.epoch) == (5, 2, 2)


def test_a_part_of_a_part_that_is_not_there_is_an_index_error(path):
    with pytest.raises(IndexError):
        SpikeDataset(path).select([10])


def test_a_sample_of_a_mapped_file_may_be_written_to(path):
    sample = next(iter(DataLoader(Subset(SpikeDataset(path), [5]), batch_size=None)))
    assert torch.from_numpy(SpikeDataset(path)[5].units).numpy().flags.writeable
    sample.units.zero_()
    assert SpikeDataset(path)[5].units.any()


def test_the_class_of_a_transform_is_no_transform(path):
    with pytest.raises(TypeError, match=r"transform must be one that is made, as TimeReversal\(\.\.\.\)"):
        SpikeDataset(path, transform=TimeReversal)
