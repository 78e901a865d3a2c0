"""From release probability to spikes: refractory nerve fibers, counted per hair cell."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.checks import Bounds, check_fields, checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.elementary import log1p
from cochlea.signals import as_signals

# Equally probable values in place of an exponential time: the longest is 7.6 times the mean, and the mean of all is
# within 0.04 % of it.
N_QUANTILES = 1024
_MOST_PROBABLE = 1.0 - 1e-6  # cap of a fiber's probability per step: the hazard -log(1 - p) stays finite


@dataclass(frozen=True, kw_only=True)
class AuditoryNerveParams:
    """The parameters of the nerve fibers.

    Parameters
    ----------
    n_fibers : int
        Number of fibers of one hair cell [fibers].
    tau_refractory : float
        Time after a spike during which a fiber cannot fire: the absolute refractory time [s].
    tau_relative : float
        Mean of an exponential time that is added to it, drawn anew for each spike, so that a fiber recovers gradually:
        the relative refractory time [s].
    """

    # Five hair cells of 8 fibers each give a channel 40 fibers, the convergence of the published converter.
    n_fibers: Annotated[int, Bounds(at_least=1, at_most=1_000_000)] = 8
    tau_refractory: Annotated[float, Bounds(at_least=0, at_most=1)] = 1e-3
    tau_relative: Annotated[float, Bounds(at_least=0, at_most=0.1)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def dead_steps(self, sample_rate: int) -> int:
        """Number of steps from one spike of a fiber to the earliest next one, at a rate [Hz]; at least one.

        Parameters
        ----------
        sample_rate : int
            Steps per second [Hz].
        """
        # The 1e-9 keeps rounding errors from adding a step where the product should be a whole number.
        return max(1, int(np.ceil(self.tau_refractory * sample_rate - 1e-9)))

    def dead_times(self, sample_rate: int) -> NDArray[np.int64]:
        """The numbers of steps from one spike of a fiber to the earliest next one, each equally probable.

        One number where `tau_relative` is 0; otherwise 1,024, the absolute refractory time and the quantiles of an
        exponential distribution, rounded to steps. The longest is `tau_refractory` + 7.6 `tau_relative`.

        Parameters
        ----------
        sample_rate : int
            Steps per second [Hz].

        Returns
        -------
        ndarray of int64, shape (1,) or (1024,)
            Numbers of steps in ascending order [steps].
        """
        absolute = self.dead_steps(sample_rate)
        if self.tau_relative == 0:
            return np.array([absolute])
        return absolute + np.rint(_quantiles() * (self.tau_relative * sample_rate)).astype(np.int64)


@cache
def _quantiles() -> NDArray[np.float64]:
    # Of the exponential distribution with mean 1; read-only, since every clip takes the same array.
    quantiles = np.array([-log1p(-(number + 0.5) / N_QUANTILES) for number in range(N_QUANTILES)])
    quantiles.flags.writeable = False
    return quantiles


def auditory_nerve(
    probability: NDArray[np.floating],
    sample_rate: int,
    params: AuditoryNerveParams,
    rng: np.random.Generator,
    n_fibers: ArrayLike | None = None,
) -> NDArray[np.uint16]:
    """How many fibers of each hair cell fire in each step.

    In each step, every fiber that is not refractory fires with the given probability and is then refractory. The fibers
    of a cell are exchangeable, so only the number that fire matters downstream, and it is drawn directly. With the
    hazard h = -log(1 - p) and n ready fibers, the sum of n h up to the next spike is exponentially distributed, so one
    random number is drawn per spike instead of one per step and fiber. The counts have exactly the distribution that
    separate fibers would give, Binomial(n, p) in every step.

    A fiber is refractory for `tau_refractory` and then for an exponential time of mean `tau_relative`: after a spike,
    the share of fibers that have recovered is 1 - exp(-(t - tau_refractory) / tau_relative). A rate r without
    refractoriness becomes r / (1 + r (tau_refractory + tau_relative)).

    Parameters
    ----------
    probability : ndarray, shape (cell, sample)
        Probability that a ready fiber fires in each step [1].
    sample_rate : int
        Steps per second [Hz].
    params : AuditoryNerveParams
    rng : numpy.random.Generator
        Source of the random numbers.
    n_fibers : array_like of int, shape (cell,), optional
        Number of fibers of each hair cell, where they have unequal numbers; default: `params.n_fibers` [fibers].

    Returns
    -------
    ndarray of uint16, shape (cell, sample)
        Number of fibers that fire in each step [spikes].

    Raises
    ------
    ValueError
        If the probability is not two-dimensional, the rate is not a whole number, or the numbers of fibers are not
        whole, negative or as many as there are cells.
    TypeError
        If `params` is not an `AuditoryNerveParams`, or `rng` is not a generator.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022), section II-B: 40 fibers per bushy cell, each
    refractory for 1 ms. Bruce, Erfani, Zilany, Hearing Research 360:40 (2018): relative refractoriness.
    """
    params = checked_object("params", params, AuditoryNerveParams)
    probability = as_signals("probability", probability, "cell", "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    rng = checked_object("rng", rng, np.random.Generator)
    fibers = np.full(len(probability), params.n_fibers) if n_fibers is None else np.asarray(n_fibers)
    if fibers.shape != (len(probability),) or fibers.dtype.kind not in "iu" or (fibers < 0).any():
        raise ValueError(f"n_fibers must be {len(probability)} whole numbers >= 0, one per cell, got {n_fibers!r}")
    hazard = np.empty_like(probability)
    _to_hazard(probability, hazard)
    counts = np.zeros(probability.shape, np.uint16)
    _draw_spikes(hazard, fibers, params.dead_times(sample_rate), rng, counts)
    return counts


def fibers_that_fire(
    counts: NDArray[np.integer], sample_rate: int, params: AuditoryNerveParams, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which fibers fire, where it is known how many of each hair cell do.

    The fibers of a cell are alike, so each that is ready is as likely to be the one that fires.

    Parameters
    ----------
    counts : ndarray of integers, shape (cell, sample)
        Number of fibers of each hair cell that fire in each step, the result of `auditory_nerve` for fibers that do not
        recover gradually [spikes].
    sample_rate : int
        Steps per second [Hz].
    params : AuditoryNerveParams
    rng : numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    steps, fibers : ndarray of int64, shape (n_spikes,)
        Step and fiber of each spike, ordered by step, then by fiber. The number of a fiber is that of its cell times
        `params.n_fibers`, and its number in the cell.

    Raises
    ------
    ValueError
        If the counts are not integers in two dimensions, more fibers fire in a step than are ready, or
        `params.tau_relative` is above 0: a count does not say which fibers have recovered.
    TypeError
        If `params` is not an `AuditoryNerveParams`, or `rng` is not a generator.
    """
    params = checked_object("params", params, AuditoryNerveParams)
    counts = as_signals("counts", counts, "cell", "sample", whole=True)
    rng = checked_object("rng", rng, np.random.Generator)
    n_dead = params.dead_steps(whole_number("sample_rate", sample_rate, at_least=1))
    if params.tau_relative > 0:
        raise ValueError(
            f"AuditoryNerveParams.tau_relative must be 0 for fibers_that_fire, got {params.tau_relative!r}"
        )
    free_at = np.zeros((len(counts), params.n_fibers), np.int64)
    steps, fibers = [], []
    for step, cell in np.argwhere(counts.T > 0):
        ready = np.flatnonzero(free_at[cell] <= step)
        if counts[cell, step] > ready.size:
            raise ValueError(
                f"counts must be at most the {ready.size} fibers of cell {cell} that are ready at step {step}, "
                f"got {counts[cell, step]}"
            )
        chosen = np.sort(rng.choice(ready, counts[cell, step], replace=False))
        free_at[cell, chosen] = step + n_dead
        steps.append(np.full(chosen.size, step))
        fibers.append(cell * params.n_fibers + chosen)
    nothing = [np.empty(0, np.int64)]
    return np.concatenate(nothing + steps), np.concatenate(nothing + fibers)


