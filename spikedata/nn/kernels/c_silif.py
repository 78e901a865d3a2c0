"""C-SiLIF neurons over all steps at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import check_shapes, is_fused, negligible, scalars, surrogate_numbers
from spikedata.nn.kernels.chunks import clips_together, over_chunks
from spikedata.nn.kernels.density import step_by_density
from spikedata.nn.kernels.memory import empty
from spikedata.nn.kernels.recurrent_delays import (
    Delayed,
    check_delays,
    delayed_of,
    kernel_sum,
    returning_of,
    send_later,
)
from spikedata.nn.kernels.rows import add_rows, fetch_ahead, list_active, surrogate_row
from spikedata.nn.kernels.spike_lists import SpikeLists
from spikedata.nn.kernels.tracing import apply
from spikedata.nn.kernels.weights import lists_to_fill, sum_in_order, weight_gradient
from spikedata.nn.neurons import CSiLIFCoefficients, CSiLIFParams, c_silif_loop


@compiled
def c_silif_forward(
    drive: Array, weight: Array, gathers: bool, coefficients: Array, threshold: float, negligible: float, begin: int,
    end: int, first: int, last: int, state: Array, injected: Array, real: Array, imaginary: Array, spikes: Array,
    units: Array, values: Array, starts: Array, ends: Array, n_listed: Array,
    kernel: Array, bands: Array, sent: Array,
) -> int:  # fmt: skip
    """Run the steps from `first` up to `last`; return the number of spikes.

    Carried from step to step: `state` (2, clip, neuron), the real part after the reset and the imaginary part, and
    `injected` (clip, neuron), the recurrent input from the spikes of the step before, gathered from `weight` if
    `gathers`. Filled: `real` (before the reset), `imaginary` and `spikes`. Spikes are also listed from position
    `n_listed`[0] on; when the lists are full, `n_listed`[0] becomes -1 and nothing more is listed.
    With delays, see `recurrent_delays`, what is `sent` takes the place of the spikes.
    """
    n_neurons = drive.shape[2]
    zero, one, two = drive.dtype.type(0.0), drive.dtype.type(1.0), drive.dtype.type(2.0)
    half = threshold / two
    p, q = coefficients[0], coefficients[1]
    spare_units, spare_values = np.empty(n_neurons, np.uint32), np.empty(n_neurons, drive.dtype)
    n_spikes = 0
    for clip in range(begin, end):
        r, i, v = state[0, clip - begin], state[1, clip - begin], injected[clip - begin]
        for step in range(first, last):
            x, y, s, d = real[clip, step], imaginary[clip, step], spikes[clip, step], drive[clip, step]
            for j in range(n_neurons):
                new = p[j] * r[j] - q[j] * i[j] + (v[j] + d[j])
                x[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                new = q[j] * r[j] + p[j] * i[j]
                y[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                i[j] = y[j]
                v[j] = zero
            for j in range(n_neurons):
                over = two * x[j] - threshold
                fired = one if over > zero else (zero if over <= zero else over)
                s[j] = fired
                r[j] = x[j] - half * fired
            if weight.size:
                through = s
                if kernel.size:
                    send_later(s, kernel, bands, step, sent[clip], spare_units, spare_values)
                    through = sent[clip, step]
                if n_listed[0] + n_neurons > units.size:  # from here on they are not kept
                    n_listed[0] = -1
                if n_listed[0] >= 0:
                    place = n_listed[0]
                    n_active = list_active(through, units[place:], values[place:])
                    starts[clip - begin, step], ends[clip - begin, step] = place, place + n_active
                    n_listed[0] += n_active
                    if gathers:
                        add_rows(weight, units, values, place, place + n_active, v)
                else:
                    n_active = list_active(through, spare_units, spare_values)
                    if gathers:
                        add_rows(weight, spare_units, spare_values, 0, n_active, v)
                n_spikes += n_active
    return n_spikes


@compiled
def c_silif_backward(
    real: Array, imaginary: Array, grad_spikes: Array, recurrent: Array, coefficients: Array, threshold: float,
    detached: bool, shape: int, scale: float, height: float, negligible: float, begin: int, end: int, first: int,
    last: int, state: Array, grad_step: Array, grad_drive: Array, sums: Array,
) -> None:  # fmt: skip
    """Run the steps backward, from `last` - 1 down to `first`.

    Carried from step to step: `state` (2, clip, neuron), the gradients of the real and the imaginary part before the
    reset. `recurrent` (clip, neuron) is gx V^T of the step after; unless it is empty, only one step may be run. Filled:
    `grad_drive`, and `grad_step` (clip, neuron) with its last step. The coefficients' gradients are added to `sums`
    (2, neuron) unless it is empty.
    """
    n_neurons = real.shape[2]
    zero, one, two = real.dtype.type(0.0), real.dtype.type(1.0), real.dtype.type(2.0)
    half = threshold / two
    p, q = coefficients[0], coefficients[1]
    local = np.empty((3, n_neurons), real.dtype)
    over, r, derivative = local[0], local[1], local[2]
    part = np.zeros((2, n_neurons), real.dtype)
    of_p, of_q = part[0], part[1]
    for clip in range(begin, end):
        gx, gy = state[0, clip - begin], state[1, clip - begin]
        out_step = grad_step[clip - begin]
        for step in range(last - 1, first - 1, -1):
            x, y = real[clip, step], imaginary[clip, step]
            g, out = grad_spikes[clip, step], grad_drive[clip, step]
            if clip + 1 < end:
                fetch_ahead(real[clip + 1, step])
                fetch_ahead(imaginary[clip + 1, step])
                fetch_ahead(grad_spikes[clip + 1, step])
                fetch_ahead(grad_drive[clip + 1, step])
            for j in range(n_neurons):
                over[j] = two * x[j] - threshold
            surrogate_row(over, shape, scale, height, derivative)
            if sums.size:
                for j in range(n_neurons):
                    r[j] = x[j] - half * (one if over[j] > zero else (zero if over[j] <= zero else over[j]))
                for j in range(n_neurons):
                    of_p[j] += gx[j] * r[j] + gy[j] * y[j]
                    of_q[j] += gy[j] * r[j] - gx[j] * y[j]
            for j in range(n_neurons):
                of_r = p[j] * gx[j] + q[j] * gy[j]
                of_y = p[j] * gy[j] - q[j] * gx[j]
                gx[j] = of_r
                gy[j] = zero if abs(of_y) < negligible else of_y
            if recurrent.size:
                more = recurrent[clip - begin]
                for j in range(n_neurons):
                    over[j] = g[j] + more[j]
            else:
                for j in range(n_neurons):
                    over[j] = g[j]
            if not detached:
                for j in range(n_neurons):
                    over[j] -= half * gx[j]
            for j in range(n_neurons):
                new = gx[j] + two * derivative[j] * over[j]
                gx[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                out[j] = gx[j]
                out_step[j] = gx[j]
        if sums.size and (last - first > 1 or clip == end - 1):
            for k in range(2):
                for j in range(n_neurons):
                    sums[k, j] += part[k, j]
            part[:] = zero


def run_c_silif(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: CSiLIFCoefficients,
    params: CSiLIFParams,
    *,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of C-SiLIF neurons that start from 0: `spikedata.nn.neurons.c_silif_loop`, fused on the CPU.

    Gradients reach the drive, the recurrent weight and the coefficients; there are no second derivatives.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    coefficients : CSiLIFCoefficients
        Coefficients of each neuron.
    params : CSiLIFParams
        Threshold, reset and surrogate.
    delay_kernel : Tensor, (delay, neuron), optional
        Share of each neuron's spikes that is sent to its own layer at each delay; see
        `spikedata.nn.neurons.recurrent_delays`. Default: no delays.

    Returns
    -------
    Tensor, (batch, step, neuron)
        0 or 1.

    Raises
    ------
    ValueError
        If the shapes do not match.

    Examples
    --------
    >>> import torch
    >>> quarter = CSiLIFCoefficients(torch.zeros(1), torch.full((1,), 0.9))
    >>> push = torch.tensor([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).view(1, 6, 1)
    >>> run_c_silif(push, None, quarter, CSiLIFParams()).flatten().tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    check_shapes(drive, recurrent_weight)
    check_delays(delay_kernel, drive, recurrent_weight)
    if not is_fused(drive):
        return c_silif_loop(drive, recurrent_weight, coefficients, params, delay_kernel=delay_kernel)
    for name, values in zip(coefficients._fields, coefficients, strict=True):
        if values.shape != (drive.shape[2],):
            raise ValueError(f"coefficients.{name} must be ({drive.shape[2]},), got {tuple(values.shape)}")
    return apply(_CSiLIF, drive, recurrent_weight, delay_kernel, torch.stack(coefficients), params)


class _CSiLIF(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        weight: Tensor | None,
        delay_kernel: Tensor | None,
        coefficients: Tensor,
        params: CSiLIFParams,
    ) -> Tensor:
        drive = drive.detach().contiguous()
        kept = _Kept(
            real=empty(tuple(drive.shape), drive.dtype),
            imaginary=empty(tuple(drive.shape), drive.dtype),
            spikes=empty(tuple(drive.shape), drive.dtype),
            weight=drive.new_empty(0, 0) if weight is None else weight.detach().contiguous(),
            coefficients=coefficients.detach().to(drive.dtype).contiguous(),
        )
        ctx.together, delays = clips_together(len(drive)), delayed_of(delay_kernel, drive)
        ctx.lists = over_chunks(
            lambda begin, end: _forward(drive, kept, delays, params, begin, end), len(drive), ctx.together
        )
        ctx.save_for_backward(*kept, *delays)
        ctx.params = params
        return kept.spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        kept, delays = _Kept(*ctx.saved_tensors[:-3]), Delayed(*ctx.saved_tensors[-3:])
        grad_spikes = gradients[0].contiguous()
        grad_drive = empty(tuple(kept.real.shape), kept.real.dtype)
        passed = kept, delays, ctx.params, grad_spikes, grad_drive, ctx.needs_input_grad[3]
        together = ctx.together
        parts = over_chunks(lambda begin, end: _backward(*passed, begin, end), len(grad_drive), together)
        sums = sum_in_order([part for part, _ in parts])
        grad_kernel = kernel_sum([part for _, part in parts], delays) if ctx.needs_input_grad[2] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(delays.of(kept.spikes), grad_drive, ctx.lists, together=together, delay=1)
        grad_coefficients = sums.to(grad_drive.dtype) if ctx.needs_input_grad[3] else None
        return grad_drive, grad_weight, grad_kernel, grad_coefficients, None


class _Kept(NamedTuple):
    """What the backward pass needs: three tensors (batch, step, neuron), the recurrent weight, and (2, neuron)."""

    real: Tensor
    imaginary: Tensor
    spikes: Tensor
    weight: Tensor
    coefficients: Tensor


def _forward(
    drive: Tensor, kept: _Kept, delays: Delayed, params: CSiLIFParams, begin: int, end: int
) -> SpikeLists | None:
    n_steps, n_neurons = drive.shape[1:]
    state = torch.zeros(2, end - begin, n_neurons, dtype=drive.dtype)
    injected = torch.zeros(end - begin, n_neurons, dtype=drive.dtype)
    given = drive.numpy(), kept.weight.numpy()
    rules = kept.coefficients.numpy(), *scalars(drive.dtype, params.threshold), negligible(drive.dtype)
    filled = state.numpy(), injected.numpy(), kept.real.numpy(), kept.imaginary.numpy(), kept.spikes.numpy()

    lists, n_listed = lists_to_fill(end - begin, n_steps, n_neurons, given[0].dtype, kept.weight)

    def go_on(first: int, last: int, gathers: bool) -> int:
        taken: Any = (*given, gathers, *rules, begin, end, first, last, *filled, *lists, n_listed, *delays.arrays())
        return c_silif_forward(*taken)

    through = delays.of(kept.spikes)

    def inject(step: int) -> None:
        torch.mm(through[begin:end, step], kept.weight, out=injected)

    step_by_density(go_on, inject, n_steps=n_steps, n_clips=end - begin, n_neurons=n_neurons)
    return lists if n_listed[0] >= 0 else None


def _backward(
    kept: _Kept,
    delays: Delayed,
    params: CSiLIFParams,
    grad_spikes: Tensor,
    grad_drive: Tensor,
    sums_up: bool,
    begin: int,
    end: int,
) -> tuple[Tensor, Tensor | None]:
    dtype = grad_drive.dtype
    n_steps, n_neurons = grad_drive.shape[1:]
    state = torch.zeros(2, end - begin, n_neurons, dtype=dtype)
    grad_step, recurrent = torch.zeros(2, end - begin, n_neurons, dtype=dtype)
    sums = torch.zeros(2 if sums_up else 0, n_neurons, dtype=torch.float64)
    surrogate = surrogate_numbers(params.surrogate, dtype)
    rules = kept.coefficients.numpy(), *scalars(dtype, params.threshold), params.detach_reset, *surrogate
    given = kept.real.numpy(), kept.imaginary.numpy(), grad_spikes.numpy()
    filled = state.numpy(), grad_step.numpy(), grad_drive.numpy(), sums.numpy()

    def go_back(first: int, last: int, more: Any) -> None:
        taken: Any = (*given, more, *rules, negligible(dtype), begin, end, first, last, *filled)
        c_silif_backward(*taken)

    nothing = grad_drive.new_empty(0, 0).numpy()
    if not kept.weight.numel():
        go_back(0, n_steps, nothing)
        return sums, None
    go_back(n_steps - 1, n_steps, nothing)
    transposed = kept.weight.t().contiguous()  # products with a contiguous copy are a fifth faster
    more, returning = recurrent.numpy(), returning_of(delays, end - begin)
    for step in range(n_steps - 2, -1, -1):
        torch.mm(grad_step, transposed, out=recurrent)
        go_back(step, step + 1, more if returning is None else returning.take(step, recurrent))
    return sums, None if returning is None else returning.of_kernel(kept.spikes, begin)
