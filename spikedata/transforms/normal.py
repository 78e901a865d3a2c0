"""Numbers of the normal distribution out of 64-bit words, one word for almost every number.

The ziggurat method (Marsaglia, Tsang: The ziggurat method for generating random variables; J. Statistical Software 5:8,
2000): the half under the bell is cut into layers of equal area. A layer and a place in it are drawn; the place is the
number if it lies under the bell for sure, which it does in 99 of 100 cases, and otherwise a second word decides. The
distribution is exact but for the 2**-53 steps of the place.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spikedata.compilation import compiled
from spikedata.streams import GOLDEN, mixed

_N_LAYERS = 256
_TAIL = 3.6541528853610088  # where the lowest layer's rectangle ends and the tail begins, for 256 layers (same paper)


def _layers() -> tuple[np.ndarray, np.ndarray]:
    # right edge of each layer, the lowest first, and the height of the bell there
    area = _TAIL * math.exp(-(_TAIL**2) / 2) + math.sqrt(math.pi / 2) * math.erfc(_TAIL / math.sqrt(2))
    edges = [area / math.exp(-(_TAIL**2) / 2), _TAIL]
    for _ in range(_N_LAYERS - 2):
        edges.append(math.sqrt(-2 * math.log(area / edges[-1] + math.exp(-(edges[-1] ** 2) / 2))))
    edges.append(0.0)
    return np.array(edges), np.exp(-(np.array(edges) ** 2) / 2)


_EDGES, _HEIGHTS = _layers()
_STEPS = _EDGES * 2.0**-52  # of a place of 53 bits and sign
mixed_word: Callable[[Any], Any] = compiled(mixed)


@compiled
def normal_of(word: Any) -> Any:
    """The number of mean 0 and variance 1 that a random 64-bit word stands for."""
    while True:
        layer = np.int64(word & np.uint64(_N_LAYERS - 1))
        x = (np.int64(word) >> 11) * _STEPS[layer]
        if abs(x) < _EDGES[layer + 1]:
            return x
        word, u = _next(word)
        if layer == 0:
            return math.copysign(_tail_of(word, u), x)
        if _HEIGHTS[layer] + u * (_HEIGHTS[layer + 1] - _HEIGHTS[layer]) < math.exp(-x * x / 2):
            return x
        word, u = _next(word)


@compiled
def _tail_of(word: Any, u: float) -> float:
    # a number beyond _TAIL, by rejection from an exponential (Marsaglia, 1964)
    while True:
        x = -math.log(1.0 - u) / _TAIL
        word, u = _next(word)
        if -2.0 * math.log(1.0 - u) > x * x:
            return _TAIL + x
        word, u = _next(word)


@compiled
def _next(word: Any) -> tuple[Any, float]:
    # another word, and what it is in 0 <= u < 1
    word = mixed_word(word + GOLDEN)
    return word, np.float64(np.int64(word >> np.uint64(11))) * 2.0**-53
