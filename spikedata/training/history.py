"""The epochs of a training: their records, and the files that show them while it runs."""

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


def history_bytes(history: Sequence[EpochRecord]) -> bytes:
    """Epochs as the bytes of a CSV file.

    Parameters
    ----------
    history : sequence of EpochRecord
        One for each row.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EpochRecord._fields)
    writer.writerows(history)
    return text.getvalue().encode()


def read_history(path: str | os.PathLike[str]) -> tuple[EpochRecord, ...]:
    """The epochs of a file with what `history_bytes` gave, to the last bit.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no table of epochs.
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
    """Writes each epoch for TensorBoard, which shows what is in the folder.

    Parameters
    ----------
    folder : str or path-like
        Where to; it is made.
    first_epoch : int
        The first epoch that will be written: what an earlier process wrote of it and later ones is not shown.

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
        """Write one epoch, so that it can be seen at once."""
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
    """Raise a ValueError unless TensorBoard is installed: before the training, not after its first epoch."""
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError("TensorBoard is not installed: pip install tensorboard, or train without --tensorboard")
