"""Learned delays: those of connections between layers, and those of neurons within their layer.

Between layers, each connection has a delay of its own, a Gaussian over time in training and a whole step in evaluation.

Hammouamri, Khalfaoui-Hassani & Masquelier, "Learning delays in spiking neural networks using dilated convolutions
with learnable spacings", ICLR (2024). With w the weight of a connection and d its delay in steps, the spikes s_in
inject the drive below, where k runs from 0 to the longest delay::

    drive[n] = w sum_k g[k] s_in[n - k],    g[k] = exp(-((k - d) / width)**2 / 2) / sum_j exp(-((j - d) / width)**2 / 2)

The width falls from half the longest delay to half a step over the first quarter of the training. In evaluation
d is rounded, and g is 1 at that step and 0 elsewhere.

Within a layer, each neuron has a delay d, for all its connections to the layer: the axonal form of Queant, Rançon,
Cottereau & Masquelier, "DelRec: learning delays in recurrent spiking neural networks", arXiv:2509.24852 (2025). Its
spikes are spread over the steps around d as a triangle::

    g[k] = h[k] / sum_j h[j],    h[k] = max(0, 1 + width - |k - d|)

The width falls exponentially, by 0.95 in each hundredth of the training, to a mere interpolation between two steps.
Here it starts from a third of the longest delay, as in their settings for SHD. Two things differ: their delays have no
upper bound, and their triangles, which are cut at 0, are not normalized.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from spikedata.nn.networks.inputs import Binned, as_dense, project_inputs

_LAST_WIDTH = 0.5  # [step], Hammouamri et al. (2024)
_ANNEALED = 0.25  # of the training, Hammouamri et al. (2024)
_NARROWED = 0.95**100  # over a training, Queant et al. (2025)
_FASTER = 10.0  # learning of delays within layers than of weights, Queant et al. (2025)


class Delays(nn.Module):
    """The delays of all connections between two layers.

    Parameters
    ----------
    n_from, n_to : int
        Number of neurons of both layers [1].
    longest : int
        Longest delay [step].
    generator : torch.Generator or None
        Draws the initial delays, uniformly from 0 to the longest; None for PyTorch's own.

    Attributes
    ----------
    steps : Parameter, (from, to)
        Delay of each connection [step]. A value outside 0 to the longest counts as the nearer bound, and gets the
        gradient of that bound, so that training can bring it back.
    width : Tensor, ()
        Standard deviation of the Gaussians [step]; saved with the weights.
    """

    width: Tensor

    def __init__(self, n_from: int, n_to: int, *, longest: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.longest = longest
        self.steps = nn.Parameter(torch.rand(n_from, n_to, generator=generator) * longest)
        self.register_buffer("width", torch.tensor(delay_width(0.0, longest=longest)))

    def forward(self, inputs: Binned, weight: Tensor) -> Tensor:
        """Return the drive (batch, step, to) of inputs through weights (from, to), delayed."""
        delayed_weight = self.kernel() * weight
        if isinstance(inputs, Tensor) or weight.device.type != "cpu":
            return _convolve(as_dense(inputs, dtype=weight.dtype), delayed_weight)
        n_steps = inputs.offsets.shape[1] - 1
        taps = (
            project_inputs(inputs._replace(offsets=_later(inputs.offsets, k)), delayed_weight[k])
            for k in range(min(self.longest + 1, n_steps))
        )
        return sum(taps, start=torch.zeros((), dtype=weight.dtype, device=weight.device))

    def kernel(self) -> Tensor:
        """Share of each connection's weight at each delay from 0 to the longest, (delay, from, to); sums to 1."""
        steps = self.steps + (self.steps.clamp(0.0, self.longest) - self.steps).detach()
        k = torch.arange(self.longest + 1, dtype=steps.dtype, device=steps.device)[:, None, None]
        if not self.training:
            return (k == steps.round()).to(steps.dtype)
        return torch.softmax(-((k - steps) / self.width).square() / 2, dim=0)


