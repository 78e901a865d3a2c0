"""Networks for binned spikes: spiking ones, and references without spikes or without time.

All take spikes as a dense tensor (batch, step, unit) or as event lists, and return an `Activity`. A network knows
nothing of optimizer, loss, data or logging; its device and dtype are those of its weights.
"""

from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.nn.networks.convolution import ConvolutionNetwork, ConvolutionParams
from spikedata.nn.networks.delays import anneal_delays
from spikedata.nn.networks.inputs import Inputs
from spikedata.nn.networks.linear import CountClassifier, CountParams
from spikedata.nn.networks.make import Network, NetworkParams, make_network
from spikedata.nn.networks.sequence import SequenceNetwork, SequenceParams
from spikedata.nn.networks.spiking import SpikingNetwork, SpikingNetworkParams

__all__ = [
    "READOUTS",
    "Activity",
    "ConvolutionNetwork",
    "ConvolutionParams",
    "CountClassifier",
    "CountParams",
    "Inputs",
    "Network",
    "NetworkParams",
    "SequenceNetwork",
    "SequenceParams",
    "SpikingNetwork",
    "SpikingNetworkParams",
    "anneal_delays",
    "class_scores",
    "make_network",
]
