"""EventProp on a grid: the exact exponential step, spikes at its points, and the adjoint on the same points.

For devices and batches to which following every event does not suit: plain PyTorch, one loop over the steps, any
device. Equations and names are those of `spikedata.nn.kernels.event_driven`; between two points both directions are
exact, and only the times of spikes are those of the grid, so results and gradients approach the exact ones with dt.

A gradient of spikes is here that of the loss with respect to their times [1/s], where there is a spike, and layers pass
it on as such; so these layers can only be stacked with each other. A highest membrane that lies at an input spike
itself moves with it, which `spikedata.nn.kernels.event_driven.max_voltage` knows and a maximum over points does not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.checks import Positive, checked
from spikedata.nn.kernels.event_driven import check_exact, factors
from spikedata.nn.neurons import LIFParams

_SMALLEST_SLOPE = 1e-3  # of the threshold; on a grid, a membrane may be past its highest point where it is seen above


def fire_on_grid(
    spikes: Tensor, weight: Tensor, recurrent_weight: Tensor | None, params: LIFParams, *, dt: float
) -> Tensor:
    """The spikes of a layer of LIF neurons that start at rest, at the points of a grid, differentiable in their times.

    Parameters
    ----------
    spikes : Tensor, (batch, step, unit)
        Number of spikes of the layer below at ``step * dt``.
    weight : Tensor, (unit, neuron)
        From the row's unit to the column's neuron [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : LIFParams
        Time constants and threshold; the reset must be "zero". The surrogate is not used.
    dt : float
        Length of a step [s].

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Raises
    ------
    ValueError
        If the reset is another, or the step not positive.

    Examples
    --------
    >>> import torch
    >>> params = LIFParams(tau_mem=20e-3, tau_syn=10e-3, reset="zero")
    >>> spikes = torch.zeros(1, 10, 1)
    >>> spikes[0, 1] = 1.0
    >>> fire_on_grid(spikes, torch.tensor([[6.0]]), None, params, dt=2e-3).flatten().tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    check_exact(params)
    fired: Tensor = _FireOnGrid.apply(spikes, weight, recurrent_weight, params, checked("dt", dt, Positive))
    return fired


def membranes_on_grid(spikes: Tensor, weight: Tensor, *, tau_mem: float, tau_syn: float, dt: float) -> Tensor:
    """The membranes of leaky integrators at the points of a grid, differentiable in the times of their input.

    Parameters
    ----------
    spikes, weight, dt
        As `fire_on_grid`.
    tau_mem, tau_syn : float
        Time constants of membrane and synaptic current [s].

    Returns
    -------
    Tensor, (batch, step, neuron)

    Examples
    --------
    >>> import torch
    >>> spikes = torch.tensor([[[1.0], [0.0]]])
    >>> out = membranes_on_grid(spikes, torch.tensor([[4.0]]), tau_mem=20e-3, tau_syn=10e-3, dt=13.863e-3)
    >>> [round(value, 3) for value in out.flatten().tolist()]
    [0.0, 1.0]
    """
    found: Tensor = _MembranesOnGrid.apply(spikes, weight, tau_mem, tau_syn, checked("dt", dt, Positive))
    return found


def first_points(spikes: Tensor, *, dt: float) -> Tensor:
    """The time of each neuron's first spike [s], (batch, neuron), infinite where it has none.

    Parameters
    ----------
    spikes : Tensor, (batch, step, neuron)
        As `fire_on_grid` returns them.
    dt : float
        Length of a step [s].

    Examples
    --------
    >>> import torch
    >>> first_points(torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]]), dt=0.5).tolist()
    [[0.5, inf]]
    """
    times: Tensor = _FirstPoints.apply(spikes, dt)
    return times


class _FireOnGrid(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, spikes: Tensor, weight: Tensor, recurrent: Tensor | None, params: LIFParams, dt: float
    ) -> Tensor:
        membrane, current, response = factors(dt, params.tau_mem, params.tau_syn)
        v = spikes.new_zeros(len(spikes), weight.shape[1], dtype=weight.dtype)
        i, fired, currents = torch.zeros_like(v), [], []
        for given in spikes.to(weight.dtype).unbind(1):
            out = (v >= params.threshold).to(v.dtype)
            fired.append(out)
            currents.append(i)
            i = i + given @ weight
            if recurrent is not None:
                i = i + out @ recurrent
            v = v * (1 - out) * membrane + i * response
            i = i * current
        results = torch.stack(fired, dim=1)
        ctx.save_for_backward(spikes, weight, recurrent, results, torch.stack(currents, dim=1))
        ctx.params, ctx.dt = params, dt
        return results

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        spikes, weight, recurrent, fired, currents = ctx.saved_tensors
        params, gain = ctx.params, ctx.params.tau_mem / ctx.params.tau_syn
        membrane, current, response = factors(ctx.dt, params.tau_mem, params.tau_syn)
        slopes = (currents - params.threshold).clamp(min=_SMALLEST_SLOPE * params.threshold)
        on_v, on_i = torch.zeros_like(currents[:, 0]), torch.zeros_like(currents[:, 0])
        of_currents, of_times = [], []
        for step in range(spikes.shape[1] - 1, -1, -1):
            on_i = on_i * current + on_v * gain * response
            on_v = on_v * membrane
            of_currents.append(-params.tau_syn * on_i)
            of_times.append(on_v - on_i)
            out, change = fired[:, step], gradients[0][:, step]
            if recurrent is not None:
                change = change + (on_v - on_i) @ recurrent.T
            on_v = on_v + out * (params.threshold * on_v + change) / slopes[:, step]
        grad_current = torch.stack(of_currents[::-1], dim=1)
        grad_times = torch.stack(of_times[::-1], dim=1) @ weight.T if ctx.needs_input_grad[0] else None
        grad_weight = torch.einsum("bsu,bsn->un", spikes.to(weight.dtype), grad_current)
        grad_recurrent = None if recurrent is None else torch.einsum("bsm,bsn->mn", fired, grad_current)
        return grad_times, grad_weight, grad_recurrent, None, None


class _MembranesOnGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, tau_mem: float, tau_syn: float, dt: float) -> Tensor:
        membrane, current, response = factors(dt, tau_mem, tau_syn)
        v = spikes.new_zeros(len(spikes), weight.shape[1], dtype=weight.dtype)
        i, membranes = torch.zeros_like(v), []
        for given in spikes.to(weight.dtype).unbind(1):
            membranes.append(v)
            i = i + given @ weight
            v = v * membrane + i * response
            i = i * current
        ctx.save_for_backward(spikes, weight)
        ctx.numbers = tau_mem, tau_syn, dt
        return torch.stack(membranes, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        spikes, weight = ctx.saved_tensors
        tau_mem, tau_syn, dt = ctx.numbers
        membrane, current, response = factors(dt, tau_mem, tau_syn)
        on_v, on_i = torch.zeros_like(gradients[0][:, 0]), torch.zeros_like(gradients[0][:, 0])
        of_currents, of_times = [], []
        for step in range(spikes.shape[1] - 1, -1, -1):
            on_i = on_i * current + on_v * (tau_mem / tau_syn) * response
            on_v = on_v * membrane
            of_currents.append(-tau_syn * on_i)
            of_times.append(on_v - on_i)
            on_v = on_v - gradients[0][:, step] / tau_mem
        grad_current = torch.stack(of_currents[::-1], dim=1)
        grad_times = torch.stack(of_times[::-1], dim=1) @ weight.T if ctx.needs_input_grad[0] else None
        return grad_times, torch.einsum("bsu,bsn->un", spikes.to(weight.dtype), grad_current), None, None, None


class _FirstPoints(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, dt: float) -> Tensor:
        has_fired = spikes.amax(dim=1) > 0
        first = spikes.argmax(dim=1)
        ctx.save_for_backward(first, has_fired)
        ctx.shape = spikes.shape
        return torch.where(has_fired, first * dt, torch.inf).to(spikes.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        first, has_fired = ctx.saved_tensors
        given = torch.where(has_fired, gradients[0], 0.0)
        return gradients[0].new_zeros(ctx.shape).scatter_(1, first[:, None], given[:, None]), None
