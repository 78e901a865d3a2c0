"""Find the audio files below a folder by their names."""

from __future__ import annotations

import importlib.util
import mimetypes
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from spikedata.corpora.formats import DECODED_BY_PYAV, is_sound, readable_suffixes

NEEDS_PYAV = "needs a decoder: pip install 'spikedata-audio[formats]'"

# The first bytes of files that hold sound, at these places. Only files that no suffix tells anything about are looked
# at: a recording without a suffix, or with a second one (`a.wav.part`).
_BEGINNINGS = {
    "WAV": ((0, b"RIFF"), (8, b"WAVE")),
    "WAV of more than 4 GB": ((0, b"RF64"), (8, b"WAVE")),
    "FLAC": ((0, b"fLaC"),),
    "Ogg": ((0, b"OggS"),),
    "AIFF": ((0, b"FORM"), (8, b"AIF")),
    "AU": ((0, b".snd"),),
    "CAF": ((0, b"caff"),),
    "Wave64": ((0, b"riff\x2e\x91\xcf\x11"),),
    "NIST SPHERE": ((0, b"NIST_1A"),),
    "MP3": ((0, b"ID3"),),
    "AMR": ((0, b"#!AMR"),),
    "MPEG-4": ((4, b"ftyp"),),
    "Matroska or WebM": ((0, b"\x1aE\xdf\xa3"),),
}
_LONGEST_BEGINNING = 12  # [byte]
_TYPES = mimetypes.MimeTypes().types_map[True]  # those that Python knows by itself, the same on every machine
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_NO_SOUND = ("text/", "image/", "application/", "message/", "font/", "model/")
_ANYTHING = "application/octet-stream"  # what the suffixes .bin, .o and .obj are said to hold


class Found(NamedTuple):
    """The audio files below a folder.

    Parameters
    ----------
    names : list of str
        Paths of the audio files below the folder in Unicode's composed form (NFC), with forward slashes, sorted.
    unfit : dict of str to str
        Names of what looks like a recording and cannot be used, and of linked folders, sorted; each with the reason.
    places : dict of str to str
        For the names whose form on the disk differs: their paths below the folder as the disk has them.
    folders : list of str
        The folders directly in the folder and in those, in composed form, sorted.
    """

    names: list[str]
    unfit: dict[str, str]
    places: dict[str, str]
    folders: list[str]


class Home(NamedTuple):
    """The folder with the recordings of a corpus, which may lie below the folder that was given.

    Parameters
    ----------
    folder : Path
        The folder of the recordings.
    names : list of str
        Names of the recordings, relative to it, sorted.
    unfit : dict of str to str
        Names of all other audio files, relative to the folder that was given, sorted; each with the reason, or "" if it
        is only named otherwise.
    places : dict of str to str
        For the names whose form on the disk differs: their paths below the folder as the disk has them.
    """

    folder: Path
    names: list[str]
    unfit: dict[str, str]
    places: dict[str, str]


def composed(text: str) -> str:
    """A text in Unicode's composed form (NFC), in which names of recordings, classes and speakers are compared.

    A Mac stores ``fünf`` as five characters, ``u`` and two dots among them; elsewhere it has four.

    Parameters
    ----------
    text : str
        The text.

    Examples
    --------
    >>> composed("fu\\u0308nf") == "fünf"
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_archive(path: Path) -> bool:
    """Whether a file bears the name of an archive.

    Parameters
    ----------
    path : Path
        The file.
    """
    return path.name.lower().endswith(_ARCHIVES)


def find_audio(root: Path, *, may_skip: bool = False) -> Found:
    """The audio files below a folder, in the order of their names.

    What has the suffix of a recording is one, in either case. A file whose suffix tells nothing, or that has none, is
    looked at: if it begins as a recording does, it is reported as unfit. So are those that need a decoder which is not
    installed. Names are in composed form; of two files that differ in their Unicode form only, one is reported as
    unfit.

    Linked files count as files. Linked folders are not followed, since they may lead anywhere or in a circle; they are
    reported as unfit, with a slash at the end of their names. Broken links, files that are not regular and names that
    are not UTF-8 are also reported as unfit.

    Parameters
    ----------
    root : Path
        The folder.
    may_skip : bool
        Whether a folder below it that cannot be read is reported as unfit, with a slash at the end of its name.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    NotADirectoryError
        If it is a file.
    OSError
        If a folder cannot be read.
    """
    if not root.is_dir():
        if root.exists():
            way = "; unpack it" if is_archive(root) else ""
            raise NotADirectoryError(f"{root}: is a file, must be a folder of recordings{way}")
        raise FileNotFoundError(f"{root}: no such folder")
    names: list[str] = []
    unfit: dict[str, str] = {}
    folders: list[str] = []
    prefixes = [""]
    named_as_sound: list[str] = []
    sounds: dict[str, str | None] = {}  # by suffix, so that each is asked about once
    while prefixes:
        prefix = prefixes.pop()
        try:
            with os.scandir(root / prefix) as found:
                entries = list(found)
        except OSError as error:
            if not (may_skip and prefix):
                raise
            unfit[composed(encodable(prefix))] = f"a folder that cannot be read: {error.strerror or error}"
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                prefixes.append(name + "/")
                if is_sound(entry.name):
                    named_as_sound.append(name + "/")
                if prefix.count("/") <= 1:
                    folders.append(composed(encodable(name)))
                continue
            suffix = entry.name.rpartition(".")[2]
            if suffix not in sounds:
                sounds[suffix] = _fault_of_suffix(entry.name) if is_sound(entry.name) else None
            if (unreadable := sounds[suffix]) is not None:
                if fault := _fault(entry, name) or unreadable:
                    unfit[composed(encodable(name))] = fault
                else:
                    names.append(name)
            elif entry.is_symlink() and Path(entry.path).is_dir():
                unfit[composed(encodable(name)) + "/"] = "a linked folder, which is not followed; give its target"
            elif kind := _kind_by_content(entry):
                fault = f"begins as {kind} does, but is not named as a recording; give it the suffix"
                unfit[composed(encodable(name))] = fault
    for folder in named_as_sound:
        if not any(name.startswith(folder) for name in names):
            unfit.setdefault(composed(encodable(folder)), "a folder, though named as a recording")
    fitting, places, twins = compose_names(names)
    return Found(fitting, dict(sorted((unfit | twins).items())), places, sorted(folders))


def compose_names(names: Iterable[str]) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Names in composed form, sorted; how the disk spells those that differ; and those that are the same twice.

    Parameters
    ----------
    names : iterable of str
        The names as the disk has them, all different.

    Returns
    -------
    names : list of str
        In composed form, all different.
    places : dict of str to str
        The names on the disk, where they differ.
    twins : dict of str to str
        Names on the disk that are left out, since another has the same composed form, with the reason. The name that is
        in composed form already is kept, if there is one.
    """
    places: dict[str, str] = {}
    twins: dict[str, str] = {}
    taken: set[str] = set()
    names = list(names)
    if all(map(str.isascii, names)):
        return sorted(names), places, twins
    for name in sorted(names, key=lambda name: (composed(name), name != composed(name), name)):
        one = composed(name)
        if one in taken:
            twins[name] = f"another recording has this name in another Unicode form than {name!a}; rename one"
            continue
        taken.add(one)
        if one != name:
            places[one] = name
    return sorted(taken), places, twins


