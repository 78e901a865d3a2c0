import pytest
import torch

from spikedata.nn import networks
from spikedata.nn.networks import (
    ConvolutionParams,
    CountParams,
    SequenceParams,
    SpikingNetworkParams,
    make_network,
)

EVERY_KIND = (SpikingNetworkParams(), CountParams(), SequenceParams(), ConvolutionParams())


def _make(params, **sizes):
    generator = torch.Generator().manual_seed(0)
    return make_network(params, **{"n_units": 80, "n_classes": 4} | sizes, generator=generator)


@pytest.mark.parametrize("params", EVERY_KIND, ids=lambda params: type(params).__name__)
def test_networks_are_used_alike(params):
    network = _make(params)
    assert network.params is params
    said = (network.dt, network.n_steps, network.n_merged, network.n_units, network.n_classes)
    assert said == (params.dt, params.n_steps, params.n_merged, 80, 4)
    inputs = torch.ones(2, network.n_steps, -(-80 // network.n_merged))
    activity = network(inputs, generator=torch.Generator().manual_seed(0))
    assert activity.logits.shape == (2, 4)
    assert activity.readout.shape[::2] == (2, 4)


@pytest.mark.parametrize("params", EVERY_KIND, ids=lambda params: type(params).__name__)
def test_a_network_moves_to_another_type_as_a_whole(params):
    network = _make(params).double()
    inputs = torch.ones(2, network.n_steps, -(-80 // network.n_merged))
    activity = network.eval()(inputs)
    assert activity.logits.dtype == torch.float64


@pytest.mark.parametrize("params", EVERY_KIND, ids=lambda params: type(params).__name__)
def test_a_network_runs_where_its_weights_are(params):
    # the device "meta" has shapes alone: any tensor that was made elsewhere is refused
    network = _make(params).to("meta")
    inputs = torch.ones(2, network.n_steps, -(-80 // network.n_merged), device="meta")
    activity = network(inputs, generator=torch.Generator().manual_seed(0))
    assert activity.logits.is_meta
    assert activity.logits.shape == (2, 4)


@pytest.mark.parametrize("name", ["n_units", "n_classes"])
def test_no_unit_and_no_class_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be >= 1, got 0"):
        _make(SpikingNetworkParams(), **{name: 0})


def test_params_of_something_else_are_refused():
    with pytest.raises(TypeError, match=r"params must be SpikingNetworkParams or CountParams or .*, got 'recurrent'"):
        _make("recurrent")


def test_the_door_shows_what_it_says():
    assert [name for name in networks.__all__ if not hasattr(networks, name)] == []
