"""What a network costs: its size, its spikes and its operations for one clip."""

from __future__ import annotations

from collections.abc import Sequence

from spikedata.baseline.protocol.card import Measures
from spikedata.baseline.protocol.operations import Operations
from spikedata.nn.networks import Network
from spikedata.training.scoring import Score


def measure(network: Network, score: Score, operations: Sequence[Operations]) -> Measures:
    """What a network costs, as it stands on a card.

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
    return Measures(
        footprint=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        spikes=spikes,
        activation_sparsity=1 - score.hidden_spikes / network.n_steps if score.n_hidden else None,
        effective_acs=total.acs / n_clips,
        effective_macs=total.macs / n_clips,
        dense_operations=total.dense / n_clips,
        n_steps=network.n_steps,
        dt=network.dt,
    )
