"""The protocol: train on some speakers, choose on others, score once on speakers that neither has heard."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.atomic import OutputError
from spikedata.baseline.networks import Network
from spikedata.baseline.protocol import folder as run_folder
from spikedata.baseline.protocol.card import command_line, environment_entry, network_entry, score_entry, training_entry
from spikedata.baseline.protocol.card_text import format_card
from spikedata.baseline.protocol.data_split import BY_SPEAKER, SplitChoice, choose_split, split_entry, words_of_split
from spikedata.baseline.protocol.evaluation import control_name, evaluate_run, scoring_options
from spikedata.baseline.protocol.fitting import fit_recipe
from spikedata.baseline.protocol.folder import load_run, read_card
from spikedata.baseline.protocol.identity import identity_of_card, training_identity
from spikedata.baseline.protocol.measures import measure
from spikedata.baseline.protocol.operations import Operations, count_operations
from spikedata.baseline.protocol.run_data import read_run_data
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.threads import on_threads
from spikedata.baseline.training.checkpoint import difference
from spikedata.baseline.training.controls import apply_control
from spikedata.baseline.training.epochs import EpochRecord, Trained
from spikedata.baseline.training.folder import TrainingFolder
from spikedata.baseline.training.logs import history_bytes, require_tensorboard
from spikedata.baseline.training.out_of_memory import explaining_out_of_memory
from spikedata.baseline.training.parallel import device_of_rank, joined_processes
from spikedata.baseline.training.scoring import evaluate
from spikedata.events import Events
from spikedata.splits import Split, sample_names
from spikedata.torch.device import resolve_device

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
) -> dict[str, Any]:
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
    dict
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
    is_first = os.environ.get("RANK", "0") == "0"
    is_there = keep_finished and Path(run_dir, run_folder.CARD).is_file()
    if is_first and not is_there:
        run_folder.check_run_dir(run_dir, overwrite=overwrite)
    if tensorboard:
        require_tensorboard()
    chosen_device = resolve_device(device_of_rank(device))
    choice = SplitChoice(
        name=split,
        validation_speakers=validation_speakers,
        test_speakers=test_speakers,
        left_out=left_out,
        seed=seed if split_seed is None else split_seed,
    )
    material = _read_material(spike_path, choice)
    training = training_identity(
        recipe, seed=seed, data=material.data["sha256"], split=material.split.digest, keep_epochs=keep_epochs
    )
    if is_there:
        finished = read_card(run_dir)
        found = difference(identity_of_card(finished), training)
        if found is None:
            return finished
        if not overwrite:
            raise OutputError(f"{run_dir}: is of another training: {found}; will not replace it")
    folder = TrainingFolder(run_dir, training, keep_epochs=keep_epochs, tensorboard=tensorboard)
    with (
        on_threads(threads),
        joined_processes(chosen_device) as processes,
        explaining_out_of_memory(_advice(recipe)),
        folder if is_first else nullcontext(),
    ):
        trained = fit_recipe(
            recipe,
            material.part("train"),
            material.part("validation"),
            seed=seed,
            device=chosen_device,
            folder=folder,
            overwrite=overwrite,
            processes=processes,
            on_epoch=on_epoch,
        )
        command = command_line(
            spike_path,
            run_dir,
            recipe,
            seed=seed,
            device=device,
            split=words_of_split(choice, material.split_entry),
            keep_epochs=keep_epochs,
            threads=threads,
        )
        environment = environment_entry(chosen_device, n_processes=processes.n)
        weights = run_folder.weights_bytes(trained.network)
        card = {
            "card_format": run_folder.CARD_FORMAT,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "environment": environment,
            **_what_was_trained(recipe, trained, weights, material, seed=seed, keep_epochs=keep_epochs),
            "tests": [],
            "controls": [],
            "selection_bias": [],
        }
        if is_first:
            contents = {
                run_folder.WEIGHTS: weights,
                run_folder.HISTORY: history_bytes(trained.history),
                run_folder.SPLIT: material.split.to_json(sample_names(material.events.sources)).encode(),
                run_folder.CARD: run_folder.card_bytes(card),
            }
            run_folder.write_run_dir(run_dir, contents, folders=folder.folders, overwrite=overwrite)
            folder.remove()
    return card


class _Material(NamedTuple):
    """A spike file's entry on a card, its events, their split, and the split's entry."""

    data: dict[str, Any]
    events: Events
    split: Split
    split_entry: dict[str, Any]

    def part(self, name: str) -> Events:
        """The clips of a part of the split."""
        return self.events.select(self.split.part(name))


def _read_material(spike_path: str | os.PathLike[str], choice: SplitChoice) -> _Material:
    data, events = read_run_data(spike_path)
    try:
        split = choose_split(events, choice)
    except ValueError as error:
        raise ValueError(f"{spike_path}: {error}") from error
    return _Material(data, events, split, split_entry(split, events) | {"seed": choice.seed})


def _what_was_trained(
    recipe: Recipe, trained: Trained, weights: bytes, material: _Material, *, seed: int, keep_epochs: bool
) -> dict[str, Any]:
    """The entries of a card from the recipe to the score on the validation part."""
    n_clips = len(material.split.part("train"))
    return {
        "recipe": {"name": recipe.name, "params": recipe.params},
        "seed": seed,
        "data": material.data,
        "split": material.split_entry,
        "network": network_entry(trained.network, weights),
        "training": training_entry(trained, recipe, n_clips=n_clips) | {"keep_epochs": keep_epochs},
        **_on_validation(trained.network, recipe, material.part("validation"), seed=seed),
    }


def _on_validation(network: Network, recipe: Recipe, validation: Events, *, seed: int) -> dict[str, Any]:
    """The score on the validation part, and what the network does with its clips."""
    operations: list[Operations] = []
    clips = apply_control(validation, control_name(recipe), seed=seed)
    score = evaluate(
        network,
        clips,
        **scoring_options(recipe),
        watch=lambda inputs, activity: operations.append(count_operations(network, inputs, activity)),
    )
    return {"validation": score_entry(score), "measures": measure(network, score, operations)}


def _advice(recipe: Recipe) -> str:
    if recipe.training is None:
        return "this recipe needs all clips at once"
    size = recipe.training.batch_size
    return f"batch_size is {size}; --batch-size {max(1, size // 2)} needs about half"
