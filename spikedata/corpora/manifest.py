"""Clips by a CSV file: one line for each recording, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from spikedata.corpora.clip import UNKNOWN_SPEAKER, Clip, Listing, number_by_name, require_storable_speakers
from spikedata.corpora.manifest_lines import PARTS, ManifestLine, read_manifest_lines

_N_SHOWN = 3
_MOST_DIGITS = 18  # of a number; what is longer is a name


def list_manifest(path: Path, *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The clips that a CSV file names: UTF-8, with the columns path and label, and speaker and part where wanted.

    A path is relative to the file's folder, or absolute. Labels are text; the classes are in the order of their names,
    or of their numbers if all are whole numbers. Speakers that are all whole numbers keep them; others are numbered in
    the order of their names; without that column they are unknown (-1). A part is train, validation or test. Classes
    and speakers count even where a recording is missing, so that no number depends on which files are there.

    Parameters
    ----------
    path : Path
        The CSV file.
    missing : {"fail", "skip"}
        Whether recordings that are not there are an error, or are reported as unfit.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or recordings are missing.
    ValueError
        If the file breaks a rule; the message names file, line, rule and what was found.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a.wav").touch()
    ...     _ = Path(folder, "words.csv").write_text("path,label,speaker\\na.wav,cat,Ada\\n")
    ...     listing = list_manifest(Path(folder, "words.csv"))
    >>> listing.clips[0].name, listing.keys, listing.speaker_names
    ('a.wav', ('cat',), ('Ada',))
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such manifest, must be a CSV file")
    lines = read_manifest_lines(path)
    there, absent = _look(path, lines, missing)
    keys, label_of = _number_labels(line.label for line in lines)
    number_of, speaker_names = _number_speakers(path, lines)
    root = path.parent
    return Listing(
        corpus="manifest",
        keys=keys,
        clips=tuple(Clip(root, line.name, label_of[line.label], number_of[line.speaker]) for line in there),
        unfit=tuple(line.name for line in absent),
        speaker_names=speaker_names,
        parts=_parts(there) if lines[0].part else None,
        parts_from=path.name if lines[0].part else "",
    )


def _look(
    path: Path, lines: list[ManifestLine], missing: Literal["fail", "skip"]
) -> tuple[list[ManifestLine], list[ManifestLine]]:
    """The lines whose recordings are there, and the others."""
    there: list[ManifestLine] = []
    absent: list[ManifestLine] = []
    for line in lines:
        (there if _is_file(path.parent / line.name) else absent).append(line)
    if absent and (missing == "fail" or not there):
        first = sorted(absent, key=lambda line: line.number)[:_N_SHOWN]
        named = ", ".join(f"{line.name!r} (line {line.number})" for line in first)
        rule = f"{len(absent)} of {len(lines)} recordings are not there, the first: {named}"
        raise FileNotFoundError(f"{path}: {rule}")
    return there, absent


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder above it may not be searched
        return False


def _number_labels(labels: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names, and the class of each label; '1' and '01' are one number, so one class."""
    distinct = set(labels)
    if not all(map(_is_whole, distinct)):
        number_of = number_by_name(distinct)
        return tuple(number_of), number_of
    values = sorted(set(map(int, distinct)))
    rank = {value: index for index, value in enumerate(values)}
    return tuple(map(str, values)), {label: rank[int(label)] for label in distinct}


def _number_speakers(path: Path, lines: Sequence[ManifestLine]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Number of each speaker, and their names where they are no numbers."""
    line_of = {line.speaker: line.number for line in lines}
    if "" in line_of:  # no such column
        return {"": UNKNOWN_SPEAKER}, ()
    are_numbers = all(map(_is_whole, line_of))
    number_of = {speaker: int(speaker) for speaker in line_of} if are_numbers else number_by_name(line_of)
    last = max(number_of, key=number_of.__getitem__)
    require_storable_speakers(f"{path}: line {line_of[last]}", number_of[last])
    return number_of, () if are_numbers else tuple(number_of)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _parts(lines: Sequence[ManifestLine]) -> dict[str, tuple[str, ...]]:
    parts = {part: tuple(line.name for line in lines if line.part == part) for part in PARTS}
    return {part: names for part, names in parts.items() if names}
