"""LIF neurons with an adaptive threshold over all steps at once."""

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
from spikedata.nn.kernels.weights import lists_to_fill, weight_gradient
from spikedata.nn.neurons import ALIFParams, alif_loop


@compiled
def alif_forward(
    drive: Array, weight: Array, gathers: bool, alpha: float, rho: float, threshold: float, adaptation: float,
    refractory: float, negligible: float, begin: int, end: int, first: int, last: int, membrane: Array, state: Array,
    above: Array, spikes: Array, units: Array, values: Array, starts: Array, ends: Array, n_listed: Array,
    kernel: Array, bands: Array, sent: Array,
) -> int:  # fmt: skip
    """Run the steps from `first` up to `last`; return the number of spikes.

    Carried from step to step: `membrane` (clip, neuron), of the step to come but for its drive, and `state` (2, clip,
    neuron), the adaptation and the steps for which a neuron has to wait. Filled: `spikes` and `above`, the membrane
    minus its threshold, or minus infinity where a neuron is refractory. Recurrent input is gathered from `weight` if
    `gathers`. Spikes are also listed from position `n_listed`[0] on; when the lists are full, `n_listed`[0] becomes -1
    and nothing more is listed. With delays, see `recurrent_delays`, what is `sent` takes the place of the spikes.
    """
    n_neurons = drive.shape[2]
    zero, one, never = drive.dtype.type(0.0), drive.dtype.type(1.0), drive.dtype.type(-np.inf)
    spare_units, spare_values = np.empty(n_neurons, np.uint32), np.empty(n_neurons, drive.dtype)
    n_spikes = 0
    for clip in range(begin, end):
        v, a, w = membrane[clip - begin], state[0, clip - begin], state[1, clip - begin]
        for step in range(first, last):
            x, s, d = above[clip, step], spikes[clip, step], drive[clip, step]
            for j in range(n_neurons):
                v[j] += d[j]
            for j in range(n_neurons):
                x[j] = v[j] - threshold - adaptation * a[j]
            if refractory > zero:
                for j in range(n_neurons):
                    x[j] = never if w[j] > zero else x[j]
            for j in range(n_neurons):
                over = x[j]
                s[j] = one if over > zero else (zero if over <= zero else over)
            for j in range(n_neurons):
                new = alpha * v[j] - threshold * s[j]
                v[j] = zero if abs(new) < negligible else new
            if adaptation > zero:
                for j in range(n_neurons):
                    new = rho * a[j] + s[j]
                    a[j] = zero if abs(new) < negligible else new
            if refractory > zero:
                for j in range(n_neurons):
                    left = w[j] - one
                    left = zero if left < zero else left
                    w[j] = refractory if s[j] > zero else left
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
def alif_backward(
    above: Array, grad_spikes: Array, recurrent: Array, alpha: float, rho: float, threshold: float, adaptation: float,
    detached: bool, shape: int, scale: float, height: float, negligible: float, begin: int, end: int, first: int,
    last: int, grad_membrane: Array, grad_adaptation: Array, grad_drive: Array,
) -> None:  # fmt: skip
    """Run the steps backward, from `last` - 1 down to `first`, and fill `grad_drive`.

    Carried from step to step: `grad_membrane` and `grad_adaptation` (clip, neuron), gv and ga. `recurrent` (clip,
    neuron) is gv V^T of the step after; unless it is empty, only one step may be run. Of x, the membrane minus its
    threshold, gx[n] = psi[n] gs[n] with

        gs[n] = (what is given) + V gv[n+1] + ga[n+1] - threshold gv[n+1], the last unless the reset is detached
        gv[n] = alpha gv[n+1] + gx[n]
        ga[n] = rho ga[n+1] - adaptation gx[n]
    """
    n_neurons = above.shape[2]
    zero, never = above.dtype.type(0.0), above.dtype.type(-np.inf)
    derivative, total = np.empty(n_neurons, above.dtype), np.empty(n_neurons, above.dtype)
    for clip in range(begin, end):
        gv, ga = grad_membrane[clip - begin], grad_adaptation[clip - begin]
        for step in range(last - 1, first - 1, -1):
            x, g, out = above[clip, step], grad_spikes[clip, step], grad_drive[clip, step]
            if recurrent.size and clip + 1 < end:
                fetch_ahead(above[clip + 1, step])
                fetch_ahead(grad_spikes[clip + 1, step])
                fetch_ahead(grad_drive[clip + 1, step])
            surrogate_row(x, shape, scale, height, derivative)
            if recurrent.size:
                more = recurrent[clip - begin]
                for j in range(n_neurons):
                    total[j] = g[j] + more[j]
            else:
                for j in range(n_neurons):
                    total[j] = g[j]
            if not detached:
                for j in range(n_neurons):
                    total[j] -= threshold * gv[j]
            if adaptation > zero:
                for j in range(n_neurons):
                    total[j] += ga[j]
            for j in range(n_neurons):  # far from the threshold some surrogates are merely small
                total[j] = zero if x[j] == never else derivative[j] * total[j]
            if adaptation > zero:
                for j in range(n_neurons):
                    new = rho * ga[j] - adaptation * total[j]
                    ga[j] = zero if abs(new) < negligible else new
            for j in range(n_neurons):
                new = alpha * gv[j] + total[j]
                new = zero if abs(new) < negligible else new
                gv[j] = new
                out[j] = new


