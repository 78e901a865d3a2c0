"""The current-based leaky integrate-and-fire neuron, and the leaky integrator that reads its spikes out.

Neftci, Mostafa & Zenke, "Surrogate gradient learning in spiking neural networks", IEEE Signal Processing
Magazine 36(6):51 (2019). In steps of ``dt``, with alpha = exp(-dt / tau_syn) and beta = exp(-dt / tau_mem)::

    S[n]   = step(U[n] - threshold)
    I[n+1] = alpha I[n] + W S_in[n] + V S[n]
    U[n+1] = beta U[n] + I[n] - threshold S[n]

so that an input spike of step n moves the membrane at step n + 2. Currents and membranes are pure numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikedata.baseline.surrogate import spike


@dataclass(frozen=True, kw_only=True)
class LIFParams:
    """Time constants and threshold of a leaky integrate-and-fire neuron.

    Attributes
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    tau_syn : float
        Time constant of the synaptic current [s].
    threshold : float
        Membrane above which the neuron fires, and by which a spike lowers it [1].
    slope : float
        Steepness of the surrogate gradient [1].

    Raises
    ------
    ValueError
        If a value is not a positive, finite number.
    """

    tau_mem: float = 20e-3
    tau_syn: float = 10e-3
    threshold: float = 1.0
    slope: float = 5.0

    def __post_init__(self) -> None:
        for name in ("tau_mem", "tau_syn", "threshold", "slope"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"LIFParams.{name} must be > 0, got {value}")

    def decays(self, dt: float) -> tuple[float, float]:
        """Return the factors (alpha, beta) by which current and membrane decay in one step of ``dt`` [s]."""
        return math.exp(-dt / self.tau_syn), math.exp(-dt / self.tau_mem)


class LIFState(NamedTuple):
    """Current and membrane of each neuron at one step, each (batch, neuron) [1]."""

    current: Tensor
    membrane: Tensor


def lif_step(
    state: LIFState, drive: Tensor, recurrent_weight: Tensor, params: LIFParams, *, dt: float
) -> tuple[Tensor, LIFState]:
    """Return the spikes of this step and the state of the next: the equations above.

    The reset is not differentiated: a gradient that flows through it would punish a neuron's membrane for its
    own spike and, with a surrogate, spoils learning (Zenke & Vogels, Neural Computation 33:899, 2021).

    Parameters
    ----------
    state : LIFState
        Current and membrane of this step, each (batch, neuron) [1].
    drive : Tensor, (batch, neuron)
        What the input spikes of this step inject, W S_in[n] [1].
    recurrent_weight : Tensor, (neuron, neuron)
        V, from the row's neuron to the column's [1].
    params : LIFParams
        Time constants, threshold and surrogate.
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
    spikes = spike(state.membrane - params.threshold, params.slope)
    injected = torch.addmm(drive, spikes, recurrent_weight)
    current = torch.add(injected, state.current, alpha=alpha)
    decayed = torch.add(state.current, state.membrane, alpha=beta)
    return spikes, LIFState(current, torch.sub(decayed, spikes.detach(), alpha=params.threshold))


def leaky_integrator(drive: Tensor, params: LIFParams, *, dt: float) -> Tensor:
    """Membranes that never fire: the equations above with S = 0, for all steps at once.

    Without a threshold the equations are linear, so the membrane is the drive convolved with the response to
    one impulse, which is 0, 0, then sum over j <= k of alpha^j beta^(k-j) at step k + 2: one matrix product
    over time, no loop.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        What is injected at each step [1].
    params : LIFParams
        Of these, the time constants.
    dt : float
        Length of a step [s].

    Returns
    -------
    Tensor, (batch, step, neuron)
        The membrane U at each step [1]; 0 at steps 0 and 1.
    """
    n_steps = drive.shape[1]
    alpha, beta = params.decays(dt)
    k = np.arange(n_steps)
    response = np.concatenate([np.zeros(2), np.convolve(alpha**k, beta**k)])[:n_steps]
    lag = k[:, None] - k[None, :]
    toeplitz = np.where(lag >= 0, response[lag.clip(0)], 0.0)
    return torch.matmul(torch.as_tensor(toeplitz, dtype=drive.dtype, device=drive.device), drive)
