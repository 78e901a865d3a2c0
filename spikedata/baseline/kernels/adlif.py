"""Adaptive LIF neurons over all steps at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.baseline.kernels.adlif_passes import adlif_backward, adlif_forward
from spikedata.baseline.kernels.arguments import check_shapes, is_fused, negligible, scalars, surrogate_numbers
from spikedata.baseline.kernels.chunks import clips_together, over_chunks
from spikedata.baseline.kernels.density import step_by_density
from spikedata.baseline.kernels.memory import empty
from spikedata.baseline.kernels.spike_lists import SpikeLists
from spikedata.baseline.kernels.weights import lists_to_fill, sum_in_order, weight_gradient
from spikedata.baseline.neurons import AdLIFCoefficients, AdLIFParams, adlif_loop


def run_adlif(
    drive: Tensor, recurrent_weight: Tensor | None, coefficients: AdLIFCoefficients, params: AdLIFParams
) -> Tensor:
    """Spikes of neurons that start from 0: `spikedata.baseline.neurons.adlif_loop`, fused on the CPU.

    Gradients go to the drive, the recurrent weight and the coefficients, once.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        What the input spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    coefficients : AdLIFCoefficients
        Of each neuron; the decays of the membranes below 1.
    params : AdLIFParams
        Scheme, threshold, reset and surrogate.

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or a membrane does not decay.

    Examples
    --------
    >>> import torch
    >>> coefficients = AdLIFCoefficients(*torch.tensor([[0.5], [0.9], [0.0], [2.0]]))
    >>> run_adlif(torch.full((1, 6, 1), 3.0), None, coefficients, AdLIFParams()).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    check_shapes(drive, recurrent_weight)
    if not is_fused(drive):
        return adlif_loop(drive, recurrent_weight, coefficients, params)
    _check_coefficients(coefficients, drive.shape[2])
    spikes: Tensor = _AdLIF.apply(drive, recurrent_weight, torch.stack(coefficients), params)
    return spikes


def _check_coefficients(coefficients: AdLIFCoefficients, n_neurons: int) -> None:
    for name, values in zip(coefficients._fields, coefficients, strict=True):
        if values.shape != (n_neurons,):
            raise ValueError(f"coefficients.{name} must be ({n_neurons},), got {tuple(values.shape)}")
    if (coefficients.membrane_decay >= 1).any():
        highest = coefficients.membrane_decay.max().item()
        raise ValueError(f"coefficients.membrane_decay must be < 1, got {highest}")


class _AdLIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, weight: Tensor | None, coefficients: Tensor, params: AdLIFParams) -> Tensor:
        drive = drive.detach().contiguous()
        kept = _Kept(
            membranes=empty(tuple(drive.shape), drive.dtype),
            spikes=empty(tuple(drive.shape), drive.dtype),
            weight=drive.new_empty(0, 0) if weight is None else weight.detach().contiguous(),
            coefficients=coefficients.detach().to(drive.dtype).contiguous(),
        )
        ctx.together = clips_together(len(drive))
        ctx.lists = over_chunks(lambda begin, end: _forward(drive, kept, params, begin, end), len(drive), ctx.together)
        ctx.save_for_backward(*kept)
        ctx.params = params
        return kept.spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        kept = _Kept(*ctx.saved_tensors)
        grad_spikes = gradients[0].contiguous()
        grad_drive = empty(tuple(kept.membranes.shape), kept.membranes.dtype)
        passed = kept, ctx.params, grad_spikes, grad_drive, ctx.needs_input_grad[2]
        together = ctx.together
        sums = sum_in_order(over_chunks(lambda begin, end: _backward(*passed, begin, end), len(grad_drive), together))
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(kept.spikes, grad_drive, ctx.lists, together=together, delay=1)
        if not ctx.needs_input_grad[2]:
            return grad_drive, grad_weight, None, None
        sums[0] /= 1.0 - kept.coefficients[0].double()
        return grad_drive, grad_weight, sums.to(grad_drive.dtype), None


class _Kept(NamedTuple):
    """What the backward pass needs: (batch, step, neuron) twice, the recurrent weight, (4, neuron)."""

    membranes: Tensor
    spikes: Tensor
    weight: Tensor
    coefficients: Tensor


def _forward(drive: Tensor, kept: _Kept, params: AdLIFParams, begin: int, end: int) -> SpikeLists | None:
    n_steps, n_neurons = drive.shape[1:]
    state = torch.zeros(2, end - begin, n_neurons, dtype=drive.dtype)
    injected = torch.zeros(end - begin, n_neurons, dtype=drive.dtype)
    given = drive.numpy(), kept.weight.numpy()
    resets = params.reset == "zero", params.scheme == "symplectic"
    rules = *scalars(drive.dtype, params.threshold), *resets, negligible(drive.dtype)
    coefficients = kept.coefficients.numpy()
    filled = state.numpy(), injected.numpy(), kept.membranes.numpy(), kept.spikes.numpy()

    lists, n_listed = lists_to_fill(end - begin, n_steps, n_neurons, given[0].dtype, kept.weight)

    def go_on(first: int, last: int, gathers: bool) -> int:
        places = begin, end, first, last
        taken: Any = (*given, gathers, coefficients, *rules, *places, *filled, *lists, n_listed)
        return adlif_forward(*taken)

    def inject(step: int) -> None:
        torch.mm(kept.spikes[begin:end, step], kept.weight, out=injected)

    step_by_density(go_on, inject, n_steps=n_steps, n_clips=end - begin, n_neurons=n_neurons)
    return lists if n_listed[0] >= 0 else None


def _backward(
    kept: _Kept, params: AdLIFParams, grad_spikes: Tensor, grad_drive: Tensor, sums_up: bool, begin: int, end: int
) -> Tensor:
    dtype = grad_drive.dtype
    n_steps, n_neurons = grad_drive.shape[1:]
    state = torch.zeros(3, end - begin, n_neurons, dtype=dtype)
    grad_step, recurrent = torch.zeros(2, end - begin, n_neurons, dtype=dtype)
    sums = torch.zeros(4 if sums_up else 0, n_neurons, dtype=torch.float64)
    resets = params.reset == "zero", params.detach_reset, params.scheme == "symplectic"
    surrogate = surrogate_numbers(params.surrogate, dtype)
    rules = kept.coefficients.numpy(), *scalars(dtype, params.threshold), *resets, *surrogate, negligible(dtype)
    given = kept.membranes.numpy(), grad_spikes.numpy()
    filled = state.numpy(), grad_step.numpy(), grad_drive.numpy(), sums.numpy()

    def go_back(first: int, last: int, more: Any) -> None:
        taken: Any = (*given, more, *rules, begin, end, first, last, *filled)
        adlif_backward(*taken)

    nothing = grad_drive.new_empty(0, 0).numpy()
    if not kept.weight.numel():
        go_back(0, n_steps, nothing)
        return sums
    go_back(n_steps - 1, n_steps, nothing)
    transposed = kept.weight.t().contiguous()  # a product with it takes a fifth less
    more = recurrent.numpy()
    for step in range(n_steps - 2, -1, -1):
        torch.mm(grad_step, transposed, out=recurrent)
        go_back(step, step + 1, more)
    return sums
