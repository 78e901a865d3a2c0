"""Where a spike file comes from (published, remade by this package, or unknown), and which speakers its numbers mean.

A file is hashed once. The result is kept in the cache folder with the file's path, size and time of last change, so
that a data set of hundreds of megabytes opens without being read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from spikedata.disk import cache_folder, file_digest, write_atomically
from spikedata.downloads.entries import ChecksumError, PublishedFile
from spikedata.downloads.manifest import read_manifest
from spikedata.downloads.registry import DATASETS, FILES, data_set_of, files_of

if TYPE_CHECKING:
    from spikedata.files.reader import SpikeFile
    from spikedata.files.schema import Provenance

_FORMAT = 1
_CORPUS_OF = {"shd": "heidelberg_digits", "ssc": "speech_commands"}  # the recordings of the published files
_PARTS = {"valid": "validation"}
# corpora with speaker numbers in the names of the recordings; all others number the speakers that they find
_NUMBERED_BY_THEMSELVES = ("heidelberg_digits", "audiomnist", "spoken_digits")


class Origin(NamedTuple):
    """Where a spike file comes from.

    Parameters
    ----------
    kind : {"official", "remade", "unverified"}
        Identical to a published file; made by this package from recordings; or neither, as far as is known.
    published : str
        Name of the published file; empty if it is none.
    corpus : str
        Name of the corpus; empty if unknown.
    preset, part, run, version : str
        For files made by this package: params of the cochlea (empty for a task), part of a split, digest of the
        encoding, version.
    md5 : str
        MD5 in hexadecimal digits, for files that this package did not make.
    """

    kind: Literal["official", "remade", "unverified"]
    published: str = ""
    corpus: str = ""
    preset: str = ""
    part: str = ""
    run: str = ""
    version: str = ""
    md5: str = ""

    def __str__(self) -> str:
        """The origin in words."""
        if self.kind == "official":
            return f"official ({self.published}.h5 as published)"
        if self.kind == "remade" and not self.preset:
            return f"made as the task {self.corpus} (spikedata-audio {self.version})"
        if self.kind == "remade":
            made = f"preset {self.preset}, spikedata-audio {self.version}"
            return f"remade from {self.corpus} ({made}), not the official file"
        return f"unverified (MD5 {self.md5} is that of no published file whose MD5 is known)"


def origin_of(path: str | os.PathLike[str]) -> Origin:
    """Where a spike file comes from.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Origin
        "official" if a published checksum matches, or if `spikedata.download` unpacked these bytes and recorded them in
        its manifest; "remade" if the file says so and its digest matches.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    """
    place = Path(path)
    status = place.stat()
    state = [_FORMAT, status.st_size, status.st_mtime_ns, status.st_ino]
    where = hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:32]
    memory = cache_folder() / "origins" / f"{where}.json"
    remembered = _recall(memory, state)
    if remembered is not None:
        return remembered
    found = _examine(place, status.st_size)
    with contextlib.suppress(OSError):  # what cannot be kept is determined again
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, json.dumps({"state": state, "origin": found._asdict()}).encode(), overwrite=True)
    return found


def corpus_of(file: SpikeFile | str | os.PathLike[str]) -> str | None:
    """Name of the corpus that a spike file comes from; None if unknown.

    Parameters
    ----------
    file : SpikeFile or path-like
        The file: those made by this package name their corpus, SHD and SSC are recognized by their checksums.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    """
    made, path = _opened(file)
    return (made.corpus if made is not None else origin_of(path).corpus) or None


def numbering_of(file: SpikeFile | str | os.PathLike[str]) -> str | None:
    """Which numbering of speakers a file uses; None if unknown.

    A speaker number means the same person in two files if their numberings are equal and not None. The names of
    Heidelberg Digits, AudioMNIST and the spoken digits (synthetic speech) hold the speakers' numbers. In other corpora
    and manifests, the speakers found are numbered, so the numbers are shared only by the parts and shards of one
    encoding. How SSC numbers its speakers is not known: its files share their numbers only with each other.

    Parameters
    ----------
    file : SpikeFile or path-like
        The file.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    """
    made, path = _opened(file)
    if made is not None:
        by_itself = made.corpus in _NUMBERED_BY_THEMSELVES or not made.run
        return (made.corpus if by_itself else f"{made.corpus}, encoding {made.run}") or None
    found = origin_of(path)
    if found.kind != "official":
        return None
    return found.corpus if found.corpus in _NUMBERED_BY_THEMSELVES else f"{found.corpus}, as published"


def published_sums() -> dict[str, str]:
    """Names of the published spike files by the MD5 of the unpacked file, where it is known."""
    files = (file for data_set in DATASETS for file in files_of(data_set))
    return {
        file.content.value: file.name
        for file in files
        if not file.is_folder and file.content is not None and file.content.algorithm == "md5"
    }


def require_genuine(file: PublishedFile, path: Path) -> str:
    """A note on a file that exists where a published one belongs; raises if it is a different file.

    Parameters
    ----------
    file : PublishedFile
        The published file.
    path : Path
        The existing file.

    Raises
    ------
    ChecksumError
        If it is neither the published file nor one that this package made from the same part of the same corpus. Where
        no checksum is known (SSC files that this package did not download), any file is accepted.
    """
    found = origin_of(path)
    way_on = f"move it away and download again, or read it as it is, without downloading: SpikeDataset({str(path)!r})"
    expected = "" if file.content is None else file.content.value
    if (found.kind == "official" and found.published == file.name) or (expected and found.md5 == expected):
        return f"{path}: existed already; it is the published {file.target}"
    if found.kind == "official":
        raise ChecksumError(f"{path}: must be the published {file.target}, is {found.published}.h5; {way_on}")
    if found.kind == "remade":
        wanted = (_CORPUS_OF.get(_data_set_name(file), ""), _part_of(file))
        if wanted == (found.corpus, found.part):
            return f"{path}: existed already; {found}"
        made = f"part {found.part!r} of {found.corpus!r}" if found.part else f"{found.corpus!r}, undivided"
        rule = f"must be the published {file.target}, or be made from part {wanted[1]!r} of {wanted[0]!r}"
        raise ChecksumError(f"{path}: {rule}, but was made from {made}; {way_on}")
    if expected:
        size = path.stat().st_size
        rule = f"is not the published {file.target}: its MD5 must be {expected}, got {found.md5} ({size:,} bytes)"
        raise ChecksumError(f"{path}: {rule}; {way_on}")
    return f"{path}: existed already, not checked: no checksum of {file.target} is published; its MD5 is {found.md5}"


def _recall(memory: Path, state: list[int]) -> Origin | None:
    try:
        content = json.loads(memory.read_text("utf-8"))
        return Origin(**content["origin"]) if content["state"] == state else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _examine(path: Path, size: int) -> Origin:
    made = _provenance_of(path)
    if made is not None:
        return Origin(
            kind="remade",
            corpus=made.corpus,
            preset=_preset_of(made),
            part=made.part,
            run=made.run,
            version=made.package_version,
        )
    md5 = file_digest(path, "md5")
    name = published_sums().get(md5) or _downloaded(path, size)
    if not name:
        return Origin(kind="unverified", md5=md5)
    return Origin(kind="official", published=name, corpus=_corpus_published(name), md5=md5)


def _provenance_of(path: Path) -> Provenance | None:
    from spikedata.files.reader import SpikeFile  # loads HDF5
    from spikedata.files.schema import FormatError

    try:
        with SpikeFile(path) as file:
            return file.provenance
    except FormatError:
        return None


def _preset_of(made: Provenance) -> str:
    from spikedata.files.schema import task_of

    params: object = json.loads(made.params)
    if task_of(made):
        return ""
    return str(params.get("preset", "own")) if isinstance(params, Mapping) else "own"


def _downloaded(path: Path, size: int) -> str:
    """Name of the published file from whose archive these bytes were unpacked, according to the manifest beside it."""
    name = path.stem
    manifest = read_manifest(path.parent, path.name) if name in FILES else None
    record = None if manifest is None else manifest.files.get(path.name)
    if record is None or record.size != size or record.sha256 != file_digest(path, "sha256"):
        return ""
    return name


def _corpus_published(name: str) -> str:
    return _CORPUS_OF.get(data_set_of(name).name, "")


def _data_set_name(file: PublishedFile) -> str:
    return data_set_of(file.name).name if file.name in FILES else ""


def _part_of(file: PublishedFile) -> str:
    part = file.name.rpartition("_")[2]
    return _PARTS.get(part, part)


def _opened(file: SpikeFile | str | os.PathLike[str]) -> tuple[Provenance | None, Path]:
    """The provenance of a file, and its path."""
    if isinstance(file, str | os.PathLike):
        return _provenance_of(Path(file)), Path(file)
    return file.provenance, file.path