def run_alif(
    drive: Tensor,
    recurrent_weight: Tensor | None,
    params: ALIFParams,
    *,
    dt: float,
    delay_kernel: Tensor | None = None,
) -> Tensor:
    """Spikes of adaptive neurons that start from 0: `spikedata.nn.neurons.alif_loop`, fused on the CPU.

    Gradients reach the drive and the recurrent weight; there are no second derivatives. Besides its result, the
    backward pass needs one number for each neuron and step.

    Parameters
    ----------
    drive : Tensor, (batch, step, neuron)
        Input that the spikes of each step inject [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : ALIFParams
        Time constants, threshold, adaptation, refractory time and surrogate.
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
    >>> run_alif(torch.full((1, 6, 1), 0.7), None, ALIFParams(refractory=2e-3), dt=1e-3).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    """
    check_shapes(drive, recurrent_weight)
    check_delays(delay_kernel, drive, recurrent_weight)
    if not is_fused(drive):
        return alif_loop(drive, recurrent_weight, params, dt=dt, delay_kernel=delay_kernel)
    return apply(_ALIF, drive, recurrent_weight, delay_kernel, params, dt)


class _ALIF(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, drive: Tensor, weight: Tensor | None, delay_kernel: Tensor | None, params: ALIFParams, dt: float
    ) -> Tensor:
        drive = drive.detach().contiguous()
        kept = _Kept(
            above=empty(tuple(drive.shape), drive.dtype),
            spikes=empty(tuple(drive.shape), drive.dtype),
            weight=drive.new_empty(0, 0) if weight is None else weight.detach().contiguous(),
        )
        ctx.numbers = scalars(drive.dtype, *params.decays(dt), params.threshold, params.adaptation)
        ctx.together, delays = clips_together(len(drive)), delayed_of(delay_kernel, drive)
        numbers = *ctx.numbers, *scalars(drive.dtype, params.n_refractory(dt))
        ctx.lists = over_chunks(
            lambda begin, end: _forward(drive, kept, delays, numbers, begin, end), len(drive), ctx.together
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
            grad_weight = weight_gradient(through, grad_drive, ctx.lists, together=ctx.together, delay=1)
        return grad_drive, grad_weight, grad_kernel, None, None


class _Kept(NamedTuple):
    """What the backward pass needs: two tensors (batch, step, neuron), and the recurrent weight or nothing."""

    above: Tensor
    spikes: Tensor
    weight: Tensor


def _forward(
    drive: Tensor, kept: _Kept, delays: Delayed, numbers: tuple[Any, ...], begin: int, end: int
) -> SpikeLists | None:
    n_steps, n_neurons = drive.shape[1:]
    membrane = torch.zeros(end - begin, n_neurons, dtype=drive.dtype)
    state = torch.zeros(2, end - begin, n_neurons, dtype=drive.dtype)
    given = drive.numpy(), kept.weight.numpy()
    filled = membrane.numpy(), state.numpy(), kept.above.numpy(), kept.spikes.numpy()
    lists, n_listed = lists_to_fill(end - begin, n_steps, n_neurons, given[0].dtype, kept.weight)

    def go_on(first: int, last: int, gathers: bool) -> int:
        places = begin, end, first, last
        taken: Any = (
            *given,
            gathers,
            *numbers,
            negligible(drive.dtype),
            *places,
            *filled,
            *lists,
            n_listed,
            *delays.arrays(),
        )
        return alif_forward(*taken)

    through = delays.of(kept.spikes)

    def inject(step: int) -> None:
        membrane.addmm_(through[begin:end, step], kept.weight)

    step_by_density(go_on, inject, n_steps=n_steps, n_clips=end - begin, n_neurons=n_neurons)
    return lists if n_listed[0] >= 0 else None


def _backward(
    kept: _Kept,
    delays: Delayed,
    params: ALIFParams,
    numbers: tuple[Any, ...],
    grad_spikes: Tensor,
    grad_drive: Tensor,
    begin: int,
    end: int,
) -> Tensor | None:
    dtype = grad_drive.dtype
    n_steps, n_neurons = grad_drive.shape[1:]
    grad_membrane, grad_adaptation = torch.zeros(2, end - begin, n_neurons, dtype=dtype)
    rules = *numbers, params.detach_reset, *surrogate_numbers(params.surrogate, dtype), negligible(dtype)
    given = kept.above.numpy(), grad_spikes.numpy()
    filled = grad_membrane.numpy(), grad_adaptation.numpy(), grad_drive.numpy()

    def go_back(first: int, last: int, more: Any) -> None:
        taken: Any = (*given, more, *rules, begin, end, first, last, *filled)
        alif_backward(*taken)

    nothing = grad_drive.new_empty(0, 0).numpy()
    if not kept.weight.numel():
        go_back(0, n_steps, nothing)
        return None
    go_back(n_steps - 1, n_steps, nothing)
    recurrent, transposed = torch.empty_like(grad_membrane), kept.weight.t().contiguous()
    more, returning = recurrent.numpy(), returning_of(delays, end - begin)
    for step in range(n_steps - 2, -1, -1):
        torch.mm(grad_membrane, transposed, out=recurrent)
        go_back(step, step + 1, more if returning is None else returning.take(step, recurrent))
    return None if returning is None else returning.of_kernel(kept.spikes, begin)
