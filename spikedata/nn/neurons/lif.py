"""The current-based leaky integrate-and-fire neuron.

Neftci, Mostafa & Zenke, "Surrogate gradient learning in spiking neural networks", IEEE Signal Processing
Magazine 36(6):51 (2019). In steps of ``dt``, with alpha = exp(-dt / tau_syn) and beta = exp(-dt / tau_mem)::

    S[n]   = step(U[n] - threshold)
    I[n+1] = alpha I[n] + W S_in[n] + V S[n]
    U[n+1] = beta U[n] + I[n] - threshold S[n]          reset "subtract"
    U[n+1] = (beta U[n] + I[n]) (1 - S[n])              reset "zero"

so an input spike of step n moves the membrane at step n + 2. Currents and membranes are pure numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from spikedata.checks import OneOf, Positive, check_fields
from spikedata.nn.neurons.recurrent_delays import delayed
from spikedata.nn.neurons.reset import RESETS, reset_membrane
from spikedata.nn.surrogate import SurrogateParams, spike


@dataclass(frozen=True, kw_only=True)
class LIFParams:
    """Time constants, threshold, reset and surrogate of a leaky integrate-and-fire neuron.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    tau_syn : float
        Time constant of the synaptic current [s].
    threshold : float
        Membrane above which the neuron fires [1].
    reset : str
        "subtract": a spike lowers the membrane by the threshold; "zero": it sets it to zero [1].
    detach_reset : bool
        Whether the reset counts as a constant in the backward pass [1].
    surrogate : SurrogateParams
        Derivative used in place of that of a spike [1].

    Raises
    ------
    ValueError
        If a number is not positive and finite, or there is no such reset.
    """

    tau_mem: Positive = 20e-3
    tau_syn: Positive = 10e-3
    threshold: Positive = 1.0
    reset: Annotated[str, OneOf(RESETS)] = "subtract"
    detach_reset: bool = True
    surrogate: SurrogateParams = field(default_factory=SurrogateParams)

    def __post_init__(self) -> None:
        check_fields(self)

    def decays(self, dt: float) -> tuple[float, float]:
        """Return the factors (alpha, beta) by which current and membrane decay in one step of ``dt`` [s].

        Parameters
        ----------
        dt : float
            Length of a step [s].
        """
        return math.exp(-dt / self.tau_syn), math.exp(-dt / self.tau_mem)


class LIFState(NamedTuple):
    """Current and membrane of each neuron at one step, each (batch, neuron) [1].

    Parameters
    ----------
    current : Tensor
        I, the synaptic current.
    membrane : Tensor
        U, the membrane.
    """

    current: Tensor
    membrane: Tensor


def lif_step(
    state: LIFState, drive: Tensor, recurrent_weight: Tensor | None, params: LIFParams, *, dt: float
) -> tuple[Tensor, LIFState]:
    """Return the spikes of this step and the state of the next: the equations above.

    Parameters
    ----------
    state : LIFState
        Current and membrane of this step, each (batch, neuron) [1].
    drive : Tensor, (batch, neuron)
        Input that this step's spikes inject, W S_in[n] [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        V, from the row's neuron to the column's [1].
    params : LIFParams
        Time constants, threshold, reset and surrogate.
    dt : float
        Length of a step [s].

    Returns
    -------
    spikes : Tensor, (batch, neuron)
        0 or 1.
    state : LIFState
        Current and membrane of the next step.
    """
    alpha, beta = params.decays(dt)
    spikes = spike(state.membrane - params.threshold, params.surrogate)
    injected = drive if recurrent_weight is None else torch.addmm(drive, spikes, recurrent_weight)
    current = torch.add(injected, state.current, alpha=alpha)
    decayed = torch.add(state.current, state.membrane, alpha=beta)
    membrane = reset_membrane(
        decayed, spikes, threshold=params.threshold, reset=params.reset, detach_reset=params.detach_reset
    )
    return spikes, LIFState(current, membrane)


def lif_loop(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    params: LIFParams,
    *,
    dt: float,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of neurons that start at rest, computed step by step: the plain form, on any device.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : LIFParams
        Time constants, threshold, reset and surrogate.
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
    >>> lif_loop(torch.full((1, 5, 1), 0.6), None, LIFParams(), dt=2e-3).flatten().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0]
    """
    at_rest = torch.zeros_like(drive[:, 0])
    state = LIFState(at_rest, at_rest)
    spikes: list[Tensor] = []
    weight = None if delay_kernel is not None else recurrent_weight
    for step_drive in drive.unbind(1):
        now, state = lif_step(state, step_drive, weight, params, dt=dt)
        spikes.append(now)
        if delay_kernel is not None and recurrent_weight is not None:
            sent = delayed(spikes, delay_kernel)
            state = state._replace(current=torch.addmm(state.current, sent, recurrent_weight))
    return torch.stack(spikes, dim=1)
