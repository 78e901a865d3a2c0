"""Compiled passes of leaky integrators over the clips from `begin` to `end`; alpha below 0 stands for no synapse."""

import numpy as np

from spikedata.compilation import Array, compiled


@compiled
def integrate(
    drive: Array, membranes: Array, alpha: float, beta: float, negligible: float, begin: int, end: int,
) -> None:  # fmt: skip
    """Fill `membranes` by the equations of `spikedata.baseline.neurons.integrator`."""
    zero, one = drive.dtype.type(0.0), drive.dtype.type(1.0)
    current, membrane = np.empty(drive.shape[2], drive.dtype), np.empty(drive.shape[2], drive.dtype)
    for clip in range(begin, end):
        current[:] = zero
        membrane[:] = zero
        for step in range(drive.shape[1]):
            d, out = drive[clip, step], membranes[clip, step]
            if alpha < zero:
                for j in range(d.size):
                    u = beta * membrane[j] + (one - beta) * d[j]
                    membrane[j] = zero if abs(u) < negligible else u
                out[:] = membrane
            else:
                out[:] = membrane
                for j in range(d.size):
                    u = beta * membrane[j] + current[j]
                    membrane[j] = zero if abs(u) < negligible else u
                for j in range(d.size):
                    i = alpha * current[j] + d[j]
                    current[j] = zero if abs(i) < negligible else i


@compiled
def integrate_back(
    gradient: Array, grad_drive: Array, alpha: float, beta: float, negligible: float, begin: int, end: int,
) -> None:  # fmt: skip
    """Fill `grad_drive`: the same filter, from the last step to the first."""
    zero, one = gradient.dtype.type(0.0), gradient.dtype.type(1.0)
    current, membrane = np.empty(gradient.shape[2], gradient.dtype), np.empty(gradient.shape[2], gradient.dtype)
    for clip in range(begin, end):
        current[:] = zero
        membrane[:] = zero
        for step in range(gradient.shape[1] - 1, -1, -1):
            g, out = gradient[clip, step], grad_drive[clip, step]
            if alpha >= zero:
                out[:] = current
                for j in range(g.size):
                    i = alpha * current[j] + membrane[j]
                    current[j] = zero if abs(i) < negligible else i
            for j in range(g.size):
                u = beta * membrane[j] + g[j]
                membrane[j] = zero if abs(u) < negligible else u
            if alpha < zero:
                for j in range(g.size):
                    out[j] = (one - beta) * membrane[j]
