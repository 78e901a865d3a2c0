"""Uncertainty of scores: over the clips of a test, and over the seeds of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class OverSeeds:
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

    The interval says how far another set of seeds could shift the mean. It says nothing about other speakers or clips.

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
    from scipy.stats import binomtest  # takes a second to import

    found = binomtest(n_correct, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class OverClips:
    """Accuracy over the clips that one or more of several runs tested.

    Attributes
    ----------
    n : int
        Clips, each once.
    accuracy : float
        Mean over the clips of the fraction of the runs that tested the clip and found its class.
    interval_95 : tuple of float
        Wilson's interval for n clips.
    """

    n: int
    accuracy: float
    interval_95: tuple[float, float]


def over_clips(tests: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]) -> OverClips:
    """Accuracy over all clips that some runs tested, each clip counted once, whichever runs tested it.

    More runs on the same clips say nothing about other clips, so the interval is that for the number of clips. It is
    slightly too wide for the mean over several runs, which varies less than a single run.

    Parameters
    ----------
    tests : sequence of (ndarray of int64, ndarray of int64)
        For each run the numbers of the clips that it tested, and of those whose class it did not find.

    Raises
    ------
    ValueError
        If no clip was tested.

    Examples
    --------
    >>> result = over_clips([(np.arange(10), np.array([0, 1])), (np.arange(5, 15), np.array([5]))])
    >>> result.n, round(result.accuracy, 4)
    (15, 0.8333)
    """
    tested, wrong = ([np.asarray(test[i], dtype=np.int64) for test in tests] for i in (0, 1))
    if not sum(map(len, tested)):
        raise ValueError("there must be a clip that was tested, got none")
    clips, n_tested = np.unique(np.concatenate(tested), return_counts=True)
    n_wrong = np.zeros(len(clips))
    np.add.at(n_wrong, np.searchsorted(clips, np.concatenate(wrong)), 1)
    accuracy = float(1 - (n_wrong / n_tested).mean())
    return OverClips(len(clips), accuracy, wilson_interval(round(accuracy * len(clips)), len(clips)))


def ranges_text(numbers: npt.ArrayLike) -> str:
    """Numbers in rising order as a card writes them, short where many follow each other.

    Parameters
    ----------
    numbers : array_like of int
        Numbers >= 0, in any order [1].

    Examples
    --------
    >>> ranges_text([7, 0, 1, 2]), ranges_text([])
    ('0-2,7', '')
    """
    ordered = np.unique(np.asarray(numbers, dtype=np.int64))
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1) if len(ordered) else []
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def numbers_of_ranges(text: str) -> npt.NDArray[np.int64]:
    """The numbers that `ranges_text` wrote, in rising order.

    Parameters
    ----------
    text : str
        What it gave.

    Raises
    ------
    ValueError
        If it is no such text.

    Examples
    --------
    >>> numbers_of_ranges("0-2,7").tolist()
    [0, 1, 2, 7]
    """
    return np.array([number for part in _ranges_of(text) for number in part], dtype=np.int64)


def count_of_ranges(text: str) -> int:
    """How many numbers `ranges_text` wrote; none of them is made, however many a text asks for.

    Raises
    ------
    ValueError
        If it is no such text.
    """
    return sum(part.stop - part.start for part in _ranges_of(text))


def _ranges_of(text: str) -> list[range]:
    bounds = [part.split("-") for part in text.split(",") if part]
    is_text = all(len(pair) <= 2 and all(bound.isdecimal() for bound in pair) for pair in bounds)
    ranges = [range(int(pair[0]), int(pair[-1]) + 1) for pair in bounds] if is_text else []
    starts_and_ends = [end for part in ranges for end in (part.start, part.stop - 1)]
    if not is_text or starts_and_ends != sorted(starts_and_ends):
        raise ValueError(f"clips must be numbers and ranges of them, as 0-2,7; got {text!r}")
    return ranges
