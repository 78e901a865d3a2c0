"""Join spike files into one: shards of an encoding, or whole files of a data set, such as its training and test file.

`merge.merge_shards` puts shards together again, which gives the very bytes of an encoding in one go. Whole files, by
whatever writer, are joined here: their clips one after the other, each with the part that its file was.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata.disk import check_output, file_digest
from spikedata.downloads.origin import numbering_of
from spikedata.encoding.assemble import read_total
from spikedata.encoding.merge import Merged, merge_shards
from spikedata.encoding.plan import making_parents
from spikedata.events import Events
from spikedata.files import columns as table
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance, known_speakers
from spikedata.files.writer import SpikeWriter

_PARTS = {  # words in the name of a file, and the part that it is
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval"), "test"),
}


def merge_files(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    parts: Sequence[str] | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
) -> Merged:
    """Join the shards of an encoding, or whole spike files of the same classes. The files are not removed.

    The clips of whole files follow each other in the order given. Each keeps its part of a split: what the file says,
    or else a word in its name, such as ``shd_train.h5``, unless ``parts`` says it. Classes in another order are
    numbered as in the first file. The times have the widest type of all files. Speakers are taken to be numbered alike
    unless the files say otherwise. The provenance is kept if all files have the same; it is otherwise left out, since
    a file has only one.

    Parameters
    ----------
    paths : sequence of path-like
        The files: all shards of one encoding, or no shard.
    out : str or path-like
        The spike file to write; for shards of a split, the folder of its parts.
    parts : sequence of str, optional
        The part that each file is; empty for none. Default: what the file says, or its name.
    overwrite : bool
        Whether an existing file may be replaced.
    on_progress : callable, optional
        Called with the number of finished files and of all files.
    time_unit, n_units
        What files by other writers do not say, as `SpikeFile` takes it; for all files.

    Returns
    -------
    Merged

    Raises
    ------
    FileNotFoundError, FormatError
        If a file does not exist or is damaged.
    ValueError
        If the files do not belong together, a file or clip is given twice, or the part of only some is known.
    OutputError
        If the file cannot be written.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise ValueError("there must be at least one file to merge")
    are_shards = [_is_shard(path, time_unit=time_unit, n_units=n_units) for path in files]
    if all(are_shards):
        if parts is not None:
            raise ValueError("shards know their parts already: leave out --parts (parts=)")
        return merge_shards(files, out, overwrite=overwrite, on_progress=on_progress)
    if any(are_shards):
        shard, whole = files[are_shards.index(True)], files[are_shards.index(False)]
        raise ValueError(f"{shard}: is a shard, and {whole} is not one: merge the shards first")
    return _join(files, Path(out), parts, overwrite, on_progress or (lambda *_: None), time_unit, n_units)


def _is_shard(path: Path, **reading: Any) -> bool:
    with SpikeFile(path, **reading) as file:
        return file.provenance is not None and bool(file.provenance.shard)


def _join(
    paths: list[Path],
    out: Path,
    parts: Sequence[str] | None,
    overwrite: bool,
    report: Callable[[int, int], None],
    time_unit: str | None,
    n_units: int | None,
) -> Merged:
    if out.is_dir():
        raise ValueError(f"{out}: is a folder; whole files are joined into one file, as --out {out / 'all.h5'}")
    if any(path.resolve() == out.resolve() for path in paths):
        raise ValueError(f"{out}: is one of the files to merge; give another output")
    with ExitStack() as stack:
        files = [stack.enter_context(SpikeFile(path, time_unit=time_unit, n_units=n_units)) for path in paths]
        _refuse_twice(files)
        _refuse_differences(files)
        speakers_note = _check_speakers(files)
        part_of = _parts_of(files, parts)
        provenance, provenance_note = _common_provenance(files)
        stack.enter_context(making_parents(out))
        check_output(out, overwrite=overwrite)
        dtype = np.result_type(*(file[0:0].times.dtype for file in files))
        n_clips, n_spikes = 0, 0
        skipped = tuple(dict.fromkeys(line for file in files for line in file.skipped))
        remarks = tuple(dict.fromkeys(line for file in files for line in file.remarks))
        with SpikeWriter(
            out,
            keys=files[0].keys,
            mode="w" if overwrite else "x",
            times_dtype=dtype.name,
            n_units=files[0].n_units,
            provenance=provenance,
        ) as writer:
            for line in skipped:
                writer.note_skipped(line)
            for line in remarks:
                writer.note_remark(line)
            for number, (file, own_parts) in enumerate(zip(files, part_of, strict=True)):
                report(number, len(files))
                labels = np.array([files[0].keys.index(key) for key in file.keys], np.int64)
                for first, events in file.iter_events():
                    _pass_on(file, first, events, labels, own_parts, writer)
                    n_clips, n_spikes = n_clips + len(events), n_spikes + events.times.size
        report(len(files), len(files))
    total = read_total(out)  # every row is read back and compared with its checksum
    if (total.n_clips, total.n_spikes) != (n_clips, n_spikes):
        raise FormatError(f"{out}: has {total.n_clips} clips and {total.n_spikes} spikes, not {n_clips} and {n_spikes}")
    counts = {
        part: sum(own.count(part) for own in part_of) for part in dict.fromkeys(p for own in part_of for p in own)
    }
    parts_note = "parts: " + ", ".join(f"{part or 'none'} {count:,}" for part, count in counts.items())
    notes = (*([parts_note] if any(counts) else []), speakers_note, provenance_note)
    return Merged((str(out),), n_clips, n_spikes, skipped, remarks, tuple(filter(None, notes)))


