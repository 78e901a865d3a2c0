"""Which form of a layer runs on a GPU: one Triton kernel over all steps, or the plain loop.

A Triton kernel runs where the tensors are on a CUDA device in float32, the package `triton` can be imported (PyTorch
for CUDA on Linux brings it) and a layer with recurrent weights has at most `LARGEST_RECURRENT` neurons. Everything else
on a GPU takes the plain loop. Triton's interpreter checks the kernels against the plain loops on the CPU (`make
test-triton`); their speed has not been measured on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from spikedata.nn.kernels.tracing import untraced, wants_plain_loops

LARGEST_RECURRENT = 1024  # neurons whose states one program holds in its registers
_allowed: ContextVar[bool] = ContextVar("triton_kernels", default=True)


class Absent:
    """Stands for the package `triton` where it is not installed: any part of it is itself, and calls give back."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, given: Any = None) -> Any:
        """What was given: a function stays as it is."""
        return given


@contextmanager
def triton_kernels(allowed: bool) -> Iterator[None]:
    """Allow or forbid the Triton kernels in a block, or in a decorated function; without them a GPU runs plain loops.

    Parameters
    ----------
    allowed : bool
        Whether layers may run as Triton kernels. Outside such a block they may.

    Examples
    --------
    >>> with triton_kernels(False):
    ...     runs_in_triton(torch.zeros(1, 1, 1), recurrent=False)
    False
    """
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def runs_in_triton(drive: Tensor, *, recurrent: bool) -> bool:
    """Whether a layer with this drive (batch, step, neuron) runs as a Triton kernel."""
    if not drive.is_cuda or drive.dtype != torch.float32 or wants_plain_loops():
        return False
    return _may_run() and not (recurrent and drive.shape[2] > LARGEST_RECURRENT)


@untraced
def _may_run() -> bool:
    return _allowed.get() and has_triton()


@cache
def has_triton() -> bool:
    """Whether the package `triton` is installed."""
    return find_spec("triton") is not None


def check_for_triton(drive: Tensor, recurrent_weight: Tensor | None) -> None:
    """Raise unless the Triton kernels can run a drive (batch, step, neuron), on a GPU or in Triton's interpreter.

    Raises
    ------
    ModuleNotFoundError
        If `triton` is not installed.
    TypeError
        If a tensor is not float32.
    ValueError
        If a recurrent layer has more neurons than one program can hold, or tensors are on different devices.
    """
    if not has_triton():
        raise ModuleNotFoundError("a Triton kernel needs the package triton, which is not installed")
    for name, tensor in (("drive", drive), ("recurrent_weight", recurrent_weight)):
        if tensor is not None and tensor.dtype != torch.float32:
            raise TypeError(f"{name} must be float32 for a Triton kernel, got {tensor.dtype}")
    if recurrent_weight is None:
        return
    if drive.shape[2] > LARGEST_RECURRENT:
        rule = f"must be at most {LARGEST_RECURRENT} for a Triton kernel"
        raise ValueError(f"neurons of a recurrent layer {rule}, got {drive.shape[2]}")
    if recurrent_weight.device != drive.device:
        raise ValueError(f"recurrent_weight must be on {drive.device}, as the drive, got {recurrent_weight.device}")
