"""Back-propagation through time on a training part, weights chosen on a validation part or by an earlier training."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikedata.events import Events
from spikedata.nn.networks import Network, anneal_delays
from spikedata.torch import SpikeDataset
from spikedata.training.batches import batches_of, iterate_batches
from spikedata.training.checkpoint import Checkpoint
from spikedata.training.history import EpochRecord, Trained
from spikedata.training.parallel import ALONE, Processes, shares_of
from spikedata.training.params import TrainParams
from spikedata.training.schedules import learning_rate_at
from spikedata.training.scoring import check_clips, grid_of, score_clips
from spikedata.training.step import (
    Step,
    check_loss,
    make_optimizer,
    moments_of,
    not_finite,
    restore_moments,
    train_epoch,
)
from spikedata.transforms import Compose, EventTransform
from spikedata.transforms.named import apply_control, augmentation_of, control_of


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
) -> Trained:
    """Train a copy of a network, and keep the weights of the epoch that did best on the validation part.

    Better is the higher validation accuracy, then the lower validation loss, then the earlier epoch. The same
    network, events, params and seed, on the same device and number of threads, give the same weights, whether the
    training is stopped and goes on from a checkpoint or not.

    Without a validation part it goes through the epochs of an earlier training again: as many, at its learning rates,
    and the weights of the last one are kept. No clip is scored: validation and spikes are no numbers in the history.

    Parameters
    ----------
    network : Network
        Left as it is. The device is its own.
    training : Events
        Clips to learn from.
    validation : Events or None
        Clips to choose the epoch by; None where ``repeated`` says how many there are.
    params : TrainParams
        How to train.
    seed : int
        Of the order of the clips, the augmentation and the dropout [1].
    repeated : sequence of EpochRecord
        The epochs of an earlier training, from its first on.
    on_epoch : callable, optional
        Given each epoch's record when it is there.
    checkpoint : Checkpoint, optional
        Of the same training, to go on from.
    on_checkpoint : callable, optional
        Given the whole state after each epoch, before ``on_epoch``.
    processes : Processes
        Which of how many processes this is.

    Raises
    ------
    ValueError
        If a part holds no clip, or there are both or neither of a validation part and epochs to go through again.
    FloatingPointError
        If the loss, or a weight that is to be kept, is no longer finite; the message says where.
    """
    if (validation is None) != bool(repeated):
        raise ValueError("a training needs a validation part, or else the epochs to go through again")
    check_clips(network, training, "training part")
    if validation is not None:
        check_clips(network, validation, "validation part")
    network = copy.deepcopy(network)
    optimizer = make_optimizer(network, params)
    rng = np.random.default_rng(seed)
    state = checkpoint or Checkpoint({}, {}, {}, (), 0, {})
    if checkpoint is not None:
        network.load_state_dict(checkpoint.weights)
        restore_moments(optimizer, checkpoint.moments)
        rng.bit_generator.state = checkpoint.order
    learned = SpikeDataset(training, transform=transform_of(params), seed=seed)
    chosen_by = None if validation is None else SpikeDataset(apply_control(validation, params.control, seed=seed))
    for epoch in range(len(state.history) + 1, (len(repeated) or params.epochs) + 1):
        began = time.perf_counter()
        learned.set_epoch(epoch)
        rates, steps = _plan_epoch(network, learned, params, (repeated or state.history)[: epoch - 1], rng, processes)
        anneal_delays(network, (epoch - 1) / params.epochs)
        passage = train_epoch(
            network,
            optimizer,
            steps,
            params,
            epoch=epoch,
            generator=_generator(network, seed, epoch, processes),
            processes=processes,
        )
        if chosen_by is None:
            validated = _Validated()
            _check_weights(network, epoch=epoch, learning_rate=rates[-1])
        else:
            validated = _validate(network, chosen_by, params, epoch=epoch, learning_rate=rates[-1])
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
        state = _after_epoch(state, record, network, moments_of(optimizer), rng)
        if on_checkpoint is not None:
            on_checkpoint(state)
        if on_epoch is not None:
            on_epoch(record)
    network.load_state_dict(state.best_weights)
    return Trained(network.eval(), state.history, state.best_epoch)


def transform_of(params: TrainParams) -> EventTransform | None:
    """What becomes of a training clip: the control, then the augmentation; None if it stays as it is."""
    both = [transform for transform in (control_of(params.control), augmentation_of(params.augmentation)) if transform]
    return Compose(tuple(both)) if both else None


class _Validated(NamedTuple):
    """What the validation part says of an epoch; no numbers where there is none."""

    loss: float = math.nan
    accuracy: float = math.nan
    hidden_spikes: float = math.nan


def _validate(
    network: Network, clips: SpikeDataset, params: TrainParams, *, epoch: int, learning_rate: float
) -> _Validated:
    score = score_clips(network, clips, batch_size=params.batch_size, layout=params.layout)
    check_loss(score.loss, network, where=f"after epoch {epoch}, on validation clips", learning_rate=learning_rate)
    return _Validated(score.loss, score.accuracy, score.hidden_spikes)


def _check_weights(network: Network, *, epoch: int, learning_rate: float) -> None:
    """Raise a FloatingPointError if the last step of an epoch spoiled a weight, which no loss has seen yet."""
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
    """The learning rates of an epoch, and its steps, whose batches are made one by one."""
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
        layout=params.layout,
        device=next(network.parameters()).device,
        shifts=shifts if shifts.any() else None,
    )
    steps = (Step(*batch, rate, weight) for batch, rate, weight in zip(loader, rates, weights, strict=True))
    return rates, steps


def _learning_rate(params: TrainParams, history: Sequence[EpochRecord], share: float) -> float:
    """The learning rate after some share of an epoch; but for one cycle it stays as it is for the whole epoch."""
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
    """What the dropout of one epoch and process is drawn from, so that it has no state to keep."""
    words = np.random.SeedSequence([seed, epoch, processes.rank]).generate_state(1, np.uint64)
    return torch.Generator(next(network.parameters()).device).manual_seed(int(words[0] >> np.uint64(1)))


def _after_epoch(
    before: Checkpoint,
    record: EpochRecord,
    network: Network,
    moments: dict[int, dict[str, Tensor]],
    rng: np.random.Generator,
) -> Checkpoint:
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    is_best = not (before.history and record.is_validated) or record.rank > before.history[before.best_epoch - 1].rank
    return Checkpoint(
        weights=weights,
        best_weights=weights if is_best else before.best_weights,
        moments=moments,
        history=(*before.history, record),
        best_epoch=record.epoch if is_best else before.best_epoch,
        order=dict(rng.bit_generator.state),
    )
