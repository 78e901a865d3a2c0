"""The inputs of a network: spike counts as a dense tensor, or lists of the units that fired in each step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from spikedata.nn.kernels import dense_events, project_events, project_spikes
from spikedata.nn.kernels.tracing import untraced
from spikedata.torch.layouts import ListBatch, TimesBatch

_ROUNDING = 1e-9  # relative tolerance between duration and n_steps * dt


def check_time_grid(params: Any) -> None:
    """Raise ValueError unless the params' ``duration`` is a whole number of ``dt``, at least one."""
    if not is_whole(params.duration, params.dt) or count_steps(params.duration, params.dt) < 1:
        raise ValueError(
            f"{type(params).__name__}.duration must be a whole number of dt, got {params.duration} and {params.dt}"
        )


def is_whole(duration: float, dt: float) -> bool:
    """Whether a duration [s] is a whole number of steps of ``dt`` [s], up to rounding."""
    return abs(count_steps(duration, dt) * dt - duration) <= _ROUNDING * duration


def count_steps(duration: float, dt: float) -> int:
    """The number of steps of ``dt`` [s] in a duration [s]."""
    return round(duration / dt)


def count_inputs(n_units: int, n_merged: int) -> int:
    """The number of inputs if ``n_merged`` neighboring units become one; the last input may have fewer."""
    return -(-n_units // n_merged)


#: Binned spikes that a network takes: a dense tensor (batch, step, unit), or event lists.
Binned = Tensor | ListBatch
#: Spikes that a network takes: binned, or with their times where it has no grid.
Inputs = Binned | TimesBatch


def check_inputs(inputs: Inputs, n_inputs: int, dt: float | None = None) -> Binned:
    """The inputs, if they fit a network on a grid.

    Parameters
    ----------
    inputs : Tensor (batch, step, unit), or ListBatch
        Inputs to check.
    n_inputs : int
        Number of inputs of the network [1].
    dt : float, optional
        Length of the network's steps [s]; compared with that of a batch that knows its own.

    Raises
    ------
    ValueError
        If they are not binned, the shape, the number of units or the length of a step differs, there is no step, or
        lists on the CPU are not consistent, so that compiled passes would read beyond them.
    """
    if isinstance(inputs, TimesBatch):
        raise ValueError("inputs must be binned for a network on a grid, got spike times (TimesBatch)")
    if isinstance(inputs, Tensor):
        if inputs.layout != torch.strided:
            raise ValueError(f"inputs must be a dense tensor or event lists (collate_lists), got {inputs.layout}")
        if inputs.ndim != 3 or inputs.shape[2] != n_inputs or not inputs.shape[1]:
            raise ValueError(f"inputs must be (batch, step, {n_inputs}), got {tuple(inputs.shape)}")
    elif not isinstance(inputs, ListBatch):
        raise ValueError(f"inputs must be a tensor or a ListBatch, got {type(inputs).__name__}")
    elif inputs.n_units != n_inputs or inputs.offsets.shape[1] < 2:
        n_steps = inputs.offsets.shape[1] - 1
        raise ValueError(f"inputs must be lists of {n_inputs} units in steps, got {inputs.n_units} in {n_steps} steps")
    else:
        if dt is not None and inputs.dt is not None and not math.isclose(inputs.dt, dt, rel_tol=1e-9):
            raise ValueError(f"inputs must be in steps of {dt} s, as the network was made for, got {inputs.dt} s")
        _check_lists(inputs)
    return inputs


@untraced
def _check_lists(lists: ListBatch) -> None:
    """Raise ValueError unless lists are consistent: compiled passes over them check no bounds."""
    if lists.units.device.type != "cpu":
        return  # reading values back would make the CPU wait for the GPU
    offsets, units = lists.offsets, lists.units
    if offsets.ndim != 2 or units.ndim != 1 or offsets.dtype != torch.int64:
        found = f"{tuple(offsets.shape)} of {offsets.dtype}"
        raise ValueError(f"ListBatch.offsets must be (batch, n_steps + 1) of int64 over flat units, got {found}")
    flat = offsets.flatten()
    if flat.numel() and (flat[0] < 0 or flat[-1] > len(units) or (flat[1:] < flat[:-1]).any()):
        raise ValueError(f"ListBatch.offsets must rise from 0 to at most {len(units)}, one per unit")
    # PyTorch has no max for uint16, so NumPy finds it.
    if len(units) and not 0 <= int(units.numpy().min()) <= int(units.numpy().max()) < lists.n_units:
        raise ValueError(f"ListBatch.units must be in 0..{lists.n_units - 1}, got {int(units.numpy().max())}")


def project_inputs(inputs: Binned, weight: Tensor) -> Tensor:
    """The input that spikes inject through weights, for all steps at once.

    Parameters
    ----------
    inputs : Tensor (batch, step, unit), or ListBatch
        Spikes; a dense tensor may have any dtype and is converted to that of the weights.
    weight : Tensor, (unit, neuron)
        From the row's unit to the column's neuron [1].

    Returns
    -------
    Tensor, (batch, step, neuron)
    """
    if isinstance(inputs, Tensor):
        return project_spikes(inputs.to(weight.dtype), weight)
    return project_events(inputs.units, inputs.offsets, weight)


def as_dense(inputs: Binned, *, dtype: torch.dtype) -> Tensor:
    """Inputs as a dense tensor of spike counts, for networks that multiply matrices.

    Parameters
    ----------
    inputs : Tensor (batch, step, unit), or ListBatch
        Inputs on any device.
    dtype : torch.dtype
        Data type of the result.

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
    return dense_events(inputs.units, inputs.offsets, inputs.n_units, dtype)
