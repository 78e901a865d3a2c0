"""Find the audio files below a folder by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3", ".aiff", ".aif")


class Found(NamedTuple):
    """The audio files below a folder.

    Parameters
    ----------
    names : list of str
        Paths of the audio files below the folder, with forward slashes, sorted.
    unfit : list of str
        Names of audio files that cannot be used, and of linked folders, sorted.
    """

    names: list[str]
    unfit: list[str]


class Home(NamedTuple):
    """The folder with the recordings of a corpus, which may lie below the folder that was given.

    Parameters
    ----------
    folder : Path
        The folder of the recordings.
    names : list of str
        Names of the recordings, relative to it, sorted.
    unfit : list of str
        Names of all other audio files, relative to the folder that was given, sorted.
    """

    folder: Path
    names: list[str]
    unfit: list[str]


def find_audio(root: Path) -> Found:
    """The audio files below a folder, in the order of their names.

    Linked files count as files. Linked folders are not followed, since they may lead anywhere or in a circle; they are
    reported as unfit, with a slash at the end of their names. Broken links, files that are not regular and names that
    are not UTF-8 are also reported as unfit.

    Parameters
    ----------
    root : Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
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
        The folder of the recordings, or a folder above it.
    pattern : re.Pattern
        Matches the whole name of a recording, relative to the folder of the recordings.
    subfolders : sequence of str
        Where below `root` the recordings may be, if they are not in `root` itself. The first subfolder with a recording
        is taken, so that names do not depend on which folder was given.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If a recording exists twice, with different suffixes.
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
            raise ValueError(f"{folder}: {other!r} and {name!r} are the same recording, keep one of them")


def _is_usable(entry: os.DirEntry[str], name: str) -> bool:
    try:
        name.encode()
        return entry.is_file()
    except (OSError, UnicodeEncodeError):  # a circular link, or a name that is not UTF-8
        return False


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
