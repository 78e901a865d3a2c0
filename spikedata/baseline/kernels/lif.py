"""Current-based LIF neurons over all steps at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.baseline.kernels.arguments import check_shapes, is_fused, negligible, scalars, surrogate_numbers
from spikedata.baseline.kernels.chunks import clips_together, over_chunks
from spikedata.baseline.kernels.density import step_by_density
from spikedata.baseline.kernels.lif_passes import lif_backward, lif_forward
from spikedata.baseline.kernels.memory import empty
from spikedata.baseline.kernels.spike_lists import SpikeLists
from spikedata.baseline.kernels.weights import lists_to_fill, weight_gradient
from spikedata.baseline.neurons import LIFParams, lif_loop


def run_lif(drive: Tensor, recurrent_weight: Tensor | None, params: LIFParams, *, dt: float) -> Tensor:
    """Spikes of neurons that start at rest: `spikedata.baseline.neurons.lif_loop`, fused on the CPU.

    Gradients go to the drive and the recurrent weight, once.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        What the input spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : LIFParams
        Time constants, threshold, reset and surrogate.
    dt : float
        Length of a step [s].

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.

    Examples
    --------
    >>> import torch
    >>> run_lif(torch.full((1, 5, 1), 0.6), None, LIFParams(), dt=2e-3).flatten().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0]
    """
    check_shapes(drive, recurrent_weight)
    if not is_fused(drive):
        return lif_loop(drive, recurrent_weight, params, dt=dt)
    spikes: Tensor = _LIF.apply(drive, recurrent_weight, params, dt)
    return spikes


class _LIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, weight: Tensor | None, params: LIFParams, dt: float) -> Tensor:
        drive = drive.detach().contiguous()
        weight = drive.new_empty(0, 0) if weight is None else weight.detach().contiguous()
        keeps_decayed = params.reset == "zero" and not params.detach_reset
        kept = _Kept(
            above=empty(tuple(drive.shape), drive.dtype),
            decayed=empty(tuple(drive.shape) if keeps_decayed else (0, 0, 0), drive.dtype),
            spikes=empty(tuple(drive.shape), drive.dtype),
            weight=weight,
        )
        ctx.numbers = scalars(drive.dtype, *params.decays(dt), params.threshold)
        ctx.together = clips_together(len(drive))
        ctx.lists = over_chunks(
            lambda begin, end: _forward(drive, kept, params, ctx.numbers, begin, end), len(drive), ctx.together
        )
        ctx.save_for_backward(*kept)
        ctx.params = params
        return kept.spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        kept = _Kept(*ctx.saved_tensors)
        grad_spikes = gradients[0].contiguous()
        grad_drive = empty(tuple(kept.above.shape), kept.above.dtype)
        passed = kept, ctx.params, ctx.numbers, grad_spikes, grad_drive
        over_chunks(lambda begin, end: _backward(*passed, begin, end), len(grad_drive), ctx.together)
        if not ctx.needs_input_grad[1]:
            return grad_drive, None, None, None
        return grad_drive, weight_gradient(kept.spikes, grad_drive, ctx.lists, together=ctx.together), None, None


class _Kept(NamedTuple):
    """What the backward pass needs: (batch, step, neuron) each, and the recurrent weight; no value where not needed."""

    above: Tensor
    decayed: Tensor
    spikes: Tensor
    weight: Tensor


def _forward(
    drive: Tensor, kept: _Kept, params: LIFParams, numbers: tuple[Any, ...], begin: int, end: int
) -> SpikeLists | None:
    n_steps, n_neurons = drive.shape[1:]
    current, membrane = torch.zeros(2, end - begin, n_neurons, dtype=drive.dtype)
    state = current.numpy(), membrane.numpy()
    given, filled = (drive.numpy(), kept.weight.numpy()), [tensor.numpy() for tensor in kept[:3]]
    rules = *numbers, params.reset == "zero", negligible(drive.dtype)
    lists, n_listed = lists_to_fill(end - begin, n_steps, n_neurons, given[0].dtype, kept.weight)

    def go_on(first: int, last: int, gathers: bool) -> int:
        places = begin, end, first, last
        taken: Any = (*given, gathers, *rules, *places, *state, *filled, *lists, n_listed)
        return lif_forward(*taken)

    def inject(step: int) -> None:
        current.addmm_(kept.spikes[begin:end, step], kept.weight)

    step_by_density(go_on, inject, n_steps=n_steps, n_clips=end - begin, n_neurons=n_neurons)
    return lists if n_listed[0] >= 0 else None


def _backward(
    kept: _Kept,
    params: LIFParams,
    numbers: tuple[Any, ...],
    grad_spikes: Tensor,
    grad_drive: Tensor,
    begin: int,
    end: int,
) -> None:
    dtype = grad_drive.dtype
    n_steps, n_neurons = grad_drive.shape[1:]
    grad_current, grad_membrane = torch.zeros(2, end - begin, n_neurons, dtype=dtype)
    surrogate = surrogate_numbers(params.surrogate, dtype)
    rules = *numbers, params.reset == "zero", params.detach_reset, *surrogate, negligible(dtype)
    given = kept.above.numpy(), kept.decayed.numpy(), grad_spikes.numpy()
    filled = grad_current.numpy(), grad_membrane.numpy(), grad_drive.numpy()

    def go_back(first: int, last: int, more: Any) -> None:
        taken: Any = (*given, more, *rules, begin, end, first, last, *filled)
        lif_backward(*taken)

    nothing = grad_drive.new_empty(0, 0).numpy()
    if not kept.weight.numel():
        go_back(0, n_steps, nothing)
        return
    go_back(n_steps - 1, n_steps, nothing)
    recurrent, transposed = torch.empty_like(grad_current), kept.weight.t().contiguous()
    more = recurrent.numpy()
    for step in range(n_steps - 2, -1, -1):
        torch.mm(grad_current, transposed, out=recurrent)
        go_back(step, step + 1, more)
