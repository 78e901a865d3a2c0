"""The leaky integrate-and-fire neuron whose threshold rises with each of its spikes, and falls back slowly.

Bellec, Salaj, Subramoney, Legenstein & Maass, "Long short-term memory and learning-to-learn in networks of spiking
neurons", NeurIPS 31 (2018), and Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking
neurons", Nature Communications 11:3625 (2020). In steps of ``dt``, with alpha = exp(-dt / tau_mem) and rho =
exp(-dt / tau_adaptation)::

    v[n] = alpha v[n-1] + W s_in[n] + V s[n-1] - threshold s[n-1]       membrane
    a[n] = rho a[n-1] + s[n-1]                                          adaptation
    s[n] = step(v[n] - threshold - adaptation a[n])                     0 in the refractory steps after a spike

In the refractory steps the surrogate derivative is 0, too, while the membrane goes on. There is no synaptic current: an
input spike moves the membrane at once. All quantities are pure numbers and start from 0; without adaptation it is the
LIF neuron of that paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from spikedata.checks import NotNegative, Positive, check_fields
from spikedata.nn.neurons.recurrent_delays import arriving
from spikedata.nn.surrogate import SurrogateParams, spike


@dataclass(frozen=True, kw_only=True)
class ALIFParams:
    """Time constants, threshold, adaptation, refractory time and surrogate of neurons with an adaptive threshold.

    The defaults are those of Bellec et al. (2020) for the recognition of speech, for steps of 1 ms; the surrogate is a
    triangle as wide as this threshold is high, of height 0.3 / threshold; it does not follow another threshold.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    tau_adaptation : float
        Time constant with which a raised threshold falls back [s].
    threshold : float
        Membrane above which a neuron fires that has been silent for long [1].
    adaptation : float
        How much a spike raises the threshold [1]; 0 for a threshold that stays.
    refractory : float
        Time after a spike in which the neuron cannot fire again [s], rounded to whole steps.
    detach_reset : bool
        Whether the reset counts as a constant in the backward pass [1].
    surrogate : SurrogateParams
        Derivative used in place of that of a spike [1].

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    tau_mem: Positive = 20e-3
    tau_adaptation: Positive = 2.0
    threshold: Positive = 0.6
    adaptation: NotNegative = 0.0174
    refractory: NotNegative = 5e-3
    detach_reset: bool = True
    surrogate: SurrogateParams = field(
        default_factory=lambda: SurrogateParams(shape="triangle", scale=1 / 0.6, height=0.5)
    )

    def __post_init__(self) -> None:
        check_fields(self)

    def decays(self, dt: float) -> tuple[float, float]:
        """Return the factors (alpha, rho) by which membrane and adaptation decay in one step of ``dt`` [s].

        Parameters
        ----------
        dt : float
            Length of a step [s].
        """
        return math.exp(-dt / self.tau_mem), math.exp(-dt / self.tau_adaptation)

    def n_refractory(self, dt: float) -> int:
        """Return the number of steps of ``dt`` [s] after a spike in which the neuron cannot fire.

        Parameters
        ----------
        dt : float
            Length of a step [s].
        """
        return round(self.refractory / dt)


class ALIFState(NamedTuple):
    """State of each neuron that the next step needs, each (batch, neuron) [1].

    Parameters
    ----------
    membrane : Tensor
        v, the membrane.
    adaptation : Tensor
        a, the sum of its decayed spikes.
    spikes : Tensor
        s, 0 or 1.
    waiting : Tensor
        Steps to come in which the neuron cannot fire.
    """

    membrane: Tensor
    adaptation: Tensor
    spikes: Tensor
    waiting: Tensor


def alif_step(
    state: ALIFState, drive: Tensor, recurrent_weight: Tensor | None, params: ALIFParams, *, dt: float
) -> tuple[Tensor, ALIFState]:
    """Return the spikes and the state of this step: the equations above.

    Parameters
    ----------
    state : ALIFState
        State of the step before.
    drive : Tensor, (batch, neuron)
        Input that this step's spikes inject, W s_in[n] [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        V, from the row's neuron to the column's [1].
    params : ALIFParams
        Time constants, threshold, adaptation, refractory time and surrogate.
    dt : float
        Length of a step [s].

    Returns
    -------
    spikes : Tensor, (batch, neuron)
        0 or 1.
    state : ALIFState
        State of this step.
    """
    alpha, rho = params.decays(dt)
    injected = drive if recurrent_weight is None else torch.addmm(drive, state.spikes, recurrent_weight)
    before = state.spikes.detach() if params.detach_reset else state.spikes
    membrane = alpha * state.membrane + injected - params.threshold * before
    adaptation = rho * state.adaptation + state.spikes
    spikes = spike(membrane - params.threshold - params.adaptation * adaptation, params.surrogate)
    spikes = torch.where(state.waiting > 0, 0.0, spikes)
    waiting = torch.where(spikes > 0, float(params.n_refractory(dt)), (state.waiting - 1.0).clamp(min=0.0))
    return spikes, ALIFState(membrane, adaptation, spikes, waiting)


def alif_loop(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    params: ALIFParams,
    *,
    dt: float,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of neurons that start from 0, computed step by step: the plain form, on any device.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : ALIFParams
        Time constants, threshold, adaptation, refractory time and surrogate.
    dt : float
        Length of a step [s].
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
    >>> alif_loop(torch.full((1, 6, 1), 0.7), None, ALIFParams(refractory=2e-3), dt=1e-3).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    zeros = torch.zeros_like(drive[:, 0])
    state = ALIFState(zeros, zeros, zeros, zeros)
    spikes: list[Tensor] = []
    for step_drive in drive.unbind(1):
        given = arriving(step_drive, spikes, recurrent_weight, delay_kernel)
        now, state = alif_step(state, *given, params, dt=dt)
        spikes.append(now)
    return torch.stack(spikes, dim=1)
