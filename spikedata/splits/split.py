"""A split of a data set as a value, and as a JSON file that holds for any spike file of the same recordings."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spikedata.disk import write_atomically

OWN = "own"  # kind of a split that was not made by a rule of this package


@dataclass(frozen=True, eq=False)
class Split:
    """A division of samples into disjoint parts.

    Parameters
    ----------
    name : str
        Name of the split, as shown on a result card [1].
    parts : dict of str to ndarray of int64
        Numbers of the samples of each part [1].
    kind : str
        The rule that made it [1]: one of `spikedata.splits.SPLITS`, "by_hash", or "own".
    speakers_apart : bool or None
        Whether the parts have no speaker in common [1]; None if speakers are unknown or it has not been checked.
    held_out : mapping of str to tuple of int
        For each part other than ``train``, its speakers that are not in training [1].

    Raises
    ------
    ValueError
        If there is no part, a part is empty or not one-dimensional or does not hold whole numbers, or a sample occurs
        twice.

    Examples
    --------
    >>> split = Split("by hand", {"train": np.array([0, 2]), "validation": np.array([1])})
    >>> print(split.to_json(["a.wav", "b.wav", "c.wav"]))
    {"name": "by hand", "kind": "own", "speakers_apart": null, "held_out": {}, \
"parts": {"train": ["a.wav", "c.wav"], "validation": ["b.wav"]}}
    """

    name: str
    parts: dict[str, npt.NDArray[np.int64]]
    kind: str = field(default=OWN, kw_only=True)
    speakers_apart: bool | None = field(default=None, kw_only=True)
    held_out: Mapping[str, tuple[int, ...]] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError(f"split {self.name!r} must have parts, got none")
        part_of: dict[int, str] = {}
        for part, given in self.parts.items():
            where = f"split {self.name!r}: part {part!r}"
            for sample in _as_samples(where, given).tolist():
                if sample in part_of:
                    too = "occurs twice" if part_of[sample] == part else f"is also in part {part_of[sample]!r}"
                    raise ValueError(f"{where} repeats a sample: {sample} {too}, each must be in one part once")
                part_of[sample] = part
        object.__setattr__(self, "parts", {part: np.asarray(given, np.int64) for part, given in self.parts.items()})

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that identify the parts and their samples, whatever the order within a part."""
        parts = {part: np.sort(indices).tolist() for part, indices in self.parts.items()}
        return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()

    def part(self, name: str) -> npt.NDArray[np.int64]:
        """Numbers of the samples of one part, shape (n_part,).

        Parameters
        ----------
        name : str
            Name of the part.

        Raises
        ------
        ValueError
            If the split has no such part; the message names the parts that it has.
        """
        if name not in self.parts:
            raise ValueError(f"split {self.name!r} has no part {name!r}, it has {', '.join(self.parts)}")
        return self.parts[name]

    def require_samples(self, n_samples: int) -> None:
        """Raise unless all samples of the split exist in a data set of the given size.

        Parameters
        ----------
        n_samples : int
            Number of samples [1].

        Raises
        ------
        ValueError
            If a part has a sample that does not exist.
        """
        for part, indices in self.parts.items():
            if indices.max() >= n_samples:
                rule = f"must be < {n_samples}, the number of samples"
                raise ValueError(f"split {self.name!r}: part {part!r} has sample {indices.max()}, {rule}")

    def to_json(self, sources: Sequence[str]) -> str:
        """The split as JSON with names of samples, so that it holds for any file of the same recordings.

        Parameters
        ----------
        sources : sequence of str
            Name of each sample, all different.

        Raises
        ------
        ValueError
            If names are missing or not unique, or a part has a sample without a name.
        """
        _index_of(sources)
        self.require_samples(len(sources))
        parts = {part: [sources[index] for index in indices] for part, indices in self.parts.items()}
        promises = {"kind": self.kind, "speakers_apart": self.speakers_apart, "held_out": dict(self.held_out)}
        return json.dumps({"name": self.name, **promises, "parts": parts}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, sources: Sequence[str]) -> Self:
        """Read the output of `to_json` for the samples of a file.

        Parameters
        ----------
        text : str
            The output of `to_json`.
        sources : sequence of str
            Name of each sample, all different.

        Raises
        ------
        ValueError
            If the text is not a split, or names a sample that does not exist.
        """
        index_of = _index_of(sources)
        content = _read_json(text)
        name = content["name"]
        parts = {}
        for part, names in content["parts"].items():
            where = f"split {name!r}: part {part!r}"
            if not isinstance(names, list) or not all(isinstance(source, str) for source in names):
                raise ValueError(f"{where} must be a list of names of samples, got {json.dumps(names)[:60]}")
            missing = [source for source in names if source not in index_of]
            if missing:
                counted = f"{len(missing)} of its {len(names)} samples are not in the file"
                raise ValueError(f"{where} names {missing[0]!r}, which is not a sample of the file ({counted})")
            twice = next((source for source, count in Counter(names).items() if count > 1), None)
            if twice is not None:
                raise ValueError(f"{where} repeats a sample: {twice!r} occurs twice, each must be in one part once")
            parts[part] = np.array([index_of[source] for source in names], dtype=np.int64)
        held_out = {part: tuple(map(int, speakers)) for part, speakers in content.get("held_out", {}).items()}
        kind, apart = str(content.get("kind", OWN)), content.get("speakers_apart")
        return cls(name, parts, kind=kind, speakers_apart=apart, held_out=held_out)


