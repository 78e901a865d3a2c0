"""Spiking neurons, layers and networks in PyTorch, fused on the CPU.

From the equations up:

- `surrogate`: a step function that gradients can pass, by one of six surrogate derivatives
- `neurons`: LIF, two kinds of adaptive LIF, the leaky integrator: params, one step, and the plain loop over all steps
- `kernels`: the same loops compiled for the CPU, forward and backward, with projections, dropout and readout
- `modules`: neurons, readout and dropout as modules, for a network of one's own in ``torch.nn.Sequential`` or Lightning
- `networks`: whole networks, made by `make_network` from params that describe them

Nothing here knows losses, optimizers, recipes or splits: `spikedata.training` trains a network, `spikedata.baseline`
names recipes and keeps runs.
"""

from spikedata.nn.kernels import plain_loops
from spikedata.nn.modules import ALIF, LIF, AdLIF, Dropout, Readout, activity_of, step_of
from spikedata.nn.networks import (
    Activity,
    ConvolutionNetwork,
    ConvolutionParams,
    CountClassifier,
    CountParams,
    CustomNetwork,
    CustomParams,
    EventDrivenNetwork,
    EventDrivenParams,
    Network,
    NetworkCode,
    NetworkParams,
    SequenceNetwork,
    SequenceParams,
    SpikingNetwork,
    SpikingNetworkParams,
    anneal_delays,
    class_scores,
    cut_propagation,
    make_network,
    wake_silent,
)
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.networks.layers import Linear
from spikedata.nn.neurons import AdLIFParams, ALIFParams, CSiLIFParams, IntegratorParams, LIFParams, SiLIFParams
from spikedata.nn.surrogate import SurrogateParams, spike, surrogate_derivative

__all__ = [
    "ALIF",
    "LIF",
    "ALIFParams",
    "Activity",
    "AdLIF",
    "AdLIFParams",
    "CSiLIFParams",
    "ConvolutionNetwork",
    "ConvolutionParams",
    "CountClassifier",
    "CountParams",
    "CustomNetwork",
    "CustomParams",
    "Dropout",
    "EventDrivenNetwork",
    "EventDrivenParams",
    "InitializationParams",
    "IntegratorParams",
    "LIFParams",
    "Linear",
    "Network",
    "NetworkCode",
    "NetworkParams",
    "Readout",
    "SequenceNetwork",
    "SequenceParams",
    "SiLIFParams",
    "SpikingNetwork",
    "SpikingNetworkParams",
    "SurrogateParams",
    "activity_of",
    "anneal_delays",
    "class_scores",
    "cut_propagation",
    "make_network",
    "plain_loops",
    "spike",
    "step_of",
    "surrogate_derivative",
    "wake_silent",
]
