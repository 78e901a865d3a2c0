"""Learning-rate schedules: pure functions of the progress and the history of a training.

A schedule has no state, so a training that resumes after an interruption takes exactly the steps it would have taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikedata.training.history import EpochRecord

SCHEDULES = ("constant", "cosine", "plateau", "one_cycle", "exponential")
ANNEALED = ("cosine", "one_cycle")  # end at a rate of almost 0, so only the last epoch completes a training

_FIRST_SHARE = 1 / 25  # of the largest learning rate, where one cycle begins
_LAST_SHARE = 1e-4  # of the first one, where it ends


def learning_rate_at(
    schedule: str,
    *,
    learning_rate: float,
    progress: float,
    history: Sequence[EpochRecord] = (),
    factor: float = 0.7,
    patience: int = 5,
    rise: float = 0.3,
) -> float:
    """The learning rate at a point of a training.

    ===========  ==================================================================================================
    constant     always the same
    cosine       half a cosine from the full rate to 0; by epochs, as ``progress`` of their beginnings is given
    plateau      times ``factor`` after each ``patience`` + 1 epochs in a row without a better validation accuracy
    exponential  times ``factor`` after each epoch
    one_cycle    up from 1/25 during the first part, ``rise``, then down to a 10,000th of that, along half cosines
    ===========  ==================================================================================================

    Parameters
    ----------
    schedule : str
        One of ``SCHEDULES``.
    learning_rate : float
        Largest learning rate [1].
    progress : float
        Fraction of the training that is done, 0 to 1 [1].
    history : sequence of EpochRecord
        The epochs so far, which are counted, and in which plateaus are found.
    factor : float
        Factor of the learning rate at each plateau, or, if "exponential", after each epoch [1].
    patience : int
        Number of epochs without a better accuracy before one more makes a plateau [1].
    rise : float
        Share of the training in which "one_cycle" raises the learning rate [1].

    Raises
    ------
    ValueError
        If there is no such schedule.

    References
    ----------
    Smith, Topin: Super-convergence: very fast training of neural networks using large learning rates; arXiv
    1708.07120, 2018 (one cycle, here with cosines).

    Examples
    --------
    >>> [round(learning_rate_at("cosine", learning_rate=1.0, progress=p), 3) for p in (0.0, 0.5, 0.75)]
    [1.0, 0.5, 0.146]
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
    if schedule == "cosine":
        return learning_rate * (1 + math.cos(math.pi * progress)) / 2
    if schedule == "exponential":
        return learning_rate * factor ** len(history)
    if schedule == "plateau":
        return learning_rate * factor ** _n_plateaus(history, patience)
    if schedule == "one_cycle":
        first = learning_rate * _FIRST_SHARE
        if progress < rise:
            return _between(first, learning_rate, progress / rise)
        return _between(learning_rate, first * _LAST_SHARE, (progress - rise) / (1 - rise))
    return learning_rate


def _n_plateaus(history: Sequence[EpochRecord], patience: int) -> int:
    """How often ``patience`` + 1 epochs in a row brought no better validation accuracy."""
    best, n_waited, n_plateaus = -math.inf, 0, 0
    for record in history:
        if record.validation_accuracy > best:
            best, n_waited = record.validation_accuracy, 0
        else:
            n_waited += 1
        if n_waited > patience:
            n_plateaus, n_waited = n_plateaus + 1, 0
    return n_plateaus


def _between(first: float, last: float, share: float) -> float:
    """Half a cosine from the first value to the last."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
