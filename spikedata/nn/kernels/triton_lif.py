"""Current-based LIF neurons over all steps at once, as Triton kernels for GPUs; see `spikedata.nn.kernels.lif`.

This module needs `triton`; `run_lif` loads it where it applies.
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
from spikedata.nn.neurons import LIFParams
from spikedata.nn.surrogate import SHAPES

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError:  # the module can then be listed and documented, and nothing in it runs
    triton = tl = Absent()


@triton.jit
def lif_forward(
    drive, weight, above, decayed, spikes, alpha, beta, threshold,
    n_batch, n_steps, n, RECURRENT: tl.constexpr, TO_ZERO: tl.constexpr, KEEPS: tl.constexpr,
    CLIPS: tl.constexpr, NEURONS: tl.constexpr, ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Fill `above` (membrane minus threshold), `spikes` and, if `KEEPS`, `decayed` (beta U + I)."""
    clips = tl.program_id(0) * CLIPS + tl.arange(0, CLIPS)
    neurons = tl.program_id(1) * NEURONS + tl.arange(0, NEURONS)
    is_clip, is_neuron = clips < n_batch, neurons < n
    is_there = is_clip[:, None] & is_neuron[None, :]
    rows = clips.to(tl.int64)[:, None] * n_steps * n
    places = rows + neurons[None, :]
    current = tl.zeros((CLIPS, NEURONS), tl.float32)
    membrane = tl.zeros((CLIPS, NEURONS), tl.float32)
    for step in range(n_steps):
        now = places + step * n
        over = membrane - threshold
        emitted = fired(over)
        tl.store(above + now, over, mask=is_there)
        tl.store(spikes + now, emitted, mask=is_there)
        injected = tl.load(drive + now, mask=is_there, other=0.0)
        if RECURRENT:
            tl.debug_barrier()  # all threads of the program have written their spikes
            injected = product(
                spikes + rows + step * n, weight, neurons, is_clip, is_neuron, n, injected, ROWS, PRECISION
            )
        kept = beta * membrane + current
        if KEEPS:
            tl.store(decayed + now, kept, mask=is_there)
        if TO_ZERO:
            membrane = kept * (1.0 - emitted)
        else:
            membrane = kept - threshold * emitted
        current = alpha * current + injected


@triton.jit
def lif_backward(
    above, decayed, grad_spikes, transposed, grad_drive, alpha, beta,
    threshold, scale, height, n_batch, n_steps, n, RECURRENT: tl.constexpr,
    TO_ZERO: tl.constexpr, DETACHED: tl.constexpr, SHAPE: tl.constexpr, CLIPS: tl.constexpr, NEURONS: tl.constexpr,
    ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Fill `grad_drive`, from the last step to the first; `transposed` is V^T."""
    clips = tl.program_id(0) * CLIPS + tl.arange(0, CLIPS)
    neurons = tl.program_id(1) * NEURONS + tl.arange(0, NEURONS)
    is_clip, is_neuron = clips < n_batch, neurons < n
    is_there = is_clip[:, None] & is_neuron[None, :]
    rows = clips.to(tl.int64)[:, None] * n_steps * n
    places = rows + neurons[None, :]
    grad_current = tl.zeros((CLIPS, NEURONS), tl.float32)
    grad_membrane = tl.zeros((CLIPS, NEURONS), tl.float32)
    for back in range(n_steps):
        step = n_steps - 1 - back
        now = places + step * n
        tl.store(grad_drive + now, grad_current, mask=is_there)
        grad = tl.load(grad_spikes + now, mask=is_there, other=0.0)
        if RECURRENT:
            tl.debug_barrier()  # all threads of the program have written their gradients
            grad = product(
                grad_drive + rows + step * n, transposed, neurons, is_clip, is_neuron, n, grad, ROWS, PRECISION
            )
        over = tl.load(above + now, mask=is_there, other=0.0)
        derivative = derivative_of(over, scale, height, SHAPE)
        if not DETACHED:
            if TO_ZERO:
                grad -= tl.load(decayed + now, mask=is_there, other=0.0) * grad_membrane
            else:
                grad -= threshold * grad_membrane
        if TO_ZERO:
            grad_membrane = tl.where(over > 0, 0.0, grad_membrane)
        grad_current = alpha * grad_current + grad_membrane
        grad_membrane = beta * grad_membrane + derivative * grad


def run_lif_triton(drive: Tensor, recurrent_weight: Tensor | None, params: LIFParams, *, dt: float) -> Tensor:
    """Spikes of LIF neurons that start at rest: `spikedata.nn.neurons.lif_loop` as one Triton kernel.

    Gradients reach the drive and the recurrent weight; there are no second derivatives. Products with the weight are
    made in TensorFloat32 unless `torch.get_float32_matmul_precision` is "highest".

    Parameters
    ----------
    drive : Tensor of float32, (batch, step, neuron)
        Input that the spikes of each step inject [1], on a GPU; on the CPU only in Triton's interpreter.
    recurrent_weight : Tensor of float32, (neuron, neuron), or None
        From the row's neuron to the column's [1]; at most 1,024 neurons.
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
    TypeError
        If a tensor is not float32.
    ValueError
        If the shapes do not match, or a recurrent layer is too large.
    """
    check_shapes(drive, recurrent_weight)
    check_for_triton(drive, recurrent_weight)
    return apply(_LIF, drive, recurrent_weight, params, dt)


class _LIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, weight: Tensor | None, params: LIFParams, dt: float) -> Tensor:
        drive = drive.detach().contiguous()
        given = drive.new_empty(0) if weight is None else weight.detach().contiguous()
        keeps = params.reset == "zero" and not params.detach_reset
        above, spikes = torch.empty_like(drive), torch.empty_like(drive)
        decayed = torch.empty_like(drive) if keeps else drive.new_empty(0)
        tiles = tiles_of(drive, recurrent=weight is not None)
        ctx.numbers = *params.decays(dt), params.threshold
        ctx.rules = {"RECURRENT": weight is not None, "TO_ZERO": params.reset == "zero"}
        with on_device_of(drive):
            lif_forward[tiles.grid](
                drive, given, above, decayed, spikes, *ctx.numbers, *drive.shape,
                **ctx.rules, KEEPS=keeps, **tiles.of_kernel,
            )  # fmt: skip
        ctx.save_for_backward(above, decayed, spikes, given)
        ctx.params, ctx.tiles = params, tiles
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        above, decayed, spikes, weight = ctx.saved_tensors
        surrogate = ctx.params.surrogate
        grad_drive = torch.empty_like(above)
        transposed = weight.t().contiguous()
        with on_device_of(above):
            lif_backward[ctx.tiles.grid](
                above, decayed, gradients[0].contiguous(), transposed, grad_drive, *ctx.numbers, surrogate.scale,
                surrogate.height, *above.shape, **ctx.rules, DETACHED=ctx.params.detach_reset,
                SHAPE=SHAPES.index(surrogate.shape), **ctx.tiles.of_kernel,
            )  # fmt: skip
        if not ctx.needs_input_grad[1]:
            return grad_drive, None, None, None
        return grad_drive, torch.mm(spikes.flatten(0, 1).t(), grad_drive.flatten(0, 1)), None, None
