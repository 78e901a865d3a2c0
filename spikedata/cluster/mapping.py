"""The tasks on their way to the workers and back."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import reprlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, wait
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from spikedata import __version__
from spikedata.cluster.connection import connected, find_scheduler
from spikedata.cluster.errors import ClusterError, scheduler_errors
from spikedata.cluster.software import check_software, wrong_version

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_AROUND = 1.0  # [s] between two looks at who is there

_logger = logging.getLogger(__name__)
Task = TypeVar("Task")
Result = TypeVar("Result")


class _Flight(NamedTuple):
    """A task that has been sent, and has not come back."""

    number: int
    name: str
    future: Future


def map_on_cluster(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    address: str | os.PathLike[str],
    n_ahead: int = 2,
    connect_timeout: float = 30.0,
    worker_timeout: float = 300.0,
    describe: Callable[[Task], str] = reprlib.repr,
) -> Generator[tuple[int, Result], None, None]:
    """Results of a function for each task, as they come, with the task's number.

    Nothing happens before the first result is asked for. When the iterator is closed, or ends with an error or an
    interrupt, the tasks that wait are dropped, those that run are forgotten, and the cluster stays as it was: close it
    at once with `contextlib.closing`. A task of a worker that died is run again on another one, and so may run twice:
    it should do nothing but return its result.

    Parameters
    ----------
    function : callable
        Made with ``def`` in a module that the scheduler and the workers can import.
    tasks : iterable
        Small objects that can be pickled. Read only as far ahead as `n_ahead` says, so there may be any number.
    address : str or path-like
        Of the scheduler, such as ``tcp://host:8786`` or ``tls://host:8786``; or the scheduler file that
        ``dask scheduler --scheduler-file`` writes.
    n_ahead : int
        Tasks in flight, those whose result waits to be taken included, per thread of a worker [1].
    connect_timeout : float
        How long to wait for the scheduler [s].
    worker_timeout : float
        How long to wait for a first worker; and for a new one when all are gone [s].
    describe : callable
        Gives the words by which an error names a task.

    Yields
    ------
    number : int
        Of the task, counted from 0 [1].
    result : object
        What the function returned for it.

    Raises
    ------
    ClusterError
        If the cluster cannot be reached, has no workers, runs another version of this package, or if a task was
        running on several workers as they died.
    Exception
        What the function or the iterable of tasks raised.
    ValueError
        If `n_ahead` is below 1.
    """
    if n_ahead < 1:
        raise ValueError(f"n_ahead must be >= 1, got {n_ahead}")
    scheduler = find_scheduler(address)
    with connected(scheduler, connect_timeout) as client:
        _count_threads(client, scheduler, worker_timeout)
        check_software(client, scheduler)
        yield from _map(client, function, tasks, scheduler, n_ahead, worker_timeout, describe)


def _map(
    client: Client,
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    scheduler: str,
    n_ahead: int,
    worker_timeout: float,
    describe: Callable[[Task], str],
) -> Iterator[tuple[int, Result]]:
    waiting = enumerate(tasks)
    in_flight: dict[object, _Flight] = {}
    finished: SimpleQueue[Future] = SimpleQueue()
    while True:
        n_places = n_ahead * _count_threads(client, scheduler, worker_timeout)
        next_look = monotonic() + _LOOK_AROUND
        while monotonic() < next_look:
            for number, task in islice(waiting, max(0, n_places - len(in_flight))):
                with scheduler_errors(scheduler):
                    future = client.submit(_run, function, task, __version__, pure=False)
                in_flight[future.key] = _Flight(number, describe(task), future)
                future.add_done_callback(finished.put)
            if not in_flight:
                return
            try:
                future = finished.get(timeout=_LOOK_AROUND)
            except Empty:
                break
            flight = in_flight.pop(future.key)
            result = _collect(client, flight, scheduler, worker_timeout)
            future.release()
            yield flight.number, result


def _run(function: Callable[[Task], Result], task: Task, expected: str) -> Result:
    """Run a task on a worker, which may have joined after the software was checked."""
    if __version__ != expected:
        raise ClusterError(wrong_version(f"worker {platform.node()}", __version__, expected))
    return function(task)


def _collect(client: Client, flight: _Flight, scheduler: str, worker_timeout: float) -> Any:
    """The result of a task that is done; its worker may die before the result is here, and then it is done again."""
    from distributed.scheduler import KilledWorker

    loop: Any = client.loop  # of Dask's own thread
    arriving = asyncio.run_coroutine_threadsafe(client.gather(flight.future, asynchronous=True), loop.asyncio_loop)
    while not wait([arriving], timeout=_LOOK_AROUND).done:
        _count_threads(client, scheduler, worker_timeout)
    try:
        return arriving.result()
    except KilledWorker as error:
        raise ClusterError(
            f"task {flight.number} ({flight.name}): {error.allowed_failures + 1} workers died while they had it; "
            "see their logs (out of memory?)"
        ) from None
    except (CancelledError, asyncio.CancelledError):
        raise ClusterError(f"{scheduler}: the scheduler is gone, or dropped our tasks") from None


def _count_threads(client: Client, scheduler: str, timeout: float) -> int:
    """Threads of all workers; where there is none, wait for one."""
    deadline, warned = monotonic() + timeout, False
    while True:
        with scheduler_errors(scheduler):
            n_threads = sum(client.nthreads().values())
        if n_threads:
            return n_threads
        if monotonic() > deadline:
            raise ClusterError(f"{scheduler}: has no workers, waited {timeout:g} s: start some with `dask worker`")
        if not warned:
            _logger.warning("%s has no workers: waiting up to %g s for one", scheduler, timeout)
            warned = True
        sleep(min(_LOOK_AROUND, timeout / 4))
