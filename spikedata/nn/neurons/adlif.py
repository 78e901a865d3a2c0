"""The adaptive leaky integrate-and-fire neuron: its spikes and its membrane evoke an opposing current.

Bittar & Garner, "A surrogate gradient spiking baseline for speech command recognition", Frontiers in Neuroscience
16:865897 (2022); Baronig, Ferrand, Sabathiel & Legenstein, "Advancing spatio-temporal processing in spiking neural
networks through adaptation" (2024). For a neuron with the coefficients alpha, beta, a, b, in each step::

    u[t] = alpha r[t-1] + (1 - alpha) (W s_in[t] + V s[t-1] - w[t-1])       membrane
    s[t] = step(u[t] - threshold)
    r[t] = u[t] - threshold s[t]     or     u[t] (1 - s[t])                 reset "subtract" or "zero"
    w[t] = beta w[t-1] + a r[t-1] + b s[t-1]                                adaptation, scheme "euler"
    w[t] = beta w[t-1] + a r[t]   + b s[t]                                  adaptation, scheme "symplectic"

The symplectic form, which uses the new membrane for the adaptation, keeps the neuron's oscillations stable. RadLIF,
by Bittar & Garner, couples the membrane before its reset: that is ``b + a * threshold`` in place of b, with a reset
"subtract" that is not detached. All quantities are pure numbers and start from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from spikedata.checks import Bounds, OneOf, Order, Positive, check_fields
from spikedata.nn.neurons.recurrent_delays import arriving
from spikedata.nn.neurons.reset import RESETS, reset_membrane
from spikedata.nn.surrogate import SurrogateParams, spike

SCHEMES = ("euler", "symplectic")

_Range = Annotated[tuple[float, float], Order(rises=True)]
_TimeRange = Annotated[tuple[float, float], Bounds(above=0), Order(rises=True)]


@dataclass(frozen=True, kw_only=True)
class AdLIFParams:
    """Scheme, threshold, reset and surrogate of adaptive neurons, and the ranges of their trained values.

    The defaults are those of Baronig et al. (2024) for steps of 4 ms.

    Parameters
    ----------
    scheme : str
        "symplectic" or "euler" [1].
    threshold : float
        Membrane above which a neuron fires [1].
    reset : str
        "subtract": a spike lowers the membrane by the threshold; "zero": it sets it to zero [1].
    detach_reset : bool
        Whether the reset counts as a constant in the backward pass [1].
    surrogate : SurrogateParams
        Derivative used in place of that of a spike [1].
    tau_mem : tuple of float
        Lowest and highest time constant of the membrane [s].
    tau_adaptation : tuple of float
        Lowest and highest time constant of the adaptation [s].
    membrane_coupling : tuple of float
        Lowest and highest coupling of the membrane to the adaptation, before the gain [1].
    spike_coupling : tuple of float
        Lowest and highest coupling of a spike to the adaptation, before the gain [1].
    coupling_gain : float
        Factor of both couplings [1].
    leaky_coupling : bool
        Whether both couplings are also multiplied by 1 - beta, as in Baronig et al., but not in Bittar & Garner [1].

    Raises
    ------
    ValueError
        If there is no such scheme or reset, or a number or range is not valid.
    """

    scheme: Annotated[str, OneOf(SCHEMES)] = "symplectic"
    threshold: Positive = 1.0
    reset: Annotated[str, OneOf(RESETS)] = "zero"
    detach_reset: bool = True
    surrogate: SurrogateParams = field(default_factory=lambda: SurrogateParams(shape="slayer"))
    tau_mem: _TimeRange = (20e-3, 100e-3)
    tau_adaptation: _TimeRange = (240e-3, 1.2)
    membrane_coupling: _Range = (0.0, 1.0)
    spike_coupling: _Range = (0.0, 2.0)
    coupling_gain: Positive = 120.0
    leaky_coupling: bool = True

    def __post_init__(self) -> None:
        check_fields(self)


class AdLIFCoefficients(NamedTuple):
    """Coefficients of one step of each adaptive neuron, each (neuron,) [1].

    Parameters
    ----------
    membrane_decay : Tensor
        alpha, by which the membrane decays; below 1.
    adaptation_decay : Tensor
        beta, by which the adaptation decays.
    membrane_coupling : Tensor
        a, how much of the membrane is added to the adaptation.
    spike_coupling : Tensor
        b, what a spike adds to the adaptation.
    """

    membrane_decay: Tensor
    adaptation_decay: Tensor
    membrane_coupling: Tensor
    spike_coupling: Tensor


class AdLIFState(NamedTuple):
    """State of each neuron that the next step needs, each (batch, neuron) [1].

    Parameters
    ----------
    membrane : Tensor
        r, the membrane after its reset.
    adaptation : Tensor
        w, the opposing current.
    spikes : Tensor
        s, 0 or 1.
    """

    membrane: Tensor
    adaptation: Tensor
    spikes: Tensor


def adlif_step(
    state: AdLIFState,
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: AdLIFCoefficients,
    params: AdLIFParams,
) -> tuple[Tensor, AdLIFState]:
    """Return the spikes and the state of this step: the equations above.

    Parameters
    ----------
    state : AdLIFState
        State of the step before.
    drive : Tensor, (batch, neuron)
        Input that this step's spikes inject, W s_in[t] [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        V, from the row's neuron to the column's [1].
    coefficients : AdLIFCoefficients
        Coefficients of each neuron.
    params : AdLIFParams
        Scheme, threshold, reset and surrogate.

    Returns
    -------
    spikes : Tensor, (batch, neuron)
        0 or 1.
    state : AdLIFState
        State of this step.
    """
    alpha, beta, a, b = coefficients
    injected = drive if recurrent_weight is None else torch.addmm(drive, state.spikes, recurrent_weight)
    before_reset = alpha * state.membrane + (1.0 - alpha) * (injected - state.adaptation)
    spikes = spike(before_reset - params.threshold, params.surrogate)
    membrane = reset_membrane(
        before_reset, spikes, threshold=params.threshold, reset=params.reset, detach_reset=params.detach_reset
    )
    if params.scheme == "symplectic":
        adaptation = beta * state.adaptation + a * membrane + b * spikes
    else:
        adaptation = beta * state.adaptation + a * state.membrane + b * state.spikes
    return spikes, AdLIFState(membrane, adaptation, spikes)


def adlif_loop(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: AdLIFCoefficients,
    params: AdLIFParams,
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
    params : AdLIFParams
        Scheme, threshold, reset and surrogate.
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
    >>> adlif_loop(torch.full((1, 6, 1), 3.0), None, coefficients, AdLIFParams()).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    zeros = torch.zeros_like(drive[:, 0])
    state = AdLIFState(zeros, zeros, zeros)
    spikes: list[Tensor] = []
    for step_drive in drive.unbind(1):
        given = arriving(step_drive, spikes, recurrent_weight, delay_kernel)
        now, state = adlif_step(state, *given, coefficients, params)
        spikes.append(now)
    return torch.stack(spikes, dim=1)
