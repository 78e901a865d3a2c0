"""Write a spike file clip by clip; it appears complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number
from spikedata.disk import OutputError, cannot_write, check_output, put_in_place, temporary_beside
from spikedata.events.sample import LARGEST_N_UNITS, PUBLISHED_N_UNITS, Sample, find_fault
from spikedata.files import columns as table
from spikedata.files import schema
from spikedata.files.reader import SpikeFile
from spikedata.files.row_stream import RowStream
from spikedata.files.schema import FormatError, Provenance

_TIMES_DTYPES = tuple(np.dtype(dtype).name for dtype in table.TIMES.dtypes)


class SpikeWriter:
    """A spike file that is being written.

    Clips are written to a hidden file beside the path as they are appended, so that memory stays flat. `close`, or the
    end of a ``with`` block, gives the file its name in one step, so that the path has either a complete file or its
    previous content. An exception within the ``with`` block discards everything. The same clips give the same bytes.

    Parameters
    ----------
    path : str or path-like
        The file to write.
    keys : sequence of str
        Class names, which the labels index.
    mode : {"x", "w", "a"}
        Write a new file and refuse an existing one; replace an existing file; or append to an existing file.
    times_dtype : {"float16", "float32", "float64"}
        Type of the stored times. The published files use float16, with a resolution of 1 ms above 1 s.
    n_units : int
        Number of units, at most 65536.
    provenance : Provenance, optional
        How the spikes were made.
    scratch : path-like, optional
        Folder for the file while it is being written, on the same file system; default: that of the path.

    Raises
    ------
    OutputError
        If the path cannot be written, or exists in mode "x".
    ValueError, TypeError
        If an argument is invalid or, in mode "a", disagrees with the file.
    FormatError
        In mode "a", if the file is damaged or was not made by this writer.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with SpikeWriter(f"{folder}/words.h5", keys=["zero", "one"]) as writer:
    ...         writer.append([0.1, 0.2], [5, 699], label=1, speaker=3, source="one_3.flac")
    ...     with SpikeFile(f"{folder}/words.h5") as file:
    ...         file[0].source, file.keys[file[0].label]
    ('one_3.flac', 'one')
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keys: Sequence[str],
        mode: Literal["x", "w", "a"] = "x",
        times_dtype: str = "float32",
        n_units: int = PUBLISHED_N_UNITS,
        provenance: Provenance | None = None,
        scratch: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(mode, str) or mode not in ("x", "w", "a"):
            raise ValueError(f"mode must be 'x', 'w' or 'a', got {mode!r}")
        if not isinstance(times_dtype, str) or times_dtype not in _TIMES_DTYPES:
            raise ValueError(f"times_dtype must be one of {', '.join(_TIMES_DTYPES)}, got {times_dtype!r}")
        n_units = whole_number("n_units", n_units, at_least=1, at_most=LARGEST_N_UNITS)
        if provenance is not None and not isinstance(provenance, Provenance):
            raise TypeError(f"provenance must be a Provenance or None, got {provenance!r}")
        self._path = Path(path)
        self._overwrite = mode != "x"
        check_output(self._path, overwrite=self._overwrite)
        self._keys = _checked_keys(keys)
        self._times_dtype = np.dtype(times_dtype)
        self._n_units = n_units
        self._provenance = provenance
        self._values: dict[str, Any] = {
            column.name: column.collected() for column in table.TABLE if column.kind != "rows"
        }
        self._values[table.KEYS.name] = list(self._keys)
        self._stream = RowStream(temporary_beside(Path(scratch) / "x" if scratch else path), self._times_dtype)
        self._closed = False
        if mode == "a" and self._path.exists():
            self._keep_existing()

    def __len__(self) -> int:
        """Number of samples, including those that were in the file before."""
        return len(self._values[table.LABELS.name])

    def append(
        self,
        times: npt.ArrayLike,
        units: npt.ArrayLike,
        *,
        label: int,
        speaker: int,
        source: str = "",
        sample_rate: int = 0,
        part: str = "",
        n_units: int = 0,
        duration: float = 0.0,
        **others: object,
    ) -> None:
        """Append one clip. To append a `Sample`, call ``append(**sample._asdict())``.

        Parameters
        ----------
        times : array_like of float, shape (n_spikes,)
            Spike times [s], sorted; may be empty.
        units : array_like of int, shape (n_spikes,)
            Unit of each spike.
        label : int
            Index into ``keys``.
        speaker : int
            Number of the speaker, -1 if unknown.
        source : str
            Clip id of the recording.
        sample_rate : int
            Sample rate of the recording [Hz], 0 if unknown.
        part : str
            Part of the split to which the clip belongs; empty unless the file is a shard of a divided data set.
        n_units : int
            Number of units of the clip, as in a `Sample`: that of the file, or 0 if unknown.
        duration : float
            Length of the recording [s], 0 if unknown.
        **others
            Values for further columns of `spikedata.files.columns.TABLE`.

        Raises
        ------
        ValueError
            If a value is invalid or the writer is closed; nothing is appended then.
        TypeError
            If there is no column for an argument; nothing is appended then.
        OutputError
            If writing fails; everything is discarded then.
        """
        if self._closed:
            raise ValueError(f"{self._path}: the writer is closed")
        where = f"{self._path}: sample {len(self)}"
        if whole_number(f"{where}: n_units", n_units) not in (0, self._n_units):
            raise ValueError(f"{where}: n_units {n_units}, must be {self._n_units} as in the file")
        stored_times, stored_units = _checked_row(times, units, self._times_dtype, self._n_units, where)
        given = {"label": label, "speaker": speaker, "sample_rate": sample_rate, "source": source, "part": part}
        given |= {"duration": duration, **others}
        values = {
            column.name: column.checked(where, given.pop(column.field, column.absent), self._most(column))
            for column in table.TABLE
            if column.is_given
        }
        if given:
            raise TypeError(f"{where}: a spike file has no column for {', '.join(map(repr, given))}")
        self._add(stored_times, stored_units, values)

    def note_skipped(self, line: str) -> None:
        """Record in the file that a recording was left out.

        Parameters
        ----------
        line : str
            The recording and the reason.
        """
        self._note(table.SKIPPED, line)

    def note_remark(self, line: str) -> None:
        """Record in the file what a user should know of a clip.

        Parameters
        ----------
        line : str
            The clip and the remark.
        """
        self._note(table.REMARKS, line)

    def _note(self, column: table.Column, line: str) -> None:
        self._values[column.name].append(" ".join(line.replace("\0", "").splitlines()))

    def close(self) -> None:
        """Complete the file and give it its name; a second call does nothing.

        Raises
        ------
        OutputError
            If the path cannot be written; everything is discarded then.
        """
        if self._closed:
            return
        self._closed = True
        try:
            put_in_place(self._stream.finish(*self._contents()), self._path, overwrite=self._overwrite)
        except OSError as error:
            raise error if isinstance(error, OutputError) else cannot_write(self._path, error) from error
        finally:
            self._stream.discard()

    def __enter__(self) -> Self:
        """Enter a block that completes the file at its end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the file, or discard everything if the block raised an exception."""
        if kind is None:
            self.close()
        self._closed = True
        self._stream.discard()

    def _keep_existing(self) -> None:
        with SpikeFile(self._path) as file:
            if not file.is_ours:
                raise FormatError(f"{self._path}: was not made by this writer, cannot append to it")
            for name, found, wanted in (
                ("keys", file.keys, self._keys),
                ("n_units", file.n_units, self._n_units),
                ("times_dtype", file.times_dtype.name, self._times_dtype.name),
                ("provenance", file.provenance, self._provenance),
            ):
                if found != wanted:
                    raise ValueError(f"{self._path}: {name} of the file must be kept: it has {found}, got {wanted}")
            self._values[table.SKIPPED.name].extend(file.skipped)
            self._values[table.REMARKS.name].extend(file.remarks)
            for index, sample in enumerate(file):
                given = file.columns.given(index, index + 1)
                values = {column.name: given[column.field][0] for column in table.TABLE if column.is_given}
                self._add(sample.times.astype(self._times_dtype), sample.units, values)

    def _most(self, column: table.Column) -> float | None:
        """The largest number allowed in a column of this file."""
        return len(self._values[column.index_of]) - 1 if column.index_of else column.at_most

    def _add(self, times: np.ndarray, units: npt.NDArray[np.uint16], values: dict[str, Any]) -> None:
        """Append a checked clip: its times in the stored type, and its value for each column."""
        try:
            self._stream.add(times, units)
        except OSError as error:
            self._closed = True
            self._stream.discard()
            raise cannot_write(self._path, error) from error
        for name, value in values.items():
            self._values[name].append(value)
        label = values[table.LABELS.name]
        sample = Sample(
            times,
            units,
            label=label,
            speaker=values[table.SPEAKER.name],
            source=values[table.SOURCE.name],
            sample_rate=values[table.SAMPLE_RATE.name],
        )
        self._values[table.CHECKSUM.name].append(schema.checksum(sample, self._keys[label]))

    def _contents(self) -> tuple[dict[str, table.Values], dict[str, str | int]]:
        """The columns, except the rows of spikes, and the root attributes of the file."""
        attributes: dict[str, str | int] = {
            schema.FORMAT_ATTRIBUTE: schema.FORMAT,
            schema.UNITS_ATTRIBUTE: self._n_units,
            **schema.attributes_of(self._provenance),
            schema.COMPLETE_ATTRIBUTE: len(self),
        }
        columns = [column for column in table.TABLE if column.kind != "rows"]
        stored = {column.name: column.stored(self._values[column.name]) for column in columns}
        is_said = {c.name: not c.is_sparse or c.says_something(stored[c.name]) for c in columns}
        counted = {c.name: stored[c.name] for c in columns if c.counts_absent or is_said[c.name]}
        attributes[schema.DIGEST_ATTRIBUTE] = table.digest_of(counted, attributes)
        return {name: values for name, values in stored.items() if is_said[name]}, attributes


