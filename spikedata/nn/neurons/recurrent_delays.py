"""Spikes that reach their own layer later: each neuron's, spread over some steps.

Queant, Rançon, Cottereau & Masquelier, "DelRec: learning delays in recurrent spiking neural networks",
arXiv:2509.24852 (2025). With g the share of a neuron's spikes that is sent k steps later than it would be without
delays, what goes through the recurrent weights V at step n is no longer s[n] but ::

    z[n] = sum_k g[k] s[n-k]

for each neuron on its own. `spikedata.nn.networks.delays` has the shares that follow from a learned delay. A share of 0
is a delay at which nothing is sent; it gets no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def delayed(spikes: Sequence[Tensor], delay_kernel: Tensor) -> Tensor:
    """What is sent at a step: the sum above.

    Parameters
    ----------
    spikes : sequence of Tensor, each (batch, neuron)
        Of all steps up to this one [1].
    delay_kernel : Tensor, (delay, neuron)
        Share of each neuron's spikes that is sent at each delay from 0 on [1].

    Returns
    -------
    Tensor, (batch, neuron)

    Examples
    --------
    >>> import torch
    >>> first, second = torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 1.0]])
    >>> delayed([first, second], torch.tensor([[0.5, 1.0], [0.5, 0.0]])).tolist()
    [[0.5, 1.0]]
    """
    sent = torch.where(delay_kernel != 0, delay_kernel, 0.0)
    return sum(
        (share * then for share, then in zip(sent.unbind(0), reversed(spikes), strict=False)),
        start=torch.zeros_like(spikes[-1]),
    )


def arriving(
    drive: Tensor, spikes: Sequence[Tensor], recurrent_weight: Tensor | None, delay_kernel: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The drive of a step and the recurrent weight with which the step without delays is to be taken.

    With delays, what arrives from earlier spikes is part of the drive, and no weight is left.

    Parameters
    ----------
    drive : Tensor, (batch, neuron)
        Input that this step's spikes inject [1].
    spikes : sequence of Tensor, each (batch, neuron)
        Of all steps before [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    delay_kernel : Tensor, (delay, neuron), or None
        As `delayed` takes it; None for no delays.
    """
    if delay_kernel is None or recurrent_weight is None:
        return drive, recurrent_weight
    return torch.addmm(drive, delayed(spikes, delay_kernel), recurrent_weight) if spikes else drive, None
