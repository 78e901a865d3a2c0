"""Adaptive LIF neurons over all steps at once."""

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
from spikedata.nn.kernels.gpu import runs_in_triton
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
from spikedata.nn.neurons import AdLIFCoefficients, AdLIFParams, adlif_loop


@compiled
def adlif_forward(
    drive: Array, weight: Array, gathers: bool, coefficients: Array, threshold: float, to_zero: bool,
    symplectic: bool, negligible: float, begin: int, end: int, first: int, last: int, state: Array, injected: Array,
    membranes: Array, spikes: Array, units: Array, values: Array, starts: Array, ends: Array, n_listed: Array,
    kernel: Array, bands: Array, sent: Array,
) -> int:  # fmt: skip
    """Run the steps from `first` up to `last`; return the number of spikes.

    Carried from step to step: `state` (2, clip, neuron), membrane after the reset and adaptation, and `injected`
    (clip, neuron), the recurrent input from the spikes of the step before, gathered from `weight` if `gathers`. Filled:
    `membranes` (before the reset) and `spikes`. Spikes are also listed from position `n_listed`[0] on; when the lists
    are full, `n_listed`[0] becomes -1 and nothing more is listed.
    With delays, see `recurrent_delays`, what is `sent` takes the place of the spikes.
    """
    n_neurons = drive.shape[2]
    zero, one = drive.dtype.type(0.0), drive.dtype.type(1.0)
    alpha, beta, a, b = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    spare_units, spare_values = np.empty(n_neurons, np.uint32), np.empty(n_neurons, drive.dtype)
    n_spikes = 0
    for clip in range(begin, end):
        r, w, v = state[0, clip - begin], state[1, clip - begin], injected[clip - begin]
        for step in range(first, last):
            u, s, d = membranes[clip, step], spikes[clip, step], drive[clip, step]
            for j in range(n_neurons):
                new = alpha[j] * r[j] + (one - alpha[j]) * (v[j] + d[j] - w[j])
                u[j] = zero if abs(new) < negligible else new
            if not symplectic and step:
                s_before = spikes[clip, step - 1]
                for j in range(n_neurons):
                    new = beta[j] * w[j] + a[j] * r[j] + b[j] * s_before[j]
                    w[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                over = u[j] - threshold
                s[j] = one if over > zero else (zero if over <= zero else over)
                v[j] = zero
            if to_zero:
                for j in range(n_neurons):
                    r[j] = u[j] * (one - s[j])
            else:
                for j in range(n_neurons):
                    r[j] = u[j] - threshold * s[j]
            if symplectic:
                for j in range(n_neurons):
                    new = beta[j] * w[j] + a[j] * r[j] + b[j] * s[j]
                    w[j] = zero if abs(new) < negligible else new
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
def adlif_backward(
    membranes: Array, grad_spikes: Array, recurrent: Array, coefficients: Array, threshold: float, to_zero: bool,
    detached: bool, symplectic: bool, shape: int, scale: float, height: float, negligible: float, begin: int,
    end: int, first: int, last: int, state: Array, grad_step: Array, grad_drive: Array, sums: Array,
) -> None:  # fmt: skip
    """Run the steps backward, from `last` - 1 down to `first`.

    Carried from step to step: `state` (3, clip, neuron), holding gu, gw and h. `recurrent` (clip, neuron) is
    (1 - alpha) gu V^T of the step after; unless it is empty, only one step may be run. Filled: `grad_drive`, and
    `grad_step` (clip, neuron) with its last step. The coefficients' gradients are added to `sums` (4, neuron) unless it
    is empty; the caller still has to divide that of alpha by 1 - alpha.
    """
    n_neurons = membranes.shape[2]
    zero, one = membranes.dtype.type(0.0), membranes.dtype.type(1.0)
    alpha, beta, a, b = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    local = np.empty((6, n_neurons), membranes.dtype)
    x, s, r, derivative, coupled, waiting = local[0], local[1], local[2], local[3], local[4], local[5]
    part = np.zeros((4, n_neurons), membranes.dtype)
    of_alpha, of_beta, of_a, of_b = part[0], part[1], part[2], part[3]
    for clip in range(begin, end):
        gu, gw, h = state[0, clip - begin], state[1, clip - begin], state[2, clip - begin]
        out_step = grad_step[clip - begin]
        for step in range(last - 1, first - 1, -1):
            u, g, out = membranes[clip, step], grad_spikes[clip, step], grad_drive[clip, step]
            if clip + 1 < end:
                fetch_ahead(membranes[clip + 1, step])
                fetch_ahead(grad_spikes[clip + 1, step])
                fetch_ahead(grad_drive[clip + 1, step])
            for j in range(n_neurons):
                over = u[j] - threshold
                x[j] = over
                s[j] = one if over > zero else (zero if over <= zero else over)
            surrogate_row(x, shape, scale, height, derivative)
            if not symplectic:  # meets gw and h of the step after
                for j in range(n_neurons):
                    coupled[j] = gw[j]
                    waiting[j] = h[j]
            for j in range(n_neurons):
                old = gw[j]
                new_h = old + beta[j] * h[j]
                new = beta[j] * old - (one - alpha[j]) * gu[j]
                h[j] = zero if abs(new_h) < negligible else new_h
                gw[j] = zero if abs(new) < negligible else new
            met, met_h = (gw, h) if symplectic else (coupled, waiting)
            if sums.size:
                if to_zero:
                    for j in range(n_neurons):
                        r[j] = u[j] * (one - s[j])
                else:
                    for j in range(n_neurons):
                        r[j] = u[j] - threshold * s[j]
                if step + 1 < membranes.shape[1]:
                    u_after = membranes[clip, step + 1]
                    for j in range(n_neurons):
                        of_alpha[j] += gu[j] * (r[j] - u_after[j])
                for j in range(n_neurons):
                    of_beta[j] += (a[j] * r[j] + b[j] * s[j]) * met_h[j]
                for j in range(n_neurons):
                    of_a[j] += met[j] * r[j]
                    of_b[j] += met[j] * s[j]
            if recurrent.size:
                more = recurrent[clip - begin]
                for j in range(n_neurons):
                    x[j] = g[j] + more[j] + b[j] * met[j]
            else:
                for j in range(n_neurons):
                    x[j] = g[j] + b[j] * met[j]
            for j in range(n_neurons):
                gu[j] = alpha[j] * gu[j] + a[j] * met[j]
            if not detached:
                if to_zero:
                    for j in range(n_neurons):
                        x[j] -= u[j] * gu[j]
                else:
                    for j in range(n_neurons):
                        x[j] -= threshold * gu[j]
            if to_zero:
                for j in range(n_neurons):
                    new = gu[j] * (one - s[j]) + derivative[j] * x[j]
                    gu[j] = zero if abs(new) < negligible else new
            else:
                for j in range(n_neurons):
                    new = gu[j] + derivative[j] * x[j]
                    gu[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                new = (one - alpha[j]) * gu[j]
                out[j] = new
                out_step[j] = new
            if sums.size and step == 0:
                for j in range(n_neurons):
                    of_alpha[j] -= gu[j] * u[j]
        if sums.size and (last - first > 1 or clip == end - 1):
            for k in range(4):
                for j in range(n_neurons):
                    sums[k, j] += part[k, j]
            part[:] = zero


def run_adlif(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    coefficients: AdLIFCoefficients,
    params: AdLIFParams,
    *,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of adaptive neurons that start from 0: `spikedata.nn.neurons.adlif_loop`, fused.

    Gradients reach the drive, the recurrent weight and the coefficients; there are no second derivatives.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    coefficients : AdLIFCoefficients
        Coefficients of each neuron; the decay of the membrane must be below 1.
    params : AdLIFParams
        Scheme, threshold, reset and surrogate.
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
        If the shapes do not match, or a membrane does not decay.

    Examples
    --------
    >>> import torch
    >>> coefficients = AdLIFCoefficients(*torch.tensor([[0.5], [0.9], [0.0], [2.0]]))
    >>> run_adlif(torch.full((1, 6, 1), 3.0), None, coefficients, AdLIFParams()).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    check_shapes(drive, recurrent_weight)
    check_delays(delay_kernel, drive, recurrent_weight)
    if delay_kernel is None and runs_in_triton(drive, recurrent=recurrent_weight is not None):
        from spikedata.nn.kernels.triton_adlif import run_adlif_triton  # only where there is triton

        return run_adlif_triton(drive, recurrent_weight, coefficients, params)
    if not is_fused(drive):
        return adlif_loop(drive, recurrent_weight, coefficients, params, delay_kernel=delay_kernel)
    _check_shapes(coefficients, drive.shape[2])
    return apply(_AdLIF, drive, recurrent_weight, delay_kernel, torch.stack(coefficients), params)


def _check_shapes(coefficients: AdLIFCoefficients, n_neurons: int) -> None:
    for name, values in zip(coefficients._fields, coefficients, strict=True):
        if values.shape != (n_neurons,):
            raise ValueError(f"coefficients.{name} must be ({n_neurons},), got {tuple(values.shape)}")


class _AdLIF(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        weight: Tensor | None,
        delay_kernel: Tensor | None,
        coefficients: Tensor,
        params: AdLIFParams,
    ) -> Tensor:
        if (coefficients[0] >= 1).any():
            raise ValueError(f"coefficients.membrane_decay must be < 1, got {coefficients[0].max().item()}")
        drive = drive.detach().contiguous()
        kept = _Kept(
            membranes=empty(tuple(drive.shape), drive.dtype),
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
        grad_drive = empty(tuple(kept.membranes.shape), kept.membranes.dtype)
        passed = kept, delays, ctx.params, grad_spikes, grad_drive, ctx.needs_input_grad[3]
        together = ctx.together
        parts = over_chunks(lambda begin, end: _backward(*passed, begin, end), len(grad_drive), together)
        sums = sum_in_order([part for part, _ in parts])
        grad_kernel = kernel_sum([part for _, part in parts], delays) if ctx.needs_input_grad[2] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(delays.of(kept.spikes), grad_drive, ctx.lists, together=together, delay=1)
        if not ctx.needs_input_grad[3]:
            return grad_drive, grad_weight, grad_kernel, None, None
        sums[0] /= 1.0 - kept.coefficients[0].double()
        return grad_drive, grad_weight, grad_kernel, sums.to(grad_drive.dtype), None


class _Kept(NamedTuple):
    """What the backward pass needs: two tensors (batch, step, neuron), the recurrent weight, and (4, neuron)."""

    membranes: Tensor
    spikes: Tensor
    weight: Tensor
    coefficients: Tensor


def _forward(
    drive: Tensor, kept: _Kept, delays: Delayed, params: AdLIFParams, begin: int, end: int
) -> SpikeLists | None:
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
        taken: Any = (*given, gathers, coefficients, *rules, *places, *filled, *lists, n_listed, *delays.arrays())
        return adlif_forward(*taken)

    through = delays.of(kept.spikes)

    def inject(step: int) -> None:
        torch.mm(through[begin:end, step], kept.weight, out=injected)

    step_by_density(go_on, inject, n_steps=n_steps, n_clips=end - begin, n_neurons=n_neurons)
    return lists if n_listed[0] >= 0 else None


def _backward(
    kept: _Kept,
    delays: Delayed,
    params: AdLIFParams,
    grad_spikes: Tensor,
    grad_drive: Tensor,
    sums_up: bool,
    begin: int,
    end: int,
) -> tuple[Tensor, Tensor | None]:
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
        return sums, None
    go_back(n_steps - 1, n_steps, nothing)
    transposed = kept.weight.t().contiguous()  # products with a contiguous copy are a fifth faster
    more, returning = recurrent.numpy(), returning_of(delays, end - begin)
    for step in range(n_steps - 2, -1, -1):
        torch.mm(grad_step, transposed, out=recurrent)
        go_back(step, step + 1, more if returning is None else returning.take(step, recurrent))
    return sums, None if returning is None else returning.of_kernel(kept.spikes, begin)
