"""Compiled passes of current-based LIF neurons over the steps of some clips, forward and backward.

The equations are those of `spikedata.baseline.neurons.lif`. Backward, with gI, gU, gS the gradients of what enters
step n and f the derivative of the surrogate::

    gS[n] = gradient of the spikes + gI[n+1] V^T - threshold gU[n+1]
    gU[n] = beta gU[n+1] + f(U[n] - threshold) gS[n]
    gI[n] = alpha gI[n+1] + gU[n+1],      gradient of the drive = gI[n+1]

The last term of gS only where the reset is not detached. With reset "zero" it is -(beta U[n] + I[n]) gU[n+1], and
gU[n+1] times (1 - S[n]) elsewhere on the right.
"""

import numpy as np

from spikedata.baseline.kernels.prefetch import fetch_ahead
from spikedata.baseline.kernels.rows import add_rows, list_active, surrogate_row
from spikedata.compilation import Array, compiled


@compiled
def lif_forward(
    drive: Array, weight: Array, gathers: bool, alpha: float, beta: float, threshold: float, to_zero: bool,
    negligible: float, begin: int, end: int, first: int, last: int, current: Array, membrane: Array, above: Array,
    decayed: Array, spikes: Array, units: Array, values: Array, starts: Array, ends: Array, n_listed: Array,
) -> int:  # fmt: skip
    """Go from step `first` to `last`; return how many spikes there were.

    `current` and `membrane` (clip, neuron) are carried along. `above` (membrane minus threshold), `spikes` and, where
    it has a size, `decayed` (beta U + I) are filled. What spikes inject is gathered from `weight` where `gathers`.
    Spikes are listed from place `n_listed`[0] on; it becomes -1, and they are listed no more, where room runs out.
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
                if n_listed[0] + n_neurons > units.size:  # from here on they are not kept
                    n_listed[0] = -1
                if n_listed[0] >= 0:
                    place = n_listed[0]
                    n_active = list_active(s, units[place:], values[place:])
                    starts[clip - begin, step], ends[clip - begin, step] = place, place + n_active
                    n_listed[0] += n_active
                    if gathers:
                        add_rows(weight, units, values, place, place + n_active, i)
                else:
                    n_active = list_active(s, spare_units, spare_values)
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
    """Go from step `last` - 1 back to `first`; `grad_current` and `grad_membrane` (clip, neuron) are carried along.

    `recurrent` (clip, neuron) is gI V^T; where it has a size, there must be only one step.
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
