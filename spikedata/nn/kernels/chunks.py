"""Share the clips of a batch among threads, so that the result does not depend on how many there are.

A batch is cut into chunks of a fixed number of clips. Each chunk is worked on by one thread, sums within a chunk have
one order, and sums over chunks are made afterwards in the order of the chunks.

PyTorch's own threads stay awake for some milliseconds after each operation and take the processor from those of the
kernels. So hold PyTorch to one thread (`spikedata.nn.threads.on_one_thread`) and give the kernels theirs with
`kernel_threads`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TypeVar

import torch

from spikedata.nn.threads import on_one_thread

CHUNK = 64  # clips
_Result = TypeVar("_Result")
_threads: ContextVar[int | None] = ContextVar("kernel_threads", default=None)


@contextmanager
def kernel_threads(n_threads: int) -> Iterator[None]:
    """Run the kernels within a block, or a function that it decorates, on so many threads.

    Parameters
    ----------
    n_threads : int
        Threads, at least 1 [1]; without this there are as many as PyTorch has.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> with kernel_threads(2):
    ...     over_chunks(lambda begin, end: end - begin, 5, 3)
    [3, 2]
    """
    if n_threads < 1:
        raise ValueError(f"n_threads must be >= 1, got {n_threads}")
    token = _threads.set(n_threads)
    try:
        yield
    finally:
        _threads.reset(token)


def over_chunks(work: Callable[[int, int], _Result], n_batch: int, chunk: int = CHUNK) -> list[_Result]:
    """What a function returns for each chunk of a batch, in order; as many at once as there are threads.

    Parameters
    ----------
    work : callable
        Takes the first clip of a chunk and the one after its last. It must let go of the interpreter's lock to gain
        from threads, as compiled passes and products of PyTorch do; no gradients are recorded in it.
    n_batch : int
        Clips in the batch [1].
    chunk : int
        Clips in a chunk [1]; the last may have fewer.

    Returns
    -------
    list
        One result per chunk.

    Examples
    --------
    >>> over_chunks(lambda begin, end: (begin, end), 5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    bounds = [(begin, min(begin + chunk, n_batch)) for begin in range(0, n_batch, chunk)]
    n_threads = min(_threads.get() or torch.get_num_threads(), len(bounds))

    def without_gradients(begin_end: tuple[int, int]) -> _Result:
        with torch.no_grad():
            return work(*begin_end)

    with on_one_thread():
        if n_threads <= 1:
            return [without_gradients(bound) for bound in bounds]
        return list(_pool(n_threads, os.getpid()).map(without_gradients, bounds))


def clips_together(n_batch: int) -> int:
    """Clips in a chunk of a recurrent layer: products of matrices reach their full speed with more than `CHUNK`.

    Parameters
    ----------
    n_batch : int
        Clips in the batch [1].
    """
    return min(max(CHUNK, -(-n_batch // 2)), 2 * CHUNK)


@lru_cache(maxsize=4)
def _pool(n_threads: int, process: int) -> ThreadPoolExecutor:
    # a process has its own: threads do not survive a fork
    return ThreadPoolExecutor(n_threads, thread_name_prefix="kernels", initializer=torch.set_num_threads, initargs=(1,))
