"""The training loss: that of the classes, plus penalties on hidden activity that is too low or too high."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from spikedata.checks import NotNegative, OneOf, check_fields
from spikedata.nn.networks.activity import Activity

#: Losses of the classes, by name.
LOSSES = ("cross_entropy", "binary_cross_entropy", "step_cross_entropy")
NORMS = ("l1", "l2")
LEVELS = ("neuron", "population")
_SAME = "same"


@dataclass(frozen=True, kw_only=True)
class ActivityParams:
    """Bounds on the activity of hidden layers, in spikes per neuron and clip, so independent of the step's length.

    After Cramer et al., IEEE TNNLS 33:2744 (2022), with means in place of sums. With n the spikes of a neuron
    (level "neuron") or the mean of them over the neurons of a layer (level "population") in one clip, a layer adds
    ``strength * mean(excess)`` ("l1") or ``strength * mean(excess**2)`` ("l2"), the mean over clips and, by neuron,
    over neurons. The excess is max(0, lower_threshold - n), and max(0, n - upper_threshold).

    The bounds of Zenke & Vogels, Neural Computation 33:899 (2021), are ``lower_level="neuron", lower_norm="l2"`` and
    ``upper_level="population", norm="l1"``.

    Parameters
    ----------
    lower_threshold : float
        Spikes per neuron and clip below which activity is penalized [1].
    lower_strength : float
        Weight of the lower penalty [1].
    upper_threshold : float
        Spikes per neuron and clip above which activity is penalized [1].
    upper_strength : float
        Weight of the upper penalty [1].
    norm : str
        "l1" or "l2", of both penalties [1].
    lower_norm : str
        Norm of the lower penalty, if it is another one: "l1" or "l2"; or the "same" [1].
    lower_level : str
        What the lower bound applies to [1]: each "neuron", or the mean of the "population".
    upper_level : str
        What the upper bound applies to [1]: each "neuron", or the mean of the "population".

    neuron_threshold : float
        Spikes per neuron and clip above which a second upper bound, on each neuron, penalizes them [1].
    neuron_strength : float
        Weight of that penalty, which is always "l2" [1].

    Raises
    ------
    ValueError
        If a number is negative, or a name unknown.
    """

    lower_threshold: NotNegative = 1.0
    lower_strength: NotNegative = 1e-3
    upper_threshold: NotNegative = 30.0
    upper_strength: NotNegative = 1e-3
    norm: Annotated[str, OneOf(NORMS)] = "l2"
    lower_norm: Annotated[str, OneOf((_SAME, *NORMS))] = field(default=_SAME, metadata={"added_later": True})
    lower_level: Annotated[str, OneOf(LEVELS)] = "neuron"
    upper_level: Annotated[str, OneOf(LEVELS)] = "population"
    neuron_threshold: NotNegative = field(default=0.0, metadata={"added_later": True})
    neuron_strength: NotNegative = field(default=0.0, metadata={"added_later": True})

    def __post_init__(self) -> None:
        check_fields(self)


NO_LIMITS = ActivityParams(lower_strength=0.0, upper_strength=0.0)


def classification_loss(
    activity: Activity, labels: Tensor, *, label_smoothing: float = 0.0, kind: str = "cross_entropy"
) -> Tensor:
    """The mean loss of the classes over the clips of a batch [nat].

    With the readout "softmax_sum" the scores are sums of softmaxes, and "cross_entropy" is the loss of Bittar & Garner
    (2022), Hammouamri et al. (2024) and Baronig et al. (2024).

    Parameters
    ----------
    activity : Activity
        Returned by a network for a batch.
    labels : Tensor of int64, (batch,)
        True classes.
    label_smoothing : float
        Share of each target that is spread evenly over all classes [1] (Szegedy et al., CVPR 2016).
    kind : str
        One of `LOSSES`. "cross_entropy": -log p of the true class, where p is the softmax of the scores.
        "binary_cross_entropy": each class is one decision of its own, yes for the true class and no for the others,
        and the sum over the classes of -y log p - (1 - y) log(1 - p) is taken, where p is the same softmax (Zenke 2019,
        with the readout "max"). "step_cross_entropy": the cross-entropy of the readout at every step instead of the
        scores, as the mean over the steps (Bellec et al., Nature Communications 11:3625, 2020).

    Returns
    -------
    Tensor, ()

    Raises
    ------
    ValueError
        If there is no such loss.

    Examples
    --------
    >>> import torch
    >>> activity = Activity(torch.zeros(3, 2), torch.zeros(3, 4, 2), ())
    >>> round(classification_loss(activity, torch.tensor([0, 1, 1])).item(), 4)
    0.6931
    """
    match kind:
        case "cross_entropy":
            return cross_entropy(activity.logits, labels, label_smoothing=label_smoothing)
        case "binary_cross_entropy":
            return _binary_cross_entropy(activity.logits, labels, label_smoothing)
        case "step_cross_entropy":
            # every clip has the same number of steps, so the mean over all rows is that over clips and steps
            rows = activity.readout.flatten(0, 1)
            of_rows = labels.repeat_interleave(activity.readout.shape[1])
            return cross_entropy(rows, of_rows, label_smoothing=label_smoothing)
    raise ValueError(f"no loss {kind!r}; there are: {', '.join(LOSSES)}")


def _binary_cross_entropy(scores: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    n_classes = scores.shape[1]
    target = one_hot(labels, n_classes).to(scores.dtype) * (1 - label_smoothing) + label_smoothing / n_classes
    total = torch.logsumexp(scores, dim=1, keepdim=True)
    # 1 - p of a class is the share of all others, summed without it: 1 - p itself would be 0 where p rounds to 1
    itself = torch.eye(n_classes, dtype=torch.bool, device=scores.device)
    others = torch.logsumexp(scores.unsqueeze(1).masked_fill(itself, -math.inf), dim=2)
    entropy = target * (total - scores) + (1 - target) * (total - others)
    return entropy.sum(dim=1).mean()


def late_penalty(times: Tensor, labels: Tensor, *, strength: float, tau: float) -> Tensor:
    """The penalty on late first spikes of the true classes, the mean over the clips of a batch.

    ``strength * (exp(t / tau) - 1)``, with t the time of the true class's spike (Wunderlich & Pehle, Scientific Reports
    11:12829, 2021): the classes' loss alone asks for their order only, and lets all of them drift to the end.

    Parameters
    ----------
    times : Tensor, (batch, class)
        Time of each class's first spike [s].
    labels : Tensor of int64, (batch,)
        True classes.
    strength : float
        Weight of the penalty [1].
    tau : float
        Its time constant [s].

    Returns
    -------
    Tensor, ()

    Examples
    --------
    >>> import torch
    >>> times, labels = torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])
    >>> round(late_penalty(times, labels, strength=1.0, tau=1.0).item(), 4)
    0.8591
    """
    own = times.gather(1, labels[:, None])
    return strength * torch.expm1(own / tau).mean()


def activity_penalty(spikes: Sequence[Tensor], params: ActivityParams) -> Tensor:
    """The penalty on the activity of hidden layers, summed over the layers.

    Parameters
    ----------
    spikes : sequence of Tensor, each (batch, step, neuron)
        Spikes of each hidden layer, as in `Activity.spikes`.
    params : ActivityParams
        Bounds.

    Returns
    -------
    Tensor, ()
        0 if there is no layer, or all strengths are 0.

    Examples
    --------
    >>> import torch
    >>> spikes = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    >>> params = ActivityParams(lower_threshold=2.0, lower_strength=1.0, upper_threshold=1.0, upper_strength=1.0)
    >>> activity_penalty([spikes], params).item()
    2.25
    """
    if not (params.lower_strength or params.upper_strength or params.neuron_strength):
        return torch.zeros(())
    return sum((_layer_penalty(layer.sum(dim=1), params) for layer in spikes), start=torch.zeros(()))


def _layer_penalty(per_neuron: Tensor, params: ActivityParams) -> Tensor:
    levels = {"neuron": per_neuron, "population": per_neuron.mean(dim=1)}
    lacking = torch.relu(params.lower_threshold - levels[params.lower_level])
    excess = torch.relu(levels[params.upper_level] - params.upper_threshold)
    if params.norm == "l2":
        excess = excess.square()
    if (params.norm if params.lower_norm == _SAME else params.lower_norm) == "l2":
        lacking = lacking.square()
    penalty = params.lower_strength * lacking.mean() + params.upper_strength * excess.mean()
    if params.neuron_strength:
        too_many = torch.relu(per_neuron - params.neuron_threshold)
        penalty = penalty + params.neuron_strength * too_many.square().mean()
    return penalty
