"""The lines of a manifest, read and checked; whether the recordings are there is not asked here."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path, PurePath
from typing import NamedTuple

REQUIRED, OPTIONAL = ("path", "label"), ("speaker", "part")
PARTS = ("train", "validation", "test")


class ManifestLine(NamedTuple):
    """One recording of a manifest.

    Parameters
    ----------
    number : int
        Number of the line in the file, from 1.
    name : str
        Path of the recording, relative to the manifest's folder where it lies there.
    label : str
        Its class.
    speaker, part : str
        As they stand there; empty where there is no such column.
    """

    number: int
    name: str
    label: str
    speaker: str
    part: str


def read_manifest_lines(path: Path) -> list[ManifestLine]:
    """The recordings that a CSV file names, in the order of their names.

    Parameters
    ----------
    path : Path
        The file: UTF-8, fields apart by commas, with a header.

    Raises
    ------
    ValueError
        If the file breaks a rule; the message names file, line, rule and what was found.
    """
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
            raise ValueError(f"{path}: lines {one.number} and {other.number}: path {one.name!r} must stand there once")
    return lines


def _read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line and fields of each row that is not blank."""
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
            raise ValueError(f"{where}: column {column!r} must stand there once, got {header.count(column)}")
    for column in REQUIRED:
        if column not in header:
            raise ValueError(f"{where}: column {column!r} is missing, got {', '.join(map(repr, header))}")
    for column in header:
        if column not in known:
            raise ValueError(f"{where}: columns must be of {', '.join(known)}, got {column!r}")


def _parse(where: str, folder: Path, number: int, header: list[str], fields: list[str]) -> ManifestLine:
    if len(fields) != len(header):
        raise ValueError(f"{where}: must have {len(header)} fields as the header has, got {len(fields)}")
    row = dict(zip(header, (field.strip() for field in fields), strict=True))
    for column, value in row.items():
        if not value:
            raise ValueError(f"{where}: {column} must not be empty")
    part = row.get("part", "")
    if part and part not in PARTS:
        raise ValueError(f"{where}: part must be one of {', '.join(PARTS)}, got {part!r}")
    return ManifestLine(number, _name(folder, row["path"]), row["label"], row.get("speaker", ""), part)


def _name(folder: Path, path: str) -> str:
    pure = PurePath(path)
    if pure.is_absolute():
        here = folder.absolute()
        pure = pure.relative_to(here) if pure.is_relative_to(here) else pure
    return pure.as_posix()
