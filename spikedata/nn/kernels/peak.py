"""The largest value over time and its gradient, each in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import is_fused
from spikedata.nn.kernels.chunks import over_chunks
from spikedata.nn.kernels.memory import empty
from spikedata.nn.kernels.tracing import apply


@compiled
def find_peaks(values: Array, peaks: Array, begin: int, end: int) -> None:
    """Fill `peaks` (clip, class) with the largest of `values` (clip, step, class), or NaN if one is NaN."""
    for clip in range(begin, end):
        peak = peaks[clip]
        for j in range(peak.size):
            peak[j] = values[clip, 0, j]
        for step in range(1, values.shape[1]):
            x = values[clip, step]
            for j in range(peak.size):
                peak[j] = x[j] if x[j] > peak[j] or x[j] != x[j] else peak[j]  # NaN stays NaN


@compiled
def share_among_peaks(values: Array, peaks: Array, gradient: Array, shared: Array, begin: int, end: int) -> None:
    """Fill `shared` (clip, step, class) with the `gradient` of the peaks, in equal parts among tied steps."""
    zero, one = values.dtype.type(0.0), values.dtype.type(1.0)
    part = np.empty(values.shape[2], values.dtype)
    for clip in range(begin, end):
        peak = peaks[clip]
        part[:] = zero
        for step in range(values.shape[1]):
            x = values[clip, step]
            for j in range(part.size):
                part[j] += one if x[j] == peak[j] else zero
        for j in range(part.size):
            part[j] = gradient[clip, j] / part[j]
        for step in range(values.shape[1]):
            x, out = values[clip, step], shared[clip, step]
            for j in range(part.size):
                out[j] = part[j] if x[j] == peak[j] else zero


def max_over_time(values: Tensor) -> Tensor:
    """The largest value over the steps, ``values.amax(dim=1)``, in one pass on the CPU.

    Steps that tie, as all do in a silent readout, share the gradient in equal parts. There are no second derivatives.

    Parameters
    ----------
    values : Tensor, (batch, step, class)
        At least one step.

    Returns
    -------
    Tensor, (batch, class)

    Examples
    --------
    >>> import torch
    >>> max_over_time(torch.tensor([[[0.0, 3.0], [2.0, 1.0]]])).tolist()
    [[2.0, 3.0]]
    """
    if not is_fused(values):
        return values.amax(dim=1)
    return apply(_Peak, values)


class _Peak(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        values = values.detach().contiguous()
        peaks = values.new_empty(values.shape[0], values.shape[2])
        arrays = values.numpy(), peaks.numpy()
        over_chunks(lambda begin, end: find_peaks(*arrays, begin, end), len(values))
        ctx.save_for_backward(values, peaks)
        return peaks

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        values, peaks = ctx.saved_tensors
        shared = empty(tuple(values.shape), values.dtype)
        seen, highest, gradient, filled = (t.numpy() for t in (values, peaks, gradients[0].contiguous(), shared))
        over_chunks(lambda begin, end: share_among_peaks(seen, highest, gradient, filled, begin, end), len(values))
        return shared
