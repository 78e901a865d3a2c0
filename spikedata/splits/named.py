"""Splits by name, and which of them a data set has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spikedata.splits.by_speaker import split_by_speaker
from spikedata.splits.folds import leave_speaker_out
from spikedata.splits.published import split_as_published
from spikedata.splits.split import Split, sample_names
from spikedata.splits.stratified import split_stratified

_FOLD = "leave_one_speaker_out"


class Samples(Protocol):
    """What a split is made of: `Events` and an open `SpikeFile` both have it."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each sample, shape (n_samples,)."""

    @property
    def speakers(self) -> npt.NDArray[np.int64]:
        """Speaker of each sample, shape (n_samples,); -1 where unknown."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Name of each sample's recording; empty where unknown."""


def make_split(samples: Samples, name: str = "by_speaker", *, seed: int = 0, speaker: int | None = None) -> Split:
    """The split of a name.

    =====================================  ===========================  ==========================================
    name                                   parts                        what
    =====================================  ===========================  ==========================================
    by_speaker                             train, validation, test      no speaker in two parts (the default)
    validation_by_speaker                  train, validation            the same where the test set is another file
    leave_one_speaker_out                  train, validation, test      one speaker tests, another validates
    published                              train, (validation), test    as the corpus is divided
    stratified_shared_speakers             train, validation, test      80, 10, 10 % of each class and speaker
    validation_stratified_shared_speakers  train, validation            90, 10 % of each class and speaker
    =====================================  ===========================  ==========================================

    With other options: `split_by_speaker`, `leave_one_speaker_out`, `split_as_published`, `split_stratified`.

    Parameters
    ----------
    samples : Events or SpikeFile
        The data set.
    name : str
        One of `SPLITS`.
    seed : int
        Seed of what is chosen at random; of no meaning to "published".
    speaker : int, optional
        Who is left out: for "leave_one_speaker_out", and for it alone.

    Returns
    -------
    Split
        It depends on the samples and their names, not on their order.

    Raises
    ------
    ValueError
        If there is no such split, or the data set does not have it; the message names those that it has.
    """
    if name not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
    if (name == _FOLD) != (speaker is not None):
        rule = "must name the speaker who is left out" if name == _FOLD else "leaves no speaker out"
        raise ValueError(f"split {name!r} {rule}, got speaker {speaker}")
    try:
        return _MAKERS[name](samples, seed, speaker)
    except ValueError as error:
        existing = available_splits(samples, seed=seed)
        if name in existing:  # with other options
            raise
        raise ValueError(f"no split {name!r}: {error}; there is: {', '.join(existing) or 'none'}") from error


def available_splits(samples: Samples, *, seed: int = 0) -> tuple[str, ...]:
    """Names of the splits that a data set has: each is tried.

    Parameters
    ----------
    samples : Events or SpikeFile
        The data set.
    seed : int
        Seed of what is chosen at random.
    """
    return tuple(name for name in SPLITS if _exists(name, samples, seed))


def _exists(name: str, samples: Samples, seed: int) -> bool:
    somebody = int(samples.speakers[0]) if len(samples.speakers) else None
    try:
        _MAKERS[name](samples, seed, somebody)
    except ValueError:
        return False
    return True


def _published(samples: Samples, seed: int, speaker: int | None) -> Split:
    return split_as_published(samples.sources, samples.labels, samples.speakers)


def _by_speaker(samples: Samples, seed: int, speaker: int | None) -> Split:
    return split_by_speaker(samples.speakers, samples.labels, seed=seed)


def _validation_by_speaker(samples: Samples, seed: int, speaker: int | None) -> Split:
    return split_by_speaker(samples.speakers, samples.labels, test=(), seed=seed)


def _leave_one_speaker_out(samples: Samples, seed: int, speaker: int | None) -> Split:
    if speaker is None:
        raise ValueError("there are no speakers to leave out")
    return leave_speaker_out(samples.speakers, samples.labels, speaker, seed=seed)


def _stratified(samples: Samples, seed: int, speaker: int | None) -> Split:
    names = sample_names(samples.sources)
    return split_stratified(samples.labels, samples.speakers, names, validation=0.1, test=0.1, seed=seed)


def _validation_stratified(samples: Samples, seed: int, speaker: int | None) -> Split:
    names = sample_names(samples.sources)
    return split_stratified(samples.labels, samples.speakers, names, validation=0.1, seed=seed)


_MAKERS: dict[str, Callable[[Samples, int, int | None], Split]] = {
    "by_speaker": _by_speaker,
    "validation_by_speaker": _validation_by_speaker,
    _FOLD: _leave_one_speaker_out,
    "published": _published,
    "stratified_shared_speakers": _stratified,
    "validation_stratified_shared_speakers": _validation_stratified,
}
SPLITS = tuple(_MAKERS)
