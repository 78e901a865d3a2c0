"""The spike file of a run, as a card speaks of it: what it is, where it comes from, and whose speakers it numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

from spikedata.baseline.protocol.card import DataEntry
from spikedata.downloads.registry import DATASETS, FILES
from spikedata.events import Events
from spikedata.file_digest import file_digest
from spikedata.reader import SpikeFile
from spikedata.schema import Provenance

# The recordings of SHD are the Heidelberg Digits, whose names number the speakers: 0 to 11 in the files of both.
_CORPUS_OF = {"shd": "heidelberg_digits"}
_ANYBODYS = ("folder", "manifest", "")  # what a corpus without a name of its own is called


def read_run_data(spike_path: str | os.PathLike[str]) -> tuple[DataEntry, Events]:
    """What a card says of a spike file, and its events.

    Parameters
    ----------
    spike_path : str or path-like
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    FormatError
        If it is no spike file.
    """
    sha256 = file_digest(spike_path, "sha256")
    with SpikeFile(spike_path) as file:
        events, made, official = file.read_events(), file.provenance, published_name(file)
        corpus = corpus_of(file)
    entry = DataEntry(
        file=Path(spike_path).name,
        path=str(Path(spike_path).absolute()),
        sha256=sha256,
        n_units=events.n_units,
        keys=events.keys,
        corpus=corpus,
        official=official,
        preset=None if made is None else _preset(made),
        provenance=made,
    )
    return entry, events


def corpus_of(file: SpikeFile) -> str | None:
    """The corpus whose speakers a file numbers; None where nothing says which that is.

    Parameters
    ----------
    file : SpikeFile
        Open.
    """
    official = published_name(file)
    if official is not None:
        name = next(name for name, data_set in DATASETS.items() if official in data_set.files)
        return _CORPUS_OF.get(name, name)
    made = file.provenance
    return None if made is None or made.corpus in _ANYBODYS else made.corpus


def published_name(file: SpikeFile) -> str | None:
    """What a published file is called in the registry of downloads; None of a file with another checksum.

    Parameters
    ----------
    file : SpikeFile
        Open.
    """
    if file.provenance is not None:  # published files say nothing of their making
        return None
    sums = {forms[form].content: name for name, forms in FILES.items() for form in forms if forms[form].content}
    known = {content.value: name for content, name in sums.items() if content and content.algorithm == "md5"}
    return known.get(file_digest(file.path, "md5")) if known else None


def is_same_corpus(one: DataEntry, other: DataEntry) -> bool | None:
    """Whether two files number the speakers of the same corpus; None where it is not known.

    Of a corpus without a name, two files that came of one encoding, as the parts of a split do, have the same.
    """
    if one.sha256 == other.sha256:
        return True
    if one.provenance and other.provenance and one.provenance.run and one.provenance.run == other.provenance.run:
        return True
    if one.corpus is None or other.corpus is None:
        return None
    return one.corpus == other.corpus


def _preset(made: Provenance) -> str:
    params = json.loads(made.params)
    return str(params.get("preset", "own")) if isinstance(params, dict) else "own"
