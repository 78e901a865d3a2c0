"""What the files of an encoding are called."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

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
