"""A data set as those of tonic are: pairs of events and label."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from torch.utils.data import Dataset

from spikedata.events import Events
from spikedata.events.events import row_number
from spikedata.torch.datasets import SpikeDataset
from spikedata.transforms.tonic import TONIC_DTYPE, to_tonic


class TonicDataset(Dataset[tuple[Any, Any]]):
    """A data set of pairs of tonic's events and label, for tonic's transforms, caches and collate functions.

    ``tonic.MemoryCachedDataset`` and ``tonic.DiskCachedDataset`` take it as they take ``tonic.datasets.SHD``.

    Parameters
    ----------
    source : SpikeDataset, Events, str or path-like
        The clips; a data set's own transform is applied first.
    transform : callable, optional
        Of the events, such as ``tonic.transforms.ToFrame``.
    target_transform : callable, optional
        Of the label.

    Attributes
    ----------
    sensor_size : tuple of int
        ``(n_units, 1, 1)``, as tonic's transforms take it.
    ordering : tuple of str
        Names of the fields of the events.
    classes : tuple of str
        Class names.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If the file breaks a rule of the format.

    Examples
    --------
    >>> import numpy as np
    >>> from spikedata.events import Sample
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], np.uint16), label=0, speaker=2)
    >>> dataset = TonicDataset(Events.from_samples([clip], keys=["zero"]))
    >>> dataset.sensor_size, dataset[0][0]["t"].tolist(), dataset[0][1]
    ((700, 1, 1), [100000, 300000], 0)
    """

    dtype = TONIC_DTYPE
    ordering = TONIC_DTYPE.names

    def __init__(
        self,
        source: SpikeDataset | Events | str | os.PathLike[str],
        *,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.dataset = source if isinstance(source, SpikeDataset) else SpikeDataset(source)
        self.transform, self.target_transform = transform, target_transform
        self.classes = self.dataset.classes
        # a transform may leave fewer units; asked of an epoch, so that it counts as none of the clip's draws
        first = self.dataset.samples([0], epoch=0)[0] if len(self.dataset) else None
        self.sensor_size = (self.dataset.n_units if first is None else first.n_units, 1, 1)

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Events and label of one clip, transformed."""
        (sample,) = self.dataset.samples([row_number(index, len(self), self)])
        events, target = to_tonic(sample), sample.label
        return (
            events if self.transform is None else self.transform(events),
            target if self.target_transform is None else self.target_transform(target),
        )
