"""Decide what an encoding makes, before it makes anything."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cochlea import CochleaParams
from spikedata.corpora import Listing
from spikedata.disk import cannot_write, check_output
from spikedata.encoding.assemble import Total, read_total
from spikedata.encoding.blocks import OWN, PRESETS, Job, Member, find_members, name_run
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.splits import Split

_PUBLISHED_NAMES = {"heidelberg_digits": "shd", "speech_commands": "ssc"}
_PUBLISHED_PARTS = {"validation": "valid"}


def shard_path(out: str | os.PathLike[str], index: int, count: int) -> Path:
    """Where a shard goes: beside the file or folder that all shards will be merged into.

    Parameters
    ----------
    out : str or path-like
        That file or folder.
    index, count : int
        Which of how many shards, counted from 1.

    Examples
    --------
    >>> shard_path("spikes/digits.h5", 3, 16).as_posix()
    'spikes/digits.shard-0003-of-0016.h5'
    """
    path = Path(out)
    stem = path.name.removesuffix(".h5")
    return path.with_name(f"{stem}.shard-{index:04}-of-{count:04}.h5")


def part_paths(
    out: str | os.PathLike[str], parts: Iterable[str], *, corpus: str, preset: str, split: str
) -> dict[str, Path]:
    """Where the parts of a split go: files in a folder, named as the published ones where they are made like those.

    Parameters
    ----------
    out : str or path-like
        The folder.
    parts : iterable of str
        Names of the parts.
    corpus, preset, split : str
        What is encoded, with which params, and how it is divided.

    Examples
    --------
    >>> made = {"corpus": "speech_commands", "preset": "published", "split": "published rule"}
    >>> [path.name for path in part_paths("out", ["train", "validation"], **made).values()]
    ['ssc_train.h5', 'ssc_valid.h5']
    >>> [path.name for path in part_paths("out", ["train"], **{**made, "split": "by_speaker"}).values()]
    ['speech_commands_train.h5']
    """
    folder = Path(out)
    if preset == "published" and split.startswith("published") and corpus in _PUBLISHED_NAMES:
        name = _PUBLISHED_NAMES[corpus]
        return {part: folder / f"{name}_{_PUBLISHED_PARTS.get(part, part)}.h5" for part in parts}
    return {part: folder / f"{corpus}_{part}.h5" for part in parts}


class Plan(NamedTuple):
    """What an encoding makes.

    Parameters
    ----------
    job : Job
        What decides on the spikes.
    members : list of Member
        The clips, in the order of the listing.
    provenance : Provenance
        What the files say of themselves.
    outputs : dict of str to Path
        The files, by part of the split; {"": path} where there is one for all.
    whole : Path
        File, or folder of the files.
    """

    job: Job
    members: list[Member]
    provenance: Provenance
    outputs: dict[str, Path]
    whole: Path


def find_made(outputs: Mapping[str, Path], provenance: Provenance) -> dict[str, Total]:
    """The outputs that an encoding made before and that are whole, by part, with what they hold: every row is read.

    Parameters
    ----------
    outputs : mapping of str to Path
        The files, which may not be there, by part.
    provenance : Provenance
        What the encoding's files say of themselves.
    """
    totals = {part: _total_if_made(path, provenance) for part, path in outputs.items()}
    return {part: total for part, total in totals.items() if total is not None}


def check_outputs(paths: Iterable[Path], whole: Path, *, overwrite: bool) -> None:
    """See that the files of an encoding can be written.

    Parameters
    ----------
    paths : iterable of Path
        The files that are to be made.
    whole : Path
        The one file, or the folder of them all.
    overwrite : bool
        Whether files that are there may be replaced.

    Raises
    ------
    OutputError
        If not.
    """
    for path in paths:
        if path.parent == whole and not whole.is_dir():
            check_output(whole)
        else:
            check_output(path, overwrite=overwrite)


@contextmanager
def making_parents(whole: Path) -> Iterator[None]:
    """Have the folders above an output for a while; those that were made and are empty at the end are gone again.

    Parameters
    ----------
    whole : Path
        The one file, or the folder of all files.

    Raises
    ------
    OutputError
        If one cannot be made.
    """
    made: list[Path] = []
    try:
        for folder in reversed(whole.parents):
            if not folder.exists():
                try:
                    folder.mkdir()
                except FileExistsError:  # another process was faster
                    continue
                except OSError as error:
                    raise cannot_write(whole, error) from error
                made.append(folder)
        yield
    finally:
        with suppress(OSError):  # one that holds the output, or blocks of it, is to stay
            for folder in reversed(made):
                folder.rmdir()


def _total_if_made(path: Path, provenance: Provenance) -> Total | None:
    try:
        with SpikeFile(path) as file:
            found = file.provenance
        if found is None or (found.run, found.shard) != (provenance.run, provenance.shard):
            return None
        return read_total(path)
    except (OSError, FormatError):
        return None


def plan_encoding(
    listing: Listing,
    out: Path,
    *,
    preset: str,
    seed: int,
    split: Split | None,
    shard: tuple[int, int] | None,
    params: CochleaParams | None = None,
) -> Plan:
    """What `spikedata.encoding.encode.encode_clips` makes of its arguments.

    Parameters
    ----------
    listing, out, preset, seed, split, shard, params
        As `encode_clips` takes them.

    Raises
    ------
    ValueError
        If the preset is unknown, a file name is needed where a folder is given or the other way round, or there is no
        such shard.
    """
    if params is not None and preset in PRESETS:
        # the params of a preset are that preset, however they were given
        preset, params = (preset, None) if params == PRESETS[preset]() else (OWN, params)
    job = Job(corpus=listing.corpus, keys=listing.keys, preset=preset, seed=seed, own=params)
    if split is not None:
        split.require_samples(len(listing.clips))
    parts = [""] * len(listing.clips)
    for part, numbers in {} if split is None else split.parts.items():
        for number in numbers:
            parts[number] = part
    clips = [clip for clip, part in zip(listing.clips, parts, strict=True) if part or split is None]
    members = find_members(clips, [part for part in parts if part or split is None])
    division = "" if split is None else split.name
    provenance = replace(job.provenance, split=division, run=name_run(job, members, division))
    if shard is not None:
        index, count = shard
        if not 1 <= index <= count:
            raise ValueError(f"shard must be (index, count) with 1 <= index <= count, got {shard}")
        members = members[len(members) * (index - 1) // count : len(members) * index // count]
        path = shard_path(out, index, count)
        return Plan(job, members, replace(provenance, shard=f"{index}/{count}"), {"": path}, path)
    if split is None:
        return Plan(job, members, provenance, {"": out}, out)
    if out.suffix == ".h5":
        raise ValueError(f"{out}: a split is written to a folder with one file for each part, name one without .h5")
    outputs = part_paths(out, split.parts, corpus=job.corpus, preset=preset, split=division)
    return Plan(job, members, provenance, outputs, out)
