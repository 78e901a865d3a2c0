"""Networks that carry nothing from step to step."""

from dataclasses import replace

import pytest
import torch

from spikedata.nn import (
    AdLIFParams,
    ALIFParams,
    ConvolutionParams,
    CountParams,
    EventDrivenParams,
    LIFParams,
    SequenceParams,
    SpikingNetworkParams,
    cut_propagation,
    make_network,
)
from spikedata.nn.networks import require_cuttable
from spikedata.torch.layouts import ListBatch

SMALL = {"hidden": (6, 5), "n_merged": 1, "duration": 0.2}
SPIKING = SpikingNetworkParams(**SMALL, neuron=AdLIFParams(), bias=True)
CUT = {
    "lif": replace(SPIKING, neuron=LIFParams(reset="subtract"), readout="softmax_sum"),
    "adlif": SPIKING,
    "alif": replace(SPIKING, neuron=ALIFParams(refractory=0.02, adaptation=0.5)),
    "mixed": replace(SPIKING, neuron=(LIFParams(), AdLIFParams())),
    "delays": replace(SPIKING, max_delay=0.05, recurrent=False, readout="exp_mean"),
    "normalized": replace(SPIKING, batch_norm=True, readout="last"),
    "gru": SequenceParams(kind="gru", **SMALL),
    "lstm": SequenceParams(kind="lstm", **SMALL, readout="max"),
    "counts": CountParams(duration=0.2),
}


def _network(params):
    network = make_network(params, n_units=8, n_classes=3, generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            scale = 3.0 if weight.ndim > 1 else 0.3  # so that neurons of every kind fire
            weight += scale * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    return network


def _inputs(params):
    return (torch.rand(4, params.n_steps, 8, generator=torch.Generator().manual_seed(2)) < 0.4).float()


@pytest.mark.parametrize("kind", CUT)
def test_without_propagation_the_order_of_the_steps_tells_nothing(kind):
    cut, inputs = cut_propagation(_network(CUT[kind])), _inputs(CUT[kind])
    order = torch.randperm(inputs.shape[1], generator=torch.Generator().manual_seed(3))
    assert torch.allclose(cut(inputs).logits, cut(inputs[:, order]).logits, atol=1e-5)  # sums in another order


@pytest.mark.parametrize("kind", [kind for kind in CUT if kind != "counts"])
def test_with_propagation_the_order_of_the_steps_tells_something(kind):
    network, inputs = _network(CUT[kind]), _inputs(CUT[kind])
    assert not torch.allclose(network(inputs).logits, network(inputs.flip(1)).logits, atol=1e-3)


@pytest.mark.parametrize("kind", CUT)
def test_the_weights_stay_and_so_does_the_network(kind):
    network = _network(CUT[kind])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cut = cut_propagation(network)
    assert not cut.training
    for name, value in cut.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(network.state_dict()[name], before[name])


def test_a_neuron_fires_in_the_steps_in_which_its_drive_is_above_its_threshold():
    network, inputs = _network(replace(SPIKING, batch_norm=True)), _inputs(SPIKING)
    cut = cut_propagation(network)
    activity = cut(inputs)
    first, second, readout = *network.layers, network.readout
    one = (first.projection(inputs) > 1.0).float()
    other = (second.projection(one) > 1.0).float()
    assert 0 < one.mean() < 1
    assert torch.equal(activity.spikes[0], one)
    assert torch.equal(activity.spikes[1], other)
    assert torch.allclose(activity.logits, readout.projection(other).mean(dim=1), atol=1e-5)


def test_a_gated_cell_begins_each_step_anew():
    params = CUT["gru"]
    network, inputs = _network(params), _inputs(params)
    alone = [network(inputs[:, step : step + 1]).logits for step in range(params.n_steps)]
    assert torch.allclose(cut_propagation(network)(inputs).logits, torch.stack(alone).mean(dim=0), atol=1e-5)


def test_the_linear_classifier_has_nothing_to_cut():
    network = _network(CUT["counts"])
    inputs = _inputs(CUT["counts"])
    assert torch.equal(cut_propagation(network)(inputs).logits, network(inputs).logits)


def test_event_lists_give_what_dense_counts_give():
    cut = cut_propagation(_network(CUT["delays"]))
    inputs = torch.zeros(1, 20, 8)
    inputs[0, 2, 3] = inputs[0, 7, 5] = 1
    offsets = torch.zeros(1, 21, dtype=torch.int64)
    offsets[0, 3:] += 1
    offsets[0, 8:] += 1
    lists = ListBatch(torch.tensor([3, 5], dtype=torch.uint16), offsets, torch.tensor([0]), 8, 0.01)
    assert torch.allclose(cut(lists).logits, cut(inputs).logits, atol=1e-6)


def test_what_is_cut_is_not_learned():
    cut = cut_propagation(_network(SPIKING)).train()
    cut(_inputs(SPIKING)).logits.square().sum().backward()
    assert cut.layers[0].recurrent_weight.grad is None
    assert cut.layers[0].fractions["tau_mem"].grad is None
    assert cut.layers[0].projection.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("params", "why"),
    [
        (ConvolutionParams(), "ConvolutionParams cannot be cut: its filters span several steps"),
        (EventDrivenParams(), "EventDrivenParams cannot be cut: it has no steps"),
        ("mine", "str cannot be cut: how it goes without is not defined"),
    ],
)
def test_what_cannot_be_cut_is_refused_in_one_line(params, why):
    with pytest.raises(ValueError, match=f"^the propagation of {why}$"):
        require_cuttable(params)
    if not isinstance(params, str):
        with pytest.raises(ValueError, match=why):
            cut_propagation(make_network(params, n_units=700, n_classes=3, generator=torch.Generator()))
