"""Batches in other layouts than `Batch`: dense tensors, and lists of units for kernels that gather.

For a ``DataLoader``, with `functools.partial`: ``collate_fn=partial(collate_dense, dt=0.01, n_steps=100)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data._utils.collate import collate as collate_values
from torch.utils.data._utils.collate import default_collate_fn_map

from spikedata.checks import whole_number
from spikedata.events import Sample
from spikedata.events.batching import BFLOAT16, LARGEST_COUNT, dense_batch, event_lists
from spikedata.events.events import Events, Selection, common_n_units

_DTYPES: dict[torch.dtype, str] = {getattr(torch, name): name for name in LARGEST_COUNT}


class _Dense(NamedTuple):
    counts: Tensor
    labels: Tensor


class DenseBatch(_Dense):
    """Counts of some clips in every step and unit: a pair, which knows its steps beside.

    Parameters
    ----------
    counts : Tensor of any type of `collate_dense`, shape (batch, step, unit)
        Spikes there [1].
    labels : Tensor of int64, shape (batch,)
        Class of each clip [1].
    dt : float, optional
        Length of a step [s]; None where it is not known, as after a DataLoader of an old PyTorch has pinned its memory.
    """

    dt: float | None

    def __new__(cls, counts: Tensor, labels: Tensor, dt: float | None = None) -> Self:
        """A pair of counts and labels."""
        batch = super().__new__(cls, counts, labels)
        batch.dt = dt
        return batch

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.counts.shape[1]

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.counts.shape[2]

    def pin_memory(self) -> Self:
        """The same batch in memory that a GPU reads directly; a ``DataLoader`` calls this."""
        return type(self)(self.counts.pin_memory(), self.labels.pin_memory(), self.dt)


class TimeFirstBatch(DenseBatch):
    """As `DenseBatch`, with counts of the axes (step, batch, unit), over whose first axis a loop over time runs."""

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.counts.shape[0]


class ListBatch(NamedTuple):
    """The spikes of some clips in the order of clip and step.

    Parameters
    ----------
    units : Tensor of uint16, shape (n_spikes,)
        Unit of each spike [1].
    offsets : Tensor of int64, shape (batch, n_steps + 1)
        The spikes of clip b in step i are ``units[offsets[b, i]:offsets[b, i + 1]]`` [1].
    labels : Tensor of int64, shape (batch,)
        Class of each clip [1].
    n_units : int
        Number of units [1].
    dt : float, optional
        Length of a step [s]; None where it is not known.
    """

    units: Tensor
    offsets: Tensor
    labels: Tensor
    n_units: int
    dt: float | None = None

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.offsets.shape[1] - 1

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device.

        Parameters
        ----------
        device : torch.device or str
            Where to.
        """
        return self._replace(
            units=self.units.to(device), offsets=self.offsets.to(device), labels=self.labels.to(device)
        )


class TimesBatch(NamedTuple):
    """The spikes of some clips with their times, in the order of clip and time, on no grid.

    Parameters
    ----------
    times : Tensor of float64, shape (n_spikes,)
        Time of each spike [s].
    units : Tensor of int64, shape (n_spikes,)
        Unit of each spike [1].
    offsets : Tensor of int64, shape (batch + 1,)
        The spikes of clip b are those from ``offsets[b]`` up to ``offsets[b + 1]`` [1].
    labels : Tensor of int64, shape (batch,)
        Class of each clip [1].
    n_units : int
        Number of units [1].
    """

    times: Tensor
    units: Tensor
    offsets: Tensor
    labels: Tensor
    n_units: int


