"""Train a run under the protocol: on some speakers, with the epoch chosen on others, and the test part left closed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from spikedata.baseline.recipes.catalog import network_of
from spikedata.baseline.recipes.own_network import OwnNetwork, recipe_and_code
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.recipes.structure import to_json
from spikedata.baseline.runs.card import (
    Card,
    DataEntry,
    Environment,
    Measures,
    SplitEntry,
    environment_of,
    how_to_make,
    network_entry,
    score_entry,
    training_entry,
)
from spikedata.baseline.runs.data import (
    BY_SPEAKER,
    LISTED,
    SplitChoice,
    arguments_of_split,
    choose_split,
    parts_of_file,
    read_run_data,
    split_entry,
)
from spikedata.baseline.runs.evaluation import control_name, scoring_options
from spikedata.baseline.runs.folder import (
    CARD,
    HISTORY,
    SPLIT,
    WEIGHTS,
    ChosenRun,
    card_bytes,
    check_run_dir,
    read_card,
    weights_bytes,
    write_run_dir,
)
from spikedata.baseline.runs.identity import identity_of_card, training_identity
from spikedata.baseline.runs.operations import Operations, count_operations, measure
from spikedata.checks import Seed, checked, whole_number
from spikedata.disk import OutputError
from spikedata.events import Events
from spikedata.nn.networks import CountParams, CustomNetwork, MakeModule, Network, check_custom
from spikedata.nn.threads import on_threads
from spikedata.splits import Split, sample_names
from spikedata.training.checkpoint import Checkpoint, checkpoint_from, difference
from spikedata.training.counts import fit_counts
from spikedata.training.devices import explaining_out_of_memory, resolve_device
from spikedata.training.folder import CHECKPOINT, TrainingFolder
from spikedata.training.history import EpochRecord, Trained, history_bytes, require_tensorboard
from spikedata.training.loop import train
from spikedata.training.parallel import (
    Processes,
    device_of_rank,
    joined_processes,
    made_by_first,
    started_processes,
    wait_for_others,
)
from spikedata.training.params import TrainParams
from spikedata.training.scoring import Score, evaluate
from spikedata.transforms.named import apply_control


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
    own: OwnNetwork | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Trained:
    """A recipe's trained network, with the weights that validation chose, or those of the last repeated epoch.

    Parameters
    ----------
    recipe : Recipe
        Network and training.
    training : Events
        Clips to train on.
    validation : Events or None
        Clips to choose the epoch on; None if epochs are repeated.
    seed : int
        Seed of all randomness [1].
    repeated : sequence of EpochRecord
        The epochs of an earlier training to repeat; not for the linear classifier.
    device : torch.device
        Device to train on.
    folder : TrainingFolder
        Folder in which the first process keeps checkpoints.
    overwrite : bool
        Whether the checkpoint of another training may be discarded.
    processes : Processes
        Which of how many processes this is.
    own : OwnNetwork, optional
        The code of a network of one's own.
    on_epoch : callable, optional
        Given each epoch's record when it is there.
    on_progress : callable, optional
        Called with a stage, "read" or "train", the number of clips done and how many there are, in all epochs.

    Raises
    ------
    ValueError
        If a part holds no clip, the state is that of another training, or a network of one's own cannot be trained.
    FloatingPointError
        If the training diverged; the message says where the last good state is.
    """
    training_progress = None if on_progress is None else partial(on_progress, "train")
    if recipe.training is None:
        if validation is None:
            raise ValueError(f"recipe {recipe.name!r} is not trained by epochs, so it has none to repeat")
        params = cast(CountParams, recipe.network)
        fit = partial(fit_counts, training, validation, params, on_epoch=on_epoch, on_progress=training_progress)
        return made_by_first(fit, device, processes)
    checkpoint = _shared_checkpoint(folder, overwrite=overwrite, processes=processes)
    network = _untrained(recipe, training, own, seed=seed, device=device)
    try:
        return train(
            network,
            training,
            validation,
            recipe.training,
            seed=seed,
            repeated=repeated,
            on_epoch=on_epoch,
            on_progress=training_progress,
            checkpoint=checkpoint,
            on_checkpoint=folder.keep if processes.is_first else None,
            processes=processes,
        )
    except FloatingPointError as error:
        path = folder.path / CHECKPOINT
        kept = f"the state before that epoch is kept in {path}" if path.is_file() else "no epoch was finished"
        raise FloatingPointError(f"{error}; {kept}") from None


def _untrained(recipe: Recipe, training: Events, own: OwnNetwork | None, *, seed: int, device: torch.device) -> Network:
    """The untrained network on its device; one of one's own is tried first, before it costs a training."""
    make = None if own is None else own.make
    network, *again = (
        network_of(recipe, n_units=training.n_units, n_classes=len(training.keys), seed=seed, make=make)
        for _ in range(1 if own is None else 2)
    )
    network = network.to(device)
    if isinstance(network, CustomNetwork):
        check_custom(network, cast(CustomNetwork, again[0]), loss=cast(TrainParams, recipe.training).loss)
        try:
            weights_bytes(network)
        except Exception as error:  # of safetensors, which has several
            name = network.params.code.class_name
            raise ValueError(f"{name}: its weights cannot be written: {str(error).splitlines()[0]}") from error
    return network


