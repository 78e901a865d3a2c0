"""A spike file as a PyTorch data set."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from spikedata.checks import Seed, checked
from spikedata.events import Sample
from spikedata.events.batching import check_steps, without_warning
from spikedata.events.events import Events, Selection, row_number, whole_numbers
from spikedata.events.time_units import check_time_unit
from spikedata.events.window import Outside, check_window, find_outside
from spikedata.files.cache import open_events
from spikedata.torch.epochs import Epochs
from spikedata.torch.layouts import BinnedSample, collate_dense
from spikedata.transforms import EventTransform
from spikedata.transforms.composition import transformed
from spikedata.transforms.streams import streams_of


class SpikeDataset(Dataset[Any]):
    """A map-style data set of `Sample`, or of counts and labels if it is told the steps.

    The events are memory-mapped from a cache that is made on the first use of a file. A ``DataLoader`` fetches whole
    batches at once (``__getitems__``). A transform's random numbers depend on the seed, the epoch and the number of the
    clip, never on the batch, the order or the worker.

    A transform draws anew in each pass: the first time a clip is fetched, it is drawn as in epoch 0, the second time as
    in epoch 1, and so on; loader workers share the count with the process that started them. Process r of w that train
    together (`torch.distributed`) draws as in epochs r, w + r, 2 w + r, ..., so that a clip which another process gets
    in the next pass is drawn anew there, too. `set_epoch` pins one epoch instead.

    Parameters
    ----------
    source : str, path-like or Events
        A spike file, or events that were read already.
    transform : EventTransform or callable, optional
        One of `spikedata.transforms`, or what takes a sample and returns a sample. Loader workers that are spawned have
        to import it: no lambda.
    target_transform : callable, optional
        What takes a label and returns what an item has in its place, as in torchvision. Transforms, ``labels`` and
        ``classes`` are not affected. Batches need whole numbers.
    seed : int
        Seed of the transform.
    cache : bool
        Whether to keep the file's events in the cache folder.
    dt : float, optional
        Length of a step [s]. With it an item is a pair of counts, a float32 tensor of shape (n_steps, n_units), and the
        label, which a ``DataLoader`` stacks without a ``collate_fn``.
    n_steps : int, optional
        Number of steps; clips are cropped or padded to them. Goes with ``dt``.
    time_unit : str, optional
        Unit of the times in a file by another writer, where it is not s: "ms", "us", "ns" or "samples@16000". With "s",
        no window is refused that leaves out nearly all spikes.
    n_units : int, optional
        Number of units, where a file does not say it. Default: 700, as in the published files.

    Raises
    ------
    ValueError
        If only one of ``dt`` and ``n_steps`` is given, a number is out of its range, the file contradicts what is
        given, or more than 90 % of the spikes are later than the steps.
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
    >>> counts, label = SpikeDataset(dataset.events, dt=0.01, n_steps=50)[0]
    >>> counts.shape, counts.sum().item(), label
    (torch.Size([50, 700]), 2.0, 0)
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Events,
        *,
        transform: EventTransform | Callable[[Sample], Sample] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        seed: int = 0,
        cache: bool = True,
        dt: float | None = None,
        n_steps: int | None = None,
        time_unit: str | None = None,
        n_units: int | None = None,
    ) -> None:
        if transform is not None and not callable(transform) and not isinstance(transform, EventTransform):
            raise TypeError(f"transform must be an EventTransform or callable, got {transform!r}")
        if isinstance(transform, type):
            raise TypeError(f"transform must be one that is made, as {transform.__name__}(...), got the class")
        self.dt, self.n_steps = checked_items(target_transform, dt, n_steps)
        self.transform, self.target_transform = transform, target_transform
        self.seed = checked("seed", seed, Seed)
        self._path = None if isinstance(source, Events) else os.fspath(source)
        self._cache = checked("cache", cache, bool)
        self._file = self._path  # a part made by `select` has no path, but is still of that file
        self._reading: dict[str, Any] = {"time_unit": check_time_unit(time_unit), "n_units": n_units}
        self.events = _as_given(source, **self._reading) if isinstance(source, Events) else self._opened(source)
        self._epochs = Epochs(len(self.events))
        if self.dt is not None and self.n_steps is not None:
            cut = self.outside(self.dt * self.n_steps)
            check_window(self.where, cut, time_unit=self.time_unit, of_file=self.is_of_file)

    @property
    def where(self) -> str:
        """What messages call it: the path of its file, or "events"."""
        return self._file or "events"

    @property
    def is_of_file(self) -> bool:
        """Whether its clips were read from a file."""
        return self._file is not None

    def _opened(self, path: str | os.PathLike[str]) -> Events:
        return open_events(path, cache=self._cache, **self._reading)

    @property
    def time_unit(self) -> str | None:
        """The unit of the file's times that was given; None if none was."""
        return cast(str | None, self._reading["time_unit"])

    def outside(self, window: float, indices: npt.ArrayLike | None = None) -> Outside:
        """What of the clips falls outside a window, before any transform.

        Parameters
        ----------
        window : float
            Length of the window, such as ``n_steps * dt`` [s].
        indices : array_like of int, optional
            Which clips. Default: all.
        """
        return find_outside(self.events, window, None if indices is None else whole_numbers("indices", indices))

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.events)

    def __getitem__(self, index: int) -> Any:
        """One sample, transformed; if the steps are known, its counts and its label."""
        return self.__getitems__([row_number(index, len(self), self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Any]:
        """The items of a batch: what a ``DataLoader`` asks for."""
        if self.dt is None or self.n_steps is None or not len(indices):
            return self.samples(indices)
        return binned_items(self._drawn(indices, None), self.dt, self.n_steps, self.target_transform)

    def samples(self, indices: Sequence[int], *, epoch: int | None = None) -> Sequence[Sample]:
        """Samples, transformed, whether the steps are known or not.

        Parameters
        ----------
        indices : sequence of int
            Their numbers.
        epoch : int, optional
            What a transform draws for, unless `set_epoch` has pinned one. Default: each clip anew.

        Raises
        ------
        IndexError
            If there is no such sample.
        TypeError
            If a number is not whole.
        """
        samples = self._drawn(indices, epoch)
        if self.target_transform is None or not len(samples):
            return samples
        labels = [sample.label for sample in samples] if isinstance(samples, list) else samples.labels.tolist()
        targets = [_as_whole(self.target_transform(label)) for label in labels]
        if isinstance(samples, Selection) and all(type(target) is int for target in targets):
            relabeled = samples.events.labels.copy()
            relabeled[samples.indices] = targets
            return Selection(samples.events.changed(labels=relabeled), samples.indices)
        return [sample._replace(label=target) for sample, target in zip(samples, targets, strict=True)]

    def _drawn(self, indices: Sequence[int], epoch: int | None) -> Selection | list[Sample]:
        """Samples, transformed, with the labels of the data set."""
        chosen = np.arange(len(self))[whole_numbers("indices", indices)]
        if self.transform is None:
            return Selection(self.events, chosen)
        if not isinstance(self.transform, EventTransform):
            return [by_callable(self.transform, self.events[index], self.n_units) for index in chosen.tolist()]
        epochs = self._epochs.of(chosen, epoch)
        streams = np.empty(chosen.size, np.uint64)
        for number in np.unique(epochs).tolist():
            streams[epochs == number] = streams_of(self.seed, number, chosen[epochs == number])
        return Selection.of_all(transformed(self.transform, self.events.select(chosen), streams, self.events))

    @property
    def epoch(self) -> int | None:
        """The epoch that `set_epoch` has pinned; None if a transform draws anew in each pass."""
        return self._epochs.pinned

    def set_epoch(self, epoch: int | None) -> None:
        """Pin what a transform draws to an epoch; loader workers that are running see it, too.

        Parameters
        ----------
        epoch : int or None
            Number of the epoch; with None each pass draws anew again, continuing its count.

        Raises
        ------
        ValueError
            If it is not a whole number, or not in 0..2**63-1.
        """
        self._epochs.pin(epoch)

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
        part._epochs = self._epochs.for_part(len(part.events))
        return part

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"Number of datapoints: {len(self)}"]
        if self._path is not None:
            lines.append(f"Root location: {self._path}")
        lines.append(f"Classes: {len(self.classes)}, units: {self.n_units}")
        if self.transform is not None:
            lines.append(f"Transform: {self.transform!r}")
        if self.target_transform is not None:
            lines.append(f"Target transform: {self.target_transform!r}")
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
        if "events" not in state:
            self.events = self._opened(state["_path"])

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
        """Number of channels before the transform, which may leave fewer: a sample and a batch say theirs."""
        return self.events.n_units


def _as_given(events: Events, *, time_unit: str | None, n_units: int | None) -> Events:
    """Events, which say all that can be given for a file."""
    if time_unit not in (None, "s"):
        raise ValueError(f"time_unit is that of a file; events are in s, got {time_unit!r}")
    if n_units not in (None, events.n_units):
        raise ValueError(f"n_units is that of a file; the events have {events.n_units}, got {n_units}")
    return events


def _as_whole(target: Any) -> Any:
    """A target as an int, if it is a whole number of any kind, such as True or a tensor of one; else as it is."""
    try:
        return operator.index(target)
    except TypeError:
        return target


def checked_items(
    target_transform: Callable[[int], Any] | None, dt: float | None, n_steps: int | None
) -> tuple[float | None, int | None]:
    """The steps of the items of a data set; None if they are samples and no counts.

    Parameters
    ----------
    target_transform, dt, n_steps
        As `SpikeDataset` takes them.

    Raises
    ------
    TypeError
        If the transform of targets is not callable.
    ValueError
        If only one of `dt` and `n_steps` is given, or one is out of its range.
    """
    if target_transform is not None and not callable(target_transform):
        raise TypeError(f"target_transform must be callable, got {target_transform!r}")
    if (dt is None) != (n_steps is None):
        raise ValueError(f"dt and n_steps must be given together, got {dt} and {n_steps}")
    if dt is None or n_steps is None:
        return None, None
    dt, n_steps, _ = check_steps(dt=dt, n_steps=n_steps)
    return dt, n_steps


def binned_items(
    drawn: Selection | list[Sample], dt: float, n_steps: int, target_transform: Callable[[int], Any] | None
) -> list[BinnedSample]:
    """Counts and target of each sample of a batch, as a ``DataLoader`` collates them.

    Parameters
    ----------
    drawn : Selection or list of Sample
        The samples, with the labels of the data set.
    dt, n_steps
        The steps, from `checked_items`.
    target_transform : callable, optional
        As `SpikeDataset` takes it.
    """
    with without_warning():  # the window was checked when the steps were given
        counts, labels = collate_dense(drawn, dt=dt, n_steps=n_steps)
    target_of = target_transform or (lambda label: label)
    return [BinnedSample(*pair, dt) for pair in zip(counts, map(target_of, labels.tolist()), strict=True)]


def by_callable(transform: Callable[[Sample], Sample], sample: Sample, n_units: int) -> Sample:
    """A sample by a callable, which may have made one that does not say its number of channels.

    Parameters
    ----------
    transform : callable
        Takes a sample and returns one.
    sample : Sample
        What it is given.
    n_units : int
        Number of channels of the data set [1].
    """
    left = transform(sample)
    if isinstance(left, Sample) and not left.n_units:
        return left._replace(n_units=n_units)
    return left
