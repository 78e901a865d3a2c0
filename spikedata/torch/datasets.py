"""A spike file as a PyTorch data set."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from spikedata.events import Events
from spikedata.reader import SpikeFile
from spikedata.schema import Sample


class SpikeDataset(Dataset[Sample]):
    """A map-style data set of `Sample`, all of it in memory.

    Parameters
    ----------
    source : str, path-like or Events
        A spike file, or events that were read already.
    transform : callable, optional
        Takes a sample, returns a sample. Loader workers that are spawned have to import it: no lambda.

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
        self, source: str | os.PathLike[str] | Events, *, transform: Callable[[Sample], Sample] | None = None
    ) -> None:
        self.transform = transform
        self._root = None if isinstance(source, Events) else os.fspath(source)
        self.events = source if isinstance(source, Events) else _read(source)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.events)

    def __getitem__(self, index: int) -> Sample:
        """One sample, transformed."""
        sample = self.events[index]
        return sample if self.transform is None else self.transform(sample)

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"Number of datapoints: {len(self)}"]
        if self._root is not None:
            lines.append(f"Root location: {self._root}")
        lines.append(f"Classes: {len(self.classes)}, units: {self.n_units}")
        if self.transform is not None:
            lines.append(f"Transform: {self.transform!r}")
        return "\n    ".join(lines)

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


def _read(path: str | os.PathLike[str]) -> Events:
    with SpikeFile(path) as file:
        return file.read_events()