def _shared_checkpoint(folder: TrainingFolder, *, overwrite: bool, processes: Processes) -> Checkpoint | None:
    """The checkpoint to resume from: the first process checks it, and only then the others read it."""
    checkpoint = folder.begin(overwrite=overwrite) if processes.is_first else None
    wait_for_others(processes)
    path: Path = folder.path / CHECKPOINT
    if not processes.is_first and path.is_file():
        checkpoint, _ = checkpoint_from(path.read_bytes())
    return checkpoint


class Plan(NamedTuple):
    """Plan of a run: what to train, and on which clips.

    Attributes
    ----------
    spike_path : str or path-like
        The spike file.
    data : DataEntry
        Its entry on the card.
    events : Events
        All its clips.
    split : Split
        Of the clips, as it is written beside the weights.
    split_entry : SplitEntry
        Its entry on the card.
    split_arguments : mapping
        What of the arguments of `train_run` makes the split, by name.
    held_out : Events
        Clips that choose the epoch; of a refit those that chose it, on which the network's cost is measured.
    recipe : Recipe
        Network and training.
    seed : int
        Of all chance [1].
    keep_epochs : bool
        Whether to keep the weights after each epoch.
    chosen : ChosenRun or None
        Of a refit, the run that it repeats on more clips.
    own : OwnNetwork or None
        The code of a network of one's own.
    """

    spike_path: str | os.PathLike[str]
    data: DataEntry
    events: Events
    split: Split
    split_entry: SplitEntry
    split_arguments: Mapping[str, Any]
    held_out: Events
    recipe: Recipe
    seed: int
    keep_epochs: bool = False
    chosen: ChosenRun | None = None
    own: OwnNetwork | None = None


