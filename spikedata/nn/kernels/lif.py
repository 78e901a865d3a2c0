"""Current-based LIF neurons over all steps at once."""

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
from spikedata.nn.kernels.weights import lists_to_fill, weight_gradient
from spikedata.nn.neurons import LIFParams, lif_loop


@compiled
def lif_forward(
    drive: Array, weight: Array, gathers: bool, alpha: float, beta: float, threshold: float, to_zero: bool,
    negligible: float, begin: int, end: int, first: int, last: int, current: Array, membrane: Array, above: Array,
    decayed: Array, spikes: Array, units: Array, values: Array, starts: Array, ends: Array, n_listed: Array,
    kernel: Array, bands: Array, sent: Array,
) -> int:  # fmt: skip
    """Run the steps from `first` up to `last`; return the number of spikes.

    Carried from step to step: `current` and `membrane` (clip, neuron). Filled: `above` (membrane minus threshold),
    `spikes` and, unless it is empty, `decayed` (beta U + I). Recurrent input is gathered from `weight` if `gathers`.
    Spikes are also listed from position `n_listed`[0] on; when the lists are full, `n_listed`[0] becomes -1 and nothing
    more is listed.
    With delays, see `recurrent_delays`, what is `sent` takes the place of the spikes.
    """
    n_neurons = drive.shape[2]
    zero, one = drive.dtype.type(0.0), drive.dtype.type(1.0)
    spare_units, spare_values = np.empty(n_neurons, np.uint32), np.empty(n_neurons, drive.dtype)
    n_spikes = 0
    for clip in range(begin, end):
        i, u = current[clip - begin], membrane[clip - begin]
        for step in range(first, last):
            x, s, d = above[clip, step], spikes[clip, step], drive[clip, step]
            for j in range(n_neurons):
                over = u[j] - threshold
                x[j] = over
                s[j] = one if over > zero else (zero if over <= zero else over)
            if decayed.size:
                kept = decayed[clip, step]
                for j in range(n_neurons):
                    kept[j] = beta * u[j] + i[j]
            if to_zero:
                for j in range(n_neurons):
                    new = (beta * u[j] + i[j]) * (one - s[j])
                    u[j] = zero if abs(new) < negligible else new
            else:
                for j in range(n_neurons):
                    new = beta * u[j] + i[j] - threshold * s[j]
                    u[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                new = alpha * i[j] + d[j]
                i[j] = zero if abs(new) < negligible else new
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
                        add_rows(weight, units, values, place, place + n_active, i)
                else:
                    n_active = list_active(through, spare_units, spare_values)
                    if gathers:
                        add_rows(weight, spare_units, spare_values, 0, n_active, i)
                n_spikes += n_active
    return n_spikes


@compiled
def lif_backward(
    above: Array, decayed: Array, grad_spikes: Array, recurrent: Array, alpha: float, beta: float, threshold: float,
    to_zero: bool, detached: bool, shape: int, scale: float, height: float, negligible: float, begin: int, end: int,
    first: int, last: int, grad_current: Array, grad_membrane: Array, grad_drive: Array,
) -> None:  # fmt: skip
    """Run the steps backward, from `last` - 1 down to `first`, and fill `grad_drive`.

    Carried from step to step: `grad_current` and `grad_membrane` (clip, neuron). `recurrent` (clip, neuron) is gI V^T;
    unless it is empty, only one step may be run.
    """
    n_neurons = above.shape[2]
    zero = above.dtype.type(0.0)
    derivative, through_reset = np.empty(n_neurons, above.dtype), np.empty(n_neurons, above.dtype)
    for clip in range(begin, end):
        gi, gu = grad_current[clip - begin], grad_membrane[clip - begin]
        for step in range(last - 1, first - 1, -1):
            x, g, out = above[clip, step], grad_spikes[clip, step], grad_drive[clip, step]
            if recurrent.size and clip + 1 < end:
                fetch_ahead(above[clip + 1, step])
                fetch_ahead(grad_spikes[clip + 1, step])
                fetch_ahead(grad_drive[clip + 1, step])
            surrogate_row(x, shape, scale, height, derivative)
            if not detached:
                if to_zero:
                    u = decayed[clip, step]
                    for j in range(n_neurons):
                        through_reset[j] = derivative[j] * u[j] * gu[j]
                else:
                    for j in range(n_neurons):
                        through_reset[j] = derivative[j] * threshold * gu[j]
            if to_zero:
                for j in range(n_neurons):
                    kept = gu[j]
                    gu[j] = zero if x[j] > zero else kept
            for j in range(n_neurons):
                old = gi[j]
                out[j] = old
                new = alpha * old + gu[j]
                gi[j] = zero if abs(new) < negligible else new
            if recurrent.size:
                more = recurrent[clip - begin]
                for j in range(n_neurons):
                    new = beta * gu[j] + derivative[j] * (g[j] + more[j])
                    gu[j] = zero if abs(new) < negligible else new
            else:
                for j in range(n_neurons):
                    new = beta * gu[j] + derivative[j] * g[j]
                    gu[j] = zero if abs(new) < negligible else new
            if not detached:
                for j in range(n_neurons):
                    gu[j] -= through_reset[j]


def run_lif(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    params: LIFParams,
    *,
    dt: float,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of LIF neurons that start at rest: `spikedata.nn.neurons.lif_loop`, fused.

    Gradients reach the drive and the recurrent weight; there are no second derivatives.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : LIFParams
        Time constants, threshold, reset and surrogate.
    dt : float
        Length of a step [s].
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
    >>> run_lif(torch.full((1, 5, 1), 0.6), None, LIFParams(), dt=2e-3).flatten().tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0]
    """
    check_shapes(drive, recurrent_weight)
    check_delays(delay_kernel, drive, recurrent_weight)
    if delay_kernel is None and runs_in_triton(drive, recurrent=recurrent_weight is not None):
        from spikedata.nn.kernels.triton_lif import run_lif_triton  # only where there is triton

        return run_lif_triton(drive, recurrent_weight, params, dt=dt)
    if not is_fused(drive):
        return lif_loop(drive, recurrent_weight, params, dt=dt, delay_kernel=delay_kernel)
    return apply(_LIF, drive, recurrent_weight, delay_kernel, params, dt)


class _LIF(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, drive: Tensor, weight: Tensor | None, delay_kernel: Tensor | None, params: LIFParams, dt: float
    ) -> Tensor:
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
        ctx.together, delays = clips_together(len(drive)), delayed_of(delay_kernel, drive)
        ctx.lists = over_chunks(
            lambda begin, end: _forward(drive, kept, delays, params, ctx.numbers, begin, end), len(drive), ctx.together
        )
        ctx.save_for_backward(*kept, *delays)
        ctx.params = params
        return kept.spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        kept, delays = _Kept(*ctx.saved_tensors[:-3]), Delayed(*ctx.saved_tensors[-3:])
        grad_spikes = gradients[0].contiguous()
        grad_drive = empty(tuple(kept.above.shape), kept.above.dtype)
        passed = kept, delays, ctx.params, ctx.numbers, grad_spikes, grad_drive
        parts = over_chunks(lambda begin, end: _backward(*passed, begin, end), len(grad_drive), ctx.together)
        grad_kernel = kernel_sum(parts, delays) if ctx.needs_input_grad[2] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            through = delays.of(kept.spikes)
            grad_weight = weight_gradient(through, grad_drive, ctx.lists, together=ctx.together)
        return grad_drive, grad_weight, grad_kernel, None, None


class _Kept(NamedTuple):
    """What the backward pass needs: tensors (batch, step, neuron) and the recurrent weight; empty if not needed."""

    above: Tensor
    decayed: Tensor
    spikes: Tensor
    weight: Tensor


def _forward(
    drive: Tensor, kept: _Kept, delays: Delayed, params: LIFParams, numbers: tuple[Any, ...], begin: int, end: int
) -> SpikeLists | None:
    n_steps, n_neurons = drive.shape[1:]
    current, membrane = torch.zeros(2, end - begin, n_neurons, dtype=drive.dtype)
    state = current.numpy(), membrane.numpy()
    given, filled = (drive.numpy(), kept.weight.numpy()), [tensor.numpy() for tensor in kept[:3]]
    rules = *numbers, params.reset == "zero", negligible(drive.dtype)
    lists, n_listed = lists_to_fill(end - begin, n_steps, n_neurons, given[0].dtype, kept.weight)

    def go_on(first: int, last: int, gathers: bool) -> int:
        places = begin, end, first, last
        taken: Any = (*given, gathers, *rules, *places, *state, *filled, *lists, n_listed, *delays.arrays())
        return lif_forward(*taken)

    through = delays.of(kept.spikes)

    def inject(step: int) -> None:
        current.addmm_(through[begin:end, step], kept.weight)

    step_by_density(go_on, inject, n_steps=n_steps, n_clips=end - begin, n_neurons=n_neurons)
    return lists if n_listed[0] >= 0 else None


def _backward(
    kept: _Kept,
    delays: Delayed,
    params: LIFParams,
    numbers: tuple[Any, ...],
    grad_spikes: Tensor,
    grad_drive: Tensor,
    begin: int,
    end: int,
) -> Tensor | None:
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
        return None
    go_back(n_steps - 1, n_steps, nothing)
    recurrent, transposed = torch.empty_like(grad_current), kept.weight.t().contiguous()
    more, returning = recurrent.numpy(), returning_of(delays, end - begin)
    for step in range(n_steps - 2, -1, -1):
        torch.mm(grad_current, transposed, out=recurrent)
        go_back(step, step + 1, more if returning is None else returning.take(step, recurrent))
    return None if returning is None else returning.of_kernel(kept.spikes, begin)
