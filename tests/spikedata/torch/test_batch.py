import dataclasses
import pickle

import numpy as np
import pytest
import torch

from spikedata.events import Sample, bin_events
from spikedata.torch.batch import Batch, collate
from spikedata.torch.layouts import collate_dense

GRID = {"dt": 0.1, "n_steps": 5, "n_units": 4}


def sample_of(times, units, label=0):
    return Sample(np.array(times, dtype=np.float64), np.array(units, dtype=np.uint16), label, speaker=0)


SAMPLES = [
    sample_of([0.0, 0.05, 0.1, 0.49], [3, 3, 0, 1], label=2),
    sample_of([], [], label=0),
    sample_of([0.2, 0.5, 0.7], [2, 1, 0], label=1),
]


@pytest.fixture
def batch():
    return collate(SAMPLES, **GRID)


def test_a_batch_lists_what_is_not_zero(batch):
    assert batch.indices.tolist() == [[0, 0, 0, 2], [0, 1, 4, 2], [3, 0, 1, 2]]
    assert batch.counts.tolist() == [2, 1, 1, 1]
    assert batch.labels.tolist() == [2, 0, 1]
    assert (len(batch), batch.shape) == (3, (3, 5, 4))
    assert (batch.indices.dtype, batch.counts.dtype, batch.labels.dtype) == (torch.int64, torch.float32, torch.int64)


def test_dense_is_the_binning_of_each_sample(batch):
    dense = batch.dense()
    assert (dense.dtype, dense.shape) == (torch.float32, (3, 5, 4))
    for row, sample in zip(dense, SAMPLES, strict=True):
        np.testing.assert_array_equal(row.numpy(), bin_events(sample.times, sample.units, **GRID))


def test_sparse_is_dense_without_the_zeros(batch):
    sparse = batch.sparse()
    assert sparse.is_coalesced()
    assert (sparse.dtype, sparse.shape) == (torch.float32, (3, 5, 4))
    assert torch.equal(sparse.to_dense(), batch.dense())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.bool, torch.int8, torch.int32])
@pytest.mark.parametrize("time_first", [False, True])
def test_sparse_batches_have_the_types_axes_and_caps_of_dense_ones(dtype, time_first):
    many = [sample_of([0.0] * 300 + [0.1] * 3 + [0.45], [1] * 300 + [3, 2, 3, 0], label=1), *SAMPLES]
    for options in ({}, {"max_count": 1}, {"n_merged": 3}):
        batch = collate(many, **GRID, dtype=dtype, **options)
        expected = collate_dense(many, **GRID, dtype=dtype, time_first=time_first, **options).counts
        assert torch.equal(batch.dense(time_first=time_first), expected)
        sparse = batch.sparse(time_first=time_first)
        assert sparse.is_coalesced()
        assert torch.equal(sparse.to_dense(), expected)
        assert dataclasses.replace(batch).dense().dtype == dtype


def test_a_batch_of_silence_is_all_zeros():
    batch = collate([sample_of([], [])] * 2, **GRID)
    assert batch.indices.shape == (3, 0)
    assert batch.dense().count_nonzero() == 0
    assert torch.equal(batch.sparse().to_dense(), batch.dense())


def test_an_empty_list_is_no_batch():
    with pytest.raises(ValueError, match="a batch must have at least one sample, got none"):
        collate([], **GRID)


def test_a_bad_sample_is_named():
    with pytest.raises(ValueError, match="sample 1: unit 4, must be < 4"):
        collate([sample_of([0.1], [0]), sample_of([0.1], [4])], **GRID)


def test_moving_keeps_everything(batch):
    moved = batch.to("cpu")
    assert type(moved) is Batch
    assert torch.equal(moved.dense(), batch.dense())
    assert torch.equal(moved.labels, batch.labels)
    assert moved.shape == batch.shape


def test_moving_reaches_every_tensor(batch):
    moved = batch.to("meta")
    assert {getattr(moved, name).device.type for name in ("indices", "counts", "labels")} == {"meta"}


def test_a_batch_survives_pickling(batch):
    again = pickle.loads(pickle.dumps(batch))
    assert torch.equal(again.dense(), batch.dense())
    assert again.shape == batch.shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"indices": torch.zeros(3, 4, dtype=torch.int32)}, r"Batch.indices must be int64 \(3, 4\), got torch.int32"),
        ({"indices": torch.zeros(2, 4, dtype=torch.int64)}, r"Batch.indices must be int64 \(3, 4\), got .* \(2, 4\)"),
        ({"counts": torch.ones(3)}, r"Batch.indices must be int64 \(3, 3\)"),
        (
            {"counts": torch.ones(4, dtype=torch.int64)},
            "Batch.counts must be one of torch.float32, .* torch.int64",
        ),
        ({"labels": torch.zeros(2, dtype=torch.int64)}, r"Batch.labels must be int64 \(3,\), got torch.int64 \(2,\)"),
        ({"labels": torch.zeros(3)}, "Batch.labels must be int64"),
        ({"shape": (3, 4, 4)}, r"Batch.indices must be in 0\.\.\(3, 4, 4\)"),
        ({"indices": torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [-1, 0, 1, 2]])}, "Batch.indices must be in 0"),
        (
            {"indices": torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 2]])},
            "Batch.indices must be in rising order",
        ),
        (
            {"indices": torch.tensor([[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 2]])},
            "Batch.indices must be in rising order",
        ),
    ],
)
def test_tensors_that_break_the_invariants_are_refused(batch, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(batch, **changes)