def _checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    if (
        isinstance(keys, str)
        or not isinstance(keys, Iterable)
        or not all(isinstance(key, str) and key and "\0" not in key for key in keys)
    ):
        raise ValueError(f"keys must be a sequence of names, none of them empty, got {keys!r}")
    if len(set(keys)) < len(keys):
        raise ValueError(f"keys must differ, got {sorted({key for key in keys if list(keys).count(key) > 1})} twice")
    if not 1 <= len(keys) <= 2**16:
        raise ValueError(f"keys must be 1 to 65536 names, got {len(keys)}")
    return tuple(keys)


def _as_numbers(what: str, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> np.ndarray:
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be a column of numbers, (n_spikes,), got {str(values)[:60]}") from None


def _checked_row(
    times: npt.ArrayLike, units: npt.ArrayLike, times_dtype: np.dtype, n_units: int, where: str
) -> tuple[np.ndarray, npt.NDArray[np.uint16]]:
    """Times and units in their stored types, checked."""
    given_times, given_units = _as_numbers(f"{where}: times", times, np.float64), _as_numbers(f"{where}: units", units)
    if given_times.ndim != 1 or given_times.shape != given_units.shape:
        raise ValueError(f"{where}: times {given_times.shape} and units {given_units.shape}, must be (n_spikes,) both")
    if given_units.size and given_units.dtype.kind not in "iu":
        raise ValueError(f"{where}: units {given_units.dtype}, must be integers")
    fault = find_fault(given_times, given_units, n_units)
    if fault:
        raise ValueError(f"{where}: {fault[1]}")
    if np.any(np.diff(given_times) < 0):
        raise ValueError(f"{where}: times must be sorted")
    with np.errstate(over="ignore"):
        stored = given_times.astype(times_dtype)
    if not np.isfinite(stored).all():
        raise ValueError(f"{where}: time {given_times[-1]} s, does not fit {times_dtype}")
    return stored, given_units.astype(np.uint16)
