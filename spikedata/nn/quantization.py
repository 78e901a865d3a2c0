"""Weights in eight bits: whole numbers from -127 to 127 and a scale for each neuron that they lead to.

With w the weights (from, to) of a layer and one scale s for each column,

    q[i, j] = round(w[i, j] / s[j]),    s[j] = max_i |w[i, j]| / 127

so that no weight is off by more than half a scale (symmetric quantization by output channel, as in Jacob et al., CVPR
2018). Vectors, such as biases and time constants, are few and stay as they are. A network computes with the weights
that `dequantize` gives back.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_SCALE = ".scale"
_LARGEST = 127  # so that the range is symmetric


def quantize(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a network with every matrix in eight bits.

    Parameters
    ----------
    weights : mapping of str to Tensor
        As ``network.state_dict()`` gives them; matrices are (from, to).

    Returns
    -------
    dict of str to Tensor
        For each matrix, one of int8 by its name and its scales (to,) of float32 as "NAME.scale"; all else unchanged.

    Raises
    ------
    ValueError
        If a matrix has a weight that is not finite.

    Examples
    --------
    >>> stored = quantize({"weight": torch.tensor([[1.0, 0.0], [-0.5, 0.0]])})
    >>> stored["weight"].tolist()
    [[127, 0], [-64, 0]]
    """
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.ndim != 2 or not weight.is_floating_point():
            stored[name] = weight
            continue
        if not torch.isfinite(weight).all():
            raise ValueError(f"{name} must be finite to be quantized")
        scale = weight.abs().amax(dim=0) / _LARGEST
        # a neuron without a weight has scale 0, and 0 / 0 would be no number
        stored[name] = torch.round(weight / torch.where(scale > 0, scale, 1.0)).to(torch.int8)
        stored[name + _SCALE] = scale.to(torch.float32)
    return stored


def dequantize(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that `quantize` stored, in float32; weights that never were quantized are left as they are.

    Parameters
    ----------
    stored : mapping of str to Tensor
        From `quantize`, or weights.

    Examples
    --------
    >>> dequantize(quantize({"weight": torch.tensor([[1.0, 0.0], [-0.5, 0.0]])}))["weight"].round(decimals=2).tolist()
    [[1.0, 0.0], [-0.5, 0.0]]
    """
    return {
        name: tensor.to(torch.float32) * stored[name + _SCALE] if name + _SCALE in stored else tensor
        for name, tensor in stored.items()
        if not (name.endswith(_SCALE) and name.removesuffix(_SCALE) in stored)
    }
