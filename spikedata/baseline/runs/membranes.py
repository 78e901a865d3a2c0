"""How often membranes change, as NeuroBench counts it: an update that leaves a membrane as it was need not be made.

The first step of a clip counts for every neuron; in each later one, those neurons count whose membrane after the step,
and after a reset that comes with it, is another number than before. Integrators of a readout have membranes, too.

References
----------
Yik, Van den Berghe, den Blanken, et al.: The NeuroBench framework for benchmarking neuromorphic computing algorithms
and systems; Nature Communications 16:1545, 2025 (membrane updates; the first step as in its software, version 2.3).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TypeGuard, cast

import numpy as np
import torch
from torch import Tensor

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import negligible, scalars
from spikedata.nn.networks import Activity, Inputs, Network, SpikingNetwork
from spikedata.nn.networks.layers import ReadoutLayer, SpikingLayer
from spikedata.nn.neurons import AdLIFFractions, AdLIFParams, ALIFParams, LIFParams, adlif_coefficients


def has_known_membranes(network: Network) -> TypeGuard[SpikingNetwork]:
    """Whether the membranes of a network can be counted: it is on a grid, of neurons whose equations stand here.

    Learned delays within a layer are not followed.

    Parameters
    ----------
    network : Network
        Of any kind.
    """
    if not isinstance(network, SpikingNetwork) or network.params.max_recurrent_delay:
        return False
    return all(isinstance(neuron, _KNOWN) for neuron in network.params.neurons)


_KNOWN = (LIFParams, AdLIFParams, ALIFParams)


def count_updates(network: SpikingNetwork, inputs: Inputs, activity: Activity) -> int:
    """The number of membrane updates of a spiking network for a batch.

    Parameters
    ----------
    network : SpikingNetwork
        In evaluation mode. One that carries nothing from step to step makes every update anew.
    inputs : Tensor (batch, step, input), or ListBatch
        Its inputs.
    activity : Activity
        Its result for them.
    """
    n_clips, n_steps, n_classes = activity.readout.shape
    if not network.propagates:
        n_neurons = n_classes + sum(spikes.shape[2] for spikes in activity.spikes)
        return n_clips * n_steps * n_neurons
    total, below = 0, inputs
    for layer, spikes in zip(network.layers, activity.spikes, strict=True):
        total += _of_layer(cast(SpikingLayer, layer), below, spikes)
        below = spikes
    return total + _of_readout(network.readout, activity.spikes[-1])


def _of_layer(layer: SpikingLayer, below: Inputs, spikes: Tensor) -> int:
    """The updates of a layer whose spikes are known, from the drive that they had."""
    drive, neuron, weight = layer.projection(below), layer.neuron, layer.recurrent_weight
    if weight is not None:
        fed_back = torch.matmul(spikes, weight)
        if isinstance(neuron, LIFParams):  # whose spikes act on the current of their own step
            drive = drive + fed_back
        else:
            drive = torch.cat([drive[:, :1], drive[:, 1:] + fed_back[:, :-1]], dim=1)
    numbers, d, s = partial(scalars, drive.dtype), _array(drive), _array(spikes)
    smallest = negligible(drive.dtype)
    if isinstance(neuron, LIFParams):
        alpha, beta, threshold = numbers(*neuron.decays(layer.dt), neuron.threshold)
        return int(lif_updates(d, s, alpha, beta, threshold, neuron.reset == "zero", smallest))
    if isinstance(neuron, AdLIFParams):
        coefficients = adlif_coefficients(AdLIFFractions(**layer.fractions), neuron, dt=layer.dt)
        rows, is_symplectic = np.stack([_array(one) for one in coefficients]), neuron.scheme == "symplectic"
        (threshold,) = numbers(neuron.threshold)
        return int(adlif_updates(d, s, rows, threshold, neuron.reset == "zero", is_symplectic, smallest))
    alpha, threshold = numbers(cast(ALIFParams, neuron).decays(layer.dt)[0], neuron.threshold)
    return int(alif_updates(d, s, alpha, threshold, smallest))


def _of_readout(readout: ReadoutLayer, spikes: Tensor) -> int:
    drive = readout.projection(spikes)
    numbers, smallest = partial(scalars, drive.dtype), negligible(drive.dtype)
    integrator, silent = readout.integrator, np.zeros(tuple(drive.shape), _array(drive).dtype)
    beta = math.exp(-readout.dt / integrator.tau_mem)
    if integrator.tau_syn is None:
        decay, none = numbers(beta, 0.0)
        return int(alif_updates(_array(drive * (1 - beta)), silent, decay, none, smallest))
    alpha, decay, none = numbers(math.exp(-readout.dt / integrator.tau_syn), beta, 0.0)
    return int(lif_updates(_array(drive), silent, alpha, decay, none, False, smallest))


@compiled
def lif_updates(
    drive: Array, spikes: Array, alpha: float, beta: float, threshold: float, to_zero: bool, negligible: float
) -> int:
    """Updates of LIF membranes (batch, step, neuron): the equations of `spikedata.nn.neurons.lif`, with known spikes.

    The drive holds the recurrent input of the same step; with a `threshold` of 0 nothing is reset.
    """
    n_updates, n_neurons = 0, drive.shape[2]
    zero, one = drive.dtype.type(0.0), drive.dtype.type(1.0)
    for clip in range(drive.shape[0]):
        current, membrane = np.zeros(n_neurons, drive.dtype), np.zeros(n_neurons, drive.dtype)
        for step in range(drive.shape[1]):
            d, s = drive[clip, step], spikes[clip, step]
            for j in range(n_neurons):
                new = beta * membrane[j] + current[j]
                new = new * (one - s[j]) if to_zero else new - threshold * s[j]
                new = zero if abs(new) < negligible else new
                n_updates += step == 0 or new != membrane[j]
                membrane[j] = new
                i = alpha * current[j] + d[j]
                current[j] = zero if abs(i) < negligible else i
    return n_updates


@compiled
def adlif_updates(
    drive: Array, spikes: Array, coefficients: Array, threshold: float, to_zero: bool, symplectic: bool,
    negligible: float,
) -> int:  # fmt: skip
    """The same of adaptive LIF membranes, `spikedata.nn.neurons.adlif`; `coefficients` are (4, neuron).

    The drive holds the recurrent input from the step before.
    """
    n_updates, n_neurons = 0, drive.shape[2]
    zero, one = drive.dtype.type(0.0), drive.dtype.type(1.0)
    alpha, beta, a, b = coefficients[0], coefficients[1], coefficients[2], coefficients[3]
    for clip in range(drive.shape[0]):
        membrane, adaptation = np.zeros(n_neurons, drive.dtype), np.zeros(n_neurons, drive.dtype)
        fired = np.zeros(n_neurons, drive.dtype)
        for step in range(drive.shape[1]):
            d, s = drive[clip, step], spikes[clip, step]
            for j in range(n_neurons):
                u = alpha[j] * membrane[j] + (one - alpha[j]) * (d[j] - adaptation[j])
                u = zero if abs(u) < negligible else u
                new = u * (one - s[j]) if to_zero else u - threshold * s[j]
                n_updates += step == 0 or new != membrane[j]
                w = beta[j] * adaptation[j]
                w += a[j] * new + b[j] * s[j] if symplectic else a[j] * membrane[j] + b[j] * fired[j]
                adaptation[j] = zero if abs(w) < negligible else w
                membrane[j], fired[j] = new, s[j]
    return n_updates


@compiled
def alif_updates(drive: Array, spikes: Array, alpha: float, threshold: float, negligible: float) -> int:
    """The same of membranes whose threshold adapts, `spikedata.nn.neurons.alif`, and of integrators that never fire.

    The drive holds the recurrent input from the step before.
    """
    n_updates, n_neurons = 0, drive.shape[2]
    zero = drive.dtype.type(0.0)
    for clip in range(drive.shape[0]):
        membrane, fired = np.zeros(n_neurons, drive.dtype), np.zeros(n_neurons, drive.dtype)
        for step in range(drive.shape[1]):
            d, s = drive[clip, step], spikes[clip, step]
            for j in range(n_neurons):
                new = alpha * membrane[j] + d[j] - threshold * fired[j]
                new = zero if abs(new) < negligible else new
                n_updates += step == 0 or new != membrane[j]
                membrane[j], fired[j] = new, s[j]
    return n_updates


def _array(values: Tensor) -> Array:
    return values.detach().cpu().contiguous().numpy()
