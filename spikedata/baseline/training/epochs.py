"""What an epoch of a training gave, and what a training gave in the end."""

from __future__ import annotations

import math
from typing import NamedTuple

from spikedata.nn.networks import Network


class EpochRecord(NamedTuple):
    """What one epoch gave. Losses are cross-entropies [nat], without the regularization.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    train_loss, train_accuracy : float
        While training, so each batch with the weights of its time.
    validation_loss, validation_accuracy : float
        With the weights at the end of the epoch; no numbers (NaN) where nothing was validated.
    hidden_spikes : float
        Mean spikes per hidden neuron and validation clip; likewise.
    learning_rate : float
        Of the last batch [1]; 0 where there is none.
    seconds : float
        Wall time of the epoch.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    hidden_spikes: float
    learning_rate: float
    seconds: float

    @property
    def is_validated(self) -> bool:
        """Whether clips were scored after the epoch."""
        return not math.isnan(self.validation_accuracy)

    @property
    def rank(self) -> tuple[float, float]:
        """The larger the better: validation accuracy, then the lower validation loss."""
        return self.validation_accuracy, -self.validation_loss


class Trained(NamedTuple):
    """A network with the weights of its best epoch, or of its last where none was chosen, and how it got there.

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
