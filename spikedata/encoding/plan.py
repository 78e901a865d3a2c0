"""Decide which files an encoding makes, which of them exist already, and whether the others can be written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cochlea import CochleaParams
from spikedata.acoustics import Scene
from spikedata.checks import checked_object
from spikedata.corpora import Listing
from spikedata.disk import OutputError, cannot_write, check_output, make_parents, remove_empty
from spikedata.encoding.assemble import Total, read_total
from spikedata.encoding.blocks import OWN, PRESETS, Job, Member, find_members, name_run
from spikedata.encoding.hearing import ear_for
from spikedata.encoding.surroundings import pool_for
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.splits import Split

_SPIKE_SUFFIXES = (".h5", ".hdf5")
_PUBLISHED_NAMES = {"heidelberg_digits": "shd", "speech_commands": "ssc"}
_PUBLISHED_PARTS = {"validation": "valid"}  # as in ssc_valid.h5


class Plan(NamedTuple):
    """The files that an encoding makes.

    Parameters
    ----------
    job : Job
        What determines the spikes.
    members : list of Member
        The clips, in the order of the listing.
    provenance : Provenance
        The provenance stored in the files.
    outputs : dict of str to Path
        The files by part of the split; {"": path} for a single file.
    whole : Path
        The single file, or the folder of the files.
    notes : tuple of str
        What a user should know of the scene.
    """

    job: Job
    members: list[Member]
    provenance: Provenance
    outputs: dict[str, Path]
    whole: Path
    notes: tuple[str, ...] = ()


def plan_encoding(
    listing: Listing,
    out: Path,
    *,
    preset: str,
    seed: int,
    split: Split | None,
    shard: tuple[int, int] | None,
    params: CochleaParams | None = None,
    scene: Scene | None = None,
) -> Plan:
    """The files that `spikedata.encoding.encode.encode_clips` makes.

    Parameters
    ----------
    listing, out, preset, seed, split, shard, params, scene
        As in `encode_clips`.

    Raises
    ------
    ValueError
        If the preset is unknown, a folder is needed but `out` is the name of a spike file, the shard is out of range,
        or the scene has a level that the params do not hear.
    NoiseError
        If the folder of the scene's noise has no recording.
    OutputError
        If a spike file is to be made whose name has no ``.h5``.
    """
    if split is None and out.suffix.lower() not in _SPIKE_SUFFIXES:
        named = f"{out.with_suffix('.h5')}" if out.name.strip(".") else "words.h5"
        raise OutputError(f"{out}: a spike file has a name with .h5, as {named}; with a split, OUT is a folder")
    if params is not None and preset in PRESETS:
        # params that are equal to those of the preset are stored as that preset
        preset, params = (preset, None) if params == PRESETS[preset]() else (OWN, params)
    if scene is not None and checked_object("scene", scene, Scene).changes_nothing:
        scene = None
    heard, notes = ear_for(scene, PRESETS[preset]() if params is None and preset in PRESETS else params)
    if notes:
        preset, params = OWN, heard
    if split is not None:
        split.require_samples(len(listing.clips))
    parts = [""] * len(listing.clips)
    for part, numbers in {} if split is None else split.parts.items():
        for number in numbers:
            parts[number] = part
    clips = [clip for clip, part in zip(listing.clips, parts, strict=True) if part or split is None]
    parts = [part for part in parts if part or split is None]
    members = find_members(clips, parts)
    job = Job(
        corpus=listing.corpus,
        keys=listing.keys,
        preset=preset,
        seed=seed,
        own=params,
        scene=scene,
        pool=pool_for(scene, clips, parts),
    )
    if scene is not None and scene.needs_recordings and split is None:
        notes += (f"noise: {scene.noise} is made of all clips; with a split, each part has noise of its own clips",)
    division = "" if split is None else split.name
    provenance = replace(job.provenance, split=division, run=name_run(job, members, division))
    if shard is not None:
        index, count = shard
        if not 1 <= index <= count:
            raise ValueError(f"shard must be (index, count) with 1 <= index <= count, got {shard}")
        members = members[len(members) * (index - 1) // count : len(members) * index // count]
        path = shard_path(out, index, count)
        return Plan(job, members, replace(provenance, shard=f"{index}/{count}"), {"": path}, path, notes)
    if split is None:
        return Plan(job, members, provenance, {"": out}, out, notes)
    if out.suffix == ".h5":
        raise ValueError(f"{out}: a split is written to a folder with one file for each part; give a name without .h5")
    outputs = part_paths(out, split.parts, corpus=job.corpus, preset=preset, split=division)
    return Plan(job, members, provenance, outputs, out, notes)


def shard_path(out: str | os.PathLike[str], index: int, count: int) -> Path:
    """Path of a shard, beside the file or folder into which all shards will be merged.

    Parameters
    ----------
    out : str or path-like
        The file or folder of the merged shards.
    index, count : int
        Number of the shard, from 1, and number of shards.

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
    """Paths of the parts of a split: files in a folder, with the published names if they are made in the same way.

    Parameters
    ----------
    out : str or path-like
        The folder.
    parts : iterable of str
        Names of the parts.
    corpus, preset, split : str
        Name of the corpus, of the preset and of the split.

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


def find_made(outputs: Mapping[str, Path], provenance: Provenance) -> dict[str, Total]:
    """Content of the outputs that the same encoding has made before, by part; every row of them is read and checked.

    Parameters
    ----------
    outputs : mapping of str to Path
        The files by part; they need not exist.
    provenance : Provenance
        The provenance that the files of this encoding have.
    """
    totals = {part: _total_if_made(path, provenance) for part, path in outputs.items()}
    return {part: total for part, total in totals.items() if total is not None}


def _total_if_made(path: Path, provenance: Provenance) -> Total | None:
    try:
        with SpikeFile(path) as file:
            found = file.provenance
        if found is None or (found.run, found.shard) != (provenance.run, provenance.shard):
            return None
        return read_total(path)
    except (OSError, FormatError):
        return None


def check_outputs(paths: Iterable[Path], whole: Path, *, overwrite: bool) -> None:
    """Raise unless the files of an encoding can be written.

    Parameters
    ----------
    paths : iterable of Path
        The files to be written.
    whole : Path
        The single file, or the folder of all files.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    for path in paths:
        if path.parent == whole and not whole.is_dir():
            if whole.exists():
                raise OutputError(f"{whole}: is a file; with a split, OUT is a folder")
            check_output(whole)
        else:
            check_output(path, overwrite=overwrite)


@contextmanager
def making_parents(whole: Path) -> Iterator[None]:
    """Create the folders above an output; those that are still empty at the end of the block are removed again.

    Parameters
    ----------
    whole : Path
        The single file, or the folder of all files.

    Raises
    ------
    OutputError
        If a folder cannot be created.
    """
    try:
        made = make_parents(whole)
    except OSError as error:
        raise cannot_write(whole, error) from error
    try:
        yield
    finally:
        remove_empty(made)  # a folder with the output or its blocks in it stays
