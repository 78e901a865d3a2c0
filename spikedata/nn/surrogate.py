"""A step function that gradients can pass: a surrogate takes the place of its derivative, which is zero.

The surrogate derivative is ``height * f(scale * x)``, with x the membrane minus its threshold and f(0) = 1:

========== ============================ =====================================================================
shape      f(z)                         from
========== ============================ =====================================================================
superspike 1 / (1 + abs(z))**2          Zenke & Ganguli, Neural Computation 30:1514 (2018)
sigmoid    4 s(z) (1 - s(z))            derivative of s(z) = 1 / (1 + exp(-z)); Zenke & Vogels (2021)
triangle   max(0, 1 - abs(z))           Bellec et al., NeurIPS 31 (2018); Esser et al., PNAS 113:11441 (2016)
boxcar     1 where abs(z) <= 1, else 0  Kaiser, Mostafa & Neftci, Frontiers in Neuroscience 14:424 (2020)
arctan     1 / (1 + z**2)               Fang et al., ICCV (2021)
slayer     exp(-abs(z))                 Shrestha & Orchard, NeurIPS 31 (2018)
========== ============================ =====================================================================

The shape hardly matters for learning, but the scale does: Zenke & Vogels, Neural Computation 33:899 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from spikedata.checks import OneOf, Positive, check_fields

SHAPES = ("superspike", "sigmoid", "triangle", "boxcar", "arctan", "slayer")


@dataclass(frozen=True, kw_only=True)
class SurrogateParams:
    """Shape, scale and height of a surrogate derivative.

    Parameters
    ----------
    shape : str
        One of ``SHAPES`` [1].
    scale : float
        Steepness [1]: the larger it is, the closer to its threshold a membrane must be to get a gradient.
    height : float
        Derivative at the threshold [1].

    Raises
    ------
    ValueError
        If there is no such shape, or a number is not positive and finite.
    """

    shape: Annotated[str, OneOf(SHAPES)] = "superspike"
    scale: Positive = 5.0
    height: Positive = 1.0

    def __post_init__(self) -> None:
        check_fields(self)


def spike(membrane_minus_threshold: Tensor, params: SurrogateParams) -> Tensor:
    """Spikes: 1 where a membrane is above its threshold, 0 elsewhere; NaN stays NaN.

    The forward pass is the step function, 0 at exactly the threshold. The backward pass replaces its derivative, which
    is zero almost everywhere, by the surrogate.

    Parameters
    ----------
    membrane_minus_threshold : Tensor, any shape
        How far each membrane is above its threshold [1].
    params : SurrogateParams
        Derivative to use in the backward pass.

    Returns
    -------
    Tensor, same shape, dtype and device
        0 or 1.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
    >>> spikes = spike(x, SurrogateParams(shape="superspike", scale=2.0))
    >>> spikes.tolist()
    [0.0, 0.0, 1.0]
    >>> spikes.sum().backward()
    >>> x.grad.tolist()
    [0.25, 1.0, 0.25]
    """
    spikes: Tensor = _Spike.apply(membrane_minus_threshold, params)
    return spikes


def surrogate_derivative(membrane_minus_threshold: Tensor, params: SurrogateParams) -> Tensor:
    """The derivative that `spike` uses in its backward pass.

    Parameters
    ----------
    membrane_minus_threshold : Tensor, any shape
        How far each membrane is above its threshold [1].
    params : SurrogateParams
        Shape, scale and height.

    Returns
    -------
    Tensor, same shape, dtype and device
        The derivative [1].

    Examples
    --------
    >>> import torch
    >>> surrogate_derivative(torch.tensor([-1.0, 0.0, 0.25]), SurrogateParams(shape="triangle", scale=2.0)).tolist()
    [0.0, 1.0, 0.5]
    """
    distance = membrane_minus_threshold.abs() * params.scale
    match params.shape:
        case "superspike":
            derivative = (distance + 1.0).square_().reciprocal_()
        case "sigmoid":
            decayed = torch.exp(-distance)
            derivative = 4.0 * decayed / (1.0 + decayed).square_()
        case "triangle":
            derivative = (1.0 - distance).clamp(min=0.0)  # vmap has no rule for clamp_
        case "boxcar":
            derivative = (distance <= 1.0).to(distance.dtype)
        case "arctan":
            derivative = (distance.square_() + 1.0).reciprocal_()
        case "slayer":
            derivative = torch.exp(-distance)
        case _:
            raise ValueError(f"no surrogate {params.shape!r}; there are: {', '.join(SHAPES)}")
    return derivative if params.height == 1.0 else derivative * params.height


class _Spike(torch.autograd.Function):
    generate_vmap_rule = True  # for torch.func

    @staticmethod
    def forward(membrane_minus_threshold: Tensor, params: SurrogateParams) -> Tensor:
        fired = (membrane_minus_threshold > 0).to(membrane_minus_threshold.dtype)
        return torch.where(membrane_minus_threshold.isnan(), membrane_minus_threshold, fired)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, SurrogateParams], output: Tensor) -> None:
        membrane_minus_threshold, ctx.params = inputs
        ctx.save_for_backward(membrane_minus_threshold)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (membrane_minus_threshold,) = ctx.saved_tensors
        return gradients[0] * surrogate_derivative(membrane_minus_threshold, ctx.params), None
