"""Back-propagation through time on a training part, weights chosen on a validation part."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from spikedata.baseline.batches import dense_batches
from spikedata.baseline.networks import Network, RecurrentNetwork
from spikedata.baseline.scoring import bin_for, score_clips
from spikedata.events import Events

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {"adamax": torch.optim.Adamax, "adam": torch.optim.Adam}


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """How a network is trained.

    Activity is regularized after Cramer et al. (2022), in spikes per clip, which do not depend on ``dt``. With
    n the spikes of one neuron in one clip, the loss grows by ``lower_strength * mean(max(0, lower_threshold -
    n)**2)`` over neurons and clips, and, with m the mean of n over neurons, by ``upper_strength * mean(max(0, m
    - upper_threshold)**2)`` over clips.

    Attributes
    ----------
    epochs : int
        Times that the training part is gone through [1].
    batch_size : int
        Clips in a batch [1].
    learning_rate : float
        Step size of the optimizer in the first epoch [1]; it falls to 0 along half a cosine over the epochs.
    optimizer : str
        Name of the optimizer [1]: adamax or adam.
    lower_strength : float
        Weight of the demand for activity [1].
    lower_threshold : float
        Spikes per neuron and clip that are demanded [1].
    upper_strength : float
        Weight of the limit of activity [1].
    upper_threshold : float
        Mean spikes per neuron and clip that are free [1].
    unit_shift : float
        Standard deviation of the shift along the units that each clip gets anew in each epoch, as a fraction of
        all units [1]. Units are places on the cochlea, a logarithmic axis of frequency, so a shift scales all
        frequencies as a longer or shorter vocal tract would: new voices from few.

    Raises
    ------
    ValueError
        If a number is out of range or the optimizer unknown.
    """

    epochs: int = 80
    batch_size: int = 64
    learning_rate: float = 5e-3
    optimizer: str = "adamax"
    lower_strength: float = 1e-3
    lower_threshold: float = 1.0
    upper_strength: float = 1e-3
    upper_threshold: float = 30.0
    unit_shift: float = 0.03

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"TrainParams.{name} must be > 0, got {value}")
        for name in ("lower_strength", "lower_threshold", "upper_strength", "upper_threshold", "unit_shift"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"TrainParams.{name} must be >= 0, got {value}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"TrainParams.optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")


class EpochRecord(NamedTuple):
    """What one epoch gave. Losses are cross-entropies [nat], without the regularization.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    train_loss, train_accuracy : float
        While training, so each batch with the weights of its time.
    validation_loss, validation_accuracy : float
        With the weights at the end of the epoch.
    hidden_spikes : float
        Mean spikes per hidden neuron and validation clip.
    seconds : float
        Wall time of the epoch.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    hidden_spikes: float
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """The larger the better: validation accuracy, then the lower validation loss."""
        return self.validation_accuracy, -self.validation_loss


class Trained(NamedTuple):
    """A network with the weights of its best epoch, and how it got there.

    Attributes
    ----------
    network : Network
        In evaluation mode.
    history : tuple of EpochRecord
        One per epoch.
    best_epoch : int
        The epoch whose weights these are, counted from 1.
    """

    network: Network
    history: tuple[EpochRecord, ...]
    best_epoch: int


def train(
    network: RecurrentNetwork,
    training: Events,
    validation: Events,
    params: TrainParams,
    *,
    rng: np.random.Generator,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Trained:
    """Train a copy of a network, and keep the weights of the epoch that did best on the validation part.

    Better is the higher validation accuracy, then the lower validation loss, then the earlier epoch. The same
    network, events, params and generator, on the same device and number of threads, give the same weights.

    Parameters
    ----------
    network : RecurrentNetwork
        Left as it is. The device is its own.
    training, validation : Events
        Clips to learn from, and clips to choose the epoch by.
    params : TrainParams
        How to train.
    rng : numpy.random.Generator
        Draws the order of the clips.
    on_epoch : callable, optional
        Given each epoch's record when it is there.

    Raises
    ------
    ValueError
        If a part holds no clip.
    FloatingPointError
        If the loss is no longer finite.
    """
    network = copy.deepcopy(network)
    device = next(network.parameters()).device
    learned, chosen_by = bin_for(network, training, "training part"), bin_for(network, validation, "validation part")
    optimizer = OPTIMIZERS[params.optimizer](network.parameters(), lr=params.learning_rate)  # type: ignore[call-arg]
    history: list[EpochRecord] = []
    best: EpochRecord | None = None
    best_weights: dict[str, Tensor] = {}
    for epoch in range(1, params.epochs + 1):
        began = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = params.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / params.epochs)) / 2
        order = rng.permutation(learned.n_clips)
        shifts = np.rint(rng.normal(0.0, params.unit_shift * learned.n_units, len(order))).astype(np.int64)
        batches = dense_batches(learned, order, batch_size=params.batch_size, device=device, shifts=shifts)
        train_loss, train_accuracy = _train_epoch(network, optimizer, batches, params, epoch)
        score = score_clips(network, chosen_by, batch_size=params.batch_size)
        _check_loss(score.loss, epoch, params)
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=score.loss,
            validation_accuracy=score.accuracy,
            hidden_spikes=score.hidden_spikes,
            seconds=time.perf_counter() - began,
        )
        history.append(record)
        if best is None or record.rank > best.rank:
            best = record
            best_weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
        if on_epoch is not None:
            on_epoch(record)
    network.load_state_dict(best_weights)
    return Trained(network.eval(), tuple(history), best.epoch if best else 0)


def activity_penalty(hidden_spikes: Tensor, params: TrainParams) -> Tensor:
    """What the activity of hidden neurons, (batch, step, hidden), adds to the loss: see `TrainParams`."""
    per_neuron = hidden_spikes.sum(dim=1)
    lacking = torch.relu(params.lower_threshold - per_neuron).square().mean()
    excess = torch.relu(per_neuron.mean(dim=1) - params.upper_threshold).square().mean()
    return params.lower_strength * lacking + params.upper_strength * excess


def _train_epoch(
    network: RecurrentNetwork,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor]],
    params: TrainParams,
    epoch: int,
) -> tuple[float, float]:
    """Take one step per batch; return the mean loss and accuracy on the way."""
    network.train()
    total_loss, n_correct, n_clips = 0.0, 0, 0
    for events, labels in batches:
        activity = network(events)
        logits = activity.logits
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        (loss + activity_penalty(activity.hidden_spikes, params)).backward()
        optimizer.step()
        total_loss += loss.item() * len(labels)
        n_correct += int((logits.argmax(dim=1) == labels).sum())
        n_clips += len(labels)
        _check_loss(total_loss, epoch, params)
    return total_loss / n_clips, n_correct / n_clips


def _check_loss(loss: float, epoch: int, params: TrainParams) -> None:
    if not math.isfinite(loss):
        rate = params.learning_rate
        raise FloatingPointError(f"training diverged: the loss is {loss} in epoch {epoch}; learning_rate is {rate}")
