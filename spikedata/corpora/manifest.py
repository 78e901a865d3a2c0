"""List the clips of a CSV manifest: one line for each recording, wherever it is stored."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from spikedata.corpora.clip import UNKNOWN_SPEAKER, Clip, Listing, number_by_name, require_storable_speakers

REQUIRED, OPTIONAL = ("path", "label"), ("speaker", "part")
PARTS = ("train", "validation", "test")
_N_SHOWN = 3  # missing recordings named in an error
_MOST_DIGITS = 18  # longest number; a longer text is treated as a name


def list_manifest(path: Path, *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The clips of a CSV file in UTF-8 with the columns path and label, and optionally speaker and part.

    A path is absolute, or relative to the folder of the file. Labels are text; classes are sorted by name, or by value
    if all labels are whole numbers. If all speakers are whole numbers, these are the speaker numbers; otherwise
    speakers are numbered in the order of their names. Without the column, speakers are unknown (-1). A part is train,
    validation or test. Classes and speakers of missing recordings are included, so that the numbers do not depend on
    which files exist.

    Parameters
    ----------
    path : Path
        The CSV file.
    missing : {"fail", "skip"}
        Whether missing recordings are an error or are reported as unfit.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or recordings are missing.
    ValueError
        If the file is invalid; the message names the file, the line, the rule and the value.

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
    lines = _read_lines(path)
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


class _Line(NamedTuple):
    """One recording of a manifest: line number from 1, clip id, and the texts of the columns, empty if missing."""

    number: int
    name: str
    label: str
    speaker: str
    part: str


def _read_lines(path: Path) -> list[_Line]:
    """The recordings listed in a CSV file, sorted by name; the file must be UTF-8 with a header."""
    rows = _read_rows(path)
    number, header = next(rows, (0, []))
    if not header:
        raise ValueError(f"{path}: is empty, must begin with a header such as 'path,label'")
    _check_header(f"{path}: line {number}", header)
    lines = [_parse(f"{path}: line {number}", path.parent, number, header, fields) for number, fields in rows]
    if not lines:
        raise ValueError(f"{path}: names no recording, must have lines below its header")
    lines.sort(key=lambda line: (line.name, line.number))
    for one, other in pairwise(lines):
        if one.name == other.name:
            raise ValueError(f"{path}: lines {one.number} and {other.number}: path {one.name!r} must occur once")
    return lines


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line, and fields, of each row that is not blank."""
    reader = csv.reader(_decoded(path), strict=True, skipinitialspace=True)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num}: must be CSV: {error}") from None


def _decoded(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                found = f"0x{line[error.start]:02x}"
                raise ValueError(f"{path}: line {number}: must be UTF-8 text, got byte {found}") from None
            if "\0" in text:
                raise ValueError(f"{path}: line {number}: must be text, got a NUL character")
            yield text


def _check_header(where: str, header: list[str]) -> None:
    known = (*REQUIRED, *OPTIONAL)
    for column in header:
        if header.count(column) > 1:
            raise ValueError(f"{where}: column {column!r} must occur once, got {header.count(column)}")
    for column in REQUIRED:
        if column not in header:
            raise ValueError(f"{where}: column {column!r} is missing, got {', '.join(map(repr, header))}")
    for column in header:
        if column not in known:
            raise ValueError(f"{where}: columns must be among {', '.join(known)}, got {column!r}")


def _parse(where: str, folder: Path, number: int, header: list[str], fields: list[str]) -> _Line:
    if len(fields) != len(header):
        raise ValueError(f"{where}: must have {len(header)} fields as the header has, got {len(fields)}")
    row = dict(zip(header, (field.strip() for field in fields), strict=True))
    for column, value in row.items():
        if not value:
            raise ValueError(f"{where}: {column} must not be empty")
    part = row.get("part", "")
    if part and part not in PARTS:
        raise ValueError(f"{where}: part must be one of {', '.join(PARTS)}, got {part!r}")
    return _Line(number, _name(folder, row["path"]), row["label"], row.get("speaker", ""), part)


def _name(folder: Path, path: str) -> str:
    pure = PurePath(path)
    if pure.is_absolute():
        here = folder.absolute()
        pure = pure.relative_to(here) if pure.is_relative_to(here) else pure
    return pure.as_posix()


def _look(path: Path, lines: list[_Line], missing: Literal["fail", "skip"]) -> tuple[list[_Line], list[_Line]]:
    """The lines whose recordings exist, and the others."""
    there: list[_Line] = []
    absent: list[_Line] = []
    for line in lines:
        (there if _is_file(path.parent / line.name) else absent).append(line)
    if absent and (missing == "fail" or not there):
        first = sorted(absent, key=lambda line: line.number)[:_N_SHOWN]
        named = ", ".join(f"{line.name!r} (line {line.number})" for line in first)
        rule = f"{len(absent)} of {len(lines)} recordings are missing, first {named}"
        raise FileNotFoundError(f"{path}: {rule}")
    return there, absent


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder above the file may not be searched
        return False


def _number_labels(labels: Iterable[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Class names, and the class of each label; '1' and '01' are the same number and hence the same class."""
    distinct = set(labels)
    if not all(map(_is_whole, distinct)):
        number_of = number_by_name(distinct)
        return tuple(number_of), number_of
    values = sorted(set(map(int, distinct)))
    rank = {value: index for index, value in enumerate(values)}
    return tuple(map(str, values)), {label: rank[int(label)] for label in distinct}


def _number_speakers(path: Path, lines: Sequence[_Line]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Number of each speaker, and the names of the speakers unless they are numbers."""
    line_of = {line.speaker: line.number for line in lines}
    if "" in line_of:  # there is no column of speakers
        return {"": UNKNOWN_SPEAKER}, ()
    are_numbers = all(map(_is_whole, line_of))
    number_of = {speaker: int(speaker) for speaker in line_of} if are_numbers else number_by_name(line_of)
    last = max(number_of, key=number_of.__getitem__)
    require_storable_speakers(f"{path}: line {line_of[last]}", number_of[last])
    return number_of, () if are_numbers else tuple(number_of)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _parts(lines: Sequence[_Line]) -> dict[str, tuple[str, ...]]:
    parts = {part: tuple(line.name for line in lines if line.part == part) for part in PARTS}
    return {part: names for part, names in parts.items() if names}
