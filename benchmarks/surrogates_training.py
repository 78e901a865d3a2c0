"""Training of one small network in one compiled call for each epoch, made of the passes of `spikedata.nn.kernels`.

An update of 100 neurons and 16 clips takes 0.7 ms in these passes, but 2 ms more by way of autograd and of products of
small matrices. A study of thousands of trainings saves them. `surrogates.py` compares the gradients with those of
autograd whenever it begins.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import negligible, surrogate_numbers
from spikedata.nn.kernels.integrator import integrate, integrate_back
from spikedata.nn.kernels.lif import lif_backward, lif_forward
from spikedata.nn.kernels.peak import find_peaks, share_among_peaks
from spikedata.nn.kernels.spike_lists import gather_gradient, gather_rows, list_spikes
from spikedata.nn.networks import SpikingNetwork
from spikedata.nn.neurons import LIFParams
from spikedata.training.losses import ActivityParams

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8  # of Adam, as PyTorch has them


class Clips(NamedTuple):
    """Inputs as lists, in the order of clips and steps, and labels.

    Attributes
    ----------
    units : ndarray of uint16, shape (n,)
        Number of each input that is not 0 [1].
    values : ndarray of float32, shape (n,)
        Its value [1].
    starts, ends : ndarray of int64, shape (clip, step)
        Where the inputs of a step are in both [1].
    labels : ndarray of int64, shape (clip,)
        Class [1].
    """

    units: npt.NDArray[np.uint16]
    values: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]


def listed(inputs: torch.Tensor, labels: torch.Tensor) -> Clips:
    """Dense inputs (clip, step, unit) as lists."""
    dense = inputs.numpy()
    clips, steps, units = np.nonzero(dense)
    counts = np.bincount(clips * dense.shape[1] + steps, minlength=dense.shape[0] * dense.shape[1])
    ends = np.cumsum(counts).reshape(dense.shape[:2])
    starts = ends - counts.reshape(dense.shape[:2])
    return Clips(units.astype(np.uint16), dense[clips, steps, units], starts, ends, labels.numpy())


class Learner:
    """A network's weights, which it shares, the moments of Adam, and the constants of the passes.

    Parameters
    ----------
    network : SpikingNetwork
        One layer of LIF neurons and a readout, maximum over time; its weights change in place.
    activity : ActivityParams
        Bounds; the lower one on neurons, squared, the upper one on their mean.
    rate_hidden, rate_readout : float
        Learning rates [1].
    """

    def __init__(
        self, network: SpikingNetwork, activity: ActivityParams, *, rate_hidden: float, rate_readout: float
    ) -> None:
        layer, readout = network.layers[0], network.readout
        params = layer.neuron
        if not isinstance(params, LIFParams) or params.reset != "zero" or network.params.readout != "max":
            raise ValueError(
                f"the network must have LIF neurons, reset to zero, and the readout max, got {network.params}"
            )
        within = None if layer.recurrent_weight is None else layer.recurrent_weight.detach().numpy()
        self.weights = (
            layer.projection.weight.detach().numpy(),
            np.empty((0, 0), np.float32) if within is None else within,
            readout.projection.weight.detach().numpy(),
        )
        self.moments = tuple(np.zeros((2, *weight.shape), np.float32) for weight in self.weights)
        self.rates = np.array([rate_hidden, rate_hidden, rate_readout])
        self.n_updates = 0
        decays = (*params.decays(network.dt), math.exp(-network.dt / network.params.tau_readout))
        self.numbers = tuple(map(np.float32, (*decays, params.threshold)))
        self.detached = params.detach_reset
        shape, scale, height = surrogate_numbers(params.surrogate, torch.float32)
        self.surrogate = (shape, scale, height)
        self.tiny = negligible(torch.float32)
        low = activity.lower_threshold, activity.lower_strength
        self.bounds = tuple(map(np.float32, (*low, activity.upper_threshold, activity.upper_strength)))

    def pass_over(self, clips: Clips, order: npt.NDArray[np.int64], batch: int) -> float:
        """Learn clips in an order, a batch at a time; return the loss of the last batch, NaN once one is not finite."""
        loss, self.n_updates = _epoch(
            clips, order, batch, self.weights, self.moments, self.rates, self.n_updates, self.numbers, self.detached,
            self.surrogate, self.tiny, self.bounds,
        )  # fmt: skip
        return float(loss)

    def gradients(self, clips: Clips, chosen: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], ...]:
        """Those of a batch: of weights from the input, within the layer and to the readout."""
        found = tuple(np.zeros_like(weight) for weight in self.weights)
        _gradients(
            clips, chosen, self.weights, found, self.numbers, self.detached, self.surrogate, self.tiny, self.bounds
        )
        return found


@compiled
def _epoch(
    clips: Clips, order: Array, batch: int, weights: tuple[Array, ...], moments: tuple[Array, ...], rates: Array,
    n_updates: int, numbers: tuple[float, ...], detached: bool, surrogate: tuple[float, ...], tiny: float,
    bounds: tuple[float, ...],
) -> tuple[float, int]:  # fmt: skip
    gradients = (np.zeros_like(weights[0]), np.zeros_like(weights[1]), np.zeros_like(weights[2]))
    loss = 0.0
    for first in range(0, order.size, batch):
        chosen = order[first : first + batch]
        loss = _gradients(clips, chosen, weights, gradients, numbers, detached, surrogate, tiny, bounds)
        if not np.isfinite(loss):
            return np.nan, n_updates
        n_updates += 1
        for i in range(3):
            _adam(weights[i], gradients[i], moments[i], rates[i], n_updates)
    return loss, n_updates


@compiled
def _adam(weight: Array, gradient: Array, moments: Array, rate: float, n_updates: int) -> None:
    one = np.float32(1.0)
    first, second = np.float32(_BETA_1), np.float32(_BETA_2)
    step = np.float32(rate / (1 - _BETA_1**n_updates))
    root, epsilon = np.float32(math.sqrt(1 - _BETA_2**n_updates)), np.float32(_EPSILON)
    for i in range(weight.shape[0]):
        w, g, m, v = weight[i], gradient[i], moments[0, i], moments[1, i]
        for j in range(w.size):
            m[j] = first * m[j] + (one - first) * g[j]
            v[j] = second * v[j] + (one - second) * g[j] * g[j]
            w[j] -= step * m[j] / (np.sqrt(v[j]) / root + epsilon)


@compiled
def _gradients(
    clips: Clips, chosen: Array, weights: tuple[Array, ...], gradients: tuple[Array, ...], numbers: tuple[float, ...],
    detached: bool, surrogate: tuple[float, ...], tiny: float, bounds: tuple[float, ...],
) -> float:  # fmt: skip
    """Set the gradients to those of the mean loss of the chosen clips, which is returned."""
    alpha, beta, beta_readout, threshold = numbers
    into, within, out = weights
    n, n_steps, n_hidden, n_classes = chosen.size, clips.starts.shape[1], into.shape[1], out.shape[1]
    shape, f32 = (n, n_steps, n_hidden), np.float32
    starts, ends, labels = clips.starts[chosen], clips.ends[chosen], clips.labels[chosen]
    is_recurrent = within.size > 0

    # forward
    drive, above, spikes = np.empty(shape, f32), np.empty(shape, f32), np.empty(shape, f32)
    decayed = np.empty((0, 0, 0), f32) if detached else np.empty(shape, f32)
    gather_rows(clips.units, clips.values, starts, ends, into, drive)
    current, membrane = np.zeros((n, n_hidden), f32), np.zeros((n, n_hidden), f32)
    room = n * n_steps * n_hidden + n_hidden + 1
    fired, ones = np.empty(room, np.uint32), np.empty(room, f32)
    fired_starts, fired_ends = np.zeros((n, n_steps), np.int64), np.zeros((n, n_steps), np.int64)
    n_listed = np.zeros(1, np.int64)
    lif_forward(
        drive, within, is_recurrent, alpha, beta, threshold, True, tiny, 0, n, 0, n_steps, current, membrane, above,
        decayed, spikes, fired, ones, fired_starts, fired_ends, n_listed,
    )  # fmt: skip
    if not is_recurrent:
        list_spikes(spikes, 0, n, fired, ones, fired_starts, fired_ends)
    readout_drive, readout = np.empty((n, n_steps, n_classes), f32), np.empty((n, n_steps, n_classes), f32)
    gather_rows(fired, ones, fired_starts, fired_ends, out, readout_drive)
    integrate(readout_drive, readout, alpha, beta_readout, tiny, 0, n)
    scores = np.empty((n, n_classes), f32)
    find_peaks(readout, scores, 0, n)

    # loss
    loss = 0.0
    error = np.empty((n, n_classes), f32)
    for i in range(n):
        highest = scores[i].max()
        total = 0.0
        for k in range(n_classes):
            total += math.exp(scores[i, k] - highest)
        for k in range(n_classes):
            error[i, k] = (math.exp(scores[i, k] - highest) / total - (labels[i] == k)) / n
        loss += (math.log(total) + highest - scores[i, labels[i]]) / n

    # backward
    at_readout = np.empty(readout.shape, f32)
    share_among_peaks(readout, scores, error, at_readout, 0, n)
    integrate_back(at_readout, readout_drive, alpha, beta_readout, tiny, 0, n)  # the drive is not needed any more
    gradients[2][:] = 0
    gather_gradient(fired, ones, fired_starts, fired_ends, readout_drive, 0, n, gradients[2])
    at_spikes = drive  # nor is this one
    transposed = np.ascontiguousarray(out.T)
    for i in range(n):
        loss += _bounded(spikes[i], at_spikes[i], n, bounds)
        for step in range(n_steps):
            row = at_spikes[i, step]
            for k in range(n_classes):
                error_k, weight_k = readout_drive[i, step, k], transposed[k]
                if error_k != 0:
                    for j in range(n_hidden):
                        row[j] += error_k * weight_k[j]
    at_drive = np.empty(shape, f32)
    at_current, at_membrane = np.zeros((n, n_hidden), f32), np.zeros((n, n_hidden), f32)
    nothing = np.empty((0, 0), f32)
    kind, scale, height = surrogate
    if is_recurrent:
        back = np.ascontiguousarray(within.T)
        more = nothing
        for step in range(n_steps - 1, -1, -1):
            lif_backward(
                above, decayed, at_spikes, more, alpha, beta, threshold, True, detached, kind, scale, height, tiny,
                0, n, step, step + 1, at_current, at_membrane, at_drive,
            )  # fmt: skip
            more = np.dot(at_current, back)
        gradients[1][:] = 0
        gather_gradient(fired, ones, fired_starts, fired_ends, at_drive, 0, n, gradients[1])
    else:
        lif_backward(
            above, decayed, at_spikes, nothing, alpha, beta, threshold, True, detached, kind, scale, height, tiny,
            0, n, 0, n_steps, at_current, at_membrane, at_drive,
        )  # fmt: skip
    gradients[0][:] = 0
    gather_gradient(clips.units, clips.values, starts, ends, at_drive, 0, n, gradients[0])
    return loss


@compiled
def _bounded(spikes: Array, gradient: Array, n: int, bounds: tuple[float, ...]) -> float:
    """Set the gradient of one of n clips to that of its penalties, and return their share of the loss."""
    low, low_strength, high, high_strength = bounds
    n_steps, n_hidden = spikes.shape
    if low_strength == 0 and high_strength == 0:
        gradient[:] = 0
        return 0.0
    counts = np.zeros(n_hidden, np.float32)
    for step in range(n_steps):
        for j in range(n_hidden):
            counts[j] += spikes[step, j]
    excess = counts.mean() - high
    upper = high_strength / (n * n_hidden) if excess > 0 else 0.0
    penalty = high_strength * excess / n if excess > 0 else 0.0
    for j in range(n_hidden):
        lacking = max(low - counts[j], np.float32(0))
        penalty += low_strength * lacking * lacking / (n * n_hidden)
        slope = upper - 2 * low_strength * lacking / (n * n_hidden)
        for step in range(n_steps):
            gradient[step, j] = slope
    return penalty
