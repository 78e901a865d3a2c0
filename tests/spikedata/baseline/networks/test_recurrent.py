import torch

from spikedata.baseline.initialization import InitializationParams
from spikedata.baseline.networks import RecurrentNetwork, RecurrentNetworkParams, SpikingNetwork, SpikingNetworkParams


def test_it_is_the_spiking_network_with_one_recurrent_layer(make_spikes):
    old = RecurrentNetworkParams(n_hidden=6, duration=0.3, tau_readout=30e-3, input_gain=4.0)
    new = SpikingNetworkParams(
        hidden=(6,), duration=0.3, tau_readout=30e-3, initialization=InitializationParams(input_gain=4.0)
    )
    networks = [
        kind(params, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(2)).double()
        for kind, params in ((RecurrentNetwork, old), (SpikingNetwork, new))
    ]
    activities = [network(make_spikes()) for network in networks]
    assert torch.equal(activities[0].spikes[0], activities[1].spikes[0])
    assert torch.equal(activities[0].logits, activities[1].logits)
    for activity in activities:
        activity.logits.square().sum().backward()
    for first, second in zip(
        ("input_weight", "recurrent_weight", "readout_weight"),
        ("layers.0.projection.weight", "layers.0.recurrent_weight", "readout.projection.weight"),
        strict=True,
    ):
        pair = [network.get_parameter(name) for network, name in zip(networks, (first, second), strict=True)]
        assert torch.equal(pair[0], pair[1])
        assert torch.equal(pair[0].grad, pair[1].grad)
