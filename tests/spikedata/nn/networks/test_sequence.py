import dataclasses

import numpy as np
import pytest
import torch

from spikedata.nn.networks.sequence import SequenceNetwork, SequenceParams

PARAMS = SequenceParams(hidden=(6,), n_merged=1, duration=0.3)
both_kinds = pytest.mark.parametrize("kind", ["gru", "lstm"])


def _network(params=PARAMS, seed=0):
    return SequenceNetwork(params, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(seed)).double()


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _lstm_by_hand(layer, spikes):
    """Equations of Hochreiter & Schmidhuber with the forget gate of Gers et al.; gates in the order i, f, g, o."""
    w, v, b, c = (layer.get_parameter(f"{name}_l0").detach().numpy() for name in NAMES)
    hidden = cell = np.zeros((len(spikes), v.shape[1]))
    for step in range(spikes.shape[1]):
        i, f, g, o = np.split(spikes[:, step] @ w.T + b + hidden @ v.T + c, 4, axis=1)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
        hidden = _sigmoid(o) * np.tanh(cell)
    return hidden


def _gru_by_hand(layer, spikes):
    """Equations of Cho et al., the reset gate after the product; gates in the order r, z, n."""
    w, v, b, c = (layer.get_parameter(f"{name}_l0").detach().numpy() for name in NAMES)
    hidden = np.zeros((len(spikes), v.shape[1]))
    for step in range(spikes.shape[1]):
        heard = np.split(spikes[:, step] @ w.T + b, 3, axis=1)
        own = np.split(hidden @ v.T + c, 3, axis=1)
        r, z = _sigmoid(heard[0] + own[0]), _sigmoid(heard[1] + own[1])
        hidden = (1 - z) * np.tanh(heard[2] + r * own[2]) + z * hidden
    return hidden


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@pytest.mark.parametrize(("kind", "by_hand"), [("gru", _gru_by_hand), ("lstm", _lstm_by_hand)])
def test_the_last_step_is_what_the_equations_say(kind, by_hand, make_spikes):
    network, spikes = _network(dataclasses.replace(PARAMS, kind=kind)), make_spikes()
    last = torch.from_numpy(by_hand(network.layers[0], spikes.numpy())) @ network.weight + network.bias
    torch.testing.assert_close(network(spikes).logits, last)


@both_kinds
def test_dense_spikes_and_lists_get_the_same_scores(kind, make_spikes, as_lists):
    network, spikes = _network(dataclasses.replace(PARAMS, kind=kind)), make_spikes()
    assert torch.equal(network(as_lists(spikes)).readout, network(spikes).readout)


@both_kinds
def test_gradients_reach_every_parameter(kind, make_spikes):
    network = _network(dataclasses.replace(PARAMS, kind=kind, hidden=(6, 4), readout="max"))
    network(make_spikes()).logits.square().sum().backward()
    assert all(value.grad.any() for value in network.parameters())


@both_kinds
def test_the_first_weights_come_from_the_generator_alone(kind):
    params = dataclasses.replace(PARAMS, kind=kind)
    before = torch.get_rng_state()
    first, second, other = (_network(params, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["weight"], other["weight"])
    assert torch.equal(torch.get_rng_state(), before)


@both_kinds
def test_a_state_that_is_loaded_gives_the_same_network(kind, make_spikes):
    params = dataclasses.replace(PARAMS, kind=kind)
    network, other = _network(params, seed=0), _network(params, seed=1)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(make_spikes()).readout, network(make_spikes()).readout)


def test_the_first_weights_are_even_within_one_over_the_root_of_the_cells():
    params = dataclasses.replace(PARAMS, hidden=(100,))
    weight = _network(params).layers[0].weight_hh_l0
    assert weight.abs().max().item() == pytest.approx(0.1, rel=1e-3)  # 40,000 draws
    assert weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_dropout_depends_on_its_generator_alone(make_spikes):
    network, spikes = _network(dataclasses.replace(PARAMS, dropout=0.5)), make_spikes()
    runs = [network(spikes, generator=torch.Generator().manual_seed(seed)).readout for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(network.eval()(spikes).readout, network(spikes).readout)


def test_it_has_no_spikes(make_spikes):
    assert _network()(make_spikes()).spikes == ()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"SequenceParams\.kind must be one of gru, lstm, got 'rnn'"):
        SequenceParams(kind="rnn")


def test_inputs_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"inputs must be \(batch, step, 5\), got \(2, 30, 6\)"):
        _network()(torch.zeros(2, 30, 6))
