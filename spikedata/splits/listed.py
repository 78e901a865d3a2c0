"""The split defined by a corpus's own lists of clip ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from spikedata.splits.promises import as_columns, make_promised, require_every_class
from spikedata.splits.split import Split

_ORDER = ("train", "validation", "test")  # other parts follow, sorted by name


def split_as_listed(
    names: Sequence[str],
    labels: npt.ArrayLike,
    speakers: npt.ArrayLike,
    parts: Mapping[str, Sequence[str]],
    *,
    origin: str = "lists",
) -> Split:
    """The split defined by lists of names; every sample must be in exactly one list.

    Parameters
    ----------
    names : sequence of str
        Name of each sample, all different.
    labels, speakers : array_like of int, shape (n_samples,)
        Class and speaker of each sample.
    parts : dict of str to sequence of str
        Names of samples by part; one part must be ``train``.
    origin : str
        Origin of the lists, for the name of the split and for messages.

    Returns
    -------
    Split
        It depends on the lists and names, not on their order. If parts share speakers, its name says so.

    Raises
    ------
    ValueError
        If a list has an unknown name, a sample is in no list or listed twice, there is no part ``train``, a part is
        empty, or a class does not occur in training.

    Examples
    --------
    >>> parts = {"train": ["a.wav", "b.wav"], "test": ["c.wav"]}
    >>> split = split_as_listed(["c.wav", "b.wav", "a.wav"], [0, 0, 0], [2, 1, 1], parts)
    >>> split.part("test"), split.name
    (array([0]), 'as listed (lists)')
    """
    label_of, speaker_of = as_columns(labels=labels, speakers=speakers)
    if len(names) != len(label_of):
        raise ValueError(f"names must be {len(label_of)}, one per sample, got {len(names)}")
    if "train" not in parts:
        raise ValueError(f"{origin}: must have a part 'train', got {', '.join(map(repr, parts)) or 'none'}")
    indices = _find(names, parts, origin)
    split = make_promised("as listed", "listed", {part: indices[part] for part in _in_order(indices)}, speaker_of)
    shares = {True: "", False: ", speakers shared", None: ", speakers unknown"}[split.speakers_apart]
    split = replace(split, name=f"as listed{shares} ({origin})")
    require_every_class(split, label_of)
    return split


def _find(names: Sequence[str], parts: Mapping[str, Sequence[str]], origin: str) -> dict[str, npt.NDArray[np.int64]]:
    """Numbers of the samples of each part, in rising order."""
    index_of = {name: index for index, name in enumerate(names)}
    if len(index_of) < len(names):
        raise ValueError(f"names of samples must differ, got {len(index_of)} names of {len(names)} samples")
    part_of: dict[str, str] = {}
    for part, listed in parts.items():
        strangers = [name for name in listed if name not in index_of]
        if strangers:
            counted = f"{len(strangers)} of {len(listed)} recordings that do not exist, first"
            way = "encode --on-error skip leaves them out"
            raise ValueError(f"{origin}: part {part!r} names {counted} {min(strangers)!r}; {way}")
        for name in listed:
            if name in part_of:
                raise ValueError(f"{origin}: {name!r} must be listed once, got parts {part_of[name]!r} and {part!r}")
            part_of[name] = part
    left = [name for name in names if name not in part_of]
    if left:
        raise ValueError(f"{origin}: must name every recording, {len(left)} are in no part, first {min(left)!r}")
    by_sample = np.array([part_of[name] for name in names])
    return {part: np.flatnonzero(by_sample == part) for part in parts}


def _in_order(parts: Mapping[str, object]) -> list[str]:
    return [*(part for part in _ORDER if part in parts), *sorted(set(parts) - set(_ORDER))]
