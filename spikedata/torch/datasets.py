"""A spike file as a PyTorch data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from spikedata.event_cache import open_events
from spikedata.events import Events, Selection
from spikedata.schema import Sample
from spikedata.streams import streams_of
from spikedata.transforms import EventTransform


class SpikeDataset(Dataset[Sample]):
    """A map-style data set of `Sample`.

    The events are memory-mapped from a cache that is made on the first use of a file. A ``DataLoader`` fetches whole
    batches at once (``__getitems__``). Chance in a transform depends on the seed, the epoch and the number of the clip,
    never on the batch, the order or the worker.

    Parameters
    ----------
    source : str, path-like or Events
        A spike file, or events that were read already.
    transform : EventTransform or callable, optional
        One of `spikedata.transforms`, or what takes a sample and returns a sample. Loader workers that are spawned have
        to import it: no lambda.
    seed : int
        Seed of the transform.
    cache : bool
        Whether to keep the file's events in the cache folder.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If the file breaks a rule of the format.

    Examples
    --------
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
    >>> dataset = SpikeDataset(Events.from_samples([clip], keys=["zero"]))
    >>> dataset.classes, dataset[0].label
    (('zero',), 0)
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Events,
        *,
        transform: EventTransform | Callable[[Sample], Sample] | None = None,
        seed: int = 0,
        cache: bool = True,
    ) -> None:
        self.transform = transform
        self.seed = seed
        self._path = None if isinstance(source, Events) else os.fspath(source)
        self._cache = cache
        self.events = source if isinstance(source, Events) else open_events(source, cache=cache)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # workers that go on see it change

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.events)

    def __getitem__(self, index: int) -> Sample:
        """One sample, transformed."""
        return self.__getitems__([range(len(self))[index]])[0]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Sample]:
        """The samples of a batch, transformed: what a ``DataLoader`` asks for."""
        chosen = np.arange(len(self))[np.asarray(indices, dtype=np.int64)]
        if self.transform is None:
            return Selection(self.events, chosen)
        if isinstance(self.transform, EventTransform):
            streams = streams_of(self.seed, self.epoch, chosen)
            return Selection.of_all(
                self.transform.transform_events(self.events.select(chosen), streams, source=self.events)
            )
        return [self.transform(self.events[index]) for index in chosen]

    @property
    def epoch(self) -> int:
        """What the transform's chance depends on beside the seed and the clip."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Have the transform draw anew; loader workers that are running see it, too.

        Parameters
        ----------
        epoch : int
            Number of the epoch.
        """
        self._epoch.fill_(epoch)

    def select(self, indices: npt.ArrayLike) -> Self:
        """The same kind of data set with some of the clips, for instance of a part of a split.

        Parameters
        ----------
        indices : array_like of int or bool
            Which clips, in the order wanted.
        """
        numbers = np.asarray(indices)
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__, events=self.events.select(numbers if numbers.size else []), _path=None)
        part._epoch = self._epoch.clone().share_memory_()
        return part

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"Number of datapoints: {len(self)}"]
        if self._path is not None:
            lines.append(f"Root location: {self._path}")
        lines.append(f"Classes: {len(self.classes)}, units: {self.n_units}")
        if self.transform is not None:
            lines.append(f"Transform: {self.transform!r}")
        return "\n    ".join(lines)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out mapped arrays: a spawned worker maps the same cache again."""
        state = self.__dict__.copy()
        if self._path is not None and self._cache:
            del state["events"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the events again."""
        self.__dict__.update(state)
        self._epoch.share_memory_()
        if "events" not in state:
            self.events = open_events(state["_path"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that the labels count in."""
        return self.events.keys

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each sample, shape (n_samples,)."""
        return self.events.labels

    @property
    def speakers(self) -> npt.NDArray[np.int64]:
        """Speaker of each sample, shape (n_samples,); -1 where unknown."""
        return self.events.speakers

    @property
    def n_units(self) -> int:
        """Number of channels."""
        return self.events.n_units
