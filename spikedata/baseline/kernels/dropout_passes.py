"""Compiled pass that drops values: each row has two keys, and a hash of key and place decides.

The hash is that of Chris Wellons' lowbias32 (public domain), with the second key added in its middle.
"""

import numpy as np

from spikedata.compilation import Array, compiled

SPREAD, FIRST_FACTOR, SECOND_FACTOR = 0x9E3779B9, 0x7FEB352D, 0x846CA68B


@compiled
def drop_values(
    values: Array, keys: Array, n_alike: int, n_dropped: int, scale: float, first: int, last: int, kept: Array,
) -> None:  # fmt: skip
    """Fill the rows `first` to `last` of `kept` with those of `values` times `scale`, or zero where the hash says so.

    `keys` (2, row key) has one pair for `n_alike` rows in a row. Of the 2**32 hashes `n_dropped` drop a value.
    """
    zero, spread = values.dtype.type(0.0), np.uint32(SPREAD)
    first_factor, second_factor = np.uint32(FIRST_FACTOR), np.uint32(SECOND_FACTOR)
    for row in range(first, last):
        key, second_key = keys[0, row // n_alike], keys[1, row // n_alike]
        given, out = values[row], kept[row]
        for j in range(given.size):
            x = np.uint32(np.uint32(j) * spread + key)
            x = np.uint32((x ^ (x >> np.uint32(16))) * first_factor + second_key)
            x = np.uint32((x ^ (x >> np.uint32(15))) * second_factor)
            x = np.uint32(x ^ (x >> np.uint32(16)))
            out[j] = zero if x < n_dropped else given[j] * scale
