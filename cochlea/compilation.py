"""Compile a kernel with Numba, and cache the machine code on disk where that is possible."""

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import event
from numpy.typing import NDArray

Array = NDArray[Any]  # argument of a kernel: Numba compiles a version of the kernel for every element type
_SECONDS = 25  # [s] of one processor for all kernels of an encoding, in a process that finds none in the cache
_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled() -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that compiles a function of arrays and numbers, which then runs without the interpreter lock.

    The machine code is cached on disk. Where no cache folder is writable (read-only packages and home), the function is
    compiled again in every process.

    A compiled function gives the same bits on every processor: the compiler may neither reorder sums nor fuse a
    multiplication with an addition, which it does (`fastmath`) where a processor gains from it. A loop that sums is
    therefore not vectorized, unless its sum has several parts, one per lane.
    """

    def compile_function(function: Callable[_P, _R]) -> Callable[_P, _R]:
        # With NumPy's error model a division by zero gives infinity; Python's raises, and a loop that may raise is not
        # vectorized.
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False}
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            kernel = numba.njit(**options)(function)
        return cast(Callable[_P, _R], kernel)

    return compile_function


class _Announcement(event.Listener):
    """Says once that kernels are compiled, where none are in the cache: sound that comes back late has a reason."""

    def __init__(self) -> None:
        self._is_made = False

    def on_start(self, event: event.Event) -> None:
        """A function is about to be compiled, by whatever package."""
        if not self._is_made and event.data["dispatcher"].py_func.__module__.startswith("cochlea."):
            self._is_made = True
            _log.info("compiling the kernels of the cochlea, once: about %d s", _SECONDS)

    def on_end(self, event: event.Event) -> None:
        """Nothing: the next kernel follows."""


event.register("numba:compile", _Announcement())
