"""What the Triton kernels of layers are made of: tiles of clips and neurons, and the passes over one tile.

A program holds the states of a tile (clip, neuron) in registers and runs it through all steps. Without recurrent
weights neurons know nothing of each other, so tiles are small. With them a program holds all neurons of 16 clips, the
fewest that `tl.dot` takes; what every neuron emits at a step goes through global memory (where it has to be written
anyway), and the weight is streamed block by block from the cache that all programs share. This module needs `triton`.

Compiled functions have no annotations but `tl.constexpr`: Triton would read them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spikedata.nn.kernels.gpu import Absent
from spikedata.nn.surrogate import SHAPES

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError:  # the module can then be listed and documented, and nothing in it runs
    triton = tl = Absent()

_SUPERSPIKE = tl.constexpr(SHAPES.index("superspike"))
_SIGMOID = tl.constexpr(SHAPES.index("sigmoid"))
_TRIANGLE = tl.constexpr(SHAPES.index("triangle"))
_BOXCAR = tl.constexpr(SHAPES.index("boxcar"))
_ARCTAN = tl.constexpr(SHAPES.index("arctan"))


class Tiles(NamedTuple):
    """How a batch is cut into tiles.

    Attributes
    ----------
    grid : tuple of int
        Programs along clips and along neurons [1].
    clips, neurons : int
        Clips and neurons of a tile [1], powers of two.
    rows : int
        Rows of the weight that are multiplied at once [1].
    precision : str
        Of products: "ieee" or "tf32".
    warps : int
        Groups of 32 threads that work on a tile [1].
    """

    grid: tuple[int, int]
    clips: int
    neurons: int
    rows: int
    precision: str
    warps: int

    @property
    def of_kernel(self) -> dict[str, Any]:
        """The arguments of a kernel."""
        return {
            "CLIPS": self.clips,
            "NEURONS": self.neurons,
            "ROWS": self.rows,
            "PRECISION": self.precision,
            "num_warps": self.warps,
            "num_stages": 2,  # of loading the weight ahead: more would ask for shared memory that small GPUs lack
        }


def tiles_of(drive: Tensor, *, recurrent: bool) -> Tiles:
    """The tiles of a drive (batch, step, neuron)."""
    n_batch, _, n = drive.shape
    precision = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    if not recurrent:
        neurons = min(triton.next_power_of_2(n), 128)
        return Tiles((n_batch, triton.cdiv(n, neurons)), 1, neurons, 16, precision, max(neurons // 32, 1))
    neurons = max(triton.next_power_of_2(n), 16)
    warps = min(max(neurons // 32, 4), 16)  # with fewer, the states of 512 neurons do not fit into registers
    return Tiles((triton.cdiv(n_batch, 16), 1), 16, neurons, 16, precision, warps)


def on_device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """A block in which kernels are started on the GPU of a tensor; nothing for the interpreter."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


@triton.jit
def fired(over):
    """1 where a membrane is above its threshold, 0 elsewhere; NaN stays NaN."""
    return tl.where(over > 0, 1.0, tl.where(over <= 0, 0.0, over))


@triton.jit
def derivative_of(over, scale, height, SHAPE: tl.constexpr):
    """The surrogate derivative: `spikedata.nn.surrogate.surrogate_derivative`."""
    distance = tl.abs(over) * scale
    if SHAPE == _SUPERSPIKE:
        value = 1.0 / ((distance + 1.0) * (distance + 1.0))
    elif SHAPE == _SIGMOID:
        decayed = tl.exp(-distance)
        value = 4.0 * decayed / ((1.0 + decayed) * (1.0 + decayed))
    elif SHAPE == _TRIANGLE:
        value = tl.where(distance < 1.0, 1.0 - distance, tl.where(distance >= 1.0, 0.0, distance))
    elif SHAPE == _BOXCAR:
        value = tl.where(distance <= 1.0, 1.0, 0.0)
    elif SHAPE == _ARCTAN:
        value = 1.0 / (distance * distance + 1.0)
    else:
        value = tl.exp(-distance)
    return value * height


@triton.jit
def product(
    rows, weight, columns, is_clip, is_neuron, n, total,
    ROWS: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """`total` plus what all neurons of a clip emit, from memory at `rows` (clip, 1), times the weight."""
    for first in range(0, n, ROWS):
        inner = first + tl.arange(0, ROWS)
        is_inner = inner < n
        emitted = tl.load(rows + inner[None, :], mask=is_clip[:, None] & is_inner[None, :], other=0.0)
        block = tl.load(
            weight + inner[:, None] * n + columns[None, :], mask=is_inner[:, None] & is_neuron[None, :], other=0.0
        )
        total = tl.dot(emitted, block, total, input_precision=PRECISION)
    return total
