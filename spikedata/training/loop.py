"""Train a network, and keep the weights of the epoch that a validation part, or an earlier training, has chosen."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from spikedata.events import Events
from spikedata.nn.networks import EventDrivenNetwork, Network, anneal_delays
from spikedata.torch import SpikeDataset
from spikedata.training.batches import batches_of, iterate_batches
from spikedata.training.checkpoint import Checkpoint
from spikedata.training.history import EpochRecord, Trained
from spikedata.training.parallel import ALONE, Processes, shares_of
from spikedata.training.params import TrainParams
from spikedata.training.schedules import learning_rate_at
from spikedata.training.scoring import check_clips, grid_of, layout_of, score_clips
from spikedata.training.step import (
    Step,
    check_gradient,
    check_loss,
    make_average,
    make_optimizer,
    moments_of,
    not_finite,
    restore_moments,
    train_epoch,
)
from spikedata.transforms import Compose, EventTransform
from spikedata.transforms.named import apply_control, augmentation_of, control_of

_SILENCE = "no hidden neuron fired in epoch %d: the readout has nothing to learn from, and they %s"
_HELP = (
    "learn only as far as the surrogate reaches; larger weights (input_gain) or a lower bound on activity "
    "(lower_strength) make them fire"
)
_HELP_IF_EXACT = (
    "have no gradient, which is that of spike times; larger weights (input_mean) make them fire, or raising the "
    "weights of silent neurons while training (bump)"
)
_logger = logging.getLogger(__name__)


def train(
    network: Network,
    training: Events,
    validation: Events | None,
    params: TrainParams,
    *,
    seed: int = 0,
    repeated: Sequence[EpochRecord] = (),
    on_epoch: Callable[[EpochRecord], None] | None = None,
    checkpoint: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
    processes: Processes = ALONE,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Train a copy of a network, and keep the weights of the epoch that did best on the validation part.

    The best epoch has the highest validation accuracy; ties go to the lower validation loss, then to the earlier epoch.
    The same network, events, params and seed, on the same device and number of threads, give the same weights, whether
    or not the training is interrupted and resumed from a checkpoint.

    Without a validation part, the epochs of an earlier training are repeated: the same number, at the same learning
    rates, and the weights of the last one are kept. No clip is scored, so the history's validation columns are NaN.

    Parameters
    ----------
    network : Network
        Network to start from, which is not changed. Training runs on its device.
    training : Events
        Clips to train on.
    validation : Events or None
        Clips to choose the epoch on; None if ``repeated`` gives the epochs.
    params : TrainParams
        How to train.
    seed : int
        Seed of the order of the clips, the augmentation and the dropout [1].
    repeated : sequence of EpochRecord
        The epochs of an earlier training, starting with its first.
    on_epoch : callable, optional
        Called with the record of each finished epoch.
    checkpoint : Checkpoint, optional
        Checkpoint of the same training, to resume from.
    on_checkpoint : callable, optional
        Called with the complete state after each epoch, before ``on_epoch``.
    processes : Processes
        Rank of this process and number of processes.
    on_progress : callable, optional
        Called with the number of clips learned and scored and how many there will be in all epochs, first with those
        of the epochs before.

    Raises
    ------
    ValueError
        If a part holds no clip, both or neither of a validation part and epochs to repeat are given, or the gradient
        does not fit the network.
    FloatingPointError
        If the loss, or a weight at the end of an epoch, is not finite; the message says where.
    """
    if (validation is None) != bool(repeated):
        raise ValueError("training needs either a validation part or epochs to repeat, not both")
    check_gradient(network, params)
    check_clips(network, training, "training part")
    if validation is not None:
        check_clips(network, validation, "validation part")
    network = copy.deepcopy(network)
    optimizer, average = make_optimizer(network, params), make_average(network, params)
    scored = network if average is None else cast(Network, average.module)
    rng = np.random.default_rng(seed)
    state = checkpoint or Checkpoint({}, {}, {}, (), 0, {})
    if checkpoint is not None:
        network.load_state_dict(checkpoint.weights)
        restore_moments(optimizer, checkpoint.moments)
        rng.bit_generator.state = checkpoint.order
        if average is not None:
            scored.load_state_dict(checkpoint.averaged)
            average.n_averaged.fill_(1)  # any number but 0, at which the average would begin anew
    dt, n_steps = network.dt, network.n_steps
    learned = SpikeDataset(training, transform=transform_of(params, dt=dt, n_steps=n_steps), seed=seed)
    chosen_by = None
    if validation is not None:
        chosen_by = SpikeDataset(apply_control(validation, params.control, seed=seed, dt=dt, n_steps=n_steps))
    n_all = len(learned) + (0 if chosen_by is None else len(chosen_by))
    n_epochs = len(repeated) or params.epochs
    was_silent = False
    for epoch in range(len(state.history) + 1, n_epochs + 1):
        began = time.perf_counter()
        learned.set_epoch(epoch)
        report = _within(epoch, n_all, n_epochs, on_progress)
        report(0)
        rates, steps = _plan_epoch(network, learned, params, (repeated or state.history)[: epoch - 1], rng, processes)
        for each in {network, scored}:
            anneal_delays(each, (epoch - 1) / params.epochs)
        passage = train_epoch(
            network,
            optimizer,
            _counted(steps, len(rates), len(learned), report),
            params,
            epoch=epoch,
            generator=_generator(network, seed, epoch, processes),
            processes=processes,
            seed=seed,
            average=average,
        )
        if passage.is_silent and not was_silent:
            _logger.warning(_SILENCE, epoch, _HELP_IF_EXACT if isinstance(network, EventDrivenNetwork) else _HELP)
        was_silent = passage.is_silent
        if chosen_by is None:
            validated = _Validated()
        else:
            validated = _validate(
                scored, chosen_by, params, epoch=epoch, learning_rate=rates[-1], report=partial(report, len(learned))
            )
        # a loss has checked neither the last step nor weights whose neurons never fire
        _check_weights(network, epoch=epoch, learning_rate=rates[-1])
        record = EpochRecord(
            epoch=epoch,
            train_loss=passage.loss,
            train_accuracy=passage.accuracy,
            validation_loss=validated.loss,
            validation_accuracy=validated.accuracy,
            hidden_spikes=validated.hidden_spikes,
            learning_rate=rates[-1],
            seconds=time.perf_counter() - began,
        )
        state = _after_epoch(state, record, network, None if average is None else scored, moments_of(optimizer), rng)
        if on_checkpoint is not None:
            on_checkpoint(state)
        if on_epoch is not None:
            on_epoch(record)
    network.load_state_dict(state.best_weights)
    return Trained(network.eval(), state.history, state.best_epoch)


