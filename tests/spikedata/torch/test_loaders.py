import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

import spikedata as sd
from spikedata.events.events import Events, offsets_of
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.layouts import collate_dense
from spikedata.torch.loaders import SpikeLoader

N_CLIPS, N_UNITS = 11, 40
BINNING = {"dt": 0.1, "n_steps": 6}


@pytest.fixture
def dataset():
    """Clip i has i + 1 spikes of unit i; its label is i."""
    return SpikeDataset(
        Events(
            times=np.concatenate([np.linspace(0, 0.55, clip + 1) for clip in range(N_CLIPS)]),
            units=np.repeat(np.arange(N_CLIPS, dtype=np.uint16), np.arange(N_CLIPS) + 1),
            offsets=offsets_of(np.arange(N_CLIPS) + 1),
            labels=np.arange(N_CLIPS),
            speakers=np.zeros(N_CLIPS, np.int64),
            sources=("",) * N_CLIPS,
            sample_rates=np.zeros(N_CLIPS, np.int64),
            keys=tuple(str(clip) for clip in range(N_CLIPS)),
            n_units=N_UNITS,
        )
    )


class Noise:
    """A transform that moves every clip to a unit drawn from its stream."""

    def transform_events(self, events, streams, source):
        units = np.repeat((streams % np.uint64(N_UNITS)).astype(np.uint16), np.diff(events.offsets))
        return replace(events, units=units)


class Merge:
    """A transform that leaves fewer channels."""

    def transform_events(self, events, streams, source):
        return replace(events, units=events.units // np.uint16(4), n_units=N_UNITS // 4)


def loader_of(dataset, **options):
    return SpikeLoader(dataset, **({"batch_size": 4} | BINNING | options))


def labels_of(loader):
    return [batch.labels.tolist() for batch in loader]


def order_of(loader):
    return list(itertools.chain.from_iterable(labels_of(loader)))


def epoch_of(loader):
    """The batches of one epoch, cloned."""
    return [(batch.counts.clone(), batch.labels) for batch in loader]


def test_every_clip_comes_once_in_order(dataset):
    loader = loader_of(dataset)
    assert labels_of(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert len(loader) == 3


def test_a_shuffled_epoch_has_every_clip_once(dataset):
    loader = loader_of(dataset, shuffle=True)
    for _ in range(3):
        order = order_of(loader)
        assert order != sorted(order)
        assert sorted(order) == list(range(N_CLIPS))


def test_the_order_is_that_of_the_seed_and_the_epoch(dataset):
    def orders(seed):
        loader = loader_of(dataset, shuffle=True, seed=seed)
        return [labels_of(loader) for _ in range(3)]

    first, second, third = orders(5)
    assert orders(5) == [first, second, third]
    assert len({str(order) for order in (first, second, third, orders(6)[0])}) == 4
    loader = loader_of(dataset, shuffle=True, seed=5)
    loader.set_epoch(2)
    assert labels_of(loader) == third
    loader.set_epoch(0)
    assert [labels_of(loader), labels_of(loader)] == [first, second]


def test_the_order_does_not_depend_on_the_batches(dataset):
    orders = [order_of(loader_of(dataset, shuffle=True, batch_size=size)) for size in (1, 3, 100)]
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("n_merged", [1, 3])
def test_batches_are_those_of_collate_dense(dataset, dtype, n_merged, binary):
    options = {"dtype": dtype, "n_merged": n_merged, "binary": binary}
    for counts, labels in epoch_of(loader_of(dataset, shuffle=True, **options)):
        expected = collate_dense(dataset.__getitems__(labels.tolist()), **BINNING, **options)
        assert counts.dtype == dtype
        assert torch.equal(counts, expected.counts)
        assert torch.equal(labels, expected.labels)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8, torch.bool])
def test_four_bits_time_first_and_any_type_come_through_the_loader(dataset, dtype, reuse):
    options = {"dtype": dtype, "time_first": True} | ({} if dtype == torch.bool else {"max_count": 2})
    batches = sd.loader(dataset, batch_size=4, reuse=reuse, **BINNING, **options)
    shapes = []
    for batch in batches:
        expected = collate_dense(dataset.__getitems__(batch.labels.tolist()), **BINNING)
        capped = expected.counts.clamp(max=options.get("max_count", 1))
        assert torch.equal(batch.counts.transpose(0, 1), capped.to(dtype))
        shapes.append((batch.n_steps, *batch.counts.shape))
    assert shapes == [(6, 6, 4, N_UNITS), (6, 6, 4, N_UNITS), (6, 6, 3, N_UNITS)]


def is_even(label):
    return label % 2 == 0


