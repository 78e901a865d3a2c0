"""The course of a training as files to look at while it runs: CSV, and TensorBoard's where that is installed."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path

from spikedata.baseline.training.epochs import EpochRecord


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
