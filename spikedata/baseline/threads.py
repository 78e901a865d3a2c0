"""Hold PyTorch to one thread for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Run a block, or a function that it decorates, on one thread of PyTorch; the former number comes back.

    Networks of a few hundred neurons gain nothing from a second thread, and lose much where another process wants the
    processor. And sums over several threads round differently on every machine.

    Examples
    --------
    >>> with on_one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
