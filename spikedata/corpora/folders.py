"""List recordings that no corpus has named: class folders, with or without parts above them, a flat folder, files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from spikedata.corpora.clip import UNKNOWN_SPEAKER, Clip, Listing, number_by_name, shown, spelled_as
from spikedata.corpora.parts import PARTS, describe_parts, find_parts
from spikedata.corpora.walk import Found, compose_names, composed, encodable, find_audio, is_archive

FOLDER, FILES = "folder", "files"
_HIDDEN = "hidden"


def list_folder(root: Path, *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The clips of a folder: those of its class folders or, if it has no folders with recordings, its own.

    Folders called train, validation, test or the like, with class folders below them, are the parts of a division. A
    flat folder is one class that is called like the folder. Files beside class folders and hidden ones are unfit.

    Parameters
    ----------
    root : Path
        The folder.
    missing : {"fail", "skip"}
        Whether a folder in it that cannot be read is an error or is reported as unfit.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the folder does not exist, or is a file.
    OSError
        If a folder cannot be read.
    """
    found = find_audio(root, may_skip=missing == "skip")
    reasons = found.unfit | {name: _HIDDEN for name in found.names if _is_hidden(name)}
    fitting = [name for name in found.names if name not in reasons]
    sounding = [*fitting, *(name for name in reasons if not _is_hidden(name) and not name.endswith("/"))]
    if not any("/" in name for name in sounding):
        return _one_class(FOLDER, root, fitting, reasons, found.places)
    part_of = _part_folders(sounding, fitting)
    depth = 1 if part_of else 0  # of the class folders
    beside = f"beside the folders {describe_parts(part_of)}" if part_of else "beside the class folders"
    clips, strangers = [], {}
    classes = {name: _class_at(name, depth) for name in fitting if not part_of or name.partition("/")[0] in part_of}
    label_of = number_by_name(word for word in classes.values() if word)
    for name in fitting:
        if word := classes.get(name):
            clips.append(Clip(root, name, label_of[word], UNKNOWN_SPEAKER, spelled_as(name, found.places)))
        else:
            strangers[name] = beside
    reasons |= strangers
    parts = {
        part: tuple(c.name for c in clips if part_of[c.name.partition("/")[0]] == part) for part in PARTS if part_of
    }
    notes = [
        *_notes_on_parts(part_of, parts),
        *_notes_on_classes(root, clips, tuple(label_of), depth, part_of),
        *_notes_on_absent_classes(found, reasons, label_of, depth, part_of),
    ]
    return Listing(
        corpus=FOLDER,
        keys=tuple(label_of),
        clips=tuple(clips),
        unfit=tuple(sorted(reasons)),
        reasons=reasons,
        parts={part: names for part, names in parts.items() if names} or None,
        parts_from=f"folders {describe_parts(part_of)}" if part_of else "",
        notes=tuple(notes),
    )


