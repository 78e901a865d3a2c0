"""What a transform draws in one pass after another, whoever goes through the data set."""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, DistributedSampler, RandomSampler, Subset

from spikedata.events.events import Events, offsets_of
from spikedata.torch import SpikeDataset, SpikeLoader, collate, collate_dense, collate_lists, loader
from spikedata.transforms import ChannelJitter

N_CLIPS, N_UNITS = 12, 64
STEPS = {"dt": 0.1, "n_steps": 10}


def make_events(n_clips=N_CLIPS, *, n_units=N_UNITS, seed=0):
    rng = np.random.default_rng(seed)
    n_spikes = 30 * n_clips
    return Events(
        times=rng.random(n_spikes).astype(np.float32),
        units=rng.integers(0, n_units, n_spikes).astype(np.uint16),
        offsets=offsets_of([30] * n_clips),
        labels=np.arange(n_clips),
        speakers=np.zeros(n_clips, np.int64),
        sources=("",) * n_clips,
        sample_rates=np.zeros(n_clips, np.int64),
        keys=tuple(str(clip) for clip in range(n_clips)),
        n_units=n_units,
        is_sorted=False,
    )


class Draw:
    """Leaves one spike per clip, at a time that tells its stream."""

    def transform_events(self, events, streams, source):
        times = (streams >> np.uint64(11)) * 2.0**-53
        return replace(events, times=times, units=np.zeros(len(events), np.uint16), offsets=np.arange(len(events) + 1))


def draws(samples):
    """For a DataLoader: pairs of a clip's label and what was drawn for it."""
    return [(sample.label, float(sample.times[0])) for sample in samples]


def a_pass(batches):
    """What was drawn for each clip in one pass."""
    return dict(pair for batch in batches for pair in batch)


def pinned(dataset, epoch):
    other = SpikeDataset(dataset.events, transform=dataset.transform, seed=dataset.seed)
    other.set_epoch(epoch)
    return dict(draws(other.__getitems__(range(len(other)))))


WORKERS = [
    {"num_workers": 0},
    {"num_workers": 2, "multiprocessing_context": "fork"},
    {"num_workers": 2, "multiprocessing_context": "fork", "persistent_workers": True},
]
BY_WORKERS = pytest.mark.parametrize("workers", WORKERS, ids=["alone", "workers", "persistent"])


@pytest.fixture
def stopping() -> Iterator[Callable[[DataLoader], DataLoader]]:
    """Keeps data loaders, and stops their persistent workers: one that dies in a garbage collection waits 5 s each."""
    loaders: list[DataLoader] = []
    yield lambda made: loaders.append(made) or made
    for kept in loaders:
        if kept._iterator is not None:
            kept._iterator._shutdown_workers()
            kept._iterator = None


@BY_WORKERS
@pytest.mark.parametrize("shuffle", [False, True])
def test_each_pass_draws_as_the_next_epoch(stopping, workers, shuffle):
    dataset = SpikeDataset(make_events(), transform=Draw(), seed=4)
    batches = stopping(DataLoader(dataset, batch_size=5, shuffle=shuffle, collate_fn=draws, **workers))
    for epoch in range(3):
        assert a_pass(batches) == pinned(dataset, epoch)


SPAWNED = """
import json
from torch.utils.data import DataLoader
from passes import Draw, draws, make_events, pinned
from spikedata.torch import SpikeDataset

if __name__ == "__main__":
    dataset = SpikeDataset(make_events(), transform=Draw())
    loader = DataLoader(dataset, batch_size=5, collate_fn=draws, num_workers=1, multiprocessing_context="spawn")
    passes = [dict(pair for batch in loader for pair in batch) for _ in range(2)]
    passes.append(dict(draws(dataset.__getitems__(range(len(dataset))))))
    assert passes == [pinned(dataset, epoch) for epoch in range(3)], passes
"""


