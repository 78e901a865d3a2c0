"""Join the blocks or shards of an encoding into its files, with memory that does not grow with the data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.disk import cannot_write
from spikedata.events import Events
from spikedata.files.columns import PART
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter


class Total(NamedTuple):
    """The content of a file in numbers.

    Parameters
    ----------
    n_clips, n_spikes : int
        Number of clips and of spikes [1].
    skipped : tuple of str
        A line for each recording that was left out.
    remarks : tuple of str
        A line for each clip of which something was noted.
    """

    n_clips: int
    n_spikes: int
    skipped: tuple[str, ...]
    remarks: tuple[str, ...]


def assemble(
    pieces: Iterable[Path],
    outputs: Mapping[str, Path],
    *,
    keys: tuple[str, ...],
    times_dtype: str,
    n_units: int,
    provenance: Provenance,
    scratch: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Total]:
    """Join spike files into one, or into one for each part of a split. The result is read back and checked.

    Parameters
    ----------
    pieces : iterable of Path
        The files, in the order of their clips.
    outputs : mapping of str to Path
        The files to write by part; {"": path} takes all clips. Their folder is created.
    keys, times_dtype, n_units, provenance
        As in `SpikeWriter`.
    scratch : Path, optional
        Folder for the files while they are being written.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    dict of str to Total
        The content of each file, by part.

    Raises
    ------
    OutputError
        If a file cannot be written.
    FormatError
        If a piece or a written file is damaged.
    """
    for path in outputs.values():
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
    with ExitStack() as stack:
        writers = {
            part: stack.enter_context(
                SpikeWriter(
                    path,
                    keys=keys,
                    mode="w" if overwrite else "x",
                    times_dtype=times_dtype,
                    n_units=n_units,
                    provenance=replace(provenance, part=part),
                    scratch=scratch,
                )
            )
            for part, path in outputs.items()
        }
        for piece in pieces:
            with SpikeFile(piece) as file:
                for line in file.skipped:
                    for writer in writers.values():
                        writer.note_skipped(line)
                for line in file.remarks:
                    for writer in writers.values():
                        writer.note_remark(line)
                for first, events in file.iter_events():
                    _pass_on(events, file.columns.given(first, first + len(events)), writers)
    return {part: read_total(path) for part, path in outputs.items()}


def read_total(path: str | os.PathLike[str]) -> Total:
    """The content of a file in numbers; every row is read and checked.

    Parameters
    ----------
    path : str or path-like
        A spike file.

    Raises
    ------
    FileNotFoundError, FormatError
        If the file does not exist, or violates the format.
    """
    with SpikeFile(path) as file:
        n_spikes = sum(events.times.size for _, events in file.iter_events())
        return Total(len(file), n_spikes, file.skipped, file.remarks)


def none_usable(n_clips: int, first: str) -> str:
    """Why a file is not written: it would be empty.

    Parameters
    ----------
    n_clips : int
        Number of recordings, all of which were left out [1].
    first : str
        The reason for one of them.
    """
    return f"not written: none of {n_clips} recordings can be used: {first}"


def _pass_on(events: Events, given: Mapping[str, Sequence[Any]], writers: Mapping[str, SpikeWriter]) -> None:
    """Append samples with their columns to the writers of their parts."""
    for index, (begin, end) in enumerate(pairwise(events.offsets)):
        values = {field: column[index] for field, column in given.items()}
        part = values[PART.field]
        writer = writers.get(part, writers.get(""))
        if writer is None:  # the file of this part exists already
            continue
        if part in writers:  # the whole file is of this part, so the clips need not say it
            values[PART.field] = ""
        writer.append(events.times[begin:end], events.units[begin:end], **values)
