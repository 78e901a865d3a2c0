"""Read a spike file: ours, the published ones, and those of other writers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spikedata import schema
from spikedata.events import Events, offsets_of
from spikedata.hdf5 import (
    READ_ERRORS,
    find_column,
    open_hdf5,
    read_attributes,
    read_integers,
    read_text,
    reason,
    require_rows,
)
from spikedata.heap import check_rows, read_heap
from spikedata.schema import FormatError, Provenance, Sample

_PREFIX = "spikedata_"  # of our attributes; those of others are left alone
_MOST_UNNAMED = 2**16  # classes that get a number for a name


class SpikeFile:
    """An open spike file: a sequence of `Sample`.

    The structure is checked on opening, so that no damaged file makes HDF5 hang or ask for gigabytes; each row
    when it is read. Files by other writers may lack what only we write: ``sources`` are then empty,
    ``sample_rates`` 0, ``provenance`` None, and there are 700 units. Without ``extra/keys`` the classes are
    called "0" to the largest label; without ``extra/speaker`` every speaker is -1. Rows that are not sorted by
    time are sorted when read; spikes at equal times keep their order.

    Parameters
    ----------
    path : str or path-like
        The file.

    Attributes
    ----------
    path : Path
        As it was given.
    keys : tuple of str
        Class names.
    labels, speakers : ndarray of int64, shape (n_samples,)
        Class and speaker of each sample.
    sources : tuple of str
        Name of each recording.
    sample_rates : ndarray of int64, shape (n_samples,)
        Sample rate of each recording [Hz].
    n_units : int
        Number of channels.
    times_dtype : dtype
        How times are stored.
    provenance : Provenance or None
        How the spikes were made.
    is_ours : bool
        Whether `SpikeWriter` made the file, so that each clip has a checksum.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FormatError
        If it is not a spike file, or breaks a rule of the format.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = open_hdf5(self.path)
        try:
            self._check_heap()
            self._read_columns()
            self._read_attributes()
        except READ_ERRORS as error:
            self.close()
            raise FormatError(f"{path}: damaged: {reason(error)}") from error
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample:
        """One sample, its times in float64.

        Raises
        ------
        IndexError
            If there is no such sample.
        FormatError
            If its row breaks a rule.
        """
        index = range(len(self))[index]
        try:
            rows = [self._times[index]], [self._units[index]]
        except READ_ERRORS as error:
            raise FormatError(f"{self.path}: sample {index}: damaged: {reason(error)}") from error
        times, units, _ = self._flat(*rows, first=index)
        return self._sample(index, times.astype(np.float64), units)

    def __iter__(self) -> Iterator[Sample]:
        """Sample after sample."""
        return (self[index] for index in range(len(self)))

    def read_events(self) -> Events:
        """All samples as flat arrays in memory.

        Returns
        -------
        Events

        Raises
        ------
        FormatError
            If any row breaks a rule.
        """
        try:
            rows = self._times[:], self._units[:]
        except READ_ERRORS as error:
            raise FormatError(f"{self.path}: damaged: {reason(error)}") from error
        times, units, offsets = self._flat(*rows, first=0)
        return Events(
            times=times,
            units=units,
            offsets=offsets,
            labels=self.labels,
            speakers=self.speakers,
            sources=self.sources,
            sample_rates=self.sample_rates,
            keys=self.keys,
            n_units=self.n_units,
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        """Enter a block at whose end the file is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _check_heap(self) -> None:
        heap = read_heap(self._file)
        for name in (schema.TIMES, schema.UNITS, schema.KEYS, schema.SOURCE):
            column = find_column(self._file, name)
            if column is not None:
                check_rows(column, heap)

    def _read_columns(self) -> None:
        self._times, self.times_dtype = require_rows(self._file, schema.TIMES, "f")
        self._units, self._units_dtype = require_rows(self._file, schema.UNITS, "iu")
        n_samples = len(self._times)
        for name in (schema.UNITS, schema.LABELS, schema.SPEAKER, schema.SOURCE, schema.SAMPLE_RATE, schema.CHECKSUM):
            column = find_column(self._file, name)
            if column is not None and len(column) != n_samples:
                raise FormatError(f"{self.path}: {name!r} has {len(column)} rows, must be {n_samples}")
        self.labels = self._integers(schema.LABELS)
        self.speakers = self._integers(schema.SPEAKER, schema.UNKNOWN_SPEAKER)
        self.sample_rates = self._integers(schema.SAMPLE_RATE, 0)
        self.sources = read_text(self._file, schema.SOURCE) or ("",) * n_samples
        self.keys = self._read_keys()
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.keys)))
        if wrong.size:
            rule = f"label {self.labels[wrong[0]]}, must be in 0..{len(self.keys) - 1}"
            raise FormatError(f"{self.path}: sample {wrong[0]}: {rule}")

    def _read_keys(self) -> tuple[str, ...]:
        keys = read_text(self._file, schema.KEYS)
        if keys is None:
            largest = self.labels.max(initial=-1)
            if largest >= _MOST_UNNAMED:
                rule = f"labels without {schema.KEYS!r} must be below {_MOST_UNNAMED}, got {largest}"
                raise FormatError(f"{self.path}: {rule}")
            return tuple(str(label) for label in range(largest + 1))
        twice = next((key for key, count in Counter(keys).items() if count > 1), None)
        if twice is not None:
            raise FormatError(f"{self.path}: {schema.KEYS!r} must differ, got {twice!r} twice")
        return keys

    def _read_attributes(self) -> None:
        self.is_ours = schema.FORMAT_ATTRIBUTE in self._file.attrs
        self.n_units, self.provenance = schema.PUBLISHED_N_UNITS, None
        self._checksums: npt.NDArray[np.uint64] | None = None
        if not self.is_ours:
            return
        if schema.COMPLETE_ATTRIBUTE not in self._file.attrs:
            raise FormatError(f"{self.path}: not written to its end: no attribute {schema.COMPLETE_ATTRIBUTE!r}")
        if find_column(self._file, schema.CHECKSUM) is None:
            raise FormatError(f"{self.path}: no dataset {schema.CHECKSUM!r}")
        try:
            attributes = read_attributes(self._file, _PREFIX)
            n_samples = int(attributes[schema.COMPLETE_ATTRIBUTE])
            self.n_units = int(attributes[schema.UNITS_ATTRIBUTE])
            self.provenance = _provenance(attributes)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{self.path}: damaged root attributes: {error}") from error
        if n_samples != len(self):
            raise FormatError(f"{self.path}: has {len(self)} samples, must be {n_samples}")
        if not 1 <= self.n_units <= schema.LARGEST_N_UNITS:
            rule = f"must be in 1..{schema.LARGEST_N_UNITS}, got {self.n_units}"
            raise FormatError(f"{self.path}: {schema.UNITS_ATTRIBUTE!r} {rule}")
        self._checksums = self._file[schema.CHECKSUM][:]

    def _integers(self, name: str, default: int | None = None) -> npt.NDArray[np.int64]:
        column = read_integers(self._file, name)
        if column is None and default is None:
            raise FormatError(f"{self.path}: no dataset {name!r}")
        return np.full(len(self._times), default, dtype=np.int64) if column is None else column

    def _flat(
        self, rows_of_times: list[np.ndarray], rows_of_units: list[np.ndarray], *, first: int
    ) -> tuple[np.ndarray, npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
        """Checked and sorted times, units and offsets of rows of which the first is sample ``first``."""
        offsets = offsets_of([len(row) for row in rows_of_times])
        n_units_each = [len(row) for row in rows_of_units]
        unequal = np.flatnonzero(np.diff(offsets) != n_units_each)
        if unequal.size:
            rule = f"{len(rows_of_times[unequal[0]])} times and {n_units_each[unequal[0]]} units, must agree"
            raise FormatError(f"{self.path}: sample {first + unequal[0]}: {rule}")
        times = np.concatenate([np.empty(0, self.times_dtype), *rows_of_times])
        units = np.concatenate([np.empty(0, self._units_dtype), *rows_of_units])
        fault = schema.find_fault(times, units, self.n_units)
        if fault:
            index = first + int(np.searchsorted(offsets, fault[0], side="right")) - 1
            raise FormatError(f"{self.path}: sample {index}: {fault[1]}")
        units = units.astype(np.uint16, copy=False)
        self._check_sums(times, units, offsets, first)
        _sort_rows(times, units, offsets)
        return times, units, offsets

    def _check_sums(
        self, times: np.ndarray, units: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64], first: int
    ) -> None:
        if self._checksums is None:
            return
        for index, (begin, end) in enumerate(pairwise(offsets), start=first):
            sample = self._sample(index, times[begin:end], units[begin:end])
            if schema.checksum(sample, self.keys[sample.label]) != self._checksums[index]:
                raise FormatError(f"{self.path}: sample {index}: damaged, its checksum does not fit")

    def _sample(self, index: int, times: np.ndarray, units: npt.NDArray[np.uint16]) -> Sample:
        return Sample(
            times=times,
            units=units,
            label=int(self.labels[index]),
            speaker=int(self.speakers[index]),
            source=self.sources[index],
            sample_rate=int(self.sample_rates[index]),
        )


def _provenance(attributes: dict[str, Any]) -> Provenance | None:
    if schema.VERSION_ATTRIBUTE not in attributes:
        return None
    return Provenance(
        package_version=attributes[schema.VERSION_ATTRIBUTE].decode(),
        params=attributes[schema.PARAMS_ATTRIBUTE].decode(),
        seed=int(attributes[schema.SEED_ATTRIBUTE]),
        corpus=attributes[schema.CORPUS_ATTRIBUTE].decode(),
    )


def _sort_rows(times: np.ndarray, units: np.ndarray, offsets: npt.NDArray[np.int64]) -> None:
    """Sort, in place and stably, the few rows that are not sorted by time."""
    descents = np.setdiff1d(np.flatnonzero(times[1:] < times[:-1]) + 1, offsets)
    for index in np.unique(np.searchsorted(offsets, descents, side="right") - 1):
        row = slice(offsets[index], offsets[index + 1])
        order = np.argsort(times[row], kind="stable")
        times[row], units[row] = times[row][order], units[row][order]
