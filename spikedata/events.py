"""A whole set of clips as flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import numpy.typing as npt

from spikedata.schema import PUBLISHED_N_UNITS, Sample, find_fault


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """The spikes of many clips, one after the other, and what is known of each clip.

    Clip ``i`` owns ``times[offsets[i]:offsets[i + 1]]`` and the same part of ``units``.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
        Spike times [s], in the dtype in which they were stored.
    units : ndarray of uint16, shape (n_spikes,)
        Channel of each spike [1].
    offsets : ndarray of int64, shape (n_samples + 1,)
        Where each clip begins [1]; the last entry is the number of spikes.
    labels : ndarray of int64, shape (n_samples,)
        Class of each clip, an index into ``keys`` [1].
    speakers : ndarray of int64, shape (n_samples,)
        Speaker of each clip [1]; -1 where unknown.
    sources : tuple of str
        Name of each clip's recording [1]; empty where unknown.
    sample_rates : ndarray of int64, shape (n_samples,)
        Sample rate of each recording [Hz]; 0 where unknown.
    keys : tuple of str
        Class names [1].
    n_units : int
        Number of channels [1].
    is_sorted : bool
        Whether the spikes of each clip are sorted by time [1]. What a transform leaves may not be; a single clip is
        sorted when it is taken out, and binning does not ask.

    Raises
    ------
    ValueError
        If the arrays do not fit each other.
    """

    times: npt.NDArray[np.floating]
    units: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    sample_rates: npt.NDArray[np.int64]
    keys: tuple[str, ...]
    n_units: int
    is_sorted: bool = True

    def __post_init__(self) -> None:
        n_spikes, n_samples = len(self.times), len(self.offsets) - 1
        if len(self.units) != n_spikes:
            raise ValueError(f"Events.units must be as many as times, got {len(self.units)} and {n_spikes}")
        if n_samples < 0 or self.offsets[0] != 0 or self.offsets[-1] != n_spikes or np.any(np.diff(self.offsets) < 0):
            raise ValueError(f"Events.offsets must rise from 0 to {n_spikes}, got {self.offsets}")
        for name in ("labels", "speakers", "sources", "sample_rates"):
            if len(getattr(self, name)) != n_samples:
                raise ValueError(f"Events.{name} must be {n_samples}, one per sample, got {len(getattr(self, name))}")
        if self.units.dtype != np.uint16:
            raise ValueError(f"Events.units must be uint16, got {self.units.dtype}")
        if n_samples and not (self.labels.min() >= 0 and self.labels.max() < len(self.keys)):
            raise ValueError(f"Events.labels must be in 0..{len(self.keys) - 1}, got {np.unique(self.labels)}")

    @classmethod
    def from_samples(
        cls, samples: Sequence[Sample], *, keys: Sequence[str], n_units: int = PUBLISHED_N_UNITS
    ) -> Events:
        """Events of samples that stand in memory.

        Parameters
        ----------
        samples : sequence of Sample
            The clips, in order.
        keys : sequence of str
            Class names that the labels count in.
        n_units : int
            Number of channels.

        Raises
        ------
        ValueError
            If a sample's times or units break a rule, or a label has no name.

        Examples
        --------
        >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
        >>> events = Events.from_samples([clip], keys=["zero"])
        >>> len(events), events[0].units
        (1, array([5, 9], dtype=uint16))
        """
        for index, sample in enumerate(samples):
            if len(sample.times) != len(sample.units):
                raise ValueError(f"sample {index}: {len(sample.times)} times and {len(sample.units)} units, must agree")
            fault = find_fault(np.asarray(sample.times), np.asarray(sample.units), n_units)
            if fault:
                raise ValueError(f"sample {index}: {fault[1]}")
            if np.any(np.diff(sample.times) < 0):
                raise ValueError(f"sample {index}: times must be sorted")
        return cls(
            times=np.concatenate([np.empty(0), *(sample.times for sample in samples)]),
            units=np.concatenate([np.empty(0, np.uint16), *(np.uint16(sample.units) for sample in samples)]),
            offsets=offsets_of([len(sample.times) for sample in samples]),
            labels=np.array([sample.label for sample in samples], dtype=np.int64),
            speakers=np.array([sample.speaker for sample in samples], dtype=np.int64),
            sources=tuple(sample.source for sample in samples),
            sample_rates=np.array([sample.sample_rate for sample in samples], dtype=np.int64),
            keys=tuple(keys),
            n_units=n_units,
        )

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Sample:
        """One clip, its times in float64 and sorted."""
        index = range(len(self))[index]
        row = slice(self.offsets[index], self.offsets[index + 1])
        times, units = self.times[row].astype(np.float64), self.units[row]
        if not self.is_sorted:
            order = np.argsort(times, kind="stable")
            times, units = times[order], units[order]
        return Sample(
            times=times,
            units=units,
            label=int(self.labels[index]),
            speaker=int(self.speakers[index]),
            source=self.sources[index],
            sample_rate=int(self.sample_rates[index]),
        )

    def __iter__(self) -> Iterator[Sample]:
        """Clip after clip."""
        return (self[index] for index in range(len(self)))

    def select(self, indices: Sequence[int] | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Events:
        """The clips with the given numbers, in the given order.

        Parameters
        ----------
        indices : array_like of int, or of bool with shape (n_samples,)
            Which clips.

        Raises
        ------
        IndexError
            If there is no such clip.
        """
        from spikedata.kernels import take_rows

        chosen = np.arange(len(self))[indices]
        offsets = offsets_of(self.offsets[chosen + 1] - self.offsets[chosen])
        times, units = np.empty(offsets[-1], self.times.dtype), np.empty(offsets[-1], self.units.dtype)
        take_rows(patterns_of(self.times), self.offsets, chosen, patterns_of(times))
        take_rows(self.units, self.offsets, chosen, units)
        return replace(
            self,
            times=times,
            units=units,
            offsets=offsets,
            labels=self.labels[chosen],
            speakers=self.speakers[chosen],
            sources=tuple(self.sources[index] for index in chosen),
            sample_rates=self.sample_rates[chosen],
        )


@dataclass(frozen=True, eq=False)
class Selection(Sequence[Sample]):
    """Some clips of events, not copied: a sequence of `Sample` that binning takes at once.

    Parameters
    ----------
    events : Events
        What they are taken from [1].
    indices : ndarray of int64, shape (n_samples,)
        Their numbers [1].
    """

    events: Events
    indices: npt.NDArray[np.int64]

    @classmethod
    def of_all(cls, events: Events) -> Selection:
        """Every clip of events, in order."""
        return cls(events, np.arange(len(events)))

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each clip, shape (n_samples,)."""
        return self.events.labels[self.indices]

    def __len__(self) -> int:
        """Count the clips."""
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Selection: ...

    def __getitem__(self, index: int | slice) -> Sample | Selection:
        """One clip, or a part of the selection."""
        if isinstance(index, slice):
            return Selection(self.events, self.indices[index])
        return self.events[int(self.indices[index])]

    def __iter__(self) -> Iterator[Sample]:
        """Clip after clip; one that is not there is an error, not the end."""
        for index in self.indices.tolist():
            yield self.events[index]


def offsets_of(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Where each row begins in a flat array, and where the last one ends.

    Parameters
    ----------
    lengths : array_like of int, shape (n_rows,)
        Length of each row.

    Returns
    -------
    ndarray of int64, shape (n_rows + 1,)

    Examples
    --------
    >>> offsets_of([2, 0, 3])
    array([0, 2, 2, 5])
    """
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def latest_times(events: Events) -> npt.NDArray[np.float64]:
    """Time of each clip's latest spike [s], 0 where there is none: what stands for the clip's duration.

    Parameters
    ----------
    events : Events
        Sorted or not.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    latest = np.zeros(len(events))
    present = np.diff(events.offsets) > 0
    if events.is_sorted:
        latest[present] = events.times[events.offsets[1:][present] - 1]
    elif present.any():
        latest[present] = np.maximum.reduceat(events.times, events.offsets[:-1][present])
    return latest


def patterns_of(times: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Times as compiled code can copy them: half floats as bit patterns.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
    """
    return times.view(np.uint16) if times.dtype == np.float16 else times