def list_files(paths: Sequence[Path], *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The clips of one or several files, whatever their suffixes: one class, called like the folder that they share.

    Clip ids are the paths below that folder, so files of the same name in different folders differ.

    Parameters
    ----------
    paths : sequence of Path
        The files, or a single folder, all recordings of which are taken at any depth.
    missing : {"fail", "skip"}
        Whether a file that does not exist, or cannot be told from another, is an error or is reported as unfit.

    Raises
    ------
    FileNotFoundError
        If a file does not exist, or none of them.
    ValueError
        If one of several paths is a folder, or two names are the same in another Unicode form.
    """
    if len(paths) == 1 and paths[0].is_dir():
        found = find_audio(paths[0], may_skip=missing == "skip")
        reasons = found.unfit | {name: _HIDDEN for name in found.names if _is_hidden(name)}
        fitting = [name for name in found.names if name not in reasons]
        return _one_class(FILES, paths[0], fitting, reasons, found.places)
    for path in paths:
        if path.is_dir():
            raise ValueError(f"{path}: is a folder among {len(paths)} paths; give files, or one folder")
    typed = {os.path.abspath(path): path for path in paths}  # noqa: PTH100 - unlike resolve(), follows no link
    try:
        shared = os.path.commonpath([os.path.dirname(path) for path in typed])  # noqa: PTH120
    except ValueError:  # on Windows
        raise ValueError(f"{paths[0]}: the recordings must be on one drive, and some are on others") from None
    root = Path(shared if any(path.is_absolute() for path in paths) else os.path.relpath(shared))
    there, reasons = [], {}
    for place in map(Path, typed):
        name = place.relative_to(shared).as_posix()
        if fault := _fault_of_file(place):
            reasons[encodable(name)] = fault
        else:
            there.append(name)
    names, places, twins = compose_names(there)
    reasons |= twins
    if reasons and (missing == "fail" or not names):
        first = next(iter(reasons))
        error = FileNotFoundError if "no such" in reasons[first] else ValueError
        raise error(f"{root / first}: {reasons[first]}")
    times = Counter(map(os.path.abspath, paths))
    repeated = [f"{typed[path]}: given {count} times, taken once" for path, count in times.items() if count > 1]
    listing = _one_class(FILES, root, names, reasons, places)
    return replace(listing, notes=(*repeated, *listing.notes))


def _one_class(
    corpus: str, root: Path, names: Sequence[str], reasons: Mapping[str, str], places: Mapping[str, str]
) -> Listing:
    """Recordings that no folder divides into classes: one class, called like the folder that holds them."""
    key = composed(os.path.basename(os.path.abspath(root))) or corpus  # noqa: PTH100, PTH119 - "." and ".." have names
    counted = "1 recording is" if len(names) == 1 else f"{len(names):,} recordings are"
    note = f"{counted} one class, {key!r}, called like the folder; for several, use class folders or a table"
    return Listing(
        corpus=corpus,
        keys=(key,),
        clips=tuple(Clip(root, name, 0, UNKNOWN_SPEAKER, spelled_as(name, places)) for name in names),
        unfit=tuple(sorted(reasons)),
        reasons=reasons,
        notes=(note,) if names else (),
    )


def _fault_of_file(path: Path) -> str:
    """Why a file that was named by itself cannot be taken; empty if it can."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    try:
        if not path.exists():
            return "no such file or folder"
        if is_archive(path):
            return "an archive, not a recording; unpack it and give the folder"
        return "" if path.is_file() else "not a regular file"
    except OSError as error:  # a folder above the file may not be searched
        return f"cannot be read: {error.strerror or error}"


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name


def _part_folders(sounding: Iterable[str], fitting: Iterable[str]) -> dict[str, str]:
    """The parts that the outermost folders stand for; none if they are the class folders themselves."""
    tops = dict.fromkeys(sorted(name.partition("/")[0] for name in sounding if "/" in name))
    part_of = find_parts(tops)
    if len(part_of) < len(tops) and not (len(part_of) > 1 and "train" in part_of.values()):
        return {}  # a class may be called 'train' or 'test', too
    has_class_folders = any(name.count("/") > 1 and name.partition("/")[0] in part_of for name in fitting)
    return part_of if has_class_folders else {}


def _class_at(name: str, depth: int) -> str:
    """The class folder of a recording; empty if it lies beside the class folders."""
    folders = name.split("/")[:-1]
    return folders[depth] if len(folders) > depth else ""


def _notes_on_parts(part_of: Mapping[str, str], parts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if not part_of:
        return
    counts = ", ".join(f"{part} {len(names):,}" for part, names in parts.items() if names)
    described = describe_parts(part_of)
    yield f"the folders {described} divide the recordings ({counts}) and are no classes; --split listed uses them"
    for part in dict.fromkeys(part_of.values()):
        if not parts[part]:
            yield f"the part {part!r} has no recordings in class folders"


def _notes_on_classes(
    root: Path, clips: Sequence[Clip], keys: Sequence[str], depth: int, part_of: Mapping[str, str]
) -> Iterator[str]:
    if not part_of and keys and len(find_parts(keys)) == len(keys) > 1:
        yield f"the classes are {', '.join(map(repr, keys))}: if these are parts of the data, put class folders in them"
    inner = sorted({_class_at(clip.name, depth + 1) for clip in clips} - {""})
    if len(keys) > 1 and len(inner) > 1 and not part_of and len(find_parts(inner)) == len(inner):
        described = describe_parts(find_parts(inner))
        yield f"the folders {described} lie below the classes and divide nothing; put them above"
    if len(keys) != 1:
        return
    above = next((clip.name.partition("/")[0] for clip in clips if _class_at(clip.name, depth + 1)), "")
    place = root / above / keys[0] if part_of else root / keys[0]
    hint = f"; if the folders in it are the classes ({shown(inner)}), give {place}" if len(inner) > 1 else ""
    yield f"all recordings are of one class, {keys[0]!r}{hint}"


def _notes_on_absent_classes(
    found: Found, reasons: Mapping[str, str], keys: Iterable[str], depth: int, part_of: Mapping[str, str]
) -> Iterator[str]:
    """What became of the folders that could have been classes."""
    unfit_in: dict[str, list[str]] = {}
    for name in reasons:
        if (word := _class_at(composed(name), depth)) and not _is_hidden(name) and _is_below_parts(name, part_of):
            unfit_in.setdefault(word, []).append(name)
    for word, names in sorted(unfit_in.items()):
        if word not in keys and names[0].endswith(f"{word}/"):
            yield f"there is no class {word!r}: {reasons[names[0]]}"
        elif word not in keys:
            of_them = "its recording" if len(names) == 1 else f"none of its {len(names):,} recordings"
            cannot = "cannot be used" if len(names) == 1 else "can be used"
            yield f"there is no class {word!r}: {of_them} {cannot}: {names[0]!r}: {reasons[names[0]]}"
    folders = (name for name in found.folders if name.count("/") == depth and not _is_hidden(name))
    words = {name.rpartition("/")[2] for name in folders if _is_below_parts(name + "/", part_of)}
    if silent := sorted(words - unfit_in.keys() - set(keys)):
        yield f"{'a folder holds' if len(silent) == 1 else 'folders hold'} no recordings: {shown(silent)}"


def _is_below_parts(name: str, part_of: Mapping[str, str]) -> bool:
    return not part_of or name.partition("/")[0] in part_of
