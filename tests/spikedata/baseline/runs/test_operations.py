import numpy as np
import pytest
import torch

from spikedata.baseline.runs.operations import Operations, count_operations, measure, source_of, source_of_lists
from spikedata.nn.networks import (
    ConvolutionParams,
    CountParams,
    SequenceParams,
    SpikingNetworkParams,
    make_network,
)
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.torch import SpikeDataset
from spikedata.training.batches import Grid, iterate_batches
from spikedata.training.scoring import evaluate

SPIKING = SpikingNetworkParams(hidden=(6, 4), duration=0.2, initialization=InitializationParams(input_gain=3.0))


def _network(params):
    return make_network(params, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(0)).eval()


def _count(params, inputs):
    network = _network(params)
    with torch.no_grad():
        return count_operations(network, inputs, network(inputs)), network


def test_each_spike_costs_an_addition_for_each_weight_that_is_not_zero():
    inputs = torch.zeros(2, 20, 16)
    inputs[0, :, 3] = inputs[1, 5, :4] = 1
    network = _network(SPIKING)
    with torch.no_grad():
        network.layers[0].projection.weight[3, :2] = 0
        activity = network(inputs)
        found = count_operations(network, inputs, activity)
    first, second = (int(spikes.sum()) for spikes in activity.spikes)
    assert first > 0
    expected = 24 * 6 - 21 * 2 + first * (6 + 4) + second * (4 + 3)
    assert (found.acs, found.macs) == (expected, 0)
    assert found.dense == 2 * 20 * (16 * 6 + 6 * 6 + 6 * 4 + 4 * 4 + 4 * 3)


def test_counts_above_one_cost_multiplications():
    inputs = torch.zeros(1, 20, 16)
    inputs[0, 0, 0] = 2
    assert _count(SPIKING, inputs)[0].macs == 6


def test_lists_and_dense_counts_cost_the_same(make_events):
    dataset, batches, grid = SpikeDataset(make_events()), [np.arange(9)], Grid(0.05, 4)
    dense, lists = (next(iterate_batches(dataset, batches, grid, layout=layout))[0] for layout in ("dense", "lists"))
    one, other = source_of(dense), source_of_lists(lists)
    assert torch.equal(one.n_active, other.n_active)
    assert (one.is_binary, one.n_values) == (other.is_binary, other.n_values) == (False, 36)


def test_the_linear_classifier_multiplies_each_count_that_is_not_zero():
    inputs = torch.zeros(1, 1, 16)
    inputs[0, 0, :5] = 4
    network = _network(CountParams(duration=0.2))
    with torch.no_grad():
        network.weight.fill_(1.0)
        assert count_operations(network, inputs, network(inputs)) == Operations(15, 0, 48)


@pytest.mark.parametrize(("kind", "n_gates"), [("gru", 3), ("lstm", 4)])
def test_gates_multiply_what_comes_in_and_what_was_held(kind, n_gates):
    found, _ = _count(SequenceParams(kind=kind, hidden=(5,), n_merged=1, duration=0.2), torch.ones(1, 20, 16))
    assert found.dense == 20 * (16 * 5 * n_gates + 5 * 5 * n_gates + 5 * 3)
    assert found.acs == 20 * 16 * 5 * n_gates
    assert found.macs == 20 * (5 * 5 * n_gates + 5 * 3)


def test_a_convolution_multiplies_what_is_under_its_filters():
    params = ConvolutionParams(filters=(2,), kernel=(3, 3), n_merged=1, duration=0.2)
    inputs = torch.zeros(1, 20, 16)
    inputs[0, 10, 8] = 1  # under nine places of each filter
    found, _ = _count(params, inputs)
    assert found.acs == 9 * 2
    assert found.dense == 20 * 16 * 9 * 2 + 10 * (2 * 8) * 3


def test_measures_are_means_over_clips(make_events):
    events, network, operations, activities = make_events(takes=2), _network(SPIKING), [], []

    def watch(inputs, activity):
        operations.append(count_operations(network, inputs, activity))
        activities.append(activity)

    score = evaluate(network, events, batch_size=5, watch=watch)
    found = measure(network, score, operations)
    n_spikes = sum(float(spikes.sum()) for activity in activities for spikes in activity.spikes)
    assert found.spikes == pytest.approx(n_spikes / len(events))
    assert found.activation_sparsity == pytest.approx(1 - n_spikes / (len(events) * 20 * 10))
    assert found.effective_acs + found.effective_macs == pytest.approx(
        sum(one.acs + one.macs for one in operations) / len(events)
    )
    assert found.footprint == 4 * (16 * 6 + 6 * 6 + 6 * 4 + 4 * 4 + 4 * 3)
    assert (found.n_steps, found.dt) == (20, 0.01)


def test_what_does_not_spike_has_no_sparsity(make_events):
    network = _network(CountParams(duration=0.2))
    found = measure(network, evaluate(network, make_events()), [])
    assert (found.spikes, found.activation_sparsity) == (None, None)
