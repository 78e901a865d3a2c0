"""The layers of spiking networks: projections, spiking neurons, and the readout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikedata.nn.kernels import run_adlif, run_alif, run_c_silif, run_integrator, run_lif, run_silif
from spikedata.nn.networks.delays import Delays, RecurrentDelays
from spikedata.nn.networks.inputs import Binned, project_inputs
from spikedata.nn.neurons import (
    AdLIFFractions,
    AdLIFParams,
    ALIFParams,
    CSiLIFParams,
    CSiLIFValues,
    IntegratorParams,
    LIFParams,
    SiLIFParams,
    SiLIFValues,
    adlif_coefficients,
    c_silif_coefficients,
    draw_c_silif,
    draw_silif,
    silif_coefficients,
)
from spikedata.nn.surrogate import spike

NeuronParams = LIFParams | AdLIFParams | ALIFParams | SiLIFParams | CSiLIFParams

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

    def forward(self, inputs: Binned, gain: Tensor | None = None) -> Tensor:
        """Return the drive (batch, step, to) of inputs (batch, step, from), times a gain (to,) if there is one."""
        delays = self.delays if self.propagates else None
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        if gain is not None and self.norm is None:  # weights are fewer than drives
            weight, bias = weight * gain, None if bias is None else bias * gain
        drive = project_inputs(inputs, weight) if delays is None else delays(inputs, weight)
        if bias is not None:
            drive.add_(bias)  # in place: no gradient needs the drive without its bias
        if self.norm is not None:
            drive = self.norm(drive.flatten(0, 1)).view(drive.shape)
            drive = drive if gain is None else drive * gain
        return drive


class SpikingLayer(nn.Module):
    """Neurons of one kind, driven by the spikes of the layer below and, if recurrent, by their own.

    Parameters
    ----------
    projection : Projection
        Connections from the layer below.
    recurrent_weight : Tensor, (neuron, neuron), or None
        Initial weights within the layer, from the row's neuron to the column's.
    neuron : LIFParams, AdLIFParams, ALIFParams, SiLIFParams or CSiLIFParams
        Neurons of the layer. Time constants and couplings of AdLIF neurons are trained, within their ranges; of SiLIF
        and C-SiLIF neurons, what `SiLIFValues` and `CSiLIFValues` name.
    dt : float
        Length of a step [s].
    generator : torch.Generator
        Draws the initial time constants and couplings of AdLIF, SiLIF and C-SiLIF neurons over their ranges.
    recurrent_delays : RecurrentDelays, optional
        Delays of the neurons to their own layer. Default: none.
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
        recurrent_delays: RecurrentDelays | None = None,
        propagates: bool = True,
    ) -> None:
        super().__init__()
        self.neuron, self.dt, self.propagates = neuron, dt, propagates
        self.projection = projection
        self.recurrent_weight = None if recurrent_weight is None else nn.Parameter(recurrent_weight)
        self.recurrent_delays = recurrent_delays
        n_neurons = projection.weight.shape[1]
        if isinstance(neuron, AdLIFParams):
            self.fractions = nn.ParameterDict(
                {name: nn.Parameter(torch.rand(n_neurons, generator=generator)) for name in AdLIFFractions._fields}
            )
        elif isinstance(neuron, SiLIFParams | CSiLIFParams):
            drawn: SiLIFValues | CSiLIFValues
            if isinstance(neuron, SiLIFParams):
                drawn = draw_silif(neuron, n_neurons, generator=generator)
            else:
                drawn = draw_c_silif(neuron, n_neurons, dt=dt, generator=generator)
            self.values = nn.ParameterDict({name: nn.Parameter(value) for name, value in drawn._asdict().items()})

    def forward(self, inputs: Binned) -> Tensor:
        """Return the layer's spikes (batch, step, neuron) for inputs (batch, step, from)."""
        if not self.propagates:
            return spike(self.projection(inputs) - self.neuron.threshold, self.neuron.surrogate)
        later = None if self.recurrent_delays is None else self.recurrent_delays()
        if isinstance(self.neuron, CSiLIFParams):
            values = CSiLIFValues(**self.values)
            weight = None if self.recurrent_weight is None else self.recurrent_weight * values.gain
            drive, turns = self.projection(inputs, values.gain), c_silif_coefficients(values)
            return run_c_silif(drive, weight, turns, self.neuron, delay_kernel=later)
        drive = self.projection(inputs)
        if isinstance(self.neuron, SiLIFParams):
            found = silif_coefficients(SiLIFValues(**self.values), self.neuron, dt=self.dt)
            return run_silif(drive, self.recurrent_weight, found, self.neuron, delay_kernel=later)
        if isinstance(self.neuron, LIFParams):
            return run_lif(drive, self.recurrent_weight, self.neuron, dt=self.dt, delay_kernel=later)
        if isinstance(self.neuron, ALIFParams):
            return run_alif(drive, self.recurrent_weight, self.neuron, dt=self.dt, delay_kernel=later)
        coefficients = adlif_coefficients(AdLIFFractions(**self.fractions), self.neuron, dt=self.dt)
        return run_adlif(drive, self.recurrent_weight, coefficients, self.neuron, delay_kernel=later)


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
