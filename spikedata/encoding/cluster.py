"""Map a function over tasks on the workers of a Dask cluster.

Dask itself repeats the tasks of a worker that died on another one. This module adds bounded memory on both sides, a
check that all machines run the same software, and errors that say what to do.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import platform
import reprlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from spikedata import __version__
from spikedata.checks import whole_number

if TYPE_CHECKING:
    from distributed import Client, Future, Security


__all__ = ["ClusterError", "map_on_cluster"]

_BIT_RELEVANT = ("numpy", "scipy", "numba")  # libraries whose version may change the last bits of a result
_CLOSE_TIMEOUT = 10.0  # [s] for closing the connection to a scheduler
_LOOK_AROUND = 1.0  # [s] between two counts of the workers

_logger = logging.getLogger(__name__)
Task = TypeVar("Task")
Result = TypeVar("Result")


class ClusterError(OSError):
    """A cluster that cannot be reached, runs different software, or failed; the message says which and why."""


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
    """The results of a function for all tasks, each with the number of its task, in the order in which they arrive.

    Nothing happens until the first result is requested. When the generator is closed, or ends with an error or an
    interrupt, waiting tasks are canceled, the results of running ones are discarded, and the cluster is left as it was;
    use `contextlib.closing` to close it promptly. A task whose worker dies is run again on another one and may thus run
    twice, so it should do nothing but return its result.

    Parameters
    ----------
    function : callable
        A function defined with ``def`` in a module that the scheduler and the workers can import.
    tasks : iterable
        Small objects that can be pickled. They are read lazily, `n_ahead` ahead, so there may be any number of them.
    address : str or path-like
        Address of the scheduler, such as ``tcp://host:8786`` or ``tls://host:8786``; or the scheduler file that
        ``dask scheduler --scheduler-file`` writes.
    n_ahead : int
        Tasks per thread of a worker that are sent or whose results have not been consumed [1].
    connect_timeout : float
        How long to wait for the scheduler [s].
    worker_timeout : float
        How long to wait for the first worker, and for a new one when all have been lost [s].
    describe : callable
        Returns the description of a task for error messages.

    Yields
    ------
    number : int
        Number of the task, from 0 [1].
    result : object
        The result of the function.

    Raises
    ------
    ClusterError
        If the cluster cannot be reached, has no workers or runs another version of this package, or if several workers
        died while running the same task.
    Exception
        Whatever the function or the iterable of tasks raises.
    ValueError
        If `n_ahead` is below 1.
    """
    n_ahead = whole_number("n_ahead", n_ahead, at_least=1)
    scheduler = find_scheduler(address)
    with connected(scheduler, connect_timeout) as client:
        _count_threads(client, scheduler, worker_timeout)
        check_software(client, scheduler)
        yield from _map(client, function, tasks, scheduler, n_ahead, worker_timeout, describe)


def find_scheduler(address: str | os.PathLike[str]) -> str:
    """The address of a scheduler, given as it is or by a scheduler file."""
    if str(address).startswith(("tcp://", "tls://")):
        return str(address)
    try:
        return str(json.loads(Path(address).read_text("utf-8"))["address"])
    except FileNotFoundError:
        raise ClusterError(f"{address}: no such scheduler file; an address looks like tcp://host:8786") from None
    except OSError as error:
        raise ClusterError(f"{address}: scheduler file cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ClusterError(f"{address}: not a scheduler file of `dask scheduler --scheduler-file`") from None


@contextmanager
def connected(scheduler: str, timeout: float) -> Iterator[Client]:
    """A client connected to a scheduler, within a time limit [s]."""
    from distributed import Client, Security

    security = Security()  # from Dask's settings
    if scheduler.startswith("tls://") and not security.get_connection_args("client")["ssl_context"]:
        raise ClusterError(f"{scheduler}: no certificates: set them in Dask's settings, distributed.comm.tls")
    try:
        with ThreadPoolExecutor(1) as pool:  # this thread may already run an event loop
            pool.submit(asyncio.run, _shake_hands(scheduler, timeout, security)).result()
        client = Client(scheduler, timeout=timeout, security=security, set_as_default=False)
    except (OSError, ValueError, ImportError, MemoryError) as error:
        raise ClusterError(f"{scheduler}: no scheduler can be reached: {short_reason(error)}") from error
    with _silent("distributed.client"):  # a lost scheduler is reported by our own error
        try:
            yield client
        finally:
            with suppress(OSError):
                client.close(timeout=_CLOSE_TIMEOUT)


@contextmanager
def _silent(logger_name: str) -> Iterator[None]:
    logger = logging.getLogger(logger_name)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


async def _shake_hands(scheduler: str, timeout: float, security: Security) -> None:
    """Raise unless a scheduler responds; `Client` itself would wait forever for a server of another kind."""
    from distributed.comm.core import connect

    arguments = security.get_connection_args("client")
    comm = await asyncio.wait_for(connect(scheduler, timeout=timeout, **arguments), timeout + 1.0)
    try:
        await comm.write({"op": "identity", "reply": True})
        found = (await asyncio.wait_for(comm.read(), timeout))["type"]
    finally:
        await comm.close()
    if found != "Scheduler":
        raise ValueError(f"this is the address of a {found}")


def check_software(client: Client, scheduler: str) -> None:
    """Raise if a machine runs another version of this package; warn of other differences that may change results."""
    try:
        with scheduler_errors(scheduler):
            found = {f"scheduler {scheduler}": client.run_on_scheduler(_describe_machine)}
    except ImportError as error:
        reason = short_reason(error)
        raise ClusterError(f"scheduler {scheduler} cannot load spikedata {__version__}: {reason}") from error
    with scheduler_errors(scheduler):
        workers = client.run(_describe_machine, on_error="return")
    found |= {f"worker {name}": there for name, there in workers.items() if not isinstance(there, OSError)}
    here = _describe_machine()
    differences: dict[tuple[str, str], str] = {}
    for machine, there in found.items():
        if isinstance(there, Exception):
            raise ClusterError(f"{machine} cannot load spikedata {__version__}: {short_reason(there)}") from there
        if there["spikedata"] != __version__:
            raise ClusterError(wrong_version(machine, there["spikedata"], __version__))
        if machine.startswith("worker"):
            for name in here:
                if there[name] != here[name]:
                    differences.setdefault((name, there[name]), machine)
    for (name, value), machine in differences.items():
        text = "%s has %s %s, this machine %s: its results may differ in the last bits"
        _logger.warning(text, machine, name, value, here[name])


def wrong_version(machine: str, found: str, expected: str) -> str:
    """The message for a machine that runs another version of this package."""
    return f"{machine} has spikedata {found}, this machine {expected}: install the same version on all machines"


def _describe_machine() -> dict[str, str]:
    """Everything on which the bits of a result may depend."""
    # the processor for which Numba compiles
    processor = importlib.import_module("llvmlite.binding").get_host_cpu_name()
    libraries = {name: version(name) for name in _BIT_RELEVANT}
    return {"spikedata": __version__, "python": platform.python_version(), **libraries, "processor": processor}


class _Flight(NamedTuple):
    """A task that has been sent and whose result has not arrived."""

    number: int
    name: str
    future: Future[Any]


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
    workers: set[str] = set()
    finished: SimpleQueue[Future[Any]] = SimpleQueue()
    while True:
        n_places = n_ahead * _count_threads(client, scheduler, worker_timeout, workers)
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
            result = _collect(client, flight, scheduler, worker_timeout, workers)
            future.release()
            yield flight.number, result


def _run(function: Callable[[Task], Result], task: Task, expected: str) -> Result:
    """Run a task on a worker; checks the version again, since the worker may have joined after `check_software`."""
    if __version__ != expected:
        raise ClusterError(wrong_version(f"worker {platform.node()}", __version__, expected))
    return function(task)


def _collect(client: Client, flight: _Flight, scheduler: str, worker_timeout: float, workers: set[str]) -> Any:
    """The result of a finished task; if its worker dies before the result arrives, Dask runs the task again."""
    from distributed.scheduler import KilledWorker

    loop: Any = client.loop  # the event loop of Dask's own thread
    arriving = asyncio.run_coroutine_threadsafe(client.gather(flight.future, asynchronous=True), loop.asyncio_loop)
    while not wait([arriving], timeout=_LOOK_AROUND).done:
        _count_threads(client, scheduler, worker_timeout, workers)
    try:
        return arriving.result()
    except KilledWorker as error:
        raise ClusterError(
            f"task {flight.number} ({flight.name}): {error.allowed_failures + 1} workers died while running it; "
            "see their logs (out of memory?)"
        ) from None
    except (CancelledError, asyncio.CancelledError):
        raise ClusterError(f"{scheduler}: the scheduler has stopped, or has dropped the tasks") from None


def _count_threads(client: Client, scheduler: str, timeout: float, known: set[str] | None = None) -> int:
    """Number of threads of all workers; waits for a worker if there is none, and tells which have come and gone."""
    deadline, warned = monotonic() + timeout, False
    while True:
        with scheduler_errors(scheduler):
            threads = client.nthreads()
        if known is not None:
            _tell_of_changes(known, threads.keys())
        n_threads = int(sum(threads.values()))
        if n_threads:
            return n_threads
        if monotonic() > deadline:
            raise ClusterError(f"{scheduler}: has no workers, waited {timeout:g} s: start some with `dask worker`")
        if not warned:
            _logger.warning("%s has no workers: waiting up to %g s for one", scheduler, timeout)
            warned = True
        sleep(min(_LOOK_AROUND, timeout / 4))


def _tell_of_changes(known: set[str], now: Iterable[str]) -> None:
    """Log the workers that were lost and those that have joined since the last look; the first is not one."""
    there = set(now)
    if known:
        for name in sorted(known - there):
            _logger.info("worker %s was lost; others encode its clips (%d left)", name, len(there & known))
        for name in sorted(there - known):
            _logger.info("worker %s has joined", name)
    known.clear()
    known.update(there)


@contextmanager
def scheduler_errors(scheduler: str) -> Iterator[None]:
    """Raise a `ClusterError` in place of what Dask raises if a scheduler does not respond."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise ClusterError(f"{scheduler}: the scheduler does not respond: {short_reason(error)}") from error


def short_reason(error: Exception) -> str:
    """The first line of an error message, or the name of the error if it has none."""
    return str(error).partition("\n")[0] or ("no response" if isinstance(error, TimeoutError) else type(error).__name__)
