"""How good a network is on some clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from spikedata.events import Events
from spikedata.nn.networks import Activity, Inputs, Network
from spikedata.torch import SpikeDataset
from spikedata.training.batches import Grid, batches_of, iterate_batches
from spikedata.training.losses import classification_loss


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
        Mean spikes per hidden neuron and clip [1].
    n_hidden : int
        Hidden neurons that spike [1].
    """

    labels: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    n_classes: int
    loss: float
    hidden_spikes: float
    n_hidden: int = 0

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


def evaluate(
    network: Network,
    events: Events,
    *,
    batch_size: int = 128,
    layout: str = "dense",
    watch: Callable[[Inputs, Activity], None] | None = None,
) -> Score:
    """Score a network on all clips; network, events and the mode that the network is in stay as they are.

    Parameters
    ----------
    network : Network
        Which one.
    events : Events
        Clips to classify, at least one.
    batch_size : int
        Clips in a batch [1]; the score does not depend on it beyond rounding.
    layout : str
        Whether the network gets "dense" counts or "lists" of events.
    watch : callable, optional
        Given the inputs of each batch and what the network did with them.

    Raises
    ------
    ValueError
        If there is no clip.
    """
    check_clips(network, events, "events")
    return score_clips(network, SpikeDataset(events), batch_size=batch_size, layout=layout, watch=watch)


@torch.no_grad()
def score_clips(
    network: Network,
    dataset: SpikeDataset,
    *,
    batch_size: int,
    layout: str = "dense",
    watch: Callable[[Inputs, Activity], None] | None = None,
) -> Score:
    """Score a network on the clips of a data set, transformed as it says; see `evaluate`.

    Parameters
    ----------
    network, batch_size, layout, watch
        As `evaluate`.
    dataset : SpikeDataset
        The clips, at least one; its epoch decides on the chance in its transform.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    predictions, total_loss, total_spikes, n_hidden = [], 0.0, 0.0, 0
    batches = batches_of(np.arange(len(dataset)), batch_size)
    try:
        for inputs, labels in iterate_batches(dataset, batches, grid_of(network), layout=layout, device=device):
            activity = network(inputs)
            predictions.append(activity.logits.argmax(dim=1).cpu().numpy())
            total_loss += classification_loss(activity, labels).item() * len(labels)
            total_spikes += sum(spikes.sum().item() for spikes in activity.spikes)
            n_hidden = sum(spikes.shape[2] for spikes in activity.spikes)
            if watch is not None:
                watch(inputs, activity)
    finally:
        network.train(was_training)
    return Score(
        labels=dataset.labels,
        predictions=np.concatenate(predictions),
        n_classes=network.n_classes,
        loss=total_loss / len(dataset),
        hidden_spikes=total_spikes / (len(dataset) * max(n_hidden, 1)),
        n_hidden=n_hidden,
    )


def grid_of(network: Network) -> Grid:
    """How a network sees a clip."""
    return Grid(network.dt, network.n_steps, network.n_merged)


def check_clips(network: Network, events: Events, name: str) -> None:
    """Raise unless a network can be given these clips.

    Parameters
    ----------
    network : Network
        Which one.
    events : Events
        The clips.
    name : str
        What the message begins with.

    Raises
    ------
    ValueError
        If there is no clip, or the units are not the network's.
    """
    if not len(events):
        raise ValueError(f"{name}: holds no clip")
    if events.n_units != network.n_units:
        raise ValueError(f"{name}: has {events.n_units} units, must have the network's {network.n_units}")
