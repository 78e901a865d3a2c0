import dataclasses
import math

import pytest
import torch

from spikedata.nn.networks.initialization import InitializationParams, draw_weight, layer_weights, readout_weight
from spikedata.nn.neurons import AdLIFParams, ALIFParams, LIFParams

SIZES = {"n_from": 300, "n_neurons": 400, "recurrent": True, "from_input": True}


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _layer(params, neuron=LIFParams(), seed=0, **changed):  # noqa: B008, frozen params
    return layer_weights(params, neuron, dt=1e-3, **SIZES | changed, generator=_generator(seed))


def test_normal_weights_have_the_deviation_of_their_gain():
    weight, recurrent = _layer(InitializationParams(kind="normal", input_gain=2.0, recurrent_gain=0.5))
    # 120,000 and 160,000 draws: the standard deviation is known to 0.2 %
    assert weight.std().item() == pytest.approx(2.0 / math.sqrt(300), rel=0.02)
    assert recurrent.std().item() == pytest.approx(0.5 / math.sqrt(400), rel=0.02)


def test_normal_weights_are_those_of_runs_made_before():
    weight, recurrent = _layer(InitializationParams(input_gain=0.2, recurrent_gain=0.5))
    generator = _generator()
    assert torch.equal(weight, torch.randn(300, 400, generator=generator) * (0.2 / math.sqrt(300)))
    assert torch.equal(recurrent, torch.randn(400, 400, generator=generator) * (0.5 / math.sqrt(400)))


@pytest.mark.parametrize("kind", ["uniform", "orthogonal"])
def test_uniform_weights_are_those_of_a_linear_layer(kind):
    weight, _ = _layer(InitializationParams(kind=kind, input_gain=1.0))
    bound = 1 / math.sqrt(300)
    assert weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    linear = torch.nn.Linear(300, 400)
    assert linear.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)


def test_orthogonal_recurrent_weights_keep_lengths_times_their_gain():
    _, recurrent = _layer(InitializationParams(kind="orthogonal", recurrent_gain=0.7))
    # single precision over sums of 400 products
    torch.testing.assert_close(recurrent @ recurrent.T, 0.49 * torch.eye(400), rtol=0, atol=1e-5)


def test_each_place_has_its_gain():
    params = InitializationParams(kind="uniform", input_gain=1.0, hidden_gain=2.0, readout_gain=3.0)
    first, _ = _layer(params, from_input=True)
    between, _ = _layer(params, from_input=False)
    assert torch.equal(between, 2 * first)
    last = readout_weight(params, 300, 400, _generator())
    torch.testing.assert_close(last, 3 * first)


def test_without_recurrence_there_are_no_recurrent_weights():
    assert _layer(InitializationParams(), recurrent=False)[1] is None


@pytest.mark.parametrize("kind", ["normal", "uniform", "orthogonal", "fluctuation"])
def test_the_same_generator_draws_the_same_weights(kind):
    params = InitializationParams(kind=kind)
    first, second, other = (_layer(params, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_fluctuation_driven_weights_share_the_variance():
    params = InitializationParams(kind="fluctuation", recurrent_share=0.2, hidden_rate=30.0, input_rate=10.0)
    weight, recurrent = _layer(params)
    variances = [300 * 10.0 * weight.var().item(), 400 * 30.0 * recurrent.var().item()]
    assert variances[1] / sum(variances) == pytest.approx(0.2, rel=0.02)


def test_the_readout_of_fluctuation_driven_weights_is_normal():
    params = InitializationParams(kind="fluctuation", readout_gain=2.0)
    assert torch.equal(readout_weight(params, 9, 4, _generator()), draw_weight("normal", 9, 4, 2.0, _generator()))


@pytest.mark.parametrize("neuron", [AdLIFParams(), ALIFParams()], ids=["adlif", "alif"])
def test_adaptive_neurons_have_no_closed_form(neuron):
    with pytest.raises(ValueError, match="kind 'fluctuation' needs LIF neurons, got adaptive ones"):
        _layer(InitializationParams(kind="fluctuation"), neuron)


def test_with_gain_one_every_normal_weight_is_as_in_bellec_et_al_2020():
    # N(0, 1 / sqrt(n_from)) for input, recurrent and readout weights alike
    params = InitializationParams(input_gain=1.0, recurrent_gain=1.0, readout_gain=1.0)
    weight, recurrent = _layer(params, ALIFParams())
    readout = readout_weight(params, 400, 20, _generator())
    for drawn in (weight, recurrent, readout):
        assert drawn.std().item() * math.sqrt(len(drawn)) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "kaiming"}, "kind must be one of normal, uniform, orthogonal, fluctuation, got 'kaiming'"),
        ({"input_gain": -1}, "input_gain must be >= 0, got -1"),
        ({"hidden_rate": 0}, "hidden_rate must be > 0, got 0"),
        ({"membrane_mean": math.nan}, "membrane_mean must be a number, got nan"),
        ({"recurrent_share": 1.0}, "recurrent_share must be >= 0 and < 1, got 1.0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(values, message):
    with pytest.raises(ValueError, match=rf"InitializationParams\.{message}"):
        dataclasses.replace(InitializationParams(), **values)


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="no weights 'even'; there are: normal, uniform, orthogonal"):
        draw_weight("even", 2, 2, 1.0, _generator())
