"""Training with several processes, as `torchrun` starts them: each takes its share of every batch.

    torchrun --nproc-per-node 2 -m spikedata train digits.h5 --recipe cramer2022 --out run

All hold the same weights and draw the same order. The gradients of their shares are summed, weighted so that the sum is
that of the whole batch; so the result is that of a single process, up to rounding.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as distributed
from torch import nn

LONGEST_WAIT = timedelta(minutes=5)  # for all processes to start

_logger = logging.getLogger(__name__)
_Made = TypeVar("_Made")
_ADVICE = (
    "torchrun sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT together; to train alone, unset RANK and WORLD_SIZE"
)


class Processes(NamedTuple):
    """Rank of this process, and number of processes.

    Attributes
    ----------
    rank : int
        Number of this process, counted from 0 [1].
    n : int
        Number of processes [1].
    """

    rank: int = 0
    n: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0


ALONE = Processes()


def device_of_rank(name: str) -> str:
    """The device of a process started by `torchrun`: if any GPU will do, the one of its local rank."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if local and name in ("auto", "cuda") and torch.cuda.is_available() else name


def started_processes() -> Processes:
    """Rank and number of processes from the environment that `torchrun` sets; `ALONE` if it is not set.

    Raises
    ------
    ValueError
        If the environment variables contradict each other: this process would wait for others that never come, or
        would take itself for one that writes nothing.
    """
    given = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE") if os.environ.get(name)}
    if not given:
        return ALONE
    for name in ("RANK", "WORLD_SIZE"):
        if name not in given:
            (other,) = given
            raise ValueError(f"{other} is {given[other]!r}, but {name} is not set: {_ADVICE}")
        if not given[name].strip().isdecimal():
            raise ValueError(f"{name} must be a number >= 0, got {given[name]!r}: {_ADVICE}")
    rank, n = int(given["RANK"]), int(given["WORLD_SIZE"])
    if rank >= n:
        raise ValueError(f"RANK must be < WORLD_SIZE, got {rank} of {n}: {_ADVICE}")
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if n > 1 and not os.environ.get(name)]
    if missing:
        raise ValueError(f"WORLD_SIZE is {n}, but {missing[0]} is not set: {_ADVICE}")
    if n > 1 and not distributed.is_available():
        raise ValueError(f"WORLD_SIZE is {n}, but this PyTorch trains in one process")
    return Processes(rank, n)


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the other processes that `torchrun` has started, if any, while the block runs.

    Parameters
    ----------
    device : torch.device
        Device of this process: GPUs communicate by NCCL, CPUs by Gloo.

    Raises
    ------
    ValueError
        As `started_processes`.
    ConnectionError
        If the other processes do not come within `LONGEST_WAIT`, or cannot be joined.
    """
    processes = started_processes()
    if processes.n < 2 or distributed.is_initialized():
        yield ALONE
        return
    # not every PyTorch has these
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    try:
        # the bound is for coming together alone: later a process may wait long for what the first one makes
        store, rank, n = next(rendezvous("env://", processes.rank, processes.n, timeout=LONGEST_WAIT))
        store = PrefixStore("default_pg", store)
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, store=store, rank=rank, world_size=n)
    except (RuntimeError, ValueError) as error:  # PyTorch's own errors are of the first kind
        reason = str(error).splitlines()[0]
        raise ConnectionError(f"process {processes.rank} of {processes.n} cannot join the others: {reason}") from error
    try:
        yield processes
        wait_for_others(processes)
    finally:
        distributed.destroy_process_group()


def made_by_first(make: Callable[[], _Made], device: torch.device, processes: Processes) -> _Made:
    """The result of a function that only the first process calls; the others wait for it and get a copy.

    Parameters
    ----------
    make : callable
        Called without arguments, by the first process only.
    device : torch.device
        Device of this process.
    processes : Processes
        Rank of this process and number of processes.
    """
    if processes.n < 2:
        return make()
    if processes.is_first:
        _logger.warning("this is trained by one process; the other %d wait for it", processes.n - 1)
    made = [make() if processes.is_first else None]
    distributed.broadcast_object_list(made, src=0, device=device)
    return made[0]  # type: ignore[return-value]  # the list is filled by now


def wait_for_others(processes: Processes) -> None:
    """Wait until every process has reached this point."""
    if processes.n > 1:
        distributed.barrier()


def shares_of(
    batches: Sequence[npt.NDArray[np.int64]], processes: Processes
) -> tuple[list[npt.NDArray[np.int64]], list[float]]:
    """This process's share of each batch, and the fraction of the batch that it is.

    Parameters
    ----------
    batches : sequence of ndarray
        Clip numbers of each batch, the same in every process.
    processes : Processes
        Rank of this process and number of processes.

    Returns
    -------
    shares : list of ndarray
        Every clip is in the share of exactly one process. With fewer clips than processes, a process without a clip
        gets one that counts 0, since every process has to take every step.
    parts : list of float
        Fractions; over all processes they add up to 1 for each batch.

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
    """Copy the first process's buffers, such as the running means of batch normalization, to all others."""
    if processes.n > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, src=0)
