"""Large results without the price of fresh memory: what one step of training has let go of, the next one takes.

The system clears memory before it hands it out, which takes as long as a kernel takes to fill it. So buffers are kept:
one that no tensor uses any more is taken again for the next result of its size. When a result of another size is asked
for, all that lie idle are given back first; what is kept is at most what was once in use together.
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
_SMALL = 2**20  # bytes; below, memory costs little

_buffers: list[npt.NDArray[np.uint8]] = []
_lock = Lock()


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor whose values are not set.

    Parameters
    ----------
    shape : tuple of int
        Its sizes [1].
    dtype : torch.float32 or torch.float64
        Of its values.

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
    _buffers.append(np.empty(n_bytes, np.uint8))  # which NumPy asks for in huge pages, unlike PyTorch
    return _buffers[-1]


def _references(buffers: list[Any], i: int) -> int:
    return sys.getrefcount(buffers[i])


_IDLE = _references([np.empty(0)], 0)  # a tensor or a view of it would be one more
