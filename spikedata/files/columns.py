"""All that a spike file says beside its spikes, read and checked at once."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from spikedata.events.sample import LARGEST_N_UNITS, PUBLISHED_N_UNITS, UNKNOWN_SPEAKER
from spikedata.files import schema
from spikedata.files.hdf5 import find_column, read_attributes, read_integers, read_text
from spikedata.files.schema import FormatError, Provenance

_PREFIX = "spikedata_"  # of our attributes; those of others are left alone
_MOST_UNNAMED = 2**16  # classes that get a number for a name
_ONE_PER_SAMPLE = (
    schema.UNITS,
    schema.LABELS,
    schema.SPEAKER,
    schema.SOURCE,
    schema.SAMPLE_RATE,
    schema.CHECKSUM,
    schema.PART,
)


class Columns(NamedTuple):
    """What a file says of its samples and of itself; `SpikeFile` tells what stands where a file says nothing.

    Parameters
    ----------
    keys : tuple of str
        Class names.
    labels, speakers, sample_rates : ndarray of int64, shape (n_samples,)
        Of each sample; rates in [Hz].
    sources, parts : tuple of str
        Name of each recording, and the part of a split that it belongs to.
    skipped : tuple of str
        A line for each recording that was left out.
    n_units : int
        Number of channels.
    provenance : Provenance or None
        How the spikes were made.
    checksums : ndarray of uint64, shape (n_samples,), or None
        None in files of other writers.
    """

    keys: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.int64]
    sample_rates: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    parts: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    n_units: int = PUBLISHED_N_UNITS
    provenance: Provenance | None = None
    checksums: npt.NDArray[np.uint64] | None = None


def read_columns(file: h5py.File, n_samples: int) -> Columns:
    """The columns and root attributes of a file, whose heap was checked before.

    Parameters
    ----------
    file : h5py.File
        An open file.
    n_samples : int
        Number of its rows of spikes.

    Raises
    ------
    FormatError
        If one breaks a rule of the format, or ours do not fit the file's digest.
    """
    for name in _ONE_PER_SAMPLE:
        column = find_column(file, name)
        if column is not None and len(column) != n_samples:
            raise FormatError(f"{file.filename}: {name!r} has {len(column)} rows, must be {n_samples}")
    labels = read_integers(file, schema.LABELS)
    if labels is None:
        raise FormatError(f"{file.filename}: no dataset {schema.LABELS!r}")
    keys = _read_keys(file, labels)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(keys)))
    if wrong.size:
        rule = f"label {labels[wrong[0]]}, must be in 0..{len(keys) - 1}"
        raise FormatError(f"{file.filename}: sample {wrong[0]}: {rule}")
    speakers = _integers_or(file, schema.SPEAKER, UNKNOWN_SPEAKER, n_samples)
    wrong = np.flatnonzero(speakers < UNKNOWN_SPEAKER)
    if wrong.size:
        rule = f"speaker {speakers[wrong[0]]}, must be >= 0, or {UNKNOWN_SPEAKER} where unknown"
        raise FormatError(f"{file.filename}: sample {wrong[0]}: {rule}")
    columns = Columns(
        keys=keys,
        labels=labels,
        speakers=speakers,
        sample_rates=_integers_or(file, schema.SAMPLE_RATE, 0, n_samples),
        sources=read_text(file, schema.SOURCE) or ("",) * n_samples,
        parts=read_text(file, schema.PART) or ("",) * n_samples,
    )
    return _read_ours(file, columns) if _is_ours(file) else columns


def digest_of(columns: Columns, attributes: dict[str, str | int]) -> str:
    """The digest that a file must have which says all this.

    Parameters
    ----------
    columns : Columns
        Of the file.
    attributes : dict of str to str or int
        Its root attributes; the digest, if it is there, does not count.
    """
    named: dict[str, npt.NDArray[np.integer] | tuple[str, ...]] = {
        schema.LABELS: columns.labels,
        schema.SPEAKER: columns.speakers,
        schema.SAMPLE_RATE: columns.sample_rates,
        schema.KEYS: columns.keys,
        schema.SOURCE: columns.sources,
        schema.PART: columns.parts,
        schema.SKIPPED: columns.skipped,
    }
    if columns.checksums is not None:
        named[schema.CHECKSUM] = columns.checksums
    return schema.digest(named, {name: v for name, v in attributes.items() if name != schema.DIGEST_ATTRIBUTE})


def _read_keys(file: h5py.File, labels: npt.NDArray[np.int64]) -> tuple[str, ...]:
    keys = read_text(file, schema.KEYS)
    if keys is None:
        largest = labels.max(initial=-1)
        if largest >= _MOST_UNNAMED:
            rule = f"labels without {schema.KEYS!r} must be below {_MOST_UNNAMED}, got {largest}"
            raise FormatError(f"{file.filename}: {rule}")
        return tuple(str(label) for label in range(largest + 1))
    twice = next((key for key, count in Counter(keys).items() if count > 1), None)
    if twice is not None:
        raise FormatError(f"{file.filename}: {schema.KEYS!r} must differ, got {twice!r} twice")
    return keys


def _integers_or(file: h5py.File, name: str, default: int, n_samples: int) -> npt.NDArray[np.int64]:
    column = read_integers(file, name)
    return np.full(n_samples, default, dtype=np.int64) if column is None else column


def _is_ours(file: h5py.File) -> bool:
    """Whether our writer made a file; one damaged name must not make it somebody else's, which nobody checks."""
    names = (name for name in file.attrs if isinstance(name, str))  # bytes where it is no UTF-8
    return any(name.startswith(_PREFIX) for name in names) or find_column(file, schema.CHECKSUM) is not None


def _read_ours(file: h5py.File, columns: Columns) -> Columns:
    """Columns and attributes that only our writer writes, held against the digest."""
    where, n_samples = file.filename, len(columns.labels)
    if schema.COMPLETE_ATTRIBUTE not in file.attrs:
        raise FormatError(f"{where}: not written to its end: no attribute {schema.COMPLETE_ATTRIBUTE!r}")
    if find_column(file, schema.CHECKSUM) is None:
        raise FormatError(f"{where}: no dataset {schema.CHECKSUM!r}")
    try:
        attributes = read_attributes(file, _PREFIX)
        n_promised = int(attributes[schema.COMPLETE_ATTRIBUTE])
        n_units = int(attributes[schema.UNITS_ATTRIBUTE])
        provenance = schema.provenance_of(attributes)
        promised = attributes[schema.DIGEST_ATTRIBUTE]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: damaged root attributes: {error}") from error
    if n_promised != n_samples:
        raise FormatError(f"{where}: has {n_samples} samples, must be {n_promised}")
    if not 1 <= n_units <= LARGEST_N_UNITS:
        rule = f"must be in 1..{LARGEST_N_UNITS}, got {n_units}"
        raise FormatError(f"{where}: {schema.UNITS_ATTRIBUTE!r} {rule}")
    columns = columns._replace(
        skipped=read_text(file, schema.SKIPPED) or (),
        n_units=n_units,
        provenance=provenance,
        checksums=file[schema.CHECKSUM][:],
    )
    if digest_of(columns, attributes) != promised:
        raise FormatError(f"{where}: damaged: its digest does not fit its labels, names and provenance")
    return columns
