"""Binned clips as their nonzero counts: small tensors to send to where the dense or sparse tensor is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from spikedata.events import Sample
from spikedata.events.batching import LARGEST_COUNT, largest_count, sparse_batch
from spikedata.torch.layouts import array_dtype_of, as_selection

_Kind = TypeVar("_Kind", bound="Batch")
_MOST = LARGEST_COUNT["float32"]  # counts are made in it


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Spike counts of a batch of clips, as a list of those that are not zero.

    Parameters
    ----------
    indices : Tensor of int64, shape (3, n_entries)
        Place of each entry in the batch, its step and its unit [1]; each triple occurs once, in rising order.
    counts : Tensor of float32 or another type of `spikedata.torch.collate_dense`, shape (n_entries,)
        Spikes there [1].
    labels : Tensor of int64, shape (batch,)
        Class of each clip [1].
    shape : tuple of int
        ``(batch, n_steps, n_units)`` [1].
    dt : float, optional
        Length of a step [s]; None where it is not known.

    Raises
    ------
    ValueError
        If the tensors do not fit each other or ``shape``, or the entries are not in rising order.
    """

    indices: Tensor
    counts: Tensor
    labels: Tensor
    shape: tuple[int, int, int]
    dt: float | None = None

    def __post_init__(self) -> None:
        if self.indices.dtype != torch.int64 or self.indices.shape != (3, len(self.counts)):
            found = f"{self.indices.dtype} {tuple(self.indices.shape)}"
            raise ValueError(f"Batch.indices must be int64 (3, {len(self.counts)}), got {found}")
        array_dtype_of(self.counts.dtype, "Batch.counts")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.shape[:1]:
            found = f"{self.labels.dtype} {tuple(self.labels.shape)}"
            raise ValueError(f"Batch.labels must be int64 ({self.shape[0]},), got {found}")
        if not self.indices.numel():
            return
        lowest, highest = self.indices.amin(dim=1).tolist(), self.indices.amax(dim=1).tolist()
        if min(lowest) < 0 or any(index >= size for index, size in zip(highest, self.shape, strict=True)):
            raise ValueError(f"Batch.indices must be in 0..{self.shape} (exclusive), got {lowest} to {highest}")
        if (self._codes().diff() <= 0).any():
            raise ValueError("Batch.indices must be in rising order, each once")

    def __len__(self) -> int:
        """Count the clips."""
        return self.shape[0]

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.shape[1]

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.shape[2]

    def dense(self, *, time_first: bool = False) -> Tensor:
        """The counts with their zeros.

        Parameters
        ----------
        time_first : bool
            Whether to give the axes (step, batch, unit).

        Returns
        -------
        Tensor of the type of the counts, shape (batch, step, unit), or with `time_first` (step, batch, unit)
            On the device of the batch.
        """
        dense = self.counts.new_zeros(self._shape(time_first))
        dense.view(-1)[self._codes(time_first)] = self.counts
        return dense

    def sparse(self, *, time_first: bool = False) -> Tensor:
        """The counts as a coalesced sparse tensor, its invariants checked.

        Parameters
        ----------
        time_first : bool
            Whether to give the axes (step, batch, unit).

        Returns
        -------
        Tensor of the type of the counts, sparse COO, shape as that of `dense`
            On the device of the batch.
        """
        indices, counts = self.indices, self.counts
        if time_first:
            order = self._codes(time_first).argsort()
            indices, counts = indices[[1, 0, 2]][:, order], counts[order]
        return torch.sparse_coo_tensor(
            indices, counts, self._shape(time_first), is_coalesced=True, check_invariants=True
        )

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device.

        Parameters
        ----------
        device : torch.device or str
            Where to.
        """
        return self._each(lambda tensor: tensor.to(device, non_blocking=tensor.is_pinned()))

    def pin_memory(self) -> Self:
        """The same batch in memory that a GPU reads directly; a ``DataLoader`` calls this."""
        return self._each(Tensor.pin_memory)

    def _codes(self, time_first: bool = False) -> Tensor:
        """Place of each entry in the flattened dense tensor."""
        clip, step, unit = self.indices.unbind()
        row = step * self.shape[0] + clip if time_first else clip * self.shape[1] + step
        return row * self.shape[2] + unit

    def _shape(self, time_first: bool) -> tuple[int, int, int]:
        n_clips, n_steps, n_units = self.shape
        return (n_steps, n_clips, n_units) if time_first else self.shape

    def _each(self, move: Callable[[Tensor], Tensor]) -> Self:
        """A batch of moved tensors; what was checked once is not checked again, which would wait for the GPU."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return _without_checks(
            type(self), {name: move(value) if isinstance(value, Tensor) else value for name, value in values.items()}
        )


def collate(
    samples: Sequence[Sample],
    *,
    dt: float,
    n_steps: int,
    n_units: int | None = None,
    n_merged: int = 1,
    dtype: torch.dtype = torch.float32,
    max_count: int | None = None,
) -> Batch:
    """Samples of a data set as one batch, binned by the rule of `spikedata.events.binning`.

    For a ``DataLoader``: ``collate_fn=functools.partial(collate, dt=0.004, n_steps=250)``.

    Parameters
    ----------
    samples : sequence of Sample
        The clips, at least one; a clip without spikes is allowed.
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps; spikes at or after ``n_steps * dt`` are dropped.
    n_units : int, optional
        Number of channels. Default: what the samples say, as those of a file or a data set do.
    n_merged, dtype, max_count
        As `spikedata.torch.collate_dense`.

    Returns
    -------
    Batch

    Raises
    ------
    TypeError
        If one is no `Sample`.
    ValueError
        If there is no sample, one breaks a rule of `spikedata.events.Events`, or the number of channels is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> clip = Sample(np.array([0.0, 0.001, 0.012]), np.array([4, 4, 6]), label=1, speaker=0)
    >>> batch = collate([clip, clip], dt=0.01, n_steps=100, n_units=700)
    >>> batch.dense().shape, batch.counts.tolist(), batch.labels.tolist()
    (torch.Size([2, 100, 700]), [2.0, 1.0, 2.0, 1.0], [1, 1])
    """
    most = largest_count(array_dtype_of(dtype), max_count)
    chosen = as_selection(samples, n_units)
    indices, counts = sparse_batch(
        chosen.events, chosen.indices, dt=dt, n_steps=n_steps, n_merged=n_merged, max_count=min(most, _MOST)
    )
    made = {"indices": torch.from_numpy(indices), "counts": torch.from_numpy(counts).to(dtype)}
    about = {"shape": (len(chosen), int(n_steps), -(-chosen.n_units // n_merged)), "dt": float(dt)}
    return _without_checks(Batch, made | about | {"labels": torch.from_numpy(chosen.labels)})


def _without_checks(kind: type[_Kind], values: dict[str, Any]) -> _Kind:
    """A batch of what is known to fit: moved from another batch, or made in order by a compiled pass."""
    batch = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(batch, name, value)
    return batch
