"""Compile a kernel with Numba, and keep the machine code where that can be kept."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(*, fastmath: bool | set[str] = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that compiles a function of arrays and numbers; it runs without the interpreter's lock.

    The machine code is cached on the disk. Where no folder for that can be written (packages and home read-only), it is
    compiled anew in every process.

    Parameters
    ----------
    fastmath : bool or set of str
        Whether sums may be reordered and special values ignored, or which of LLVM's liberties the compiler has.
    """

    def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            return numba.njit(**options)(function)

    return compile_function
