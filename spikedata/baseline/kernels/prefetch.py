"""Ask the memory for what will be needed soon.

Going back through time, the rows of a step lie far apart, and the processor does not guess which one comes next.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from spikedata.compilation import Array, compiled

_LINE = 64  # bytes that are fetched together


@compiled
def fetch_ahead(row: Array) -> None:
    """Ask for a row, without waiting for it."""
    begin = row.ctypes.data
    for offset in range(0, row.size * row.itemsize, _LINE):
        _prefetch(begin + offset)


def _generate_prefetch(typing_context: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte_pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte_pointer], kind)
        read, near, data = number(0), number(3), number(1)
        builder.call(function, [builder.inttoptr(arguments[0], byte_pointer), read, near, data])
        return context.get_dummy_value()

    return types.void(types.uintp), generate


# what stands for it in compiled code takes the address alone
_prefetch = cast(Callable[[int], None], intrinsic(_generate_prefetch))
