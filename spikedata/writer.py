"""Collect clips and write them as one spike file, whole or not at all."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import h5py
import numpy as np
import numpy.typing as npt

from spikedata import schema
from spikedata.atomic import check_output, write_atomically
from spikedata.reader import SpikeFile
from spikedata.schema import FormatError, Provenance, Sample

_CHUNKS = (1024,)  # PyTables reads variable-length rows only from chunked, extendable datasets


class SpikeWriter:
    """A spike file in the making.

    Clips are kept in memory. `close` (or the end of a ``with`` block) builds the file there too and puts it
    in place in one step, so a path holds a whole file or what it held before. An exception inside the
    ``with`` block discards everything. The same clips give the same bytes.

    Parameters
    ----------
    path : str or path-like
        The file to make.
    keys : sequence of str
        Class names; labels count in them.
    mode : {"x", "w", "a"}
        Make a new file and refuse one that exists; replace it; or keep its samples and add to them.
    times_dtype : {"float16", "float32", "float64"}
        How times are stored. The published files use float16, which is 1 ms coarse above 1 s.
    n_units : int
        Number of channels, at most 65536.
    provenance : Provenance, optional
        How the spikes were made.

    Raises
    ------
    OutputError
        If the path cannot be written, or exists in mode "x".
    ValueError
        If an argument breaks its rule, or in mode "a" disagrees with the file.
    FormatError
        In mode "a", if the file is damaged, or not one that this writer made.

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
        n_units: int = schema.PUBLISHED_N_UNITS,
        provenance: Provenance | None = None,
    ) -> None:
        if mode not in ("x", "w", "a"):
            raise ValueError(f"mode must be 'x', 'w' or 'a', got {mode!r}")
        if times_dtype not in schema.TIMES_DTYPES:
            raise ValueError(f"times_dtype must be one of {', '.join(schema.TIMES_DTYPES)}, got {times_dtype!r}")
        if not 1 <= n_units <= schema.LARGEST_N_UNITS:
            raise ValueError(f"n_units must be in 1..{schema.LARGEST_N_UNITS}, got {n_units}")
        self._path = Path(path)
        self._overwrite = mode != "x"
        check_output(self._path, overwrite=self._overwrite)
        self._keys = _checked_keys(keys)
        self._times_dtype = np.dtype(times_dtype)
        self._n_units = n_units
        self._provenance = provenance
        self._samples: list[Sample] = []  # times in the dtype in which they are stored
        self._closed = False
        if mode == "a" and self._path.exists():
            self._keep_existing()

    def __len__(self) -> int:
        """Count the samples, those that were in the file before included."""
        return len(self._samples)

    def append(
        self,
        times: npt.ArrayLike,
        units: npt.ArrayLike,
        *,
        label: int,
        speaker: int,
        source: str = "",
        sample_rate: int = 0,
    ) -> None:
        """Add one clip.

        Parameters
        ----------
        times : array_like of float, shape (n_spikes,)
            Spike times [s], sorted; a clip without spikes is allowed.
        units : array_like of int, shape (n_spikes,)
            Channel of each spike.
        label : int
            Index into ``keys``.
        speaker : int
            Number of the speaker.
        source : str
            Name of the recording.
        sample_rate : int
            Sample rate of the recording [Hz], 0 where unknown.

        Raises
        ------
        ValueError
            If a value breaks its rule, or the writer is closed; nothing is added then.
        """
        if self._closed:
            raise ValueError(f"{self._path}: the writer is closed")
        label, speaker, sample_rate = operator.index(label), operator.index(speaker), operator.index(sample_rate)
        where = f"{self._path}: sample {len(self._samples)}"
        stored_times, stored_units = _checked_row(times, units, self._times_dtype, self._n_units, where)
        if not 0 <= label < len(self._keys):
            raise ValueError(f"{where}: label {label}, must be in 0..{len(self._keys) - 1}")
        if not 0 <= speaker < 2**16:
            raise ValueError(f"{where}: speaker {speaker}, must be in 0..65535")
        if not 0 <= sample_rate < 2**31:
            raise ValueError(f"{where}: sample_rate {sample_rate} Hz, must be >= 0 and below 2**31")
        if "\0" in source:
            raise ValueError(f"{where}: source {source!r}, must not hold a null character")
        self._samples.append(Sample(stored_times, stored_units, label, speaker, source, sample_rate))

    def close(self) -> None:
        """Write the file; a second call does nothing.

        Raises
        ------
        OutputError
            If the path cannot be written; the clips are still there for another try.
        """
        if self._closed:
            return
        write_atomically(self._path, self._image(), overwrite=self._overwrite)
        self._closed = True
        self._samples.clear()

    def __enter__(self) -> Self:
        """Enter a block at whose end the file is written."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the file, or discard everything if the block failed."""
        if kind is None:
            self.close()
        self._closed = True

    def _keep_existing(self) -> None:
        with SpikeFile(self._path) as file:
            if not file.is_ours:
                raise FormatError(f"{self._path}: was not made by this writer, cannot add to it")
            for name, found, given in (
                ("keys", file.keys, self._keys),
                ("n_units", file.n_units, self._n_units),
                ("times_dtype", file.times_dtype.name, self._times_dtype.name),
                ("provenance", file.provenance, self._provenance),
            ):
                if found != given:
                    raise ValueError(f"{self._path}: {name} of the file must be kept: it has {found}, got {given}")
            for sample in file:
                self._samples.append(sample._replace(times=sample.times.astype(self._times_dtype)))

    def _image(self) -> bytes:
        """All bytes of the file, built in memory; nothing in them depends on the clock."""
        with h5py.File("image.h5", "w", driver="core", backing_store=False) as file:
            self._fill(file)
            file.flush()
            return file.id.get_file_image()

    def _fill(self, file: h5py.File) -> None:
        samples = self._samples
        file.attrs[schema.FORMAT_ATTRIBUTE] = schema.FORMAT
        file.attrs[schema.UNITS_ATTRIBUTE] = self._n_units
        if self._provenance is not None:
            file.attrs[schema.VERSION_ATTRIBUTE] = _fixed_bytes(self._provenance.package_version)
            file.attrs[schema.PARAMS_ATTRIBUTE] = _fixed_bytes(self._provenance.params)
            file.attrs[schema.SEED_ATTRIBUTE] = self._provenance.seed
            file.attrs[schema.CORPUS_ATTRIBUTE] = _fixed_bytes(self._provenance.corpus)
        _write_rows(file, schema.TIMES, [sample.times for sample in samples], self._times_dtype)
        _write_rows(file, schema.UNITS, [sample.units for sample in samples], np.dtype(np.uint16))
        checksums = [schema.checksum(sample, self._keys[sample.label]) for sample in samples]
        for name, values in (
            (schema.LABELS, np.array([sample.label for sample in samples], dtype=np.uint16)),
            (schema.SPEAKER, np.array([sample.speaker for sample in samples], dtype=np.uint16)),
            (schema.KEYS, _fixed_bytes(self._keys)),
            (schema.SOURCE, _fixed_bytes([sample.source for sample in samples])),
            (schema.SAMPLE_RATE, np.array([sample.sample_rate for sample in samples], dtype=np.int32)),
            (schema.CHECKSUM, np.array(checksums, dtype=np.uint64)),
        ):
            file.create_dataset(name, data=values, track_times=False)
        file.attrs[schema.COMPLETE_ATTRIBUTE] = len(samples)