def collate_dense(
    samples: Sequence[Sample],
    *,
    dt: float,
    n_steps: int,
    n_units: int | None = None,
    n_merged: int = 1,
    binary: bool = False,
    dtype: torch.dtype = torch.float32,
    max_count: int | None = None,
    time_first: bool = False,
    out: npt.NDArray[np.generic] | None = None,
) -> DenseBatch:
    """Samples of a data set as one dense batch, binned by the rule of `spikedata.events.batching`.

    Parameters
    ----------
    samples : sequence of Sample
        The clips, at least one; what a `SpikeDataset` fetches is binned in one pass.
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps; spikes at or after ``n_steps * dt`` are dropped.
    n_units : int, optional
        Number of channels. Default: what the samples say, as those of a file or a data set do.
    n_merged : int
        Channels that become one [1].
    binary : bool
        Whether to say only if there was a spike.
    dtype : torch.dtype
        Of the counts: float32, float16, bfloat16, bool, uint8, int8, int16 or int32. They stop where the type ends: at
        1 in bool, 127 in int8, 255 in uint8; a float type counts as far as it is exact, to 256 in bfloat16.
    max_count : int, optional
        Where counts stop [1], such as 15 for hardware of four bits. Default: where the type ends.
    time_first : bool
        Whether to give a `TimeFirstBatch`, of the axes (step, batch, unit).
    out : ndarray, optional
        As `spikedata.events.batching.dense_batch`.

    Returns
    -------
    DenseBatch

    Raises
    ------
    TypeError
        If one is no `Sample`.
    ValueError
        If there is no sample, a number is out of range, or the number of units is unknown.

    Examples
    --------
    >>> clip = Sample(np.array([0.0, 0.001, 0.012]), np.array([4, 4, 6], np.uint16), label=1, speaker=0)
    >>> batch = collate_dense([clip, clip], dt=0.01, n_steps=100, n_units=700, n_merged=5)
    >>> batch.counts.shape, batch.counts[0, 0, 0].item(), batch.labels.tolist()
    (torch.Size([2, 100, 140]), 2.0, [1, 1])
    """
    array_dtype = array_dtype_of(dtype)
    chosen = as_selection(samples, n_units)
    counts = dense_batch(
        chosen.events,
        chosen.indices,
        dt=dt,
        n_steps=n_steps,
        n_merged=n_merged,
        binary=binary,
        dtype=array_dtype,
        max_count=max_count,
        time_first=time_first,
        out=out,
    )
    kind = TimeFirstBatch if time_first else DenseBatch
    return kind(torch.from_numpy(counts).view(dtype), torch.from_numpy(chosen.labels), float(dt))


def collate_lists(
    samples: Sequence[Sample], *, dt: float, n_steps: int, n_units: int | None = None, n_merged: int = 1
) -> ListBatch:
    """Samples of a data set as lists of units by clip and step.

    Parameters
    ----------
    samples, dt, n_steps, n_units, n_merged
        As `collate_dense`.

    Raises
    ------
    TypeError, ValueError
        As `collate_dense`.

    Examples
    --------
    >>> clip = Sample(np.array([0.0, 0.001, 0.012]), np.array([4, 4, 6], np.uint16), label=1, speaker=0)
    >>> batch = collate_lists([clip], dt=0.01, n_steps=2, n_units=700)
    >>> batch.units.tolist(), batch.offsets.tolist()
    ([4, 4, 6], [[0, 2, 3]])
    """
    chosen = as_selection(samples, n_units)
    lists = event_lists(chosen.events, chosen.indices, dt=dt, n_steps=n_steps, n_merged=n_merged)
    return ListBatch(
        torch.from_numpy(lists.units),
        torch.from_numpy(lists.offsets),
        torch.from_numpy(chosen.labels),
        lists.n_units,
        float(dt),
    )


