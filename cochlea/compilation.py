"""Compile a kernel with Numba, and cache the machine code on disk where that is possible."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]  # argument of a kernel: Numba compiles a version of the kernel for every element type
_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(*, fastmath: bool | set[str] = False) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that compiles a function of arrays and numbers, which then runs without the interpreter lock.

    The machine code is cached on disk. Where no cache folder is writable (read-only packages and home), the function is
    compiled again in every process.

    Parameters
    ----------
    fastmath : bool or set of str
        Whether the compiler may reorder sums and ignore NaN and infinity, or the set of LLVM's fast-math flags to use.
        Only reordered sums can be vectorized.
    """

    def compile_function(function: Callable[_P, _R]) -> Callable[_P, _R]:
        # With NumPy's error model a division by zero gives infinity; Python's raises, and a loop that may raise is not
        # vectorized.
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            kernel = numba.njit(**options)(function)
        return cast(Callable[_P, _R], kernel)

    return compile_function
