"""The network that params describe."""

from __future__ import annotations

import torch

from spikedata.checks import checked, whole_number
from spikedata.nn.networks.convolution import ConvolutionNetwork, ConvolutionParams
from spikedata.nn.networks.linear import CountClassifier, CountParams
from spikedata.nn.networks.sequence import SequenceNetwork, SequenceParams
from spikedata.nn.networks.spiking import SpikingNetwork, SpikingNetworkParams

Network = SpikingNetwork | CountClassifier | SequenceNetwork | ConvolutionNetwork
NetworkParams = SpikingNetworkParams | CountParams | SequenceParams | ConvolutionParams


def make_network(params: NetworkParams, *, n_units: int, n_classes: int, generator: torch.Generator) -> Network:
    """The untrained network that params describe.

    All networks are used alike: ``network(inputs, generator=None)`` gives an `Activity`; ``params``, ``dt``,
    ``n_steps``, ``n_merged``, ``n_units`` and ``n_classes`` say what they take.

    Parameters
    ----------
    params : SpikingNetworkParams, CountParams, SequenceParams or ConvolutionParams
        Which network.
    n_units : int
        Units of the spike file [1].
    n_classes : int
        Classes to tell apart [1].
    generator : torch.Generator
        Draws the first weights; nothing else does.

    Raises
    ------
    ValueError
        If there is no unit or class, or the params have no network for so many units.
    TypeError
        If the params are those of no network.

    Examples
    --------
    >>> import torch
    >>> network = make_network(CountParams(), n_units=700, n_classes=20, generator=torch.Generator())
    >>> tuple(network(torch.ones(2, 1, 700)).logits.shape)
    (2, 20)
    """
    params = checked("params", params, NetworkParams)
    sizes = {
        "n_units": whole_number("n_units", n_units, at_least=1),
        "n_classes": whole_number("n_classes", n_classes, at_least=1),
    }
    match params:
        case SpikingNetworkParams():
            return SpikingNetwork(params, **sizes, generator=generator)
        case CountParams():
            return CountClassifier(params, **sizes)
        case SequenceParams():
            return SequenceNetwork(params, **sizes, generator=generator)
        case ConvolutionParams():
            return ConvolutionNetwork(params, **sizes, generator=generator)
    raise ValueError(f"no network for {type(params).__name__}")
