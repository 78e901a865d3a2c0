"""A convolutional reference without spikes: it treats binned spikes as an image of time and channel.

In the spirit of the convolutional reference of Cramer et al., IEEE TNNLS 33:2744 (2022); the sizes are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from spikedata.checks import Bounds, Count, OneOf, Positive, ShareBelowOne, Sizes, check_fields
from spikedata.nn.kernels import drop
from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.nn.networks.initialization import draw_weight
from spikedata.nn.networks.inputs import Inputs, as_dense, check_inputs, check_time_grid, count_inputs, count_steps


@dataclass(frozen=True, kw_only=True)
class ConvolutionParams:
    """Layers and time grid of a convolutional network.

    Parameters
    ----------
    filters : tuple of int
        Number of filters of each layer [1]; each layer halves the number of steps and of inputs.
    kernel : tuple of int
        Size of a filter in steps and in inputs [1]; both odd.
    readout : str
        How the readout over the remaining steps becomes scores [1]: "max", "softmax_sum" or "last".
    dropout : float
        Probability in training that a value is dropped on its way to the next layer [1].
    n_merged : int
        Number of neighboring units of the file that are merged into one input [1].
    duration : float
        Length to which clips are padded or cropped [s]; a whole number of steps.
    dt : float
        Length of a step [s].

    Raises
    ------
    ValueError
        If a number is out of range, a name is unknown, or there are too few steps for the number of layers.
    """

    filters: Sizes = (16, 32, 32)
    kernel: Annotated[tuple[int, int], Bounds(at_least=1)] = (5, 5)
    readout: Annotated[str, OneOf(READOUTS)] = "max"
    dropout: ShareBelowOne = 0.2
    n_merged: Count = 10
    duration: Positive = 1.0
    dt: Positive = 10e-3

    def __post_init__(self) -> None:
        check_fields(self)
        if not all(size % 2 for size in self.kernel):
            raise ValueError(f"ConvolutionParams.kernel must be two odd numbers, got {self.kernel}")
        check_time_grid(self)
        if not self.n_steps >> len(self.filters):
            least = 2 ** len(self.filters)
            raise ValueError(f"ConvolutionParams.duration must be >= {least} steps, got {self.n_steps}")

    @property
    def n_steps(self) -> int:
        """Number of steps to which a clip is padded or cropped."""
        return count_steps(self.duration, self.dt)


class ConvolutionNetwork(nn.Module):
    """Blocks of convolution, batch normalization, rectification and pooling, read out linearly.

    The readout has one step for every 2**layers steps of the input.

    Parameters
    ----------
    params : ConvolutionParams
        Layers and time grid.
    n_units : int
        Number of units of the spike file [1]; merged, they are the inputs.
    n_classes : int
        Number of classes [1].
    generator : torch.Generator
        Draws the initial weights: normal with variance 2 / (inputs of a filter) (He et al., ICCV 2015).

    Raises
    ------
    ValueError
        If there are too few inputs for the number of layers.

    Examples
    --------
    >>> import torch
    >>> params = ConvolutionParams(filters=(4, 4), n_merged=1, duration=0.08)
    >>> network = ConvolutionNetwork(params, n_units=12, n_classes=2, generator=torch.Generator().manual_seed(0))
    >>> tuple(network.eval()(torch.ones(3, 8, 12)).readout.shape)
    (3, 2, 2)
    """

    def __init__(self, params: ConvolutionParams, *, n_units: int, n_classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_merged = params.dt, params.n_steps, params.n_merged
        self.n_units, self.n_classes = n_units, n_classes
        self.n_inputs = count_inputs(n_units, params.n_merged)
        n_left = self.n_inputs >> len(params.filters)
        if not n_left:
            least = 2 ** len(params.filters)
            raise ValueError(f"a network of {len(params.filters)} layers needs >= {least} inputs, got {self.n_inputs}")
        pairs = zip((1, *params.filters), params.filters, strict=False)
        self.layers = nn.ModuleList(_block(n_from, n_to, params.kernel, generator) for n_from, n_to in pairs)
        self.weight = nn.Parameter(draw_weight("uniform", params.filters[-1] * n_left, n_classes, 1.0, generator))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity for inputs (batch, step, input); arguments are those of `SpikingNetwork`."""
        inputs = check_inputs(inputs, self.n_inputs, self.dt)
        picture = as_dense(inputs, dtype=self.weight.dtype)[:, None]
        for layer in self.layers:
            picture = drop(layer(picture), self.params.dropout if self.training else 0.0, generator)
        readout = torch.matmul(_by_step(picture), self.weight) + self.bias
        return Activity(class_scores(readout, self.params.readout), readout, ())


def _block(n_from: int, n_to: int, kernel: tuple[int, int], generator: torch.Generator) -> nn.Sequential:
    convolution = nn.utils.skip_init(nn.Conv2d, n_from, n_to, kernel, padding="same", bias=False)
    nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / (n_from * math.prod(kernel))), generator=generator)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_to), nn.ReLU(), nn.MaxPool2d(2))


def _by_step(picture: Tensor) -> Tensor:
    """Reshape (batch, filter, step, unit) to (batch, step, filter x unit)."""
    return picture.transpose(1, 2).flatten(2)
