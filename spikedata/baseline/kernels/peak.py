"""The largest value over time, and its gradient, in one pass each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.baseline.kernels.arguments import is_fused
from spikedata.baseline.kernels.chunks import over_chunks
from spikedata.baseline.kernels.memory import empty
from spikedata.baseline.kernels.peak_passes import find_peaks, share_among_peaks


def max_over_time(values: Tensor) -> Tensor:
    """The largest over the steps: ``values.amax(dim=1)``, in one pass on the CPU, and with its gradient.

    Where several steps hold it, as where nothing happened, they share the gradient in equal parts. It goes back once.

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
    if not is_fused(values) or not values.numel():
        return values.amax(dim=1)
    peaks: Tensor = _Peak.apply(values)
    return peaks


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
