"""Networks by plain loops whose gradient is cut where a spike enters recurrent weights: autograd then gives e-prop."""

from dataclasses import replace

import torch

from spikedata.nn.networks import Activity, class_scores
from spikedata.nn.neurons import AdLIFFractions, AdLIFParams, ALIFParams, LIFParams, adlif_coefficients
from spikedata.nn.neurons.adlif import AdLIFState, adlif_step
from spikedata.nn.neurons.alif import ALIFState, alif_step
from spikedata.nn.neurons.integrator import leaky_integrator
from spikedata.nn.neurons.lif import LIFState, lif_step


def cut_activity(network, spikes, *, cuts=True, keep=None):
    """The activity of a network; with ``cuts`` no gradient passes through recurrent weights to the spikes before.

    ``keep``, if given, is a list to which the spikes of each layer and step are appended, with their gradients kept.
    """
    layers = []
    for layer in network.layers:
        drive = _with_bias(layer.projection, spikes)
        spikes = _layer_loop(layer, drive, cuts, keep)
        layers.append(spikes)
    readout = leaky_integrator(
        _with_bias(network.readout.projection, spikes), network.readout.integrator, dt=network.dt
    )
    return Activity(class_scores(readout, network.params.readout), readout, tuple(layers))


def _with_bias(projection, spikes):
    drive = spikes @ projection.weight
    return drive if projection.bias is None else drive + projection.bias


def _layer_loop(layer, drive, cuts, keep):
    neuron, weight, dt = layer.neuron, layer.recurrent_weight, layer.dt
    zeros = torch.zeros_like(drive[:, 0])
    coefficients = None
    match neuron:
        case LIFParams():
            state = LIFState(zeros, zeros)
        case ALIFParams():
            state = ALIFState(zeros, zeros, zeros, zeros)
        case AdLIFParams():
            state = AdLIFState(zeros, zeros, zeros)
            coefficients = adlif_coefficients(AdLIFFractions(**layer.fractions), neuron, dt=dt)
    fired = []
    before = zeros
    for given in drive.unbind(1):
        if isinstance(neuron, LIFParams):
            # the spikes of this step enter the current of the next one
            now, state = lif_step(state, given, None, neuron, dt=dt)
            if weight is not None:
                state = state._replace(current=state.current + (now.detach() if cuts else now) @ weight)
        else:
            if weight is not None:
                given = given + (before.detach() if cuts else before) @ weight
            if coefficients is None:
                now, state = alif_step(state, given, None, neuron, dt=dt)
            else:
                now, state = adlif_step(state, given, None, coefficients, neuron)
            before = now
        if keep is not None:
            now.retain_grad()
            keep.append(now)
        fired.append(now)
    return torch.stack(fired, dim=1)


def cut_gradients(network, spikes, objective, **options):
    """The gradient of each parameter, by its name; None if there is none."""
    activity = cut_activity(network, spikes, **options)
    named = dict(network.named_parameters())
    found = torch.autograd.grad(objective(activity), list(named.values()), allow_unused=True)
    return dict(zip(named, found, strict=True))


def detached(params):
    return replace(params, neuron=replace(params.neuron, detach_reset=True))
