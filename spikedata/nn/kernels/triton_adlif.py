"""Adaptive LIF neurons over all steps at once, as Triton kernels for GPUs; see `spikedata.nn.kernels.adlif`.

This module needs `triton`; `run_adlif` loads it where it applies.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.nn.kernels.arguments import check_shapes
from spikedata.nn.kernels.gpu import Absent, check_for_triton
from spikedata.nn.kernels.tracing import apply
from spikedata.nn.kernels.triton_tiles import derivative_of, fired, on_device_of, product, tiles_of
from spikedata.nn.neurons import AdLIFCoefficients, AdLIFParams
from spikedata.nn.surrogate import SHAPES

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError:  # the module can then be listed and documented, and nothing in it runs
    triton = tl = Absent()


@triton.jit
def adlif_forward(
    drive, weight, coefficients, membranes, spikes, threshold, n_batch,
    n_steps, n, RECURRENT: tl.constexpr, TO_ZERO: tl.constexpr, SYMPLECTIC: tl.constexpr,
    CLIPS: tl.constexpr, NEURONS: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Fill `membranes` (before the reset) and `spikes`; `coefficients` are alpha, beta, a, b, each (neuron,)."""
    clips = tl.program_id(0) * CLIPS + tl.arange(0, CLIPS)
    neurons = tl.program_id(1) * NEURONS + tl.arange(0, NEURONS)
    is_clip, is_neuron = clips < n_batch, neurons < n
    is_there = is_clip[:, None] & is_neuron[None, :]
    rows = clips.to(tl.int64)[:, None] * n_steps * n
    places = rows + neurons[None, :]
    alpha = tl.load(coefficients + neurons, mask=is_neuron, other=0.0)[None, :]
    beta = tl.load(coefficients + n + neurons, mask=is_neuron, other=0.0)[None, :]
    a = tl.load(coefficients + 2 * n + neurons, mask=is_neuron, other=0.0)[None, :]
    b = tl.load(coefficients + 3 * n + neurons, mask=is_neuron, other=0.0)[None, :]
    after_reset = tl.zeros((CLIPS, NEURONS), tl.float32)
    adaptation = tl.zeros((CLIPS, NEURONS), tl.float32)
    recurrent = tl.zeros((CLIPS, NEURONS), tl.float32)
    emitted = tl.zeros((CLIPS, NEURONS), tl.float32)
    for step in range(n_steps):
        now = places + step * n
        injected = tl.load(drive + now, mask=is_there, other=0.0) + recurrent
        membrane = alpha * after_reset + (1.0 - alpha) * (injected - adaptation)
        if not SYMPLECTIC:
            adaptation = beta * adaptation + a * after_reset + b * emitted
        emitted = fired(membrane - threshold)
        tl.store(membranes + now, membrane, mask=is_there)
        tl.store(spikes + now, emitted, mask=is_there)
        if TO_ZERO:
            after_reset = membrane * (1.0 - emitted)
        else:
            after_reset = membrane - threshold * emitted
        if SYMPLECTIC:
            adaptation = beta * adaptation + a * after_reset + b * emitted
        if RECURRENT:
            tl.debug_barrier()  # all threads of the program have written their spikes
            recurrent = product(
                spikes + rows + step * n, weight, neurons, is_clip, is_neuron, n,
                tl.zeros((CLIPS, NEURONS), tl.float32), ROWS, PRECISION,
            )  # fmt: skip


