"""Make a run: train as planned, and write weights, card, history and split, all of them or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.baseline.protocol import folder as run_folder
from spikedata.baseline.protocol.card import (
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
from spikedata.baseline.protocol.chosen import ChosenRun
from spikedata.baseline.protocol.evaluation import control_name, scoring_options
from spikedata.baseline.protocol.fitting import fit_recipe
from spikedata.baseline.protocol.folder import read_card
from spikedata.baseline.protocol.identity import identity_of_card, training_identity
from spikedata.baseline.protocol.measures import measure
from spikedata.baseline.protocol.operations import Operations, count_operations
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.recipes.structure import to_json
from spikedata.disk import OutputError
from spikedata.events.events import Events
from spikedata.nn.networks import Network
from spikedata.nn.threads import on_threads
from spikedata.splits import Split, sample_names
from spikedata.training.checkpoint import difference
from spikedata.training.devices import explaining_out_of_memory, resolve_device
from spikedata.training.folder import TrainingFolder
from spikedata.training.history import EpochRecord, Trained, history_bytes, require_tensorboard
from spikedata.training.parallel import device_of_rank, joined_processes, started_processes
from spikedata.training.scoring import Score, evaluate
from spikedata.transforms.named import apply_control


class Plan(NamedTuple):
    """What is to be trained, and on what.

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


def make_run(
    make_plan: Callable[[], Plan],
    run_dir: str | os.PathLike[str],
    *,
    tensorboard: bool = False,
    overwrite: bool = False,
    keep_finished: bool = False,
    device: str = "auto",
    threads: int = 1,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Card:
    """Train as planned and write a run, from where it stopped if it did.

    Parameters
    ----------
    make_plan : callable
        Gives the plan; called when it is known that the run can be written, since it reads the spike file.
    run_dir, tensorboard, overwrite, keep_finished, device, threads, on_epoch
        As `spikedata.baseline.protocol.runs.train_run` takes them, and it raises the same.

    Returns
    -------
    Card
        The result card.
    """
    is_first = started_processes().is_first
    is_there = keep_finished and Path(run_dir, run_folder.CARD).is_file()
    if is_first and not is_there:
        run_folder.check_run_dir(run_dir, overwrite=overwrite)
    if tensorboard:
        require_tensorboard()
    chosen_device = resolve_device(device_of_rank(device))
    plan = make_plan()
    training = _identity_of(plan)
    if is_there:
        finished = read_card(run_dir)
        found = difference(identity_of_card(finished), training)
        if found is None:
            return finished
        if not overwrite:
            raise OutputError(f"{run_dir}: is of another training: {found}; will not replace it")
    # what a card says before the training: what cannot be written must not cost one
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
            on_epoch=on_epoch,
        )
        environment = environment_of(chosen_device, n_processes=processes.n)
        weights = run_folder.weights_bytes(trained.network)
        card = _card(plan, trained, weights, command=command, environment=environment)
        if is_first:
            contents = {
                run_folder.WEIGHTS: weights,
                run_folder.HISTORY: history_bytes(trained.history),
                run_folder.SPLIT: split,
                run_folder.CARD: run_folder.card_bytes(card),
            }
            run_folder.write_run_dir(run_dir, contents, folders=folder.folders, overwrite=overwrite)
            folder.remove()
    return card


def _identity_of(plan: Plan) -> dict[str, Any]:
    return training_identity(
        plan.recipe,
        seed=plan.seed,
        data=plan.data.sha256,
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
    """The score on the clips that chose, and what the network does with them."""
    operations: list[Operations] = []
    clips = apply_control(plan.held_out, control_name(plan.recipe), seed=plan.seed)
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