def _within(
    epoch: int, n_clips: int, n_epochs: int, on_progress: Callable[[int, int], None] | None
) -> Callable[..., None]:
    """What tells of an epoch how many of its clips are done: the sum of the numbers that it is called with."""

    def report(*done: int) -> None:
        if on_progress is not None:
            on_progress((epoch - 1) * n_clips + sum(done), n_epochs * n_clips)

    return report


def _counted(steps: Iterable[Step], n_steps: int, n_clips: int, report: Callable[..., None]) -> Iterator[Step]:
    """The steps of an epoch; each is reported when the next is asked for, so when it has been taken."""
    for number, step in enumerate(steps, start=1):
        yield step
        report(n_clips * number // n_steps)  # a step may hold this process's share of a batch alone


def transform_of(params: TrainParams, *, dt: float, n_steps: int) -> EventTransform | None:
    """The transform of training clips: the control, then the augmentation; None if there is neither.

    Parameters
    ----------
    params : TrainParams
        How the network is trained.
    dt : float
        Length of its steps [s].
    n_steps : int
        Number of its steps.
    """
    control = control_of(params.control, dt=dt, n_steps=n_steps)
    both = [transform for transform in (control, augmentation_of(params.augmentation)) if transform]
    return Compose(tuple(both)) if both else None


class _Validated(NamedTuple):
    """Validation results of an epoch; NaN if there is no validation part."""

    loss: float = math.nan
    accuracy: float = math.nan
    hidden_spikes: float = math.nan


def _validate(
    network: Network,
    clips: SpikeDataset,
    params: TrainParams,
    *,
    epoch: int,
    learning_rate: float,
    report: Callable[[int], None],
) -> _Validated:
    score = score_clips(
        network,
        clips,
        batch_size=params.batch_size,
        layout=params.layout,
        on_progress=lambda done, _: report(done),
    )
    check_loss(score.loss, network, where=f"after epoch {epoch}, on validation clips", learning_rate=learning_rate)
    return _Validated(score.loss, score.accuracy, score.hidden_spikes)


def _check_weights(network: Network, *, epoch: int, learning_rate: float) -> None:
    """Raise FloatingPointError if a weight is not finite."""
    spoiled = not_finite(network)
    if spoiled:
        raise FloatingPointError(
            f"training diverged: weights that are not finite after epoch {epoch}: {', '.join(spoiled)}; "
            f"learning rate {learning_rate}"
        )


def _plan_epoch(
    network: Network,
    dataset: SpikeDataset,
    params: TrainParams,
    history: Sequence[EpochRecord],
    rng: np.random.Generator,
    processes: Processes,
) -> tuple[list[float], Iterator[Step]]:
    """The learning rates of an epoch, and its steps, whose batches are made one at a time."""
    order = rng.permutation(len(dataset))
    n_inputs = -(-dataset.n_units // network.n_merged)
    shifts = np.empty(len(order), np.int64)
    shifts[order] = np.rint(rng.normal(0.0, params.unit_shift * n_inputs, len(order)))
    batches = batches_of(order, params.batch_size)
    shares, weights = shares_of(batches, processes)
    rates = [_learning_rate(params, history, number / len(batches)) for number in range(len(batches))]
    loader = iterate_batches(
        dataset,
        shares,
        grid_of(network),
        layout=layout_of(network, params.layout),
        device=next(network.parameters()).device,
        shifts=shifts if shifts.any() else None,
    )
    steps = (Step(*batch, rate, weight) for batch, rate, weight in zip(loader, rates, weights, strict=True))
    return rates, steps


def _learning_rate(params: TrainParams, history: Sequence[EpochRecord], share: float) -> float:
    """The learning rate after a share of an epoch; only "one_cycle" changes it within an epoch."""
    return learning_rate_at(
        params.schedule,
        learning_rate=params.learning_rate,
        progress=(len(history) + (share if params.schedule == "one_cycle" else 0)) / params.epochs,
        history=history,
        factor=params.schedule_factor,
        patience=params.schedule_patience,
        rise=params.schedule_rise,
    )


def _generator(network: Network, seed: int, epoch: int, processes: Processes) -> torch.Generator:
    """The generator of the dropout, seeded for one epoch and process, so that a checkpoint need not save its state."""
    words = np.random.SeedSequence([seed, epoch, processes.rank]).generate_state(1, np.uint64)
    return torch.Generator(next(network.parameters()).device).manual_seed(int(words[0] >> np.uint64(1)))


def _after_epoch(
    before: Checkpoint,
    record: EpochRecord,
    network: Network,
    average: Network | None,
    moments: dict[int, dict[str, Tensor]],
    rng: np.random.Generator,
) -> Checkpoint:
    weights = _copied(network)
    averaged = {} if average is None else _copied(average)
    scored = averaged or weights
    is_best = not (before.history and record.is_validated) or record.rank > before.history[before.best_epoch - 1].rank
    return Checkpoint(
        weights=weights,
        best_weights=scored if is_best else before.best_weights,
        moments=moments,
        history=(*before.history, record),
        best_epoch=record.epoch if is_best else before.best_epoch,
        order=dict(rng.bit_generator.state),
        averaged=averaged,
    )


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
