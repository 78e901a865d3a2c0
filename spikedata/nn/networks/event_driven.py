"""Networks without a time grid: LIF neurons followed event by event, trained by exact gradients (EventProp).

The network of Wunderlich & Pehle, Scientific Reports 11:12829 (2021): hidden layers of LIF neurons, and a readout that
is either a layer of such neurons, of which each answers by its first spike, or leaky integrators, by their membranes.
Equations and gradients are in `spikedata.nn.kernels.event_driven`.

The gradient of a silent neuron is zero, so a neuron that has fallen silent in all clips stays so. Wunderlich & Pehle
leave it at that; `wake_silent` raises its weights after each batch, as Göltz et al., Nature Machine Intelligence 3:823
(2021), do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, cast

import torch
from torch import Tensor, nn

from spikedata.checks import Count, NotNegative, OneOf, Positive, Share, Sizes, check_fields
from spikedata.nn.kernels.event_driven import (
    SpikeTimes,
    check_exact,
    fire,
    first_spikes,
    max_voltage,
    mean_voltage,
)
from spikedata.nn.networks.activity import Activity
from spikedata.nn.networks.inputs import Inputs, count_inputs
from spikedata.nn.networks.layers import NeuronParams
from spikedata.nn.neurons import LIFParams
from spikedata.torch.layouts import TimesBatch

#: Ways to get one score per class without steps.
EXACT_READOUTS = ("first_spike", "max", "mean", "exp_mean")


@dataclass(frozen=True, kw_only=True)
class EventDrivenParams:
    """Layers, neurons and initial weights of a network in continuous time.

    Parameters
    ----------
    hidden : tuple of int
        Number of neurons of each hidden layer [1].
    recurrent : bool
        Whether the neurons of a hidden layer are connected to each other [1].
    neuron : LIFParams
        Neurons of all hidden layers, and of the readout "first_spike" [1]. Their reset must be "zero"; their surrogate
        is not used. Other neurons have no exact gradient here and are refused.
    readout : str
        How there is a score for each class [1]: "first_spike": minus the time of a readout neuron's first spike, in
        units of ``tau_score``; a neuron that does not fire counts as if it did at the end, without a gradient. "max":
        the highest membrane of a leaky integrator. "mean" and "exp_mean": its mean over time, in the second weighted
        by exp(-t / duration).
    tau_score : float
        Time difference between two first spikes that makes one class e times as probable as the other [s].
    tau_readout : float
        Time constant of the membranes of leaky integrators [s]; their synapses are those of the neurons.
    input_mean, input_deviation : float
        Mean and standard deviation of the initial weights from the input, which are normal [1].
    hidden_mean, hidden_deviation : float
        The same from one hidden layer to the next [1].
    recurrent_mean, recurrent_deviation : float
        The same within a hidden layer [1].
    readout_mean, readout_deviation : float
        The same to the readout [1].
    bump : float
        By how much all weights to a silent neuron are raised after a batch in training, see `wake_silent` [1]. Raised
        on and on, sparse networks unlearn what the gradient teaches, so it is 0 by default.
    max_silent : float
        Share of the pairs of clip and neuron of a layer that may be silent without any being raised [1].
    n_merged : int
        Number of neighboring units of the file that are merged into one input [1].
    duration : float
        How long the network is followed [s]; later spikes of a clip have no effect.

    Raises
    ------
    ValueError
        If a number is out of range, a name is unknown, or the neurons have no exact gradient.
    """

    hidden: Sizes = (200,)
    recurrent: bool = False
    neuron: NeuronParams = field(default_factory=lambda: LIFParams(tau_mem=20e-3, tau_syn=5e-3, reset="zero"))
    readout: Annotated[str, OneOf(EXACT_READOUTS)] = "first_spike"
    tau_score: Positive = 0.5e-3
    tau_readout: Positive = 20e-3
    input_mean: float = 1.5
    input_deviation: NotNegative = 0.78
    hidden_mean: float = 0.2
    hidden_deviation: NotNegative = 0.37
    recurrent_mean: float = 0.0
    recurrent_deviation: NotNegative = 0.02
    readout_mean: float = 0.93
    readout_deviation: NotNegative = 0.1
    bump: NotNegative = 0.0
    max_silent: Share = 0.3
    n_merged: Count = 1
    duration: Positive = 60e-3

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.neuron, LIFParams):
            found = type(self.neuron).__name__
            rule = "EventDrivenParams.neuron must be LIFParams, whose gradient EventProp knows exactly"
            raise ValueError(f"{rule}; got {found}, which fits SpikingNetworkParams")
        check_exact(self.neuron)

    @property
    def dt(self) -> float:
        """Length of the only step of what the network returns: the whole duration [s]."""
        return self.duration

    @property
    def n_steps(self) -> int:
        """One: there is no grid."""
        return 1


class EventDrivenLayer(nn.Module):
    """Weights of LIF neurons that are followed from event to event.

    Parameters
    ----------
    weight : Tensor, (from, to)
        Initial weights.
    recurrent_weight : Tensor, (neuron, neuron), or None
        Initial weights within the layer, from the row's neuron to the column's.
    """

    def __init__(self, weight: Tensor, recurrent_weight: Tensor | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.recurrent_weight = None if recurrent_weight is None else nn.Parameter(recurrent_weight)
        self.has_fired: Tensor | None = None  # (clip, neuron), of the last batch in training, for `wake_silent`


class EventDrivenNetwork(nn.Module):
    """Hidden layers of LIF neurons in continuous time, and a readout.

    The hidden spikes of its `Activity` are counts in one step that lasts as long as a clip; no gradient reaches them.

    Parameters
    ----------
    params : EventDrivenParams
        Layers, neurons and initial weights.
    n_units : int
        Number of units of the spike file [1]; merged, they are the inputs.
    n_classes : int
        Number of classes [1].
    generator : torch.Generator
        Draws the initial weights, layer after layer.

    Examples
    --------
    >>> import torch
    >>> params = EventDrivenParams(hidden=(30,))
    >>> network = EventDrivenNetwork(params, n_units=2, n_classes=3, generator=torch.Generator().manual_seed(0))
    >>> times, units, offsets = torch.tensor([0.0, 5e-3]).double(), torch.tensor([0, 1]), torch.tensor([0, 2])
    >>> activity = network(TimesBatch(times, units, offsets, torch.tensor([0]), 2))
    >>> tuple(activity.logits.shape), tuple(activity.spikes[0].shape)
    ((1, 3), (1, 1, 30))
    """

    def __init__(self, params: EventDrivenParams, *, n_units: int, n_classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_merged = params.dt, params.n_steps, params.n_merged
        self.n_units, self.n_classes = n_units, n_classes
        self.n_inputs = count_inputs(n_units, params.n_merged)
        self.layers = nn.ModuleList()
        n_from, mean, deviation = self.n_inputs, params.input_mean, params.input_deviation
        for n_to in params.hidden:
            weight = _normal(n_from, n_to, mean, deviation, generator)
            within = None
            if params.recurrent:
                within = _normal(n_to, n_to, params.recurrent_mean, params.recurrent_deviation, generator)
            self.layers.append(EventDrivenLayer(weight, within))
            n_from, mean, deviation = n_to, params.hidden_mean, params.hidden_deviation
        self.readout = EventDrivenLayer(
            _normal(n_from, n_classes, params.readout_mean, params.readout_deviation, generator)
        )

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity for a batch; the generator is not used.

        Parameters
        ----------
        inputs : TimesBatch
            Spikes with their times.
        generator : torch.Generator, optional
            Not used.

        Returns
        -------
        Activity

        Raises
        ------
        ValueError
            If the inputs are binned, have another number of units, or are not sorted by time.
        """
        if not isinstance(inputs, TimesBatch) or inputs.n_units != self.n_inputs:
            found = f"{inputs.n_units} units" if isinstance(inputs, TimesBatch) else type(inputs).__name__
            rule = f"inputs must be the times of {self.n_inputs} units (TimesBatch)"
            raise ValueError(f"{rule} for a network in continuous time, got {found}")
        params, neuron = self.params, cast(LIFParams, self.params.neuron)
        spikes, counts = SpikeTimes(inputs.times, inputs.units, inputs.offsets), []
        for layer in cast(Iterable[EventDrivenLayer], self.layers):
            spikes = fire(spikes, layer.weight, layer.recurrent_weight, neuron, duration=params.duration)
            counts.append(_counts(spikes, layer.weight))
            if self.training:
                layer.has_fired = counts[-1] > 0
        scores = self._scores(spikes, neuron)
        return Activity(scores, scores[:, None, :], tuple(count[:, None, :] for count in counts))

    def _scores(self, spikes: SpikeTimes, neuron: LIFParams) -> Tensor:
        params, weight = self.params, self.readout.weight
        if params.readout == "first_spike":
            out = fire(spikes, weight, None, neuron, duration=params.duration, first_only=True)
            times = first_spikes(out, self.n_classes)
            if self.training:
                self.readout.has_fired = torch.isfinite(times)
            return (-times.clamp(max=params.duration) / params.tau_score).to(weight.dtype)
        integrator = {"tau_mem": params.tau_readout, "tau_syn": neuron.tau_syn, "duration": params.duration}
        if params.readout == "max":
            return max_voltage(spikes, weight, **integrator)
        decay = 1 / params.duration if params.readout == "exp_mean" else 0.0
        return mean_voltage(spikes, weight, **integrator, decay=decay)


