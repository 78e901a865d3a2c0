"""Leave-one-speaker-out: every speaker is the test part once."""

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
    """One split for each speaker, who is its test part; others validate, the rest trains.

    Parameters
    ----------
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.
    n_validation : int
        Speakers of the validation part. Every speaker is in the validation part of as many folds.
    seed : int
        Seed of who validates whom.

    Returns
    -------
    tuple of Split
        In the order of the speakers' numbers. Each is as large as the data set: of thousands of speakers, ask
        for the folds one by one, by `leave_speaker_out`.

    Raises
    ------
    ValueError
        If a speaker is unknown, too few are left to train, or a class does not occur in the training of a fold.

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
        Who is left out.
    n_validation, seed : int
        As `leave_one_speaker_out`.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        As `leave_one_speaker_out`; or if there is no such speaker.

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
        rule = f"n_validation must be in 1..{len(everybody) - 2}, so that somebody trains"
        raise ValueError(f"leaving one of {len(everybody)} speakers out: {rule}, got {n_validation}")
    if speaker not in everybody:
        raise ValueError(f"test speaker {speaker}, must be one of {', '.join(map(str, everybody))}")
    circle = generator(seed).permutation(everybody).tolist()  # each is validated by the next ones
    place = circle.index(speaker)
    validation = sorted((circle * 2)[place + 1 : place + 1 + n_validation])
    split = split_by_speaker(speaker_of, label_of, validation=validation, test=(speaker,))
    name = split.name.replace("by speaker", "leave one speaker out", 1)
    return replace(split, name=name, kind="leave_one_speaker_out")
