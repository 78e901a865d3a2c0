"""The audio files below a folder, by their names alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3", ".aiff", ".aif")


class Found(NamedTuple):
    """What lies below a folder.

    Parameters
    ----------
    names : list of str
        Paths of the audio files below the folder, with forward slashes, sorted.
    unfit : list of str
        Names of what looks like audio but cannot be used, and of linked folders, sorted.
    """

    names: list[str]
    unfit: list[str]


class Home(NamedTuple):
    """The folder that holds a corpus's recordings, whatever folder around it was given.

    Parameters
    ----------
    folder : Path
        That folder.
    names : list of str
        Names of the recordings, relative to it, sorted.
    unfit : list of str
        Names of all else that was found, relative to the folder that was given, sorted.
    """

    folder: Path
    names: list[str]
    unfit: list[str]


def find_audio(root: Path) -> Found:
    """The audio files below a folder, in the order of their names.

    A linked file is one like any other. Linked folders are not entered, since they may lead anywhere or in a circle;
    they are reported as unfit, with a slash at the end. So are links to nothing, what is no regular file, and names
    that are not UTF-8.

    Parameters
    ----------
    root : Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    OSError
        If a folder cannot be read.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    names: list[str] = []
    unfit: list[str] = []
    prefixes = [""]
    while prefixes:
        prefix = prefixes.pop()
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    prefixes.append(name + "/")
                elif entry.name.lower().endswith(AUDIO_SUFFIXES):
                    (names if _is_usable(entry, name) else unfit).append(name)
                elif entry.is_symlink() and Path(entry.path).is_dir():
                    unfit.append(name + "/")
    return Found(sorted(names), sorted(map(_printable, unfit)))


def find_recordings(root: Path, pattern: re.Pattern[str], subfolders: Sequence[str] = ()) -> Home:
    """The recordings of a corpus whose file names follow a pattern.

    Parameters
    ----------
    root : Path
        The folder of the corpus, or the one around it.
    pattern : re.Pattern
        What a recording's whole name is, relative to the folder that holds the recordings.
    subfolders : sequence of str
        Where below `root` the recordings may lie, if they do not lie in it: the first that has one is taken, so that
        names do not depend on which folder was given.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If one recording is there twice, with different suffixes.
    OSError
        If a folder cannot be read.
    """
    found = find_audio(root)
    homes = ("", *(f"{subfolder}/" for subfolder in subfolders))
    home = next((home for home in homes if any(_fitting(found.names, pattern, home))), "")
    names = list(_fitting(found.names, pattern, home))
    _require_once(root / home, names)
    fitting = set(names)
    others = [n for n in found.names if not n.startswith(home) or n[len(home) :] not in fitting]
    return Home(root / home, names, sorted(others + found.unfit))


def _fitting(names: list[str], pattern: re.Pattern[str], home: str) -> Iterator[str]:
    below = (name[len(home) :] for name in names if name.startswith(home))
    return (name for name in below if pattern.fullmatch(name))


def _require_once(folder: Path, names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.rpartition(".")[0], name)
        if other != name:
            raise ValueError(f"{folder}: {other!r} and {name!r} are one recording, keep one of them")


def _is_usable(entry: os.DirEntry[str], name: str) -> bool:
    try:
        name.encode()
        return entry.is_file()
    except (OSError, UnicodeEncodeError):  # a link in a circle; a name that is not UTF-8
        return False


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
