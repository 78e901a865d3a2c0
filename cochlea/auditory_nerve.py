"""Probability to fiber spikes: refractory nerve fibers, counted per hair cell."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import Bounds, check_fields, checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.signals import as_signals

_MOST_PROBABLE = 1.0 - 1e-6  # a fiber's probability is capped here: its hazard stays finite


@dataclass(frozen=True, kw_only=True)
class AuditoryNerveParams:
    """The nerve fibers.

    Parameters
    ----------
    n_fibers : int
        Fibers of one hair cell [fibers].
    tau_refractory : float
        Time after a spike in which a fiber cannot fire [s].
    """

    n_fibers: Annotated[int, Bounds(at_least=1, at_most=1_000_000)] = 8
    tau_refractory: Annotated[float, Bounds(at_least=0, at_most=1)] = 1e-3

    def __post_init__(self) -> None:
        check_fields(self)

    def dead_steps(self, sample_rate: int) -> int:
        """Steps from one spike of a fiber to the next that it can have: at least one, whatever the rate [Hz]."""
        return max(1, int(np.ceil(self.tau_refractory * sample_rate - 1e-9)))


def auditory_nerve(
    probability: NDArray[np.floating], sample_rate: int, params: AuditoryNerveParams, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """How many fibers of each hair cell fire in each step.

    Every ready fiber fires in a step with the given probability and is then refractory; only the number that fire
    matters downstream, and it is drawn directly. With h = -log(1 - p) and n ready fibers the time to the next spike is
    exponential in the sum of n h, so one number is drawn per spike, not per step and fiber; the counts have exactly
    the distribution of explicit fibers, Binomial(n, p) in every step.

    Parameters
    ----------
    probability : ndarray, shape (cell, sample)
        Probability that a ready fiber fires in a step [1].
    sample_rate : int
        [Hz]
    params : AuditoryNerveParams
    rng : numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    ndarray, shape (cell, sample)
        Number of fibers that fire [spikes].

    Raises
    ------
    ValueError
        If the probability is not two-dimensional, or the rate no whole number.
    TypeError
        If the params are of another stage, or `rng` is no generator.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022), section II-B: 40 fibers to a bushy cell, refractory
    for 1 ms.
    """
    params = checked_object("params", params, AuditoryNerveParams)
    probability = as_signals("probability", probability, "cell", "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    rng = checked_object("rng", rng, np.random.Generator)
    hazard = np.minimum(probability, probability.dtype.type(_MOST_PROBABLE))
    np.negative(hazard, out=hazard)
    np.log1p(hazard, out=hazard)
    np.negative(hazard, out=hazard)
    counts = np.zeros(probability.shape, np.uint16)
    _draw_spikes(hazard, params.n_fibers, params.dead_steps(sample_rate), rng, counts)
    return counts


@compiled()
def _draw_spikes(hazard: Array, n_fibers: int, n_dead: int, rng: np.random.Generator, counts: Array) -> None:
    # A spike leaves a fiber out of the count for n_dead steps: the fibers that return at step t are those that fired
    # at t - n_dead, which counts[t - n_dead] holds. `left` is what remains of an Exp(1) until the next spike.
    n_cells, n_samples = hazard.shape
    for cell in range(n_cells):
        h_row = hazard[cell]
        count = counts[cell]
        ready = n_fibers
        left = rng.standard_exponential()
        for t in range(n_samples):
            if t >= n_dead:
                ready += count[t - n_dead]
            left -= ready * h_row[t]
            if left < 0.0:
                h = h_row[t]
                fired = 0
                while left < 0.0 and ready > 0:
                    # the spike used up part of the step; those still ready go on through the rest of it
                    rest = -left / ready
                    rest = rest if rest < h else h
                    ready -= 1
                    fired += 1
                    left = rng.standard_exponential() - ready * rest
                count[t] = fired
