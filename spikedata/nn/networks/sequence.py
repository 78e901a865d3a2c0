"""Recurrent references without spikes: gated recurrent units or long short-term memory on binned spikes.

GRU: Cho et al., EMNLP (2014). LSTM: Hochreiter & Schmidhuber, Neural Computation 9:1735 (1997); it is one of the
references of Cramer et al., IEEE TNNLS 33:2744 (2022). The equations are those of ``torch.nn.GRU`` and
``torch.nn.LSTM``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from spikedata.checks import Count, OneOf, Positive, ShareBelowOne, Sizes, check_fields
from spikedata.nn.kernels import drop
from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.nn.networks.initialization import draw_weight
from spikedata.nn.networks.inputs import Inputs, as_dense, check_inputs, check_time_grid, count_inputs, count_steps

KINDS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True, kw_only=True)
class SequenceParams:
    """Layers and time grid of a recurrent network that does not spike.

    Parameters
    ----------
    kind : str
        "gru" or "lstm" [1].
    hidden : tuple of int
        Number of cells of each layer [1].
    readout : str
        How the readout becomes scores [1]: "max", "softmax_sum" or "last".
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
        If a number is out of range, or a name is unknown.
    """

    kind: Annotated[str, OneOf(tuple(KINDS))] = "lstm"
    hidden: Sizes = (128,)
    readout: Annotated[str, OneOf(READOUTS)] = "last"
    dropout: ShareBelowOne = 0.0
    n_merged: Count = 5
    duration: Positive = 1.0
    dt: Positive = 10e-3

    def __post_init__(self) -> None:
        check_fields(self)
        check_time_grid(self)

    @property
    def n_steps(self) -> int:
        """Number of steps to which a clip is padded or cropped."""
        return count_steps(self.duration, self.dt)


class SequenceNetwork(nn.Module):
    """Layers of gated cells, read out linearly at each step.

    Parameters
    ----------
    params : SequenceParams
        Layers and time grid.
    n_units : int
        Number of units of the spike file [1]; merged, they are the inputs.
    n_classes : int
        Number of classes [1].
    generator : torch.Generator
        Draws the initial weights, uniformly within +- 1 / sqrt(cells), as PyTorch does.
    propagates : bool
        Whether anything is carried from step to step; if not, see `spikedata.nn.cut_propagation`.

    Examples
    --------
    >>> import torch
    >>> params = SequenceParams(kind="gru", hidden=(8,), n_merged=5, duration=0.05)
    >>> network = SequenceNetwork(params, n_units=15, n_classes=2, generator=torch.Generator().manual_seed(0))
    >>> tuple(network(torch.ones(4, 5, 3)).readout.shape)
    (4, 5, 2)
    """

    def __init__(
        self,
        params: SequenceParams,
        *,
        n_units: int,
        n_classes: int,
        generator: torch.Generator,
        propagates: bool = True,
    ) -> None:
        super().__init__()
        self.params, self.propagates = params, propagates
        self.dt, self.n_steps, self.n_merged = params.dt, params.n_steps, params.n_merged
        self.n_units, self.n_classes = n_units, n_classes
        self.n_inputs = count_inputs(n_units, params.n_merged)
        self.layers = nn.ModuleList()
        for n_from, n_to in zip((self.n_inputs, *params.hidden), params.hidden, strict=False):
            layer = KINDS[params.kind](n_from, n_to, batch_first=True, device="meta").to_empty(device="cpu")
            bound = 1 / math.sqrt(n_to)
            for weight in layer.parameters():
                nn.init.uniform_(weight, -bound, bound, generator=generator)
            self.layers.append(layer)
        self.weight = nn.Parameter(draw_weight("uniform", params.hidden[-1], n_classes, 1.0, generator))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity for inputs (batch, step, input); arguments are those of `SpikingNetwork`."""
        inputs = check_inputs(inputs, self.n_inputs, self.dt)
        values = as_dense(inputs, dtype=self.weight.dtype)
        for layer in self.layers:
            values = drop(self.run_layer(layer, values), self.params.dropout if self.training else 0.0, generator)
        readout = torch.matmul(values, self.weight) + self.bias
        if not self.propagates:
            readout = readout.cumsum(dim=1) / readout.shape[1]
        scores = class_scores(readout, self.params.readout if self.propagates else "last")
        return Activity(scores, readout, ())

    def run_layer(self, layer: nn.Module, values: Tensor) -> Tensor:
        """The values (batch, step, cell) of a layer for those of the one below, (batch, step, from).

        Parameters
        ----------
        layer : nn.Module
            One of ``layers``.
        values : Tensor, (batch, step, from)
            Its inputs.
        """
        if self.propagates:
            found: Tensor = layer(values)[0]
            return found
        alone: Tensor = layer(values.flatten(0, 1)[:, None])[0]  # each step as a sequence of its own
        return alone.view(*values.shape[:2], -1)
