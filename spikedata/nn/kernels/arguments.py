"""What kernels are given: which tensors they take, what they refuse, and numbers of a tensor's own type."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikedata.nn.surrogate import SHAPES, SurrogateParams

_TYPES: dict[torch.dtype, type[np.float32] | type[np.float64]] = {torch.float32: np.float32, torch.float64: np.float64}
_NEGLIGIBLE = {torch.float32: 1e-30, torch.float64: 1e-290}  # far below what counts, far above what is subnormal


def is_fused(tensor: Tensor) -> bool:
    """Whether there are kernels for the device and the type of a tensor."""
    return tensor.device.type == "cpu" and tensor.dtype in _TYPES


def check_shapes(drive: Tensor, recurrent_weight: Tensor | None) -> None:
    """Raise ValueError unless drive and recurrent weight are of the same neurons."""
    if drive.ndim != 3 or not all(drive.shape):
        raise ValueError(f"drive must be (batch, step, neuron), each at least 1, got {tuple(drive.shape)}")
    n = drive.shape[2]
    if recurrent_weight is not None and recurrent_weight.shape != (n, n):
        raise ValueError(f"recurrent_weight must be ({n}, {n}), got {tuple(recurrent_weight.shape)}")


def scalars(dtype: torch.dtype, *values: float) -> tuple[Any, ...]:
    """Numbers as NumPy scalars of a tensor's type: beside one of another type a pass would compute in the wider one."""
    return tuple(_TYPES[dtype](value) for value in values)


def surrogate_numbers(surrogate: SurrogateParams, dtype: torch.dtype) -> tuple[Any, ...]:
    """What `surrogate_row` takes between the row and the result: shape, scale and height."""
    return SHAPES.index(surrogate.shape), *scalars(dtype, surrogate.scale, surrogate.height)


def negligible(dtype: torch.dtype) -> Any:
    """Below which size a decaying state is set to zero, before it becomes a subnormal number."""
    return _TYPES[dtype](_NEGLIGIBLE[dtype])
