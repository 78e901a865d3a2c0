"""The division of a corpus that stands in lists of file names beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class ListedParts(NamedTuple):
    """A division that a corpus brings.

    Parameters
    ----------
    parts : dict of str to tuple of str, optional
        Names by part, as they stand in the lists; names of clips where there is such a clip.
    origin : str
        Where that stands: names of the lists.
    """

    parts: dict[str, tuple[str, ...]] | None = None
    origin: str = ""


def read_parts(
    folders: Sequence[Path],
    lists: Mapping[str, str],
    names: Sequence[str],
    *,
    n_folders: int,
    others: str | None = None,
) -> ListedParts | None:
    """The division that lists of file names make; None where no list is there.

    A list has one file name per line. Neither the suffix nor the folders around the corpus matter:
    ``lang-…_digit-0``, ``lang-…_digit-0.flac`` and ``audio/lang-…_digit-0.wav`` are one recording.

    Parameters
    ----------
    folders : sequence of Path
        Where the lists may lie, together; the first that has one is taken.
    lists : dict of str to str
        File name of each part's list.
    names : sequence of str
        Names of the clips.
    n_folders : int
        How many folders of a name tell recordings apart [1].
    others : str, optional
        Part of all clips that no list names.

    Returns
    -------
    ListedParts or None
        A line that names no clip is kept as it is, for whoever makes a split to refuse.

    Raises
    ------
    ValueError
        If only some of the lists are there, or one is not UTF-8.
    """
    folder = next((folder for folder in folders if any((folder / file).is_file() for file in lists.values())), None)
    if folder is None:
        return None
    for file in lists.values():
        if not (folder / file).is_file():
            there = next(other for other in lists.values() if (folder / other).is_file())
            raise ValueError(f"{folder / file}: is missing beside {there}; put it there, or take the other away")
    name_of = {_key(name, n_folders): name for name in names}
    parts = {}
    for part, file in lists.items():
        parts[part] = tuple(name_of.get(_key(line, n_folders), line) for line in _read_lines(folder / file))
    if others is not None:
        listed = {name for part in parts.values() for name in part}
        parts = {others: tuple(name for name in names if name not in listed), **parts}
    return ListedParts(parts, " and ".join(lists.values()))


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: must be UTF-8 text with one file name per line: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _key(name: str, n_folders: int) -> str:
    last = name.replace("\\", "/").split("/")[-1 - n_folders :]
    stem, dot, suffix = last[-1].rpartition(".")
    return "/".join([*last[:-1], stem if dot else suffix])
