"""One epoch over the training clips: the optimizer, and one step of it for every batch."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn, optim
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spikedata.learning import check_online, check_uniform, online_gradients
from spikedata.nn.networks import Activity, EventDrivenNetwork, Inputs, Network, SpikingNetwork, wake_silent
from spikedata.training.devices import at_precision
from spikedata.training.losses import activity_penalty, classification_loss, late_penalty
from spikedata.training.parallel import Processes, share_buffers, sum_gradients, sum_numbers
from spikedata.training.params import TrainParams

_logger = logging.getLogger(__name__)


def make_optimizer(network: nn.Module, params: TrainParams) -> optim.Optimizer:
    """The optimizer of a training, for all weights of a network.

    Parameters
    ----------
    network : nn.Module
        Network whose weights it changes.
    params : TrainParams
        Kind and settings of the optimizer.
    """
    weights, rate, decay = network.parameters(), params.learning_rate, params.weight_decay
    match params.optimizer:
        case "sgd":
            return optim.SGD(weights, lr=rate, weight_decay=decay, momentum=params.momentum)
        case "adamax":
            return optim.Adamax(weights, lr=rate, weight_decay=decay)
        case "adamw":
            return optim.AdamW(weights, lr=rate, weight_decay=decay)
        case _:
            return optim.Adam(weights, lr=rate, weight_decay=decay)


def make_average(network: nn.Module, params: TrainParams) -> AveragedModel | None:
    """The moving average of a network over the steps of a training, which begins with the first; None for none.

    Parameters
    ----------
    network : nn.Module
        Network to average; batch normalization's running statistics are averaged with its weights.
    params : TrainParams
        How to train.
    """
    if not params.weight_average:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(params.weight_average), use_buffers=True)


def set_learning_rate(optimizer: optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate [1] of an optimizer's next steps."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def moments_of(optimizer: optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """A copy of an optimizer's state for each weight, by the weight's number."""
    state = optimizer.state_dict()["state"]
    return {
        number: {name: value.clone() for name, value in named.items() if isinstance(value, Tensor)}
        for number, named in state.items()
    }


def restore_moments(optimizer: optim.Optimizer, moments: dict[int, dict[str, Tensor]]) -> None:
    """Restore the state of an optimizer that `moments_of` returned."""
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


class Step(NamedTuple):
    """A batch, or this process's share of it, and its learning rate.

    Attributes
    ----------
    inputs : Tensor (batch, step, input), ListBatch or TimesBatch
        Spikes.
    labels : Tensor of int64, (batch,)
        Class of each clip.
    learning_rate : float
        Learning rate of this step [1].
    weight : float
        Fraction of the batch that this share is [1]: 1 if there is one process.
    """

    inputs: Inputs
    labels: Tensor
    learning_rate: float
    weight: float


class Passage(NamedTuple):
    """Means over the training clips of an epoch, each batch with the weights that it met.

    Attributes
    ----------
    loss : float
        Loss of the classes [nat].
    accuracy : float
        Fraction of clips classified correctly [1].
    is_silent : bool
        Whether the network has hidden neurons and none of them fired in any clip.
    """

    loss: float
    accuracy: float
    is_silent: bool = False


def check_gradient(network: nn.Module, params: TrainParams) -> None:
    """Raise ValueError, with what fits, unless the gradient of a training fits its network.

    Parameters
    ----------
    network : nn.Module
        Network to train.
    params : TrainParams
        How to train.
    """
    if params.gradient == "bptt":
        return
    check_online(network, rule=params.gradient, feedback=params.feedback)
    at_each_step = params.loss == "step_cross_entropy"
    check_uniform(cast(SpikingNetwork, network), feedback=params.feedback, at_each_step=at_each_step)


def train_epoch(
    network: Network,
    optimizer: torch.optim.Optimizer,
    steps: Iterable[Step],
    params: TrainParams,
    *,
    epoch: int,
    generator: torch.Generator,
    processes: Processes,
    seed: int = 0,
    average: AveragedModel | None = None,
) -> Passage:
    """Take every step of an epoch, changing network and optimizer in place.

    Parameters
    ----------
    network : Network
        Network to train.
    optimizer : torch.optim.Optimizer
        Optimizer of its weights.
    steps : iterable of Step
        The batches.
    params : TrainParams
        How to train.
    epoch : int
        Number of the epoch, for messages.
    generator : torch.Generator
        Decides what dropout drops.
    processes : Processes
        Rank of this process and number of processes.
    seed : int
        Seed of the training, which draws random feedback [1].
    average : AveragedModel, optional
        Moving average of the network, which takes in each step's weights.

    Raises
    ------
    FloatingPointError
        If the loss is not finite; the message says where.
    """
    network.train()
    device = next(network.parameters()).device
    total_loss, n_correct, n_clips, n_firing, n_woken = 0.0, 0.0, 0.0, 0.0, 0
    for number, step in enumerate(steps, start=1):
        set_learning_rate(optimizer, step.learning_rate)
        optimizer.zero_grad()
        with at_precision(params.matmul_precision):
            if params.gradient == "bptt":
                seen = _through_time(network, step, params, generator)
            else:
                seen = _online(cast(SpikingNetwork, network), step, params, seed)
        sum_gradients(network, processes)
        if params.gradient_clip:
            clip_grad_norm_(network.parameters(), params.gradient_clip)
        optimizer.step()
        n_woken += wake_silent(network, lambda numbers: sum_numbers(numbers, device, processes))
        if average is not None:
            average.update_parameters(network)
        n_here = len(step.labels) if step.weight else 0
        total_loss += seen.loss * n_here
        n_correct += int((seen.logits.argmax(dim=1) == step.labels).sum()) if n_here else 0
        n_clips += n_here
        # one batch in which a neuron fires is enough, so the others need not be looked through
        n_firing = n_firing or float(not seen.spikes or any(bool(layer.any()) for layer in seen.spikes))
        check_loss(total_loss, network, where=f"in epoch {epoch}, batch {number}", learning_rate=step.learning_rate)
    if n_woken:
        _logger.info("epoch %d: weights of silent neurons raised %d times", epoch, n_woken)
    share_buffers(network, processes)
    sums = total_loss, n_correct, n_clips, n_firing
    total_loss, n_correct, n_clips, n_firing = sum_numbers(sums, device, processes)
    return Passage(total_loss / n_clips, n_correct / n_clips, not n_firing)


class _Seen(NamedTuple):
    """Of a batch: its loss, scores, and the spikes of each hidden layer, or their numbers."""

    loss: float
    logits: Tensor
    spikes: tuple[Tensor, ...]


def _through_time(network: Network, step: Step, params: TrainParams, generator: torch.Generator) -> _Seen:
    activity = network(step.inputs, generator=generator)
    activity = _without_silent_classes(network, activity, step.labels)
    loss = classification_loss(activity, step.labels, label_smoothing=params.label_smoothing, kind=params.loss)
    objective = loss + activity_penalty(activity.spikes, params.activity)
    if params.late_strength:
        objective = objective + _late_penalty(network, activity, step.labels, params)
    (objective * step.weight).backward()
    return _Seen(loss.item(), activity.logits, activity.spikes)


def _online(network: SpikingNetwork, step: Step, params: TrainParams, seed: int) -> _Seen:
    n_clips = len(step.labels)
    losses: dict[int, float] = {}

    def objective(activity: Activity, clips: slice) -> Tensor:
        share = (clips.stop - clips.start) / n_clips
        labels = step.labels[clips]
        loss = classification_loss(activity, labels, label_smoothing=params.label_smoothing, kind=params.loss)
        losses[clips.start] = loss.item() * share
        penalized = loss + activity_penalty(activity.spikes, params.activity)
        return torch.mul(penalized, share * step.weight)

    online = online_gradients(
        network, step.inputs, objective, rule=params.gradient, feedback=params.feedback, feedback_seed=seed
    )
    # in the order of the clips, since threads may have come to them in another one
    return _Seen(sum(losses[first] for first in sorted(losses)), online.logits, online.counts)


def _without_silent_classes(network: Network, activity: Activity, labels: Tensor) -> Activity:
    """The same activity, without a gradient for clips whose true class is to answer by a first spike and has none.

    There, the loss could only make the other classes later, until they are silent, too (Wunderlich & Pehle 2021 leave
    such clips out as well); `wake_silent` brings the class back.
    """
    if not isinstance(network, EventDrivenNetwork) or network.readout.has_fired is None:
        return activity
    has_fired = network.readout.has_fired.gather(1, labels[:, None])
    return activity._replace(
        logits=torch.where(has_fired, activity.logits, activity.logits.detach()),
        readout=torch.where(has_fired[:, :, None], activity.readout, activity.readout.detach()),
    )


def _late_penalty(network: Network, activity: Activity, labels: Tensor, params: TrainParams) -> Tensor:
    if not isinstance(network, EventDrivenNetwork) or network.params.readout != "first_spike":
        raise ValueError(
            'TrainParams.late_strength must be 0 but for the readout "first_spike" of EventDrivenParams, '
            f"got {params.late_strength}"
        )
    times = -network.params.tau_score * activity.logits
    return late_penalty(times, labels, strength=params.late_strength, tau=params.late_tau)


def check_loss(loss: float, network: torch.nn.Module, *, where: str, learning_rate: float) -> None:
    """Raise FloatingPointError, with the place and the learning rate, unless the loss is finite."""
    if math.isfinite(loss):
        return
    spoilt = not_finite(network)
    weights = f"weights that are not finite: {', '.join(spoilt)}" if spoilt else "all weights are finite"
    raise FloatingPointError(f"training diverged: the loss is {loss} {where}; learning rate {learning_rate}; {weights}")


def not_finite(network: torch.nn.Module) -> list[str]:
    """Names of the weights that are not all finite."""
    return [name for name, weight in network.named_parameters() if not torch.isfinite(weight).all()]
