"""Which samples train, which choose, which judge: named splits that hold speakers apart.

A random split of the samples lets a network meet the same voices on both sides and flatters it: one
network scored 95.6 % on such a validation part of SHD and 82.7 % on the test set, whose speakers are new.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
import numpy.typing as npt

_SHARE = 6  # one speaker of so many goes to each part that is not named


@dataclass(frozen=True, eq=False)
class Split:
    """A division of samples into parts that share none.

    Parameters
    ----------
    name : str
        What it is called in a result card [1].
    parts : dict of str to ndarray of int64
        Number of each sample [1], by the name of the part.

    Raises
    ------
    ValueError
        If a part is empty, or a sample is in two parts or twice in one.

    Examples
    --------
    >>> split = Split("by hand", {"train": np.array([0, 2]), "validation": np.array([1])})
    >>> print(split.to_json(["a.wav", "b.wav", "c.wav"]))
    {"name": "by hand", "parts": {"train": ["a.wav", "c.wav"], "validation": ["b.wav"]}}
    """

    name: str
    parts: dict[str, npt.NDArray[np.int64]]

    def __post_init__(self) -> None:
        seen: set[int] = set()
        for part, indices in self.parts.items():
            if not len(indices):
                raise ValueError(f"split {self.name!r}: part {part!r} must not be empty")
            if min(indices) < 0:
                raise ValueError(f"split {self.name!r}: part {part!r} has sample {min(indices)}, must be >= 0")
            if seen.intersection(indices.tolist()) or len(np.unique(indices)) < len(indices):
                raise ValueError(f"split {self.name!r}: part {part!r} repeats a sample, each must be in one part once")
            seen.update(indices.tolist())

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any part's samples; the order within a part is free."""
        parts = {part: np.sort(indices).tolist() for part, indices in self.parts.items()}
        return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()

    def to_json(self, sources: Sequence[str]) -> str:
        """The split by names of samples, so that it holds for any file of the same recordings.

        Parameters
        ----------
        sources : sequence of str
            Name of each sample, all different.

        Raises
        ------
        ValueError
            If names are missing or repeat, or a part has a sample without a name.
        """
        _index_of(sources)
        largest = max(int(indices.max()) for indices in self.parts.values())
        if largest >= len(sources):
            raise ValueError(f"split {self.name!r}: sample {largest}, must be < {len(sources)}")
        parts = {part: [sources[index] for index in indices] for part, indices in self.parts.items()}
        return json.dumps({"name": self.name, "parts": parts}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, sources: Sequence[str]) -> Self:
        """The split that `to_json` wrote, found again among the samples of a file.

        Parameters
        ----------
        text : str
            What `to_json` gave.
        sources : sequence of str
            Name of each sample, all different.

        Raises
        ------
        ValueError
            If the text is not such a split, or names a sample that is not there.
        """
        index_of = _index_of(sources)
        try:
            content = json.loads(text)
            name, named_parts = str(content["name"]), dict(content["parts"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a split must be JSON with 'name' and 'parts': {error!r}") from None
        parts = {}
        for part, names in named_parts.items():
            missing = [source for source in names if source not in index_of]
            if missing:
                raise ValueError(f"split {name!r}: part {part!r} names {missing[0]!r}, which is no sample of the file")
            parts[part] = np.array([index_of[source] for source in names], dtype=np.int64)
        return cls(name, parts)


def split_by_speaker(
    speakers: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    validation: Sequence[int] | None = None,
    test: Sequence[int] | None = None,
    seed: int = 0,
) -> Split:
    """A split whose parts ``train``, ``validation`` and ``test`` have no speaker in common.

    Parameters
    ----------
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.
    validation, test : sequence of int, optional
        Speakers of that part. None takes about a sixth of the speakers, at least one, at random. An empty
        ``test`` makes a split without a test part.
    seed : int
        Seed of that choice.

    Returns
    -------
    Split
        Every sample is in one part.

    Raises
    ------
    ValueError
        If a speaker is unknown or named twice, too few speakers are left to train, or a class does not occur
        in training.

    Examples
    --------
    >>> split = split_by_speaker([1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1], validation=(2,), test=(3,))
    >>> split.parts["train"], split.name
    (array([0, 1]), 'by speaker: validation 2; test 3')
    """
    speaker_of, label_of = np.asarray(speakers), np.asarray(labels)
    if speaker_of.shape != label_of.shape or speaker_of.ndim != 1:
        raise ValueError(f"speakers {speaker_of.shape} and labels {label_of.shape}, must be (n_samples,) both")
    everybody = np.unique(speaker_of).tolist()
    if everybody and everybody[0] < 0:
        raise ValueError(f"speakers must be >= 0, got {everybody[0]}: the speakers of the file are not known")
    held_out = _held_out(everybody, validation, test, seed)
    in_part = {part: np.isin(speaker_of, chosen) for part, chosen in held_out.items()}
    in_train = ~np.any(list(in_part.values()), axis=0)
    missing = np.setdiff1d(label_of, label_of[in_train])
    if missing.size:
        raise ValueError(f"training must have every class, got none of {missing.tolist()}: hold out other speakers")
    described = "; ".join(f"{part} {', '.join(map(str, chosen))}" for part, chosen in held_out.items())
    parts = {part: np.flatnonzero(mask) for part, mask in {"train": in_train, **in_part}.items()}
    return Split(f"by speaker: {described}", parts)


def _index_of(sources: Sequence[str]) -> dict[str, int]:
    """Number of each sample by its name."""
    if "" in sources:
        raise ValueError("samples must have names to write or find a split, got a file without them")
    index_of = {source: index for index, source in enumerate(sources)}
    if len(index_of) < len(sources):
        twice = next(source for index, source in enumerate(sources) if index_of[source] != index)
        raise ValueError(f"names of samples must differ, got {twice!r} twice")
    return index_of


def _held_out(
    everybody: list[int], validation: Sequence[int] | None, test: Sequence[int] | None, seed: int
) -> dict[str, list[int]]:
    """Speakers of the parts that do not train, the test part only where there is one."""
    named = {"validation": validation, "test": test}
    taken: list[int] = []
    for part, wanted in named.items():
        for speaker in wanted or ():
            if speaker not in everybody:
                raise ValueError(f"{part} speaker {speaker}, must be one of {', '.join(map(str, everybody))}")
            if speaker in taken:
                raise ValueError(f"{part} speaker {speaker}, must be named once")
            taken.append(speaker)
    if validation is not None and not len(validation):
        raise ValueError("validation must name at least one speaker, got none")
    free = np.random.default_rng(seed).permutation([speaker for speaker in everybody if speaker not in taken]).tolist()
    n_chosen = max(1, round(len(everybody) / _SHARE))
    held_out = {}
    for part in ("test", "validation"):
        wanted = named[part]
        if wanted is None:
            wanted, free = free[:n_chosen], free[n_chosen:]
        held_out[part] = sorted(int(speaker) for speaker in wanted)
    if not free or not held_out["validation"]:
        raise ValueError(f"every part must have a speaker, got only {len(everybody)} for all parts")
    return {part: held_out[part] for part in ("validation", "test") if held_out[part]}
