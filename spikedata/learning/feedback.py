"""Feedback: how the errors of the classes reach the hidden neurons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

#: Kinds of feedback, by name.
FEEDBACK = ("symmetric", "random", "uniform")


def feedback_weights(weights: Sequence[Tensor], kind: str, *, seed: int) -> list[Tensor]:
    """The weights from the errors of the classes to the neurons of each hidden layer.

    Parameters
    ----------
    weights : sequence of Tensor, each (from, to)
        Weights from each hidden layer to the next, those of the readout last [1].
    kind : str
        "symmetric": those of the readout, seen from the other side; below the last layer their product with the
        weights on the way. "random": fixed, normal with variance 1 / neurons, as a readout is drawn whose gain is 1
        (feedback alignment: Lillicrap et al., Nature Communications 7:13276, 2016). "uniform": the same from every
        class to every neuron, 1 / sqrt(neurons).
    seed : int
        Seed of the random ones [1].

    Returns
    -------
    list of Tensor, each (class, neuron)
        Of each hidden layer, the first layer first.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> upwards = [torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [10.0]])]
    >>> [weight.tolist() for weight in feedback_weights(upwards, "symmetric", seed=0)]
    [[[21.0]], [[1.0, 10.0]]]
    """
    readout = weights[-1].detach()
    n_classes = readout.shape[1]
    match kind:
        case "symmetric":
            down = [readout.t()]
            for weight in reversed(weights[:-1]):
                down.append(down[-1] @ weight.detach().t())
            return [found.contiguous() for found in reversed(down)]
        case "random":
            generator = torch.Generator().manual_seed(seed)
            drawn = [torch.randn(n_classes, len(w), generator=generator) / math.sqrt(len(w)) for w in weights]
            return [weight.to(readout) for weight in drawn]
        case "uniform":
            return [readout.new_full((n_classes, len(w)), 1 / math.sqrt(len(w))) for w in weights]
    raise ValueError(f"no feedback {kind!r}; there are: {', '.join(FEEDBACK)}")
