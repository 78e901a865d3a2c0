"""What can be trained on binned spikes: spiking networks, and references that do not spike or do not know time.

All take spikes as a dense tensor (batch, step, unit) or as lists of units, and give an `Activity`. A network knows
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
