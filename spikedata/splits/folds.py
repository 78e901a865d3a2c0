"""Leave-one-speaker-out cross-validation: each speaker is the test part of one fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from spikedata.splits.by_speaker import split_by_speaker
from spikedata.splits.promises import WAY_ON, as_columns, generator, require_known_speakers
from spikedata.splits.split import Split


def leave_one_speaker_out(
    speakers: npt.ArrayLike, labels: npt.ArrayLike, *, n_validation: int = 1, seed: int = 0
) -> tuple[Split, ...]:
    """One split for each speaker, who is its test part; one or more others validate, the rest train.

    Parameters
    ----------
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.
    n_validation : int
        Number of validation speakers [1]. Every speaker is in the validation part of equally many folds.
    seed : int
        Seed of the assignment of validation speakers.

    Returns
    -------
    tuple of Split
        In the order of the speakers' numbers. Each fold is as large as the data set; with thousands of speakers, make
        the folds one by one with `leave_speaker_out`.

    Raises
    ------
    ValueError
        If a speaker is unknown, no speaker is left for training, or a class does not occur in the training part of a
        fold.

    Examples
    --------
    >>> folds = leave_one_speaker_out([1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1])
    >>> [fold.part("test").tolist() for fold in folds]
    [[0, 1], [2, 3], [4, 5]]
    """
    everybody = np.unique(np.asarray(speakers)).tolist()
    if not everybody:
        raise ValueError("leaving a speaker out takes at least 3 speakers, got 0")
    return tuple(
        leave_speaker_out(speakers, labels, speaker, n_validation=n_validation, seed=seed) for speaker in everybody
    )


def leave_speaker_out(
    speakers: npt.ArrayLike, labels: npt.ArrayLike, speaker: int, *, n_validation: int = 1, seed: int = 0
) -> Split:
    """The fold of `leave_one_speaker_out` whose test part is one speaker.

    Parameters
    ----------
    speakers, labels : array_like of int, shape (n_samples,)
        Speaker and class of each sample.
    speaker : int
        The speaker of the test part.
    n_validation, seed : int
        As in `leave_one_speaker_out`.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        As in `leave_one_speaker_out`, and if the speaker does not occur.

    Examples
    --------
    >>> leave_speaker_out([1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1], 2).name
    'leave one speaker out: validation 3; test 2'
    """
    speaker_of, label_of = as_columns(speakers=speakers, labels=labels)
    require_known_speakers(speaker_of)
    everybody = np.unique(speaker_of)
    if len(everybody) < 3:
        raise ValueError(f"leaving a speaker out takes at least 3 speakers, got {len(everybody)}; {WAY_ON}")
    if not 1 <= n_validation <= len(everybody) - 2:
        rule = f"n_validation must be in 1..{len(everybody) - 2}, so that a speaker is left for training"
        raise ValueError(f"leaving one of {len(everybody)} speakers out: {rule}, got {n_validation}")
    if speaker not in everybody:
        raise ValueError(f"test speaker {speaker}, must be one of {', '.join(map(str, everybody))}")
    circle = (
        generator(seed).permutation(everybody).tolist()
    )  # each fold is validated by the speakers that follow its test speaker
    place = circle.index(speaker)
    validation = sorted((circle * 2)[place + 1 : place + 1 + n_validation])
    split = split_by_speaker(speaker_of, label_of, validation=validation, test=(speaker,))
    name = split.name.replace("by speaker", "leave one speaker out", 1)
    return replace(split, name=name, kind="leave_one_speaker_out")
