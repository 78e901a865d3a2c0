"""Compiled passes over rows, one row being the neurons of one clip at one step; the kernels are made of these.

Each loop touches few arrays, so that the compiler can tell that they do not overlap, and makes it one of vectors. Tiny
values are set to zero: decaying states would become subnormal numbers, which slow a processor down a hundredfold.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
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


_LARGEST_EXPONENT = 60.0  # exp(-60) stands for the exp of anything smaller
_EXP_OF_EIGHTHS = np.exp(-np.arange(8 * _LARGEST_EXPONENT + 1) / 8)
_EXP_OF_EIGHTHS_SHORT = _EXP_OF_EIGHTHS.astype(np.float32)


@compiled
def list_active(spikes: Array, active: Array, values: Array) -> int:
    """Write the numbers and values of the neurons that are not silent, and return how many; there is room for all."""
    n = 0
    for j in range(spikes.size):
        active[n] = j
        values[n] = spikes[j]
        n += spikes[j] != 0
    return n


@compiled
def add_rows(matrix: Array, chosen: Array, values: Array, first: int, last: int, total: Array) -> None:
    """Add the rows of a matrix that the places `first` to `last` of `chosen` name, each times its value, to `total`."""
    i = first
    while i + 4 <= last:
        v0, v1, v2, v3 = values[i], values[i + 1], values[i + 2], values[i + 3]
        row0, row1 = matrix[chosen[i]], matrix[chosen[i + 1]]
        row2, row3 = matrix[chosen[i + 2]], matrix[chosen[i + 3]]
        for j in range(total.size):
            total[j] += (v0 * row0[j] + v1 * row1[j]) + (v2 * row2[j] + v3 * row3[j])
        i += 4
    if i + 2 <= last:
        v0, v1, row0, row1 = values[i], values[i + 1], matrix[chosen[i]], matrix[chosen[i + 1]]
        for j in range(total.size):
            total[j] += v0 * row0[j] + v1 * row1[j]
        i += 2
    if i < last:
        v0, row0 = values[i], matrix[chosen[i]]
        for j in range(total.size):
            total[j] += v0 * row0[j]


@compiled
def surrogate_row(above: Array, shape: int, scale: float, height: float, derivative: Array) -> None:
    """Derivative of the surrogate of a row; `shape` is its place in `spikedata.nn.surrogate.SHAPES`."""
    one, zero = above.dtype.type(1.0), above.dtype.type(0.0)
    if shape == 0:
        for j in range(above.size):
            widened = scale * abs(above[j]) + one
            derivative[j] = height / (widened * widened)
    elif shape == 2:
        for j in range(above.size):
            left = one - scale * abs(above[j])
            derivative[j] = zero if left <= zero else height * left
    elif shape == 3:
        for j in range(above.size):
            derivative[j] = height if scale * abs(above[j]) <= one else zero
    elif shape == 4:
        for j in range(above.size):
            z = scale * above[j]
            derivative[j] = height / (z * z + one)
    else:
        _exponential_row(above, shape, scale, height, derivative)


@compiled
def _exponential_row(above: Array, shape: int, scale: float, height: float, derivative: Array) -> None:
    # exp(-z) from a table of eighths and a power series of what is left: unlike math.exp it becomes one of vectors
    t = above.dtype.type
    one, most = t(1.0), t(_LARGEST_EXPONENT)
    for j in range(above.size):
        z = scale * abs(above[j])
        near = z if z < most else most  # NaN too, for now
        eighths = np.int32(near * t(8.0) + t(0.5))
        r = t(eighths) * t(0.125) - (most if z > most else z)
        series = t(1 / 24) + r * t(1 / 120)
        if above.itemsize == 4:  # which is decided when this is compiled
            power = t(_EXP_OF_EIGHTHS_SHORT[eighths])
        else:
            power = t(_EXP_OF_EIGHTHS[eighths])
            series += r * r * (t(1 / 720) + r * (t(1 / 5040) + r * t(1 / 40320)))
        derivative[j] = power * (one + r * (one + r * (t(1 / 2) + r * (t(1 / 6) + r * series))))
    if shape == 5:
        for j in range(above.size):
            derivative[j] *= height
    else:
        for j in range(above.size):
            decayed = derivative[j]
            derivative[j] = height * t(4.0) * decayed / ((one + decayed) * (one + decayed))
