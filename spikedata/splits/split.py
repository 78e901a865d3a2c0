"""A division of samples into parts, by numbers in memory and by names in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
import numpy.typing as npt


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

    def part(self, name: str) -> npt.NDArray[np.int64]:
        """The samples of one part.

        Parameters
        ----------
        name : str
            Name of the part.

        Raises
        ------
        ValueError
            If the split has no such part; the message names those that it has.
        """
        if name not in self.parts:
            raise ValueError(f"split {self.name!r} has no part {name!r}, it has {', '.join(self.parts)}")
        return self.parts[name]

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


def sample_names(sources: Sequence[str]) -> tuple[str, ...]:
    """A name for each sample: that of its recording, or its number in a file that does not tell recordings apart.

    Parameters
    ----------
    sources : sequence of str
        Name of each sample's recording, empty where unknown.

    Examples
    --------
    >>> sample_names(["a.wav", "b.wav"]), sample_names(["", ""])
    (('a.wav', 'b.wav'), ('0', '1'))
    """
    named = all(sources) and len(set(sources)) == len(sources)
    return tuple(sources) if named else tuple(str(index) for index in range(len(sources)))


def _index_of(sources: Sequence[str]) -> dict[str, int]:
    """Number of each sample by its name."""
    if "" in sources:
        raise ValueError("samples must have names to write or find a split, got a file without them")
    index_of = {source: index for index, source in enumerate(sources)}
    if len(index_of) < len(sources):
        twice = next(source for index, source in enumerate(sources) if index_of[source] != index)
        raise ValueError(f"names of samples must differ, got {twice!r} twice")
    return index_of
