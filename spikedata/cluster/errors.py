"""What goes wrong with a cluster, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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