@pytest.mark.parametrize("transform", [None, Noise(), lambda sample: sample], ids=["none", "events", "sample"])
def test_a_target_transform_changes_labels_and_nothing_else(dataset, transform):
    told = SpikeDataset(dataset.events, transform=transform, target_transform=is_even)
    found = [label for batch in sd.loader(told, batch_size=4, **BINNING) for label in batch.labels.tolist()]
    assert found == [1 - clip % 2 for clip in range(N_CLIPS)]
    assert [told[clip].label for clip in (0, 1, 2, 2)] == [1, 0, 1, 1]
    assert told.labels.tolist() == list(range(N_CLIPS))
    assert "Target transform: <function is_even" in repr(told)
    loaded = sd.loader(dataset.events, batch_size=11, target_transform=is_even, **BINNING)
    assert next(iter(loaded)).labels.tolist() == found
    with pytest.raises(ValueError, match="a data set has its own target_transform: give it to SpikeDataset"):
        sd.loader(dataset, batch_size=4, target_transform=is_even, **BINNING)


def test_binned_clips_have_targets_of_any_kind(dataset):
    told = SpikeDataset(dataset.events, **BINNING, target_transform=torch.eye(N_CLIPS).__getitem__)
    counts, targets = next(iter(DataLoader(told, batch_size=3)))
    assert (counts.shape, targets.tolist()) == ((3, 6, N_UNITS), torch.eye(N_CLIPS)[:3].tolist())
    with pytest.raises(ValueError, match="sample 0: label must be a whole number >= 0"):
        list(sd.loader(told, batch_size=3))
    with pytest.raises(TypeError, match="target_transform must be callable, got 3"):
        SpikeDataset(dataset.events, target_transform=3)


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "sizes"),
    [
        (4, False, [4, 4, 3]),
        (4, True, [4, 4]),
        (11, False, [11]),
        (11, True, [11]),
        (12, False, [11]),
        (12, True, []),
        (10, False, [10, 1]),
        (1, True, [1] * 11),
    ],
)
def test_the_last_batch_is_smaller_or_left_out(dataset, batch_size, drop_last, sizes):
    loader = loader_of(dataset, batch_size=batch_size, drop_last=drop_last)
    shapes = [tuple(batch.counts.shape) for batch in loader]
    assert shapes == [(size, 6, N_UNITS) for size in sizes]
    assert len(loader) == len(sizes)


def test_a_dataset_without_clips_has_no_batches(dataset):
    loader = loader_of(SpikeDataset(dataset.events.select([])))
    assert (len(loader), list(loader)) == (0, [])


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
def test_a_batch_stays_valid_until_the_next_but_one_is_asked_for(dataset, batch_size):
    loader = loader_of(dataset, batch_size=batch_size, reuse=True)
    expected = [collate_dense(dataset.__getitems__(labels), **BINNING).counts for labels in labels_of(loader)]
    before = None
    for number, batch in enumerate(loader):
        threading.Event().wait(0.01)  # the next batch is being made meanwhile
        assert torch.equal(batch.counts, expected[number])
        if before is not None:
            assert torch.equal(before.counts, expected[number - 1])
        before = batch


def test_no_more_than_three_buffers_are_used(dataset):
    places = [batch.counts.data_ptr() for batch in loader_of(dataset, batch_size=1, reuse=True)]
    assert len(set(places)) == 3
    assert all(len(set(places[i : i + 3])) == 3 for i in range(len(places) - 2))


def test_two_epochs_do_not_share_their_buffers(dataset):
    loader = loader_of(dataset, reuse=True)
    first, second = iter(loader), iter(loader)
    batch = next(first)
    counts = batch.counts.clone()
    list(second)
    assert torch.equal(batch.counts, counts)


def test_an_epoch_is_that_of_the_data_set(dataset):
    dataset.transform = Noise()
    loader = loader_of(dataset)
    for epoch in (0, 1, 7, 8):
        if epoch == 7:
            loader.set_epoch(7)
        found = epoch_of(loader)
        dataset.set_epoch(epoch)
        for counts, labels in found:
            assert torch.equal(counts, collate_dense(dataset.__getitems__(labels.tolist()), **BINNING).counts)
        dataset.set_epoch(None)


def test_a_transform_draws_anew_in_each_epoch_and_alike_in_each_run(dataset):
    dataset.transform = Noise()

    def epochs(batch_size):
        loader = loader_of(dataset, batch_size=batch_size)
        return [torch.cat([counts for counts, _ in epoch_of(loader)]) for _ in range(2)]

    first, second = epochs(4)
    assert not torch.equal(first, second)
    again = epochs(3)
    assert torch.equal(again[0], first)
    assert torch.equal(again[1], second)


def test_a_transform_of_samples_is_loaded_too(dataset):
    dataset.transform = lambda sample: sample._replace(units=sample.units + np.uint16(20))
    for counts, labels in epoch_of(loader_of(dataset)):
        expected = collate_dense(dataset.__getitems__(labels.tolist()), **BINNING, n_units=N_UNITS).counts
        assert torch.equal(counts, expected)
        assert counts[:, :, 20:].any()


