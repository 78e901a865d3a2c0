"""One hidden layer of recurrently connected LIF neurons, under the names of runs made before `SpikingNetwork`.

It is the same network: `SpikingNetwork` with one hidden layer draws the same weights from the same generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from spikedata.baseline.kernels import run_integrator, run_lif
from spikedata.baseline.networks.activity import Activity
from spikedata.baseline.networks.inputs import Inputs, check_inputs, project_inputs
from spikedata.baseline.neurons import IntegratorParams, LIFParams

_ROUNDING = 1e-9  # what duration may differ from n_steps * dt by, of itself


@dataclass(frozen=True, kw_only=True)
class RecurrentNetworkParams:
    """Size, neurons and time grid of a recurrent spiking network.

    Attributes
    ----------
    n_hidden : int
        Neurons of the hidden layer [1].
    n_merged : int
        Neighboring units of the file whose spikes are counted as those of one input [1].
    lif : LIFParams
        Neurons of the hidden layer; the readout shares their synapses [1].
    tau_readout : float
        Time constant of the readout's membranes [s].
    duration : float
        What the network sees of a clip, padded or cropped [s]; a whole number of steps.
    dt : float
        Length of a step [s].
    input_gain : float
        Scale of the first input weights [1]: they have standard deviation input_gain / sqrt(number of inputs).
    recurrent_gain : float
        Scale of the first recurrent weights [1], over sqrt(n_hidden).
    readout_gain : float
        Scale of the first readout weights [1], over sqrt(n_hidden).

    Raises
    ------
    ValueError
        If a size or time is not positive, a gain negative, or ``duration`` not a whole number of ``dt``.
    """

    n_hidden: int = 128
    n_merged: int = 1
    lif: LIFParams = field(default_factory=LIFParams)
    tau_readout: float = 20e-3
    duration: float = 1.0
    dt: float = 10e-3
    input_gain: float = 0.2
    recurrent_gain: float = 0.5
    readout_gain: float = 1.0

    def __post_init__(self) -> None:
        for name in ("n_hidden", "n_merged", "tau_readout", "duration", "dt"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"RecurrentNetworkParams.{name} must be > 0, got {value}")
        for name in ("input_gain", "recurrent_gain", "readout_gain"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"RecurrentNetworkParams.{name} must be >= 0, got {value}")
        if self.n_steps < 1 or abs(self.n_steps * self.dt - self.duration) > _ROUNDING * self.duration:
            raise ValueError(
                f"RecurrentNetworkParams.duration must be a whole number of dt, got {self.duration} and {self.dt}"
            )

    @property
    def n_steps(self) -> int:
        """Steps that a clip is padded or cropped to."""
        return round(self.duration / self.dt)


class RecurrentNetwork(nn.Module):
    """One hidden layer of recurrently connected LIF neurons, read out by leaky integrators that do not fire.

    Parameters
    ----------
    params : RecurrentNetworkParams
        Size, neurons and time grid.
    n_units : int
        Units of the spike file [1]; the inputs are these, merged.
    n_classes : int
        Classes to tell apart [1].
    generator : torch.Generator
        Draws the first weights, from normal distributions.

    Examples
    --------
    >>> import torch
    >>> params = RecurrentNetworkParams(n_hidden=8, n_merged=5, duration=0.05)
    >>> network = RecurrentNetwork(params, n_units=15, n_classes=2, generator=torch.Generator().manual_seed(0))
    >>> activity = network(torch.ones(4, 5, 3))
    >>> tuple(activity.readout.shape), tuple(activity.hidden_spikes.shape), tuple(activity.logits.shape)
    ((4, 5, 2), (4, 5, 8), (4, 2))
    """

    def __init__(
        self, params: RecurrentNetworkParams, *, n_units: int, n_classes: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_units, self.n_classes = params.dt, params.n_steps, n_units, n_classes
        self.n_merged = params.n_merged

        def weight(n_from: int, n_to: int, gain: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(n_from, n_to, generator=generator) * (gain / math.sqrt(n_from)))

        self.input_weight = weight(-(-n_units // params.n_merged), params.n_hidden, params.input_gain)
        self.recurrent_weight = weight(params.n_hidden, params.n_hidden, params.recurrent_gain)
        self.readout_weight = weight(params.n_hidden, n_classes, params.readout_gain)

    def forward(self, inputs: Inputs, *, generator: torch.Generator | None = None) -> Activity:
        """Return the activity that inputs cause; arguments as those of `SpikingNetwork`, nothing is drawn."""
        check_inputs(inputs, len(self.input_weight))
        lif = self.params.lif
        spikes = run_lif(project_inputs(inputs, self.input_weight), self.recurrent_weight, lif, dt=self.dt)
        integrator = IntegratorParams(tau_mem=self.params.tau_readout, tau_syn=lif.tau_syn)
        readout = run_integrator(project_inputs(spikes, self.readout_weight), integrator, dt=self.dt)
        return Activity(readout.amax(dim=1), readout, (spikes,))
