"""Compiled passes that find the largest value over the steps of the clips from `begin` to `end`."""

import numpy as np

from spikedata.compilation import Array, compiled


@compiled
def find_peaks(values: Array, peaks: Array, begin: int, end: int) -> None:
    """Fill `peaks` (clip, class) with the largest of `values` (clip, step, class); NaN where there is one."""
    for clip in range(begin, end):
        peak = peaks[clip]
        peak[:] = values[clip, 0]
        for step in range(1, values.shape[1]):
            x = values[clip, step]
            for j in range(peak.size):
                peak[j] = x[j] if x[j] > peak[j] or x[j] != x[j] else peak[j]  # NaN stays NaN


@compiled
def share_among_peaks(values: Array, peaks: Array, gradient: Array, shared: Array, begin: int, end: int) -> None:
    """Fill `shared` (clip, step, class) with the `gradient` of the peaks, in equal parts for steps that all have it."""
    zero, one = values.dtype.type(0.0), values.dtype.type(1.0)
    part = np.empty(values.shape[2], values.dtype)
    for clip in range(begin, end):
        peak = peaks[clip]
        part[:] = zero
        for step in range(values.shape[1]):
            x = values[clip, step]
            for j in range(part.size):
                part[j] += one if x[j] == peak[j] else zero
        for j in range(part.size):
            part[j] = gradient[clip, j] / part[j]
        for step in range(values.shape[1]):
            x, out = values[clip, step], shared[clip, step]
            for j in range(part.size):
                out[j] = part[j] if x[j] == peak[j] else zero
