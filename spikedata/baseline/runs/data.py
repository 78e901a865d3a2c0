"""The data of a run: its spike file, the split of its clips into parts, and the card's entries for both."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from spikedata.baseline.runs.card import DataEntry, SplitEntry
from spikedata.checks import Bounds, check_fields
from spikedata.disk import file_digest
from spikedata.downloads import corpus_of, numbering_of, origin_of
from spikedata.events import Events
from spikedata.events.window import check_window, find_outside
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import known_speakers
from spikedata.splits import (
    Split,
    load_split,
    make_split,
    require_speakers_apart,
    sample_names,
    split_as_listed,
    split_by_speaker,
    split_stratified,
)
from spikedata.splits.promises import require_every_class

_ANYBODYS = ("folder", "manifest")  # "corpora" of a user's own recordings: the name says nothing about the speakers


def read_run_data(
    spike_path: str | os.PathLike[str],
    *,
    window: float,
    sha256: str | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
    usual_n_units: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> tuple[DataEntry, Events]:
    """The card's entry for a spike file, and the file's events.

    Parameters
    ----------
    spike_path : str or path-like
        The file.
    window : float
        Length of the window that the network sees [s].
    sha256 : str, optional
        Of its bytes, where that is known already. Default: it is computed.
    time_unit, n_units
        What the file does not say, as `spikedata.files.reader.SpikeFile` takes it.
    usual_n_units : int, optional
        Number of units, where neither the file nor ``n_units`` says it [1].
    on_progress : callable, optional
        Called with the stage "read", the number of clips read and how many there are.

    Raises
    ------
    FileNotFoundError
        If there is none.
    FormatError
        If it is no spike file.
    ValueError
        If there are no clips, nearly all spikes fall outside the window, or the file contradicts what it is to be
        read as.
    """
    if n_units is None and usual_n_units is not None and not _says_n_units(spike_path, time_unit):
        n_units = usual_n_units
    with SpikeFile(spike_path, time_unit=time_unit, n_units=n_units) as file:
        time_unit, says_n_units = file.time_unit, file.says_n_units
        sha256 = sha256 or file_digest(spike_path, "sha256")
        reading = None if on_progress is None else partial(on_progress, "read")
        events, made = file.read_events(on_progress=reading), file.provenance
        corpus, numbering = corpus_of(file), numbering_of(file)
    origin = origin_of(spike_path)
    if not len(events):
        raise ValueError(f"{spike_path}: has no clips")
    outside = find_outside(events, window)
    check_window(os.fspath(spike_path), outside, time_unit=time_unit)
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
        time_unit=time_unit,
        says_n_units=says_n_units,
        outside=outside.share,
        n_silent=outside.n_silent,
    )
    return entry, events


def _says_n_units(spike_path: str | os.PathLike[str], time_unit: str | None) -> bool:
    with SpikeFile(spike_path, time_unit=time_unit) as file:
        return file.says_n_units


def is_same_numbering(one: DataEntry, other: DataEntry) -> bool | None:
    """Whether a number means the same speaker in two files; None if unknown.

    It does in the same file, and in two files numbered by the same corpus or encoding. Speakers of corpora with
    different names are different people.
    """
    if one.sha256 == other.sha256:
        return True
    if one.numbering is not None and one.numbering == other.numbering:
        return True
    named = [corpus for corpus in (one.corpus, other.corpus) if corpus is not None and corpus not in _ANYBODYS]
    return False if len(named) == 2 and named[0] != named[1] else None


BY_SPEAKER, LISTED = "by_speaker", "listed"


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """Choice of a split for a run.

    Attributes
    ----------
    name : str
        As `spikedata.splits.make_split` takes it [1], or a file of JSON that `spikedata.splits.save_split` wrote.
    validation_speakers, test_speakers : sequence of int, optional
        For "by_speaker": the held-out speakers [1]; None draws some. An empty list of test speakers leaves all clips to
        training and validation, for files whose test set is another file.
    left_out : int, optional
        For "leave_one_speaker_out": the test speaker [1].
    seed : int
        Seed of what the split draws [1].
    """

    name: str = BY_SPEAKER
    validation_speakers: Sequence[int] | None = None
    test_speakers: Sequence[int] | None = None
    left_out: int | None = None
    seed: Annotated[int, Bounds(at_least=0)] = 0

    def __post_init__(self) -> None:
        check_fields(self)


def choose_split(events: Events, choice: SplitChoice, parts: Sequence[str] = ()) -> Split:
    """The split of a run.

    Parameters
    ----------
    events : Events
        All clips of the file.
    choice : SplitChoice
        Choice of the split.
    parts : sequence of str
        Part of each clip, where the file says it, for the split "listed". Where they have no validation part, one is
        drawn from the training part. Where no speaker is known, the error of "by_speaker" names that split.

    Raises
    ------
    ValueError
        If there is no such split, it lacks a training or validation part, or a class is not in training.
    FileNotFoundError
        If there is no such file.
    """
    name, validation, test = choice.name, choice.validation_speakers, choice.test_speakers
    if name == BY_SPEAKER:
        if any(parts) and not known_speakers(events.speakers):
            raise ValueError("no speaker is known to divide clips by, but the file says their parts: --split listed")
        return split_by_speaker(events.speakers, events.labels, validation=validation, test=test, seed=choice.seed)
    if validation is not None or test is not None:
        raise ValueError(f"speakers can be named only for the split {BY_SPEAKER!r}, got split {name!r}")
    if name.endswith(".json"):
        split = load_split(name, sample_names(events.sources))
    elif name == LISTED and any(parts):
        split = _split_by_parts(events, parts, choice.seed)
    else:
        split = make_split(events, name, seed=choice.seed, speaker=choice.left_out)
    for part, why in (("train", "to train on"), ("validation", "to choose the weights by, which test clips must not")):
        if part not in split.parts:
            raise ValueError(f"split {name!r} has no part {part!r}, {why}; it has {', '.join(split.parts)}")
    require_every_class(split, events.labels)
    return split


def parts_of_file(spike_path: str | os.PathLike[str], time_unit: str | None) -> tuple[str, ...]:
    """The part of each clip of a spike file; empty where it does not say it."""
    with SpikeFile(spike_path, time_unit=time_unit) as file:
        return file.parts


def _split_by_parts(events: Events, parts: Sequence[str], seed: int) -> Split:
    """The split that a file says, with a validation part from its training part if it says none."""
    names, by_clip, origin = sample_names(events.sources), np.array(parts), "parts in the file"
    if "validation" not in by_clip and "train" in by_clip:
        train = np.flatnonzero(by_clip == "train")
        labels, speakers = events.labels[train], events.speakers[train]
        if len(known_speakers(speakers)) > 1 and (speakers >= 0).all():
            drawn, how = split_by_speaker(speakers, labels, test=(), seed=seed), "by speaker"
        else:
            own = [names[index] for index in train]
            drawn, how = split_stratified(labels, speakers, own, validation=0.1, seed=seed), "by clip"
        by_clip = by_clip.astype(object)
        by_clip[train[drawn.part("validation")]] = "validation"
        origin += f", validation drawn from train {how}"
    if not all(parts):
        raise ValueError(f"{sum(not part for part in parts)} clips of the file have no part")
    listed = {part: [names[index] for index in np.flatnonzero(by_clip == part)] for part in dict.fromkeys(by_clip)}
    return split_as_listed(names, events.labels, events.speakers, listed, origin=origin)


def split_entry(split: Split, events: Events, *, seed: int) -> SplitEntry:
    """The card's entry for a split, and the seed that it was drawn with."""
    speakers = {part: tuple(known_speakers(events.speakers[indices])) for part, indices in split.parts.items()}
    return SplitEntry(
        name=split.name,
        kind=split.kind,
        digest=split.digest,
        n={part: len(indices) for part, indices in split.parts.items()},
        speakers=speakers,
        speakers_apart=_are_apart(split, events.speakers),
        seed=seed,
    )


def arguments_of_split(choice: SplitChoice, entry: SplitEntry) -> dict[str, Any]:
    """The arguments of `train_run` that reproduce the split of a card's entry.

    Parameters
    ----------
    choice : SplitChoice
        What the split was made by.
    entry : SplitEntry
        As `split_entry` gave it.
    """
    if choice.name == BY_SPEAKER:
        parts = ("validation", "test")
        return {f"{part}_speakers": entry.speakers.get(part, ()) for part in parts}
    arguments = {"split": choice.name, "split_seed": choice.seed}
    return arguments if choice.left_out is None else {**arguments, "left_out": choice.left_out}


def _are_apart(split: Split, speakers: npt.NDArray[np.int64]) -> bool | None:
    if any((speakers[indices] < 0).any() for indices in split.parts.values()):
        return None
    try:
        require_speakers_apart(split, speakers)
    except ValueError:
        return False
    return True
