"""Multiply matrices in a lower precision for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("highest", "high", "medium")


@contextmanager
def at_precision(precision: str) -> Iterator[None]:
    """Run a block with PyTorch's `torch.set_float32_matmul_precision`; the former precision comes back.

    Parameters
    ----------
    precision : str
        "highest": float32. "high" and "medium" let a GPU multiply TensorFloat32 or bfloat16 numbers, "medium" a
        processor that can bfloat16; sums stay float32.

    Examples
    --------
    >>> with at_precision("medium"):
    ...     torch.get_float32_matmul_precision()
    'medium'
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