def _pass_on(
    file: SpikeFile,
    first: int,
    events: Events,
    labels: npt.NDArray[np.int64],
    parts: Sequence[str],
    writer: SpikeWriter,
) -> None:
    given = file.columns.given(first, first + len(events))
    given[table.LABELS.field] = labels[events.labels].tolist()
    given[table.DURATION.field] = events.durations.tolist()  # in s, whatever unit the file has them in
    given[table.PART.field] = list(parts[first : first + len(events)])
    for index, (begin, end) in enumerate(pairwise(events.offsets)):
        values = {field: column[index] for field, column in given.items()}
        writer.append(events.times[begin:end], events.units[begin:end], **values)


def _refuse_twice(files: Sequence[SpikeFile]) -> None:
    by_digest: dict[str, Path] = {}
    clips: dict[tuple[str, int], Path] = {}
    for file in files:
        other = by_digest.setdefault(file_digest(file.path, "sha256"), file.path)
        if other is not file.path:
            raise ValueError(f"{file.path}: is the same file as {other}")
        if not file.is_ours:
            continue
        for clip in zip(file.sources, file.columns.numbers(table.CHECKSUM).tolist(), strict=True):
            if clip[0] and clips.setdefault(clip, file.path) is not file.path:
                raise ValueError(f"{file.path}: the clip {clip[0]!r} is in {clips[clip]}, too, with the same spikes")


def _refuse_differences(files: Sequence[SpikeFile]) -> None:
    first = files[0]
    for file in files[1:]:
        if set(file.keys) != set(first.keys):
            more = sorted(set(file.keys) ^ set(first.keys))
            named = ", ".join(map(repr, more[:5])) + (", …" if len(more) > 5 else "")
            raise ValueError(f"{file.path}: must have the classes of {first.path}; only one of them has {named}")
        if file.n_units != first.n_units:
            raise ValueError(f"{file.path}: has {file.n_units} units, and {first.path} has {first.n_units}")
        made, wanted = file.provenance, first.provenance
        if made is not None and wanted is not None and made.params != wanted.params:
            raise ValueError(
                f"{file.path}: was encoded with other params than {first.path}; `spikedata info` shows them"
            )


def _check_speakers(files: Sequence[SpikeFile]) -> str:
    """Raise if a number means two people; a note where nobody knows."""
    speaking = [file for file in files if known_speakers(file.speakers)]
    numberings = {file.path: numbering_of(file) for file in speaking}
    known = {numbering: path for path, numbering in numberings.items() if numbering is not None}
    if len(known) > 1:
        (one, first), (other, second) = list(known.items())[:2]
        rule = f"its speakers are numbered by {other}, those of {first} by {one}: a number would mean two people"
        raise ValueError(f"{second}: {rule}")
    if len(speaking) > 1 and None in numberings.values():
        return "speakers: taken to be numbered alike in all files, as in those of one corpus; the files do not say it"
    return ""


def _parts_of(files: Sequence[SpikeFile], given: Sequence[str] | None) -> list[list[str]]:
    """The part of each clip of each file."""
    if given is not None:
        if isinstance(given, str) or len(given) != len(files):
            raise ValueError(f"parts must be one for each of the {len(files)} files, got {given!r}")
        return [[part] * len(file) for part, file in zip(given, files, strict=True)]
    found = []
    for file in files:
        made = file.provenance.part if file.provenance is not None else ""
        of_file = made or next(iter(_words(file.path)), "")
        found.append([part or of_file for part in file.parts])
    unknown = [file.path for file, own in zip(files, found, strict=True) if not all(own)]
    if unknown and any(part for own in found for part in own):
        names = ",".join(next(iter(own), "") or "PART" for own in found)
        raise ValueError(f"{unknown[0]}: does not say which part it is, as others do; give --parts {names}")
    return found


def _words(path: Path) -> Iterator[str]:
    words = re.split(r"[^a-z]+", path.stem.lower())
    return (_PARTS[word] for word in reversed(words) if word in _PARTS)


def _common_provenance(files: Sequence[SpikeFile]) -> tuple[Provenance | None, str]:
    """What all files say of how they were made, and a note if that is lost."""
    made = [None if file.provenance is None else replace(file.provenance, part="") for file in files]
    if all(one == made[0] for one in made):
        return made[0], ""
    several = "the files differ in theirs" if all(made) else "not all files have one"
    return None, f"provenance: left out, since {several} and a file has only one"