class RecurrentDelays(nn.Module):
    """The delays of the neurons of a layer to their own layer.

    Parameters
    ----------
    n_neurons : int
        Number of neurons [1].
    longest : int
        Longest delay [step].
    generator : torch.Generator
        Draws the initial delays, uniformly from 0 to the longest.

    Attributes
    ----------
    tens : Parameter, (neuron,)
        Delay of each neuron [10 steps], so that an optimizer of the Adam family, which knows no scale, learns it ten
        times as fast as weights. A value outside 0 to the longest counts as the nearer bound, and gets its gradient.
    width : Tensor, ()
        Half the width of the triangles beyond one step [step]; saved with the weights.
    """

    width: Tensor

    def __init__(self, n_neurons: int, *, longest: int, generator: torch.Generator) -> None:
        super().__init__()
        self.longest = longest
        self.tens = nn.Parameter(torch.rand(n_neurons, generator=generator) * (longest / _FASTER))
        self.register_buffer("width", torch.tensor(triangle_width(0.0, longest=longest)))

    def forward(self) -> Tensor:
        """Return the share of each neuron's spikes at each delay from 0 to the longest, (delay, neuron); sums to 1."""
        steps = self.tens * _FASTER
        steps = steps + (steps.clamp(0.0, self.longest) - steps).detach()
        k = torch.arange(self.longest + 1, dtype=steps.dtype, device=steps.device)[:, None]
        if not self.training:
            return (k == steps.round()).to(steps.dtype)
        triangles = (1.0 + self.width - (k - steps).abs()).clamp(min=0.0)
        return triangles / triangles.sum(dim=0)


def triangle_width(progress: float, *, longest: int) -> float:
    """Width of the triangles of `RecurrentDelays` [step] at a point of the training.

    Parameters
    ----------
    progress : float
        0 at the beginning of the training, 1 at its end [1].
    longest : int
        Longest delay [step].

    Examples
    --------
    >>> [round(triangle_width(progress, longest=30), 3) for progress in (0.0, 0.5, 1.0)]
    [10.0, 0.769, 0.059]
    """
    return float(longest / 3 * _NARROWED**progress)


def delay_width(progress: float, *, longest: int) -> float:
    """Standard deviation of the Gaussians [step] at a point of the training.

    Parameters
    ----------
    progress : float
        0 at the beginning of the training, 1 at its end [1].
    longest : int
        Longest delay [step].

    Examples
    --------
    >>> [delay_width(progress, longest=32) for progress in (0.0, 0.125, 0.25, 1.0)]
    [16.0, 2.8284271247461903, 0.5, 0.5]
    """
    first = max(longest / 2, _LAST_WIDTH)
    return float(first * (_LAST_WIDTH / first) ** min(progress / _ANNEALED, 1.0))


def anneal_delays(network: nn.Module, progress: float) -> None:
    """Narrow the Gaussians and triangles of all delays of a network; one without delays is left as it is.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    progress : float
        0 at the beginning of the training, 1 at its end [1].

    Raises
    ------
    ValueError
        If the progress is not in 0..1.
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"progress must be in 0..1, got {progress}")
    for module in network.modules():
        if isinstance(module, Delays):
            module.width.fill_(delay_width(progress, longest=module.longest))
        elif isinstance(module, RecurrentDelays):
            module.width.fill_(triangle_width(progress, longest=module.longest))


def _convolve(inputs: Tensor, delayed_weight: Tensor) -> Tensor:
    kernel = delayed_weight.permute(2, 1, 0).flip(2)
    padded = pad(inputs.transpose(1, 2), (kernel.shape[2] - 1, 0))
    return conv1d(padded, kernel).transpose(1, 2)


def _later(offsets: Tensor, n_steps: int) -> Tensor:
    """Offsets of the same lists, `n_steps` later; spikes that move beyond the last step are dropped."""
    return torch.cat([offsets[:, :1].expand(-1, n_steps), offsets[:, : offsets.shape[1] - n_steps]], dim=1)
