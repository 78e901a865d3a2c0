"""A step function that can be trained through: its derivative is replaced by a fast sigmoid's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def spike(membrane_minus_threshold: Tensor, slope: float) -> Tensor:
    """Spikes: 1 where a membrane is above its threshold, 0 elsewhere.

    Forward it is the step function (0 at exactly the threshold). Backward its derivative, zero almost
    everywhere, is replaced by that of the fast sigmoid, ``1 / (slope * |x| + 1)**2`` (SuperSpike: Zenke &
    Ganguli, Neural Computation 30:1514, 2018).

    Parameters
    ----------
    membrane_minus_threshold : Tensor, any shape
        How far each membrane is above its threshold [1].
    slope : float
        Steepness of the surrogate [1]: the larger, the closer to the threshold a membrane must be to learn.

    Returns
    -------
    Tensor, same shape, dtype and device
        0 or 1.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
    >>> spikes = spike(x, slope=2.0)
    >>> spikes.tolist()
    [0.0, 0.0, 1.0]
    >>> spikes.sum().backward()
    >>> x.grad.tolist()
    [0.25, 1.0, 0.25]
    """
    return _Spike.apply(membrane_minus_threshold, slope)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, membrane_minus_threshold: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(membrane_minus_threshold)
        ctx.slope = slope
        return (membrane_minus_threshold > 0).to(membrane_minus_threshold.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (membrane_minus_threshold,) = ctx.saved_tensors
        widened = membrane_minus_threshold.abs().mul_(ctx.slope).add_(1.0).square_()
        return gradients[0] / widened, None
