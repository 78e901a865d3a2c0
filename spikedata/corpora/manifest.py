"""List the clips of a table: one line for each recording, wherever it is stored."""

from __future__ import annotations

import codecs
import csv
import os
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import BinaryIO, Literal, NamedTuple

from spikedata.corpora.clip import UNKNOWN_SPEAKER, Clip, Listing, number_by_name, require_storable_speakers, spelled_as
from spikedata.corpora.parts import PARTS, find_parts
from spikedata.corpora.walk import composed

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
REQUIRED, OPTIONAL = ("path", "label"), ("speaker", "part")
_SPLIT = "split"  # what most tables call the column that is `part` in ours
_LIKELY = {  # names of columns that are suggested, in small letters
    "path": ("path", "file", "filename", "file_name", "fname", "filepath", "file_path", "audio", "wav", "wav_path"),
    "label": ("label", "class", "category", "word", "target", "keyword", "command", "digit"),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "subject"),
    "split": ("split", "part", "set", "subset", "fold", "partition"),
}
_WAY_ON = "--on-error skip leaves such lines out"
_N_SHOWN = 3  # missing recordings named in an error
_MOST_DIGITS = 18  # longest number; a longer text is treated as a name
_DELIMITERS = ",\t;|"  # the first is taken where a header could be of several
_SAID = re.compile("sep=(.)")  # the first line of a table for Excel
_FOLD = re.compile(r"(?:fold[ _-]?)?([0-9]{1,4})", re.IGNORECASE)
_N_SOUGHT = 20  # recordings of a table that are sought in every folder beside it
# where published tables keep their recordings, if not at the paths themselves
_BESIDE = ("", "clips", "audio", "wav", "wavs", "../audio", "../clips", "..")


class _Published(NamedTuple):
    """How a published corpus writes its tables.

    Parameters
    ----------
    name : str
        Name of the corpus, for notes.
    header : frozenset of str
        Columns by which its tables are recognized.
    columns : dict of str to str
        The columns that hold path, label, speaker and part, as `columns` of `list_manifest`.
    tables : tuple of str
        The tables below the folder of the corpus. Where they are called like parts, they are its parts.
    """

    name: str
    header: frozenset[str]
    columns: dict[str, str]
    tables: tuple[str, ...]


_PUBLISHED = (
    # Ardila et al., LREC 2020: a folder for each language, with the recordings in clips/
    _Published(
        "Common Voice",
        frozenset(("client_id", "path", "sentence")),
        {"path": "path", "label": "sentence", "speaker": "client_id"},
        ("train.tsv", "dev.tsv", "test.tsv"),
    ),
    # Piczak, ACM Multimedia 2015: five folds, the recordings in audio/
    _Published(
        "ESC-50",
        frozenset(("filename", "fold", "target", "category")),
        {"path": "filename", "label": "category", "part": "fold"},
        ("meta/esc50.csv",),
    ),
    # Salamon, Jacoby, Bello, ACM Multimedia 2014: ten folds, the recordings in audio/fold1/ to audio/fold10/
    _Published(
        "UrbanSound8K",
        frozenset(("slice_file_name", "fold", "classID", "class")),
        {"path": "fold{fold}/{slice_file_name}", "label": "class", "part": "fold"},
        ("metadata/UrbanSound8K.csv",),
    ),
    # what the AudioFolder of Hugging Face `datasets` reads: recordings beside their table
    _Published(
        "Hugging Face's AudioFolder",
        frozenset(("file_name", "label")),
        {"path": "file_name", "label": "label"},
        ("metadata.csv",),
    ),
)


