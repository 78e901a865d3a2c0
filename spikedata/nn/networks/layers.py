"""The layers of spiking networks: projections, spiking neurons, and the readout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikedata.nn.kernels import run_adlif, run_alif, run_integrator, run_lif
from spikedata.nn.networks.delays import Delays
from spikedata.nn.networks.inputs import Binned, project_inputs
from spikedata.nn.neurons import (
    AdLIFFractions,
    AdLIFParams,
    ALIFParams,
    IntegratorParams,
    LIFParams,
    adlif_coefficients,
)
from spikedata.nn.surrogate import spike

NeuronParams = LIFParams | AdLIFParams | ALIFParams

_NORM_MOMENTUM = 0.05  # Bittar & Garner (2022)


class Projection(nn.Module):
    """Connections to the neurons of the next layer, for all steps at once.

    Parameters
    ----------
    weight : Tensor, (from, to)
        Initial weights.
    bias : bool
        Whether each neuron also gets a trained constant, initially 0.
    batch_norm : bool
        Whether the drive of each neuron is normalized to mean 0 and variance 1 over batch and steps, then scaled and
        shifted (Ioffe & Szegedy, ICML 2015), as in Bittar & Garner (2022).
    delays : Delays or None
        Delay of each connection; None for no delays.
    propagates : bool
        Whether delays are kept; if not, every spike arrives in its own step.
    """

    def __init__(
        self, weight: Tensor, *, bias: bool, batch_norm: bool, delays: Delays | None, propagates: bool = True
    ) -> None:
        super().__init__()
        self.propagates = propagates
        self.weight = nn.Parameter(weight)
        n_to = weight.shape[1]
        self.bias = nn.Parameter(torch.zeros(n_to)) if bias else None
        self.norm = nn.BatchNorm1d(n_to, momentum=_NORM_MOMENTUM) if batch_norm else None
        self.delays = delays

    def forward(self, inputs: Binned) -> Tensor:
        """Return the drive (batch, step, to) of inputs (batch, step, from)."""
        delays = self.delays if self.propagates else None
        drive = project_inputs(inputs, self.weight) if delays is None else delays(inputs, self.weight)
        if self.bias is not None:
            drive.add_(self.bias)  # in place: no gradient needs the drive without its bias
        if self.norm is not None:
            drive = self.norm(drive.flatten(0, 1)).view(drive.shape)
        return drive


class SpikingLayer(nn.Module):
    """Neurons of one kind, driven by the spikes of the layer below and, if recurrent, by their own.

    Parameters
    ----------
    projection : Projection
        Connections from the layer below.
    recurrent_weight : Tensor, (neuron, neuron), or None
        Initial weights within the layer, from the row's neuron to the column's.
    neuron : LIFParams, AdLIFParams or ALIFParams
        Neurons of the layer. Time constants and couplings of AdLIF neurons are trained, within their ranges.
    dt : float
        Length of a step [s].
    generator : torch.Generator
        Draws the initial time constants and couplings of AdLIF neurons, uniformly over their ranges.
    propagates : bool
        Whether the neurons carry anything from step to step; if not, see `spikedata.nn.cut_propagation`.
    """

    def __init__(
        self,
        projection: Projection,
        recurrent_weight: Tensor | None,
        neuron: NeuronParams,
        *,
        dt: float,
        generator: torch.Generator,
        propagates: bool = True,
    ) -> None:
        super().__init__()
        self.neuron, self.dt, self.propagates = neuron, dt, propagates
        self.projection = projection
        self.recurrent_weight = None if recurrent_weight is None else nn.Parameter(recurrent_weight)
        if isinstance(neuron, AdLIFParams):
            n_neurons = projection.weight.shape[1]
            self.fractions = nn.ParameterDict(
                {name: nn.Parameter(torch.rand(n_neurons, generator=generator)) for name in AdLIFFractions._fields}
            )

    def forward(self, inputs: Binned) -> Tensor:
        """Return the layer's spikes (batch, step, neuron) for inputs (batch, step, from)."""
        drive = self.projection(inputs)
        if not self.propagates:
            return spike(drive - self.neuron.threshold, self.neuron.surrogate)
        if isinstance(self.neuron, LIFParams):
            return run_lif(drive, self.recurrent_weight, self.neuron, dt=self.dt)
        if isinstance(self.neuron, ALIFParams):
            return run_alif(drive, self.recurrent_weight, self.neuron, dt=self.dt)
        coefficients = adlif_coefficients(AdLIFFractions(**self.fractions), self.neuron, dt=self.dt)
        return run_adlif(drive, self.recurrent_weight, coefficients, self.neuron)


class Readout(nn.Module):
    """Leaky integrators that do not fire, one per class.

    Parameters
    ----------
    projection : Projection
        Connections from the last hidden layer.
    integrator : IntegratorParams
        Time constants.
    dt : float
        Length of a step [s].
    propagates : bool
        Whether the integrators leak; if not, they hold the sum of their drive so far over the number of steps.
    """

    def __init__(
        self, projection: Projection, integrator: IntegratorParams, *, dt: float, propagates: bool = True
    ) -> None:
        super().__init__()
        self.projection, self.integrator, self.dt, self.propagates = projection, integrator, dt, propagates

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the membranes (batch, step, class) for spikes (batch, step, from)."""
        if not self.propagates:
            drive: Tensor = self.projection(spikes)
            return drive.cumsum(dim=1) / spikes.shape[1]
        return run_integrator(self.projection(spikes), self.integrator, dt=self.dt)
