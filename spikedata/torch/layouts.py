"""Batches in other layouts than `Batch`: dense tensors, and lists of units for kernels that gather.

For a ``DataLoader``, with `functools.partial`: ``collate_fn=partial(collate_dense, dt=0.01, n_steps=100)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data._utils.collate import collate as collate_values
from torch.utils.data._utils.collate import default_collate_fn_map

from spikedata.events import Sample
from spikedata.events.batching import dense_batch, event_lists
from spikedata.events.events import Events, Selection, common_n_units

_DTYPES: dict[torch.dtype, type[np.generic]] = {torch.float32: np.float32, torch.uint8: np.uint8}


class _Dense(NamedTuple):
    counts: Tensor
    labels: Tensor


class DenseBatch(_Dense):
    """Counts of some clips in every step and unit: a pair, which knows its steps beside.

    Parameters
    ----------
    counts : Tensor of float32 or uint8, shape (batch, step, unit)
        Spikes there [1].
    labels : Tensor of int64, shape (batch,)
        Class of each clip [1].
    dt : float, optional
        Length of a step [s]; None where it is not known, as after pinning memory.
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


class ListBatch(NamedTuple):
    """The spikes of some clips in the order of clip and step.

    Parameters
    ----------
    units : Tensor of uint16, shape (n_spikes,)
        Unit of each spike [1].
    splits : Tensor of int64, shape (batch, n_steps + 1)
        The spikes of clip b in step i are ``units[splits[b, i]:splits[b, i + 1]]`` [1].
    labels : Tensor of int64, shape (batch,)
        Class of each clip [1].
    n_units : int
        Number of units [1].
    dt : float, optional
        Length of a step [s]; None where it is not known.
    """

    units: Tensor
    splits: Tensor
    labels: Tensor
    n_units: int
    dt: float | None = None

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.splits.shape[1] - 1

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device.

        Parameters
        ----------
        device : torch.device or str
            Where to.
        """
        return self._replace(units=self.units.to(device), splits=self.splits.to(device), labels=self.labels.to(device))


def collate_dense(
    samples: Sequence[Sample],
    *,
    dt: float,
    n_steps: int,
    n_units: int | None = None,
    n_merged: int = 1,
    binary: bool = False,
    dtype: torch.dtype = torch.float32,
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
    dtype : torch.float32 or torch.uint8
        Of the counts, which stop at 255 in uint8.
    out : ndarray, optional
        As `spikedata.events.batching.dense_batch`.

    Raises
    ------
    TypeError
        If one is no `Sample`.
    ValueError
        If there is no sample, a number is out of its range, or nobody says how many channels there are.

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
        out=out,
    )
    return DenseBatch(torch.from_numpy(counts), torch.from_numpy(chosen.labels), float(dt))


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
    >>> batch.units.tolist(), batch.splits.tolist()
    ([4, 4, 6], [[0, 2, 3]])
    """
    chosen = as_selection(samples, n_units)
    lists = event_lists(chosen.events, chosen.indices, dt=dt, n_steps=n_steps, n_merged=n_merged)
    return ListBatch(
        torch.from_numpy(lists.units),
        torch.from_numpy(lists.splits),
        torch.from_numpy(chosen.labels),
        lists.n_units,
        float(dt),
    )


def array_dtype_of(dtype: torch.dtype) -> type[np.generic]:
    """What NumPy calls the type of a batch's counts.

    Parameters
    ----------
    dtype : torch.float32 or torch.uint8

    Raises
    ------
    ValueError
        If it is another.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be torch.float32 or torch.uint8, got {dtype}")
    return _DTYPES[dtype]


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
            if isinstance(label, bool) or not isinstance(label, Integral):
                raise TypeError(f"sample {index}: label must be a whole number, got {label!r}")
            if not 0 <= label < 2**63:
                raise ValueError(f"sample {index}: label must be in 0..2**63-1, got {label}")
        # nobody knows the names of the classes here, which may be any number
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


default_collate_fn_map[Sample] = _refuse_samples  # PyTorch's way to have default_collate know a type
