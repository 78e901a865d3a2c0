"""Large results without the cost of fresh memory: one training step reuses the buffers of the one before.

The system clears memory before it hands it out, which takes as long as a kernel takes to fill it. So buffers are kept,
and one that no tensor uses any more serves the next result of its size. When another size is asked for, all idle
buffers are freed first, so that no more is ever kept than was once in use at the same time.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_NUMPY_OF: dict[torch.dtype, type[np.floating]] = {torch.float32: np.float32, torch.float64: np.float64}
_SMALL = 2**20  # bytes, below which fresh memory costs little

_buffers: list[npt.NDArray[np.uint8]] = []
_lock = Lock()


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An uninitialized tensor, in memory that an earlier one has freed where there is some of its size.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor [1].
    dtype : torch.float32 or torch.float64
        Data type of its values.

    Examples
    --------
    >>> import torch
    >>> first = empty((1024, 1024), torch.float32)
    >>> address = first.data_ptr()
    >>> empty((1024, 1024), torch.float32).data_ptr() == address
    False
    >>> del first
    >>> empty((1024, 1024), torch.float32).data_ptr() == address
    True
    """
    kind = np.dtype(_NUMPY_OF[dtype])
    n_bytes = int(np.prod(shape)) * kind.itemsize
    if n_bytes < _SMALL:
        return torch.from_numpy(np.empty(shape, kind))
    with _lock:
        return torch.from_numpy(_buffer(n_bytes).view(kind).reshape(shape))


def _buffer(n_bytes: int) -> npt.NDArray[np.uint8]:
    idle = [i for i in range(len(_buffers)) if _references(_buffers, i) == _IDLE]
    for i in idle:
        if _buffers[i].nbytes == n_bytes:
            return _buffers[i]
    for i in reversed(idle):
        del _buffers[i]
    _buffers.append(np.empty(n_bytes, np.uint8))  # NumPy, unlike PyTorch, asks for huge pages
    return _buffers[-1]


def _references(buffers: list[Any], i: int) -> int:
    return sys.getrefcount(buffers[i])


# What `sys.getrefcount` reports for a buffer that only the list holds; a tensor or a view of it adds one. Measured,
# since the number differs between versions of Python.
_IDLE = _references([np.empty(0)], 0)