def list_manifest(
    path: Path, *, missing: Literal["fail", "skip"] = "fail", columns: Mapping[str, str] | None = None
) -> Listing:
    """The clips of a table with the columns path and label, and optionally speaker and part.

    The table is text in UTF-8, or in UTF-16 with a byte order mark, with commas, tabs, semicolons or vertical bars
    between its fields. Tables of Common Voice, ESC-50 and UrbanSound8K are recognized by their headers. A folder stands
    for the tables of such a corpus in it.

    A path is absolute, or relative to the folder of the table; if no path is found there, to the folder ``clips``
    or ``audio`` in it or beside it, or to the only folder in it that has such recordings. Labels are text; classes
    are sorted by name, or by value if all labels are whole numbers. If all speakers are whole numbers, these are
    the speaker numbers; otherwise speakers are numbered in the order of their names. Without the column, speakers
    are unknown (-1). A part is train, validation or test, or another word for one of them; or the number of a fold:
    the last fold is the test part and the one before it, if there are more than two, the validation part. Classes
    and speakers of missing recordings are included, so that the numbers do not depend on which files exist.

    Parameters
    ----------
    path : Path
        The table, or the folder of a published corpus.
    missing : {"fail", "skip"}
        Whether missing recordings and faulty lines are an error or are reported as unfit.
    columns : dict of str to str, optional
        The columns that hold path, label, speaker and part (or split), where these are not their names. Other columns
        are then passed over. A text with braces is put together from columns: ``"fold{fold}/{name}"``.

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
    chosen = None if columns is None else _check_columns(columns)
    tables = [path] if path.is_file() else find_tables(path)
    if not tables:
        published = ", ".join(table for known in _PUBLISHED for table in known.tables)
        rule = f"must be a CSV file; a folder must have the tables of a published corpus ({published})"
        raise FileNotFoundError(f"{path}: no such manifest, {rule}")
    part_of = find_parts(table.stem for table in tables) if len(tables) > 1 else {}
    notes, faults, lines = [], dict[str, str](), list[_Line]()
    for table in tables:
        read = _read_table(table, chosen, may_skip=missing == "skip", part=part_of.get(table.stem, ""))
        notes += [note for note in read.notes if note not in notes]
        faults |= read.faults
        lines += read.lines
    origin = path if len(tables) == 1 else path / "*.tsv"
    lines = _sorted_once(origin, lines, faults, may_skip=missing == "skip")
    root, places, absent = _look(origin, tables[0].parent, lines, missing)
    if root != tables[0].parent:
        notes.append(f"{tables[0].name}: its paths are relative to {root}")
    keys, label_of = _number_labels(line.label for line in lines)
    number_of, speaker_names = _number_speakers(origin, lines)
    if speaker_names:
        named = f"{len(speaker_names):,} speakers are named by texts"
        notes.append(f"{named} and are numbered in the order of these, 0 being {speaker_names[0]!r}")
    there = [line for line in lines if line.name not in absent]
    division, parts_note = _divide(lines, ", ".join(table.name for table in tables))
    faults |= absent
    return Listing(
        corpus="manifest",
        keys=keys,
        clips=tuple(
            Clip(root, line.name, label_of[line.label], number_of[line.speaker], spelled_as(line.name, places))
            for line in there
        ),
        unfit=tuple(sorted(faults)),
        speaker_names=speaker_names,
        parts=_parts(there, division) if division else None,
        parts_from=", ".join(table.name for table in tables) if division else "",
        reasons=faults,
        notes=(*notes, *parts_note),
    )


def find_tables(folder: Path) -> list[Path]:
    """The tables of the published corpus in a folder; empty if there is none that `list_manifest` knows.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    for known in _PUBLISHED:
        tables = [folder / name for name in known.tables if (folder / name).is_file()]
        if tables:
            try:
                return tables if known.header <= set(next(_read_rows(tables[0], _delimiter(tables[0])))[1]) else []
            except (StopIteration, ValueError, OSError):
                return []
    return []


class _Line(NamedTuple):
    """One recording of a table: where it is said, its clip id and the path as it is written, and the other columns."""

    where: str
    number: int
    name: str
    written: str
    label: str
    speaker: str
    part: str


class _Table(NamedTuple):
    """The recordings of a table, the faults of other lines, and what was assumed."""

    lines: list[_Line]
    faults: dict[str, str]
    notes: list[str]


def _check_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """The columns under our own names."""
    known = (*REQUIRED, *OPTIONAL, _SPLIT)
    for role, column in columns.items():
        if role not in known:
            raise ValueError(f"columns must be among {', '.join(known)}, got {role!r}")
        if not isinstance(column, str) or not column:
            raise ValueError(f"columns: {role} must be the name of a column, got {column!r}")
    if _SPLIT in columns and "part" in columns:
        raise ValueError("columns must name split or part, which are the same, got both")
    return {"part" if role == _SPLIT else role: column for role, column in columns.items()}