@pytest.mark.slow  # three starts of PyTorch; forked workers show the same in a second
def test_spawned_workers_count_with_the_process_that_started_them(tmp_path):
    (tmp_path / "passes.py").write_bytes(Path(__file__).read_bytes())  # a spawned worker has to import its transform
    (tmp_path / "program.py").write_text(SPAWNED, "utf-8")
    done = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_pinned_epoch_is_the_same_in_each_pass_until_it_is_let_go():
    dataset = SpikeDataset(make_events(), transform=Draw())
    batches = DataLoader(dataset, batch_size=5, shuffle=True, collate_fn=draws)
    first = a_pass(batches)
    dataset.set_epoch(7)
    assert a_pass(batches) == a_pass(batches) == pinned(dataset, 7)
    dataset.set_epoch(None)
    assert a_pass(batches) == pinned(dataset, 1) != first


@BY_WORKERS
def test_parts_and_joined_data_sets_draw_anew(stopping, workers):
    datasets = [SpikeDataset(make_events(seed=seed), transform=Draw(), seed=seed) for seed in (0, 1)]
    joined = ConcatDataset([Subset(datasets[0], [3, 1, 8]), datasets[1]])
    batches = stopping(DataLoader(joined, batch_size=4, collate_fn=draws, **workers))
    for epoch in range(2):
        found = [pair for batch in batches for pair in batch]
        first, second = pinned(datasets[0], epoch), pinned(datasets[1], epoch)
        assert found == [(label, first[label]) for label in (3, 1, 8)] + sorted(second.items())


def test_two_loaders_at_once_never_draw_alike():
    dataset = SpikeDataset(make_events(), transform=Draw())
    views = [DataLoader(dataset, batch_size=5, collate_fn=draws) for _ in range(2)]
    for first, second in zip(*views, strict=True):
        assert [label for label, _ in first] == [label for label, _ in second]
        assert not {time for _, time in first} & {time for _, time in second}


def test_a_clip_that_comes_twice_in_a_pass_is_drawn_twice():
    dataset = SpikeDataset(make_events(3), transform=Draw())
    sampler = RandomSampler(dataset, replacement=True, num_samples=30)
    times = [
        time for batch in DataLoader(dataset, batch_size=30, sampler=sampler, collate_fn=draws) for _, time in batch
    ]
    assert len(set(times)) == 30


def test_processes_that_train_together_never_draw_a_clip_alike(monkeypatch):
    datasets = [SpikeDataset(make_events(), transform=Draw()) for _ in range(2)]
    samplers = [DistributedSampler(dataset, num_replicas=2, rank=rank) for rank, dataset in enumerate(datasets)]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    seen = []
    for epoch in range(6):
        for rank, (dataset, sampler) in enumerate(zip(datasets, samplers, strict=True)):
            monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
            sampler.set_epoch(epoch)
            workers = {"num_workers": 1, "multiprocessing_context": "fork"}
            seen += [
                pair for batch in DataLoader(dataset, 3, sampler=sampler, collate_fn=draws, **workers) for pair in batch
            ]
    assert len(seen) == len(set(seen)) == 6 * N_CLIPS


def test_the_loop_of_the_readme_never_repeats_an_augmentation():
    dataset = SpikeDataset(make_events(), transform=ChannelJitter(sigma=5))
    batches = DataLoader(dataset, batch_size=N_CLIPS, collate_fn=functools.partial(collate_dense, **STEPS))
    first, second = (next(iter(batches)).counts for _ in range(2))
    assert not torch.equal(first, second)


def test_two_iterations_of_a_loader_do_not_disturb_each_other():
    def batches_of():
        dataset = SpikeDataset(make_events(), transform=ChannelJitter(sigma=5))
        return SpikeLoader(dataset, batch_size=4, shuffle=True, **STEPS)

    batches = batches_of()
    expected = [list(batches), list(batches)]
    again = batches_of()
    found = list(zip(iter(again), iter(again), strict=True))
    for epoch, batches_of_epoch in enumerate(zip(*found, strict=True)):
        for batch, expected_batch in zip(batches_of_epoch, expected[epoch], strict=True):
            assert torch.equal(batch.counts, expected_batch.counts)
            assert torch.equal(batch.labels, expected_batch.labels)


