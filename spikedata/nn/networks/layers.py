"""The layers of spiking networks: projections, spiking neurons, and the readout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikedata.checks import Count, NotNegative, Positive, checked
from spikedata.nn.kernels import run_adlif, run_alif, run_c_silif, run_integrator, run_lif, run_silif
from spikedata.nn.networks.delays import Delays, RecurrentDelays
from spikedata.nn.networks.initialization import draw_weight
from spikedata.nn.networks.inputs import Inputs, check_inputs, count_steps, is_whole, project_inputs
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


class Linear(nn.Module):
    """Connections to the neurons of the next layer, for all steps at once.

    Like ``torch.nn.Linear``, but few spikes are gathered, not multiplied, event lists are taken as they are, weights
    are (from, to), and each connection may have a learned delay.

    Parameters
    ----------
    n_from, n_to : int
        Number of inputs and of neurons [1].
    bias : bool
        Whether each neuron also gets a trained constant, initially 0.
    batch_norm : bool
        Whether the drive of each neuron is normalized to mean 0 and variance 1 over batch and steps, then scaled and
        shifted (Ioffe & Szegedy, ICML 2015), as in Bittar & Garner (2022).
    max_delay : float
        Longest learned delay [s], a whole number of steps; 0 for no delays. Call `anneal_delays` during training.
    dt : float, optional
        Length of a step [s]. Delays need it; event lists that know theirs are compared with it.
    weight : Tensor, (from, to), optional
        Initial weights. Default: drawn as `initialization` and `gain` say.
    initialization : str
        "normal", "uniform" or "orthogonal", see `InitializationParams` [1].
    gain : float
        Scale of the initial weights [1]; their deviation is gain / sqrt(n_from) for "normal".
    generator : torch.Generator, optional
        Draws initial weights and delays. Default: PyTorch's own, which ``torch.manual_seed`` seeds.
    propagates : bool
        Whether delays are kept; if not, every spike arrives in its own step.

    Raises
    ------
    ValueError
        If a number is out of range, there is no such initialization, or the weight has another shape.

    Examples
    --------
    >>> import torch
    >>> linear = Linear(3, 2, weight=torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]))
    >>> linear(torch.tensor([[[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])).tolist()
    [[[5.0, 50.0], [0.0, 0.0]]]
    """

    def __init__(
        self,
        n_from: int,
        n_to: int,
        *,
        bias: bool = False,
        batch_norm: bool = False,
        max_delay: float = 0.0,
        dt: float | None = None,
        weight: Tensor | None = None,
        initialization: str = "normal",
        gain: float = 1.0,
        generator: torch.Generator | None = None,
        propagates: bool = True,
    ) -> None:
        super().__init__()
        self.propagates = propagates
        self.n_from = checked("Linear.n_from", n_from, Count)
        self.n_to = n_to = checked("Linear.n_to", n_to, Count)
        self.dt = None if dt is None else checked("Linear.dt", dt, Positive)
        self.max_delay = checked("Linear.max_delay", max_delay, NotNegative)
        if weight is None:
            weight = draw_weight(initialization, n_from, n_to, checked("Linear.gain", gain, NotNegative), generator)
        elif weight.shape != (n_from, n_to):
            raise ValueError(f"Linear.weight must be ({n_from}, {n_to}), got {tuple(weight.shape)}")
        delays = None
        if self.max_delay:
            if self.dt is None:
                raise ValueError(f"Linear.dt must be given for delays of up to {self.max_delay} s, got None")
            if not is_whole(self.max_delay, self.dt):
                raise ValueError(f"Linear.max_delay must be a whole number of dt, got {self.max_delay} and {self.dt}")
            delays = Delays(n_from, n_to, longest=count_steps(self.max_delay, self.dt), generator=generator)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(n_to)) if bias else None
        self.norm = nn.BatchNorm1d(n_to, momentum=_NORM_MOMENTUM) if batch_norm else None
        self.delays = delays

    def forward(self, inputs: Inputs, gain: Tensor | None = None) -> Tensor:
        """Return the drive (batch, step, to) of inputs: spikes (batch, step, from), or a `ListBatch`.

        Parameters
        ----------
        inputs : Tensor (batch, step, from), or ListBatch
            Spikes of any dtype; event lists as `collate_lists` makes them.
        gain : Tensor, (to,), optional
            Factor of each neuron's drive [1].

        Returns
        -------
        Tensor, (batch, step, to)

        Raises
        ------
        ValueError
            If the inputs have another shape, number of units or length of step.
        """
        binned = check_inputs(inputs, self.n_from, self.dt)
        delays = self.delays if self.propagates else None
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        if gain is not None and self.norm is None:  # weights are fewer than drives
            weight, bias = weight * gain, None if bias is None else bias * gain
        drive = project_inputs(binned, weight) if delays is None else delays(binned, weight)
        if bias is not None:
            drive.add_(bias)  # in place: no gradient needs the drive without its bias
        if self.norm is not None:
            drive = self.norm(drive.flatten(0, 1)).view(drive.shape)
            drive = drive if gain is None else drive * gain
        return drive

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        dt = "" if self.dt is None else f", dt={self.dt:g} s"
        delay = f", max_delay={self.max_delay:g} s" if self.max_delay else ""
        return f"{self.n_from}, {self.n_to}, bias={self.bias is not None}{delay}{dt}"


class SpikingLayer(nn.Module):
    """Neurons of one kind, driven by the spikes of the layer below and, if recurrent, by their own.

    Parameters
    ----------
    projection : Linear
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
        projection: Linear,
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

    def forward(self, inputs: Inputs) -> Tensor:
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


class ReadoutLayer(nn.Module):
    """Leaky integrators that do not fire, one per class.

    Parameters
    ----------
    projection : Linear
        Connections from the last hidden layer.
    integrator : IntegratorParams
        Time constants.
    dt : float
        Length of a step [s].
    propagates : bool
        Whether the integrators leak; if not, they hold the sum of their drive so far over the number of steps.
    """

    def __init__(self, projection: Linear, integrator: IntegratorParams, *, dt: float, propagates: bool = True) -> None:
        super().__init__()
        self.projection, self.integrator, self.dt, self.propagates = projection, integrator, dt, propagates

    def forward(self, spikes: Inputs) -> Tensor:
        """Return the membranes (batch, step, class) for spikes (batch, step, from)."""
        if not self.propagates:
            drive: Tensor = self.projection(spikes)
            return drive.cumsum(dim=1) / drive.shape[1]
        return run_integrator(self.projection(spikes), self.integrator, dt=self.dt)
