"""How good a network is on some clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import cross_entropy

from spikedata.baseline.batches import BinnedClips, bin_clips, dense_batches
from spikedata.baseline.networks import Network
from spikedata.events import Events


@dataclass(frozen=True, kw_only=True, eq=False)
class Score:
    """What a network said of some clips.

    Attributes
    ----------
    labels, predictions : ndarray of int64, shape (n_clips,)
        True and chosen class of each clip.
    n_classes : int
        Classes there are.
    loss : float
        Mean cross-entropy [nat].
    hidden_spikes : float
        Mean spikes per hidden neuron and clip.
    """

    labels: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    n_classes: int
    loss: float
    hidden_spikes: float

    @property
    def n_correct(self) -> int:
        """Clips whose class was found."""
        return int((self.labels == self.predictions).sum())

    @property
    def accuracy(self) -> float:
        """Fraction of clips whose class was found [1]."""
        return self.n_correct / len(self.labels)

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Clips by (true class, chosen class)."""
        counts = np.zeros((self.n_classes, self.n_classes), dtype=np.int64)
        np.add.at(counts, (self.labels, self.predictions), 1)
        return counts


def evaluate(network: Network, events: Events, *, batch_size: int = 128) -> Score:
    """Score a network on all clips; network, events and the mode that the network is in stay as they are.

    Parameters
    ----------
    network : Network
        Which one.
    events : Events
        Clips to classify, at least one.
    batch_size : int
        Clips in a batch [1]; the score does not depend on it beyond rounding.

    Raises
    ------
    ValueError
        If there is no clip.
    """
    return score_clips(network, bin_for(network, events, "events"), batch_size=batch_size)


@torch.no_grad()
def score_clips(network: Network, clips: BinnedClips, *, batch_size: int) -> Score:
    """Score a network on clips that are binned already; see `evaluate`."""
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    predictions, total_loss, total_spikes, n_hidden = [], 0.0, 0.0, 0
    try:
        for events, labels in dense_batches(clips, np.arange(clips.n_clips), batch_size=batch_size, device=device):
            activity = network(events)
            logits = activity.logits
            predictions.append(logits.argmax(dim=1).cpu().numpy())
            total_loss += cross_entropy(logits, labels, reduction="sum").item()
            total_spikes += activity.hidden_spikes.sum().item()
            n_hidden = activity.hidden_spikes.shape[2]
    finally:
        network.train(was_training)
    return Score(
        labels=clips.labels,
        predictions=np.concatenate(predictions),
        n_classes=network.n_classes,
        loss=total_loss / clips.n_clips,
        hidden_spikes=total_spikes / (clips.n_clips * max(n_hidden, 1)),
    )


def bin_for(network: Network, events: Events, name: str) -> BinnedClips:
    """Bin clips in the steps of a network, its units merged.

    Raises
    ------
    ValueError
        If there is no clip, or the units are not the network's; the message begins with ``name``.
    """
    if not len(events):
        raise ValueError(f"{name}: holds no clip")
    if events.n_units != network.n_units:
        raise ValueError(f"{name}: has {events.n_units} units, must have the network's {network.n_units}")
    return bin_clips(events, dt=network.dt, n_steps=network.n_steps, n_merged=network.n_merged)