def collate_times(samples: Sequence[Sample], *, n_units: int | None = None, n_merged: int = 1) -> TimesBatch:
    """Samples of a data set with the times of their spikes, for networks without a time grid.

    Times are those of the file: half floats, as in the published files, tell times of one second apart by 0.5 ms.

    Parameters
    ----------
    samples, n_units, n_merged
        As `collate_dense`.

    Raises
    ------
    TypeError, ValueError
        As `collate_dense`.

    Examples
    --------
    >>> clip = Sample(np.array([0.012, 0.0, 0.001]), np.array([6, 4, 4], np.uint16), label=1, speaker=0)
    >>> batch = collate_times([clip], n_units=700)
    >>> batch.times.tolist(), batch.units.tolist(), batch.offsets.tolist()
    ([0.0, 0.001, 0.012], [4, 4, 6], [0, 3])
    """
    n_merged = whole_number("n_merged", n_merged, at_least=1)
    chosen = as_selection(samples, n_units)
    events = chosen.events
    first, last = events.offsets[:-1][chosen.indices], events.offsets[1:][chosen.indices]
    offsets = np.concatenate([[0], np.cumsum(last - first)])
    places = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], last - first)
    times = events.times[places].astype(np.float64)
    if not events.is_sorted:
        clips = np.repeat(np.arange(len(first)), last - first)
        order = np.lexsort((times, clips))
        times, places = times[order], places[order]
    units = events.units[places].astype(np.int64)
    return TimesBatch(
        torch.from_numpy(times),
        torch.from_numpy(units // n_merged if n_merged > 1 else units),
        torch.from_numpy(offsets),
        torch.from_numpy(chosen.labels),
        -(-chosen.n_units // n_merged),
    )


def array_dtype_of(dtype: torch.dtype, name: str = "dtype") -> str:
    """What `spikedata.events.batching` calls the type of a batch's counts.

    Parameters
    ----------
    dtype : torch.dtype
    name : str
        Name for the message.

    Raises
    ------
    ValueError
        If counts cannot have it.
    """
    if not isinstance(dtype, torch.dtype) or dtype not in _DTYPES:
        raise ValueError(f"{name} must be one of torch.{', torch.'.join(LARGEST_COUNT)}, got {dtype}")
    return _DTYPES[dtype]


def buffer_for(shape: tuple[int, ...], dtype: torch.dtype) -> npt.NDArray[np.generic]:
    """Memory that `collate_dense` can fill with counts of a type.

    Parameters
    ----------
    shape : tuple of int
    dtype : torch.dtype
    """
    kind = array_dtype_of(dtype)
    return np.empty(shape, np.uint16 if kind == BFLOAT16 else kind)


def as_selection(samples: Sequence[Sample], n_units: int | None) -> Selection:
    """The samples of a batch as events, checked: those of a data set as they are, others put together.

    Parameters
    ----------
    samples : sequence of Sample
    n_units : int, optional
        Number of channels. Default: what the samples say.

    Raises
    ------
    TypeError, ValueError
        As `collate_dense`.
    """
    if isinstance(samples, Events):
        samples = Selection.of_all(samples)
    if not len(samples):
        raise ValueError("a batch must have at least one sample, got none")
    if n_units is None:
        n_units = n_units_of(samples)
    if not isinstance(samples, Selection):
        _refuse_counts(samples)
        labels = [sample.label if isinstance(sample, Sample) else 0 for sample in samples]
        for index, label in enumerate(labels):
            whole_number(f"sample {index}: label", label, at_least=0, at_most=2**63 - 1)
        # Samples do not carry the class names, so any number of classes is allowed.
        unlabeled = [sample._replace(label=0) if isinstance(sample, Sample) else sample for sample in samples]
        events = Events.from_samples(unlabeled, keys=[""], n_units=n_units, is_sorted=False)
        return Selection.of_all(events.changed(labels=np.array(labels, np.int64)))
    if n_units == samples.n_units:
        return samples
    return Selection.of_all(replace(samples.events.select(samples.indices), n_units=n_units))  # which checks


def n_units_of(samples: Sequence[Sample]) -> int:
    """The number of channels that the samples of a batch say they have.

    Parameters
    ----------
    samples : sequence of Sample

    Raises
    ------
    TypeError
        If one is no `Sample`, for instance counts already.
    ValueError
        If they have different numbers of channels, or none says it.
    """
    _refuse_counts(samples)
    known = common_n_units(samples)
    if not known:
        raise ValueError("n_units must be given, since the samples do not say how many units there are")
    return known


def _refuse_counts(samples: Sequence[Sample]) -> None:
    if not isinstance(samples, Selection) and any(isinstance(item, tuple) and len(item) == 2 for item in samples):
        raise TypeError("samples are counts already: a SpikeDataset that is told dt and n_steps needs no collate_fn")


def _refuse_samples(
    batch: Sequence[Sample], *, collate_fn_map: dict[type | tuple[type, ...], Callable[..., Any]] | None = None
) -> Sample:
    # what a DataLoader without collate_fn calls for samples
    if len(batch) > 1:
        raise TypeError(
            "samples have any number of spikes and cannot be stacked: give the SpikeDataset dt and n_steps, "
            "or the DataLoader collate_fn=functools.partial(spikedata.torch.collate_dense, dt=0.01, n_steps=100)"
        )
    return Sample(*(collate_values([value], collate_fn_map=collate_fn_map) for value in batch[0]))


class _Binned(NamedTuple):
    counts: Tensor
    label: Any


class BinnedSample(_Binned):
    """Counts and label of one clip, an item of a `SpikeDataset` that was told its steps: a pair that knows them.

    Parameters
    ----------
    counts : Tensor of float32, shape (n_steps, n_units)
        Spikes in each step and unit [1].
    label : int
        Class of the clip [1], or what a ``target_transform`` made of it.
    dt : float, optional
        Length of a step [s].
    """

    dt: float | None

    def __new__(cls, counts: Tensor, label: Any, dt: float | None = None) -> Self:
        """A pair of counts and label."""
        item = super().__new__(cls, counts, label)
        item.dt = dt
        return item


def _stack_binned(
    batch: Sequence[BinnedSample], *, collate_fn_map: dict[type | tuple[type, ...], Callable[..., Any]] | None = None
) -> DenseBatch:
    # what a DataLoader without collate_fn calls for clips that were binned already
    dts, shapes = {item.dt for item in batch}, {tuple(item.counts.shape) for item in batch}
    for rule, found in (("dt [s]", dts), ("(n_steps, n_units)", shapes)):
        if len(found) > 1:
            raise ValueError(f"clips in one batch must have one {rule}, got {' and '.join(sorted(map(str, found)))}")
    counts, labels = (collate_values(list(part), collate_fn_map=collate_fn_map) for part in zip(*batch, strict=True))
    return DenseBatch(counts, labels, dts.pop())


default_collate_fn_map[BinnedSample] = _stack_binned
default_collate_fn_map[Sample] = _refuse_samples  # PyTorch's way to have default_collate know a type
