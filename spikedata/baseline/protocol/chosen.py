"""A finished run as what it chose: the epoch and everything else that a refit takes from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from spikedata.baseline.protocol.card import Card, RefitEntry, ScoreEntry
from spikedata.baseline.protocol.folder import HISTORY, is_group, load_run, runs_of_group
from spikedata.training.history import EpochRecord, read_history
from spikedata.training.schedules import ANNEALED


class ChosenRun(NamedTuple):
    """A run whose validation part has chosen.

    Attributes
    ----------
    path : Path
        Its folder.
    card : Card
        Its result card, with its recipe.
    epochs : tuple of EpochRecord
        The epochs up to the chosen one; all of a training whose learning rate goes to 0, which is whole only then.
    """

    path: Path
    card: Card
    epochs: tuple[EpochRecord, ...]

    @property
    def entry(self) -> RefitEntry:
        """What the card of a refit says of it."""
        return RefitEntry(
            run=self.path.absolute().name,
            weights=self.card.network.sha256,
            epochs=len(self.epochs),
            seed=self.card.seed,
        )

    @property
    def validation(self) -> ScoreEntry:
        """The score by which it chose."""
        return self.card.validation


def read_chosen_run(run_dir: str | os.PathLike[str]) -> ChosenRun:
    """What a run chose.

    Parameters
    ----------
    run_dir : str or path-like
        What `spikedata.baseline.protocol.runs.train_run` made.

    Raises
    ------
    FileNotFoundError
        If there is no such run, or its history is gone.
    ValueError
        If it is damaged, several runs, itself a refit, or not trained by epochs.
    """
    if is_group(run_dir):
        raise ValueError(f"{run_dir}: holds several runs; name the one that chose, as {runs_of_group(run_dir)[0]}")
    card = load_run(run_dir).card
    if card.refit:
        raise ValueError(f"{run_dir}: is a refit itself; name the run that chose, of which it was made")
    recipe = card.recipe
    if recipe.training is None:
        raise ValueError(f"{run_dir}: recipe {recipe.name!r} is not trained by epochs, so there is nothing to refit")
    path = Path(run_dir, HISTORY)
    history, n_epochs = read_history(path), card.training.epochs
    if [record.epoch for record in history] != list(range(1, n_epochs + 1)):
        raise ValueError(f"{path}: is not the history of the card: it must have a row for each of its epochs")
    if recipe.training.schedule not in ANNEALED:
        n_epochs = card.training.best_epoch
    return ChosenRun(Path(run_dir), card, history[:n_epochs])
