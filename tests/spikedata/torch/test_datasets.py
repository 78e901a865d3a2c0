import functools
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from spikedata.events import Events
from spikedata.schema import FormatError, Sample
from spikedata.torch.batch import collate
from spikedata.torch.datasets import SpikeDataset
from spikedata.writer import SpikeWriter

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


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_change_nothing(path, context):
    dataset = SpikeDataset(path)
    expected = batches_of(dataset)
    found = batches_of(dataset, num_workers=2, multiprocessing_context=context)
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
