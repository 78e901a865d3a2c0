"""Reach a scheduler, or say within bounded time why it cannot be reached."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from spikedata.cluster.errors import ClusterError, short_reason

if TYPE_CHECKING:
    from distributed import Client, Security

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
