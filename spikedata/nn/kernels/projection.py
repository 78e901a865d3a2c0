"""Input that spikes inject into the next layer, for all steps at once: the weight's rows are gathered, not multiplied.

A matrix product costs the same however few spikes there are; gathering costs one row per spike. It is faster up to
about a third of all neurons firing at a step, far more than in any trained network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.nn.kernels.arguments import is_fused
from spikedata.nn.kernels.chunks import CHUNK, over_chunks
from spikedata.nn.kernels.memory import empty
from spikedata.nn.kernels.spike_lists import SpikeLists, gather, gather_back, lists_of
from spikedata.nn.kernels.tracing import apply, untraced
from spikedata.nn.kernels.weights import dense_gradient, sparse_up_to, sum_in_order


def project_events(units: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """The input that each neuron gets from spikes of several clips, listed by step.

    Gradients reach the weight; there are no second derivatives. On a GPU the lists are made dense and multiplied.

    Parameters
    ----------
    units : Tensor of uint16, (n_spikes,)
        Unit of each spike [1], as in `spikedata.torch.layouts.ListBatch`.
    offsets : Tensor of int64, (batch, n_steps + 1)
        The spikes of clip b in step i are ``units[offsets[b, i]:offsets[b, i + 1]]`` [1].
    weight : Tensor, (unit, neuron)
        From the row's unit to the column's neuron [1].

    Returns
    -------
    Tensor, (batch, step, neuron)
        Sum of the weights of the spikes [1].

    Raises
    ------
    ValueError
        If the lists are not consistent, or do not fit the weight.

    Examples
    --------
    >>> import torch
    >>> units, offsets = torch.tensor([0, 2, 2], dtype=torch.uint16), torch.tensor([[0, 1, 3]])
    >>> project_events(units, offsets, torch.tensor([[1.0], [10.0], [100.0]])).flatten().tolist()
    [1.0, 200.0]
    """
    _check_lists(units, offsets, weight)
    if not is_fused(weight) or not len(offsets):
        return torch.matmul(dense_events(units, offsets, len(weight), weight.dtype), weight)
    return apply(_EventProjection, units, offsets, weight)


def dense_events(units: Tensor, offsets: Tensor, n_units: int, dtype: torch.dtype) -> Tensor:
    """The spike counts that event lists stand for.

    Parameters
    ----------
    units, offsets
        As `project_events`.
    n_units : int
        Number of units [1].
    dtype : torch.dtype
        Data type of the counts.

    Returns
    -------
    Tensor, (batch, step, unit)

    Examples
    --------
    >>> import torch
    >>> units, offsets = torch.tensor([0, 2, 2], dtype=torch.uint16), torch.tensor([[0, 1, 3]])
    >>> dense_events(units, offsets, 3, torch.float32).tolist()
    [[[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]]
    """
    n_batch, n_steps = offsets.shape[0], offsets.shape[1] - 1
    rows = torch.arange(n_batch * n_steps, device=units.device).repeat_interleave(offsets.diff(dim=1).flatten())
    listed = units.int()
    if n_batch:  # a slice of a batch keeps all units: drop those of other clips
        listed = listed[offsets[0, 0] : offsets[-1, -1]]
    dense = torch.zeros(n_batch * n_steps, n_units, dtype=dtype, device=units.device)
    dense.index_put_((rows, listed), torch.ones((), dtype=dtype, device=units.device), accumulate=True)
    return dense.view(n_batch, n_steps, n_units)


def project_spikes(spikes: Tensor, weight: Tensor) -> Tensor:
    """The input that a layer's spikes inject into the next layer: ``spikes @ weight``.

    Gradients reach both; there are no second derivatives. On the CPU the forward pass skips zeros.

    Parameters
    ----------
    spikes : Tensor, (batch, step, from)
        Mostly zeros [1].
    weight : Tensor, (from, to)
        From the row's neuron to the column's [1].

    Returns
    -------
    Tensor, (batch, step, to)

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    if spikes.ndim != 3 or weight.ndim != 2 or spikes.shape[2] != weight.shape[0]:
        found = f"{tuple(spikes.shape)} and {tuple(weight.shape)}"
        raise ValueError(f"spikes must be (batch, step, from) and weight (from, to), got {found}")
    if not is_fused(weight) or spikes.dtype != weight.dtype or not spikes.numel():
        return torch.matmul(spikes, weight)
    return apply(_SpikeProjection, spikes, weight)


class _EventProjection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, units: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
        weight = weight.detach().contiguous()
        ones = np.ones(len(units), weight.numpy().dtype)
        starts, ends = (part.contiguous().numpy() for part in (offsets[:, :-1], offsets[:, 1:]))
        lists = SpikeLists(units.contiguous().numpy(), ones, starts, ends)
        drive = empty((offsets.shape[0], offsets.shape[1] - 1, weight.shape[1]), weight.dtype)
        over_chunks(lambda begin, end: gather(lists.of_clips(begin, end), weight, drive[begin:end]), len(offsets))
        ctx.lists, ctx.n_units = lists, len(weight)
        return drive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        gradient = gradients[0].contiguous()

        def of_chunk(begin: int, end: int) -> Tensor:
            return gather_back(ctx.lists.of_clips(begin, end), gradient[begin:end], ctx.n_units)

        return None, None, sum_in_order(over_chunks(of_chunk, len(gradient)))


class _SpikeProjection(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor) -> Tensor:
        spikes, weight = spikes.detach().contiguous(), weight.detach().contiguous()
        drive = empty((*spikes.shape[:2], weight.shape[1]), weight.dtype)

        def of_chunk(begin: int, end: int) -> SpikeLists | None:
            lists = lists_of(spikes, begin, end, at_most=sparse_up_to(weight.shape[1]))
            if lists is None:
                torch.mm(spikes[begin:end].flatten(0, 1), weight, out=drive[begin:end].flatten(0, 1))
            else:
                gather(lists, weight, drive[begin:end])
            return lists

        ctx.lists = over_chunks(of_chunk, len(spikes))
        ctx.save_for_backward(spikes, weight)
        return drive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        spikes, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        needs_spikes, needs_weight = ctx.needs_input_grad
        grad_spikes = empty(tuple(spikes.shape), weight.dtype) if needs_spikes else None
        transposed = weight.t().contiguous()

        def of_chunk(begin: int, end: int) -> Tensor | None:
            given = gradient[begin:end]
            if grad_spikes is not None:
                torch.mm(given.flatten(0, 1), transposed, out=grad_spikes[begin:end].flatten(0, 1))
            if not needs_weight:
                return None
            lists = ctx.lists[begin // CHUNK]
            if lists is None:
                return dense_gradient(spikes[begin:end], given)
            return gather_back(lists, given, len(weight))

        parts = [part for part in over_chunks(of_chunk, len(spikes)) if part is not None]
        return grad_spikes, sum_in_order(parts) if needs_weight else None


@untraced
def _check_lists(units: Tensor, offsets: Tensor, weight: Tensor) -> None:
    if offsets.ndim != 2 or offsets.shape[1] < 2 or offsets.dtype != torch.int64:
        raise ValueError(f"offsets must be int64 (batch, n_steps + 1), got {offsets.dtype} {tuple(offsets.shape)}")
    if units.ndim != 1 or units.dtype != torch.uint16:
        raise ValueError(f"units must be uint16 (n_spikes,), got {units.dtype} {tuple(units.shape)}")
    if weight.device.type != "cpu":
        return  # reading values back would make the CPU wait for the GPU
    if len(offsets) and not (offsets.min() >= 0 and offsets.max() <= len(units) and (offsets.diff(dim=1) >= 0).all()):
        raise ValueError(f"offsets must rise along steps within 0..{len(units)}, the number of units listed")
    highest = int(units.numpy().max(initial=0))
    if len(units) and highest >= len(weight):
        raise ValueError(f"units must be below {len(weight)}, the rows of the weight, got {highest}")
