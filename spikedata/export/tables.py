"""Export to tables: CSV, and Parquet with the features that Hugging Face `datasets` reads."""

from __future__ import annotations

import csv
import json
import os
from itertools import pairwise, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikedata.export.output import Exported, new_file, new_folder
from spikedata.export.source import Chosen, Clips, OnProgress, Source, Spikes, opened

if TYPE_CHECKING:
    import pyarrow

CLIPS, SPIKES = "clips.csv", "spikes.csv"


def to_csv(
    data: Spikes,
    out: str | os.PathLike[str],
    *,
    clips: Chosen = None,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Exported:
    """Export clips to a folder with two tables and a description, all in UTF-8.

    ``spikes.csv`` has a line for each spike: clip, time [s] and unit. ``clips.csv`` has a line for each clip: clip (its
    number in the file, which joins the tables), label, class_name, speaker (-1 if unknown), source, sample_rate [Hz],
    duration [s] (0 if unknown), n_spikes, and part if the file has it. A clip without spikes has a line here alone.
    ``about.json`` has all class names, the number of units and the provenance. Times have all digits of a float64, so
    that ``pandas.read_csv(..., float_precision="round_trip")`` gives the numbers of the file exactly.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    out : path-like
        The folder to make.
    clips : array_like of int or bool, optional
        Numbers of the clips to export, in rising order, or a mask; default: all.
    overwrite : bool
        Whether an earlier export in the folder is replaced.
    on_progress : callable, optional
        Called with the number of clips read and how many are exported; from 0 again where they are read twice.

    Returns
    -------
    Exported

    Raises
    ------
    FileNotFoundError, FormatError
        If the spike file does not exist or violates the format.
    OutputError
        If the output cannot be written.
    ValueError
        If there is no clip to export.
    """
    n_spikes = 0
    with opened(data, clips, on_progress) as source, new_folder(out, source.about(), overwrite=overwrite) as folder:
        with (folder / SPIKES).open("w", encoding="utf-8", newline="") as lines:
            table = csv.writer(lines, lineterminator="\n")
            table.writerow(("clip", "time", "unit"))
            for block in source.read():
                times, units = block.events.times.astype(np.float64), block.events.units
                for number, (begin, end) in zip(block.numbers.tolist(), pairwise(block.events.offsets), strict=True):
                    table.writerows(zip(repeat(number), times[begin:end].tolist(), units[begin:end].tolist()))
                n_spikes += len(times)
        write_clips(folder / CLIPS, source)
    return Exported(str(out), "csv", source.n_clips, n_spikes)


def write_clips(path: Path, source: Source, **more: list[Any]) -> None:
    """The table of clips, for formats that hold nothing but spikes.

    Parameters
    ----------
    path : Path
        The file to write.
    source : Source
        The clips.
    **more : list
        Further columns, with a value for each clip.
    """
    with path.open("w", encoding="utf-8", newline="") as lines:
        table, done = csv.writer(lines, lineterminator="\n"), 0
        for block in source.read():
            end = done + len(block.numbers)
            columns = block.columns() | {name: values[done:end] for name, values in more.items()}
            if not done:
                table.writerow(columns)
            table.writerows(zip(*columns.values(), strict=True))
            done = end


def to_parquet(
    data: Spikes,
    out: str | os.PathLike[str],
    *,
    clips: Chosen = None,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Exported:
    """Export clips to a Parquet file with a row for each clip, which `datasets`, pandas and Polars read.

    The columns are times (a list [s], float32, or float64 if the file has it), units (a list), label, speaker (-1 if
    unknown), source, sample_rate [Hz], duration [s] (0 if unknown), clip (its number in the file), and part if the file
    has it. The schema holds the features of Hugging Face `datasets`, so that label is a `ClassLabel` with its names,
    and under the key "spikedata" class names, number of units and provenance as JSON. Needs pyarrow.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    out : path-like
        The file to make.
    clips : array_like of int or bool, optional
        Numbers of the clips to export, in rising order, or a mask; default: all.
    overwrite : bool
        Whether an existing file is replaced.
    on_progress : callable, optional
        Called with the number of clips read and how many are exported; from 0 again where they are read twice.

    Returns
    -------
    Exported

    Raises
    ------
    FileNotFoundError, FormatError
        If the spike file does not exist or violates the format.
    OutputError
        If the output cannot be written.
    ValueError
        If there is no clip to export, or the output does not end in .parquet.
    """
    from pyarrow import parquet

    n_spikes = 0
    with opened(data, clips, on_progress) as source, new_file(out, ".parquet", overwrite=overwrite) as path:
        schema = _schema(source)
        with parquet.ParquetWriter(path, schema) as writer:
            for block in source.read():
                writer.write_table(_as_table(block, schema))
                n_spikes += len(block.events.times)
    return Exported(str(out), "parquet", source.n_clips, n_spikes)


def _types_of(source: Source) -> dict[str, str]:
    """The columns of the Parquet file and their types; float16 becomes float32, which holds the same numbers."""
    types = {
        "times": "float64" if source.times_dtype == np.float64 else "float32",
        "units": "uint16",
        "label": "int64",  # of a ClassLabel
        "speaker": "int64",
        "source": "string",
        "sample_rate": "int64",
        "duration": "float64",
        "clip": "int64",
    }
    return types | ({"part": "string"} if source.has_parts else {})


def features_of(source: Source) -> dict[str, Any]:
    """The features of Hugging Face `datasets` as JSON; "Sequence" is a list in all releases, "List" in those from 4."""
    features: dict[str, Any] = {name: {"dtype": dtype, "_type": "Value"} for name, dtype in _types_of(source).items()}
    for name in ("times", "units"):
        features[name] = {"feature": features[name], "length": -1, "_type": "Sequence"}
    features["label"] = {"names": list(source.keys), "_type": "ClassLabel"}
    return features


def _schema(source: Source) -> pyarrow.Schema:
    import pyarrow

    kinds = {name: pyarrow.type_for_alias(dtype) for name, dtype in _types_of(source).items()}
    fields = [(name, pyarrow.list_(kind) if name in ("times", "units") else kind) for name, kind in kinds.items()]
    said = {"huggingface": {"info": {"features": features_of(source)}}, "spikedata": source.about()}
    return pyarrow.schema(fields, metadata={name: json.dumps(value) for name, value in said.items()})


def _as_table(block: Clips, schema: pyarrow.Schema) -> pyarrow.Table:
    import pyarrow

    columns: dict[str, Any] = dict(block.columns())
    offsets = pyarrow.array(block.events.offsets).cast("int32")  # those of a list; raises if they do not fit
    for name in ("times", "units"):
        kind = schema.field(name).type.value_type
        flat = pyarrow.array(getattr(block.events, name).astype(kind.to_pandas_dtype(), copy=False))
        columns[name] = pyarrow.ListArray.from_arrays(offsets, flat)
    return pyarrow.table([columns[name] for name in schema.names], schema=schema)
