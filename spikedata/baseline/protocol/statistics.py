"""How sure a score is: over the clips of a test, and over the seeds of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


class OverSeeds(NamedTuple):
    """Scores of several runs that differ in their seeds.

    Attributes
    ----------
    n : int
        Runs.
    mean : float
        Their mean.
    deviation : float or None
        Standard deviation of the sample, over n - 1; None of one run.
    interval_95 : tuple of float or None
        Of the mean, by Student's distribution; None of one run.
    """

    n: int
    mean: float
    deviation: float | None
    interval_95: tuple[float, float] | None


def over_seeds(scores: Sequence[float]) -> OverSeeds:
    """Mean, standard deviation and 95 % interval of the mean of some scores.

    The interval says how far another set of seeds could shift the mean. It says nothing of other speakers or clips.

    Parameters
    ----------
    scores : sequence of float
        One for each run, at least one.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> result = over_seeds([0.70, 0.72, 0.74])
    >>> round(result.mean, 3), round(result.deviation, 3), [round(bound, 3) for bound in result.interval_95]
    (0.72, 0.02, [0.67, 0.77])
    """
    if not len(scores):
        raise ValueError("there must be a score, got none")
    mean = float(np.mean(scores))
    if len(scores) == 1:
        return OverSeeds(1, mean, None, None)
    from scipy.special import stdtrit

    deviation = float(np.std(scores, ddof=1))
    half = float(stdtrit(len(scores) - 1, 0.975)) * deviation / math.sqrt(len(scores))
    return OverSeeds(len(scores), mean, deviation, (max(mean - half, 0.0), min(mean + half, 1.0)))


def over_all_seeds(scores: Sequence[float | None]) -> OverSeeds | None:
    """What `over_seeds` says of the scores; None where a run has none.

    Parameters
    ----------
    scores : sequence of float or None
        One for each run.
    """
    known = [score for score in scores if score is not None]
    return over_seeds(known) if known and len(known) == len(scores) else None


def wilson_interval(n_correct: int, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of a fraction (Wilson, J. Am. Stat. Assoc. 22:209, 1927).

    It treats clips as independent; clips of one speaker are not quite, so the truth is a little wider.

    Parameters
    ----------
    n_correct, n : int
        Successes, and trials [1].

    Raises
    ------
    ValueError
        Unless 0 <= n_correct <= n and n > 0.

    Examples
    --------
    >>> low, high = wilson_interval(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if not (0 <= n_correct <= n and n > 0):
        raise ValueError(f"n_correct must be in 0..n and n > 0, got {n_correct} of {n}")
    fraction, spread = n_correct / n, _Z_95**2 / n
    center = (fraction + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(fraction * (1 - fraction) / n + spread / n / 4) / (1 + spread)
    return max(0.0, center - half), min(1.0, center + half)
