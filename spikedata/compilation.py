"""Compile functions of arrays with Numba, and cache the machine code where possible."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]  # any array: Numba compiles a function for each type with which it is called
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
