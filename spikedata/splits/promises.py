"""What a split guarantees: every class in training, known speakers, disjoint speakers. Checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number
from spikedata.splits.split import Split

WAY_ON = "use a split with shared speakers for such files: --split stratified_shared_speakers"


def require_speakers_apart(split: Split, speakers: npt.ArrayLike) -> None:
    """Raise if a speaker is in two parts.

    Parameters
    ----------
    split : Split
        The split.
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample.

    Raises
    ------
    ValueError
        If a speaker is in two parts or unknown.
    """
    speaker_of = np.asarray(speakers)
    present = {part: np.unique(speaker_of[indices]) for part, indices in split.parts.items()}
    for part, found in present.items():
        if found[0] < 0:
            raise ValueError(f"split {split.name!r}: part {part!r} has an unknown speaker ({found[0]})")
    for one, other in combinations(present, 2):
        shared = np.intersect1d(present[one], present[other])
        if shared.size:
            raise ValueError(f"split {split.name!r}: speaker {shared[0]} is in {one!r} and in {other!r}")


def make_promised(
    name: str, kind: str, parts: Mapping[str, npt.NDArray[np.int64]], speakers: npt.NDArray[np.int64]
) -> Split:
    """A split with its held-out speakers, and with whether its parts share speakers.

    Parameters
    ----------
    name, kind, parts
        As in `Split`.
    speakers : ndarray of int64, shape (n_samples,)
        Speaker of each sample, -1 if unknown.

    Raises
    ------
    ValueError
        As in `Split`.
    """
    split = Split(name, dict(parts), kind=kind)  # checks the parts
    present = {part: np.unique(speakers[indices]) for part, indices in split.parts.items()}
    trained = present.get("train", np.empty(0, np.int64))
    held_out = {part: np.setdiff1d(found[found >= 0], trained) for part, found in present.items() if part != "train"}
    together = np.concatenate(list(present.values()))
    return replace(
        split,
        speakers_apart=None if together.min() < 0 else np.unique(together).size == together.size,
        held_out={part: tuple(found.tolist()) for part, found in held_out.items() if found.size},
    )


def require_known_speakers(speakers: npt.NDArray[np.int64]) -> None:
    """Raise unless every speaker is known; the message names a split that does not need speakers.

    Parameters
    ----------
    speakers : ndarray of int64, shape (n_samples,)
        Speaker of each sample.

    Raises
    ------
    ValueError
        If a speaker is unknown.
    """
    n_unknown = int(np.count_nonzero(speakers < 0))
    if n_unknown:
        found = f"{n_unknown} of {len(speakers)} samples have an unknown speaker (-1)"
        raise ValueError(f"speakers must be known to be kept apart, {found}; {WAY_ON}")


def generator(seed: int) -> np.random.Generator:
    """The random numbers of a split.

    Parameters
    ----------
    seed : int
        Seed, not negative.

    Raises
    ------
    ValueError
        If it is not a whole number, or is below 0.
    """
    return np.random.default_rng(whole_number("the seed of a split", seed, at_least=0))


def require_every_class(split: Split, labels: npt.ArrayLike) -> None:
    """Raise unless every class that occurs is in the part ``train``.

    Parameters
    ----------
    split : Split
        The split.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.

    Raises
    ------
    ValueError
        If classes are missing in training; the message names them.
    """
    label_of = np.asarray(labels)
    missing = np.setdiff1d(label_of, label_of[split.parts["train"]])
    if missing.size:
        raise ValueError(f"training must have every class, got none of {missing.tolist()}: hold out other samples")


def as_columns(**columns: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], ...]:
    """The columns as arrays of integers.

    Parameters
    ----------
    **columns : array_like of int, shape (n_samples,)
        The columns by name.

    Raises
    ------
    ValueError
        If they differ in length, are not one-dimensional, or do not hold whole numbers.
    """
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        found = " and ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{found}, must be (n_samples,) both")
    for name, array in arrays.items():
        if array.size and array.dtype.kind not in "iu":
            raise ValueError(f"{name} must be whole numbers, got {array.dtype}")
    return tuple(array.astype(np.int64, copy=False) for array in arrays.values())
