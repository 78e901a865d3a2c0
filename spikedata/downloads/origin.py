"""Where a spike file comes from: published, remade by this package, or unknown; and whose speakers its numbers mean.

A file is hashed once. What was found is remembered in the cache folder under the file's path, size and time of last
change, so that a data set of hundreds of megabytes opens without reading all of them again.
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
_CORPUS_OF = {"shd": "heidelberg_digits", "ssc": "speech_commands"}  # what the published files were made of
_PARTS = {"valid": "validation"}
# corpora whose recordings' names hold the speakers' numbers; all others number those who are there
_NUMBERED_BY_THEMSELVES = ("heidelberg_digits", "audiomnist", "spoken_digits")


class Origin(NamedTuple):
    """Where a spike file comes from.

    Parameters
    ----------
    kind : {"official", "remade", "unverified"}
        One of the published files, byte by byte; made by this package from recordings; or neither, as far as can be
        told.
    published : str
        Name of the published file that it is; empty where it is none.
    corpus : str
        Name of the corpus; empty where unknown.
    preset, part, run, version : str
        Of what this package made: params of the cochlea, part of a split, digest of the encoding, version.
    md5 : str
        Of a file that this package did not make, in hexadecimal digits.
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
        """For a person."""
        if self.kind == "official":
            return f"official ({self.published}.h5 as published)"
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
        Official where a published checksum fits, or where `spikedata.download` unpacked these very bytes beside the
        manifest that it left; remade where the file says so and its digest fits.

    Raises
    ------
    OSError
        If the file is not there or cannot be read.
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
    with contextlib.suppress(OSError):  # one that cannot be kept is found again
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, json.dumps({"state": state, "origin": found._asdict()}).encode(), overwrite=True)
    return found


def corpus_of(file: SpikeFile | str | os.PathLike[str]) -> str | None:
    """Name of the corpus that a spike file comes from; None where nobody knows.

    Parameters
    ----------
    file : SpikeFile or path-like
        The file: one that this package made says it, SHD and SSC are known by their checksums.

    Raises
    ------
    OSError
        If the file is not there or cannot be read.
    """
    made, path = _opened(file)
    return (made.corpus if made is not None else origin_of(path).corpus) or None


def numbering_of(file: SpikeFile | str | os.PathLike[str]) -> str | None:
    """Whose speakers the numbers of a file mean: two files number the same people alike if this is equal and not None.

    The names of Heidelberg Digits, AudioMNIST and the spoken digits (synthetic speech) hold the speakers' numbers.
    Other corpora and manifests are numbered by who is there, so the numbers of one encoding mean nothing in another;
    its parts and shards share them. How SSC numbers its speakers is not known: its files share their numbers with
    each other alone.

    Parameters
    ----------
    file : SpikeFile or path-like
        The file.

    Raises
    ------
    OSError
        If the file is not there or cannot be read.
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
    """Names of the published spike files by the MD5 of what is in their archives, where that is known."""
    files = (file for data_set in DATASETS for file in files_of(data_set))
    return {
        file.content.value: file.name
        for file in files
        if not file.is_folder and file.content is not None and file.content.algorithm == "md5"
    }


def require_genuine(file: PublishedFile, path: Path) -> str:
    """What to know of a file that lies where a published one belongs; refused if it is something else.

    Parameters
    ----------
    file : PublishedFile
        What belongs there.
    path : Path
        What lies there.

    Raises
    ------
    ChecksumError
        If it is neither the published file nor one that this package made of the same part of the same corpus. Where
        no checksum is known (SSC that was not downloaded by this package) that cannot be told.
    """
    found = origin_of(path)
    way_on = f"move it away and download again, or read it as it is, without a download: SpikeDataset({str(path)!r})"
    expected = "" if file.content is None else file.content.value
    if (found.kind == "official" and found.published == file.name) or (expected and found.md5 == expected):
        return f"{path}: was there before; it is the published {file.target}"
    if found.kind == "official":
        raise ChecksumError(f"{path}: must be the published {file.target}, is {found.published}.h5; {way_on}")
    if found.kind == "remade":
        wanted = (_CORPUS_OF.get(_data_set_name(file), ""), _part_of(file))
        if wanted == (found.corpus, found.part):
            return f"{path}: was there before; {found}"
        made = f"part {found.part!r} of {found.corpus!r}" if found.part else f"{found.corpus!r}, undivided"
        rule = f"must be the published {file.target}, or be made of part {wanted[1]!r} of {wanted[0]!r}"
        raise ChecksumError(f"{path}: {rule}, was made of {made}; {way_on}")
    if expected:
        size = path.stat().st_size
        rule = f"is not the published {file.target}: its MD5 must be {expected}, got {found.md5} ({size:,} bytes)"
        raise ChecksumError(f"{path}: {rule}; {way_on}")
    return f"{path}: was there before, not checked: no checksum of {file.target} is published; its MD5 is {found.md5}"


def _recall(memory: Path, state: list[int]) -> Origin | None:
    try:
        content = json.loads(memory.read_text("utf-8"))
        return Origin(**content["origin"]) if content["state"] == state else None
    except (OSError, ValueError, KeyError, TypeError):
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
    params: object = json.loads(made.params)
    return str(params.get("preset", "own")) if isinstance(params, Mapping) else "own"


def _downloaded(path: Path, size: int) -> str:
    """The name of a published file of which these bytes were unpacked, as the manifest beside it says."""
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
    """What a file says of how it was made, and where it lies."""
    if isinstance(file, str | os.PathLike):
        return _provenance_of(Path(file)), Path(file)
    return file.provenance, file.path
