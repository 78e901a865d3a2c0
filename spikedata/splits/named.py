"""Make a split by its name, and find out which splits a data set allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from spikedata.splits.by_speaker import split_by_speaker
from spikedata.splits.folds import leave_speaker_out
from spikedata.splits.listed import split_as_listed
from spikedata.splits.published import split_as_published
from spikedata.splits.split import Split, sample_names
from spikedata.splits.stratified import split_stratified

_FOLD = "leave_one_speaker_out"
_LISTS_PUBLISHED = "heidelberg_digits"  # the corpus whose own lists are those of the published data set


class Samples(Protocol):
    """What a split is made from: `Events`, an open `SpikeFile` or a `Listing` of clips."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each sample, shape (n_samples,)."""

    @property
    def speakers(self) -> npt.NDArray[np.int64]:
        """Speaker of each sample, shape (n_samples,); -1 if unknown."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Name of each sample's recording; empty if unknown."""


@runtime_checkable
class BringsParts(Protocol):
    """What a `Listing` has in addition: the corpus's own division into parts."""

    @property
    def corpus(self) -> str:
        """Name of the corpus."""

    @property
    def parts(self) -> Mapping[str, tuple[str, ...]] | None:
        """Clip ids by part; None if the corpus has no division of its own."""

    @property
    def parts_from(self) -> str:
        """Origin of the division: the names of its lists."""


def make_split(samples: Samples, name: str = "by_speaker", *, seed: int = 0, speaker: int | None = None) -> Split:
    """Make the split of the given name.

    =====================================  ===========================  ==========================================
    name                                   parts                        rule
    =====================================  ===========================  ==========================================
    by_speaker                             train, validation, test      no speaker in two parts (the default)
    validation_by_speaker                  train, validation            the same, if the test set is another file
    leave_one_speaker_out                  train, validation, test      one speaker tests, another validates
    published                              train, (validation), test    the division of the published data set
    listed                                 those of the lists           the corpus's own lists
    stratified_shared_speakers             train, validation, test      80, 10, 10 % of each class and speaker
    validation_stratified_shared_speakers  train, validation            90, 10 % of each class and speaker
    =====================================  ===========================  ==========================================

    "listed" needs a listing of a corpus that has lists. The lists of Heidelberg Digits, where present, also define
    "published". For other options, call `split_by_speaker`, `leave_one_speaker_out`, `split_as_published`,
    `split_by_hash`, `split_as_listed` or `split_stratified`.

    Parameters
    ----------
    samples : Events, SpikeFile or Listing
        The data set.
    name : str
        One of `SPLITS`.
    seed : int
        Seed of random choices; "published" and "listed" do not use it.
    speaker : int, optional
        The test speaker; required by "leave_one_speaker_out", and allowed only there.

    Returns
    -------
    Split
        It depends on the samples and their names, but not on their order.

    Raises
    ------
    ValueError
        If the name is unknown, or the data set does not allow the split; the message names those that it allows.
    """
    if not isinstance(name, str) or name not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
    if (name == _FOLD) != (speaker is not None):
        rule = "needs the speaker to leave out" if name == _FOLD else "leaves no speaker out"
        raise ValueError(f"split {name!r} {rule}, got speaker {speaker}")
    try:
        return _MAKERS[name](samples, seed, speaker)
    except ValueError as error:
        existing = available_splits(samples, seed=seed)
        if name in existing:  # it exists with other options, such as another speaker
            raise
        raise ValueError(f"no split {name!r}: {error}; available: {', '.join(existing) or 'none'}") from error


def available_splits(samples: Samples, *, seed: int = 0) -> tuple[str, ...]:
    """Names of the splits that a data set allows, found by making each of them.

    Parameters
    ----------
    samples : Events, SpikeFile or Listing
        The data set.
    seed : int
        Seed of random choices.
    """
    return tuple(name for name in SPLITS if _exists(name, samples, seed))


def _exists(name: str, samples: Samples, seed: int) -> bool:
    some_speaker = int(samples.speakers[0]) if len(samples.speakers) else None
    try:
        _MAKERS[name](samples, seed, some_speaker)
    except ValueError:
        return False
    return True


def _listed(samples: Samples, seed: int, speaker: int | None) -> Split:
    if not isinstance(samples, BringsParts) or samples.parts is None:
        raise ValueError("the data set has no lists that divide it")
    return split_as_listed(samples.sources, samples.labels, samples.speakers, samples.parts, origin=samples.parts_from)


def _published(samples: Samples, seed: int, speaker: int | None) -> Split:
    if isinstance(samples, BringsParts) and samples.corpus == _LISTS_PUBLISHED and samples.parts is not None:
        split = _listed(samples, seed, speaker)
        return replace(split, name=split.name.replace("as listed", "published lists", 1), kind="published")
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
    "listed": _listed,
    "stratified_shared_speakers": _stratified,
    "validation_stratified_shared_speakers": _validation_stratified,
}
#: Names that `make_split` takes.
SPLITS = tuple(_MAKERS)
