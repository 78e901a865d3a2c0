"""Arguments of the kernels: which tensors they take, which they refuse, and numbers in a tensor's own dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikedata.nn.kernels.tracing import wants_plain_loops
from spikedata.nn.surrogate import SHAPES, SurrogateParams

_TYPES: dict[torch.dtype, type[np.float32] | type[np.float64]] = {torch.float32: np.float32, torch.float64: np.float64}
_NEGLIGIBLE = {torch.float32: 1e-30, torch.float64: 1e-290}  # no effect on results, yet far above subnormal numbers


def is_fused(tensor: Tensor) -> bool:
    """Whether there is a compiled kernel for the device and dtype of a tensor, it may run, and has something to do."""
    return tensor.device.type == "cpu" and tensor.dtype in _TYPES and not wants_plain_loops() and tensor.numel() > 0


def check_shapes(drive: Tensor, recurrent_weight: Tensor | None) -> None:
    """Raise ValueError unless drive and recurrent weight have the same number of neurons."""
    if drive.ndim != 3 or not all(drive.shape[1:]):
        raise ValueError(f"drive must be (batch, step, neuron), steps and neurons >= 1, got {tuple(drive.shape)}")
    n = drive.shape[2]
    if recurrent_weight is not None and recurrent_weight.shape != (n, n):
        raise ValueError(f"recurrent_weight must be ({n}, {n}), got {tuple(recurrent_weight.shape)}")


def scalars(dtype: torch.dtype, *values: float) -> tuple[Any, ...]:
    """Numbers as NumPy scalars of a tensor's dtype: a Python float would turn a float32 pass into a float64 one."""
    return tuple(_TYPES[dtype](value) for value in values)


def surrogate_numbers(surrogate: SurrogateParams, dtype: torch.dtype) -> tuple[Any, ...]:
    """Shape, scale and height of a surrogate, as `surrogate_row` takes them between the row and the result."""
    return SHAPES.index(surrogate.shape), *scalars(dtype, surrogate.scale, surrogate.height)


def negligible(dtype: torch.dtype) -> Any:
    """The size below which a decaying state is set to zero, before it becomes a subnormal number."""
    return _TYPES[dtype](_NEGLIGIBLE[dtype])
