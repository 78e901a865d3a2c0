"""The leaky integrator that reads spikes out, over all steps at once."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.baseline.kernels.arguments import is_fused, negligible, scalars
from spikedata.baseline.kernels.chunks import over_chunks
from spikedata.baseline.kernels.integrator_passes import integrate, integrate_back
from spikedata.baseline.kernels.memory import empty
from spikedata.baseline.neurons import IntegratorParams, leaky_integrator


def run_integrator(drive: Tensor, params: IntegratorParams, *, dt: float) -> Tensor:
    """Membranes that never fire: `spikedata.baseline.neurons.leaky_integrator`, step by step on the CPU.

    Gradients go to the drive, once.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        What is injected at each step [1].
    params : IntegratorParams
        Time constants.
    dt : float
        Length of a step [s].

    Returns
    -------
    Tensor, (batch, step, neuron)
        The membrane at each step [1].

    Examples
    --------
    >>> import torch
    >>> membrane = run_integrator(torch.ones(1, 3, 1), IntegratorParams(tau_mem=10e-3, tau_syn=None), dt=10e-3)
    >>> [round(value, 3) for value in membrane.flatten().tolist()]
    [0.632, 0.865, 0.95]
    """
    if not is_fused(drive) or not drive.numel():
        return leaky_integrator(drive, params, dt=dt)
    membrane: Tensor = _Integrator.apply(drive, params, dt)
    return membrane


class _Integrator(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, params: IntegratorParams, dt: float) -> Tensor:
        beta = math.exp(-dt / params.tau_mem)
        alpha = -1.0 if params.tau_syn is None else math.exp(-dt / params.tau_syn)
        ctx.numbers = (*scalars(drive.dtype, alpha, beta), negligible(drive.dtype))
        return _passed(integrate, drive.detach().contiguous(), ctx.numbers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _passed(integrate_back, gradients[0].contiguous(), ctx.numbers), None, None


def _passed(one_pass: Any, given: Tensor, numbers: tuple[Any, ...]) -> Tensor:
    result = empty(tuple(given.shape), given.dtype)
    arrays = given.numpy(), result.numpy()
    over_chunks(lambda begin, end: one_pass(*arrays, *numbers, begin, end), len(given))
    return result