def _checked_keys(keys: Sequence[str]) -> tuple[str, ...]:
    if isinstance(keys, str) or not all(isinstance(key, str) and key and "\0" not in key for key in keys):
        raise ValueError(f"keys must be a sequence of names, none of them empty, got {keys!r}")
    if len(set(keys)) < len(keys):
        raise ValueError(f"keys must differ, got {sorted({key for key in keys if list(keys).count(key) > 1})} twice")
    if not 1 <= len(keys) <= 2**16:
        raise ValueError(f"keys must be 1 to 65536 names, got {len(keys)}")
    return tuple(keys)


def _checked_row(
    times: npt.ArrayLike, units: npt.ArrayLike, times_dtype: np.dtype, n_units: int, where: str
) -> tuple[np.ndarray, npt.NDArray[np.uint16]]:
    """Times and units as they are stored."""
    given_times, given_units = np.asarray(times, dtype=np.float64), np.asarray(units)
    if given_times.ndim != 1 or given_times.shape != given_units.shape:
        raise ValueError(f"{where}: times {given_times.shape} and units {given_units.shape}, must be (n_spikes,) both")
    if given_units.size and given_units.dtype.kind not in "iu":
        raise ValueError(f"{where}: units {given_units.dtype}, must be integers")
    fault = schema.find_fault(given_times, given_units, n_units)
    if fault:
        raise ValueError(f"{where}: {fault[1]}")
    if np.any(np.diff(given_times) < 0):
        raise ValueError(f"{where}: times must be sorted")
    with np.errstate(over="ignore"):
        stored = given_times.astype(times_dtype)
    if not np.isfinite(stored).all():
        raise ValueError(f"{where}: time {given_times[-1]} s, does not fit {times_dtype}")
    return stored, given_units.astype(np.uint16)


def _write_rows(file: h5py.File, name: str, rows: list[np.ndarray], dtype: np.dtype) -> None:
    dataset = file.create_dataset(
        name, (len(rows),), h5py.vlen_dtype(dtype), maxshape=(None,), chunks=_CHUNKS, track_times=False
    )
    for index, row in enumerate(rows):
        dataset[index] = row


def _fixed_bytes(text: str | Sequence[str]) -> np.ndarray:
    """UTF-8 in the fixed-length bytes that every HDF5 reader knows; HDF5 has no text of length 0."""
    encoded = [text.encode()] if isinstance(text, str) else [line.encode() for line in text]
    array = np.array(encoded, dtype=f"S{max(1, *map(len, encoded))}" if encoded else "S1")
    return array[0:1].reshape(()) if isinstance(text, str) else array
