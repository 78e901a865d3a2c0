"""Spikes that reach their own layer later, for the kernels: `spikedata.nn.neurons.recurrent_delays` is the plain form.

Forward, each spike is added to the steps at which it is sent; few neurons fire, so it costs little. Backward, the
gradients of all that was sent later are gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.memory import empty
from spikedata.nn.kernels.rows import list_active

_NARROW = 4  # mean number of delays up to which each neuron's are gathered on their own; measured


@compiled
def send_later(spikes: Array, kernel: Array, bands: Array, step: int, sent: Array, units: Array, values: Array) -> None:
    """Add the spikes of a step to `sent` (step, neuron), at the steps at which they are sent."""
    n_steps = sent.shape[0]
    n_active = list_active(spikes, units, values)
    for i in range(n_active):
        j = units[i]
        last = min(bands[1, j], n_steps - step)
        for k in range(bands[0, j], last):
            sent[step + k, j] += kernel[k, j] * values[i]


@compiled
def gather_later(gradient: Array, kernel: Array, bands: Array, narrow: bool, step: int, total: Array) -> None:
    """Set `total` (clip, neuron) to the sum over k of kernel[k] gradient[step + k]; `gradient` is (step, clip, neuron).

    `narrow` says that each neuron's delays are few.
    """
    n_steps, n_clips, n_neurons = gradient.shape
    first, last = bands[0].min(), min(bands[1].max(), n_steps - step)
    for clip in range(n_clips):
        row = total[clip]
        for j in range(n_neurons):
            row[j] = 0
        if narrow:
            for j in range(n_neurons):
                for k in range(bands[0, j], min(bands[1, j], n_steps - step)):
                    row[j] += kernel[k, j] * gradient[step + k, clip, j]
        else:
            for k in range(first, last):
                share, later = kernel[k], gradient[step + k, clip]
                for j in range(n_neurons):
                    row[j] += share[j] * later[j]


@compiled
def kernel_gradient(
    spikes: Array, gradient: Array, bands: Array, begin: int, units: Array, values: Array, total: Array
) -> None:
    """Add to `total` (delay, neuron) the sum over clips and steps of spikes[n] gradient[n + k]."""
    n_steps, n_clips, _ = gradient.shape
    for clip in range(n_clips):
        for step in range(n_steps):
            n_active = list_active(spikes[begin + clip, step], units, values)
            for i in range(n_active):
                j = units[i]
                for k in range(bands[0, j], min(bands[1, j], n_steps - step)):
                    total[k, j] += values[i] * gradient[step + k, clip, j]


class Delayed(NamedTuple):
    """The delays of a layer as its passes take them; without delays, all are empty.

    Parameters
    ----------
    kernel : Tensor, (delay, neuron)
        Share that is sent at each delay [1].
    bands : Tensor of int64, (2, neuron)
        First delay at which anything is sent, and the one after the last [step].
    sent : Tensor, (batch, step, neuron)
        What is sent at each step, filled by the forward pass [1].
    """

    kernel: Tensor
    bands: Tensor
    sent: Tensor

    def arrays(self) -> tuple[Array, Array, Array]:
        """The three as arrays."""
        return self.kernel.numpy(), self.bands.numpy(), self.sent.numpy()

    def of(self, spikes: Tensor) -> Tensor:
        """What goes through the recurrent weights: `sent`, or without delays the spikes."""
        return self.sent if self.kernel.numel() else spikes


def delayed_of(delay_kernel: Tensor | None, drive: Tensor) -> Delayed:
    """The delays of a layer with a drive (batch, step, neuron)."""
    if delay_kernel is None:
        return Delayed(drive.new_empty(0, 0), torch.empty(2, 0, dtype=torch.int64), drive.new_empty(0, 0, 0))
    kernel = delay_kernel.detach().to(drive.dtype).contiguous()
    is_sent = kernel.numpy() != 0
    bands = np.stack([is_sent.argmax(axis=0), len(is_sent) - is_sent[::-1].argmax(axis=0)])
    bands[1, ~is_sent.any(axis=0)] = 0
    return Delayed(kernel, torch.from_numpy(bands), empty(tuple(drive.shape), drive.dtype).zero_())


def check_delays(delay_kernel: Tensor | None, drive: Tensor, recurrent_weight: Tensor | None) -> None:
    """Raise ValueError unless there are delays for each neuron of a recurrent layer, or none."""
    if delay_kernel is None:
        return
    if recurrent_weight is None:
        raise ValueError("delay_kernel needs a recurrent_weight, through which spikes are sent later")
    n = drive.shape[2]
    if delay_kernel.ndim != 2 or not len(delay_kernel) or delay_kernel.shape[1] != n:
        raise ValueError(f"delay_kernel must be (delay, {n}), got {tuple(delay_kernel.shape)}")


class Returning:
    """Gradients of what some clips sent, gathered step by step into those of their spikes.

    Parameters
    ----------
    delays : Delayed
        Of the layer.
    n_clips : int
        Number of clips [1].
    """

    def __init__(self, delays: Delayed, n_clips: int) -> None:
        _, n_steps, n_neurons = delays.sent.shape
        self._delays = delays
        self._of_sent = torch.zeros(n_steps, n_clips, n_neurons, dtype=delays.sent.dtype)
        self._total = torch.empty(n_clips, n_neurons, dtype=delays.sent.dtype)
        widths = delays.bands[1] - delays.bands[0]
        self._is_narrow = bool(widths.double().mean() <= _NARROW)

    def take(self, step: int, of_sent: Tensor) -> Array:
        """The gradient (clip, neuron) of the spikes of a step, given that of what was sent at it."""
        self._of_sent[step] = of_sent
        kernel, bands, _ = self._delays.arrays()
        gather_later(self._of_sent.numpy(), kernel, bands, self._is_narrow, step, self._total.numpy())
        return self._total.numpy()

    def of_kernel(self, spikes: Tensor, begin: int) -> Tensor:
        """The gradient (delay, neuron) of the kernel, in float64, for clips of a batch from ``begin`` on."""
        kernel, bands, _ = self._delays.arrays()
        total = np.zeros(kernel.shape, kernel.dtype)
        units, values = np.empty(kernel.shape[1], np.uint32), np.empty(kernel.shape[1], kernel.dtype)
        kernel_gradient(spikes.numpy(), self._of_sent.numpy(), bands, begin, units, values, total)
        return torch.from_numpy(total).double()


def returning_of(delays: Delayed, n_clips: int) -> Returning | None:
    """Gradients that return from what some clips sent; None without delays."""
    return Returning(delays, n_clips) if delays.kernel.numel() else None


def kernel_sum(parts: Sequence[Tensor | None], delays: Delayed) -> Tensor:
    """The gradient of a kernel from those of all chunks of clips, in their order."""
    total = torch.zeros(delays.kernel.shape, dtype=torch.float64)
    for part in parts:
        total += 0 if part is None else part
    return total.to(delays.kernel.dtype)
