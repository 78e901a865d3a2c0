"""The leaky integrator of a readout: a neuron that never fires.

With a synapse it is the neuron of `spikedata.nn.neurons.lif` without spikes; without one, a single low-pass filter::

    I[n+1] = alpha I[n] + drive[n],  U[n+1] = beta U[n] + I[n]          with alpha = exp(-dt / tau_syn)
    U[n]   = beta U[n-1] + (1 - beta) drive[n]                          tau_syn None

with beta = exp(-dt / tau_mem). The second is the readout of Bittar & Garner (2022) and Baronig et al. (2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spikedata.checks import Positive, check_fields

_NEGLIGIBLE = 1e-30  # smaller values would be subnormal in float32, which slows every product with them


@dataclass(frozen=True, kw_only=True)
class IntegratorParams:
    """Time constants of a leaky integrator.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    tau_syn : float or None
        Time constant of the synaptic current [s]; None for a membrane that is driven directly.

    Raises
    ------
    ValueError
        If a time constant is not positive and finite.
    """

    tau_mem: Positive = 20e-3
    tau_syn: Positive | None = 10e-3

    def __post_init__(self) -> None:
        check_fields(self)


def leaky_integrator(drive: Tensor, params: IntegratorParams, *, dt: float) -> Tensor:
    """Membranes that never fire, for all steps at once.

    The equations are linear, so the membrane is the drive convolved with an impulse response: one matrix product over
    time instead of a loop. With a synapse the response is 0, 0, then the sum over j <= k of alpha^j beta^(k-j) at step
    k + 2; without, (1 - beta) beta^k at step k.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input injected at each step [1].
    params : IntegratorParams
        Time constants.
    dt : float
        Length of a step [s].

    Returns
    -------
    Tensor, (batch, step, neuron)
        The membrane U at each step [1]; with a synapse it is 0 at steps 0 and 1.

    Examples
    --------
    >>> import torch
    >>> params = IntegratorParams(tau_mem=10e-3, tau_syn=None)
    >>> membrane = leaky_integrator(torch.ones(1, 3, 1), params, dt=10e-3)
    >>> [round(value, 3) for value in membrane.flatten().tolist()]
    [0.632, 0.865, 0.95]
    """
    k = np.arange(drive.shape[1])
    lag = k[:, None] - k[None, :]
    response = _impulse_response(params, dt, k)
    response[response < _NEGLIGIBLE] = 0.0
    toeplitz = np.where(lag >= 0, response[lag.clip(0)], 0.0)
    return torch.matmul(torch.as_tensor(toeplitz, dtype=drive.dtype, device=drive.device), drive)


def _impulse_response(params: IntegratorParams, dt: float, k: np.ndarray) -> np.ndarray:
    beta = math.exp(-dt / params.tau_mem)
    if params.tau_syn is None:
        return np.asarray((1.0 - beta) * beta**k)
    alpha = math.exp(-dt / params.tau_syn)
    return np.concatenate([np.zeros(2), np.convolve(alpha**k, beta**k)])[: len(k)]
