"""Optimizers by name, and what each remembers."""

from __future__ import annotations

from torch import Tensor, nn, optim

from spikedata.baseline.training.params import TrainParams


def make_optimizer(network: nn.Module, params: TrainParams) -> optim.Optimizer:
    """The optimizer of a training, for all weights of a network.

    Parameters
    ----------
    network : nn.Module
        Whose weights it changes.
    params : TrainParams
        Which, and how.
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


def set_learning_rate(optimizer: optim.Optimizer, learning_rate: float) -> None:
    """Make the next steps of an optimizer so large [1]."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def moments_of(optimizer: optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """A copy of what an optimizer remembers of each weight, by the weight's number."""
    state = optimizer.state_dict()["state"]
    return {
        number: {name: value.clone() for name, value in named.items() if isinstance(value, Tensor)}
        for number, named in state.items()
    }


def restore_moments(optimizer: optim.Optimizer, moments: dict[int, dict[str, Tensor]]) -> None:
    """Make an optimizer remember what `moments_of` gave."""
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
