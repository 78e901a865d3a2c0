"""Hold PyTorch to a number of threads for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spikedata.checks import whole_number


@contextmanager
def on_threads(n: int = 1) -> Iterator[None]:
    """Run a block, or a function that it decorates, on some threads of PyTorch; the former number comes back.

    Networks of a few hundred neurons gain nothing from a second thread, and lose much where another process wants the
    processor. And sums over several threads round differently on every machine.

    Parameters
    ----------
    n : int
        How many [1].

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
    """Run a block, or a function that it decorates, on one thread of PyTorch: `on_threads` of 1."""
    with on_threads(1):
        yield
