"""What can be trained on binned spikes: a recurrent spiking network, and a linear classifier that sees only counts.

Both take events (batch, step, unit) and give an ``Activity``; the score of a class is the maximum over time of
its readout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spikedata.baseline.neurons import LIFParams, LIFState, leaky_integrator, lif_step

_ROUNDING = 1e-9  # what duration may differ from n_steps * dt by, of itself


class Activity(NamedTuple):
    """What a network did with a batch.

    Attributes
    ----------
    readout : Tensor, (batch, step, class)
        Membranes of the readout [1].
    hidden_spikes : Tensor, (batch, step, hidden)
        0 or 1; no column where there is no hidden layer.
    """

    readout: Tensor
    hidden_spikes: Tensor

    @property
    def logits(self) -> Tensor:
        """The largest readout over time, (batch, class)."""
        return self.readout.amax(dim=1)


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

    def forward(self, events: Tensor) -> Activity:
        """Return the activity that events (batch, step, input), dense, cause; any number of steps."""
        lif = self.params.lif
        drive = torch.matmul(events, self.input_weight)
        at_rest = torch.zeros_like(drive[:, 0])
        state = LIFState(at_rest, at_rest)
        spikes = []
        for step_drive in drive.unbind(1):
            now, state = lif_step(state, step_drive, self.recurrent_weight, lif, dt=self.dt)
            spikes.append(now)
        hidden_spikes = torch.stack(spikes, dim=1)
        integrator = replace(lif, tau_mem=self.params.tau_readout)
        readout = leaky_integrator(torch.matmul(hidden_spikes, self.readout_weight), integrator, dt=self.dt)
        return Activity(readout, hidden_spikes)


@dataclass(frozen=True, kw_only=True)
class CountParams:
    """What the linear classifier counts, and how strongly its weights are held small.

    Attributes
    ----------
    duration : float
        Window from the start of a clip whose spikes are counted [s].
    strengths : tuple of float
        L2 strengths to choose from [1]: half of one times the sum of squared weights is added to the mean
        cross-entropy.

    Raises
    ------
    ValueError
        If the duration is not positive, or there is no strength, or one is not positive.
    """

    duration: float = 1.0
    strengths: tuple[float, ...] = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)

    def __post_init__(self) -> None:
        if not 0 < self.duration < math.inf:
            raise ValueError(f"CountParams.duration must be > 0, got {self.duration}")
        if not self.strengths or not all(0 < strength < math.inf for strength in self.strengths):
            raise ValueError(f"CountParams.strengths must be numbers > 0, at least one, got {self.strengths}")


class CountClassifier(nn.Module):
    """Linear classifier on square roots of spike counts.

    It is used like a `spikedata.baseline.networks.RecurrentNetwork`, with one step that lasts as long as its
    window.

    Parameters
    ----------
    params : CountParams
        Window and strengths.
    n_units : int
        Units of the input [1].
    n_classes : int
        Classes to tell apart [1].
    """

    def __init__(self, params: CountParams, *, n_units: int, n_classes: int) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_units, self.n_classes = params.duration, 1, n_units, n_classes
        self.n_merged = 1
        self.weight = nn.Parameter(torch.zeros(n_units, n_classes))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, events: Tensor) -> Activity:
        """Return a readout of one step for events (batch, step, unit); the hidden layer is empty."""
        features = events.sum(dim=1).sqrt()
        readout = torch.addmm(self.bias, features, self.weight)
        return Activity(readout[:, None, :], events.new_zeros(len(events), 1, 0))


Network = RecurrentNetwork | CountClassifier
