"""The history of a training: a record for each epoch, its CSV file, and logs for TensorBoard."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from spikedata.nn.networks import Network


class EpochRecord(NamedTuple):
    """Results of one epoch. Losses are without regularization [nat].

    Parameters
    ----------
    epoch : int
        Counted from 1.
    train_loss, train_accuracy : float
        Measured during training, so each batch with the weights that it met; the loss is `TrainParams.loss`.
    validation_loss, validation_accuracy : float
        Measured with the weights at the end of the epoch, the loss as the cross-entropy of the scores, whatever was
        trained with; NaN if nothing was validated.
    hidden_spikes : float
        Mean number of spikes per hidden neuron and validation clip; NaN if nothing was validated.
    learning_rate : float
        Learning rate of the last batch [1]; 0 if there is none.
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
        """Whether the epoch was scored on validation clips."""
        return not math.isnan(self.validation_accuracy)

    @property
    def rank(self) -> tuple[float, float]:
        """Sort key, the larger the better: validation accuracy, then the lower validation loss."""
        return self.validation_accuracy, -self.validation_loss


class Trained(NamedTuple):
    """A trained network, with the weights of its best epoch (of its last if none was chosen), and its history.

    Parameters
    ----------
    network : Network
        In evaluation mode.
    history : tuple of EpochRecord
        One per epoch.
    best_epoch : int
        Epoch that the weights are from, counted from 1.
    """

    network: Network
    history: tuple[EpochRecord, ...]
    best_epoch: int


def history_bytes(history: Sequence[EpochRecord]) -> bytes:
    """The bytes of a CSV file with one row per epoch.

    Parameters
    ----------
    history : sequence of EpochRecord
        The epochs.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EpochRecord._fields)
    writer.writerows(history)
    return text.getvalue().encode()


def read_history(path: str | os.PathLike[str]) -> tuple[EpochRecord, ...]:
    """The epochs in a file of `history_bytes`, exact to the last bit.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a table of epochs.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    rows = list(csv.reader(Path(path).read_text(encoding="utf-8").splitlines()))
    if not rows or tuple(rows[0]) != EpochRecord._fields:
        raise ValueError(f"{path}: must have the columns {','.join(EpochRecord._fields)}")
    try:
        return tuple(EpochRecord(int(epoch), *map(float, values)) for epoch, *values in rows[1:])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: is no table of epochs: {error}") from None


class TensorBoardLog:
    """Log of epochs for TensorBoard.

    Parameters
    ----------
    folder : str or path-like
        Folder to write to; it is made.
    first_epoch : int
        First epoch to be written: TensorBoard hides it and later ones if an earlier process has written them.

    Raises
    ------
    ValueError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, first_epoch: int = 1) -> None:
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(os.fspath(folder), purge_step=first_epoch)

    def write(self, record: EpochRecord) -> None:
        """Write one epoch, and flush it so that it shows at once."""
        for name in EpochRecord._fields[1:]:
            part, _, what = name.partition("_")
            tag = f"{what}/{part}" if part in ("train", "validation") else name
            value = getattr(record, name)
            if not math.isnan(value):  # nothing was validated
                self._writer.add_scalar(tag, value, record.epoch)
        self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        self._writer.close()


def require_tensorboard() -> None:
    """Raise ValueError unless TensorBoard is installed; called before training, not after its first epoch."""
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError("TensorBoard is not installed: pip install tensorboard, or train without --tensorboard")
