"""Refit: train again on training and validation part together, for the number of epochs that a run has chosen.

A run is trained on its training part only, since its validation part has to choose the epoch. A refit then trains on
both: the same recipe, for the same number of epochs, at the same learning rates. Nothing is chosen any more, so the
weights of the last epoch are kept, and the test part is the only held-out score left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spikedata.baseline.recipes.own_network import OwnNetwork
from spikedata.baseline.runs.card import Card
from spikedata.baseline.runs.data import read_run_data, split_entry
from spikedata.baseline.runs.folder import ChosenRun, code_of_run, read_split, require_code_of_then
from spikedata.baseline.runs.train import Plan, make_run
from spikedata.checks import Seed, checked
from spikedata.disk import file_digest
from spikedata.nn.networks import MakeModule
from spikedata.splits import Split
from spikedata.training.history import EpochRecord


def refit_run(
    spike_path: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    *,
    chosen: ChosenRun,
    network: str | MakeModule | OwnNetwork | None = None,
    seed: int = 0,
    tensorboard: bool = False,
    overwrite: bool = False,
    keep_finished: bool = False,
    device: str = "auto",
    threads: int = 1,
    on_plan: Callable[[Plan], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Card:
    """Train on the training and validation parts of a finished run, for the epochs that it chose, and write a run.

    Training clips are in the order of the file. On the card, ``refit`` names the run that chose (its folder, the
    SHA-256 of its weights, its epochs and seed), and ``validation`` is the score of that run.

    Parameters
    ----------
    spike_path : str or path-like
        The spike file of that run.
    run_dir : str or path-like
        The folder to make; it appears complete or not at all.
    chosen : ChosenRun
        The run that chose: see `spikedata.baseline.runs.folder.read_chosen_run`.
    network : str, class or callable, optional
        The code of a network of one's own, as `train_run` takes it; it must be that of the run that chose.
    seed : int
        Of the first weights, the order of the clips, augmentation and dropout [1].
    tensorboard, overwrite, keep_finished, device, threads, on_plan, on_epoch, on_progress
        As `train_run` takes them.

    Returns
    -------
    Card
        The result card.

    Raises
    ------
    ValueError
        If the file is not the one of that run, its split has been changed, or the code of a network of one's own is
        not given or has changed; else as `train_run`.
    OutputError, FileNotFoundError, FloatingPointError, OutOfMemory
        As `train_run`.
    """
    seed = checked("seed", seed, Seed)
    own = code_of_run(chosen.path, chosen.card, network).own
    require_code_of_then(chosen.path, chosen.card, own, "a refit repeats a training")
    return make_run(
        lambda: _plan(spike_path, chosen, own, seed=seed, on_progress=on_progress),
        run_dir,
        tensorboard=tensorboard,
        overwrite=overwrite,
        keep_finished=keep_finished,
        device=device,
        threads=threads,
        on_plan=on_plan,
        on_epoch=on_epoch,
        on_progress=on_progress,
    )


def joined(split: Split) -> Split:
    """A split whose validation part has been added to its training part, in rising order.

    Parameters
    ----------
    split : Split
        With both parts.

    Examples
    --------
    >>> split = Split("by hand", {"train": np.array([3, 0]), "validation": np.array([1]), "test": np.array([2])})
    >>> {part: indices.tolist() for part, indices in joined(split).parts.items()}
    {'train': [0, 1, 3], 'test': [2]}
    """
    both = np.sort(np.concatenate([split.part("train"), split.part("validation")]))
    others = {part: indices for part, indices in split.parts.items() if part not in ("train", "validation")}
    held_out = {part: speakers for part, speakers in split.held_out.items() if part != "validation"}
    name = f"{split.name}; refit on both"
    return replace(split, name=name, parts={"train": both, **others}, held_out=held_out)


def _plan(
    spike_path: str | os.PathLike[str],
    chosen: ChosenRun,
    own: OwnNetwork | None,
    *,
    seed: int,
    on_progress: Callable[[str, int, int], None] | None,
) -> Plan:
    of_chosen, window = chosen.card.data, chosen.card.recipe.network.duration
    sha256 = file_digest(spike_path, "sha256")
    if sha256 != of_chosen.sha256:
        raise ValueError(f"{spike_path}: is not the file that {chosen.path} was trained on: its SHA-256 differs")
    data, events = read_run_data(spike_path, window=window, sha256=sha256, on_progress=on_progress, **of_chosen.reading)
    before = read_split(chosen.path, chosen.card, events.sources)
    split = joined(before)
    return Plan(
        spike_path,
        data,
        events,
        split,
        split_entry(split, events, seed=chosen.card.split.seed),
        {},
        held_out=events.select(before.part("validation")),
        recipe=chosen.card.recipe,
        seed=seed,
        chosen=chosen,
        own=own,
    )
