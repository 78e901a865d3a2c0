"""Compile a pass over arrays with Numba, and keep the machine code where that can be kept."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays and numbers, compiled; it runs without the interpreter's lock.

    Where no folder for the machine code can be written, it is compiled anew in every process.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return numba.njit(nogil=True, error_model="numpy")(function)
