"""Ask the memory for what will be needed soon.

Going back through time, the rows of a step lie far apart, and the processor does not guess which one comes next.
"""

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from spikedata.compilation import compiled

_LINE = 64  # bytes that are fetched together


@compiled
def fetch_ahead(row):  # type: ignore[no-untyped-def]
    """Ask for a row, without waiting for it."""
    begin = row.ctypes.data
    for offset in range(0, row.size * row.itemsize, _LINE):
        _prefetch(begin + offset)  # type: ignore[call-arg]


@intrinsic
def _prefetch(typing_context, address):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        byte_pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte_pointer], kind)
        read, near, data = number(0), number(3), number(1)
        builder.call(function, [builder.inttoptr(arguments[0], byte_pointer), read, near, data])
        return context.get_dummy_value()

    return types.void(types.uintp), generate
