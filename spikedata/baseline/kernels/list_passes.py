"""Compiled passes that make lists of spikes, and that gather rows by them: of a weight, and of a gradient for it.

The spikes of clip b in step i are places starts[b, i] to ends[b, i] of the numbers and the values.
"""

import numpy as np

from spikedata.baseline.kernels.rows import add_rows, list_active
from spikedata.compilation import Array, compiled


@compiled
def list_spikes(spikes: Array, begin: int, end: int, units: Array, values: Array, starts: Array, ends: Array) -> bool:
    """List the spikes of the clips from `begin` to `end`; return False if the lists are too short.

    They must be longer than all spikes and one more step of all neurons.
    """
    n = 0
    for clip in range(begin, end):
        for step in range(spikes.shape[1]):
            if n + spikes.shape[2] >= units.size:
                return False
            starts[clip - begin, step] = n
            n += list_active(spikes[clip, step], units[n:], values[n:])
            ends[clip - begin, step] = n
    return True


@compiled
def gather_rows(units: Array, values: Array, starts: Array, ends: Array, weight: Array, drive: Array) -> None:
    """Set each row of `drive` (clip, step, to) to the weight's rows of its spikes, each times its value."""
    for clip in range(drive.shape[0]):
        for step in range(drive.shape[1]):
            total = drive[clip, step]
            total[:] = 0
            add_rows(weight, units, values, starts[clip, step], ends[clip, step], total)


@compiled
def gather_gradient(
    units: Array, values: Array, starts: Array, ends: Array, gradient: Array, delay: int, n_together: int,
    total: Array,
) -> None:  # fmt: skip
    """Add value x gradient[clip, step + delay] of each spike to the row of `total` that is its unit's.

    The spikes of some clips together are first sorted by unit: then a row of `total` stays at hand while the rows of
    the gradient are added to it, four at a time.
    """
    n_clips, n_steps, n_to = gradient.shape
    flat = gradient.reshape(n_clips * n_steps, n_to)
    after = np.empty(total.shape[0] + 1, np.int64)  # place after the last spike of each unit
    for first in range(0, n_clips, n_together):
        last = min(first + n_together, n_clips)
        after[:] = 0
        for clip in range(first, last):
            for step in range(n_steps - delay):
                for i in range(starts[clip, step], ends[clip, step]):
                    after[np.int64(units[i]) + 1] += 1
        for unit in range(1, after.size):
            after[unit] += after[unit - 1]
        rows, sorted_values = np.empty(after[-1], np.int64), np.empty(after[-1], values.dtype)
        for clip in range(first, last):
            for step in range(n_steps - delay):
                for i in range(starts[clip, step], ends[clip, step]):
                    place = after[units[i]]
                    rows[place] = clip * n_steps + step + delay
                    sorted_values[place] = values[i]
                    after[units[i]] = place + 1
        begin = 0
        for unit in range(total.shape[0]):
            add_rows(flat, rows, sorted_values, begin, after[unit], total[unit])
            begin = after[unit]
