"""Weights in few bits: whole numbers and a scale for each neuron that they lead to.

With w the weights (from, to) of a layer, b bits and one scale s for each column,

    q[i, j] = round(w[i, j] / s[j]) within -m .. m,    m = 2**(b - 1) - 1

(symmetric quantization by output channel, as in Jacob et al., CVPR 2018). With the scale "largest", s[j] is
max_i |w[i, j]| / m, so that no weight is off by more than half a scale. With "least_squares" it is that part of it,
from 1 down to 0.2, whose weights are off by the least sum of squares: the largest ones are cut off, which pays where
there are few levels (Banner, Nahshan & Soudry, NeurIPS 2019). Vectors, such as biases and time constants, are few and
stay as they are, and so do learned delays, which count steps. A network computes with the weights that `dequantize`
gives back.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spikedata.checks import whole_number

#: The fewest and the most bits of a weight.
BITS = (2, 8)
#: How the scale of a neuron is found.
SCALES = ("largest", "least_squares")
_SCALE = ".scale"
_DELAYS = "delays.steps"
_N_PARTS = 41  # of the largest weight that "least_squares" tries


def quantize(weights: Mapping[str, Tensor], *, bits: int = 8, scale: str = "largest") -> dict[str, Tensor]:
    """The weights of a network with every matrix in a few bits.

    Parameters
    ----------
    weights : mapping of str to Tensor
        As ``network.state_dict()`` gives them; matrices are (from, to).
    bits : int
        Of each weight, from 2 to 8 [1].
    scale : str
        "largest" or "least_squares" [1].

    Returns
    -------
    dict of str to Tensor
        For each matrix, one of int8 by its name, also where the numbers have fewer bits, and its scales (to,) of
        float32 as "NAME.scale"; all else unchanged.

    Raises
    ------
    ValueError
        If a matrix has a weight that is not finite, the bits are out of range, or there is no such scale.

    Examples
    --------
    >>> weights = {"weight": torch.tensor([[1.0, 0.0], [-0.5, 0.0]])}
    >>> quantize(weights)["weight"].tolist(), quantize(weights, bits=3)["weight"].tolist()
    ([[127, 0], [-64, 0]], [[3, 0], [-2, 0]])
    """
    bits = whole_number("bits", bits, at_least=BITS[0], at_most=BITS[1])
    if scale not in SCALES:
        raise ValueError(f"scale must be {' or '.join(SCALES)}, got {scale!r}")
    largest = 2 ** (bits - 1) - 1  # so that the range is symmetric
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if not _is_matrix(name, weight):
            stored[name] = weight
            continue
        if not torch.isfinite(weight).all():
            raise ValueError(f"{name} must be finite to be quantized")
        steps = weight.abs().amax(dim=0) / largest
        if scale == "least_squares":
            steps = _least_squares(weight, steps, largest)
        stored[name] = _whole(weight, steps, largest).to(torch.int8)
        stored[name + _SCALE] = steps.to(torch.float32)
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


def packed_size(stored: Mapping[str, Tensor], *, bits: int = 8) -> int:
    """How many bytes weights take whose whole numbers are written one after the other without gaps [byte].

    Parameters
    ----------
    stored : mapping of str to Tensor
        From `quantize`, or weights, which take what they take.
    bits : int
        Of each whole number, as `quantize` was given them [1].

    Examples
    --------
    >>> packed_size(quantize({"weight": torch.ones(3, 5)}, bits=3), bits=3)  # 45 bits, and 5 scales
    26
    """
    bits = whole_number("bits", bits, at_least=BITS[0], at_most=BITS[1])
    return sum(
        -(-tensor.numel() * bits // 8) if name + _SCALE in stored else tensor.numel() * tensor.element_size()
        for name, tensor in stored.items()
    )


def pack(whole: Tensor, *, bits: int) -> bytes:
    """Whole numbers of a few bits as bytes, the first number in the lowest bits of the first byte.

    Parameters
    ----------
    whole : Tensor of int8
        From `quantize`, in any shape.
    bits : int
        Of each number, from 2 to 8 [1].

    Raises
    ------
    ValueError
        If the bits are out of range, or a number needs more.

    Examples
    --------
    >>> pack(torch.tensor([1, -1, 0, 1], dtype=torch.int8), bits=2).hex()
    '4d'
    """
    import numpy as np

    bits = whole_number("bits", bits, at_least=BITS[0], at_most=BITS[1])
    most = 2 ** (bits - 1)
    if whole.numel() and not -most <= int(whole.min()) <= int(whole.max()) < most:
        raise ValueError(
            f"numbers of {bits} bits must be in {-most}..{most - 1}, got {int(whole.min())}..{int(whole.max())}"
        )
    patterns = whole.flatten().cpu().numpy().view(np.uint8)[:, None]
    return np.packbits(np.unpackbits(patterns, axis=1, bitorder="little")[:, :bits], bitorder="little").tobytes()


def unpack(packed: bytes, shape: tuple[int, ...], *, bits: int) -> Tensor:
    """The whole numbers that `pack` has written.

    Parameters
    ----------
    packed : bytes
        From `pack`.
    shape : tuple of int
        Of the tensor.
    bits : int
        Of each number [1].

    Returns
    -------
    Tensor of int8

    Raises
    ------
    ValueError
        If there are more or fewer bytes than those of such a tensor.

    Examples
    --------
    >>> unpack(bytes.fromhex("4d"), (2, 2), bits=2).tolist()
    [[1, -1], [0, 1]]
    """
    import math

    import numpy as np

    bits, n = whole_number("bits", bits, at_least=BITS[0], at_most=BITS[1]), math.prod(shape)
    if len(packed) != -(-n * bits // 8):
        raise ValueError(f"{n} numbers of {bits} bits must be {-(-n * bits // 8)} bytes, got {len(packed)}")
    found = np.unpackbits(np.frombuffer(packed, np.uint8), count=n * bits, bitorder="little").reshape(n, bits)
    signed = np.repeat(found[:, -1:], 8, axis=1)  # a number goes on with its sign
    signed[:, :bits] = found
    return torch.from_numpy(np.packbits(signed, axis=1, bitorder="little").view(np.int8).reshape(shape).copy())


def _is_matrix(name: str, weight: Tensor) -> bool:
    return weight.ndim == 2 and weight.is_floating_point() and not name.endswith(_DELAYS)


def _whole(weight: Tensor, steps: Tensor, largest: int) -> Tensor:
    # a neuron without a weight has scale 0, and 0 / 0 would be no number
    return torch.round(weight / torch.where(steps > 0, steps, 1.0)).clamp(-largest, largest)


def _least_squares(weight: Tensor, steps: Tensor, largest: int) -> Tensor:
    """Of each column the step, no longer than `steps`, that leaves the least sum of squared errors."""
    best, least = steps, torch.full_like(steps, torch.inf)
    for part in torch.linspace(1.0, 0.2, _N_PARTS).tolist():
        tried = steps * part
        error = (weight - _whole(weight, tried, largest) * tried).square().sum(dim=0)
        is_better = error < least
        best, least = torch.where(is_better, tried, best), torch.where(is_better, error, least)
    return best
