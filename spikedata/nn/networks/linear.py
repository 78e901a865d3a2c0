"""A reference without time: a linear classifier on the square roots of spike counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from spikedata.checks import Bounds, Order, Positive, check_fields
from spikedata.nn.networks.activity import Activity
from spikedata.nn.networks.inputs import Inputs, as_dense, check_inputs


@dataclass(frozen=True, kw_only=True)
class CountParams:
    """Counting window and regularization of the linear classifier.

    Parameters
    ----------
    duration : float
        Spikes are counted from the start of a clip up to here [s].
    strengths : tuple of float
        Strengths of the L2 penalty to choose from [1]: strength / 2 times the sum of squared weights is added to the
        mean cross-entropy.

    Raises
    ------
    ValueError
        If the duration is not positive, there is no strength, or one is not positive.
    """

    duration: Positive = 1.0
    strengths: Annotated[tuple[float, ...], Bounds(above=0), Order(is_filled=True)] = (
        10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def dt(self) -> float:
        """Length of the only step: the whole window [s]."""
        return self.duration

    @property
    def n_steps(self) -> int:
        """One."""
        return 1

    @property
    def n_merged(self) -> int:
        """1: every unit of the file is counted separately."""
        return 1


class CountClassifier(nn.Module):
    """Linear classifier on square roots of spike counts.

    Used like a `SpikingNetwork` whose only step lasts as long as the counting window. Its weights start at 0.

    Parameters
    ----------
    params : CountParams
        Window and strengths.
    n_units : int
        Number of units of the spike file [1].
    n_classes : int
        Number of classes [1].
    """

    def __init__(self, params: CountParams, *, n_units: int, n_classes: int) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_merged = params.dt, params.n_steps, params.n_merged
        self.n_units, self.n_classes = n_units, n_classes
        self.weight = nn.Parameter(torch.zeros(n_units, n_classes))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity for inputs (batch, step, unit), with a readout of one step; the generator is not used."""
        inputs = check_inputs(inputs, self.n_units, self.dt)
        features = as_dense(inputs, dtype=self.weight.dtype).sum(dim=1).sqrt()
        logits = torch.addmm(self.bias, features, self.weight)
        return Activity(logits, logits[:, None, :], ())
