import math

import numpy as np
import pytest
import torch

from spikedata.baseline.networks import CountClassifier, CountParams, RecurrentNetwork, RecurrentNetworkParams
from spikedata.baseline.neurons import LIFParams

PARAMS = RecurrentNetworkParams(n_hidden=6, duration=0.3, dt=10e-3, lif=LIFParams(slope=5.0), input_gain=4.0)
WEIGHTS = ("input_weight", "recurrent_weight", "readout_weight")


def _network(params=PARAMS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return RecurrentNetwork(params, n_units=5, n_classes=3, generator=generator).double()


def _events(n_clips=4, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).poisson(0.3, (n_clips, 30, 5)).astype(float))


def _tangent_by_hand(network, events, direction):
    """Derivative of sum(readout**2) / 2 along a direction of all weights, carried forward in time."""
    lif = network.params.lif
    alpha, beta = math.exp(-network.dt / lif.tau_syn), math.exp(-network.dt / lif.tau_mem)
    w, v, r = (getattr(network, name).detach().numpy() for name in WEIGHTS)
    dw, dv, dr = direction
    n_clips = len(events)
    current, membrane, d_current, d_membrane = (np.zeros((n_clips, w.shape[1])) for _ in range(4))
    out_current, out, d_out_current, d_out = (np.zeros((n_clips, r.shape[1])) for _ in range(4))
    total = 0.0
    for n in range(events.shape[1]):
        total += (out * d_out).sum()
        x = membrane - lif.threshold
        fired, d_fired = (x > 0).astype(float), d_membrane / (lif.slope * abs(x) + 1) ** 2
        event = events[:, n]
        membrane, d_membrane, current, d_current = (
            beta * membrane + current - lif.threshold * fired,
            beta * d_membrane + d_current,
            alpha * current + event @ w + fired @ v,
            alpha * d_current + event @ dw + d_fired @ v + fired @ dv,
        )
        out, d_out, out_current, d_out_current = (
            beta * out + out_current,
            beta * d_out + d_out_current,
            alpha * out_current + fired @ r,
            alpha * d_out_current + d_fired @ r + fired @ dr,
        )
    return total


def test_gradients_are_those_carried_forward_by_hand():
    network, events = _network(), _events()
    (network(events).readout.square().sum() / 2).backward()
    rng = np.random.default_rng(5)
    for _ in range(3):
        direction = [rng.normal(size=getattr(network, name).shape) for name in WEIGHTS]
        along = sum((getattr(network, name).grad.numpy() * d).sum() for name, d in zip(WEIGHTS, direction, strict=True))
        assert along == pytest.approx(_tangent_by_hand(network, events.numpy(), direction), rel=1e-9)


def test_where_the_network_is_smooth_gradients_are_differences():
    network, events = _network(), _events(n_clips=2)

    def readout(weight):
        return torch.func.functional_call(network, {"readout_weight": weight}, (events,)).readout

    assert torch.autograd.gradcheck(readout, (network.readout_weight,))


def test_every_weight_learns():
    network = _network()
    network(_events()).logits.sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_the_readout_is_the_maximum_over_time():
    activity = _network()(_events())
    assert torch.equal(activity.logits, activity.readout.max(dim=1).values)


def test_a_clip_does_not_depend_on_its_neighbors():
    network, events = _network(), _events()
    alone = network(events[2:3])
    torch.testing.assert_close(network(events).readout[2:3], alone.readout)


def test_what_comes_later_does_not_change_what_was():
    network, events = _network(), _events()
    changed = events.clone()
    changed[:, 20:] += 1
    before, after = network(events), network(changed)
    assert torch.equal(before.hidden_spikes[:, :22], after.hidden_spikes[:, :22])
    assert not torch.equal(before.hidden_spikes, after.hidden_spikes)


def test_the_first_weights_come_from_the_generator_alone():
    torch.manual_seed(1)
    first = _network(seed=3)
    torch.manual_seed(2)
    second, other = _network(seed=3), _network(seed=4)
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in WEIGHTS)
    assert not torch.equal(first.input_weight, other.input_weight)


def test_gains_scale_the_first_weights():
    params = RecurrentNetworkParams(n_hidden=400, input_gain=2.0, recurrent_gain=0.5)
    network = RecurrentNetwork(params, n_units=300, n_classes=9, generator=torch.Generator().manual_seed(0))
    # 120,000 and 160,000 draws: the standard deviation is known to 0.2 %
    assert network.input_weight.std().item() == pytest.approx(2.0 / math.sqrt(300), rel=0.02)
    assert network.recurrent_weight.std().item() == pytest.approx(0.5 / math.sqrt(400), rel=0.02)


def test_the_steps_fill_the_duration_exactly():
    assert RecurrentNetworkParams(duration=1.4, dt=14e-3).n_steps == 100
    with pytest.raises(ValueError, match=r"duration must be a whole number of dt, got 1\.0 and 0\.03"):
        RecurrentNetworkParams(duration=1.0, dt=0.03)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("n_hidden", 0, "> 0"),
        ("dt", -1e-3, "> 0"),
        ("duration", math.nan, "> 0"),
        ("input_gain", -1, ">= 0"),
        ("readout_gain", -1, ">= 0"),
    ],
)
def test_a_network_refuses_numbers_that_mean_nothing(name, value, rule):
    with pytest.raises(ValueError, match=rf"RecurrentNetworkParams\.{name} must be {rule}, got {value}"):
        RecurrentNetworkParams(**{name: value})


def test_the_linear_classifier_does_not_know_time():
    classifier = CountClassifier(CountParams(), n_units=5, n_classes=3)
    with torch.no_grad():
        classifier.weight.copy_(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    events = _events().float()
    backward = classifier(events.flip(1))
    torch.testing.assert_close(classifier(events).logits, backward.logits)
    assert backward.readout.shape == (4, 1, 3)
    assert backward.hidden_spikes.shape == (4, 1, 0)


def test_the_linear_classifier_sees_one_step():
    classifier = CountClassifier(CountParams(duration=0.7), n_units=5, n_classes=3)
    assert (classifier.dt, classifier.n_steps) == (0.7, 1)


@pytest.mark.parametrize("bad", [{"duration": 0}, {"strengths": ()}, {"strengths": (1.0, 0.0)}])
def test_the_linear_classifier_refuses_numbers_that_mean_nothing(bad):
    with pytest.raises(ValueError, match=rf"CountParams\.{next(iter(bad))} must be"):
        CountParams(**bad)
