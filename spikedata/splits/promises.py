"""What a split promises, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number
from spikedata.splits.split import Split

WAY_ON = "a split that shares speakers takes such files: --split stratified_shared_speakers"


def require_speakers_apart(split: Split, speakers: npt.ArrayLike) -> None:
    """Raise unless no speaker is in two parts.

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
    """A split that says who is held out, and whether its parts share speakers.

    Parameters
    ----------
    name, kind, parts
        As `Split`.
    speakers : ndarray of int64, shape (n_samples,)
        Speaker of each sample, -1 where unknown.

    Raises
    ------
    ValueError
        As `Split`.
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
    """Raise unless every speaker is known; the message names the split that needs none.

    Parameters
    ----------
    speakers : ndarray of int64, shape (n_samples,)
        Speaker of each sample.

    Raises
    ------
    ValueError
        If one is unknown.
    """
    n_unknown = int(np.count_nonzero(speakers < 0))
    if n_unknown:
        found = f"{n_unknown} of {len(speakers)} samples have an unknown one (-1)"
        raise ValueError(f"speakers must be known to be held apart, {found}; {WAY_ON}")


def generator(seed: int) -> np.random.Generator:
    """The chance of a split.

    Parameters
    ----------
    seed : int
        From 0 on.

    Raises
    ------
    ValueError
        If it is no whole number, or below 0.
    """
    return np.random.default_rng(whole_number("the seed of a split", seed, at_least=0))


def require_every_class(split: Split, labels: npt.ArrayLike) -> None:
    """Raise unless the part ``train`` has every class that occurs.

    Parameters
    ----------
    split : Split
        The split.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.

    Raises
    ------
    ValueError
        If a class is not trained; the message names those classes.
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
        Each by its name.

    Raises
    ------
    ValueError
        If they are not equally long, not one-dimensional, or no whole numbers.
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
