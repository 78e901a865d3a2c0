"""C-SiLIF: a neuron whose membrane is a complex number that turns while it decays, as states of S4D do.

Fabre, Dudchenko, Bouhadjar & Neftci, "Structured state space model dynamics and parametrization for spiking neural
networks", arXiv:2506.06374 (2025); Gu, Gupta, Goel & Ré, "On the parameterization and initialization of diagonal state
space models", NeurIPS 35 (2022). For a neuron with the complex coefficient A and the gain b, in each step::

    u[t] = A (u[t-1] - threshold / 2 s[t-1]) + b (W s_in[t] + V s[t-1])
    s[t] = step(2 Re u[t] - threshold)

With its conjugate, which is not computed, u is a pair of states whose sum is 2 Re u: so a spike lowers the sum by the
threshold. In real numbers, with A = p + i q, u = x + i y and r = x - threshold / 2 s::

    x[t] = p r[t-1] - q y[t-1] + b (W s_in[t] + V s[t-1])
    y[t] = q r[t-1] + p y[t-1]

Trained are the gain, the logarithm of the rate of decay and that of the length of a step, each neuron's own, and the
angular frequency; |A| < 1 whatever is learned::

    A = exp(exp(log_step) (-exp(log_rate) + i frequency))

Training starts from a rate of 1/2, as in S4D, and, in the authors' code, from a frequency of pi for all neurons, so
that each turns once in its time constant; what differs between them is the step. All quantities are pure numbers and
start from 0; the authors' code draws the first states at random. The gain is one for all that arrives, so that a layer
multiplies its weights by it; the functions here know of none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from spikedata.checks import Bounds, NotNegative, Order, Positive, check_fields
from spikedata.nn.neurons.recurrent_delays import arriving
from spikedata.nn.surrogate import SurrogateParams, spike

_TimeRange = Annotated[tuple[float, float], Bounds(above=0), Order(rises=True)]
_RATE = 0.5  # initial decay per unit of a neuron's own time: S4D-Lin


@dataclass(frozen=True, kw_only=True)
class CSiLIFParams:
    """Threshold, reset and surrogate of C-SiLIF neurons, and where their trained values start.

    The defaults are those of the authors' code for steps of 4 ms: a neuron's own step between 0.01 and 0.5.

    Parameters
    ----------
    threshold : float
        Membrane (twice the real part) above which a neuron fires, and what a spike subtracts from it [1].
    detach_reset : bool
        Whether the reset counts as a constant in the backward pass [1].
    surrogate : SurrogateParams
        Derivative used in place of that of a spike [1].
    tau_mem : tuple of float
        Shortest and longest initial time constant [s]; drawn uniformly in its logarithm.
    turns : float
        Turns of the state within its initial time constant [1]: its initial frequency is ``turns / tau``.

    Raises
    ------
    ValueError
        If a number or range is not valid.
    """

    threshold: Positive = 1.0
    detach_reset: bool = False
    surrogate: SurrogateParams = field(default_factory=lambda: SurrogateParams(shape="boxcar", scale=2.0))
    tau_mem: _TimeRange = (16e-3, 0.8)
    turns: NotNegative = 1.0

    def __post_init__(self) -> None:
        check_fields(self)


class CSiLIFValues(NamedTuple):
    """What is trained of each C-SiLIF neuron, each (neuron,).

    Parameters
    ----------
    log_rate : Tensor
        Logarithm of the decay per unit of the neuron's own time [1].
    frequency : Tensor
        Angle per unit of the neuron's own time [1].
    log_step : Tensor
        Logarithm of a step in units of the neuron's own time [1].
    gain : Tensor
        b, by which all that arrives is multiplied [1].
    """

    log_rate: Tensor
    frequency: Tensor
    log_step: Tensor
    gain: Tensor


class CSiLIFCoefficients(NamedTuple):
    """Coefficients of one step of each C-SiLIF neuron, each (neuron,) [1].

    Parameters
    ----------
    real : Tensor
        p, the real part of A.
    imaginary : Tensor
        q, its imaginary part.
    """

    real: Tensor
    imaginary: Tensor


class CSiLIFState(NamedTuple):
    """State of each neuron that the next step needs, each (batch, neuron) [1].

    Parameters
    ----------
    real : Tensor
        r, the real part after its reset.
    imaginary : Tensor
        y, the imaginary part.
    spikes : Tensor
        s, 0 or 1.
    """

    real: Tensor
    imaginary: Tensor
    spikes: Tensor


def draw_c_silif(params: CSiLIFParams, n_neurons: int, *, dt: float, generator: torch.Generator) -> CSiLIFValues:
    """The values with which training starts.

    Parameters
    ----------
    params : CSiLIFParams
        The ranges.
    n_neurons : int
        Number of neurons [1].
    dt : float
        Length of a step [s].
    generator : torch.Generator
        Source of randomness.
    """
    share, gain = torch.rand(2, n_neurons, generator=generator)
    shortest, longest = map(math.log, params.tau_mem)
    return CSiLIFValues(
        torch.full((n_neurons,), math.log(_RATE)),
        torch.full((n_neurons,), 2 * math.pi * params.turns * _RATE),
        math.log(dt / _RATE) - (shortest + (longest - shortest) * share),
        gain,
    )


def c_silif_coefficients(values: CSiLIFValues) -> CSiLIFCoefficients:
    """The coefficients of a step, from the trained values.

    Parameters
    ----------
    values : CSiLIFValues
        Of each neuron.

    Examples
    --------
    >>> import math, torch
    >>> values = CSiLIFValues(*torch.tensor([[math.log(0.5)], [math.pi], [math.log(0.5)], [1.0]]))
    >>> [round(part.item(), 4) for part in c_silif_coefficients(values)]
    [-0.0, 0.7788]
    """
    step = torch.exp(values.log_step)
    size, angle = torch.exp(-step * torch.exp(values.log_rate)), step * values.frequency
    return CSiLIFCoefficients(size * torch.cos(angle), size * torch.sin(angle))


def c_silif_step(
    state: CSiLIFState,
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: CSiLIFCoefficients,
    params: CSiLIFParams,
) -> tuple[Tensor, CSiLIFState]:
    """Return the spikes and the state of this step: the equations above, with a gain of 1.

    Parameters
    ----------
    state : CSiLIFState
        State of the step before.
    drive : Tensor, (batch, neuron)
        Input that this step's spikes inject, W s_in[t] [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        V, from the row's neuron to the column's [1].
    coefficients : CSiLIFCoefficients
        Coefficients of each neuron.
    params : CSiLIFParams
        Threshold, reset and surrogate.

    Returns
    -------
    spikes : Tensor, (batch, neuron)
        0 or 1.
    state : CSiLIFState
        State of this step.
    """
    p, q = coefficients
    injected = drive if recurrent_weight is None else torch.addmm(drive, state.spikes, recurrent_weight)
    x = p * state.real - q * state.imaginary + injected
    y = q * state.real + p * state.imaginary
    spikes = spike(2.0 * x - params.threshold, params.surrogate)
    fired = spikes.detach() if params.detach_reset else spikes
    return spikes, CSiLIFState(x - params.threshold / 2 * fired, y, spikes)


def c_silif_loop(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: CSiLIFCoefficients,
    params: CSiLIFParams,
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
    coefficients : CSiLIFCoefficients
        Coefficients of each neuron.
    params : CSiLIFParams
        Threshold, reset and surrogate.
    delay_kernel : Tensor, (delay, neuron), optional
        Share of each neuron's spikes that is sent to its own layer at each delay; see
        `spikedata.nn.neurons.recurrent_delays`. Default: no delays.

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Examples
    --------
    A neuron that turns by a quarter in each step fires two steps after a push downward.

    >>> import torch
    >>> quarter = CSiLIFCoefficients(torch.zeros(1), torch.full((1,), 0.9))
    >>> push = torch.tensor([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).view(1, 6, 1)
    >>> c_silif_loop(push, None, quarter, CSiLIFParams()).flatten().tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    zeros = torch.zeros_like(drive[:, 0])
    state = CSiLIFState(zeros, zeros, zeros)
    spikes: list[Tensor] = []
    for step_drive in drive.unbind(1):
        given = arriving(step_drive, spikes, recurrent_weight, delay_kernel)
        now, state = c_silif_step(state, *given, coefficients, params)
        spikes.append(now)
    return torch.stack(spikes, dim=1)