def _read_table(path: Path, columns: Mapping[str, str] | None, *, may_skip: bool, part: str) -> _Table:
    """The recordings listed in one file, in its order; the file must be text with a header."""
    rows = _read_rows(path, _delimiter(path))
    number, header = next(rows, (0, []))
    if header and header[0].startswith("sep="):
        number, header = next(rows, (0, []))
    if not header:
        raise ValueError(f"{path}: is empty, must begin with a header such as 'path,label'")
    header = [composed(column.strip()) for column in header]
    form, notes = _choose_columns(f"{path}: line {number}", header, columns)
    lines: list[_Line] = []
    faults: dict[str, str] = {}
    for number, fields in rows:
        where = f"{path}: line {number}"
        try:
            lines.append(_parse(where, path, number, header, form, fields, part))
        except ValueError as error:
            if not may_skip:
                raise ValueError(f"{error}; {_WAY_ON}") from None
            faults[f"{path.name}, line {number}"] = str(error).removeprefix(f"{where}: ")
    if not lines and not faults:
        raise ValueError(f"{path}: names no recording, must have lines below its header")
    if not lines:
        raise ValueError(f"{path}: none of its {len(faults)} lines can be used: {next(iter(faults.values()))}")
    return _Table(lines, faults, notes)


def _sorted_once(origin: Path, lines: list[_Line], faults: dict[str, str], *, may_skip: bool) -> list[_Line]:
    """The lines in the order of their names; a name that occurs twice is a fault of the second line."""
    kept: dict[str, _Line] = {}
    for line in lines:
        other = kept.setdefault(line.name, line)
        if other is line:
            continue
        twice = f"path {line.name!r} must occur once"
        if not may_skip:
            same = other.where.rpartition(": ")[0] == line.where.rpartition(": ")[0]
            both = f"lines {other.number} and {line.number}" if same else f"{other.where} and {line.where}"
            raise ValueError(f"{line.where.rpartition(': ')[0] if same else origin}: {both}: {twice}")
        faults[f"{PurePath(line.where.rpartition(': ')[0]).name}, line {line.number}"] = twice
    return sorted(kept.values(), key=lambda line: line.name)


def _delimiter(path: Path) -> str:
    """The character that divides the header into most fields."""
    first = next((line for line in _decoded(path) if line.strip()), "")
    if said := _SAID.fullmatch(first.rstrip("\r\n")):
        return said[1]
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=unquoted.count)


