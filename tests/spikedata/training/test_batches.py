import numpy as np
import pytest
import torch

from spikedata.events import Events, Sample, bin_events
from spikedata.torch import SpikeDataset
from spikedata.training.batches import Grid, batches_of, iterate_batches
from spikedata.transforms import ChannelMerge, EventDrop

GRID = Grid(dt=0.01, n_steps=20)


def _dense(events, order, *, batch_size=100, grid=GRID, **kwargs):
    """All batches, copied, since each overwrites the one before."""
    dataset = events if isinstance(events, SpikeDataset) else SpikeDataset(events)
    batches = iterate_batches(dataset, batches_of(np.asarray(order), batch_size), grid, **kwargs)
    copied = [(inputs.clone(), labels.clone()) for inputs, labels in batches]
    return torch.cat([inputs for inputs, _ in copied]).numpy(), torch.cat([labels for _, labels in copied]).numpy()


def test_a_batch_holds_each_clip_as_binning_gives_it(make_events):
    events = make_events()
    order = np.random.default_rng(0).permutation(len(events))
    dense, labels = _dense(events, order, batch_size=7)
    for row, index in enumerate(order):
        expected = bin_events(events[index].times, events[index].units, n_units=16, dt=0.01, n_steps=20)
        np.testing.assert_array_equal(dense[row], expected)
    np.testing.assert_array_equal(labels, events.labels[order])


def test_the_last_batch_may_be_smaller():
    assert [batch.tolist() for batch in batches_of(np.arange(5), 2)] == [[0, 1], [2, 3], [4]]


def test_clips_without_spikes_are_all_zero(make_events):
    silent = Sample(np.empty(0), np.empty(0, np.uint16), 1, 0)
    events = Events.from_samples([silent, make_events()[0], silent], keys=("a", "b"), n_units=16)
    dense, labels = _dense(events, np.arange(3))
    assert dense.sum(axis=(1, 2)).tolist() == [0, 48, 0]
    assert labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("n_merged", [1, 3])
def test_a_shift_moves_a_clip_along_the_inputs_and_drops_what_leaves(make_events, n_merged):
    events, order, grid = make_events(takes=1).select([0, 1, 2]), np.array([2, 0, 1]), GRID._replace(n_merged=n_merged)
    dense, _ = _dense(events, order, batch_size=2, grid=grid)
    shifted, _ = _dense(events, order, batch_size=2, grid=grid, shifts=np.array([3, -2, 0]))  # of clips 0, 1 and 2
    np.testing.assert_array_equal(shifted[0], dense[0])
    np.testing.assert_array_equal(shifted[1, :, 3:], dense[1, :, :-3])
    np.testing.assert_array_equal(shifted[2, :, :-2], dense[2, :, 2:])
    assert not shifted[1, :, :3].any()
    assert not shifted[2, :, -2:].any()


def test_merged_units_are_counted_as_one_input(make_events):
    events, order = make_events(), np.arange(5)
    fine, coarse = (_dense(events, order, grid=Grid(0.02, 10, n_merged))[0] for n_merged in (1, 3))
    padded = np.pad(fine, ((0, 0), (0, 0), (0, 2)))  # 16 units make 6 inputs, the last of one unit
    np.testing.assert_array_equal(coarse, padded.reshape(5, 10, 6, 3).sum(axis=3))


def test_lists_hold_the_same_spikes_as_dense_counts(make_events):
    events, order = make_events(), np.array([3, 0, 7])
    dense, _ = _dense(events, order)
    (lists, labels), *more = iterate_batches(SpikeDataset(events), [order], GRID, layout="lists")
    assert not more
    assert labels.tolist() == events.labels[order].tolist()
    rebuilt = np.zeros_like(dense)
    offsets = lists.offsets.numpy()
    for clip, step in np.ndindex(3, 20):
        np.add.at(rebuilt[clip, step], lists.units[offsets[clip, step] : offsets[clip, step + 1]].numpy(), 1)
    np.testing.assert_array_equal(rebuilt, dense)


def test_a_transform_draws_anew_in_each_epoch_and_never_for_another_order(make_events):
    dataset = SpikeDataset(make_events(), transform=EventDrop(probability=0.5), seed=1)
    dataset.set_epoch(0)
    first, _ = _dense(dataset, [0, 1, 2])
    turned, _ = _dense(dataset, [2, 1, 0], batch_size=2)
    np.testing.assert_array_equal(turned[::-1], first)
    dataset.set_epoch(1)
    assert not np.array_equal(_dense(dataset, [0, 1, 2])[0], first)


def test_a_transform_that_changes_the_number_of_units_is_refused(make_events):
    dataset = SpikeDataset(make_events(), transform=ChannelMerge(n_merged=2))
    with pytest.raises(ValueError, match="augmentation must keep the number of units, 16, got 8"):
        next(iter(iterate_batches(dataset, [np.arange(2)], GRID)))
