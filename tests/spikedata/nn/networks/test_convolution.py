import dataclasses

import pytest
import torch

from spikedata.nn.networks.convolution import ConvolutionNetwork, ConvolutionParams

PARAMS = ConvolutionParams(filters=(4, 6), kernel=(3, 3), dropout=0.0, n_merged=1, duration=0.3)


def _network(params=PARAMS, seed=0):
    return ConvolutionNetwork(params, n_units=9, n_classes=3, generator=torch.Generator().manual_seed(seed)).double()


@pytest.fixture
def spikes(make_spikes):
    return make_spikes(n_units=9)


def test_time_and_units_are_halved_by_each_layer(spikes):
    network = _network()
    activity = network(spikes)
    assert activity.readout.shape == (4, 7, 3)
    assert network.weight.shape == (6 * 2, 3)
    assert torch.equal(activity.logits, activity.readout.amax(dim=1))


def test_a_later_spike_is_read_out_later(spikes):
    network = _network().eval()
    later = torch.zeros_like(spikes)
    later[:, 8:] = spikes[:, :-8]
    # away from the edges, where the picture ends: 4 steps make one, twice
    torch.testing.assert_close(network(later).readout[:, 4:6], network(spikes).readout[:, 2:4])


def test_one_filter_does_what_a_convolution_says(spikes):
    network = _network(dataclasses.replace(PARAMS, filters=(1,))).eval()
    with torch.no_grad():
        network.layers[0][0].weight.zero_()[0, 0, 1, 2] = 2.0  # twice the next unit at the same step
        network.weight.fill_(1.0)
    heard = torch.nn.functional.pad(2 * spikes[:, :, 1:], (0, 1))[:, :, :8] / (1 + 1e-5) ** 0.5  # the norm's epsilon
    pooled = heard.reshape(4, 15, 2, 4, 2).amax(dim=(2, 4))
    torch.testing.assert_close(network(spikes).readout[:, :, 0], pooled.sum(dim=2))


def test_what_a_filter_makes_negative_is_cut(spikes):
    network = _network(dataclasses.replace(PARAMS, filters=(1,))).eval()
    with torch.no_grad():
        network.layers[0][0].weight.fill_(-1.0)
    assert not network(spikes + 1).readout.any()


def test_dense_spikes_and_lists_get_the_same_scores(spikes, as_lists):
    network = _network()
    assert torch.equal(network(as_lists(spikes)).readout, network(spikes).readout)


def test_gradients_reach_every_parameter(spikes):
    network = _network()
    network(spikes).logits.square().sum().backward()
    assert all(value.grad.any() for value in network.parameters())


def test_the_first_weights_come_from_the_generator_alone():
    before = torch.get_rng_state()
    first, second, other = (_network(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["weight"], other["weight"])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_that_is_loaded_gives_the_same_network(spikes):
    network, other = _network(seed=0), _network(seed=1)
    network(spikes)  # moves the running means
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.eval()(spikes).readout, network.eval()(spikes).readout)


def test_dropout_depends_on_its_generator_alone(spikes):
    network = _network(dataclasses.replace(PARAMS, dropout=0.5))
    runs = [network(spikes, generator=torch.Generator().manual_seed(seed)).readout for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kernel": (4, 5)}, r"kernel must be two odd numbers, got \(4, 5\)"),
        ({"kernel": (5,)}, r"kernel must be two whole numbers >= 1, got \(5,\)"),
        ({"filters": (0,)}, r"filters must be whole numbers >= 1, at least one, got \(0,\)"),
        ({"duration": 0.07, "filters": (4, 4, 4)}, "duration must be >= 8 steps, got 7"),
    ],
)
def test_a_network_refuses_numbers_that_mean_nothing(values, message):
    with pytest.raises(ValueError, match=rf"ConvolutionParams\.{message}"):
        ConvolutionParams(**values)


def test_too_few_inputs_for_the_layers_are_refused():
    with pytest.raises(ValueError, match="a network of 2 layers needs >= 4 inputs, got 3"):
        ConvolutionNetwork(dataclasses.replace(PARAMS, n_merged=3), n_units=9, n_classes=3, generator=torch.Generator())
