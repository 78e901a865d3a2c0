"""Synaptic operations of a network, counted as in NeuroBench: only those whose factors are not zero.

A nonzero input costs one operation for each connection from it with a nonzero weight: an addition (AC) if all inputs of
the layer are -1, 0 or 1, as spikes are, and a multiplication with addition (MAC) otherwise. The updates of the neurons
themselves and biases do not count.

References
----------
Yik, Van den Berghe, den Blanken, et al.: The NeuroBench framework for benchmarking neuromorphic computing algorithms
and systems; Nature Communications 16:1545, 2025.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from spikedata.baseline.runs.card import Measures
from spikedata.baseline.runs.membranes import count_updates, has_known_membranes
from spikedata.nn.networks import (
    Activity,
    ConvolutionNetwork,
    CustomNetwork,
    EventDrivenNetwork,
    Inputs,
    Network,
    SequenceNetwork,
    SpikingNetwork,
)
from spikedata.nn.networks.delays import Delays
from spikedata.nn.networks.event_driven import EventDrivenLayer
from spikedata.nn.networks.inputs import as_dense
from spikedata.nn.networks.layers import SpikingLayer
from spikedata.torch.layouts import ListBatch, TimesBatch
from spikedata.training.scoring import Score


class Operations(NamedTuple):
    """Operations for some clips.

    Attributes
    ----------
    macs : float
        Multiplications of numbers that are not zero [1].
    acs : float
        Additions of weights that are not zero, for spikes [1].
    dense : float
        Number of operations if nothing were zero [1].
    membrane_updates : float
        Changes of membranes [1]: see `spikedata.baseline.runs.membranes`.
    """

    macs: float = 0.0
    acs: float = 0.0
    dense: float = 0.0
    membrane_updates: float = 0.0

    def plus(self, other: Operations) -> Operations:
        """Both together."""
        return Operations(*(one + two for one, two in zip(self, other, strict=True)))


class Source(NamedTuple):
    """The inputs of a set of connections, over all clips and steps.

    Attributes
    ----------
    n_active : Tensor of float64, (from,)
        Values of each source that are not zero [1].
    is_binary : bool
        Whether all values are -1, 0 or 1.
    n_values : int
        Values of each source [1].
    """

    n_active: Tensor
    is_binary: bool
    n_values: int


@torch.no_grad()
def count_operations(network: Network, inputs: Inputs, activity: Activity) -> Operations:
    """The number of operations of a network for a batch.

    Parameters
    ----------
    network : Network
        The network, in evaluation mode.
    inputs : Tensor (batch, step, input), or ListBatch
        Its inputs.
    activity : Activity
        Its result for them.
    """
    total = Operations()
    for source, weight in _connections(network, inputs, activity):
        total = total.plus(operations_of(source, weight))
    if has_known_membranes(network) and not isinstance(inputs, TimesBatch):
        total = total.plus(Operations(membrane_updates=count_updates(network, inputs, activity)))
    return total


def operations_of(source: Source, weight: Tensor) -> Operations:
    """The operations of one set of connections.

    Parameters
    ----------
    source : Source
        What goes through them.
    weight : Tensor, (from, to)
        Their weights.

    Examples
    --------
    >>> operations_of(source_of(torch.tensor([[1.0, 0.0], [1.0, 1.0]])), torch.tensor([[0.5, 0.0], [0.1, 0.2]]))
    Operations(macs=0.0, acs=4.0, dense=8.0, membrane_updates=0.0)
    >>> operations_of(source_of(torch.tensor([[2.0, 0.0]])), torch.ones(2, 3))
    Operations(macs=3.0, acs=0.0, dense=6.0, membrane_updates=0.0)
    """
    n_targets = (weight != 0).sum(dim=1, dtype=torch.float64)
    effective = float(source.n_active @ n_targets)
    macs, acs = (0.0, effective) if source.is_binary else (effective, 0.0)
    return Operations(macs, acs, float(source.n_values * weight.numel()))


def source_of(values: Tensor) -> Source:
    """The source that values (..., from) are for connections."""
    flat = values.reshape(-1, values.shape[-1])
    is_binary = bool(((flat == 0) | (flat.abs() == 1)).all())
    return Source((flat != 0).sum(dim=0, dtype=torch.float64), is_binary, len(flat))


def source_of_lists(lists: ListBatch) -> Source:
    """The source that event lists are for connections, found without making them dense."""
    n_places = lists.offsets.shape[0] * (lists.offsets.shape[1] - 1)
    places = torch.arange(n_places, device=lists.offsets.device)
    codes = places.repeat_interleave(lists.offsets.diff(dim=1).flatten()) * lists.n_units
    codes, counts = torch.unique(codes + lists.units[: len(codes)].to(torch.int64), return_counts=True)
    n_active = torch.bincount(codes % lists.n_units, minlength=lists.n_units).to(torch.float64)
    return Source(n_active, bool((counts == 1).all()), n_places)


def source_of_times(times: TimesBatch) -> Source:
    """The source that spikes with their times are for connections: each spike is one event."""
    n_spikes = torch.bincount(times.units, minlength=times.n_units).to(torch.float64)
    return Source(n_spikes, True, len(times.offsets) - 1)


def _connections(network: Network, inputs: Inputs, activity: Activity) -> Iterator[tuple[Source, Tensor]]:
    """The source and the weights (from, to) of each set of connections of a network."""
    if isinstance(network, SpikingNetwork) and not isinstance(inputs, TimesBatch):
        source = source_of(inputs) if isinstance(inputs, Tensor) else source_of_lists(inputs)
        for layer, spikes in zip(network.layers, activity.spikes, strict=True):
            yield source, cast(SpikingLayer, layer).projection.weight
            source = source_of(spikes)
            if isinstance(layer.recurrent_weight, Tensor) and network.propagates:
                yield source, layer.recurrent_weight
        yield source, network.readout.projection.weight
        return
    if isinstance(inputs, TimesBatch):
        yield from _exact_connections(cast(EventDrivenNetwork, network), inputs, activity)
        return
    if isinstance(network, CustomNetwork):  # whose connections nobody knows
        return
    values = as_dense(inputs, dtype=torch.float32)
    if isinstance(network, SequenceNetwork):
        for gates in cast(Iterable[nn.RNNBase], network.layers):
            yield source_of(values), cast(Tensor, gates.weight_ih_l0).T
            values = network.run_layer(gates, values)
            if network.propagates:
                yield source_of(values), cast(Tensor, gates.weight_hh_l0).T
        yield source_of(values), network.weight
    elif isinstance(network, ConvolutionNetwork):
        picture = values[:, None]
        for block in cast(Iterable[nn.Sequential], network.layers):
            yield from _taps(picture, cast(nn.Conv2d, block[0]))
            picture = block(picture)
        yield source_of(picture.transpose(1, 2).flatten(2)), network.weight
    else:
        yield source_of(values.sum(dim=1).sqrt()), cast(Tensor, network.weight)


def _exact_connections(
    network: EventDrivenNetwork, inputs: TimesBatch, activity: Activity
) -> Iterator[tuple[Source, Tensor]]:
    source = source_of_times(inputs)
    for layer, counts in zip(cast(Iterable[EventDrivenLayer], network.layers), activity.spikes, strict=True):
        yield source, cast(Tensor, layer.weight)
        source = Source(counts.sum(dim=(0, 1), dtype=torch.float64), True, len(counts))
        if layer.recurrent_weight is not None:
            yield source, cast(Tensor, layer.recurrent_weight)
    yield source, cast(Tensor, network.readout.weight)


def _taps(picture: Tensor, convolution: nn.Conv2d) -> Iterator[tuple[Source, Tensor]]:
    """The values under each tap of the filters, and the weights of the taps (tap, filter)."""
    size = (convolution.kernel_size[0], convolution.kernel_size[1])
    for clip in picture.split(1):  # one clip at a time: this is as large as all taps together
        patches = unfold(clip, size, padding=(size[0] // 2, size[1] // 2))
        yield source_of(patches[0].T), convolution.weight.flatten(1).T


def measure(network: Network, score: Score, operations: Sequence[Operations]) -> Measures:
    """The cost of a network, as a card records it.

    Parameters
    ----------
    network : Network
        Which one.
    score : Score
        Of some clips.
    operations : sequence of Operations
        Of each batch of the same clips.

    References
    ----------
    Yik et al.: The NeuroBench framework; Nature Communications 16:1545, 2025.
    """
    total = Operations()
    for found in operations:
        total = total.plus(found)
    n_clips = len(score.labels)
    tensors = [*network.parameters(), *network.buffers()]
    spikes = score.n_hidden * score.hidden_spikes if score.n_hidden else None
    has_steps = bool(score.n_hidden) and not isinstance(network, EventDrivenNetwork)
    is_known = not isinstance(network, CustomNetwork)
    return Measures(
        footprint=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        spikes=spikes,
        activation_sparsity=1 - score.hidden_spikes / network.n_steps if has_steps else None,
        effective_acs=total.acs / n_clips if is_known else None,
        effective_macs=total.macs / n_clips if is_known else None,
        dense_operations=total.dense / n_clips if is_known else None,
        n_steps=network.n_steps,
        dt=network.dt,
        connection_sparsity=connection_sparsity(network),
        membrane_updates=total.membrane_updates / n_clips if has_known_membranes(network) else None,
    )


def connection_sparsity(network: nn.Module) -> float:
    """Part of the weights of all connections that are zero [1].

    Parameters
    ----------
    network : nn.Module
        Its connections are its parameters of two and more dimensions, but for delays; weights that a cut propagation
        leaves out count as well.

    Examples
    --------
    >>> linear = nn.Linear(2, 3)
    >>> _ = nn.init.eye_(linear.weight)
    >>> round(connection_sparsity(linear), 3)
    0.667
    """
    delays = {id(module.steps) for module in network.modules() if isinstance(module, Delays)}
    weights = [one for one in network.parameters() if one.ndim > 1 and id(one) not in delays]
    n_zero = sum(one.numel() - int(torch.count_nonzero(one)) for one in weights)
    return n_zero / sum(one.numel() for one in weights) if weights else 0.0
