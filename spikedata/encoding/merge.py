"""Join the shards of an encoding into the files that it would have made without shards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from spikedata.corpora.audio import AudioError
from spikedata.encoding.assemble import assemble, none_usable
from spikedata.encoding.folder import BlockFolder, blocks_folder
from spikedata.encoding.plan import check_outputs, find_made, making_parents, part_paths
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import Provenance


class Merged(NamedTuple):
    """The result of a merge.

    Parameters
    ----------
    outputs : tuple of str
        The files.
    n_clips, n_spikes : int
        Number of clips and of spikes in them [1].
    skipped : tuple of str
        For each clip that was left out, the reason.
    remarks : tuple of str
        As in `spikedata.encoding.encode.Encoding`.
    notes : tuple of str
        What was assumed or left out when whole files were joined.
    """

    outputs: tuple[str, ...]
    n_clips: int
    n_spikes: int
    skipped: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _Shard(NamedTuple):
    """The facts about a shard that must agree, or add up, over all shards."""

    path: Path
    number: int
    n_shards: int
    provenance: Provenance
    keys: tuple[str, ...]
    times_dtype: str
    n_units: int
    parts: frozenset[str]
    n_clips: int
    skipped: tuple[str, ...]


def merge_shards(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Merged:
    """Join all shards of one encoding, given in any order. The shards are not removed.

    The files are identical, byte by byte, to those that the encoding makes without shards.

    Parameters
    ----------
    paths : sequence of path-like
        The shards, made by ``spikedata encode --shard``.
    out : str or path-like
        The spike file; for shards of a split, the folder for the files of the parts. Missing folders above it are
        created.
    overwrite : bool
        Whether existing files at the output paths may be replaced.
    on_progress : callable, optional
        Called with the number of finished shards and of all shards.

    Returns
    -------
    Merged

    Raises
    ------
    FileNotFoundError, FormatError
        If a shard does not exist or is damaged.
    AudioError
        If no recording of any shard could be used.
    ValueError
        If a file is not a shard or belongs to another encoding, or a shard is missing or given twice.
    OutputError
        If a file cannot be written.
    """
    shards = _in_order([_read_shard(Path(path)) for path in paths])
    skipped = [line for shard in shards for line in shard.skipped]
    if skipped and not any(shard.n_clips for shard in shards):
        raise AudioError(f"{out}: {none_usable(len(skipped), skipped[0])}")
    made = replace(shards[0].provenance, shard="")
    outputs = _outputs(Path(out), made, frozenset().union(*(shard.parts for shard in shards)))
    with making_parents(Path(out)):
        totals = find_made(outputs, made)
        missing = {part: path for part, path in outputs.items() if part not in totals}
        check_outputs(missing.values(), Path(out), overwrite=overwrite)
        report = on_progress or (lambda *_: None)

        def pieces() -> Iterator[Path]:
            for number, shard in enumerate(shards):
                report(number, len(shards))
                yield shard.path
            report(len(shards), len(shards))

        if missing or blocks_folder(Path(out)).is_dir():  # opening the folder removes what a killed merge left in it
            with BlockFolder(Path(out)) as room:
                if missing:
                    totals |= assemble(
                        pieces(),
                        missing,
                        keys=shards[0].keys,
                        times_dtype=shards[0].times_dtype,
                        n_units=shards[0].n_units,
                        provenance=made,
                        scratch=room.path,
                        overwrite=overwrite,
                    )
    return Merged(
        outputs=tuple(map(str, outputs.values())),
        n_clips=sum(total.n_clips for total in totals.values()),
        n_spikes=sum(total.n_spikes for total in totals.values()),
        skipped=next(iter(totals.values())).skipped,
        remarks=next(iter(totals.values())).remarks,
    )


def _read_shard(path: Path) -> _Shard:
    with SpikeFile(path) as file:
        if file.provenance is None or not file.provenance.shard:
            raise ValueError(f"{path}: is not a shard; `spikedata encode --shard I/N` makes shards")
        index, count = map(int, file.provenance.shard.split("/"))
        parts = frozenset(file.parts)
        facts = (file.provenance, file.keys, file.times_dtype.name, file.n_units, parts, len(file), file.skipped)
        return _Shard(path, index, count, *facts)


def _in_order(shards: list[_Shard]) -> list[_Shard]:
    """The shards in the order of their numbers; raises unless they are all shards of one encoding, each once."""
    if not shards:
        raise ValueError("there must be at least one shard to merge")
    first = shards[0]
    by_number: dict[int, _Shard] = {}
    for shard in shards:
        if (shard.provenance.run, shard.n_shards) != (first.provenance.run, first.n_shards):
            raise ValueError(f"{shard.path}: is a shard of a different encoding than {first.path}")
        if shard.number in by_number:
            raise ValueError(
                f"{shard.path}: is shard {shard.number}/{shard.n_shards}, the same as {by_number[shard.number].path}"
            )
        by_number[shard.number] = shard
    missing = [index for index in range(1, first.n_shards + 1) if index not in by_number]
    if missing:
        named = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        how = f"encode --shard {missing[0]}/{first.n_shards} makes the first of them"
        raise ValueError(f"{len(missing)} of {first.n_shards} shards are missing: {named}; {how}")
    return [by_number[index] for index in sorted(by_number)]


def _outputs(out: Path, made: Provenance, parts: frozenset[str]) -> dict[str, Path]:
    if not made.split:
        return {"": out}
    if out.suffix == ".h5":
        raise ValueError(f"{out}: a split is written to a folder with one file for each part; give a name without .h5")
    preset = str(json.loads(made.params)["preset"])
    return part_paths(out, sorted(parts), corpus=made.corpus, preset=preset, split=made.split)
