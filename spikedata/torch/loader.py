"""Dense batches in one process, the next one binned while the last is used, in buffers that are used again.

Making a dense batch costs less than moving it from a worker process, and clearing used memory less than asking for new.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from spikedata.batching import check_steps
from spikedata.events import Selection
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.layouts import DenseBatch, array_dtype_of, collate_dense


class SpikeLoader:
    """Dense batches of a data set, one epoch per iteration.

    A batch's tensor is valid until the next but one is asked for: clone it to keep it. The order of the clips is that
    of the seed and the epoch, which is also told to the data set and goes on by one with each iteration.

    Parameters
    ----------
    dataset : SpikeDataset
    batch_size : int
        Clips per batch.
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps; spikes at or after ``n_steps * dt`` are dropped.
    n_merged : int
        Channels that become one [1].
    binary : bool
        Whether to say only if there was a spike.
    dtype : torch.float32 or torch.uint8
        Of the counts.
    shuffle : bool
        Whether to draw a new order in each epoch.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    seed : int
        Seed of the order.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> from spikedata.events import Events
    >>> from spikedata.schema import Sample
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
    >>> dataset = SpikeDataset(Events.from_samples([clip] * 5, keys=["zero"]))
    >>> [len(labels) for counts, labels in SpikeLoader(dataset, batch_size=2, dt=0.01, n_steps=100)]
    [2, 2, 1]
    """

    def __init__(
        self,
        dataset: SpikeDataset,
        *,
        batch_size: int,
        dt: float,
        n_steps: int,
        n_merged: int = 1,
        binary: bool = False,
        dtype: torch.dtype = torch.float32,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, got {batch_size}")
        check_steps(dt=dt, n_steps=n_steps, n_merged=n_merged)
        self._array_dtype = array_dtype_of(dtype)
        self.dataset = dataset
        self.batch_size, self.dt, self.n_steps, self.n_merged = batch_size, dt, n_steps, n_merged
        self.binary, self.dtype, self.shuffle, self.drop_last, self.seed = binary, dtype, shuffle, drop_last, seed
        self._next_epoch = 0

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
        self._next_epoch = epoch

    def __iter__(self) -> Iterator[DenseBatch]:
        """The batches of the next epoch."""
        epoch, self._next_epoch = self._next_epoch, self._next_epoch + 1
        self.dataset.set_epoch(epoch)
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
        parts = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
        # one buffer for the batch in use, one for the batch before, one for the batch being made
        buffers: list[npt.NDArray[np.generic] | None] = [None] * 3
        if not parts:
            return
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self._make, parts[0], buffers, 0)
            for i, part in enumerate(parts[1:], start=1):
                batch = pending.result()
                pending = pool.submit(self._make, part, buffers, i % len(buffers))
                yield batch
            yield pending.result()

    def _make(
        self, indices: npt.NDArray[np.int64], buffers: list[npt.NDArray[np.generic] | None], slot: int
    ) -> DenseBatch:
        samples = self.dataset.__getitems__(indices.tolist())
        # a transform may have merged channels
        n_units = samples.events.n_units if isinstance(samples, Selection) else self.dataset.n_units
        shape = (len(indices), self.n_steps, -(-n_units // self.n_merged))
        buffer = buffers[slot]
        if buffer is None or buffer.shape[1:] != shape[1:]:
            buffer = buffers[slot] = np.empty((self.batch_size, *shape[1:]), self._array_dtype)
        return collate_dense(
            samples,
            dt=self.dt,
            n_steps=self.n_steps,
            n_units=n_units,
            n_merged=self.n_merged,
            binary=self.binary,
            dtype=self.dtype,
            out=buffer[: len(indices)],
        )
