"""Weights in eight bits."""

import pytest
import torch

from spikedata.nn import SpikingNetworkParams, make_network
from spikedata.nn.quantization import dequantize, quantize


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    params = SpikingNetworkParams(hidden=(12, 7), bias=True)
    network = make_network(params, n_units=30, n_classes=4, generator=torch.Generator().manual_seed(0))
    return network.state_dict()


def test_no_weight_is_off_by_more_than_half_a_scale(weights):
    stored = quantize(weights)
    for name, weight in dequantize(stored).items():
        if weights[name].ndim == 2:
            assert stored[name].dtype is torch.int8
            off = (weight - weights[name]).abs()
            assert (off <= 0.5 * stored[f"{name}.scale"] * (1 + 1e-5)).all()
            assert off.max() > 0


def test_each_neuron_has_a_scale_of_its_own(weights):
    name = "layers.0.projection.weight"
    weights[name][:, 3] *= 1000
    others = torch.arange(12) != 3
    before, after = weights[name][:, others], dequantize(quantize(weights))[name][:, others]
    assert torch.allclose(after, before, atol=float(before.abs().max()) / 254 * 1.001)


def test_vectors_stay_as_they_are(weights):
    back = dequantize(quantize(weights))
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], w) for name, w in weights.items() if w.ndim != 2)


def test_weights_that_were_never_quantized_are_left_alone(weights):
    assert all(back is weights[name] for name, back in dequantize(weights).items())


def test_a_neuron_without_a_weight_stays_without():
    stored = quantize({"w": torch.tensor([[0.0, 2.0], [0.0, -1.0]])})
    assert dequantize(stored)["w"][:, 0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match=r"^w must be finite"):
        quantize({"w": torch.tensor([[1.0, bad]])})
