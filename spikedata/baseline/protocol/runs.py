"""The protocol: train on some speakers, choose on others, score once on unseen speakers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from spikedata.baseline.protocol.card import Card
from spikedata.baseline.protocol.card_text import format_card
from spikedata.baseline.protocol.data_split import (
    BY_SPEAKER,
    SplitChoice,
    arguments_of_split,
    choose_split,
    split_entry,
)
from spikedata.baseline.protocol.evaluation import evaluate_run
from spikedata.baseline.protocol.folder import load_run
from spikedata.baseline.protocol.make_run import Plan, make_run
from spikedata.baseline.protocol.run_data import read_run_data
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.training.history import EpochRecord

__all__ = ["evaluate_run", "format_card", "load_run", "train_run"]


def train_run(
    spike_path: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    *,
    recipe: Recipe,
    seed: int = 0,
    split: str = BY_SPEAKER,
    split_seed: int | None = None,
    validation_speakers: Sequence[int] | None = None,
    test_speakers: Sequence[int] | None = None,
    left_out: int | None = None,
    keep_epochs: bool = False,
    tensorboard: bool = False,
    overwrite: bool = False,
    keep_finished: bool = False,
    device: str = "auto",
    threads: int = 1,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Card:
    """Train on a spike file and write a run: weights, card, history and split. The test part takes no part in it.

    The state after every epoch is kept beside the run, in a folder named for it with ``.training`` behind. Whatever
    stopped a training, the same call goes on from there, and the weights are those of a training that never stopped.
    PyTorch runs on so many threads as are asked for, so the weights do not depend on the number of processors.

    Parameters
    ----------
    spike_path : str or path-like
        The spike file.
    run_dir : str or path-like
        The folder to make; it appears complete or not at all.
    recipe : Recipe
        Network and training.
    seed : int
        Of the first weights, the order of the clips, augmentation and dropout [1].
    split : str
        Name of the split, or a file of JSON: see `spikedata.baseline.protocol.data_split.choose_split`.
    split_seed : int, optional
        Of what the split draws [1]; None for ``seed``.
    validation_speakers, test_speakers : sequence of int, optional
        Speakers of those parts, of the split "by_speaker"; None chooses some. An empty ``test_speakers`` leaves all
        speakers to training and validation, for files whose test set is another file.
    left_out : int, optional
        Who tests, of the split "leave_one_speaker_out".
    keep_epochs : bool
        Whether to keep the weights after each epoch; the size of the selection bias is computed from them.
    tensorboard : bool
        Whether to log for TensorBoard.
    overwrite : bool
        Whether a run that is there already, or the unfinished training of another one, may be replaced.
    keep_finished : bool
        Whether a run of the very same training that is there already is the result, and nothing is done.
    device : str
        cpu, cuda, cuda:N, or auto: cuda where there is one.
    threads : int
        Threads of PyTorch on the processor [1].
    on_epoch : callable, optional
        Given each epoch's record when it is there.

    Returns
    -------
    Card
        The result card.

    Raises
    ------
    OutputError
        If the run's folder cannot be made.
    FileNotFoundError
        If there is no spike file.
    ValueError
        If the file is none, its clips cannot be divided so, there is no such device, or the training that was begun
        for this run is another one.
    FloatingPointError
        If the training diverged; the last good state is kept.
    OutOfMemory
        If there is not enough memory.
    """
    choice = SplitChoice(
        name=split,
        validation_speakers=validation_speakers,
        test_speakers=test_speakers,
        left_out=left_out,
        seed=seed if split_seed is None else split_seed,
    )
    return make_run(
        lambda: _plan(spike_path, choice, recipe, seed=seed, keep_epochs=keep_epochs),
        run_dir,
        tensorboard=tensorboard,
        overwrite=overwrite,
        keep_finished=keep_finished,
        device=device,
        threads=threads,
        on_epoch=on_epoch,
    )


def _plan(
    spike_path: str | os.PathLike[str], choice: SplitChoice, recipe: Recipe, *, seed: int, keep_epochs: bool
) -> Plan:
    data, events = read_run_data(spike_path)
    try:
        split = choose_split(events, choice)
    except ValueError as error:
        raise ValueError(f"{spike_path}: {error}") from error
    entry = split_entry(split, events, seed=choice.seed)
    return Plan(
        spike_path,
        data,
        events,
        split,
        entry,
        arguments_of_split(choice, entry),
        held_out=events.select(split.part("validation")),
        recipe=recipe,
        seed=seed,
        keep_epochs=keep_epochs,
    )
