import functools
import pickle
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader
from torch.utils.data._utils.pin_memory import pin_memory

from spikedata.events import Events, Sample
from spikedata.torch.batch import collate
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.layouts import DenseBatch, ListBatch, TimeFirstBatch, collate_dense, collate_lists

BINNING = {"dt": 0.01, "n_steps": 90}  # clips last 1 s: what comes later is cropped
N_CLIPS = 11


@pytest.fixture
def events():
    rng = np.random.default_rng(3)
    clips = [
        Sample(np.sort(rng.random(30 * clip)), rng.integers(0, 700, 30 * clip).astype(np.uint16), clip % 3, clip // 4)
        for clip in range(N_CLIPS)
    ]
    return Events.from_samples(clips, keys=["zero", "one", "two"])


@pytest.fixture
def dataset(events):
    return SpikeDataset(events)


def counts_of_lists(batch):
    dense = torch.zeros(len(batch.labels), batch.offsets.shape[1] - 1, batch.n_units)
    for clip, offsets in enumerate(batch.offsets.tolist()):
        for step in range(len(offsets) - 1):
            for unit in batch.units[offsets[step] : offsets[step + 1]].tolist():
                dense[clip, step, unit] += 1
    return dense


def test_dense_and_sparse_batches_hold_the_same_counts(dataset):
    chosen = dataset.__getitems__([7, 0, 3, 7])
    sparse, dense = collate(chosen, **BINNING, n_units=700), collate_dense(chosen, **BINNING)
    assert dense.counts.sum() > 0
    assert torch.equal(dense.counts, sparse.dense())
    assert torch.equal(dense.counts, sparse.sparse().to_dense())
    assert torch.equal(dense.labels, sparse.labels)
    assert dense.labels.tolist() == [1, 0, 0, 1]


def test_lists_hold_the_counts_of_the_dense_batch(dataset):
    chosen = dataset.__getitems__([2, 5, 0])
    lists, dense = collate_lists(chosen, **BINNING), collate_dense(chosen, **BINNING)
    assert torch.equal(counts_of_lists(lists), dense.counts)
    assert torch.equal(lists.labels, dense.labels)
    assert (lists.units.dtype, lists.offsets.dtype, lists.n_units) == (torch.uint16, torch.int64, 700)


@pytest.mark.parametrize("collate_them", [collate_dense, collate_lists])
def test_samples_of_anywhere_make_the_batch_of_the_dataset(dataset, collate_them):
    chosen = dataset.__getitems__([4, 1, 6])
    found, expected = collate_them(list(chosen), **BINNING), collate_them(chosen, **BINNING)
    for part, expected_part in zip(found, expected, strict=True):
        assert part == expected_part if isinstance(part, (int, float)) else torch.equal(part, expected_part)


@pytest.mark.parametrize("n_merged", [5, 10, 3])
def test_merged_channels_add_up(dataset, n_merged):
    chosen = dataset.__getitems__([9, 4])
    plain = torch.nn.functional.pad(collate_dense(chosen, **BINNING).counts, (0, -700 % n_merged))
    expected = plain.reshape(2, 90, -1, n_merged).sum(dim=3)
    assert torch.equal(collate_dense(chosen, **BINNING, n_merged=n_merged).counts, expected)
    lists = collate_lists(chosen, **BINNING, n_merged=n_merged)
    assert torch.equal(counts_of_lists(lists), expected)
    assert lists.n_units == expected.shape[2]


def test_a_binary_batch_says_only_whether_there_was_a_spike(dataset):
    chosen = dataset.__getitems__([10, 9])
    counts = collate_dense(chosen, **BINNING, n_merged=70).counts
    assert counts.max() > 1
    assert torch.equal(collate_dense(chosen, **BINNING, n_merged=70, binary=True).counts, (counts > 0).float())


def test_counts_may_be_bytes(dataset):
    chosen = dataset.__getitems__([10, 2])
    counts = collate_dense(chosen, **BINNING, dtype=torch.uint8).counts
    assert counts.dtype == torch.uint8
    assert torch.equal(counts.float(), collate_dense(chosen, **BINNING).counts)


DTYPES = [torch.float16, torch.bfloat16, torch.bool, torch.int8, torch.int16, torch.int32]


@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_may_have_other_types_and_time_first(dataset, dtype):
    chosen = dataset.__getitems__([10, 2, 9])
    counts = collate_dense(chosen, **BINNING).counts.clamp(max=1 if dtype == torch.bool else 2)
    options = {} if dtype == torch.bool else {"max_count": 2}
    batch = collate_dense(chosen, **BINNING, dtype=dtype, time_first=True, **options)
    assert (batch.counts.dtype, tuple(batch.counts.shape)) == (dtype, (90, 3, 700))
    assert (batch.n_steps, batch.n_units, batch.dt) == (90, 700, 0.01)
    assert torch.equal(batch.counts.transpose(0, 1), counts.to(dtype))


class Pair(NamedTuple):
    first: int
    second: int

    def pin_memory(self) -> str:
        return "asked"


def test_a_batch_knows_its_grid_after_pickling_and_pinning(dataset, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor, *_: tensor.clone())  # as where there is a GPU
    for time_first, kind in ((False, DenseBatch), (True, TimeFirstBatch)):
        batch = collate_dense(dataset.__getitems__([10, 2]), **BINNING, time_first=time_first)
        # a DataLoader of an old PyTorch takes a pair apart and does not ask it
        is_asked = pin_memory(Pair(1, 2)) == "asked"
        for again, dt in ((pickle.loads(pickle.dumps(batch)), 0.01), (pin_memory(batch), 0.01 if is_asked else None)):
            assert type(again) is kind
            assert (again.dt, again.n_steps, again.n_units) == (dt, 90, 700)
            assert torch.equal(again.counts, batch.counts)


def test_a_batch_is_made_in_the_buffer_that_is_given(dataset):
    buffer = np.full((2, 90, 700), 9, np.float32)
    batch = collate_dense(dataset.__getitems__([3, 4]), **BINNING, out=buffer)
    assert batch.counts.data_ptr() == buffer.ctypes.data
    assert torch.equal(batch.counts, collate_dense(dataset.__getitems__([3, 4]), **BINNING).counts)


def test_samples_of_anywhere_have_the_units_that_are_told():
    clip = Sample(np.array([0.0]), np.array([4], np.uint16), label=2, speaker=0)
    for collate_them in (collate, collate_dense, collate_lists):
        with pytest.raises(ValueError, match="n_units must be given, since the samples do not say"):
            collate_them([clip], **BINNING)
    assert collate_dense([clip], **BINNING, n_units=5).counts.shape == (1, 90, 5)
    assert collate_lists([clip], **BINNING, n_units=5).n_units == 5
    for collate_them in (collate_dense, collate_lists):
        with pytest.raises(ValueError, match="sample 0: unit 4, must be < 4"):
            collate_them([clip], **BINNING, n_units=4)


def test_a_dataset_knows_its_own_units(events):
    few = SpikeDataset(Events(**(vars(events) | {"units": events.units // 10, "n_units": 70})))
    assert collate_dense(few.__getitems__([3]), **BINNING).counts.shape == (1, 90, 70)
    assert collate_lists(few.__getitems__([3]), **BINNING).n_units == 70


@pytest.mark.parametrize("collate_them", [collate_dense, collate_lists])
def test_a_batch_of_nothing_is_refused(dataset, collate_them):
    for nothing in ([], dataset.__getitems__([])):
        with pytest.raises(ValueError, match="a batch must have at least one sample, got none"):
            collate_them(nothing, **BINNING)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.uint16, "int8", np.int8])
def test_counts_of_another_kind_are_refused(dataset, dtype):
    with pytest.raises(ValueError, match=r"^dtype must be one of torch\.float32, .* torch\.int32, got "):
        collate_dense(dataset.__getitems__([0]), **BINNING, dtype=dtype)


@pytest.mark.parametrize("changes", [{"dt": 0.0}, {"n_steps": 0}, {"n_merged": 0}])
@pytest.mark.parametrize("collate_them", [collate_dense, collate_lists])
def test_numbers_out_of_their_range_are_refused(dataset, collate_them, changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"{name} must be"):
        collate_them(dataset.__getitems__([0]), **(BINNING | changes))


def test_lists_move_to_another_device(dataset):
    moved = collate_lists(dataset.__getitems__([3]), **BINNING).to("meta")
    assert {part.device.type for part in moved[:3]} == {"meta"}
    assert moved.n_units == 700


@pytest.mark.parametrize("n_workers", [0, 1])
@pytest.mark.parametrize("collate_them", [collate_dense, collate_lists])
def test_a_data_loader_gives_these_batches(dataset, collate_them, n_workers):
    collate_fn = functools.partial(collate_them, **BINNING, n_merged=10)
    context = "fork" if n_workers else None
    loader = DataLoader(
        dataset, batch_size=4, collate_fn=collate_fn, num_workers=n_workers, multiprocessing_context=context
    )
    batches = list(loader)
    assert [len(batch.labels) for batch in batches] == [4, 4, 3]
    for number, batch in enumerate(batches):
        expected = collate_fn(dataset.__getitems__(range(N_CLIPS)[4 * number : 4 * number + 4]))
        assert isinstance(batch, (DenseBatch, ListBatch))
        for part, expected_part in zip(batch, expected, strict=True):
            assert part == expected_part if isinstance(part, (int, float)) else torch.equal(part, expected_part)


@pytest.mark.parametrize("n_workers", [0, 1])
def test_clips_of_one_step_from_several_data_sets_know_their_grid(events, n_workers):
    parts = [SpikeDataset(events, dt=0.01, n_steps=90)] * 2
    context = "fork" if n_workers else None
    batches = list(
        DataLoader(ConcatDataset(parts), batch_size=8, num_workers=n_workers, multiprocessing_context=context)
    )
    assert {(type(batch), batch.dt, batch.n_steps) for batch in batches} == {(DenseBatch, 0.01, 90)}
    assert torch.equal(batches[0].counts, collate_dense(SpikeDataset(events).samples(range(8)), **BINNING).counts)


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ({"dt": 0.01}, {"dt": 0.005}, r"clips in one batch must have one dt \[s\], got 0\.005 and 0\.01"),
        ({"n_steps": 90}, {"n_steps": 80}, r"must have one \(n_steps, n_units\), got \(80, 700\) and \(90, 700\)"),
    ],
)
def test_clips_of_different_steps_are_not_mixed(events, first, second, rule):
    parts = [SpikeDataset(events, **({"dt": 0.01, "n_steps": 90} | steps)) for steps in (first, second)]
    with pytest.raises(ValueError, match=rule):
        list(DataLoader(ConcatDataset(parts), batch_size=8))
