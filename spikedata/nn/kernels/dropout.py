"""Dropout with a generator of its own: no global random state, and no mask kept for the backward pass.

A hash of each value's position and of keys drawn from the generator decides what is dropped. So the backward pass
can compute the mask again, and it is the same on every device, fused or not, with any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import is_fused, scalars
from spikedata.nn.kernels.chunks import over_chunks
from spikedata.nn.kernels.memory import empty
from spikedata.nn.kernels.tracing import apply, untraced

# The golden ratio of Weyl sequences, and the factors of the integer hash lowbias32 (C. Wellons, 2018).
SPREAD, FIRST_FACTOR, SECOND_FACTOR = 0x9E3779B9, 0x7FEB352D, 0x846CA68B
_LEVELS = 2**32  # of the hash
_ROWS_AT_ONCE = 4096  # rows in a chunk of a thread


@compiled
def drop_values(
    values: Array, keys: Array, n_alike: int, n_dropped: int, scale: float, first: int, last: int, kept: Array,
) -> None:  # fmt: skip
    """Fill the rows `first` up to `last` of `kept` with those of `values` times `scale`, or 0 where a value is dropped.

    `keys` (2, key) has one pair for each `n_alike` successive rows. Of the 2**32 hashes, the lowest `n_dropped` drop.
    """
    zero, spread = values.dtype.type(0.0), np.uint32(SPREAD)
    first_factor, second_factor = np.uint32(FIRST_FACTOR), np.uint32(SECOND_FACTOR)
    for row in range(first, last):
        key, second_key = keys[0, row // n_alike], keys[1, row // n_alike]
        given, out = values[row], kept[row]
        for j in range(given.size):
            x = np.uint32(np.uint32(j) * spread + key)
            x = np.uint32((x ^ (x >> np.uint32(16))) * first_factor + second_key)
            x = np.uint32((x ^ (x >> np.uint32(15))) * second_factor)
            x = np.uint32(x ^ (x >> np.uint32(16)))
            out[j] = zero if x < n_dropped else given[j] * scale


def drop(values: Tensor, probability: float, generator: torch.Generator | None, *, n_alike: int = 1) -> Tensor:
    """Values of which each is set to 0 with some probability; the others are scaled up, so that the mean stays.

    Srivastava et al., Journal of Machine Learning Research 15:1929 (2014). Gradients reach the values; there are no
    second derivatives.

    Parameters
    ----------
    values : Tensor, (..., neuron)
        What to drop from.
    probability : float
        Probability that a value is dropped [1], at least 0 and below 1. With 0 the values are returned as they are and
        nothing is drawn.
    generator : torch.Generator or None
        Draws the keys of the mask, on any device.
    n_alike : int
        Number of successive rows that share a mask [1]: with the number of steps, a dropped neuron is silent for the
        whole clip, as in Hammouamri et al., ICLR (2024).

    Returns
    -------
    Tensor, same shape

    Raises
    ------
    ValueError
        If the probability is not 0 and there is no generator.

    Examples
    --------
    >>> import torch
    >>> drop(torch.ones(6), 0.5, torch.Generator().manual_seed(0)).unique().tolist()
    [0.0, 2.0]
    """
    if probability == 0.0:
        return values
    if generator is None:
        raise ValueError("dropout needs a generator in training: call the network with generator=...")
    if not values.numel():
        return values
    n_rows = -(-values.numel() // values.shape[-1] // n_alike)
    seeds = _draw(generator).to(values.device)
    keys = _mixed(_int32(torch.arange(n_rows, device=values.device) + seeds[:, None]))
    n_dropped = min(round(probability * _LEVELS), _LEVELS - 1)
    scale = _LEVELS / (_LEVELS - n_dropped)
    if is_fused(values):
        return apply(_Drop, values, keys, n_alike, n_dropped, scale)
    return values * _mask(values.shape, keys, n_alike, n_dropped) * scale


@untraced
def _draw(generator: torch.Generator) -> Tensor:
    return torch.randint(_LEVELS, (2,), generator=generator, device=generator.device)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, keys: Tensor, n_alike: int, n_dropped: int, scale: float) -> Tensor:
        ctx.rule = keys.numpy().view(np.uint32), n_alike, np.uint32(n_dropped), *scalars(values.dtype, scale)
        return _dropped(values.detach(), ctx.rule)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        return _dropped(gradients[0], ctx.rule), None, None, None, None


def _dropped(values: Tensor, rule: tuple[Any, ...]) -> Tensor:
    values = values.contiguous()
    kept = empty(tuple(values.shape), values.dtype)
    given, filled = (tensor.numpy().reshape(-1, values.shape[-1]) for tensor in (values, kept))
    keys, n_alike, n_dropped, scale = rule
    over_chunks(
        lambda first, last: drop_values(given, keys, n_alike, n_dropped, scale, first, last, filled),
        len(given),
        _ROWS_AT_ONCE,
    )
    return kept


def _mask(shape: torch.Size, keys: Tensor, n_alike: int, n_dropped: int) -> Tensor:
    """Which values stay: the hash of `drop_values` in signed 32-bit numbers, as PyTorch has no arithmetic of others."""
    places = torch.arange(shape[-1], dtype=torch.int32, device=keys.device) * _signed(SPREAD)
    mixed = _mixed(places + keys[0, :, None], keys[1, :, None])
    stays = (mixed ^ _signed(2**31)) >= n_dropped - 2**31
    return stays.repeat_interleave(n_alike, dim=0)[: shape[:-1].numel()].view(shape)


def _mixed(x: Tensor, second_key: Tensor | int = 0) -> Tensor:
    """The hash of `drop_values`, for signed 32-bit numbers; without a second key it is lowbias32."""
    x = (x ^ _shifted(x, 16)) * _signed(FIRST_FACTOR) + second_key
    x = (x ^ _shifted(x, 15)) * _signed(SECOND_FACTOR)
    return x ^ _shifted(x, 16)


def _int32(x: Tensor) -> Tensor:
    """The lowest 32 bits of 64-bit numbers."""
    return ((x + 2**31) % _LEVELS - 2**31).to(torch.int32)


def _signed(bits: int) -> int:
    return bits - _LEVELS if bits >= 2**31 else bits


def _shifted(x: Tensor, n_bits: int) -> Tensor:
    """Shifted to the right, with zeros moving in, as unsigned numbers are shifted."""
    shifted: Tensor = (x >> n_bits) & (2 ** (32 - n_bits) - 1)
    return shifted
