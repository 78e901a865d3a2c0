"""Score a network on clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from spikedata.events import Events
from spikedata.nn.networks import Activity, EventDrivenNetwork, Inputs, Network
from spikedata.torch import SpikeDataset
from spikedata.training.batches import Grid, batches_of, iterate_batches
from spikedata.training.losses import classification_loss


@dataclass(frozen=True, kw_only=True, eq=False)
class Score:
    """Predictions of a network for a set of clips, and what follows from them.

    Parameters
    ----------
    labels, predictions : ndarray of int64, shape (n_clips,)
        True and predicted class of each clip.
    n_classes : int
        Number of classes.
    loss : float
        Mean cross-entropy [nat].
    hidden_spikes : float
        Mean number of spikes per hidden neuron and clip [1].
    n_hidden : int
        Number of spiking hidden neurons [1].
    """

    labels: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    n_classes: int
    loss: float
    hidden_spikes: float
    n_hidden: int = 0

    @property
    def n_correct(self) -> int:
        """Number of clips classified correctly."""
        return int((self.labels == self.predictions).sum())

    @property
    def accuracy(self) -> float:
        """Fraction of clips classified correctly [1]."""
        return self.n_correct / len(self.labels)

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Number of clips by (true class, predicted class)."""
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
    on_progress: Callable[[int, int], None] | None = None,
) -> Score:
    """Score a network on all clips, without changing the network, its mode or the events.

    Parameters
    ----------
    network : Network
        Network to score.
    events : Events
        Clips to classify, at least one.
    batch_size : int
        Number of clips in a batch [1]; the score does not depend on it, except by rounding.
    layout : str
        Whether a network on a grid gets "dense" counts or event "lists".
    watch : callable, optional
        Called with the inputs of each batch and the network's `Activity`.
    on_progress : callable, optional
        Called with the number of clips scored and how many there are, after each batch.

    Raises
    ------
    ValueError
        If there is no clip.
    """
    check_clips(network, events, "events")
    return score_clips(
        network, SpikeDataset(events), batch_size=batch_size, layout=layout, watch=watch, on_progress=on_progress
    )


@torch.no_grad()
def score_clips(
    network: Network,
    dataset: SpikeDataset,
    *,
    batch_size: int,
    layout: str = "dense",
    watch: Callable[[Inputs, Activity], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Score:
    """Score a network on the clips of a data set, with its transform; see `evaluate`.

    Parameters
    ----------
    network, batch_size, layout, watch, on_progress
        As `evaluate`.
    dataset : SpikeDataset
        The clips, at least one; the data set's epoch determines the random numbers of its transform.
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    predictions, total_loss, total_spikes, n_hidden, n_done = [], 0.0, 0.0, 0, 0
    batches = batches_of(np.arange(len(dataset)), batch_size)
    try:
        for inputs, labels in iterate_batches(
            dataset, batches, grid_of(network), layout=layout_of(network, layout), device=device
        ):
            activity = network(inputs)
            predictions.append(activity.logits.argmax(dim=1).cpu().numpy())
            total_loss += classification_loss(activity, labels).item() * len(labels)
            total_spikes += sum(spikes.sum().item() for spikes in activity.spikes)
            n_hidden = sum(spikes.shape[2] for spikes in activity.spikes)
            if watch is not None:
                watch(inputs, activity)
            n_done += len(labels)
            if on_progress is not None:
                on_progress(n_done, len(dataset))
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
    """Time grid and inputs of a network."""
    return Grid(network.dt, network.n_steps, network.n_merged)


def layout_of(network: Network, layout: str) -> str:
    """The layout of a network's batches: "times" for networks in continuous time, else the layout that is asked for."""
    return "times" if isinstance(network, EventDrivenNetwork) else layout


def check_clips(network: Network, events: Events, name: str) -> None:
    """Raise ValueError unless clips fit a network.

    Parameters
    ----------
    network : Network
        Network that is to get them.
    events : Events
        The clips.
    name : str
        Name of the clips, with which the message begins.

    Raises
    ------
    ValueError
        If there is no clip, or the number of units differs from the network's.
    """
    if not len(events):
        raise ValueError(f"{name}: holds no clip")
    if events.n_units != network.n_units:
        raise ValueError(f"{name}: has {events.n_units} units, must have the network's {network.n_units}")
