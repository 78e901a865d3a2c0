"""The spikes of many clips as flat arrays, and selections from them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, overload

import numpy as np
import numpy.typing as npt

from spikedata.checks import NotNegative, checked, whole_number
from spikedata.events.sample import LARGEST_N_UNITS, PUBLISHED_N_UNITS, Sample, find_fault

_TIMES_DTYPES = (np.float16, np.float32, np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """The spikes of many clips, one after the other, and the metadata of each clip.

    The spikes of clip ``i`` are ``times[offsets[i]:offsets[i + 1]]`` and the same range of ``units``. Everything is
    checked once, when the object is made. Functions that take events rely on these checks, so the arrays must not be
    modified afterwards.

    Parameters
    ----------
    times : ndarray of float16, float32 or float64, shape (n_spikes,)
        Spike times [s], finite and not negative, in the stored type.
    units : ndarray of uint16, shape (n_spikes,)
        Unit of each spike [1], below ``n_units``.
    offsets : ndarray of int64, shape (n_samples + 1,)
        Index of the first spike of each clip [1]; the last entry is the number of spikes.
    labels : ndarray of int64, shape (n_samples,)
        Class of each clip, an index into ``keys`` [1].
    speakers : ndarray of int64, shape (n_samples,)
        Speaker of each clip [1]; -1 if unknown.
    sources : tuple of str
        Clip id of each recording [1]; empty if unknown.
    sample_rates : ndarray of int64, shape (n_samples,)
        Sample rate of each recording [Hz]; 0 if unknown.
    keys : tuple of str
        Class names [1].
    n_units : int
        Number of units [1].
    is_sorted : bool
        Whether the spikes of each clip are sorted by time [1]. After a transform they may not be; a single clip is
        sorted when it is indexed, and binning does not need sorted spikes.
    durations : ndarray of float64, shape (n_samples,), optional
        Length of each recording [s]; 0 where unknown, as all are by default.

    Raises
    ------
    TypeError
        If an array is not an ndarray, or a name is not text.
    ValueError
        If the arrays have inconsistent lengths or wrong types, or a value is out of range.
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
    durations: npt.NDArray[np.float64] = None  # type: ignore[assignment]  # zeros, once their number is known

    def __post_init__(self) -> None:
        _set(self, n_units=whole_number("Events.n_units", self.n_units))
        if not 1 <= self.n_units <= LARGEST_N_UNITS:
            raise ValueError(f"Events.n_units must be in 1..{LARGEST_N_UNITS}, got {self.n_units}")
        for name in ("keys", "sources"):
            _set(self, **{name: _texts(f"Events.{name}", getattr(self, name))})
        if self.durations is None:
            _set(self, durations=np.zeros(max(0, np.size(self.offsets) - 1)))
        for name in ("times", "units", "offsets", "labels", "speakers", "sample_rates", "durations"):
            _set(self, **{name: _column(name, getattr(self, name))})
        n_spikes, n_samples = len(self.times), len(self.offsets) - 1
        if len(self.units) != n_spikes:
            raise ValueError(f"Events.units must be as many as times, got {len(self.units)} and {n_spikes}")
        if n_samples < 0 or self.offsets[0] != 0 or self.offsets[-1] != n_spikes or np.any(np.diff(self.offsets) < 0):
            raise ValueError(f"Events.offsets must rise from 0 to {n_spikes}, got {self.offsets}")
        for name in ("labels", "speakers", "sources", "sample_rates", "durations"):
            if len(getattr(self, name)) != n_samples:
                raise ValueError(f"Events.{name} must be {n_samples}, one per sample, got {len(getattr(self, name))}")
        if n_samples and not (self.labels.min() >= 0 and self.labels.max() < len(self.keys)):
            raise ValueError(f"Events.labels must be in 0..{len(self.keys) - 1}, got {np.unique(self.labels)}")
        wrong = self.durations[~((self.durations >= 0) & (self.durations < np.inf))]
        if wrong.size:
            raise ValueError(f"Events.durations must be finite and >= 0, got {wrong[0]}")
        self._check_spikes()

    def _check_spikes(self) -> None:
        """Check every spike, so that compiled passes, which do not check bounds, never meet an invalid one."""
        from spikedata.events.kernels import count_faults

        if not self.times.size:
            return
        is_half = self.times.dtype == np.float16
        n_faults, n_descents = count_faults(patterns_of(self.times), self.units, self.offsets, self.n_units, is_half)
        fault = find_fault(self.times, self.units, self.n_units) if n_faults else None
        if fault is not None:
            raise ValueError(f"Events: sample {self._owner_of(fault[0])}: {fault[1]}")
        if self.is_sorted and n_descents:
            descents = np.setdiff1d(np.flatnonzero(self.times[1:] < self.times[:-1]) + 1, self.offsets)
            where = f"sample {self._owner_of(int(descents[0]))}"
            raise ValueError(f"Events: {where}: times must be sorted, or is_sorted=False")

    def _owner_of(self, spike: int) -> int:
        """The number of the clip to which a spike belongs."""
        return int(np.searchsorted(self.offsets, spike, side="right")) - 1

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Events from arrays that are known to be valid, without any checks.

        Parameters
        ----------
        **values
            The arguments of `Events`.
        """
        events = object.__new__(cls)
        unsaid = {} if "durations" in values else {"durations": np.zeros(len(values["offsets"]) - 1)}
        _set(events, **({"is_sorted": True} | unsaid | values))
        return events

    def changed(self, **values: Any) -> Self:
        """The same events with some values replaced by others that are known to be valid, without any checks.

        It is meant for compiled passes; `dataclasses.replace` does the same with all checks.

        Parameters
        ----------
        **values
            Some of the arguments of `Events`.
        """
        return type(self).trusted(**({field.name: getattr(self, field.name) for field in fields(self)} | values))

    @classmethod
    def from_samples(
        cls, samples: Sequence[Sample], *, keys: Sequence[str], n_units: int | None = None, is_sorted: bool = True
    ) -> Events:
        """Events from a sequence of samples.

        Parameters
        ----------
        samples : sequence of Sample
            The clips, in order.
        keys : sequence of str
            Class names, which the labels index.
        n_units : int, optional
            Number of units. Default: that of the samples, or 700 as in the published files if no sample has it.
        is_sorted : bool
            Whether the samples must be sorted by time.

        Raises
        ------
        TypeError
            If an item is not a `Sample`, or its times or units are not numbers.
        ValueError
            If times or units of a sample are invalid, a label has no class name, or the numbers of units differ.

        Examples
        --------
        >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
        >>> events = Events.from_samples([clip], keys=["zero"])
        >>> len(events), events[0].units
        (1, array([5, 9], dtype=uint16))
        """
        if n_units is None:
            n_units = common_n_units(samples) or PUBLISHED_N_UNITS
        n_units = whole_number("n_units", n_units, at_least=1, at_most=LARGEST_N_UNITS)
        rows = [_checked_row(index, sample, n_units, is_sorted) for index, sample in enumerate(samples)]
        return cls(
            times=np.concatenate([np.empty(0), *(times for times, _ in rows)]),
            units=np.concatenate([np.empty(0, np.uint16), *(units for _, units in rows)]),
            offsets=offsets_of([len(times) for times, _ in rows]),
            labels=_numbers_of(samples, "label"),
            speakers=_numbers_of(samples, "speaker"),
            sources=tuple(sample.source for sample in samples),
            sample_rates=_numbers_of(samples, "sample_rate"),
            durations=_durations_of(samples),
            keys=tuple(keys),
            n_units=n_units,
            is_sorted=is_sorted,
        )

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Events: ...

    def __getitem__(self, index: int | slice) -> Sample | Events:
        """One clip, sorted and with times in float64; for a slice, the events that `select` returns.

        Raises
        ------
        IndexError
            If the clip does not exist.
        TypeError
            If the index is neither a whole number nor a slice.
        """
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        index = row_number(index, len(self), self)
        row = slice(self.offsets[index], self.offsets[index + 1])
        # copies: the arrays of a mapped cache cannot be written to, and PyTorch, which does not ask, would crash
        times, units = self.times[row].astype(np.float64), self.units[row].copy()
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
            n_units=self.n_units,
            duration=float(self.durations[index]),
        )

    def __iter__(self) -> Iterator[Sample]:
        """Iterate over the clips."""
        return (self[index] for index in range(len(self)))

    def select(self, indices: Sequence[int] | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Events:
        """The clips with the given numbers, in the given order.

        Parameters
        ----------
        indices : array_like of int, or of bool with shape (n_samples,)
            Numbers of the clips, or a mask.

        Raises
        ------
        IndexError
            If the clip does not exist.
        """
        from spikedata.events.kernels import take_rows

        chosen = np.arange(len(self))[indices]
        if chosen.ndim != 1:
            raise TypeError(f"Events.select takes a row of numbers, got {indices!r:.60}")
        offsets = offsets_of(self.offsets[chosen + 1] - self.offsets[chosen])
        times, units = np.empty(offsets[-1], self.times.dtype), np.empty(offsets[-1], self.units.dtype)
        take_rows(patterns_of(self.times), self.offsets, chosen, patterns_of(times))
        take_rows(self.units, self.offsets, chosen, units)
        return self.changed(
            times=times,
            units=units,
            offsets=offsets,
            labels=self.labels[chosen],
            speakers=self.speakers[chosen],
            sources=tuple(self.sources[index] for index in chosen),
            sample_rates=self.sample_rates[chosen],
            durations=self.durations[chosen],
        )


@dataclass(frozen=True, eq=False)
class Selection(Sequence[Sample]):
    """Some clips of events, without copying them: a sequence of `Sample` that can be binned as a whole.

    Parameters
    ----------
    events : Events
        The events [1].
    indices : array_like of int, shape (n_samples,)
        Numbers of the selected clips [1].

    Raises
    ------
    TypeError
        If ``events`` is not `Events`, or a number is not whole.
    """

    events: Events
    indices: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if not isinstance(self.events, Events):
            raise TypeError(f"Selection.events must be Events, got {type(self.events).__name__}")
        object.__setattr__(self, "indices", whole_numbers("Selection.indices", self.indices))

    @classmethod
    def of_all(cls, events: Events) -> Selection:
        """All clips of the events, in order.

        Parameters
        ----------
        events : Events
            The clips.
        """
        return cls(events, np.arange(len(events)))

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each clip, shape (n_samples,)."""
        return self.events.labels[self.indices]

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.events.n_units

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.indices)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Selection: ...

    def __getitem__(self, index: int | slice) -> Sample | Selection:
        """One clip, or a part of the selection."""
        if isinstance(index, slice):
            return Selection(self.events, self.indices[index])
        return self.events[int(self.indices[row_number(index, len(self), self)])]

    def __iter__(self) -> Iterator[Sample]:
        """Iterate over the clips; a missing clip raises an error instead of ending the iteration."""
        for index in self.indices.tolist():
            yield self.events[index]


