"""Corpora of synthetic speech, recognized by the manifest that `spikedata synth` writes beside the recordings.

Their recordings are named like those of Heidelberg Digits or Speech Commands, but speaker 4 is a synthetic voice and
not the person with that number. These corpora therefore have names of their own.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from spikedata.corpora.clip import Clip, Listing, require_storable_speakers, spelled_as
from spikedata.corpora.walk import composed, find_audio

SPOKEN_DIGITS = "spoken_digits"  # all digits in the voices of `spikedata.synth`, with their fixed numbers
SPOKEN_WORDS = "spoken_words"  # other words or voices, with the numbers of the manifest


class _Line(NamedTuple):
    label: int
    key: str
    voice: str
    speaker: int


def list_spoken_digits(root: Path) -> Listing:
    """The clips of a corpus of spoken digits: what ``spikedata synth --words shd`` makes.

    Speakers 0 to 11 are the voices of `spikedata.synth.corpus.VOICES`, the same in every such corpus.

    Parameters
    ----------
    root : Path
        Folder of the corpus, with its ``manifest.csv``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If it is not a spoken corpus, its manifest is damaged, or it holds other words or voices.
    """
    return _list_spoken(root, SPOKEN_DIGITS)


def list_spoken_words(root: Path) -> Listing:
    """The clips of any other corpus made by ``spikedata synth``, with the classes and speakers of its manifest.

    Parameters
    ----------
    root : Path
        Folder of the corpus, with its ``manifest.csv``.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If it is not a spoken corpus, its manifest is damaged, or it is a corpus of spoken digits.
    """
    return _list_spoken(root, SPOKEN_WORDS)


def spoken_corpus(folder: Path) -> str:
    """Name of the spoken corpus in a folder; empty if there is none.

    Parameters
    ----------
    folder : Path
        The folder of the recordings.

    Raises
    ------
    ValueError
        If its manifest is damaged.
    """
    lines = _read_lines(folder)
    return "" if lines is None else _corpus_of(lines)


def _list_spoken(root: Path, corpus: str) -> Listing:
    found = find_audio(root)
    lines = _read_lines(root)
    if lines is None:
        # as in the other corpora, the names found help the user to find the right corpus
        others = tuple(sorted([*found.names, *found.unfit]))
        return Listing(corpus=corpus, keys=(), clips=(), unfit=others, reasons=found.unfit)
    actual = _corpus_of(lines)
    if actual != corpus:
        raise ValueError(f"{root}: holds synthetic speech of the corpus {actual!r}, not {corpus!r}")
    key_of = {line.label: line.key for line in lines.values()}
    require_storable_speakers(root, max((line.speaker for line in lines.values()), default=0))
    names = [name for name in found.names if name in lines]
    return Listing(
        corpus=corpus,
        keys=tuple(key_of[label] for label in sorted(key_of)),
        clips=tuple(
            Clip(root, name, lines[name].label, lines[name].speaker, spelled_as(name, found.places)) for name in names
        ),
        unfit=tuple(sorted([*(name for name in found.names if name not in lines), *found.unfit])),
        reasons=found.unfit,
    )


def _corpus_of(lines: dict[str, _Line]) -> str:
    # imported here, since importing the synthesizer takes longer than listing the clips
    from spikedata.synth.corpus import VOICES
    from spikedata.synth.words import WORD_LISTS

    key_of = {word.label: word.key for word in WORD_LISTS["shd"]}
    voice_of = dict(enumerate(VOICES))
    is_digits = all(
        key_of.get(line.label) == line.key and voice_of.get(line.speaker) == line.voice for line in lines.values()
    )
    # a corpus of only some of the digits numbers its classes differently
    return SPOKEN_DIGITS if is_digits and {line.label for line in lines.values()} == key_of.keys() else SPOKEN_WORDS


def _read_lines(folder: Path) -> dict[str, _Line] | None:
    """The lines of the manifest of a spoken corpus by clip id; None if there is no such manifest."""
    from spikedata.synth.clip import SpokenClip
    from spikedata.synth.corpus import MANIFEST

    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            if tuple(table.fieldnames or ()) != SpokenClip._fields:
                return None  # a CSV file of another kind
            lines = {composed(row["file"] or ""): _parsed(f"{path}: line {table.line_num}", row) for row in table}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: must be a CSV file in UTF-8: {error}") from None
    labels = {line.label for line in lines.values()}
    if labels != set(range(len(labels))) or len({(line.label, line.key) for line in lines.values()}) != len(labels):
        raise ValueError(f"{path}: labels must count up from 0 and have one key each, got {sorted(labels)[:9]}")
    return lines


def _parsed(where: str, row: dict[str, str]) -> _Line:
    try:
        return _Line(int(row["label"]), composed(row["key"] or ""), row["voice"], int(row["speaker"]))
    except (TypeError, ValueError):  # missing fields of a short line are None
        found = f"{row['label']!r} and {row['speaker']!r}"
        raise ValueError(f"{where}: label and speaker must be whole numbers, got {found}") from None
