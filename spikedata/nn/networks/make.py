"""Make any of the networks from its params."""

from __future__ import annotations

import torch

from spikedata.checks import checked, whole_number
from spikedata.nn.networks.convolution import ConvolutionNetwork, ConvolutionParams
from spikedata.nn.networks.custom import CustomNetwork, CustomParams, MakeModule
from spikedata.nn.networks.event_driven import EventDrivenNetwork, EventDrivenParams
from spikedata.nn.networks.linear import CountClassifier, CountParams
from spikedata.nn.networks.sequence import SequenceNetwork, SequenceParams
from spikedata.nn.networks.spiking import SpikingNetwork, SpikingNetworkParams

#: Any network that `make_network` makes.
Network = SpikingNetwork | CountClassifier | SequenceNetwork | ConvolutionNetwork | EventDrivenNetwork | CustomNetwork
#: The params of any network.
NetworkParams = (
    SpikingNetworkParams | CountParams | SequenceParams | ConvolutionParams | EventDrivenParams | CustomParams
)


def make_network(
    params: NetworkParams,
    *,
    n_units: int,
    n_classes: int,
    generator: torch.Generator,
    make: MakeModule | None = None,
) -> Network:
    """An untrained network, as its params describe it.

    All networks have the same interface: ``network(inputs, generator=None)`` returns an `Activity`, and the attributes
    ``params``, ``dt``, ``n_steps``, ``n_merged``, ``n_units`` and ``n_classes`` describe the inputs they take.

    Parameters
    ----------
    params : SpikingNetworkParams, CountParams, SequenceParams, ConvolutionParams, EventDrivenParams or CustomParams
        Their type decides the kind of network.
    n_units : int
        Number of units of the spike file [1].
    n_classes : int
        Number of classes [1].
    generator : torch.Generator
        Draws the initial weights; no other source of randomness is used.
    make : callable, optional
        Makes the module of a network of one's own: see `CustomNetwork`.

    Raises
    ------
    ValueError
        If there is no unit or class, the network cannot be made for this number of units, or ``make`` is missing, or
        given for another kind of network.
    TypeError
        If the params belong to no network.

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
    if make is not None and not isinstance(params, CustomParams):
        raise ValueError(f"make is for a network of one's own (CustomParams), got it with {type(params).__name__}")
    match params:
        case SpikingNetworkParams():
            return SpikingNetwork(params, **sizes, generator=generator)
        case CountParams():
            return CountClassifier(params, **sizes)
        case SequenceParams():
            return SequenceNetwork(params, **sizes, generator=generator)
        case ConvolutionParams():
            return ConvolutionNetwork(params, **sizes, generator=generator)
        case EventDrivenParams():
            return EventDrivenNetwork(params, **sizes, generator=generator)
        case CustomParams():
            if make is None:
                raise ValueError(f"the code of {params.code.name} must be given, as make={params.code.class_name}")
            return CustomNetwork(params, **sizes, generator=generator, make=make)
    raise ValueError(f"no network for {type(params).__name__}")
