import numpy as np
import torch

from spikedata.baseline.batches import bin_clips, dense_batches
from spikedata.binning import bin_events
from spikedata.events import Events
from spikedata.schema import Sample

GRID = {"dt": 0.01, "n_steps": 20}


def _dense(clips, order, **kwargs):
    """All batches, copied, since each overwrites the one before."""
    batches = [(events.clone(), labels.clone()) for events, labels in dense_batches(clips, order, **kwargs)]
    return torch.cat([events for events, _ in batches]).numpy(), torch.cat([labels for _, labels in batches]).numpy()


def test_a_batch_holds_each_clip_as_binning_gives_it(make_events):
    events = make_events()
    order = np.random.default_rng(0).permutation(len(events))
    dense, labels = _dense(bin_clips(events, **GRID), order, batch_size=7)
    for row, index in enumerate(order):
        expected = bin_events(events[index].times, events[index].units, n_units=16, **GRID)
        np.testing.assert_array_equal(dense[row], expected)
    np.testing.assert_array_equal(labels, events.labels[order])


def test_binning_in_portions_changes_nothing(make_events, monkeypatch):
    events = make_events()
    whole = bin_clips(events, **GRID)
    monkeypatch.setattr("spikedata.baseline.batches._CLIPS_AT_ONCE", 7)
    for found, expected in zip(bin_clips(events, **GRID), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_many_spikes_in_one_place_are_all_counted():
    clip = Sample(np.zeros(70_000), np.full(70_000, 3, np.uint16), 0, 0)
    clips = bin_clips(Events.from_samples([clip], keys=("a",), n_units=4), dt=1.0, n_steps=1)
    assert _dense(clips, np.array([0]), batch_size=1)[0].ravel().tolist() == [0, 0, 0, 70_000]


def test_clips_without_spikes_are_all_zero(make_events):
    silent = Sample(np.empty(0), np.empty(0, np.uint16), 1, 0)
    events = Events.from_samples([silent, make_events()[0], silent], keys=("a", "b"), n_units=16)
    dense, labels = _dense(bin_clips(events, **GRID), np.arange(3), batch_size=3)
    assert dense.sum(axis=(1, 2)).tolist() == [0, 48, 0]
    assert labels.tolist() == [1, 0, 1]


def test_a_shift_moves_a_clip_along_the_units_and_drops_what_leaves(make_events):
    events = make_events(takes=1)
    clips, order = bin_clips(events, **GRID), np.arange(3)
    dense, _ = _dense(clips, order, batch_size=2)
    shifted, _ = _dense(clips, order, batch_size=2, shifts=np.array([0, 3, -2]))
    np.testing.assert_array_equal(shifted[0], dense[0])
    np.testing.assert_array_equal(shifted[1, :, 3:], dense[1, :, :-3])
    np.testing.assert_array_equal(shifted[2, :, :-2], dense[2, :, 2:])
    assert not shifted[1, :, :3].any()
    assert not shifted[2, :, -2:].any()


def test_merged_units_are_counted_as_one_input(make_events):
    events = make_events()
    plain, merged = (bin_clips(events, dt=0.02, n_steps=10, n_merged=n) for n in (1, 3))
    order = np.arange(len(events))
    (fine, _), (coarse, _) = (next(dense_batches(clips, order, batch_size=len(events))) for clips in (plain, merged))
    n_inputs = -(-events.n_units // 3)
    padded = torch.nn.functional.pad(fine, (0, 3 * n_inputs - events.n_units))
    assert coarse.shape == (len(events), 10, n_inputs)
    assert torch.equal(coarse, padded.reshape(*coarse.shape, 3).sum(dim=-1))