@compiled()
def _to_hazard(probability: Array, hazard: Array) -> None:
    for cell in range(probability.shape[0]):
        for t in range(probability.shape[1]):
            hazard[cell, t] = -log1p(-min(np.float64(probability[cell, t]), _MOST_PROBABLE))


@compiled()
def _draw_spikes(hazard: Array, n_fibers: Array, dead_times: Array, rng: np.random.Generator, counts: Array) -> None:
    # After a spike, a fiber is not ready for one of `dead_times`, and `returning` holds how many fibers become ready
    # again at each of the next steps. `left` is what remains of an exponential random number of unit mean; a fiber
    # fires when it is used up.
    n_cells, n_samples = hazard.shape
    span = dead_times[-1] + 1
    returning = np.empty(span, np.int64)
    for cell in range(n_cells):
        h_row = hazard[cell]
        count = counts[cell]
        ready = n_fibers[cell]
        returning[:] = 0
        left = rng.standard_exponential()
        for t in range(n_samples):
            row = t % span
            ready += returning[row]
            returning[row] = 0
            left -= ready * h_row[t]
            if left < 0.0:
                h = h_row[t]
                fired = 0
                while left < 0.0 and ready > 0:
                    # The spike came within the step. The fibers that are still ready pass through the rest of the step,
                    # whose hazard is `rest`; rounding must not make it longer than the step.
                    rest = -left / ready
                    rest = rest if rest < h else h
                    ready -= 1
                    fired += 1
                    dead = dead_times[0]
                    if dead_times.size > 1:
                        dead = dead_times[int(rng.random() * dead_times.size)]
                    returning[(t + dead) % span] += 1
                    left = rng.standard_exponential() - ready * rest
                count[t] = fired
