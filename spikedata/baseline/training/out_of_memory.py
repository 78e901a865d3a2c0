"""Running out of memory, in one line that says what would need less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_ALLOCATOR_SAYS = ("can't allocate memory", "not enough memory", "CUDA out of memory")


class OutOfMemory(OSError):
    """The memory of the machine or of its GPU did not suffice; the message says what would need less."""


@contextmanager
def explaining_out_of_memory(advice: str) -> Iterator[None]:
    """Turn what NumPy and PyTorch raise where memory runs out into one error of one line.

    Parameters
    ----------
    advice : str
        What would need less.

    Raises
    ------
    OutOfMemory
        If the block ran out of memory.

    Examples
    --------
    >>> with explaining_out_of_memory("batch_size is 256, fewer need less"):
    ...     raise MemoryError
    Traceback (most recent call last):
    ...
    spikedata.baseline.training.out_of_memory.OutOfMemory: out of memory; batch_size is 256, fewer need less
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        where = " of the GPU" if isinstance(error, torch.OutOfMemoryError) else ""
        raise OutOfMemory(f"out of memory{where}; {advice}") from error
    except RuntimeError as error:  # the CPU's allocator has no class of its own
        if not any(words in str(error) for words in _ALLOCATOR_SAYS):
            raise
        raise OutOfMemory(f"out of memory; {advice}") from error
