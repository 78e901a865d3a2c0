"""Compile functions of arrays with Numba, and cache the machine code where possible."""

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import event
from numpy.typing import NDArray

Array = NDArray[Any]  # any array: Numba compiles a function for each type with which it is called
# [s] of one processor for all that a training needs, in a process that finds nothing in the cache; what other work
# needs takes a second or two
_SECONDS, _OF = 15, "spikedata.nn."
_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of arrays and numbers; it then runs without the interpreter's lock.

    If no folder for the machine code is writable, the function is compiled again in every process.
    """
    try:
        compiled_pass = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        compiled_pass = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Callable[_P, _R], compiled_pass)


class _Announcement(event.Listener):
    """Says once that kernels are compiled, where none are in the cache: a first epoch that takes long has a reason."""

    def __init__(self) -> None:
        self._is_made = False

    def on_start(self, event: event.Event) -> None:
        """A function is about to be compiled, by whatever package."""
        if not self._is_made and event.data["dispatcher"].py_func.__module__.startswith(_OF):
            self._is_made = True
            _log.info("compiling the kernels of networks, once: about %d s", _SECONDS)

    def on_end(self, event: event.Event) -> None:
        """Nothing: the next kernel follows."""


event.register("numba:compile", _Announcement())
