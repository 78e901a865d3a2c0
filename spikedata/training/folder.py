"""The folder of an unfinished training, beside its run: after any interruption, the same command resumes from it.

============================  =======================================================================
``checkpoint.safetensors``    the complete state after the last finished epoch, see `checkpoint.py`
``history.csv``               one row per finished epoch
``epochs/``                   the weights after each epoch, if they are kept
``tensorboard/``              logs for TensorBoard, if asked for
============================  =======================================================================

The folder has the name of the run plus ``.training``, and is removed when the run is complete.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spikedata.disk import WorkFolder, cannot_write, temporary_beside, write_atomically
from spikedata.training.checkpoint import Checkpoint, checkpoint_bytes, checkpoint_from, difference
from spikedata.training.history import TensorBoardLog, history_bytes

UNFINISHED = ".training"  # what the folder of an unfinished run is called more than the run
CHECKPOINT, HISTORY, EPOCHS, TENSORBOARD = "checkpoint.safetensors", "history.csv", "epochs", "tensorboard"


def training_folder(run_dir: str | os.PathLike[str]) -> Path:
    """The folder of a run's unfinished training.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    """
    run = Path(run_dir).absolute()
    return run.with_name(f"{run.name}{UNFINISHED}")


class TrainingFolder:
    """The folder of a run's unfinished training, open to one process at a time.

    Used as ``with TrainingFolder(run_dir, training) as folder``; on leaving, the folder stays if it holds a checkpoint.

    Parameters
    ----------
    run_dir : str or path-like
        The run being trained.
    training : mapping
        Identity of the training, in JSON's types: everything that must be the same to resume it.
    keep_epochs : bool
        Whether to keep the weights after each epoch.
    tensorboard : bool
        Whether to log for TensorBoard.

    Raises
    ------
    OutputError
        If the folder cannot be made, or another process is using it.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        training: Mapping[str, Any],
        *,
        keep_epochs: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.path = training_folder(run_dir)
        self._training, self._keep_epochs, self._tensorboard = training, keep_epochs, tensorboard
        self._log: TensorBoardLog | None = None
        self._room: WorkFolder | None = None

    def __enter__(self) -> Self:
        """Make the folder and its parents, and lock it against other processes."""
        self._room = WorkFolder(self.path, busy=f"{self.path}: another process is training there")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder if it holds no checkpoint, and release the lock."""
        if self._log is not None:
            self._log.close()
        if self._room is None:
            return
        if (self.path / CHECKPOINT).is_file():
            self._room.leave()
        else:
            self._room.remove()

    def begin(self, *, overwrite: bool) -> Checkpoint | None:
        """The checkpoint to resume from; None if the training starts from scratch.

        Parameters
        ----------
        overwrite : bool
            Whether the checkpoint of another training may be discarded.

        Raises
        ------
        ValueError
            If the checkpoint belongs to another training, or is damaged.
        """
        checkpoint = self._read(overwrite=overwrite)
        if checkpoint is None:
            for name in (CHECKPOINT, HISTORY):
                (self.path / name).unlink(missing_ok=True)
            for name in (EPOCHS, TENSORBOARD):
                shutil.rmtree(self.path / name, ignore_errors=True)
        if self._tensorboard:
            n_done = len(checkpoint.history) if checkpoint else 0
            self._log = TensorBoardLog(self.path / TENSORBOARD, first_epoch=n_done + 1)
        return checkpoint

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint after an epoch; it replaces the one before only once it is on the disk.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        import safetensors.torch

        epoch = checkpoint.history[-1].epoch
        if self._keep_epochs:
            (self.path / EPOCHS).mkdir(exist_ok=True)
            weights = {name: tensor.cpu().contiguous() for name, tensor in checkpoint.scored_weights.items()}
            write_atomically(self.path / EPOCHS / epoch_file(epoch), safetensors.torch.save(weights), overwrite=True)
        _replace(self.path / HISTORY, history_bytes(checkpoint.history))
        write_atomically(self.path / CHECKPOINT, checkpoint_bytes(checkpoint, self._training), overwrite=True)
        if self._log is not None:
            self._log.write(checkpoint.history[-1])

    @property
    def folders(self) -> dict[str, Path]:
        """The folders to move into the finished run, by their names there."""
        return {name: self.path / name for name in (EPOCHS, TENSORBOARD) if (self.path / name).is_dir()}

    def remove(self) -> None:
        """Remove the folder, once the run is complete."""
        (self.path / CHECKPOINT).unlink(missing_ok=True)

    def _read(self, *, overwrite: bool) -> Checkpoint | None:
        path = self.path / CHECKPOINT
        if not path.is_file():
            return None
        advice = "finish it with its own command, or begin anew with --overwrite"
        try:
            checkpoint, training = checkpoint_from(path.read_bytes())
            found = difference(training, self._training)
            if found is None:
                return checkpoint
            problem = f"is of another training: {found}; {advice}"
        except ValueError as error:
            problem = f"{error}; begin anew with --overwrite"
        if overwrite:
            return None
        raise ValueError(f"{path}: {problem}")


def _replace(path: Path, content: bytes) -> None:
    """Replace a file atomically, but do not wait for the disk: the checkpoint holds the same content."""
    temporary = temporary_beside(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def epoch_file(epoch: int) -> str:
    """File name of the weights after an epoch."""
    return f"epoch-{epoch:04d}.safetensors"
