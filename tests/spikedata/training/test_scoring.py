import numpy as np
import pytest
import torch

from spikedata.nn.networks import SpikingNetworkParams, make_network
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.training.scoring import Score, evaluate

PARAMS = SpikingNetworkParams(hidden=(5, 3), duration=0.2, initialization=InitializationParams(input_gain=4.0))


def _network(n_units=16):
    return make_network(PARAMS, n_units=n_units, n_classes=3, generator=torch.Generator().manual_seed(0))


def test_a_score_counts_what_was_right_and_what_was_taken_for_what():
    score = Score(
        labels=np.array([0, 0, 1, 2]), predictions=np.array([0, 1, 1, 0]), n_classes=3, loss=1.0, hidden_spikes=0
    )
    assert (score.n_correct, score.accuracy) == (2, 0.5)
    assert score.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_evaluation_changes_nothing(make_events):
    network, events = _network(), make_events()
    network.train()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    times = events.times.copy()
    first, second = evaluate(network, events), evaluate(network, events)
    assert network.training
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())
    assert (first.loss, first.hidden_spikes) == (second.loss, second.hidden_spikes)
    np.testing.assert_array_equal(events.times, times)


def test_evaluation_keeps_no_graph_and_trains_nothing(make_events):
    network, seen = _network().train(), []
    network.register_forward_hook(lambda module, *_: seen.append((torch.is_grad_enabled(), module.training)))
    evaluate(network, make_events())
    assert set(seen) == {(False, False)}


def test_the_score_does_not_depend_on_the_batch(make_events):
    network, events = _network(), make_events()
    small, large = evaluate(network, events, batch_size=7), evaluate(network, events, batch_size=1000)
    np.testing.assert_array_equal(small.predictions, large.predictions)
    assert small.loss == pytest.approx(large.loss, rel=1e-5)  # float32, summed in another order
    assert small.hidden_spikes == pytest.approx(large.hidden_spikes, rel=1e-6)


def test_lists_of_events_are_scored_as_dense_counts_are(make_events):
    network, events = _network(), make_events()
    dense, lists = (evaluate(network, events, layout=layout) for layout in ("dense", "lists"))
    np.testing.assert_array_equal(dense.predictions, lists.predictions)
    assert dense.loss == pytest.approx(lists.loss, rel=1e-5)  # float32, summed in another order


def test_hidden_spikes_are_per_neuron_and_clip(make_events):
    network, events = _network(), make_events(takes=1)
    counts = np.zeros((len(events), 20, 16), np.float32)
    for row, clip in enumerate(events):
        np.add.at(counts[row], (np.floor(clip.times / 0.01).astype(int), clip.units), 1)
    spikes = network(torch.from_numpy(counts)).spikes
    expected = sum(layer.sum().item() for layer in spikes) / (8 * len(events))
    assert expected > 0
    assert evaluate(network, events).hidden_spikes == pytest.approx(expected)


def test_nothing_to_score_is_an_error(make_events):
    with pytest.raises(ValueError, match="events: holds no clip"):
        evaluate(_network(), make_events().select([]))


def test_events_with_other_units_are_an_error(make_events):
    with pytest.raises(ValueError, match="events: has 16 units, must have the network's 5"):
        evaluate(_network(n_units=5), make_events())
