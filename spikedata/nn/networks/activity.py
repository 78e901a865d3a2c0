"""What a network returns for a batch, and how a readout over time becomes one score per class."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from spikedata.nn.kernels import max_over_time

#: Ways to get one score per class out of the readout's potentials over time.
READOUTS = ("max", "softmax_sum", "last", "mean", "exp_mean")


class Activity(NamedTuple):
    """What a network returns for a batch: class scores, the readout over time, and the hidden spikes.

    Parameters
    ----------
    logits : Tensor, (batch, class)
        Score of each class [1]; the highest one is the network's answer.
    readout : Tensor, (batch, step, class)
        Value of the readout at each step [1].
    spikes : tuple of Tensor, one (batch, step, neuron) for each hidden layer
        0 or 1; empty for a network that does not spike.
    """

    logits: Tensor
    readout: Tensor
    spikes: tuple[Tensor, ...]

    @property
    def hidden_spikes(self) -> Tensor:
        """The spikes of the last hidden layer, (batch, step, neuron); zero neurons if the network does not spike."""
        if self.spikes:
            return self.spikes[-1]
        return self.readout.new_zeros((*self.readout.shape[:2], 0))


def class_scores(readout: Tensor, kind: str) -> Tensor:
    """One score per class from the readout over all steps.

    Parameters
    ----------
    readout : Tensor, (batch, step, class)
        Value of the readout at each step [1].
    kind : str
        "max": the largest value over time (Cramer et al., IEEE TNNLS 33:2744, 2022). "softmax_sum": the sum over time
        of the softmax over classes (Bittar & Garner 2022; Hammouamri et al. 2024; Baronig et al. 2024). "last": the
        value at the last step. "mean": the mean over time. "exp_mean": the mean over the N steps, step n weighted by
        ``exp(-n / N)``, so that early steps count more (Nowotny, Turner, Knight, Neuromorphic Computing and
        Engineering 5:014001, 2025).

    Returns
    -------
    Tensor, (batch, class)

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> import torch
    >>> readout = torch.tensor([[[0.0, 3.0], [2.0, 1.0]]])
    >>> class_scores(readout, "max").tolist(), class_scores(readout, "last").tolist()
    ([[2.0, 3.0]], [[2.0, 1.0]])
    """
    match kind:
        case "max":
            return max_over_time(readout)
        case "softmax_sum":
            return torch.softmax(readout, dim=2).sum(dim=1)
        case "last":
            return readout[:, -1]
        case "mean":
            return readout.mean(dim=1)
        case "exp_mean":
            n_steps = readout.shape[1]
            steps = torch.arange(n_steps, dtype=readout.dtype, device=readout.device)
            return torch.matmul(torch.exp(-steps / n_steps) / n_steps, readout)
    raise ValueError(f"no readout {kind!r}; there are: {', '.join(READOUTS)}")