def sample_names(sources: Sequence[str]) -> tuple[str, ...]:
    """A name for each sample: that of its recording, or its number if the recordings have no unique names.

    Parameters
    ----------
    sources : sequence of str
        Name of each sample's recording, empty if unknown.

    Examples
    --------
    >>> sample_names(["a.wav", "b.wav"]), sample_names(["", ""])
    (('a.wav', 'b.wav'), ('0', '1'))
    """
    named = all(sources) and len(set(sources)) == len(sources)
    return tuple(sources) if named else tuple(str(index) for index in range(len(sources)))


def save_split(split: Split, path: str | os.PathLike[str], names: Sequence[str], *, overwrite: bool = False) -> None:
    """Write a split to a file that appears complete or not at all.

    Parameters
    ----------
    split : Split
        The split.
    path : str or path-like
        The file to write.
    names : sequence of str
        Name of each sample, all different, as `sample_names` gives them.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the path cannot be written.
    ValueError
        If names are missing or not unique, or a part has a sample without a name.
    """
    write_atomically(path, split.to_json(names).encode(), overwrite=overwrite)


def load_split(path: str | os.PathLike[str], names: Sequence[str]) -> Split:
    """Read a file of `save_split` for the samples of a spike file.

    Parameters
    ----------
    path : str or path-like
        The file of the split.
    names : sequence of str
        Name of each sample, all different, as `sample_names` gives them.

    Returns
    -------
    Split

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not a split of these samples; the message names the file.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     split = Split("by hand", {"train": np.array([0]), "validation": np.array([1])})
    ...     save_split(split, f"{folder}/split.json", ["a.wav", "b.wav"])
    ...     load_split(f"{folder}/split.json", ["b.wav", "a.wav"]).part("train")
    array([1])
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return Split.from_json(Path(path).read_text(encoding="utf-8"), names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _index_of(sources: Sequence[str]) -> dict[str, int]:
    """Numbers of the samples by name; raises if a name is missing or not unique."""
    if "" in sources:
        raise ValueError("samples must have names to write or find a split, got a file without them")
    index_of = {source: index for index, source in enumerate(sources)}
    if len(index_of) < len(sources):
        twice = next(source for index, source in enumerate(sources) if index_of[source] != index)
        raise ValueError(f"names of samples must differ, got {twice!r} twice")
    return index_of


def _as_samples(where: str, given: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The numbers of the samples of a part, checked."""
    samples = np.asarray(given)
    if samples.ndim != 1:
        raise ValueError(f"{where} must be a column of samples, got shape {samples.shape}")
    if not samples.size:
        raise ValueError(f"{where} must not be empty")
    if samples.dtype.kind not in "iu":
        raise ValueError(f"{where} must hold whole numbers of samples, got {samples.dtype}")
    if samples.min() < 0:
        raise ValueError(f"{where} has sample {samples.min()}, must be >= 0")
    return samples.astype(np.int64, copy=False)


def _read_json(text: str) -> dict[str, Any]:
    """The content of a split's JSON, with its structure checked; earlier versions wrote only name and parts."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"a split must be JSON with 'name' and 'parts': {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"a split must be JSON with 'name' and 'parts', got {text[:40]!r}")
    for key, kind, rule in (("name", str, "text"), ("parts", dict, "an object of lists of names")):
        if not isinstance(content.get(key), kind):
            found = json.dumps(content[key])[:40] if key in content else "nothing"
            raise ValueError(f"a split must be JSON with 'name' and 'parts', {key!r} {rule}, got {found}")
    apart, held_out = content.get("speakers_apart"), content.get("held_out", {})
    if apart is not None and not isinstance(apart, bool):
        raise ValueError(f"split {content['name']!r}: 'speakers_apart' must be true, false or null, got {apart!r}")
    if not isinstance(held_out, dict) or not all(map(_are_speakers, held_out.values())):
        raise ValueError(f"split {content['name']!r}: 'held_out' must be lists of speakers by part, got {held_out!r}")
    return content


def _are_speakers(value: object) -> bool:
    return isinstance(value, list) and all(type(speaker) is int for speaker in value)
