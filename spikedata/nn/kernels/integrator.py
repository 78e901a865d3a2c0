"""The leaky integrators of a readout, over all steps at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import is_fused, negligible, scalars
from spikedata.nn.kernels.chunks import over_chunks
from spikedata.nn.kernels.memory import empty
from spikedata.nn.kernels.tracing import apply
from spikedata.nn.neurons import IntegratorParams, leaky_integrator


@compiled
def integrate(
    drive: Array, membranes: Array, alpha: float, beta: float, negligible: float, begin: int, end: int,
) -> None:  # fmt: skip
    """Fill `membranes` by the equations of `spikedata.nn.neurons.integrator`; an `alpha` below 0 means no synapse."""
    zero, one = drive.dtype.type(0.0), drive.dtype.type(1.0)
    current, membrane = np.empty(drive.shape[2], drive.dtype), np.empty(drive.shape[2], drive.dtype)
    for clip in range(begin, end):
        current[:] = zero
        membrane[:] = zero
        for step in range(drive.shape[1]):
            d, out = drive[clip, step], membranes[clip, step]
            if alpha < zero:
                for j in range(d.size):
                    u = beta * membrane[j] + (one - beta) * d[j]
                    membrane[j] = zero if abs(u) < negligible else u
                    out[j] = membrane[j]
            else:
                for j in range(d.size):
                    out[j] = membrane[j]
                for j in range(d.size):
                    u = beta * membrane[j] + current[j]
                    membrane[j] = zero if abs(u) < negligible else u
                for j in range(d.size):
                    i = alpha * current[j] + d[j]
                    current[j] = zero if abs(i) < negligible else i


@compiled
def integrate_back(
    gradient: Array, grad_drive: Array, alpha: float, beta: float, negligible: float, begin: int, end: int,
) -> None:  # fmt: skip
    """Fill `grad_drive`: the same filter, run from the last step to the first."""
    zero, one = gradient.dtype.type(0.0), gradient.dtype.type(1.0)
    current, membrane = np.empty(gradient.shape[2], gradient.dtype), np.empty(gradient.shape[2], gradient.dtype)
    for clip in range(begin, end):
        current[:] = zero
        membrane[:] = zero
        for step in range(gradient.shape[1] - 1, -1, -1):
            g, out = gradient[clip, step], grad_drive[clip, step]
            if alpha >= zero:
                for j in range(g.size):
                    out[j] = current[j]
                    i = alpha * current[j] + membrane[j]
                    current[j] = zero if abs(i) < negligible else i
            for j in range(g.size):
                u = beta * membrane[j] + g[j]
                membrane[j] = zero if abs(u) < negligible else u
            if alpha < zero:
                for j in range(g.size):
                    out[j] = (one - beta) * membrane[j]


def run_integrator(drive: Tensor, params: IntegratorParams, *, dt: float) -> Tensor:
    """Membranes that never fire: `spikedata.nn.neurons.leaky_integrator`, step by step on the CPU.

    Gradients reach the drive; there are no second derivatives.

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
        The membrane at each step [1].

    Examples
    --------
    >>> import torch
    >>> membrane = run_integrator(torch.ones(1, 3, 1), IntegratorParams(tau_mem=10e-3, tau_syn=None), dt=10e-3)
    >>> [round(value, 3) for value in membrane.flatten().tolist()]
    [0.632, 0.865, 0.95]
    """
    if not is_fused(drive):
        return leaky_integrator(drive, params, dt=dt)
    return apply(_Integrator, drive, params, dt)


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
