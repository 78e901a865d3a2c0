"""What a network costs: its size, its spikes and its operations for one clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spikedata.baseline.networks import Network
from spikedata.baseline.protocol.operations import Operations
from spikedata.baseline.training.scoring import Score


def measure(network: Network, score: Score, operations: Sequence[Operations]) -> dict[str, Any]:
    """What a network costs, as it stands on a card; all but the footprint as means over the clips of a score.

    ``footprint`` is the memory of weights and other state [byte]; ``spikes`` those of all hidden neurons, and
    ``activation_sparsity`` the part of (neuron, step) without a spike, both None where nothing spikes;
    ``effective_acs``, ``effective_macs`` and ``dense_operations`` the synaptic operations of
    `spikedata.baseline.protocol.operations`; ``n_steps`` and ``dt`` [s] the steps that a clip takes.

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
    return {
        "footprint": sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        "spikes": spikes,
        "activation_sparsity": 1 - score.hidden_spikes / network.n_steps if score.n_hidden else None,
        "effective_acs": total.acs / n_clips,
        "effective_macs": total.macs / n_clips,
        "dense_operations": total.dense / n_clips,
        "n_steps": network.n_steps,
        "dt": network.dt,
    }
