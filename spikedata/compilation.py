"""Compile a pass over arrays with Numba, and keep the machine code where that can be kept."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]  # of a pass: Numba compiles it anew for every type that comes
_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function of arrays and numbers, compiled; it runs without the interpreter's lock.

    Where no folder for the machine code can be written, it is compiled anew in every process.
    """
    try:
        compiled_pass = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        compiled_pass = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Callable[_P, _R], compiled_pass)
