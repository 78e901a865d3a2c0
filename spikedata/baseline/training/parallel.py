"""One training on several processes, as `torchrun` starts them: each takes its share of every batch.

    torchrun --nproc-per-node 2 -m spikedata train digits.h5 --recipe published --out run

All hold the same weights and draw the same order. The gradients of their shares are summed, weighted so that the sum is
that of the whole batch; so the result is that of one process, but for rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as distributed
from torch import nn


class Processes(NamedTuple):
    """Which one of how many processes this is.

    Attributes
    ----------
    rank : int
        Its number, from 0 [1].
    n : int
        How many there are [1].
    """

    rank: int = 0
    n: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0


ALONE = Processes()


def device_of_rank(name: str) -> str:
    """The device that a process started by `torchrun` takes: where any GPU will do, the one of its number."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if local and name in ("auto", "cuda") and torch.cuda.is_available() else name


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the other processes, where `torchrun` has started some, for as long as the block runs.

    Parameters
    ----------
    device : torch.device
        Of this process: GPUs speak by NCCL, processors by Gloo.
    """
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n < 2 or not distributed.is_available() or distributed.is_initialized():
        yield ALONE
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), n)
        wait_for_others(Processes(0, n))
    finally:
        distributed.destroy_process_group()


def wait_for_others(processes: Processes) -> None:
    """Go on when every process has come here."""
    if processes.n > 1:
        distributed.barrier()


def shares_of(
    batches: Sequence[npt.NDArray[np.int64]], processes: Processes
) -> tuple[list[npt.NDArray[np.int64]], list[float]]:
    """This process's share of each batch, and what part of the batch it is.

    Parameters
    ----------
    batches : sequence of ndarray
        Numbers of the clips of each batch, the same in every process.
    processes : Processes
        Which of how many processes this is.

    Returns
    -------
    shares : list of ndarray
        Every clip is in the share of one process. Where there are fewer clips than processes, a process without a
        clip gets one whose part is 0, since every process has to take every step.
    parts : list of float
        Of all processes together, 1 for each batch.

    Examples
    --------
    >>> shares_of([np.arange(5), np.arange(1)], Processes(1, 2))
    ([array([1, 3]), array([0])], [0.4, 0.0])
    """
    shares, parts = [], []
    for batch in batches:
        share = batch[processes.rank :: processes.n]
        shares.append(share if len(share) else batch[:1])
        parts.append(len(share) / len(batch))
    return shares, parts


def sum_gradients(network: nn.Module, processes: Processes) -> None:
    """Replace each gradient by the sum over the processes."""
    if processes.n < 2:
        return
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    flat = torch.cat([torch.zeros_like(w).flatten() if w.grad is None else w.grad.flatten() for w in weights])
    distributed.all_reduce(flat)
    for weight, gradient in zip(weights, flat.split([weight.numel() for weight in weights]), strict=True):
        weight.grad = gradient.view_as(weight).clone()


def sum_numbers(numbers: tuple[float, ...], device: torch.device, processes: Processes) -> tuple[float, ...]:
    """Each number summed over the processes."""
    if processes.n < 2:
        return numbers
    summed = torch.tensor(numbers, dtype=torch.float64, device=device)
    distributed.all_reduce(summed)
    return tuple(summed.tolist())


def share_buffers(network: nn.Module, processes: Processes) -> None:
    """Give every process what the first one has of what is not trained, as running means."""
    if processes.n > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, src=0)
