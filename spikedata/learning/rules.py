"""The online rules by name, which networks they fit, what they are given, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spikedata.learning.feedback import FEEDBACK
from spikedata.nn.networks import Activity, SpikingNetwork
from spikedata.nn.neurons import AdLIFFractions, AdLIFParams, ALIFParams, LIFParams, adlif_coefficients

#: Rules that take the place of back-propagation through time, by name.
RULES = ("eprop", "superspike")
#: A loss of some clips: called with their activity and which clips of the batch they are.
Objective = Callable[[Activity, slice], Tensor]


class Online(NamedTuple):
    """What `online_gradients` tells of a batch.

    Parameters
    ----------
    loss : Tensor, ()
        Sum of the objective over the batch.
    logits : Tensor, (batch, class)
        Score of each class [1].
    counts : tuple of Tensor, one (batch, neuron) for each hidden layer
        Number of spikes of each neuron in each clip [1].
    """

    loss: Tensor
    logits: Tensor
    counts: tuple[Tensor, ...]


def check_online(network: nn.Module, *, rule: str, feedback: str) -> None:
    """Raise ValueError, with what fits, unless an online rule can train a network.

    Parameters
    ----------
    network : nn.Module
        Network to train.
    rule, feedback
        As `online_gradients` takes them.
    """
    if rule not in RULES:
        raise ValueError(f"no rule {rule!r}; there are: {', '.join(RULES)}")
    if feedback not in FEEDBACK:
        raise ValueError(f"no feedback {feedback!r}; there are: {', '.join(FEEDBACK)}")
    if type(network) is not SpikingNetwork:
        raise ValueError(f"{rule} trains a SpikingNetwork, got {type(network).__name__}; gradient 'bptt' fits it")
    for name in ("max_delay", "max_recurrent_delay", "dropout", "batch_norm"):
        value = getattr(network.params, name)
        if value:
            raise ValueError(f"{rule} trains networks with {name} {type(value)(0)}, got {value}; 'bptt' fits it")
    for neuron in network.params.neurons:
        if not isinstance(neuron, LIFParams | AdLIFParams | ALIFParams):
            raise ValueError(
                f"{rule} trains LIF, AdLIF and ALIF neurons, got {type(neuron).__name__}; 'bptt' fits them"
            )


def check_uniform(network: SpikingNetwork, *, feedback: str, at_each_step: bool = False) -> None:
    """Raise ValueError if uniform feedback would add up errors of all classes that cancel.

    Parameters
    ----------
    network : SpikingNetwork
        Network to train by a cross-entropy.
    feedback : str
        As `online_gradients` takes it.
    at_each_step : bool
        Whether the cross-entropy is that of each step, not of the scores.
    """
    if feedback == "uniform" and (at_each_step or network.params.readout != "max"):
        raise ValueError(
            "feedback 'uniform' adds up the errors of all classes, which is 0 at every step; "
            "'symmetric' or 'random' fit it, or the readout 'max' with the loss 'cross_entropy'"
        )


def as_objective(objective: Tensor | Objective, n_clips: int) -> Objective:
    """The objective of a batch; labels stand for the mean cross-entropy of the scores."""
    if not isinstance(objective, Tensor):
        return objective
    labels = objective
    if labels.shape != (n_clips,):
        raise ValueError(f"labels must be ({n_clips},), one for each clip, got {tuple(labels.shape)}")
    return lambda activity, clips: cross_entropy(activity.logits, labels[clips], reduction="sum") / n_clips


def add_gradients(network: SpikingNetwork, gradients: dict[str, Tensor]) -> None:
    """Add gradients to those of the network's parameters; those of coefficients go on to what is trained of them."""
    named: dict[str, Any] = dict(network.named_parameters())
    for name, gradient in gradients.items():
        if name.endswith(".fractions"):
            layer: Any = network.get_submodule(name.removesuffix(".fractions"))
            with torch.enable_grad():
                found = torch.stack(adlif_coefficients(AdLIFFractions(**layer.fractions), layer.neuron, dt=layer.dt))
            if found.requires_grad:
                torch.autograd.backward(found, gradient.to(found.dtype))
        elif named[name].requires_grad:
            before = named[name].grad
            named[name].grad = gradient if before is None else before + gradient