def row_number(index: Any, n_rows: int, of: object) -> int:
    """The row number of an index, counted from the beginning.

    Parameters
    ----------
    index : int
        Negative indices count from the end.
    n_rows : int
        Number of rows [1].
    of : object
        The indexed object, for the message.

    Raises
    ------
    IndexError
        If the row does not exist.
    TypeError
        If the index is not a whole number.
    """
    kind = type(of).__name__
    try:
        number = operator.index(index)  # also accepts whole numbers of NumPy and PyTorch
    except TypeError:
        many = f"; {kind}.select takes many" if hasattr(of, "select") else ""
        raise TypeError(f"an index of {kind} must be a whole number, got {type(index).__name__}{many}") from None
    if not -n_rows <= number < n_rows:
        raise IndexError(f"there are {n_rows} samples, got the index {number}")
    return number % n_rows


def whole_numbers(name: str, numbers: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Whole numbers as a flat array of int64.

    Parameters
    ----------
    name : str
        Name for the message.
    numbers : array_like of int, shape (n,)

    Raises
    ------
    TypeError
        If they are not a one-dimensional array of whole numbers.
    """
    array = np.asarray(numbers)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(f"{name} must be whole numbers in a row, got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64, copy=False)


def common_n_units(samples: Sequence[Sample]) -> int:
    """The number of units of all samples; 0 if no sample has it.

    Parameters
    ----------
    samples : sequence of Sample

    Raises
    ------
    TypeError
        If an item is not a `Sample`.
    ValueError
        If the samples have different numbers of units.
    """
    if isinstance(samples, Selection | Events):
        return samples.n_units
    found = 0
    for index, sample in enumerate(samples):
        if not isinstance(sample, Sample):
            raise TypeError(f"sample {index} must be a spikedata.Sample, got {type(sample).__name__}")
        n_units = whole_number(f"sample {index}: n_units", sample.n_units, at_least=0, at_most=LARGEST_N_UNITS)
        if n_units and found and n_units != found:
            raise ValueError(f"samples must have one number of units, got {found} and {n_units}")
        found = n_units or found
    return found


def offsets_of(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Index of the first entry of each row in a flat array, and the length of the array.

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
    """Time of the last spike of each clip [s], 0 if it has none; used in place of the unknown duration.

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
    """Times in a type that compiled code supports: half floats as bit patterns.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
    """
    return times.view(np.uint16) if times.dtype == np.float16 else times


def _set(events: Events, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(events, name, value)


def _texts(name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, (tuple, list)) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be a tuple of str, got {values!r:.60}")
    return tuple(values)


def _column(name: str, values: Any) -> npt.NDArray[Any]:
    """A column of `Events` in the form required by compiled passes: flat, contiguous, native byte order."""
    if not isinstance(values, np.ndarray):
        raise TypeError(f"Events.{name} must be an ndarray, got {type(values).__name__}")
    if values.ndim != 1:
        raise ValueError(f"Events.{name} must be flat, got an array of shape {values.shape}")
    dtype = values.dtype.newbyteorder("=")
    if name == "times":
        if dtype not in _TIMES_DTYPES:
            raise ValueError(f"Events.times must be float16, float32 or float64, got {values.dtype}")
    elif name == "units":
        if dtype != np.uint16:
            raise ValueError(f"Events.units must be uint16, got {values.dtype}")
    elif name == "durations":
        if dtype.kind not in "fiu":
            raise ValueError(f"Events.durations must be numbers, got {values.dtype}")
        dtype = np.dtype(np.float64)
    elif dtype.kind not in "iu" and values.size:
        raise ValueError(f"Events.{name} must be whole numbers, got {values.dtype}")
    else:
        dtype = np.dtype(np.int64)
    if values.dtype == dtype and values.flags.c_contiguous:
        return values  # not copied: a memory-mapped array stays mapped
    return np.ascontiguousarray(values, dtype)


def _checked_row(
    index: int, sample: Sample, n_units: int, is_sorted: bool
) -> tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.uint16]]:
    if not isinstance(sample, Sample):
        raise TypeError(f"sample {index} must be a spikedata.Sample, got {type(sample).__name__}")
    times, units = np.asarray(sample.times), np.asarray(sample.units)
    for name, array, kinds in (("times", times, "fiu"), ("units", units, "iu")):
        if array.ndim != 1:
            raise ValueError(f"sample {index}: {name} must be flat, got shape {array.shape}")
        if array.size and array.dtype.kind not in kinds:
            kind = "numbers" if name == "times" else "whole numbers"
            raise TypeError(f"sample {index}: {name} must be {kind}, got {array.dtype}")
    if len(times) != len(units):
        raise ValueError(f"sample {index}: {len(times)} times and {len(units)} units, must agree")
    fault = find_fault(times, units, n_units)
    if fault:
        raise ValueError(f"sample {index}: {fault[1]}")
    if is_sorted and np.any(times[1:] < times[:-1]):
        raise ValueError(f"sample {index}: times must be sorted")
    if times.dtype.type not in _TIMES_DTYPES:  # such as int, or the float64 of an empty list
        times = times.astype(np.float64)
    return times, units.astype(np.uint16)


def _numbers_of(samples: Sequence[Sample], name: str) -> npt.NDArray[np.int64]:
    numbers = [whole_number(f"sample {index}: {name}", getattr(sample, name)) for index, sample in enumerate(samples)]
    return np.array(numbers, dtype=np.int64)


def _durations_of(samples: Sequence[Sample]) -> npt.NDArray[np.float64]:
    lengths = [
        checked(f"sample {index}: duration", sample.duration, NotNegative) for index, sample in enumerate(samples)
    ]
    return np.array(lengths, dtype=np.float64)