def test_a_transform_may_leave_fewer_channels(dataset):
    dataset.transform = Merge()
    for counts, labels in epoch_of(loader_of(dataset, n_merged=2)):
        expected = collate_dense(dataset.__getitems__(labels.tolist()), **BINNING, n_merged=2).counts
        assert counts.shape == (len(labels), 6, N_UNITS // 8)
        assert torch.equal(counts, expected)


def test_another_loader_does_not_change_the_epoch_of_this_one(dataset):
    training, validation = dataset.select(range(8)), dataset.select(range(8, N_CLIPS))
    training.transform = Noise()
    loader = loader_of(training, batch_size=1)
    expected = epoch_of(loader)
    loader.set_epoch(0)
    found = []
    for batch in loader:
        found.append((batch.counts.clone(), batch.labels))
        other = loader_of(validation)
        other.set_epoch(5)
        list(other)
    for (counts, _), (expected_counts, _) in zip(found, expected, strict=True):
        assert torch.equal(counts, expected_counts)


def damaged(dataset, clip):
    units = dataset.events.units.copy()
    units[dataset.events.offsets[clip]] = N_UNITS
    return SpikeDataset(dataset.events.changed(units=units))


def test_an_error_in_the_data_is_raised_in_its_batchs_turn(dataset):
    batches = iter(loader_of(damaged(dataset, 6)))
    assert next(batches).labels.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="1 spikes have a unit that is not below 40"):
        next(batches)
    assert list(batches) == []


def n_threads():
    return sum(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate())


def test_no_thread_is_left_however_an_epoch_ends(dataset):
    before = n_threads()
    for _ in loader_of(dataset):
        break  # the iterator has no other reference
    assert n_threads() == before
    batches = iter(loader_of(dataset))
    next(batches)
    batches.close()
    assert n_threads() == before
    with pytest.raises(ValueError, match="unit"):
        list(loader_of(damaged(dataset, 0)))
    assert n_threads() == before
    list(loader_of(dataset))
    assert n_threads() == before


def test_an_epoch_that_was_broken_off_is_followed_by_the_next(dataset):
    loader = loader_of(dataset, shuffle=True)
    for _ in loader:
        break
    found = labels_of(loader)
    loader.set_epoch(1)
    assert labels_of(loader) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"n_steps": 0}, "n_steps must be >= 1 and <= 2147483647, got 0"),
        ({"n_merged": -1}, "n_merged must be >= 1, got -1"),
        ({"dt": 0.0}, r"dt must be > 0, got 0\.0"),
        ({"dt": float("nan")}, "dt must be a number > 0, got nan"),
        ({"dtype": torch.float64}, r"dtype must be one of torch\.float32, .*, got torch\.float64"),
        ({"dtype": torch.int8, "max_count": 200}, "max_count must be at most 127, which int8 holds, got 200"),
        ({"max_count": 0}, "max_count must be >= 1, got 0"),
        *(
            ({name: "no"}, f"{name} must be True or False, got 'no'")
            for name in ("shuffle", "drop_last", "binary", "time_first", "reuse")
        ),
    ],
)
def test_numbers_out_of_their_range_are_refused_at_once(dataset, changes, message):
    with pytest.raises(ValueError, match=message):
        loader_of(dataset, **changes)


def test_data_sets_of_other_widths_are_not_mixed_unless_a_transform_makes_them_equal(dataset):
    n_units = dataset.n_units
    wider = replace(dataset.events, n_units=n_units + 1)
    with pytest.raises(ValueError, match=rf"same number of units, got {n_units} and {n_units + 1}; ChannelSelect"):
        loader_of(ConcatDataset([dataset, SpikeDataset(wider)]))
    equal = SpikeDataset(wider, transform=sd.transforms.ChannelSelect(channels=range(n_units)))
    widths = {counts.shape[2] for counts, _ in loader_of(ConcatDataset([dataset, equal]))}
    assert widths == {n_units}


def test_data_sets_whose_labels_mean_other_classes_are_not_mixed(dataset):
    other = SpikeDataset(replace(dataset.events, keys=dataset.events.keys[::-1]))
    both = Subset(ConcatDataset([dataset, other]), range(3))
    with pytest.raises(ValueError, match=r"must have the same classes, got .'0', .* and .'10', "):
        SpikeLoader(both, batch_size=4, **BINNING)


def test_a_mask_is_not_taken_for_the_numbers_of_a_subset(dataset):
    mask = np.arange(N_CLIPS) > 5
    with pytest.raises(TypeError, match="indices of a Subset must be whole numbers in a row, got bool"):
        list(SpikeLoader(Subset(dataset, mask), batch_size=4, **BINNING))
    loader = SpikeLoader(Subset(dataset, torch.from_numpy(np.flatnonzero(mask))), batch_size=8, **BINNING)
    assert next(iter(loader)).labels.tolist() == list(range(6, N_CLIPS))


def test_data_sets_of_different_steps_are_loaded_in_steps_that_are_given(dataset):
    parts = [SpikeDataset(dataset.events, dt=dt, n_steps=6) for dt in (0.1, 0.05)]
    with pytest.raises(ValueError, match=r"told different dt and n_steps, \(0\.05, 6\) and \(0\.1, 6\): give dt and"):
        SpikeLoader(ConcatDataset(parts), batch_size=4)
    assert SpikeLoader(ConcatDataset(parts), batch_size=4, dt=0.1).n_steps == 6
