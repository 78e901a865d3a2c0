"""SiLIF: the adaptive neuron whose decays are trained as state space models train theirs.

Fabre, Dudchenko, Bouhadjar & Neftci, "Structured state space model dynamics and parametrization for spiking neural
networks", arXiv:2506.06374 (2025). For a neuron with the coefficients alpha, beta, a, b, in each step::

    w[t] = beta w[t-1] + a u[t-1] + b s[t-1]                                  adaptation
    u[t] = alpha (u[t-1] - threshold s[t-1]) + (1 - alpha) (W s_in[t] + V s[t-1] - w[t])      membrane
    s[t] = step(u[t] - threshold)

Trained are the logarithms of both rates and of the length of a step, each neuron's own, so that decays stay between 0
and 1 whatever is learned, and small and large time constants are learned alike::

    alpha = exp(-exp(log_rate_mem) exp(log_step) dt),    beta = exp(-exp(log_rate_adaptation) exp(log_step) dt)

The couplings a and b are trained as they are, within bounds. All quantities are pure numbers and start from 0; the
authors' code draws the first states at random. The reset counts in the backward pass.

It is the neuron of `spikedata.nn.neurons.adlif` with the scheme "symplectic", the reset "subtract", not detached, and
``b + a * threshold`` in place of b: see `as_adlif`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from spikedata.checks import Bounds, Order, Positive, check_fields
from spikedata.nn.neurons.adlif import AdLIFCoefficients, AdLIFParams
from spikedata.nn.neurons.recurrent_delays import arriving
from spikedata.nn.surrogate import SurrogateParams, spike

_Range = Annotated[tuple[float, float], Order(rises=True)]
_TimeRange = Annotated[tuple[float, float], Bounds(above=0), Order(rises=True)]


@dataclass(frozen=True, kw_only=True)
class SiLIFParams:
    """Threshold and surrogate of SiLIF neurons, and where their trained values start.

    The defaults are those of the authors' code, whose steps are of 4 ms.

    Parameters
    ----------
    threshold : float
        Membrane above which a neuron fires, and what a spike subtracts from it [1].
    surrogate : SurrogateParams
        Derivative used in place of that of a spike [1].
    tau_mem : tuple of float
        Shortest and longest initial time constant of the membrane [s]; drawn uniformly in its logarithm.
    tau_adaptation : tuple of float
        Shortest and longest initial time constant of the adaptation [s]; drawn uniformly in its logarithm.
    membrane_coupling : tuple of float
        Lowest and highest coupling of the membrane to the adaptation [1]; bounds in training, too.
    spike_coupling : tuple of float
        Lowest and highest coupling of a spike to the adaptation [1]; bounds in training, too.

    Raises
    ------
    ValueError
        If a number or range is not valid.
    """

    threshold: Positive = 1.0
    surrogate: SurrogateParams = field(default_factory=lambda: SurrogateParams(shape="boxcar", scale=2.0))
    tau_mem: _TimeRange = (4e-3, 100e-3)
    tau_adaptation: _TimeRange = (100e-3, 400e-3)
    membrane_coupling: _Range = (0.0, 1.0)
    spike_coupling: _Range = (0.0, 2.0)

    def __post_init__(self) -> None:
        check_fields(self)


class SiLIFValues(NamedTuple):
    """What is trained of each SiLIF neuron, each (neuron,).

    Parameters
    ----------
    log_rate_mem, log_rate_adaptation : Tensor
        Logarithms of the rates at which membrane and adaptation decay, in 1/s [1].
    log_step : Tensor
        Logarithm of the length of the neuron's own step, in steps of the network [1].
    membrane_coupling, spike_coupling : Tensor
        a and b; outside their bounds they count as the nearer one, and get its gradient [1].
    """

    log_rate_mem: Tensor
    log_rate_adaptation: Tensor
    log_step: Tensor
    membrane_coupling: Tensor
    spike_coupling: Tensor


class SiLIFState(NamedTuple):
    """State of each neuron that the next step needs, each (batch, neuron) [1].

    Parameters
    ----------
    membrane : Tensor
        u, the membrane before its reset.
    adaptation : Tensor
        w, the opposing current.
    spikes : Tensor
        s, 0 or 1.
    """

    membrane: Tensor
    adaptation: Tensor
    spikes: Tensor


def draw_silif(params: SiLIFParams, n_neurons: int, *, generator: torch.Generator) -> SiLIFValues:
    """The values with which training starts.

    Parameters
    ----------
    params : SiLIFParams
        The ranges.
    n_neurons : int
        Number of neurons [1].
    generator : torch.Generator
        Source of randomness.
    """
    mem, adaptation, a, b = torch.rand(4, n_neurons, generator=generator)
    return SiLIFValues(
        -_log_uniform(mem, params.tau_mem),
        -_log_uniform(adaptation, params.tau_adaptation),
        torch.zeros(n_neurons),
        params.membrane_coupling[0] + (params.membrane_coupling[1] - params.membrane_coupling[0]) * a,
        params.spike_coupling[0] + (params.spike_coupling[1] - params.spike_coupling[0]) * b,
    )


def silif_coefficients(values: SiLIFValues, params: SiLIFParams, *, dt: float) -> AdLIFCoefficients:
    """The coefficients of a step, from the trained values.

    Parameters
    ----------
    values : SiLIFValues
        Of each neuron.
    params : SiLIFParams
        Bounds of the couplings.
    dt : float
        Length of a step [s].

    Returns
    -------
    AdLIFCoefficients
        alpha, beta, a and b of the equations above.

    Examples
    --------
    >>> import torch
    >>> values = SiLIFValues(*torch.tensor([[4.0], [1.0], [0.0], [0.5], [2.5]]))
    >>> found = silif_coefficients(values, SiLIFParams(), dt=4e-3)
    >>> round(found.membrane_decay.item(), 4), round(found.adaptation_decay.item(), 4), found.spike_coupling.item()
    (0.8038, 0.9892, 2.0)
    """
    step = torch.exp(values.log_step) * dt
    return AdLIFCoefficients(
        torch.exp(-torch.exp(values.log_rate_mem) * step),
        torch.exp(-torch.exp(values.log_rate_adaptation) * step),
        _within(values.membrane_coupling, params.membrane_coupling),
        _within(values.spike_coupling, params.spike_coupling),
    )


def as_adlif(coefficients: AdLIFCoefficients, params: SiLIFParams) -> tuple[AdLIFCoefficients, AdLIFParams]:
    """The adaptive neurons of `spikedata.nn.neurons.adlif` that have the same spikes and gradients.

    There the adaptation is driven by the membrane after its reset, r = u - threshold s, so that
    ``a u + b s = a r + (b + a threshold) s``.

    Parameters
    ----------
    coefficients : AdLIFCoefficients
        Of SiLIF neurons.
    params : SiLIFParams
        Threshold and surrogate.
    """
    spike_coupling = coefficients.spike_coupling + params.threshold * coefficients.membrane_coupling
    adlif = AdLIFParams(
        scheme="symplectic",
        threshold=params.threshold,
        reset="subtract",
        detach_reset=False,
        surrogate=params.surrogate,
    )
    return coefficients._replace(spike_coupling=spike_coupling), adlif


def silif_step(
    state: SiLIFState,
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: AdLIFCoefficients,
    params: SiLIFParams,
) -> tuple[Tensor, SiLIFState]:
    """Return the spikes and the state of this step: the equations above.

    Parameters
    ----------
    state : SiLIFState
        State of the step before.
    drive : Tensor, (batch, neuron)
        Input that this step's spikes inject, W s_in[t] [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        V, from the row's neuron to the column's [1].
    coefficients : AdLIFCoefficients
        Coefficients of each neuron.
    params : SiLIFParams
        Threshold and surrogate.

    Returns
    -------
    spikes : Tensor, (batch, neuron)
        0 or 1.
    state : SiLIFState
        State of this step.
    """
    alpha, beta, a, b = coefficients
    injected = drive if recurrent_weight is None else torch.addmm(drive, state.spikes, recurrent_weight)
    adaptation = beta * state.adaptation + a * state.membrane + b * state.spikes
    after_reset = state.membrane - params.threshold * state.spikes
    membrane = alpha * after_reset + (1.0 - alpha) * (injected - adaptation)
    spikes = spike(membrane - params.threshold, params.surrogate)
    return spikes, SiLIFState(membrane, adaptation, spikes)


def silif_loop(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: AdLIFCoefficients,
    params: SiLIFParams,
    *,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of neurons that start from 0, computed step by step: the plain form, on any device.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    coefficients : AdLIFCoefficients
        Coefficients of each neuron.
    params : SiLIFParams
        Threshold and surrogate.
    delay_kernel : Tensor, (delay, neuron), optional
        Share of each neuron's spikes that is sent to its own layer at each delay; see
        `spikedata.nn.neurons.recurrent_delays`. Default: no delays.

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Examples
    --------
    >>> import torch
    >>> coefficients = AdLIFCoefficients(*torch.tensor([[0.5], [0.9], [0.0], [2.0]]))
    >>> silif_loop(torch.full((1, 6, 1), 3.0), None, coefficients, SiLIFParams()).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    zeros = torch.zeros_like(drive[:, 0])
    state = SiLIFState(zeros, zeros, zeros)
    spikes: list[Tensor] = []
    for step_drive in drive.unbind(1):
        given = arriving(step_drive, spikes, recurrent_weight, delay_kernel)
        now, state = silif_step(state, *given, coefficients, params)
        spikes.append(now)
    return torch.stack(spikes, dim=1)


def _log_uniform(share: Tensor, time_range: tuple[float, float]) -> Tensor:
    shortest, longest = map(math.log, time_range)
    return shortest + (longest - shortest) * share


def _within(values: Tensor, bounds: tuple[float, float]) -> Tensor:
    # a plain clamp would have no gradient outside, and what is outside would stay there
    return values + (values.clamp(*bounds) - values).detach()