def make_run(
    make_plan: Callable[[], Plan],
    run_dir: str | os.PathLike[str],
    *,
    tensorboard: bool = False,
    overwrite: bool = False,
    keep_finished: bool = False,
    device: str = "auto",
    threads: int = 1,
    on_plan: Callable[[Plan], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Card:
    """Train as planned and write a run, resuming an unfinished training if there is one.

    Parameters
    ----------
    make_plan : callable
        Returns the plan; called only once it is certain that the run can be written, since it reads the spike file.
    run_dir, tensorboard, overwrite, keep_finished, device, threads, on_plan, on_epoch, on_progress
        As `train_run` takes them, and it raises the same.

    Returns
    -------
    Card
        The result card.
    """
    threads = whole_number("threads", threads, at_least=1)
    is_first = started_processes().is_first
    is_there = keep_finished and Path(run_dir, CARD).is_file()
    if is_first and not is_there:
        check_run_dir(run_dir, overwrite=overwrite)
    if tensorboard:
        require_tensorboard()
    chosen_device = resolve_device(device_of_rank(device))
    plan = make_plan()
    if not plan.events.times.size:
        raise ValueError(f"{plan.spike_path}: no clip has a spike, so there is nothing to train on")
    training = _identity_of(plan)
    if is_there:
        finished = read_card(run_dir)
        found = difference(identity_of_card(finished), training)
        if found is None:
            return finished
        if not overwrite:
            raise OutputError(f"{run_dir}: is of another training: {found}; will not replace it (--overwrite does)")
    if on_plan is not None:
        on_plan(plan)
    # Written as a test before training, so that what a card cannot hold does not cost a whole training.
    command = _command(plan, run_dir, device=device, threads=threads)
    for known in (plan.recipe, plan.data, plan.split_entry):
        json.dumps(to_json(known, type(known), "card"))
    split = plan.split.to_json(sample_names(plan.events.sources)).encode()
    folder = TrainingFolder(run_dir, training, keep_epochs=plan.keep_epochs, tensorboard=tensorboard)
    with (
        on_threads(threads),
        joined_processes(chosen_device) as processes,
        explaining_out_of_memory(_advice(plan)),
        folder if is_first else nullcontext(),
    ):
        trained = fit_recipe(
            plan.recipe,
            plan.events.select(plan.split.part("train")),
            None if plan.chosen else plan.held_out,
            seed=plan.seed,
            repeated=plan.chosen.epochs if plan.chosen else (),
            device=chosen_device,
            folder=folder,
            overwrite=overwrite,
            processes=processes,
            own=plan.own,
            on_epoch=on_epoch,
            on_progress=on_progress,
        )
        environment = environment_of(chosen_device, n_processes=processes.n)
        weights = weights_bytes(trained.network)
        card = _card(plan, trained, weights, command=command, environment=environment)
        if is_first:
            contents = {
                WEIGHTS: weights,
                HISTORY: history_bytes(trained.history),
                SPLIT: split,
                CARD: card_bytes(card),
            }
            write_run_dir(run_dir, contents, folders=folder.folders, overwrite=overwrite)
            folder.remove()
    return card


def _identity_of(plan: Plan) -> dict[str, Any]:
    return training_identity(
        plan.recipe,
        seed=plan.seed,
        data=plan.data.identity,
        split=plan.split.digest,
        keep_epochs=plan.keep_epochs,
        refit=plan.chosen.entry if plan.chosen else None,
    )


def _command(plan: Plan, run_dir: str | os.PathLike[str], *, device: str, threads: int) -> str:
    return how_to_make(
        plan.spike_path,
        run_dir,
        plan.recipe,
        seed=plan.seed,
        device=device,
        split=plan.split_arguments,
        keep_epochs=plan.keep_epochs,
        threads=threads,
        refit=plan.chosen.path if plan.chosen else None,
        reading=plan.data.reading,
        network=plan.own.typed if plan.own else None,
    )


def _card(plan: Plan, trained: Trained, weights: bytes, *, command: str, environment: Environment) -> Card:
    n_clips = len(plan.split.part("train"))
    score, measures = _on_held_out(trained.network, plan)
    return Card(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        environment=environment,
        recipe=plan.recipe,
        seed=plan.seed,
        refit=plan.chosen.entry if plan.chosen else None,
        data=plan.data,
        split=plan.split_entry,
        network=network_entry(trained.network, weights),
        training=training_entry(trained, plan.recipe, n_clips=n_clips, keep_epochs=plan.keep_epochs),
        validation=plan.chosen.validation if plan.chosen else score_entry(score),
        measures=measures,
    )


def _on_held_out(network: Network, plan: Plan) -> tuple[Score, Measures]:
    """The score on the clips that chose the epoch, and the network's cost on them."""
    operations: list[Operations] = []
    control = control_name(plan.recipe)
    clips = apply_control(plan.held_out, control, seed=plan.seed, dt=network.dt, n_steps=network.n_steps)
    score = evaluate(
        network,
        clips,
        **scoring_options(plan.recipe),
        watch=lambda inputs, activity: operations.append(count_operations(network, inputs, activity)),
    )
    return score, measure(network, score, operations)


def _advice(plan: Plan) -> str:
    if plan.recipe.training is None:
        return "this recipe needs all clips at once"
    size = plan.recipe.training.batch_size
    if plan.chosen:
        return f"batch_size is {size}, that of {plan.chosen.path}, and a refit keeps it"
    return f"batch_size is {size}; --batch-size {max(1, size // 2)} needs about half"


def train_run(
    spike_path: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    network: str | MakeModule | OwnNetwork | None = None,
    seed: int = 0,
    split: str = BY_SPEAKER,
    split_seed: int | None = None,
    validation_speakers: Sequence[int] | None = None,
    test_speakers: Sequence[int] | None = None,
    left_out: int | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
    keep_epochs: bool = False,
    tensorboard: bool = False,
    overwrite: bool = False,
    keep_finished: bool = False,
    device: str = "auto",
    threads: int = 1,
    on_plan: Callable[[Plan], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Card:
    """Train on a spike file and write a run: weights, card, history and split. The test part is not used.

    The state after every epoch is kept beside the run, in a folder with the run's name plus ``.training``. Whatever
    interrupts a training, the same call resumes it, and the weights are those of an uninterrupted training. PyTorch
    runs on the given number of threads, so the weights do not depend on the number of processors.

    Parameters
    ----------
    spike_path : str or path-like
        The spike file.
    run_dir : str or path-like
        The folder to make; it appears complete or not at all.
    recipe : Recipe, optional
        Network and training. Default: that of ``network``.
    network : str, class or callable, optional
        A network of one's own, as "module:Class", "path/to/file.py:Class" or the class itself, or a function that makes
        one: `custom_recipe` says how it is called, and makes a ``recipe`` for other params than the usual ones.
    seed : int
        Of the first weights, the order of the clips, augmentation and dropout [1].
    split : str
        Name of the split, or a file of JSON: see `spikedata.baseline.runs.data.choose_split`.
    split_seed : int, optional
        Of what the split draws [1]; None for ``seed``.
    validation_speakers, test_speakers : sequence of int, optional
        Speakers of those parts, of the split "by_speaker"; None chooses some. An empty ``test_speakers`` leaves all
        speakers to training and validation, for files whose test set is another file.
    left_out : int, optional
        The test speaker, for the split "leave_one_speaker_out".
    time_unit : str, optional
        Unit of the times in the file, where it is not s: "ms", "us", "ns" or "samples@16000". With "s", no window is
        refused that leaves out nearly all spikes.
    n_units : int, optional
        Number of units, and of inputs of the network, where the file does not say it [1]. Default: 700.
    keep_epochs : bool
        Whether to keep the weights after each epoch; the size of the selection bias is computed from them.
    tensorboard : bool
        Whether to log for TensorBoard.
    overwrite : bool
        Whether an existing run, or the unfinished training of another one, may be replaced.
    keep_finished : bool
        Whether to return an existing run of the same training as it is, instead of refusing to replace it.
    device : str
        cpu, cuda, cuda:N, or auto: a GPU if there is one.
    threads : int
        Number of PyTorch threads on the CPU [1].
    on_plan : callable, optional
        Given the plan before anything is trained; an exception that it raises ends the call.
    on_epoch : callable, optional
        Given each epoch's record when it is there.
    on_progress : callable, optional
        Called with a stage, "read" or "train", the number of clips done and how many there are, in all epochs.

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
        If the file is none, its clips cannot be divided so, nearly all spikes fall outside the recipe's window, there
        is no such device, the training that was begun for this run is another one, or a network of one's own is not
        that of the recipe or cannot be trained.
    FloatingPointError
        If the training diverged; the last good state is kept.
    OutOfMemory
        If there is not enough memory.
    """
    seed = checked("seed", seed, Seed)
    recipe, own = recipe_and_code(recipe, network)
    choice = SplitChoice(
        name=split,
        validation_speakers=validation_speakers,
        test_speakers=test_speakers,
        left_out=left_out,
        seed=seed if split_seed is None else split_seed,
    )
    return make_run(
        lambda: _plan(
            spike_path,
            choice,
            recipe,
            own,
            seed=seed,
            keep_epochs=keep_epochs,
            time_unit=time_unit,
            n_units=n_units,
            on_progress=on_progress,
        ),
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


def _plan(
    spike_path: str | os.PathLike[str],
    choice: SplitChoice,
    recipe: Recipe,
    own: OwnNetwork | None,
    *,
    seed: int,
    keep_epochs: bool,
    time_unit: str | None,
    n_units: int | None,
    on_progress: Callable[[str, int, int], None] | None,
) -> Plan:
    data, events = read_run_data(
        spike_path, window=recipe.network.duration, time_unit=time_unit, n_units=n_units, on_progress=on_progress
    )
    try:
        parts = parts_of_file(spike_path, time_unit) if choice.name in (BY_SPEAKER, LISTED) else ()
        split = choose_split(events, choice, parts)
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
        own=own,
    )