def find_recordings(
    root: Path, pattern: re.Pattern[str], subfolders: Sequence[str] = (), *, may_skip: bool = False
) -> Home:
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
    may_skip : bool
        As in `find_audio`.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If a recording exists twice, with different suffixes.
    OSError
        If a folder cannot be read.
    """
    found = find_audio(root, may_skip=may_skip)
    homes = ("", *(f"{subfolder}/" for subfolder in subfolders))
    home = next((home for home in homes if any(_fitting(found.names, pattern, home))), "")
    names = list(_fitting(found.names, pattern, home))
    _require_once(root / home, names)
    fitting = set(names)
    others = {n: "" for n in found.names if not n.startswith(home) or n[len(home) :] not in fitting}
    places = {name: found.places[home + name][len(home) :] for name in names if home + name in found.places}
    return Home(root / home, names, dict(sorted((others | found.unfit).items())), places)


def _fitting(names: list[str], pattern: re.Pattern[str], home: str) -> Iterator[str]:
    below = (name[len(home) :] for name in names if name.startswith(home))
    return (name for name in below if pattern.fullmatch(name))


def _require_once(folder: Path, names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.rpartition(".")[0], name)
        if other != name:
            raise ValueError(f"{folder}: {other!r} and {name!r} are the same recording, keep one of them")


def _fault(entry: os.DirEntry[str], name: str) -> str:
    """Why a file with the name of a recording cannot be used; empty if it can."""
    try:
        if not name.isascii():
            name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    try:
        if not entry.is_file():
            is_broken = entry.is_symlink() and not Path(entry.path).exists()
            return "a link to nothing" if is_broken else "not a regular file"
    except OSError:  # a circular link
        return "a link to nothing"
    return ""


def _fault_of_suffix(name: str) -> str:
    """What a recording with the suffix of this name lacks to be read; empty if it lacks nothing."""
    suffix = Path(name).suffix.lower()
    if suffix in readable_suffixes() or suffix not in DECODED_BY_PYAV:
        return ""
    return "" if importlib.util.find_spec("av") is not None else NEEDS_PYAV


def _kind_by_content(entry: os.DirEntry[str]) -> str:
    """The format of a recording that is not named as one; empty if it does not look like sound."""
    kind = _TYPES.get(Path(entry.name).suffix.lower(), _ANYTHING)
    if kind.startswith(_NO_SOUND) and kind != _ANYTHING:
        return ""
    try:
        if not entry.is_file():  # to open a pipe would wait for ever
            return ""
        with Path(entry.path).open("rb") as file:
            beginning = file.read(_LONGEST_BEGINNING)
    except OSError:
        return ""
    return next((kind for kind, marks in _BEGINNINGS.items() if _begins(beginning, marks)), "")


def _begins(beginning: bytes, marks: Sequence[tuple[int, bytes]]) -> bool:
    return all(beginning.startswith(mark, place) for place, mark in marks)


def encodable(name: str) -> str:
    """A name with escapes in place of what is not UTF-8 on the disk.

    Parameters
    ----------
    name : str
        Of a file or folder.
    """
    return name.encode(errors="backslashreplace").decode()