@torch.no_grad()
def wake_silent(
    network: nn.Module, total: Callable[[tuple[float, ...]], tuple[float, ...]] = lambda numbers: numbers
) -> int:
    """Raise the weights to neurons that were silent in the last batch; other networks are left as they are.

    A neuron is raised if it was silent in all clips, and more of its layer's pairs of clip and neuron were silent than
    ``max_silent``.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    total : callable, optional
        Sums each of some numbers over all processes that share the batch. Default: there is one process.

    Returns
    -------
    int
        Number of neurons whose weights were raised.
    """
    if not isinstance(network, EventDrivenNetwork) or not network.params.bump:
        return 0
    n_raised = 0
    for layer in (*network.layers, network.readout):
        if layer.has_fired is None:
            continue
        n_clips, *counts = total((len(layer.has_fired), *layer.has_fired.sum(dim=0).tolist()))
        n_fired = layer.weight.new_tensor(counts)
        if n_fired.mean() >= (1 - network.params.max_silent) * n_clips:
            continue
        silent = n_fired == 0
        n_raised += int(silent.sum())
        layer.weight += network.params.bump * silent
    return n_raised


def _normal(n_from: int, n_to: int, mean: float, deviation: float, generator: torch.Generator) -> Tensor:
    return torch.randn(n_from, n_to, generator=generator) * deviation + mean


def _counts(spikes: SpikeTimes, weight: Tensor) -> Tensor:
    """Spikes of each neuron in each clip, (clip, neuron)."""
    n_clips, n = len(spikes.offsets) - 1, weight.shape[1]
    cells = torch.repeat_interleave(spikes.offsets.diff()) * n + spikes.units
    return torch.bincount(cells, minlength=n_clips * n).view(n_clips, n).to(weight.dtype)