def test_a_list_of_batches_keeps_each_of_them():
    dataset = SpikeDataset(make_events())
    for batch in list(SpikeLoader(dataset, batch_size=2, **STEPS)):
        assert torch.equal(batch.counts, collate_dense(dataset.__getitems__(batch.labels.tolist()), **STEPS).counts)


def leave_it(sample):
    return sample


def made_anew(sample):
    return type(sample)(sample.times, sample.units, sample.label, sample.speaker)


@pytest.mark.parametrize(
    "transform", [None, leave_it, made_anew, ChannelJitter(sigma=1)], ids=["none", "same", "new", "events"]
)
@pytest.mark.parametrize("n_units", [64, 800])
@pytest.mark.parametrize("collate_them", [collate, collate_dense, collate_lists])
def test_joined_files_say_their_number_of_units(transform, n_units, collate_them):
    datasets = [SpikeDataset(make_events(n_units=n_units, seed=seed), transform=transform) for seed in (0, 1)]
    for joined in (ConcatDataset(datasets), Subset(datasets[0], [1, 2]), datasets[0]):
        (batch, *_) = DataLoader(joined, batch_size=30, collate_fn=functools.partial(collate_them, **STEPS))
        assert (batch.dt, batch.n_steps, batch.n_units) == (0.1, 10, n_units)


def test_joined_files_of_different_units_are_refused_in_one_line():
    joined = ConcatDataset([SpikeDataset(make_events(n_units=64)), SpikeDataset(make_events(n_units=100))])
    with pytest.raises(
        ValueError, match=r"^data sets in one batch must have the same number of units, got 64 and 100; "
    ):
        list(loader(joined, batch_size=24, **STEPS))
    (batch,) = DataLoader(joined, batch_size=24, collate_fn=functools.partial(collate_dense, n_units=100, **STEPS))
    assert batch.counts.shape == (24, 10, 100)


@BY_WORKERS
@pytest.mark.parametrize("transform", [None, leave_it, ChannelJitter(sigma=1)], ids=["none", "sample", "events"])
def test_a_data_set_that_knows_its_steps_needs_no_collate_fn(stopping, workers, transform):
    dataset = SpikeDataset(make_events(), transform=transform, **STEPS)
    samples = SpikeDataset(make_events(), transform=transform)
    for indices, given in ((range(N_CLIPS), dataset), ([7, 3], Subset(dataset, [7, 3]))):
        counts, labels = next(iter(stopping(DataLoader(given, batch_size=N_CLIPS, **workers))))
        samples.set_epoch(0)
        dataset.set_epoch(0)
        expected = collate_dense(samples.__getitems__(indices), **STEPS)
        assert (counts.dtype, labels.dtype) == (torch.float32, torch.int64)
        assert torch.equal(counts, expected.counts)
        assert torch.equal(labels, expected.labels)


@pytest.mark.parametrize("workers", WORKERS[:2], ids=["alone", "workers"])  # persistent ones take 5 s each to die of it
def test_without_steps_the_error_says_how(stopping, workers):
    for dataset in (SpikeDataset(make_events()), ConcatDataset([SpikeDataset(make_events(), transform=leave_it)])):
        with pytest.raises(TypeError, match="give the SpikeDataset dt and n_steps, or the DataLoader collate_fn="):
            next(iter(stopping(DataLoader(dataset, batch_size=4, **workers))))


def test_counts_are_not_collated_again():
    with pytest.raises(TypeError, match="a SpikeDataset that is told dt and n_steps needs no collate_fn"):
        collate_dense(SpikeDataset(make_events(), **STEPS).__getitems__([0, 1]), **STEPS)


@pytest.mark.parametrize("given", [{"dt": 0.1}, {"n_steps": 10}])
def test_half_of_the_steps_is_refused(given):
    with pytest.raises(ValueError, match="dt and n_steps must be given together"):
        SpikeDataset(make_events(), **given)


@pytest.mark.parametrize(
    "made", [lambda events: events, SpikeDataset, lambda events: Subset(SpikeDataset(events), range(N_CLIPS))]
)
def test_a_loader_takes_whatever_has_spikes(made):
    events = make_events()
    expected = collate_dense(SpikeDataset(events).__getitems__(range(N_CLIPS)), **STEPS).counts
    ((counts, labels),) = loader(made(events), batch_size=20, **STEPS)
    assert labels.tolist() == list(range(N_CLIPS))
    assert torch.equal(counts, expected)


