"""Compiled passes of adaptive LIF neurons over the steps of some clips, forward and backward.

The equations are those of `spikedata.baseline.neurons.adlif`. Backward, with g the gradient of what its index says, f
the derivative of the surrogate and k the step at which the adaptation meets r[t] and s[t] (t for "symplectic", t + 1
for "euler")::

    gw[t] = beta gw[t+1] - (1 - alpha) gu[t+1]
    gr[t] = alpha gu[t+1] + a gw[k]
    gs[t] = gradient of the spikes + (1 - alpha) gu[t+1] V^T + b gw[k] - threshold gr[t]
    gu[t] = gr[t] + f(u[t] - threshold) gs[t],      gradient of the drive = (1 - alpha) gu[t]

The last term of gs only where the reset is not detached; with reset "zero" it is -u[t] gr[t], and gr[t] times
(1 - s[t]) in gu[t]. The coefficients' gradients are sums over t of gw[k] r[t] (of a), gw[k] s[t] (of b),
gu[t] (r[t-1] - c[t]) (of alpha, where c[t] is the current that u[t] was driven by, so that (1 - alpha) (r[t-1] - c[t])
is r[t-1] - u[t]) and gw[t] w[t-1] (of beta). The last would need all w; with h[t] = gw[t+1] + beta h[t+1] it is the sum
of (a r[t] + b s[t]) h[k].
"""

import numpy as np

from spikedata.baseline.kernels.prefetch import fetch_ahead
from spikedata.baseline.kernels.rows import add_rows, list_active, surrogate_row
from spikedata.compilation import Array, compiled


@compiled
def adlif_forward(
    drive: Array, weight: Array, gathers: bool, coefficients: Array, threshold: float, to_zero: bool,
    symplectic: bool, negligible: float, begin: int, end: int, first: int, last: int, state: Array, injected: Array,
    membranes: Array, spikes: Array, units: Array, values: Array, starts: Array, ends: Array, n_listed: Array,
) -> int:  # fmt: skip
    """Go from step `first` to `last`; return how many spikes there were.

    `state` (membrane after its reset and adaptation; clip; neuron) and `injected` (clip, neuron), what the spikes of
    the step before inject, are carried along; the latter is gathered from `weight` where `gathers`. `membranes` (before
    their reset) and `spikes` are filled. Spikes are listed from place `n_listed`[0] on; it becomes -1, and they are
    listed no more, where room runs out.
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
                if n_listed[0] + n_neurons > units.size:  # from here on they are not kept
                    n_listed[0] = -1
                if n_listed[0] >= 0:
                    place = n_listed[0]
                    n_active = list_active(s, units[place:], values[place:])
                    starts[clip - begin, step], ends[clip - begin, step] = place, place + n_active
                    n_listed[0] += n_active
                    if gathers:
                        add_rows(weight, units, values, place, place + n_active, v)
                else:
                    n_active = list_active(s, spare_units, spare_values)
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
    """Go from step `last` - 1 back to `first`.

    `state` (gu, gw and h; clip; neuron) is carried along. `recurrent` (clip, neuron) is (1 - alpha) gu V^T of the step
    after; where it has a size there must be only one step. `grad_drive` is filled, `grad_step` (clip, neuron) too with
    the same of the last step done. To `sums` (4, neuron), where it has a size, the coefficients' gradients are added;
    that of alpha is still to be divided by 1 - alpha.
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
