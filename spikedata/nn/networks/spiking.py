"""Spiking networks: hidden layers of LIF or adaptive LIF neurons, read out by leaky integrators.

The params cover the recurrent network of Cramer, Stradmann, Schemmel & Zenke (IEEE TNNLS 33:2744, 2022), the networks
of adaptive neurons of Bellec et al. (2020), Bittar & Garner (2022), Baronig et al. (2024) and Fabre et al. (2025), and
networks with learned delays: feed-forward as in Hammouamri et al. (2024), recurrent as in Queant et al. (2025). The
neurons' equations are in `spikedata.nn.neurons`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor, nn

from spikedata.checks import Count, NotNegative, OneOf, Positive, ShareBelowOne, Sizes, check_fields
from spikedata.nn.kernels import drop
from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.nn.networks.delays import RecurrentDelays
from spikedata.nn.networks.initialization import InitializationParams, layer_weights, readout_weight
from spikedata.nn.networks.inputs import Inputs, check_time_grid, count_inputs, count_steps, is_whole
from spikedata.nn.networks.layers import Linear, NeuronParams, ReadoutLayer, SpikingLayer
from spikedata.nn.neurons import IntegratorParams, LIFParams

LOST = ("spikes", "neurons")


@dataclass(frozen=True, kw_only=True)
class SpikingNetworkParams:
    """Layers, neurons and time grid of a spiking network.

    Parameters
    ----------
    hidden : tuple of int
        Number of neurons of each hidden layer [1].
    recurrent : bool
        Whether the neurons of a hidden layer are connected to each other [1].
    neuron : LIFParams, AdLIFParams, ALIFParams, SiLIFParams or CSiLIFParams, or a tuple of them
        Neurons of all hidden layers, or, as a tuple, of each of them [1].
    readout : str
        How the readout becomes scores [1]: "max", "softmax_sum", "last", "mean" or "exp_mean", see `class_scores`.
    tau_readout : float
        Time constant of the readout's membranes [s]. After LIF neurons, the readout has their synapses, too; adaptive
        neurons drive its membranes directly.
    bias : bool
        Whether neurons and readout also get a trained constant [1].
    dropout : float
        Probability in training that a spike is dropped on its way to the next layer [1].
    dropout_of : str
        What is dropped [1]: "spikes", each independently, or "neurons", all spikes of a neuron in a clip.
    batch_norm : bool
        Whether drives are normalized, see `Linear` [1].
    max_delay : float
        Longest learned delay between layers [s], a whole number of steps; 0 for no delays.
    max_recurrent_delay : float
        Longest learned delay of neurons to their own layer [s], a whole number of steps; 0 for no delays.
    initialization : InitializationParams
        How the initial weights are drawn [1].
    n_merged : int
        Number of neighboring units of the file that are merged into one input [1].
    duration : float
        Length to which clips are padded or cropped [s]; a whole number of steps.
    dt : float
        Length of a step [s].

    Raises
    ------
    ValueError
        If a number is out of range, or a tuple of neurons is not as long as there are layers.
    """

    hidden: Sizes = (128,)
    recurrent: bool = True
    neuron: NeuronParams | tuple[NeuronParams, ...] = field(default_factory=LIFParams)
    readout: Annotated[str, OneOf(READOUTS)] = "max"
    tau_readout: Positive = 20e-3
    bias: bool = False
    dropout: ShareBelowOne = 0.0
    dropout_of: Annotated[str, OneOf(LOST)] = "spikes"
    batch_norm: bool = False
    max_delay: NotNegative = 0.0
    max_recurrent_delay: NotNegative = field(default=0.0, metadata={"added_later": True})
    initialization: InitializationParams = field(default_factory=InitializationParams)
    n_merged: Count = 1
    duration: Positive = 1.0
    dt: Positive = 10e-3

    def __post_init__(self) -> None:
        check_fields(self)
        check_time_grid(self)
        if isinstance(self.neuron, tuple) and len(self.neuron) != len(self.hidden):
            n_layers = len(self.hidden)
            raise ValueError(f"SpikingNetworkParams.neuron must be one or {n_layers} neurons, got {len(self.neuron)}")
        for name, longest in (("max_delay", self.max_delay), ("max_recurrent_delay", self.max_recurrent_delay)):
            if not is_whole(longest, self.dt):
                raise ValueError(
                    f"SpikingNetworkParams.{name} must be a whole number of dt, got {longest} and {self.dt}"
                )
        if self.max_recurrent_delay and not self.recurrent:
            rule = "must be 0 where neurons are not connected within their layer"
            raise ValueError(f"SpikingNetworkParams.max_recurrent_delay {rule}, got {self.max_recurrent_delay}")

    @property
    def n_steps(self) -> int:
        """Number of steps to which a clip is padded or cropped."""
        return count_steps(self.duration, self.dt)

    @property
    def n_delays(self) -> int:
        """The longest learned delay in steps."""
        return count_steps(self.max_delay, self.dt)

    @property
    def n_recurrent_delays(self) -> int:
        """The longest learned delay within a layer in steps."""
        return count_steps(self.max_recurrent_delay, self.dt)

    @property
    def neurons(self) -> tuple[NeuronParams, ...]:
        """The neurons of each hidden layer."""
        return self.neuron if isinstance(self.neuron, tuple) else (self.neuron,) * len(self.hidden)


class SpikingNetwork(nn.Module):
    """Hidden layers of spiking neurons in a row, and leaky integrators that read out the last one.

    Parameters
    ----------
    params : SpikingNetworkParams
        Layers, neurons and time grid.
    n_units : int
        Number of units of the spike file [1]; merged, they are the inputs.
    n_classes : int
        Number of classes [1].
    generator : torch.Generator
        Draws the initial weights, layer after layer.
    propagates : bool
        Whether anything is carried from step to step; if not, see `spikedata.nn.cut_propagation`.

    Examples
    --------
    >>> import torch
    >>> params = SpikingNetworkParams(hidden=(8, 6), n_merged=5, duration=0.05)
    >>> network = SpikingNetwork(params, n_units=15, n_classes=2, generator=torch.Generator().manual_seed(0))
    >>> activity = network(torch.ones(4, 5, 3))
    >>> tuple(activity.logits.shape), tuple(activity.readout.shape), [tuple(s.shape) for s in activity.spikes]
    ((4, 2), (4, 5, 2), [(4, 5, 8), (4, 5, 6)])
    """

    def __init__(
        self,
        params: SpikingNetworkParams,
        *,
        n_units: int,
        n_classes: int,
        generator: torch.Generator,
        propagates: bool = True,
    ) -> None:
        super().__init__()
        self.params, self.propagates = params, propagates
        self.dt, self.n_steps, self.n_merged = params.dt, params.n_steps, params.n_merged
        self.n_units, self.n_classes = n_units, n_classes
        self.n_inputs = count_inputs(n_units, params.n_merged)
        self.layers = nn.ModuleList()
        n_from = self.n_inputs
        for n_neurons, neuron in zip(params.hidden, params.neurons, strict=True):
            weight, recurrent_weight = layer_weights(
                params.initialization,
                neuron,
                dt=params.dt,
                n_from=n_from,
                n_neurons=n_neurons,
                recurrent=params.recurrent,
                from_input=not self.layers,
                generator=generator,
            )
            projection = _projection(weight, params, generator, propagates)
            later = None
            if params.n_recurrent_delays and recurrent_weight is not None:
                later = RecurrentDelays(n_neurons, longest=params.n_recurrent_delays, generator=generator)
            layer = SpikingLayer(
                projection,
                recurrent_weight,
                neuron,
                dt=params.dt,
                generator=generator,
                recurrent_delays=later,
                propagates=propagates,
            )
            self.layers.append(layer)
            n_from = n_neurons
        last = params.neurons[-1]
        tau_syn = last.tau_syn if isinstance(last, LIFParams) else None
        integrator = IntegratorParams(tau_mem=params.tau_readout, tau_syn=tau_syn)
        weight = readout_weight(params.initialization, n_from, n_classes, generator)
        projection = _projection(weight, params, generator, propagates)
        self.readout = ReadoutLayer(projection, integrator, dt=params.dt, propagates=propagates)

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity for a batch of inputs.

        Parameters
        ----------
        inputs : Tensor (batch, step, input), or ListBatch
            Spikes; any number of steps.
        generator : torch.Generator, optional
            Decides what is dropped; needed only in training, and only with dropout.

        Returns
        -------
        Activity

        Raises
        ------
        ValueError
            If the inputs do not fit the network, or the generator that dropout needs is missing.
        """
        spikes: list[Tensor] = []
        for layer in self.layers:
            spikes.append(layer(inputs))
            inputs = self._drop(spikes[-1], generator)
        readout = self.readout(inputs)
        scores = class_scores(readout, self.params.readout if self.propagates else "last")
        return Activity(scores, readout, tuple(spikes))

    def _drop(self, spikes: Tensor, generator: torch.Generator | None) -> Tensor:
        probability = self.params.dropout if self.training else 0.0
        n_alike = spikes.shape[1] if self.params.dropout_of == "neurons" else 1
        return drop(spikes, probability, generator, n_alike=n_alike)


def _projection(weight: Tensor, params: SpikingNetworkParams, generator: torch.Generator, propagates: bool) -> Linear:
    return Linear(
        *weight.shape,
        bias=params.bias,
        batch_norm=params.batch_norm,
        max_delay=params.max_delay,
        dt=params.dt,
        weight=weight,
        generator=generator,
        propagates=propagates,
    )
