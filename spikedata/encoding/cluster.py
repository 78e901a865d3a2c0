"""Map a function over tasks on the workers of a Dask cluster.

Dask runs the tasks of a worker that died again on another one. What is added here: bounded memory at both ends, a
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


class ClusterError(OSError):
    """A cluster that cannot be reached, is not fit for the work, or gave up; the message says which and why."""


@contextmanager
def scheduler_errors(scheduler: str) -> Iterator[None]:
    """Give what Dask raises where a scheduler does not answer the words of a `ClusterError`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise ClusterError(f"{scheduler}: the scheduler does not answer: {short_reason(error)}") from error


def short_reason(error: Exception) -> str:
    """The first line of what an error says, or its kind."""
    return str(error).partition("\n")[0] or ("no answer" if isinstance(error, TimeoutError) else type(error).__name__)


_BIT_RELEVANT = ("numpy", "scipy", "numba")  # whose version may change the last bits of a result

_software_logger = logging.getLogger(__name__)


def check_software(client: Client, scheduler: str) -> None:
    """Refuse another version of this package; warn of what else may change a result's bits."""
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
        text = "%s has %s %s, here is %s: its results may differ from ours in the last bits"
        _software_logger.warning(text, machine, name, value, here[name])


def wrong_version(machine: str, found: str, expected: str) -> str:
    """What to say of a machine that runs another version of this package."""
    return f"{machine} has spikedata {found}, here is {expected}: install the same version on all machines"


def _describe_machine() -> dict[str, str]:
    """What the bits of a result may depend on."""
    processor = importlib.import_module("llvmlite.binding").get_host_cpu_name()  # what Numba compiles for
    libraries = {name: version(name) for name in _BIT_RELEVANT}
    return {"spikedata": __version__, "python": platform.python_version(), **libraries, "processor": processor}


_CLOSE_TIMEOUT = 10.0  # [s] for saying goodbye to a scheduler


def find_scheduler(address: str | os.PathLike[str]) -> str:
    """The address of a scheduler, which may be named by its scheduler file."""
    if str(address).startswith(("tcp://", "tls://")):
        return str(address)
    try:
        return str(json.loads(Path(address).read_text("utf-8"))["address"])
    except FileNotFoundError:
        raise ClusterError(f"{address}: no such scheduler file; an address looks like tcp://host:8786") from None
    except OSError as error:
        raise ClusterError(f"{address}: scheduler file cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise ClusterError(f"{address}: not a scheduler file as `dask scheduler --scheduler-file` writes it") from None


@contextmanager
def connected(scheduler: str, timeout: float) -> Iterator[Client]:
    """A client of a scheduler, found within a time limit [s]."""
    from distributed import Client, Security

    security = Security()  # what Dask's settings say
    if scheduler.startswith("tls://") and not security.get_connection_args("client")["ssl_context"]:
        raise ClusterError(f"{scheduler}: no certificates: name them in Dask's settings, distributed.comm.tls")
    try:
        with ThreadPoolExecutor(1) as pool:  # there may be an event loop in this thread
            pool.submit(asyncio.run, _shake_hands(scheduler, timeout, security)).result()
        client = Client(scheduler, timeout=timeout, security=security, set_as_default=False)
    except (OSError, ValueError, ImportError, MemoryError) as error:
        raise ClusterError(f"{scheduler}: no scheduler can be reached: {short_reason(error)}") from error
    with _silent("distributed.client"):  # of a scheduler that is gone, we speak ourselves
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
    """Find out whether a scheduler answers; `Client` itself would wait for ever for a server of another kind."""
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


_LOOK_AROUND = 1.0  # [s] between two looks at who is there

_logger = logging.getLogger(__name__)
Task = TypeVar("Task")
Result = TypeVar("Result")


class _Flight(NamedTuple):
    """A task that has been sent, and has not come back."""

    number: int
    name: str
    future: Future[Any]


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
    n_ahead = whole_number("n_ahead", n_ahead, at_least=1)
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
    finished: SimpleQueue[Future[Any]] = SimpleQueue()
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
            n_threads = int(sum(client.nthreads().values()))
        if n_threads:
            return n_threads
        if monotonic() > deadline:
            raise ClusterError(f"{scheduler}: has no workers, waited {timeout:g} s: start some with `dask worker`")
        if not warned:
            _logger.warning("%s has no workers: waiting up to %g s for one", scheduler, timeout)
            warned = True
        sleep(min(_LOOK_AROUND, timeout / 4))


__all__ = ["ClusterError", "map_on_cluster"]
