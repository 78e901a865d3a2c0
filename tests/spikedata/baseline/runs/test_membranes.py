"""Membrane updates, beside the equations step by step and counts by hand."""

from dataclasses import replace

import pytest
import torch

from spikedata.baseline.runs.membranes import count_updates
from spikedata.baseline.runs.operations import connection_sparsity, count_operations, measure
from spikedata.nn import AdLIFParams, ALIFParams, LIFParams, SpikingNetworkParams, cut_propagation, make_network
from spikedata.nn.neurons import AdLIFFractions, adlif_coefficients, leaky_integrator
from spikedata.nn.neurons.adlif import AdLIFState, adlif_step
from spikedata.nn.neurons.alif import ALIFState, alif_step
from spikedata.nn.neurons.lif import LIFState, lif_step
from spikedata.training.scoring import evaluate

BASE = SpikingNetworkParams(hidden=(6, 5), n_merged=1, duration=0.2, neuron=LIFParams())
KINDS = {
    "lif, zero": replace(BASE, neuron=LIFParams(reset="zero")),
    "lif, subtract": replace(BASE, neuron=LIFParams(reset="subtract")),
    "adlif, symplectic": replace(BASE, neuron=AdLIFParams(), bias=True),
    "adlif, other": replace(BASE, neuron=AdLIFParams(scheme="euler", reset="subtract")),
    "alif": replace(BASE, neuron=ALIFParams(refractory=0.02)),
    "not recurrent": replace(BASE, recurrent=False, neuron=ALIFParams()),
}


def _network(params):
    network = make_network(params, n_units=8, n_classes=3, generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for layer in network.layers:
            layer.projection.weight *= 60 if isinstance(layer.neuron, AdLIFParams) else 6  # which need more to fire
    return network


def _inputs():
    """Clips that begin late, so that membranes rest, and one that is silent."""
    inputs = (torch.rand(3, 20, 8, generator=torch.Generator().manual_seed(2)) < 0.3).float()
    inputs[:, :6] = 0
    inputs[2] = 0
    return inputs


def _changes(membranes):
    """Of (step + 1, batch, neuron): all neurons of the first step, and the changes in the later ones."""
    return membranes[0].numel() + int(torch.count_nonzero(membranes[2:] - membranes[1:-1]))


def _step_by_step(layer, drive):
    zeros = torch.zeros_like(drive[:, 0])
    neuron, weight, membranes = layer.neuron, layer.recurrent_weight, [zeros]
    state = {
        LIFParams: LIFState(zeros, zeros),
        AdLIFParams: AdLIFState(zeros, zeros, zeros),
        ALIFParams: ALIFState(zeros, zeros, zeros, zeros),
    }[type(neuron)]
    for now in drive.unbind(1):
        if isinstance(neuron, LIFParams):
            _, state = lif_step(state, now, weight, neuron, dt=layer.dt)
        elif isinstance(neuron, ALIFParams):
            _, state = alif_step(state, now, weight, neuron, dt=layer.dt)
        else:
            coefficients = adlif_coefficients(AdLIFFractions(**layer.fractions), neuron, dt=layer.dt)
            _, state = adlif_step(state, now, weight, coefficients, neuron)
        membranes.append(state.membrane)
    return _changes(torch.stack(membranes))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_updates_are_those_of_the_equations_step_by_step(kind):
    network, inputs = _network(KINDS[kind]), _inputs()
    activity = network(inputs)
    assert all(spikes.any() for spikes in activity.spikes)
    below, expected = inputs, 0
    for layer, spikes in zip(network.layers, activity.spikes, strict=True):
        expected += _step_by_step(layer, layer.projection(below))
        below = spikes
    with_rest = torch.cat([network.readout.projection(below), torch.zeros(3, 1, 3)], dim=1)
    readout = leaky_integrator(with_rest, network.readout.integrator, dt=network.dt)
    if network.readout.integrator.tau_syn is None:
        readout = torch.cat([torch.zeros(3, 1, 3), readout[:, :-1]], dim=1)
    expected += _changes(readout.transpose(0, 1))
    found = count_updates(network, inputs, activity)
    assert found == pytest.approx(expected, rel=0.01)  # a membrane that hardly changes depends on rounding
    assert found < 3 * 20 * 14


@torch.no_grad()
def test_the_updates_of_a_tiny_network_are_those_that_a_hand_counts():
    # one neuron whose membrane is 1, 0.5, 0.25 after a spike at step 2 of four; a readout that never gets a spike
    params = SpikingNetworkParams(
        hidden=(1,), n_merged=1, duration=4.0, dt=1.0, recurrent=False, neuron=ALIFParams(threshold=2.0)
    )
    network = make_network(params, n_units=1, n_classes=2, generator=torch.Generator().manual_seed(0)).eval()
    network.layers[0].projection.weight.fill_(1.0)
    inputs = torch.tensor([[[0.0], [0.0], [1.0], [0.0]]])
    # the first step of three neurons; the hidden one changes in the third and in the fourth step, where it decays
    network.layers[0].neuron = replace(ALIFParams(threshold=2.0), tau_mem=1.4426950408889634)
    found = count_operations(network, inputs, network(inputs))
    assert found.membrane_updates == 3 + 2
    assert (found.acs, found.macs, found.dense) == (1, 0, 4 * (1 + 2))


@torch.no_grad()
def test_without_propagation_every_update_is_made_anew():
    network, inputs = cut_propagation(_network(BASE)), _inputs()
    assert count_updates(network, inputs, network(inputs)) == 3 * 20 * (6 + 5 + 3)


@torch.no_grad()
def test_a_recurrence_that_is_cut_costs_nothing():
    cut, inputs = cut_propagation(_network(BASE)), _inputs()
    found = count_operations(cut, inputs, cut(inputs))
    assert found.dense == 3 * 20 * (8 * 6 + 6 * 5 + 5 * 3)


def test_connections_without_a_weight_are_sparse():
    network = _network(replace(BASE, max_delay=0.05))
    with torch.no_grad():
        network.layers[0].projection.weight[:4] = 0
        network.layers[0].projection.delays.steps.zero_()
        network.layers[1].recurrent_weight[2] = 0
    assert connection_sparsity(network) == (4 * 6 + 5) / (8 * 6 + 6 * 6 + 6 * 5 + 5 * 5 + 5 * 3)


def test_a_card_has_every_column_of_neurobench(make_events):
    params = replace(BASE, initialization=replace(BASE.initialization, input_gain=3.0))
    network = make_network(params, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(0)).eval()
    operations = []
    score = evaluate(
        network, make_events(), watch=lambda inputs, seen: operations.append(count_operations(network, inputs, seen))
    )
    found = measure(network, score, operations)
    assert found.connection_sparsity == 0
    assert 14 < found.membrane_updates <= 20 * 14
    assert found.execution_rate == pytest.approx(100)
