"""The columns of a spike file as one table, used by the reader, the writer, merge, verify and info.

The layout is the published one (Cramer, Stradmann, Schemmel, Zenke, 2022), so every reader of the Heidelberg data sets
also reads our files; our additions are in places that those readers ignore. To add a column, add a row to `TABLE`: it
is then checked, read, written, merged and shown.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import h5py
import numpy as np
import numpy.typing as npt

from spikedata.checks import checked, whole_number
from spikedata.events.sample import LARGEST_N_UNITS, PUBLISHED_N_UNITS, UNKNOWN_SPEAKER
from spikedata.files import schema
from spikedata.files.hdf5 import find_column, read_attributes, read_numbers, read_text
from spikedata.files.schema import FormatError, Provenance

_PREFIX = "spikedata_"  # of our attributes; all others are ignored
_MOST_UNNAMED = 2**16  # largest number of classes that are named by their numbers

Values = npt.NDArray[Any] | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One row of the table.

    Parameters
    ----------
    name : str
        Path of the dataset in the file [1].
    field : str
        Name of the value of a clip in Python [1], an argument of `SpikeWriter.append`. Empty if it is not an argument.
    kind : {"rows", "numbers", "texts"}
        Variable-length rows of numbers, one number, or one text in UTF-8, per entry [1].
    dtypes : tuple of str
        Types in which our writer stores numbers [1]: the first that can represent them all. Numbers are read in the
        widest type of their kind. For rows, the types that the writer accepts.
    is_per_sample : bool
        Whether there is one entry per clip [1].
    in_files : {"all", "ours", "some"}
        The files that must have the column [1].
    is_sparse : bool
        Whether our writer omits the column if all its values equal `absent` [1].
    absent : int, float, str or None
        The value of every clip in a file without the column [1]; always allowed.
    at_least, at_most : float or None
        Bounds of a number [1]. `at_most` is what our files can store; files by other writers may exceed it.
    index_of : str
        Name of the column into which the number is an index [1].
    unit : str
        Unit of the number, for messages [1].
    counts_absent : bool
        Whether the digest of a file includes the values of an absent column [1]. Columns added later must not, so that
        the digests of older files stay valid.
    """

    name: str
    field: str = ""
    kind: Literal["rows", "numbers", "texts"]
    dtypes: tuple[str, ...] = ()
    is_per_sample: bool = True
    in_files: Literal["all", "ours", "some"] = "some"
    is_sparse: bool = False
    absent: int | float | str | None = None
    at_least: float | None = None
    at_most: float | None = None
    index_of: str = ""
    unit: str = ""
    counts_absent: bool = False

    @property
    def is_given(self) -> bool:
        """Whether the value is given for each clip, in addition to its spikes."""
        return self.kind != "rows" and self.is_per_sample and bool(self.field)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers in memory: the widest of their kind."""
        kind = np.dtype(self.dtypes[-1]).kind
        return np.dtype("u8" if self.dtypes == ("u8",) else {"u": "i8", "i": "i8", "f": "f8"}[kind])

    def collected(self) -> array[Any] | list[str]:
        """An empty collection to which the values of clips are appended, compact for numbers."""
        return [] if self.kind == "texts" else array(np.dtype(self.dtypes[-1]).char)

    def stored(self, values: array[Any] | list[str] | tuple[str, ...]) -> Values:
        """The values in the type in which our writer stores them."""
        if not isinstance(values, array):
            return tuple(values)
        numbers = np.array(values)
        for dtype in self.dtypes[:-1]:
            limits = np.iinfo(dtype)
            if not numbers.size or (limits.min <= numbers.min() and numbers.max() <= limits.max):
                return numbers.astype(dtype)
        return numbers

    def says_something(self, values: Values) -> bool:
        """Whether any value differs from the value of an absent column."""
        return bool(np.any(np.asarray(values) != self.absent)) if isinstance(values, np.ndarray) else any(values)

    def checked(self, where: str, value: object, at_most: float | None) -> Any:
        """The value of a clip as a plain Python value; ValueError if it breaks a rule of the column."""
        if self.kind == "texts":
            text = checked(f"{where}: {self.field}", value, str)
            if "\0" in text:
                raise ValueError(f"{where}: {self.field} {text!r}, must not contain a null character")
            return text
        if type(value) is float and value == self.absent:  # infinite for some, which is no other value
            return value
        is_whole = np.dtype(self.dtypes[-1]).kind in "iu"
        if is_whole and type(value) is int:  # most are, and the full check takes longer than the rest of `append`
            number: int | float = value
        else:
            number = (whole_number if is_whole else _number)(f"{where}: {self.field}", value)
        if not self._holds(number, at_most):
            raise ValueError(f"{where}: {self._breach(number, at_most)}")
        return number

    def check_read(self, where: str, values: npt.NDArray[Any], at_most: float | None) -> None:
        """Raise a FormatError unless all numbers read from a file are within their bounds."""
        wrong = np.flatnonzero(~self._holds(values, at_most))
        if wrong.size:
            raise FormatError(f"{where}: sample {wrong[0]}: {self._breach(values[wrong[0]], at_most)}")

    def _holds(self, values: Any, at_most: float | None) -> Any:
        # NaN fails both comparisons
        holds = np.True_ if self.at_least is None else values >= self.at_least
        if at_most is not None:
            holds = holds & (values <= at_most)
        if np.dtype(self.dtypes[-1]).kind == "f":
            holds = holds & (values < np.inf)
        return holds | (values == self.absent) if self.absent is not None else holds

    def _breach(self, value: Any, at_most: float | None) -> str:
        rule = f"must be >= {self.at_least}" if at_most is None else f"must be in {self.at_least}..{at_most}"
        rule += " and finite" if isinstance(value, float) and value == np.inf else ""
        is_beyond = self.absent is not None and not (self.at_least is None or self.absent >= self.at_least)  # type: ignore[operator]
        other = f", or {self.absent} where unknown" if is_beyond else ""
        return f"{self.field} {value}{self.unit and ' ' + self.unit}, {rule}{other}"


TIMES = Column(name="spikes/times", kind="rows", dtypes=("f2", "f4", "f8"), in_files="all")  # [s], sorted
UNITS = Column(name="spikes/units", kind="rows", dtypes=("u2",), in_files="all")  # unit of each spike
LABELS = Column(
    name="labels", field="label", kind="numbers", dtypes=("u2",), in_files="all", at_least=0, index_of="extra/keys"
)
# Unsigned 16 bits, as in the published files, or signed 32 bits if a speaker is unknown (-1). Other readers would take
# a sentinel such as 65535 for a speaker, and tonic requires the dataset, so it cannot be omitted.
SPEAKER = Column(
    name="extra/speaker", field="speaker", kind="numbers", dtypes=("u2", "i4"),
    absent=UNKNOWN_SPEAKER, at_least=0, at_most=2**16 - 1,
)  # fmt: skip
SAMPLE_RATE = Column(  # of the recording; 0 if unknown
    name="extra/sample_rate", field="sample_rate", kind="numbers", dtypes=("i4",),
    absent=0, at_least=0, at_most=2**31 - 1, unit="Hz",
)  # fmt: skip
DURATION = Column(  # of the recording; 0 if unknown
    name="extra/duration", field="duration", kind="numbers", dtypes=("f8",),
    is_sparse=True, absent=0.0, at_least=0, unit="s",
)  # fmt: skip
# What was drawn for the clip where sounds were changed before they were encoded (`spikedata.acoustics`); otherwise the
# columns are not there.
SNR = Column(  # signal-to-noise ratio; infinite without noise
    name="extra/snr", field="snr", kind="numbers", dtypes=("f8",), is_sparse=True, absent=math.inf, unit="dB"
)
LEVEL = Column(  # of the sound with its noise; 0 where it was left as it is
    name="extra/level", field="level", kind="numbers", dtypes=("f8",),
    is_sparse=True, absent=0.0, at_least=0, unit="dB SPL",
)  # fmt: skip
SPEED = Column(  # times that of the recording
    name="extra/speed", field="speed", kind="numbers", dtypes=("f8",), is_sparse=True, absent=1.0, at_least=0
)
ROOM = Column(  # reverberation time; 0 without a room
    name="extra/room", field="room", kind="numbers", dtypes=("f8",), is_sparse=True, absent=0.0, at_least=0, unit="s"
)
DIRECT_TO_REVERBERANT = Column(  # infinite without a room
    name="extra/direct_to_reverberant", field="direct_to_reverberant", kind="numbers", dtypes=("f8",),
    is_sparse=True, absent=math.inf, unit="dB",
)  # fmt: skip
DRAWN = (SNR, LEVEL, SPEED, ROOM, DIRECT_TO_REVERBERANT)
CHECKSUM = Column(
    name="extra/checksum", kind="numbers", dtypes=("u8",), in_files="ours"
)  # `schema.checksum` of the row
KEYS = Column(name="extra/keys", kind="texts", is_per_sample=False)  # class names
SOURCE = Column(name="extra/source", field="source", kind="texts", absent="")  # clip id of the recording
PART = Column(  # part of a split; written in shards
    name="extra/part", field="part", kind="texts", absent="", is_sparse=True, counts_absent=True
)
SKIPPED = Column(  # a line for each recording that was left out
    name="extra/skipped", kind="texts", is_per_sample=False, is_sparse=True, counts_absent=True
)
REMARKS = Column(  # a line for each clip of which something was noted when it was encoded
    name="extra/remarks", kind="texts", is_per_sample=False, is_sparse=True
)

# The order in which columns are written, which determines the bytes of a file.
TABLE: tuple[Column, ...] = (
    TIMES, UNITS, LABELS, SPEAKER, SAMPLE_RATE, DURATION, CHECKSUM, KEYS, SOURCE, PART, SKIPPED, REMARKS, *DRAWN,
)  # fmt: skip


class Columns(NamedTuple):
    """Everything in a file except its spikes.

    Parameters
    ----------
    values : mapping of str to ndarray or tuple of str
        Values by name of the column; numbers as int64, uint64 or float64. Absent columns have their default values.
    stored : mapping of str to str
        Stored type by name of the column, for all columns in the file including the rows of spikes.
    n_units : int
        Number of units.
    provenance : Provenance or None
        How the spikes were made.
    is_ours : bool
        Whether our writer made the file, which then has checksums and a digest that matches.
    """

    values: Mapping[str, Values]
    stored: Mapping[str, str]
    n_units: int = PUBLISHED_N_UNITS
    provenance: Provenance | None = None
    is_ours: bool = False

    def numbers(self, column: Column) -> npt.NDArray[Any]:
        """One column of numbers."""
        return cast(npt.NDArray[Any], self.values[column.name])

    def texts(self, column: Column) -> tuple[str, ...]:
        """One column of texts."""
        return cast(tuple[str, ...], self.values[column.name])

    def given(self, first: int, last: int) -> dict[str, list[Any]]:
        """The arguments of `SpikeWriter.append`, except the spikes, for a range of clips."""
        parts = {column.field: self.values[column.name][first:last] for column in TABLE if column.is_given}
        return {field: part.tolist() if isinstance(part, np.ndarray) else list(part) for field, part in parts.items()}


def read_columns(file: h5py.File, n_samples: int) -> Columns:
    """The columns and root attributes of a file whose heap has been checked.

    Parameters
    ----------
    file : h5py.File
        An open file.
    n_samples : int
        Number of rows of spikes.

    Raises
    ------
    FormatError
        If one violates the format, or the digest of a file of ours does not match.
    """
    where, is_ours = file.filename, _is_ours(file)
    stored: dict[str, str] = {}
    for column in TABLE:
        found = find_column(file, column.name)
        if found is not None:
            stored[column.name] = _type_of(found)
            if column.is_per_sample and len(found) != n_samples:
                raise FormatError(f"{where}: {column.name!r} has {len(found)} rows, must be {n_samples}")
        elif column.in_files == "all":
            raise FormatError(f"{where}: no dataset {column.name!r}")
    if is_ours and schema.COMPLETE_ATTRIBUTE not in file.attrs:
        raise FormatError(f"{where}: not complete: no attribute {schema.COMPLETE_ATTRIBUTE!r}")
    values: dict[str, Values] = {}
    for column in TABLE:
        if is_ours and column.in_files == "ours" and column.name not in stored:
            raise FormatError(f"{where}: no dataset {column.name!r}")
        if column.kind != "rows" and (is_ours or column.in_files != "ours"):
            values[column.name] = _read_values(file, column, n_samples)
    if KEYS.name not in stored:
        values[KEYS.name] = _numbers_for_names(where, values[LABELS.name])
    _check_keys(where, values[KEYS.name])
    for column in TABLE:
        if column.kind == "numbers" and column.name in values:
            at_most = len(values[column.index_of]) - 1 if column.index_of else None
            column.check_read(where, np.asarray(values[column.name]), at_most)
    columns = Columns(values, stored)
    return _with_provenance(file, columns) if is_ours else columns


def digest_of(values: Mapping[str, Values], attributes: Mapping[str, str | int]) -> str:
    """The digest of a file with the given columns and attributes.

    Parameters
    ----------
    values : mapping of str to ndarray or tuple of str
        Values by name of the column, including those of absent columns with `counts_absent`.
    attributes : mapping of str to str or int
        The root attributes; the digest itself is ignored.
    """
    return schema.digest(values, {name: v for name, v in attributes.items() if name != schema.DIGEST_ATTRIBUTE})


def _number(name: str, value: object) -> float:
    return cast(float, checked(name, value, float))


def _type_of(dataset: h5py.Dataset) -> str:
    entries = h5py.check_vlen_dtype(dataset.dtype)
    if entries is not None:
        return f"rows of {np.dtype(entries)}" if entries not in (str, bytes) else "text"
    return "text" if dataset.dtype.kind == "S" or h5py.check_string_dtype(dataset.dtype) else str(dataset.dtype)


def _read_values(file: h5py.File, column: Column, n_samples: int) -> Values:
    n_absent = n_samples if column.is_per_sample else 0
    if column.kind == "texts":
        texts = read_text(file, column.name)
        return (str(column.absent),) * n_absent if texts is None else texts
    numbers = read_numbers(file, column.name, column.dtype)
    return np.full(n_absent, column.absent, column.dtype) if numbers is None else numbers


def _numbers_for_names(where: str, labels: Values) -> tuple[str, ...]:
    largest = np.asarray(labels).max(initial=-1)
    if largest >= _MOST_UNNAMED:
        rule = f"labels without {KEYS.name!r} must be below {_MOST_UNNAMED}, got {largest}"
        raise FormatError(f"{where}: {rule}")
    return tuple(str(label) for label in range(largest + 1))


def _check_keys(where: str, keys: Values) -> None:
    twice = next((key for key, count in Counter(keys).items() if count > 1), None)
    if twice is not None:
        raise FormatError(f"{where}: {KEYS.name!r} must differ, got {twice!r} twice")


def _is_ours(file: h5py.File) -> bool:
    """Whether our writer made a file. A single damaged name must not turn it into a file without checks."""
    names = (name for name in file.attrs if isinstance(name, str))  # names that are not UTF-8 are bytes
    return any(name.startswith(_PREFIX) for name in names) or find_column(file, CHECKSUM.name) is not None


def _with_provenance(file: h5py.File, columns: Columns) -> Columns:
    """The columns of a file of ours with its attributes, compared with the digest."""
    where, n_samples = file.filename, len(columns.values[LABELS.name])
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
    counted = {column.name for column in TABLE if column.counts_absent or column.name in columns.stored}
    said = {name: values for name, values in columns.values.items() if name in counted}
    if digest_of(said, attributes) != promised:
        raise FormatError(f"{where}: damaged: its digest does not match its labels, names and provenance")
    return columns._replace(n_units=n_units, provenance=provenance, is_ours=True)
