"""Fit a recipe to the parts of a split, from where it stopped if it did, and keep its state after every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch

from spikedata.baseline.recipes.catalog import network_of
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.events.events import Events
from spikedata.nn.networks import CountParams
from spikedata.training.checkpoint import Checkpoint, checkpoint_from
from spikedata.training.counts import fit_counts
from spikedata.training.folder import CHECKPOINT, TrainingFolder
from spikedata.training.history import EpochRecord, Trained
from spikedata.training.loop import train
from spikedata.training.parallel import Processes, made_by_first, wait_for_others


def fit_recipe(
    recipe: Recipe,
    training: Events,
    validation: Events | None,
    *,
    seed: int,
    repeated: Sequence[EpochRecord] = (),
    device: torch.device,
    folder: TrainingFolder,
    overwrite: bool,
    processes: Processes,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Trained:
    """The network of a recipe with the weights that the validation part chose, or of the last of the repeated epochs.

    Parameters
    ----------
    recipe : Recipe
        Network and training.
    training : Events
        Clips to learn from.
    validation : Events or None
        Clips to choose by; None where epochs are repeated.
    seed : int
        Of all chance [1].
    repeated : sequence of EpochRecord
        The epochs of an earlier training that are to be gone through again; not for the linear classifier.
    device : torch.device
        Where to train.
    folder : TrainingFolder
        Where the state is kept, by the first process.
    overwrite : bool
        Whether the state of another training may be thrown away.
    processes : Processes
        Which of how many processes this is.
    on_epoch : callable, optional
        Given each epoch's record when it is there.

    Raises
    ------
    ValueError
        If a part holds no clip, or the state is that of another training.
    FloatingPointError
        If the training diverged; the message says where the last good state is.
    """
    if recipe.training is None:
        if validation is None:
            raise ValueError(f"recipe {recipe.name!r} is not trained by epochs, so it has none to repeat")
        params = cast(CountParams, recipe.network)
        return made_by_first(lambda: fit_counts(training, validation, params, on_epoch=on_epoch), device, processes)
    checkpoint = _shared_checkpoint(folder, overwrite=overwrite, processes=processes)
    network = network_of(recipe, n_units=training.n_units, n_classes=len(training.keys), seed=seed).to(device)
    try:
        return train(
            network,
            training,
            validation,
            recipe.training,
            seed=seed,
            repeated=repeated,
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            on_checkpoint=folder.keep if processes.is_first else None,
            processes=processes,
        )
    except FloatingPointError as error:
        path = folder.path / CHECKPOINT
        kept = f"the state before that epoch is kept in {path}" if path.is_file() else "no epoch was finished"
        raise FloatingPointError(f"{error}; {kept}") from None


def _shared_checkpoint(folder: TrainingFolder, *, overwrite: bool, processes: Processes) -> Checkpoint | None:
    """Where the training stopped: the first process looks what there is, the others read it after that."""
    checkpoint = folder.begin(overwrite=overwrite) if processes.is_first else None
    wait_for_others(processes)
    path: Path = folder.path / CHECKPOINT
    if not processes.is_first and path.is_file():
        checkpoint, _ = checkpoint_from(path.read_bytes())
    return checkpoint
