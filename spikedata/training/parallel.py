"""One training on several processes, as `torchrun` starts them: each takes its share of every batch.

    torchrun --nproc-per-node 2 -m spikedata train digits.h5 --recipe cramer2022 --out run

All hold the same weights and draw the same order. The gradients of their shares are summed, weighted so that the sum is
that of the whole batch; so the result is that of one process, but for rounding.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as distributed
from torch import nn

_logger = logging.getLogger(__name__)
_Made = TypeVar("_Made")
_ADVICE = (
    "torchrun sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT together; to train alone, unset RANK and WORLD_SIZE"
)


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


def started_processes() -> Processes:
    """Which of how many processes this is, by the environment that `torchrun` sets; `ALONE` where it sets none.

    Raises
    ------
    ValueError
        If what the environment says does not fit together: this process would wait for others that do not come, or
        take itself for one that writes nothing.
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
    """Join the other processes, where `torchrun` has started some, for as long as the block runs.

    Parameters
    ----------
    device : torch.device
        Of this process: GPUs speak by NCCL, processors by Gloo.

    Raises
    ------
    ValueError
        As `started_processes`.
    ConnectionError
        If the others do not answer.
    """
    processes = started_processes()
    if processes.n < 2 or distributed.is_initialized():
        yield ALONE
        return
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:  # PyTorch's own errors are of the first kind
        reason = str(error).splitlines()[0]
        raise ConnectionError(f"process {processes.rank} of {processes.n} cannot join the others: {reason}") from error
    try:
        yield processes
        wait_for_others(processes)
    finally:
        distributed.destroy_process_group()


def made_by_first(make: Callable[[], _Made], device: torch.device, processes: Processes) -> _Made:
    """What the first process makes while the others wait: all have it then.

    Parameters
    ----------
    make : callable
        Gives it; called by the first process alone.
    device : torch.device
        Of this process.
    processes : Processes
        Which of how many processes this is.
    """
    if processes.n < 2:
        return make()
    if processes.is_first:
        _logger.warning("this is trained by one process; the other %d wait for it", processes.n - 1)
    made = [make() if processes.is_first else None]
    distributed.broadcast_object_list(made, src=0, device=device)
    return made[0]  # type: ignore[return-value]  # the list is filled by now


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
