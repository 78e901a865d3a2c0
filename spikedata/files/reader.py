"""Read a spike file: one of ours, a published one, or one by another writer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self, overload

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number
from spikedata.events import Sample, find_fault
from spikedata.events.events import Events, offsets_of, row_number
from spikedata.events.sample import LARGEST_N_UNITS
from spikedata.events.time_units import check_time_unit, per_second
from spikedata.events.window import likely_unit
from spikedata.files import columns as table
from spikedata.files import schema
from spikedata.files.columns import read_columns
from spikedata.files.hdf5 import (
    READ_ERRORS,
    find_column,
    open_hdf5,
    reason,
    require_rows,
)
from spikedata.files.heap import check_rows, read_heap
from spikedata.files.schema import FormatError

_N_AT_ONCE = 256  # samples read at once when iterating, so that memory stays flat


class SpikeFile:
    """An open spike file: a sequence of `Sample`.

    The structure is checked when the file is opened, so that a damaged file cannot make HDF5 hang or allocate
    gigabytes; each row is checked when it is read. Files by other writers may lack the columns that only our writer
    adds: ``sources`` are then empty, ``sample_rates`` and ``durations`` 0, ``provenance`` is None, and there are 700
    units. Without ``extra/keys``, the classes are named "0" to the largest label; without ``extra/speaker``, every
    speaker is -1. Rows that are not sorted by time are sorted when read; spikes at equal times keep their order.

    Parameters
    ----------
    path : str or path-like
        The file.
    time_unit : str, optional
        Unit of all times in the file, where it is not s: "ms", "us", "ns", or "samples@16000" at a sample rate [Hz].
        They are converted to s in double precision. Times that are stored as integers are read only if it is given.
    n_units : int, optional
        Number of units, where the file does not say it. Default: 700, as in the published files.

    Attributes
    ----------
    path : Path
        Path of the file.
    keys : tuple of str
        Class names.
    labels, speakers : ndarray of int64, shape (n_samples,)
        Class and speaker of each sample.
    sources : tuple of str
        Clip id of each recording.
    sample_rates : ndarray of int64, shape (n_samples,)
        Sample rate of each recording [Hz].
    durations : ndarray of float64, shape (n_samples,)
        Length of each recording [s]; 0 where unknown.
    n_units : int
        Number of units.
    says_n_units : bool
        Whether the file itself says the number of units.
    time_unit : str or None
        Unit of the stored times that was given.
    times_dtype : dtype
        Type of the stored times.
    provenance : Provenance or None
        How the spikes were made.
    is_ours : bool
        Whether `SpikeWriter` made the file, so that each clip has a checksum.
    parts : tuple of str
        Part of a split to which each clip belongs; empty unless the file is a shard of a divided data set.
    skipped : tuple of str
        A line for each recording that was left out when the file was made.
    remarks : tuple of str
        A line for each clip of which something was noted when it was encoded.
    drawn : dict of str to ndarray of float64, each of shape (n_samples,)
        What was drawn for each clip before it was encoded: "snr" [dB], "level" [dB SPL], "speed" [1], "room" [s] and
        "direct_to_reverberant" [dB], those of them that were (`spikedata.acoustics`); empty if sounds were not changed.
    columns : Columns
        The same data by the names in the table of columns.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    FormatError
        If it is not a spike file, or violates the format.
    ValueError
        If there is no such unit of time, or the file says other units than were given.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, time_unit: str | None = None, n_units: int | None = None
    ) -> None:
        self.path = Path(path)
        self.time_unit = check_time_unit(time_unit)
        if n_units is not None:
            n_units = whole_number("n_units", n_units, at_least=1, at_most=LARGEST_N_UNITS)
        self._file = open_hdf5(self.path, [column.name for column in table.TABLE])
        try:
            self._check_heap()
            self._times, self.times_dtype = require_rows(self._file, table.TIMES.name, "fiu")
            if self.times_dtype.kind != "f" and self.time_unit is None:
                raise FormatError(_needs_unit(self.path, self.times_dtype, self._times[:_N_AT_ONCE]))
            self._units, self._units_dtype = require_rows(self._file, table.UNITS.name, "iu")
            columns = read_columns(self._file, len(self._times))
            self._refuse_contradiction(columns, n_units)
        except READ_ERRORS as error:
            self.close()
            raise FormatError(f"{path}: damaged: {reason(error)}") from error
        except BaseException:
            self.close()
            raise
        self.columns = columns
        self.keys, self.skipped = columns.texts(table.KEYS), columns.texts(table.SKIPPED)
        self.remarks = columns.texts(table.REMARKS)
        self.labels, self.speakers = columns.numbers(table.LABELS), columns.numbers(table.SPEAKER)
        self.sources, self.parts = columns.texts(table.SOURCE), columns.texts(table.PART)
        self.sample_rates = columns.numbers(table.SAMPLE_RATE)
        self.durations = self._seconds(columns.numbers(table.DURATION))
        self.drawn = {c.field: columns.numbers(c) for c in table.DRAWN if c.name in columns.stored}
        self.provenance, self.is_ours, self.says_n_units = columns.provenance, columns.is_ours, columns.is_ours
        self._is_told_n_units = self.says_n_units or n_units is not None
        self.n_units = columns.n_units if n_units is None else n_units

    @property
    def spikes_digest(self) -> str:
        """SHA-256 of all clips with their spikes, classes, speakers and clip ids; empty for files by other writers.

        It does not depend on the order of the clips, nor on the version of the package that wrote them.
        """
        if not self.is_ours:
            return ""
        head = json.dumps([self.keys, self.n_units, self.times_dtype.name])
        # a checksum is of one clip as it is stored; 64 bits wrap around in the column, which loses nothing
        checksums = np.sort(self.columns.numbers(table.CHECKSUM).astype("<u8"))
        return hashlib.sha256(head.encode() + checksums.tobytes()).hexdigest()

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Events: ...

    def __getitem__(self, index: int | slice) -> Sample | Events:
        """One sample, with times in float64; for a slice, its `Events`.

        Raises
        ------
        IndexError
            If the sample does not exist.
        TypeError
            If the index is neither a whole number nor a slice.
        FormatError
            If its row violates the format.
        """
        if isinstance(index, slice):
            numbers = range(len(self))[index]
            if not numbers:
                return self.read_events(0, 0)
            first = min(numbers)
            return self.read_events(first, max(numbers) + 1).select(np.array(numbers) - first)
        try:
            index = row_number(index, len(self), self)
        except TypeError as error:
            raise TypeError(f"{self.path}: {error}; a slice reads several") from None
        except IndexError as error:
            raise IndexError(f"{self.path}: {error}") from None
        try:
            rows = [self._times[index]], [self._units[index]]
        except READ_ERRORS as error:
            raise FormatError(f"{self.path}: sample {index}: damaged: {reason(error)}") from error
        times, units, _ = self._flat(*rows, first=index)
        return self._sample(index, times.astype(np.float64), units)

    def __iter__(self) -> Iterator[Sample]:
        """Iterate over the samples."""
        return (self[index] for index in range(len(self)))

    def read_events(
        self, first: int = 0, last: int | None = None, *, on_progress: Callable[[int, int], None] | None = None
    ) -> Events:
        """All samples, or those of a range, as flat arrays in memory.

        Parameters
        ----------
        first, last : int
            The range, as in a slice; default: all samples.
        on_progress : callable, optional
            Called with the number of samples read and how many are to be read.

        Returns
        -------
        Events

        Raises
        ------
        FormatError
            If a row violates the format.
        """
        for name, number in (("first", first), ("last", last)):
            if (number is not None and not hasattr(number, "__index__")) or isinstance(number, np.ndarray):
                raise TypeError(f"{self.path}: {name} must be the number of a sample, got {number!r}")
        first, last, _ = slice(first, last).indices(len(self))
        part = slice(first, max(first, last))
        try:
            rows: tuple[list[np.ndarray], list[np.ndarray]] = [], []
            for begin in range(part.start, part.stop, _N_AT_ONCE):
                some = slice(begin, min(begin + _N_AT_ONCE, part.stop))
                rows[0].extend(self._times[some])
                rows[1].extend(self._units[some])
                if on_progress is not None:
                    on_progress(some.stop - part.start, part.stop - part.start)
        except READ_ERRORS as error:
            raise FormatError(f"{self.path}: damaged: {reason(error)}") from error
        times, units, offsets = self._flat(*rows, first=first)
        return Events.trusted(  # rows and columns have just been checked
            times=times,
            units=units,
            offsets=offsets,
            labels=self.labels[part],
            speakers=self.speakers[part],
            sources=self.sources[part],
            sample_rates=self.sample_rates[part],
            durations=self.durations[part],
            keys=self.keys,
            n_units=self.n_units,
        )

    def iter_events(self) -> Iterator[tuple[int, Events]]:
        """Iterate over all samples in flat memory: the number of the first sample and the `Events`, some at a time.

        Raises
        ------
        FormatError
            If a row violates the format.
        """
        for first in range(0, len(self), _N_AT_ONCE):
            yield first, self.read_events(first, first + _N_AT_ONCE)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with suppress(*READ_ERRORS):  # of a damaged file, of which the reason has been told
            self._file.close()

    def __enter__(self) -> Self:
        """Enter a block that closes the file at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _check_heap(self) -> None:
        heap = read_heap(self._file)
        for column in table.TABLE:
            dataset = find_column(self._file, column.name)
            if dataset is not None:
                check_rows(dataset, heap)

    def _flat(
        self, rows_of_times: list[np.ndarray], rows_of_units: list[np.ndarray], *, first: int
    ) -> tuple[np.ndarray, npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
        """Checked and sorted times, units and offsets of rows; ``first`` is the number of the first sample."""
        offsets = offsets_of([len(row) for row in rows_of_times])
        n_units_each = [len(row) for row in rows_of_units]
        unequal = np.flatnonzero(np.diff(offsets) != n_units_each)
        if unequal.size:
            rule = f"{len(rows_of_times[unequal[0]])} times and {n_units_each[unequal[0]]} units, must agree"
            raise FormatError(f"{self.path}: sample {first + unequal[0]}: {rule}")
        stored = np.concatenate([np.empty(0, self.times_dtype), *rows_of_times])
        times = self._seconds(stored)
        units = np.concatenate([np.empty(0, self._units_dtype), *rows_of_units])
        fault = find_fault(times, units, self.n_units)
        if fault:
            index = first + int(np.searchsorted(offsets, fault[0], side="right")) - 1
            raise FormatError(f"{self.path}: sample {index}: {fault[1]}{self._hint(units)}")
        units = units.astype(np.uint16, copy=False)
        self._check_sums(stored, units, offsets, first)
        _sort_rows(times, units, offsets)
        return times, units, offsets

    def _seconds(self, times: np.ndarray) -> np.ndarray:
        """Times in s: those in the stored type, or as float64 if the user has given their unit."""
        # divided, since that rounds once: 30 ms are then the same number as 0.03
        if self.time_unit in (None, "s") and times.dtype.kind == "f":
            return times
        return times.astype(np.float64) / per_second(self.time_unit)

    def _refuse_contradiction(self, columns: table.Columns, n_units: int | None) -> None:
        if columns.is_ours and n_units not in (None, columns.n_units):
            rule = f"n_units (--units) must be {columns.n_units}, as the file says, or left out"
            raise ValueError(f"{self.path}: {rule}, got {n_units}")
        if columns.provenance is not None and self.time_unit not in (None, "s"):
            rule = "time_unit (--time-unit) must be left out for a file that was encoded by this package, in s"
            raise ValueError(f"{self.path}: {rule}, got {self.time_unit!r}")

    def _hint(self, units: np.ndarray) -> str:
        """What to do about units that are too large, in a file that does not say their number."""
        least = int(units.max()) + 1
        if units.min() < 0 or least <= self.n_units or self.columns.is_ours:
            return ""
        if least > LARGEST_N_UNITS:
            return f"; files of more than {LARGEST_N_UNITS} units cannot be read, number them anew"
        if self._is_told_n_units:
            return f" (--units); give at least {least}"
        return f" as in the published files; give the number of units, at least {least}: --units N (n_units=N)"

    def _check_sums(
        self, times: np.ndarray, units: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64], first: int
    ) -> None:
        if not self.is_ours:
            return
        checksums = self.columns.numbers(table.CHECKSUM)
        for index, (begin, end) in enumerate(pairwise(offsets), start=first):
            sample = self._sample(index, times[begin:end], units[begin:end])
            if schema.checksum(sample, self.keys[sample.label]) != checksums[index]:
                raise FormatError(f"{self.path}: sample {index}: damaged, its checksum does not match")

    def _sample(self, index: int, times: np.ndarray, units: npt.NDArray[np.uint16]) -> Sample:
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


def _needs_unit(path: Path, dtype: np.dtype, rows: Sequence[np.ndarray]) -> str:
    ends = [int(row.max()) for row in rows if len(row)]
    end = float(np.median(ends)) if ends else 0.0
    likely = likely_unit(end) or "ms"
    seen = f" (the median clip ends at {end:,.0f})" if ends else ""
    rule = f"{path}: {table.TIMES.name!r} must hold variable-length rows of floats, got {dtype}"
    return f"{rule}; say what they count{seen}: --time-unit {likely}, or samples@RATE (time_unit={likely!r})"


def _sort_rows(times: np.ndarray, units: np.ndarray, offsets: npt.NDArray[np.int64]) -> None:
    """Sort the rows that are not sorted by time, in place and stably."""
    descents = np.setdiff1d(np.flatnonzero(times[1:] < times[:-1]) + 1, offsets)
    for index in np.unique(np.searchsorted(offsets, descents, side="right") - 1):
        row = slice(offsets[index], offsets[index + 1])
        order = np.argsort(times[row], kind="stable")
        times[row], units[row] = times[row][order], units[row][order]
