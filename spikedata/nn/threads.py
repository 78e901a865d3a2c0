"""Limit PyTorch to a number of threads for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spikedata.checks import whole_number


@contextmanager
def on_threads(n: int = 1) -> Iterator[None]:
    """Run a block, or a decorated function, on a number of PyTorch threads; the former number is restored.

    Networks of a few hundred neurons gain nothing from a second thread, and lose a lot when another process needs the
    processor. Besides, sums over several threads round differently on every machine.

    Parameters
    ----------
    n : int
        Number of threads [1].

    Raises
    ------
    ValueError
        If it is no whole number, or below 1.

    Examples
    --------
    >>> with on_threads(1):
    ...     torch.get_num_threads()
    1
    """
    n = whole_number("threads", n, at_least=1)
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Run a block, or a decorated function, on one PyTorch thread: `on_threads(1)`."""
    with on_threads(1):
        yield
