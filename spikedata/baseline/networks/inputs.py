"""What a network is fed with: counts of spikes as a dense tensor, or lists of the units that fired in each step."""

from __future__ import annotations

import torch
from torch import Tensor

from spikedata.baseline.kernels import dense_events, project_events, project_spikes
from spikedata.torch.layouts import ListBatch

Inputs = Tensor | ListBatch


def check_inputs(inputs: Inputs, n_inputs: int) -> None:
    """Raise unless inputs fit a network.

    Parameters
    ----------
    inputs : Tensor (batch, step, unit), or ListBatch
        What a network is given.
    n_inputs : int
        Units that it takes [1].

    Raises
    ------
    ValueError
        If the shape or the number of units is another, or there is no step.
    """
    if isinstance(inputs, Tensor):
        if inputs.ndim != 3 or inputs.shape[2] != n_inputs or not inputs.shape[1]:
            raise ValueError(f"inputs must be (batch, step, {n_inputs}), got {tuple(inputs.shape)}")
    elif inputs.n_units != n_inputs or inputs.splits.shape[1] < 2:
        n_steps = inputs.splits.shape[1] - 1
        raise ValueError(f"inputs must be lists of {n_inputs} units in steps, got {inputs.n_units} in {n_steps} steps")


def project_inputs(inputs: Inputs, weight: Tensor) -> Tensor:
    """What inputs inject through weights, for all steps at once.

    Parameters
    ----------
    inputs : Tensor (batch, step, unit), or ListBatch
        Spikes; of a dense tensor any dtype, computed in that of the weights.
    weight : Tensor, (unit, neuron)
        From the row's unit to the column's neuron [1].

    Returns
    -------
    Tensor, (batch, step, neuron)
    """
    if isinstance(inputs, Tensor):
        return project_spikes(inputs.to(weight.dtype), weight)
    return project_events(inputs.units, inputs.splits, weight)


def as_dense(inputs: Inputs, *, dtype: torch.dtype) -> Tensor:
    """Inputs as counts of spikes with their zeros, for networks that multiply.

    Parameters
    ----------
    inputs : Tensor (batch, step, unit), or ListBatch
        On any device.
    dtype : torch.dtype
        Of the result.

    Returns
    -------
    Tensor, (batch, step, unit)

    Examples
    --------
    >>> import torch
    >>> lists = ListBatch(torch.tensor([1, 1, 0], dtype=torch.uint16), torch.tensor([[0, 2, 3]]), torch.zeros(1), 2)
    >>> as_dense(lists, dtype=torch.float32).tolist()
    [[[0.0, 2.0], [1.0, 0.0]]]
    """
    if isinstance(inputs, Tensor):
        return inputs.to(dtype)
    return dense_events(inputs.units, inputs.splits, inputs.n_units, dtype)