def test_a_loader_takes_a_file_and_its_transform(tmp_path):
    from spikedata.files.writer import SpikeWriter

    events = make_events()
    with SpikeWriter(tmp_path / "x.h5", keys=events.keys, n_units=N_UNITS) as writer:
        for sample in events:
            writer.append(sample.times, sample.units, label=sample.label, speaker=sample.speaker)
    batches = loader(tmp_path / "x.h5", batch_size=20, transform=ChannelJitter(sigma=3), **STEPS)
    (first,), (second,) = batches, batches
    assert first.counts.shape == (N_CLIPS, 10, N_UNITS)
    assert not torch.equal(first.counts, second.counts)


def test_steps_are_typed_once():
    dataset = SpikeDataset(make_events(), transform=ChannelJitter(sigma=1), **STEPS)
    for given in (dataset, Subset(dataset, [1, 2]), ConcatDataset([dataset, dataset])):
        assert next(iter(loader(given, batch_size=2))).counts.shape == (2, 10, N_UNITS)
    with pytest.raises(ValueError, match="dt and n_steps must be given here or to the SpikeDataset"):
        loader(make_events(), batch_size=2)


def test_a_loader_refuses_what_it_does_not_take():
    with pytest.raises(TypeError, match="dataset must be a SpikeDataset or made of such, got int"):
        loader(5, batch_size=2, **STEPS)
    with pytest.raises(ValueError, match="a data set has its own transform"):
        loader(SpikeDataset(make_events()), batch_size=2, transform=Draw(), **STEPS)
    for batch_size in (0, 2.5, True):
        with pytest.raises(ValueError, match="batch_size must be"):
            loader(make_events(), batch_size=batch_size, **STEPS)


def test_numbers_of_numpy_will_do():
    dataset = SpikeDataset(make_events(), seed=np.int64(3), dt=np.float32(0.5), n_steps=np.int32(4), transform=Draw())
    dataset.set_epoch(np.int64(2))
    assert dataset[np.int64(1)][0].shape == dataset[torch.tensor(1)][0].shape == (4, N_UNITS)
    assert len(loader(dataset, batch_size=np.int64(5))) == 3
    assert collate_dense(make_events(), dt=1, n_steps=np.int64(2)).counts.shape == (N_CLIPS, 2, N_UNITS)


@pytest.mark.parametrize("index", [slice(0, 2), [0, 1], np.array([0, 1]), 0.0, "0"])
def test_what_is_no_index_is_refused_in_one_line(index):
    with pytest.raises(
        TypeError, match=r"^an index of SpikeDataset must be a whole number, got \w+; SpikeDataset.select"
    ):
        SpikeDataset(make_events())[index]


@pytest.mark.parametrize("label", [0.0, True, "0", None, np.array([0])])
@pytest.mark.parametrize("collate_them", [collate, collate_dense, collate_lists])
def test_a_label_that_is_no_whole_number_is_refused(collate_them, label):
    sample = make_events()[0]._replace(label=label)
    with pytest.raises(ValueError, match="sample 0: label must be a whole number"):
        collate_them([sample], **STEPS)
    with pytest.raises(ValueError, match="sample 0: label must be a whole number"):
        Events.from_samples([sample], keys=["zero"])


def backwards(sample):
    return sample._replace(times=1 - sample.times)


@pytest.mark.parametrize("collate_them", [collate, collate_dense, collate_lists])
def test_a_callable_may_leave_spikes_unsorted(collate_them):
    dataset = SpikeDataset(make_events(), transform=backwards)
    plain = make_events()
    expected = collate_dense(replace(plain, times=(1 - plain.times.astype(np.float64))), **STEPS).counts.sum()
    batch = collate_them(dataset.__getitems__(range(N_CLIPS)), **STEPS)
    counts = batch.counts.sum() if collate_them is not collate_lists else len(batch.units)
    assert counts == expected
