"""The spike file of a run, as a card speaks of it: what it is, where it comes from, and whose speakers it numbers."""

from __future__ import annotations

import os
from pathlib import Path

from spikedata.baseline.protocol.card import DataEntry
from spikedata.disk import file_digest
from spikedata.downloads import corpus_of, numbering_of, origin_of
from spikedata.events.events import Events
from spikedata.files.reader import SpikeFile

_ANYBODYS = ("folder", "manifest")  # what recordings are called that come of no corpus with a name of its own


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
        events, made = file.read_events(), file.provenance
        corpus, numbering = corpus_of(file), numbering_of(file)
    origin = origin_of(spike_path)
    entry = DataEntry(
        file=Path(spike_path).name,
        path=str(Path(spike_path).absolute()),
        sha256=sha256,
        n_units=events.n_units,
        keys=events.keys,
        corpus=corpus,
        numbering=None if numbering in _ANYBODYS else numbering,
        official=origin.published if origin.kind == "official" else None,
        preset=origin.preset or None,
        provenance=made,
    )
    return entry, events


def is_same_numbering(one: DataEntry, other: DataEntry) -> bool | None:
    """Whether a number means the same speaker in two files; None where it is not known.

    It is known of the same file, and of two whose numbering is that of the same corpus or encoding. Speakers of
    corpora with different names are other people.
    """
    if one.sha256 == other.sha256:
        return True
    if one.numbering is not None and one.numbering == other.numbering:
        return True
    named = [corpus for corpus in (one.corpus, other.corpus) if corpus is not None and corpus not in _ANYBODYS]
    return False if len(named) == 2 and named[0] != named[1] else None