def _read_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the last line, and fields, of each row that is not blank."""
    if delimiter == "\t":
        yield from _read_tabs(path)
        return
    reader = csv.reader(_decoded(path), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num}: must be CSV: {error}") from None


def _read_tabs(path: Path) -> Iterator[tuple[int, list[str]]]:
    # a sentence of Common Voice may begin with a quotation mark, so a mark alone does not open a quoted field
    for number, line in enumerate(_decoded(path), start=1):
        if line.strip():
            yield number, [_unquoted(field) for field in line.rstrip("\r\n").split("\t")]


def _unquoted(field: str) -> str:
    quoted = len(field) > 1 and field[0] == field[-1] == '"'
    return field[1:-1].replace('""', '"') if quoted else field


def _decoded(path: Path) -> Iterator[str]:
    """The lines of a text in UTF-8, or in UTF-16 if it begins with a byte order mark of that."""
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            yield from _decoded_from_utf_16(path)
            return
        file.seek(0)
        for number, line in enumerate(_lines(file), start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                found = f"0x{line[error.start]:02x}"
                raise ValueError(
                    f"{path}: line {number}: must be UTF-8 text, got byte {found}; save it as UTF-8"
                ) from None
            if "\0" in text:
                raise ValueError(f"{path}: line {number}: must be text, got a NUL character")
            yield text


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        # a Mac of old ends lines with a carriage return alone: then the whole file is one line
        yield from [line] if line.endswith(b"\n") else (part + b"\n" for part in line.split(b"\r"))


def _decoded_from_utf_16(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-16", newline="") as file:
            yield from file
    except UnicodeError as error:
        raise ValueError(f"{path}: must be UTF-16 text, as its first bytes say: {error}") from None


def _choose_columns(
    where: str, header: list[str], columns: Mapping[str, str] | None
) -> tuple[dict[str, str], list[str]]:
    """A format string over the fields of a line for each of our columns, and notes on what was assumed."""
    for column in header:
        if header.count(column) > 1:
            raise ValueError(f"{where}: column {column!r} must occur once, got {header.count(column)}")
    known = (*REQUIRED, *OPTIONAL)
    notes = []
    own = {role: role for role in known if role in header}
    if columns is not None:
        own |= columns
    elif not set(REQUIRED) <= set(header) and (published := _published_table(header)):
        own = published.columns
        taken = ",".join(f"{role}={column}" for role, column in own.items())
        notes.append(f"taken as a table of {published.name}: --columns {taken}")
    quoted = ", ".join(map(repr, header))
    for role, column in own.items():
        for name in _fields_of(column) if "{" in column else [column]:
            if name not in header:
                raise ValueError(f"{where}: there is no column {name!r} for {role}, got {quoted}")
    for role in REQUIRED:
        if role not in own:
            raise ValueError(f"{where}: column {role!r} is missing, got {quoted}; say {_suggested(header, own)}")
    for column in header:
        if columns is None and not notes and column not in known:
            way = "--columns path=path,label=label passes over others"
            raise ValueError(f"{where}: columns must be among {', '.join(known)}, got {column!r}; {way}")
    return dict(own), notes


def _suggested(header: Sequence[str], own: Mapping[str, str]) -> str:
    """What to type for a table without our columns, as far as the names of its own tell."""
    pairs = []
    for role, words in _LIKELY.items():
        likely = next((column for column in header if column.casefold().replace(" ", "_") in words), "")
        column = own.get(role) or own.get("part" if role == _SPLIT else role) or likely
        if column or role in REQUIRED:
            pairs.append(f"{role}={column or 'NAME'}")
    return f"--columns {','.join(pairs)}"


def _published_table(header: Iterable[str]) -> _Published | None:
    return next((known for known in _PUBLISHED if known.header <= set(header)), None)


def _fields_of(form: str) -> list[str]:
    try:
        fields = [field[1:] for field in string.Formatter().parse(form) if field[1] is not None]
    except ValueError as error:
        raise ValueError(f"columns: {form!r} must be text with {{names of columns}}: {error}") from None
    if any(spec or conversion for _, spec, conversion in fields):
        raise ValueError(f"columns: {form!r} must be text with {{names of columns}}, which are filled in as they are")
    return [str(name) for name, _, _ in fields]


def _parse(
    where: str, path: Path, number: int, header: list[str], form: Mapping[str, str], fields: list[str], part: str
) -> _Line:
    if len(fields) != len(header):
        raise ValueError(f"{where}: must have {len(header)} fields as the header has, got {len(fields)}")
    row = dict(zip(header, (field.strip() for field in fields), strict=True))
    values = {"part": part}
    for role, column in form.items():
        for name in _fields_of(column) if "{" in column else [column]:
            if not row[name]:
                raise ValueError(f"{where}: {name} must not be empty")
        values[role] = _filled(column, row) if "{" in column else row[column]
    given = values["part"]
    if given and not part and not _FOLD.fullmatch(given) and not find_parts([given]):
        column = form["part"]
        raise ValueError(f"{where}: {column} must be one of {', '.join(PARTS)}, got {given!r}")
    written = _relative(path.parent, values["path"])
    label, speaker = composed(values["label"]), composed(values.get("speaker", ""))
    return _Line(where, number, composed(written), written, label, speaker, given)


def _filled(form: str, row: Mapping[str, str]) -> str:
    return "".join(
        text + (row[name] if name is not None else "") for text, name, _, _ in string.Formatter().parse(form)
    )


def _relative(folder: Path, path: str) -> str:
    if "\\" in path and not _is_file(folder / path):  # written by a program for Windows
        path = path.replace("\\", "/")
    pure = PurePath(path)
    if pure.is_absolute():
        here = folder.absolute()
        pure = pure.relative_to(here) if pure.is_relative_to(here) else pure
    return pure.as_posix()


def _look(
    origin: Path, folder: Path, lines: list[_Line], missing: Literal["fail", "skip"]
) -> tuple[Path, dict[str, str], dict[str, str]]:
    """The folder to which the paths are relative, how the disk spells those that differ, and those that are absent."""
    listings: dict[str, list[str]] = {}
    for root in _homes(folder, lines, listings):
        found = {line.name: place for line in lines if (place := _find(root, line.written, listings))}
        if found:
            break
    else:
        root = folder
    absent = [line for line in lines if line.name not in found]
    if absent and (missing == "fail" or not found):
        first = sorted(absent, key=lambda line: (line.where.rpartition(": ")[0], line.number))[:_N_SHOWN]
        named = ", ".join(f"{line.name!r} (line {line.number})" for line in first)
        rule = f"{len(absent)} of {len(lines)} recordings are missing, first {named}"
        raise FileNotFoundError(f"{origin}: {rule}" + (f"; {_WAY_ON}" if found else ""))
    places = {name: place for name, place in found.items() if place != name}
    return root, places, {line.name: f"no such file (line {line.number})" for line in absent}


def _homes(folder: Path, lines: list[_Line], listings: dict[str, list[str]]) -> Iterator[Path]:
    """Where the recordings of a table may be: at the usual places, or in the one folder beside it that has them."""
    yield from (Path(os.path.normpath(folder / beside)) for beside in _BESIDE)
    inner = (folder / name for name in _names_in(folder, listings) if (folder / name).is_dir())
    having = [home for home in inner if any(_find(home, line.written, listings) for line in lines[:_N_SOUGHT])]
    if len(having) == 1:
        yield having[0]


def _find(root: Path, written: str, listings: dict[str, list[str]]) -> str:
    """The path of a file as the disk spells it, whatever the Unicode form in which it is written; empty if absent."""
    if _is_file(root / written):
        return written
    if written.isascii():
        return ""
    for form in (composed(written), unicodedata.normalize("NFD", written)):
        if _is_file(root / form):
            return form
    place = PurePath()  # folders in one form may hold files in the other
    for name in PurePath(written).parts:
        spelled = next((n for n in _names_in(root / place, listings) if composed(n) == composed(name)), name)
        place /= spelled
    return place.as_posix() if _is_file(root / place) else ""


def _names_in(folder: Path, listings: dict[str, list[str]]) -> list[str]:
    key = str(folder)
    if key not in listings:
        try:
            listings[key] = sorted(path.name for path in folder.iterdir())
        except OSError:
            listings[key] = []
    return listings[key]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a folder above the file may not be searched, or the name cannot be one
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


def _number_speakers(origin: Path, lines: Sequence[_Line]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Number of each speaker, and the names of the speakers unless they are numbers."""
    line_of = {line.speaker: line.where for line in lines}
    if "" in line_of:  # there is no column of speakers
        return {"": UNKNOWN_SPEAKER}, ()
    are_numbers = all(map(_is_whole, line_of))
    number_of = {speaker: int(speaker) for speaker in line_of} if are_numbers else number_by_name(line_of)
    last = max(number_of, key=number_of.__getitem__)
    require_storable_speakers(line_of[last], number_of[last])
    return number_of, () if are_numbers else tuple(number_of)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _divide(lines: Sequence[_Line], tables: str) -> tuple[dict[str, str], list[str]]:
    """The part that each value of the column means, none if there is no such column; and a note on folds."""
    values = {line.part for line in lines} - {""}
    if not values:
        return {}, []
    folds = {value: int(match[1]) for value in values if (match := _FOLD.fullmatch(value))}
    if len(folds) < len(values):
        return find_parts(sorted(values)), []
    last = sorted(set(folds.values()))
    part_of_fold = dict.fromkeys(last, "train")
    if len(last) > 1:
        part_of_fold[last[-1]] = "test"
    if len(last) > 2:
        part_of_fold[last[-2]] = "validation"
    described = ", ".join(f"fold {fold} is {part}" for fold, part in part_of_fold.items() if part != "train")
    note = f"{tables}: {len(last)} folds" + (
        f"; for --split listed, {described}, the others train" if described else ""
    )
    return {value: part_of_fold[fold] for value, fold in folds.items()}, [note]


def _parts(lines: Sequence[_Line], part_of: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    parts = {part: tuple(line.name for line in lines if part_of.get(line.part) == part) for part in PARTS}
    return {part: names for part, names in parts.items() if names}
