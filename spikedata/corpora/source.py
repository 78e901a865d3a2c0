"""List what a user names: a corpus, a folder, a table, one file or several."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from spikedata.corpora.catalog import CORPORA, list_clips
from spikedata.corpora.clip import Listing, shown
from spikedata.corpora.folders import FILES, FOLDER, list_files
from spikedata.corpora.manifest import TABLE_SUFFIXES, find_tables

Source: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
_MANIFEST = "manifest"


def list_source(
    source: Source,
    corpus: str | None = None,
    *,
    missing: Literal["fail", "skip"] = "fail",
    columns: Mapping[str, str] | None = None,
) -> Listing:
    """The clips of a folder, a table, a file or several files, of a known corpus or not. No audio is read.

    Parameters
    ----------
    source : path-like, or sequence of path-like
        The folder of a corpus; a folder of class folders, or a flat one; a table; a file, or several.
    corpus : str, optional
        One of `CORPORA`. Default: "manifest" for a table (``.csv``, ``.tsv``, ``.tab``, ``.txt``), if `columns` are
        given, and for a folder with the tables of a published corpus; "folder" for any other folder; "files" for other
        files.
    missing : {"fail", "skip"}
        Whether missing files, and faulty lines of a table, are an error or are reported as unfit.
    columns : dict of str to str, optional
        For a table: the columns that hold path, label, speaker and split, as for `list_clips`.

    Raises
    ------
    FileNotFoundError, OSError, ValueError
        As in `list_clips`; and if several paths are given of what is one, such as a table.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [Path(folder, "a.wav"), Path(folder, "b.mp3")]
    ...     for path in paths:
    ...         path.touch()
    ...     listing = list_source(paths)
    >>> listing.corpus, listing.sources
    ('files', ('a.wav', 'b.mp3'))
    """
    try:
        paths = [Path(source)] if isinstance(source, str | os.PathLike) else [Path(path) for path in source]
    except TypeError:  # neither one path nor several
        raise ValueError(f"the recordings must be a path or a list of paths, got {source!r}") from None
    if not paths:
        raise ValueError("there must be at least one recording, got none")
    if corpus is not None and corpus not in CORPORA:
        raise ValueError(f"corpus must be one of {', '.join(CORPORA)}, got {corpus!r}")
    if len(paths) > 1:
        return _list_several(paths, corpus, missing, columns)
    path = paths[0]
    if corpus is None:
        if path.is_dir():
            corpus = _MANIFEST if columns is not None or find_tables(path) else FOLDER
        elif not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        else:
            corpus = _MANIFEST if columns is not None or path.suffix.lower() in TABLE_SUFFIXES else FILES
    elif corpus == FOLDER and path.is_file():
        corpus = FILES
    listing = list_clips(corpus, path, missing=missing, columns=columns)
    return _with_note_on_tables(listing, path) if corpus == FOLDER and len(listing.keys) == 1 else listing


def _with_note_on_tables(listing: Listing, root: Path) -> Listing:
    """A listing of one class with a note on tables in its folder, which could tell the classes."""
    folders = (root, root / listing.clips[0].path.relative_to(root).parts[0])
    found = [p for f in folders if f.is_dir() for p in f.iterdir() if p.suffix.lower() in (".csv", ".tsv")]
    tables = sorted(str(path) for path in found if not path.name.startswith("."))
    note = f"not read, though there may be classes in them: {shown(tables)}; to use a table, give it instead of {root}"
    return replace(listing, notes=(*listing.notes, note)) if tables else listing


def _list_several(
    paths: list[Path], corpus: str | None, missing: Literal["fail", "skip"], columns: Mapping[str, str] | None
) -> Listing:
    if corpus not in (None, FOLDER, FILES):
        raise ValueError(f"the corpus {corpus!r} is one folder or file, got {len(paths)}")
    tables = [path for path in paths if path.suffix.lower() in TABLE_SUFFIXES]
    if tables or columns is not None:
        raise ValueError(f"{(tables or paths)[0]}: a table must be given alone, got {len(paths)} paths")
    folders = [path for path in paths if path.is_dir()]
    if folders:
        if absent := [path for path in paths if not path.exists()]:
            raise FileNotFoundError(f"{absent[0]}: no such file or folder, and no corpus of that name")
        above = {Path(os.path.abspath(path)).parent for path in folders}  # noqa: PTH100 - follows no link
        way = f"give the folder above them, {above.pop()}" if len(above) == 1 else "give one folder"
        raise ValueError(f"{folders[0]}: is a folder among {len(paths)} paths; {way}")
    return list_files(paths, missing=missing)
