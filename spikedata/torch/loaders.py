"""Dense batches in one process, the next one binned while the last is used.

Making a dense batch costs less than moving it from a worker process. Clearing used memory costs less than allocating
new memory, so buffers can be reused if batches are not kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import ConcatDataset, Dataset, Subset

from spikedata.checks import Seed, checked, whole_number
from spikedata.events import Events, Sample
from spikedata.events.batching import check_steps, largest_count, without_warning
from spikedata.events.events import whole_numbers
from spikedata.events.window import Outside, check_window, joined_outside
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.epochs import Epochs
from spikedata.torch.layouts import DenseBatch, array_dtype_of, buffer_for, collate_dense, n_units_of
from spikedata.transforms import EventTransform

if TYPE_CHECKING:
    from spikedata.torch.sounds import SoundDataset


def loader(
    dataset: Dataset[object] | Events | str | os.PathLike[str],
    *,
    batch_size: int,
    dt: float | None = None,
    n_steps: int | None = None,
    shuffle: bool = False,
    transform: EventTransform | Callable[[Sample], Sample] | None = None,
    drop_last: bool = False,
    n_merged: int = 1,
    binary: bool = False,
    dtype: torch.dtype = torch.float32,
    max_count: int | None = None,
    time_first: bool = False,
    reuse: bool = False,
    seed: int = 0,
    target_transform: Callable[[int], int] | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
) -> SpikeLoader:
    """Dense batches of anything that has spikes, drawn anew in every epoch.

    Parameters
    ----------
    dataset : SpikeDataset, Subset, ConcatDataset, Events, str or path-like
        The clips: a data set, or parts or several of them, events, or a spike file.
    batch_size, dt, n_steps, shuffle
        As `SpikeLoader`.
    transform : EventTransform or callable, optional
        For events and files, as `SpikeDataset` takes it; a data set has its own.
    drop_last, n_merged, binary, dtype, max_count, time_first, reuse, seed
        As `SpikeLoader`; the seed is that of the transform, too.
    target_transform : callable, optional
        As `transform`, of labels.
    time_unit, n_units
        For files, as `SpikeDataset` takes them; a data set has its own.

    Returns
    -------
    SpikeLoader
        Each iteration is one epoch of `DenseBatch`: counts (batch, step, unit) and labels (batch,); or with
        `time_first` of `TimeFirstBatch`: counts (step, batch, unit).

    Raises
    ------
    TypeError
        If it is nothing that has spikes.
    ValueError
        If a number is out of its range, the steps are not known or leave out nearly all spikes, or a data set is given
        another transform, unit of time or number of units.
    FileNotFoundError
        If there is no such file.
    FormatError
        If the file breaks a rule of the format.

    Examples
    --------
    >>> import numpy as np
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
    >>> events = Events.from_samples([clip] * 3, keys=["zero"], n_units=64)
    >>> [tuple(counts.shape) for counts, labels in loader(events, batch_size=2, dt=0.01, n_steps=100)]
    [(2, 100, 64), (1, 100, 64)]
    """
    if isinstance(dataset, (str, os.PathLike, Events)):
        dataset = SpikeDataset(
            dataset,
            transform=transform,
            target_transform=target_transform,
            seed=seed,
            time_unit=time_unit,
            n_units=n_units,
        )
    else:
        own = {"transform": transform, "target_transform": target_transform, "time_unit": time_unit, "n_units": n_units}
        for name, value in own.items():
            if value is not None:
                raise ValueError(f"a data set has its own {name}: give it to SpikeDataset(..., {name}=...)")
    return SpikeLoader(
        dataset,
        batch_size=batch_size,
        dt=dt,
        n_steps=n_steps,
        n_merged=n_merged,
        binary=binary,
        dtype=dtype,
        max_count=max_count,
        time_first=time_first,
        shuffle=shuffle,
        drop_last=drop_last,
        reuse=reuse,
        seed=seed,
    )


class SpikeLoader:
    """Dense batches of a data set, one epoch per iteration.

    The order of the clips and the random numbers of a transform depend on the seeds and the epoch, which increases by
    one with each iteration; simultaneous iterations do not disturb each other. For the transform, an epoch that the
    data set has pinned (`SpikeDataset.set_epoch`) takes precedence.

    Parameters
    ----------
    dataset : SpikeDataset, Subset or ConcatDataset
        The clips: a `SpikeDataset`, or parts or several of such.
    batch_size : int
        Clips per batch.
    dt : float, optional
        Length of a step [s]. Default: that of the data set, if it was told.
    n_steps : int, optional
        Number of steps; spikes at or after ``n_steps * dt`` are dropped. Default: as ``dt``.
    n_merged : int
        Channels that become one [1].
    binary : bool
        Whether to say only if there was a spike.
    dtype : torch.dtype
        Of the counts: float32, float16, bfloat16, bool, uint8, int8, int16 or int32, as in `collate_dense`.
    max_count : int, optional
        Where counts stop [1], such as 15 for hardware of four bits. Default: where the type ends.
    time_first : bool
        Whether to give the axes (step, batch, unit).
    shuffle : bool
        Whether to draw a new order in each epoch.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    reuse : bool
        Whether to make batches in three buffers that are used again, which is faster: a batch's tensor is then valid
        until the next but one is asked for.
    seed : int
        Seed of the order.

    Attributes
    ----------
    outside : Outside or None
        What of the clips falls outside the steps, and how many have no spike, before any transform
        (`spikedata.events.window`); None for data sets that are none of ours. Much is logged as a warning.

    Raises
    ------
    TypeError
        If the data set has no length.
    ValueError
        If a number is out of its range, the steps are not known, data sets differ in their classes, or more than 90 %
        of the spikes of a data set fall outside the steps and it was not told ``time_unit="s"``.

    Examples
    --------
    >>> from spikedata.events import Events
    >>> from spikedata.events import Sample
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
    >>> dataset = SpikeDataset(Events.from_samples([clip] * 5, keys=["zero"]))
    >>> [len(labels) for counts, labels in SpikeLoader(dataset, batch_size=2, dt=0.01, n_steps=100)]
    [2, 2, 1]
    """

    def __init__(
        self,
        dataset: Dataset[object],
        *,
        batch_size: int,
        dt: float | None = None,
        n_steps: int | None = None,
        n_merged: int = 1,
        binary: bool = False,
        dtype: torch.dtype = torch.float32,
        max_count: int | None = None,
        time_first: bool = False,
        shuffle: bool = False,
        drop_last: bool = False,
        reuse: bool = False,
        seed: int = 0,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"dataset must be a SpikeDataset or made of such, got {type(dataset).__name__}")
        batch_size = whole_number("batch_size", batch_size, at_least=1)
        dt, n_steps = _steps_of(dataset, dt, n_steps)
        dt, n_steps, n_merged = check_steps(dt=dt, n_steps=n_steps, n_merged=n_merged)
        _refuse_other_classes(dataset)
        _refuse_other_units(dataset)
        largest_count(array_dtype_of(dtype), max_count)  # refused here, not with the first batch
        self.dataset, self.dtype, self.max_count = dataset, dtype, max_count
        self.batch_size, self.dt, self.n_steps, self.n_merged = batch_size, dt, n_steps, n_merged
        self.binary, self.time_first = checked("binary", binary, bool), checked("time_first", time_first, bool)
        self.shuffle, self.drop_last = checked("shuffle", shuffle, bool), checked("drop_last", drop_last, bool)
        self.reuse = checked("reuse", reuse, bool)
        self.seed = checked("seed", seed, Seed)
        self._next_epoch = 0
        parts = list(_outside(dataset, dt * n_steps, None))
        for part, cut in parts:  # each by itself: one in ms among others in s would be lost in the mean
            check_window(part.where, cut, time_unit=part.time_unit, of_file=part.is_of_file)
        self.outside = joined_outside([cut for _, cut in parts]) if parts else None

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        n_full, n_rest = divmod(len(self.dataset), self.batch_size)
        return n_full + (n_rest > 0 and not self.drop_last)

    def set_epoch(self, epoch: int) -> None:
        """Make the next iteration that of a certain epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch.
        """
        self._next_epoch = checked("epoch", epoch, Seed)

    def __iter__(self) -> Iterator[DenseBatch]:
        """The batches of the next epoch."""
        epoch, self._next_epoch = self._next_epoch, self._next_epoch + 1
        return self._batches(epoch)

    def _batches(self, epoch: int) -> Iterator[DenseBatch]:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
        parts = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
        # to use again: one buffer for the batch in use, one for the batch before, one for the batch being made
        buffers: list[npt.NDArray[np.generic] | None] = [None] * 3
        if not parts:
            return
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self._make, parts[0], epoch, buffers, 0)
            for i, part in enumerate(parts[1:], start=1):
                batch = pending.result()
                pending = pool.submit(self._make, part, epoch, buffers, i % len(buffers))
                yield batch
            yield pending.result()

    def _make(
        self, indices: npt.NDArray[np.int64], epoch: int, buffers: list[npt.NDArray[np.generic] | None], slot: int
    ) -> DenseBatch:
        samples = _samples_of(self.dataset, indices.tolist(), epoch)
        out = None
        if self.reuse:  # a transform may have merged channels
            n_units = -(-n_units_of(samples) // self.n_merged)
            buffer = buffers[slot]
            if buffer is None or buffer.size != self.batch_size * self.n_steps * n_units:
                buffer = buffers[slot] = buffer_for((self.batch_size * self.n_steps * n_units,), self.dtype)
            shape = (self.n_steps, len(indices)) if self.time_first else (len(indices), self.n_steps)
            out = buffer[: len(indices) * self.n_steps * n_units].reshape(*shape, n_units)
        with without_warning() if self.outside else nullcontext():  # clips of a kind of their own were not checked
            return collate_dense(
                samples,
                dt=self.dt,
                n_steps=self.n_steps,
                n_merged=self.n_merged,
                binary=self.binary,
                dtype=self.dtype,
                max_count=self.max_count,
                time_first=self.time_first,
                out=out,
            )


def _samples_of(dataset: Dataset[object], indices: Sequence[int], epoch: int) -> Sequence[Sample]:
    """Samples of a data set or of what it is made of, drawn for an epoch."""
    if _counts_epochs(dataset):
        return dataset.samples(indices, epoch=epoch)
    if isinstance(dataset, Subset):
        chosen = whole_numbers("indices of a Subset", [dataset.indices[index] for index in indices])
        return _samples_of(dataset.dataset, chosen.tolist(), epoch)
    if not isinstance(dataset, ConcatDataset):
        return [dataset[index] for index in indices]  # type: ignore[misc]
    starts = [0, *dataset.cumulative_sizes]
    owners = np.searchsorted(starts, indices, side="right") - 1
    samples: list[Sample | None] = [None] * len(indices)
    for owner in np.unique(owners).tolist():
        places = np.flatnonzero(owners == owner).tolist()
        own = _samples_of(dataset.datasets[owner], [indices[place] - starts[owner] for place in places], epoch)
        if len(places) == len(indices):
            return own
        for place, sample in zip(places, own, strict=True):
            samples[place] = sample
    return samples  # type: ignore[return-value]


def _steps_of(dataset: Dataset[object], dt: float | None, n_steps: int | None) -> tuple[float, int]:
    """The steps that were given, or else those that a data set or what it is made of was told."""
    told = {(part.dt, part.n_steps) for part in _spike_datasets(dataset)}
    own_dts, own_n_steps = {one[0] for one in told}, {one[1] for one in told}
    dt = own_dts.pop() if dt is None and len(own_dts) == 1 else dt
    n_steps = own_n_steps.pop() if n_steps is None and len(own_n_steps) == 1 else n_steps
    if dt is None or n_steps is None:
        if len(told) > 1:
            found = " and ".join(sorted(f"({one[0]}, {one[1]})" for one in told))
            raise ValueError(f"the data sets were told different dt and n_steps, {found}: give dt and n_steps here")
        raise ValueError("dt and n_steps must be given here or to the SpikeDataset")
    return dt, n_steps


def _refuse_other_classes(dataset: Dataset[object]) -> None:
    """Labels of several data sets in one batch must mean the same."""
    first, *others = [part.classes for part in _spike_datasets(dataset)] or [()]
    for classes in others:
        if classes != first:
            raise ValueError(f"data sets in one batch must have the same classes, got {first} and {classes}")


def _refuse_other_units(dataset: Dataset[object]) -> None:
    """Batches of several data sets must be of one width; what a transform makes of one shows in its batches."""
    widths = sorted({part.n_units for part in _spike_datasets(dataset) if part.transform is None})
    if len(widths) > 1:
        rule = "data sets in one batch must have the same number of units"
        raise ValueError(f"{rule}, got {' and '.join(map(str, widths))}; ChannelSelect as a transform makes them equal")


def _outside(
    dataset: Dataset[object], window: float, indices: npt.NDArray[np.int64] | None
) -> Iterator[tuple[SpikeDataset, Outside]]:
    """What of some clips of a data set, or of each that it is made of, falls outside a window."""
    if isinstance(dataset, SpikeDataset):
        yield dataset, dataset.outside(window, indices)
    elif isinstance(dataset, Subset):
        chosen = whole_numbers("indices of a Subset", list(dataset.indices))
        yield from _outside(dataset.dataset, window, chosen if indices is None else chosen[indices])
    elif isinstance(dataset, ConcatDataset):
        ends = dataset.cumulative_sizes
        for part, begin, end in zip(dataset.datasets, [0, *ends], ends, strict=False):
            own = None if indices is None else indices[(indices >= begin) & (indices < end)] - begin
            yield from _outside(part, window, own)


def _spike_datasets(dataset: Dataset[object]) -> Iterator[SpikeDataset | SoundDataset]:
    if _counts_epochs(dataset):
        yield dataset
    elif isinstance(dataset, Subset):
        yield from _spike_datasets(dataset.dataset)
    elif isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _spike_datasets(part)


def _counts_epochs(dataset: Dataset[object]) -> TypeGuard[SpikeDataset | SoundDataset]:
    """Whether a data set is one of ours, told without loading the cochlea, which `SoundDataset` needs."""
    return isinstance(getattr(dataset, "_epochs", None), Epochs)
