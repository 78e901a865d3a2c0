"""Weights in two to eight bits."""

import pytest
import torch

from spikedata.nn import SpikingNetworkParams, make_network
from spikedata.nn.quantization import SCALES, dequantize, pack, packed_size, quantize, unpack

EVERY_BITS = pytest.mark.parametrize("bits", range(2, 9))
PARAMS = SpikingNetworkParams(hidden=(12, 7), bias=True, max_delay=0.05)


@pytest.fixture
def weights():
    network = make_network(PARAMS, n_units=30, n_classes=4, generator=torch.Generator().manual_seed(0))
    return network.state_dict()


def _off(weights, **options):
    """Sum of the squared errors of all matrices."""
    back = dequantize(quantize(weights, **options))
    return float(sum((back[name] - weight).square().sum() for name, weight in weights.items()))


@EVERY_BITS
def test_the_numbers_fit_their_bits(weights, bits):
    most = 2 ** (bits - 1) - 1
    for scale in SCALES:
        stored = quantize(weights, bits=bits, scale=scale)
        assert max(int(w.abs().max()) for w in stored.values() if w.dtype is torch.int8) == most


@EVERY_BITS
def test_no_weight_is_off_by_more_than_half_a_scale(weights, bits):
    stored = quantize(weights, bits=bits)
    for name, weight in dequantize(stored).items():
        if stored[name].dtype is torch.int8:
            assert ((weight - weights[name]).abs() <= 0.5 * stored[f"{name}.scale"] * (1 + 1e-5)).all()


def test_fewer_bits_are_further_off(weights):
    off = [_off(weights, bits=bits) for bits in range(2, 9)]
    assert off == sorted(off, reverse=True)


@EVERY_BITS
def test_the_least_squares_are_not_more(weights, bits):
    assert _off(weights, bits=bits, scale="least_squares") <= _off(weights, bits=bits)


def test_cutting_off_pays_where_levels_are_few(weights):
    assert _off(weights, bits=3, scale="least_squares") < 0.9 * _off(weights, bits=3)


def test_delays_count_steps_and_stay(weights):
    stored = quantize(weights, bits=2)
    name = "layers.0.projection.delays.steps"
    assert torch.equal(stored[name], weights[name])
    assert stored["layers.0.projection.weight"].dtype is torch.int8


def test_eight_bits_are_the_default(weights):
    for name, one in quantize(weights).items():
        assert torch.equal(one, quantize(weights, bits=8)[name])


@EVERY_BITS
def test_packed_numbers_come_back_and_are_as_many_bytes_as_is_said(bits):
    most = 2 ** (bits - 1)
    whole = torch.randint(-most, most, (7, 5), generator=torch.Generator().manual_seed(0), dtype=torch.int8)
    packed = pack(whole, bits=bits)
    assert torch.equal(unpack(packed, (7, 5), bits=bits), whole)
    assert packed_size({"w": whole, "w.scale": torch.ones(5)}, bits=bits) == len(packed) + 20


def test_weights_that_were_never_quantized_take_what_they_take(weights):
    assert packed_size(weights) == sum(4 * weight.numel() for weight in weights.values())


@pytest.mark.parametrize("bits", [1, 9, 0, -1])
def test_bits_out_of_range_are_refused(weights, bits):
    with pytest.raises(ValueError, match=f"^bits must be >= 2 and <= 8, got {bits}$"):
        quantize(weights, bits=bits)


def test_an_unknown_scale_is_refused(weights):
    with pytest.raises(ValueError, match=r"^scale must be largest or least_squares, got 'best'$"):
        quantize(weights, scale="best")


def test_numbers_that_need_more_bits_are_not_packed():
    with pytest.raises(ValueError, match=r"^numbers of 2 bits must be in -2..1, got -3..0$"):
        pack(torch.tensor([0, -3], dtype=torch.int8), bits=2)
    with pytest.raises(ValueError, match=r"^4 numbers of 3 bits must be 2 bytes, got 1$"):
        unpack(b"0", (4,), bits=3)