@triton.jit
def adlif_backward(
    membranes, grad_spikes, transposed, coefficients, grad_drive, sums, threshold,
    scale, height, n_batch, n_steps, n, RECURRENT: tl.constexpr, TO_ZERO: tl.constexpr,
    SYMPLECTIC: tl.constexpr, DETACHED: tl.constexpr, SUMS: tl.constexpr, SHAPE: tl.constexpr, CLIPS: tl.constexpr,
    NEURONS: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Fill `grad_drive`, from the last step to the first, and if `SUMS` `sums` (tile of clips, 4, neuron).

    `sums` are the coefficients' gradients, of alpha times 1 - alpha; `transposed` is V^T.
    """
    clips = tl.program_id(0) * CLIPS + tl.arange(0, CLIPS)
    neurons = tl.program_id(1) * NEURONS + tl.arange(0, NEURONS)
    is_clip, is_neuron = clips < n_batch, neurons < n
    is_there = is_clip[:, None] & is_neuron[None, :]
    rows = clips.to(tl.int64)[:, None] * n_steps * n
    places = rows + neurons[None, :]
    alpha = tl.load(coefficients + neurons, mask=is_neuron, other=0.0)[None, :]
    beta = tl.load(coefficients + n + neurons, mask=is_neuron, other=0.0)[None, :]
    a = tl.load(coefficients + 2 * n + neurons, mask=is_neuron, other=0.0)[None, :]
    b = tl.load(coefficients + 3 * n + neurons, mask=is_neuron, other=0.0)[None, :]
    # of the membrane, of the adaptation, and of beta through the adaptation: gu, gw and h of the step after
    grad_membrane = tl.zeros((CLIPS, NEURONS), tl.float32)
    grad_adaptation = tl.zeros((CLIPS, NEURONS), tl.float32)
    history = tl.zeros((CLIPS, NEURONS), tl.float32)
    recurrent = tl.zeros((CLIPS, NEURONS), tl.float32)
    membrane_after = tl.zeros((CLIPS, NEURONS), tl.float32)
    of_alpha = tl.zeros((NEURONS,), tl.float32)
    of_beta = tl.zeros((NEURONS,), tl.float32)
    of_a = tl.zeros((NEURONS,), tl.float32)
    of_b = tl.zeros((NEURONS,), tl.float32)
    for back in range(n_steps):
        step = n_steps - 1 - back
        now = places + step * n
        membrane = tl.load(membranes + now, mask=is_there, other=0.0)
        grad = tl.load(grad_spikes + now, mask=is_there, other=0.0)
        over = membrane - threshold
        emitted = fired(over)
        derivative = derivative_of(over, scale, height, SHAPE)
        met, met_history = grad_adaptation, history
        history = grad_adaptation + beta * history
        grad_adaptation = beta * grad_adaptation - (1.0 - alpha) * grad_membrane
        if SYMPLECTIC:  # a spike meets the adaptation of its own step, otherwise that of the step after
            met, met_history = grad_adaptation, history
        if SUMS:
            if TO_ZERO:
                after_reset = membrane * (1.0 - emitted)
            else:
                after_reset = membrane - threshold * emitted
            # at the last step grad_membrane is 0; states of neurons and clips that are not there stay 0
            of_alpha += tl.sum(grad_membrane * (after_reset - membrane_after), axis=0)
            of_beta += tl.sum((a * after_reset + b * emitted) * met_history, axis=0)
            of_a += tl.sum(met * after_reset, axis=0)
            of_b += tl.sum(met * emitted, axis=0)
            membrane_after = membrane
        grad += recurrent + b * met
        through = alpha * grad_membrane + a * met
        if not DETACHED:
            if TO_ZERO:
                grad -= membrane * through
            else:
                grad -= threshold * through
        if TO_ZERO:
            through = through * (1.0 - emitted)
        grad_membrane = through + derivative * grad
        tl.store(grad_drive + now, (1.0 - alpha) * grad_membrane, mask=is_there)
        if RECURRENT:
            tl.debug_barrier()  # all threads of the program have written their gradients
            recurrent = product(
                grad_drive + rows + step * n, transposed, neurons, is_clip, is_neuron, n,
                tl.zeros((CLIPS, NEURONS), tl.float32), ROWS, PRECISION,
            )  # fmt: skip
    if SUMS:
        of_alpha -= tl.sum(grad_membrane * membrane_after, axis=0)
        into = sums + tl.program_id(0) * 4 * n + neurons
        tl.store(into, of_alpha, mask=is_neuron)
        tl.store(into + n, of_beta, mask=is_neuron)
        tl.store(into + 2 * n, of_a, mask=is_neuron)
        tl.store(into + 3 * n, of_b, mask=is_neuron)


def run_adlif_triton(
    drive: Tensor, recurrent_weight: Tensor | None, coefficients: AdLIFCoefficients, params: AdLIFParams
) -> Tensor:
    """Spikes of adaptive neurons that start from 0: `spikedata.nn.neurons.adlif_loop` as one Triton kernel.

    Gradients reach the drive, the recurrent weight and the coefficients; there are no second derivatives. Products with
    the weight are made in TensorFloat32 unless `torch.get_float32_matmul_precision` is "highest".

    Parameters
    ----------
    drive : Tensor of float32, (batch, step, neuron)
        Input that the spikes of each step inject [1], on a GPU; on the CPU only in Triton's interpreter.
    recurrent_weight : Tensor of float32, (neuron, neuron), or None
        From the row's neuron to the column's [1]; at most 1,024 neurons.
    coefficients : AdLIFCoefficients
        Coefficients of each neuron; the decay of the membrane must be below 1, which is not checked on a GPU.
    params : AdLIFParams
        Scheme, threshold, reset and surrogate.

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Raises
    ------
    TypeError
        If a tensor is not float32.
    ValueError
        If the shapes do not match, or a recurrent layer is too large.
    """
    check_shapes(drive, recurrent_weight)
    check_for_triton(drive, recurrent_weight)
    n_neurons = drive.shape[2]
    for name, values in zip(coefficients._fields, coefficients, strict=True):
        if values.shape != (n_neurons,):
            raise ValueError(f"coefficients.{name} must be ({n_neurons},), got {tuple(values.shape)}")
    return apply(_AdLIF, drive, recurrent_weight, torch.stack(coefficients), params)


class _AdLIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, weight: Tensor | None, coefficients: Tensor, params: AdLIFParams) -> Tensor:
        drive = drive.detach().contiguous()
        given = drive.new_empty(0) if weight is None else weight.detach().contiguous()
        numbers = coefficients.detach().to(drive.dtype).contiguous()
        membranes, spikes = torch.empty_like(drive), torch.empty_like(drive)
        tiles = tiles_of(drive, recurrent=weight is not None)
        ctx.rules = {
            "RECURRENT": weight is not None,
            "TO_ZERO": params.reset == "zero",
            "SYMPLECTIC": params.scheme == "symplectic",
        }
        with on_device_of(drive):
            adlif_forward[tiles.grid](
                drive, given, numbers, membranes, spikes, params.threshold, *drive.shape,
                **ctx.rules, **tiles.of_kernel,
            )  # fmt: skip
        ctx.save_for_backward(membranes, spikes, given, numbers)
        ctx.params, ctx.tiles = params, tiles
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        membranes, spikes, weight, coefficients = ctx.saved_tensors
        params, surrogate = ctx.params, ctx.params.surrogate
        n_neurons = membranes.shape[2]
        grad_drive = torch.empty_like(membranes)
        sums_up = ctx.needs_input_grad[2]
        sums = membranes.new_empty(ctx.tiles.grid[0] if sums_up else 0, 4, n_neurons)
        transposed = weight.t().contiguous()
        with on_device_of(membranes):
            adlif_backward[ctx.tiles.grid](
                membranes, gradients[0].contiguous(), transposed, coefficients, grad_drive, sums, params.threshold,
                surrogate.scale, surrogate.height, *membranes.shape, **ctx.rules, DETACHED=params.detach_reset,
                SUMS=sums_up, SHAPE=SHAPES.index(surrogate.shape), **ctx.tiles.of_kernel,
            )  # fmt: skip
        grad_weight = grad_coefficients = None
        if ctx.needs_input_grad[1]:  # a spike is felt one step later
            before, after = spikes[:, :-1].flatten(0, 1), grad_drive[:, 1:].flatten(0, 1)
            grad_weight = torch.mm(before.t(), after)
        if sums_up:
            total = sums.sum(dim=0, dtype=torch.float64)
            total[0] /= 1.0 - coefficients[0].double()
            grad_coefficients = total.to(grad_drive.dtype)
        return grad_drive, grad_weight, grad_coefficients, None
