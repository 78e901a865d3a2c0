"""Networks for spikes: spiking ones, on a grid or in continuous time, and references without spikes or without time.

All return an `Activity`. Those on a grid take spikes as a dense tensor (batch, step, unit) or as event lists, those in
continuous time with their times. A network knows
nothing of optimizer, loss, data or logging; its device and dtype are those of its weights.
"""

from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.nn.networks.convolution import ConvolutionNetwork, ConvolutionParams
from spikedata.nn.networks.custom import CustomNetwork, CustomParams, MakeModule, NetworkCode, check_custom
from spikedata.nn.networks.delays import anneal_delays
from spikedata.nn.networks.event_driven import EventDrivenNetwork, EventDrivenParams, wake_silent
from spikedata.nn.networks.inputs import Inputs
from spikedata.nn.networks.linear import CountClassifier, CountParams
from spikedata.nn.networks.make import Network, NetworkParams, cut_propagation, make_network, require_cuttable
from spikedata.nn.networks.sequence import SequenceNetwork, SequenceParams
from spikedata.nn.networks.spiking import SpikingNetwork, SpikingNetworkParams

__all__ = [
    "READOUTS",
    "Activity",
    "ConvolutionNetwork",
    "ConvolutionParams",
    "CountClassifier",
    "CountParams",
    "CustomNetwork",
    "CustomParams",
    "EventDrivenNetwork",
    "EventDrivenParams",
    "Inputs",
    "MakeModule",
    "Network",
    "NetworkCode",
    "NetworkParams",
    "SequenceNetwork",
    "SequenceParams",
    "SpikingNetwork",
    "SpikingNetworkParams",
    "anneal_delays",
    "check_custom",
    "class_scores",
    "cut_propagation",
    "make_network",
    "require_cuttable",
    "wake_silent",
]
