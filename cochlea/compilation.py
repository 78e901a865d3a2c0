"""Compile a kernel with Numba, and keep the machine code where that can be kept."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]  # of a kernel: Numba compiles it anew for every type that comes
_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(*, fastmath: bool | set[str] = False) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that compiles a function of arrays and numbers; it runs without the interpreter's lock.

    The machine code is cached on the disk. Where no folder for that can be written (packages and home read-only), it is
    compiled anew in every process.

    Parameters
    ----------
    fastmath : bool or set of str
        Whether sums may be reordered and special values ignored, or which of LLVM's liberties the compiler has.
    """

    def compile_function(function: Callable[_P, _R]) -> Callable[_P, _R]:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            kernel = numba.njit(**options)(function)
        return cast(Callable[_P, _R], kernel)

    return compile_function
