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
from spikedata.nn.neurons import AdLIFParams, ALIFParams, LIFParams

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
    propagates: bool = True,
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
    propagates : bool
        Whether the network carries anything from step to step: see `cut_propagation`.
    make : callable, optional
        Makes the module of a network of one's own: see `CustomNetwork`.

    Raises
    ------
    ValueError
        If there is no unit or class, the network cannot be made for this number of units, or not without propagation,
        or ``make`` is missing, or given for another kind of network.
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
    if not propagates:
        require_cuttable(params)
    if make is not None and not isinstance(params, CustomParams):
        raise ValueError(f"make is for a network of one's own (CustomParams), got it with {type(params).__name__}")
    match params:
        case SpikingNetworkParams():
            return SpikingNetwork(params, **sizes, generator=generator, propagates=propagates)
        case CountParams():
            return CountClassifier(params, **sizes)
        case SequenceParams():
            return SequenceNetwork(params, **sizes, generator=generator, propagates=propagates)
        case ConvolutionParams():
            return ConvolutionNetwork(params, **sizes, generator=generator)
        case EventDrivenParams():
            return EventDrivenNetwork(params, **sizes, generator=generator)
        case CustomParams():
            if make is None:
                raise ValueError(f"the code of {params.code.name} must be given, as make={params.code.class_name}")
            return CustomNetwork(params, **sizes, generator=generator, make=make)
    raise ValueError(f"no network for {type(params).__name__}")


def cut_propagation(network: Network) -> Network:
    """A network with the same weights that carries nothing from one step to the next.

    The logits of what remains do not depend on the order of the steps. What is cut depends on the kind:

    - `SpikingNetwork` of LIF, adaptive LIF and ALIF neurons: all decay factors are 0, and reset, refractory time,
      adaptation, recurrent weights and delays are left out, so that a neuron fires in the steps in which its drive,
      ``W s_in[n]`` with bias and normalization, is above the threshold, in the same step. The readout is the sum of its
      drive over all steps, divided by their number.
    - `SequenceNetwork`: every step begins from the state 0; the readout is summed likewise.
    - `CountClassifier`: has one step, and stays as it is.

    Weights that are left out stay in the network, so that its ``state_dict`` fits both.

    Parameters
    ----------
    network : Network
        Left as it is.

    Raises
    ------
    ValueError
        If the network is of another kind.

    Examples
    --------
    >>> import torch
    >>> params = SpikingNetworkParams(hidden=(8,), n_merged=1, duration=0.05)
    >>> network = make_network(params, n_units=4, n_classes=2, generator=torch.Generator().manual_seed(0))
    >>> cut, inputs = cut_propagation(network), torch.rand(1, 5, 4)
    >>> torch.allclose(cut(inputs).logits, cut(inputs.flip(1)).logits)
    True
    """
    without = make_network(
        network.params,
        n_units=network.n_units,
        n_classes=network.n_classes,
        generator=torch.Generator(),
        propagates=False,
    )
    without.load_state_dict(network.state_dict())
    return without.to(next(network.parameters()).device).train(network.training)


def require_cuttable(params: NetworkParams) -> None:
    """Raise ValueError, in one line, unless a network of these params can do without propagation.

    Parameters
    ----------
    params : NetworkParams
        Of a network.
    """
    match params:
        case SpikingNetworkParams():
            unknown = [type(one).__name__ for one in params.neurons if not isinstance(one, _CUTTABLE)]
            why = f"how {unknown[0].removesuffix('Params')} neurons go without is not defined" if unknown else ""
        case CountParams() | SequenceParams():
            why = ""
        case ConvolutionParams():
            why = "its filters span several steps"
        case EventDrivenParams():
            why = "it has no steps"
        case _:
            why = "how it goes without is not defined"
    if why:
        raise ValueError(f"the propagation of {type(params).__name__} cannot be cut: {why}")


_CUTTABLE = (LIFParams, AdLIFParams, ALIFParams)
