"""Weights that let membranes fluctuate by a wanted amount.

Rossbroich, Gygax & Zenke, "Fluctuation-driven initialization for spiking neural network training", Neuromorphic
Computing and Engineering 2:044016 (2022). A neuron that does not fire, with the impulse response h of its membrane,
hears from n inputs, each of which fires at random with a rate r, through weights of mean m and standard deviation s::

    mean of the membrane     = n m r dt sum_k h[k]
    variance of the membrane = n (m**2 + s**2) r dt sum_k h[k]**2

Here solved for m and s. For the current-based LIF neuron in steps of dt both sums have a closed form; as dt goes to 0
they become the integrals of the paper.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from spikedata.baseline.neurons import LIFParams


class Source(NamedTuple):
    """What a neuron listens to.

    Attributes
    ----------
    n : int
        How many inputs or neurons [1].
    rate : float
        Mean rate of one of them [Hz].
    share : float
        Part of the membrane's variance that is to come from them [1].
    """

    n: int
    rate: float
    share: float


class Moments(NamedTuple):
    """Mean and standard deviation of normal weights [1]."""

    mean: float
    deviation: float


def impulse_sums(neuron: LIFParams, *, dt: float) -> tuple[float, float]:
    """The sum of the impulse response of a membrane, and of its square [1].

    With the response sum over j <= k of alpha^j beta^(k-j) at step k + 2, they are ``1 / ((1-alpha) (1-beta))`` and
    ``(1 + alpha beta) / ((1 - alpha beta) (1 - alpha^2) (1 - beta^2))``.

    Parameters
    ----------
    neuron : LIFParams
        Of these, the time constants.
    dt : float
        Length of a step [s].

    Examples
    --------
    >>> first, second = impulse_sums(LIFParams(tau_mem=20e-3, tau_syn=10e-3), dt=1e-3)
    >>> round(first, 1), round(second, 1)
    (215.5, 774.4)
    """
    alpha, beta = neuron.decays(dt)
    both = alpha * beta
    return 1 / ((1 - alpha) * (1 - beta)), (1 + both) / ((1 - both) * (1 - alpha**2) * (1 - beta**2))


def fluctuation_moments(
    sources: list[Source], sums: tuple[float, float], *, dt: float, mean: float, deviation: float
) -> list[Moments]:
    """Mean and standard deviation of the weights from each source that give membranes of a mean and deviation.

    Parameters
    ----------
    sources : list of Source
        What a neuron listens to; the shares add up to 1.
    sums : tuple of float
        As `impulse_sums`.
    dt : float
        Length of a step [s].
    mean, deviation : float
        Wanted of the membranes [1].

    Returns
    -------
    list of Moments
        One for each source; the mean of the weights is the same for all.

    Raises
    ------
    ValueError
        If the mean alone makes more variance than is wanted.

    Examples
    --------
    >>> neuron = LIFParams(tau_mem=20e-3, tau_syn=10e-3)
    >>> sums = impulse_sums(neuron, dt=1e-3)
    >>> found = fluctuation_moments([Source(700, 15.7, 1.0)], sums, dt=1e-3, mean=0.0, deviation=1.0)
    >>> found[0].mean, round(found[0].deviation, 5)
    (0.0, 0.01084)
    """
    spikes = [source.n * source.rate * dt for source in sources]
    weight_mean = mean / (sums[0] * sum(spikes))
    variances = [
        source.share * deviation**2 / (expected * sums[1]) - weight_mean**2
        for source, expected in zip(sources, spikes, strict=True)
    ]
    if min(variances) < 0:
        raise ValueError(
            f"InitializationParams: no weights give a membrane_mean of {mean} with a membrane_deviation of"
            f" {deviation}; take a larger deviation, or a mean nearer to 0"
        )
    return [Moments(weight_mean, math.sqrt(variance)) for variance in variances]
