"""Trainings by other gradients than back-propagation through time, with everything that a training can be told."""

import logging
from dataclasses import replace

import pytest
import torch

from spikedata.nn.kernels import kernel_threads
from spikedata.nn.networks import CountParams, SpikingNetworkParams, make_network
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import AdLIFParams, ALIFParams, LIFParams
from spikedata.training.checkpoint import checkpoint_bytes, checkpoint_from
from spikedata.training.loop import train
from spikedata.training.losses import LOSSES, NO_LIMITS, ActivityParams
from spikedata.training.params import TrainParams
from spikedata.training.scoring import evaluate

NETWORK = SpikingNetworkParams(hidden=(24,), duration=0.2, initialization=InitializationParams(input_gain=2.0))
PARAMS = TrainParams(epochs=3, batch_size=16, learning_rate=1e-2, unit_shift=0.0, gradient="eprop")


def _network(params=NETWORK, seed=0):
    return make_network(params, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(seed))


def _train(make_events, params=PARAMS, network=NETWORK, seed=0, **kwargs):
    parts = make_events((0, 1, 2)), make_events((3,), seed=1)
    return train(_network(network), *parts, params, seed=seed, **kwargs)


def _weights(trained):
    return torch.cat([weight.detach().flatten() for weight in trained.network.parameters()])


def _untimed(trained):
    return [record._replace(seconds=0) for record in trained.history]


@pytest.mark.parametrize("rule", ["eprop", "superspike"])
@pytest.mark.parametrize("feedback", ["symmetric", "random", "uniform"])
def test_the_network_learns_timing_by_every_rule_and_feedback(make_events, rule, feedback):
    found = _train(make_events, replace(PARAMS, epochs=25, gradient=rule, feedback=feedback))
    assert evaluate(found.network, make_events((4, 5), seed=2)).accuracy > 0.6  # of three classes


@pytest.mark.parametrize(
    "neuron", [LIFParams(), AdLIFParams(), ALIFParams(refractory=0.0)], ids=["lif", "adlif", "alif"]
)
def test_every_neuron_goes_on_from_a_checkpoint_to_the_same_bits(make_events, neuron):
    network = replace(NETWORK, neuron=neuron, hidden=(8, 6), bias=True)
    params = replace(PARAMS, gradient_clip=0.5, feedback="random", augmentation=("event_drop probability=0.2",))
    kept = []
    whole = _train(make_events, params, network, on_checkpoint=kept.append)
    again, _ = checkpoint_from(checkpoint_bytes(kept[0], {}))
    resumed = _train(make_events, params, network, checkpoint=again)
    assert torch.equal(_weights(whole), _weights(resumed))
    assert _untimed(whole) == _untimed(resumed)


def test_the_seed_draws_random_feedback(make_events):
    random = replace(PARAMS, feedback="random", unit_shift=0.0, batch_size=64)
    first, again, other = (_train(make_events, random, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(_weights(first), _weights(again))
    assert not torch.equal(_weights(first), _weights(other))


def test_the_number_of_threads_changes_no_bit(make_events):
    large = replace(PARAMS, batch_size=200)
    parts = make_events(range(12)), make_events((3,), seed=1)
    one = train(_network(), *parts, large)
    with kernel_threads(3):
        three = train(_network(), *parts, large)
    assert torch.equal(_weights(one), _weights(three))


@pytest.mark.parametrize("layout", ["dense", "lists"])
def test_without_recurrence_eprop_trains_as_bptt_does(make_events, layout):
    network = replace(NETWORK, recurrent=False)
    found = [
        _train(make_events, replace(PARAMS, gradient=gradient, layout=layout), network)
        for gradient in ("bptt", "eprop")
    ]
    torch.testing.assert_close(_weights(found[0]), _weights(found[1]), rtol=1e-3, atol=1e-4)
    assert found[0].history[-1].train_loss == pytest.approx(found[1].history[-1].train_loss, rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_falls(make_events, loss):
    found = _train(make_events, replace(PARAMS, epochs=6, loss=loss))
    assert found.history[-1].train_loss < found.history[0].train_loss


def test_bounds_on_activity_hold_spikes_down(make_events):
    bound = ActivityParams(lower_strength=0.0, upper_threshold=0.5, upper_strength=10.0, upper_level="neuron")
    free, held = (_train(make_events, replace(PARAMS, epochs=8, activity=activity)) for activity in (NO_LIMITS, bound))
    assert held.history[-1].hidden_spikes < 0.7 * free.history[-1].hidden_spikes


def test_the_clip_on_the_gradient_holds(make_events):
    tight = replace(PARAMS, optimizer="sgd", learning_rate=1.0, schedule="constant", gradient_clip=1e-6, epochs=1)
    before = torch.cat([weight.detach().flatten() for weight in _network().parameters()])
    moved = _weights(_train(make_events, tight)) - before
    assert 0 < moved.norm() < 1e-6 * 6  # steps of an epoch


@pytest.mark.parametrize("gradient", ["bptt", "eprop"])
def test_silence_is_said_once(make_events, caplog, gradient):
    quiet = replace(NETWORK, initialization=InitializationParams(input_gain=1e-3))
    params = replace(PARAMS, gradient=gradient, learning_rate=1e-6)
    with caplog.at_level(logging.WARNING):
        _train(make_events, params, quiet)
    assert [record.getMessage()[:37] for record in caplog.records] == ["no hidden neuron fired in epoch 1: th"]


def test_a_network_that_fires_is_not_warned_of(make_events, caplog):
    with caplog.at_level(logging.WARNING):
        _train(make_events, replace(PARAMS, epochs=1))
    assert not caplog.records


@pytest.mark.parametrize(
    ("network", "params", "match"),
    [
        (replace(NETWORK, dropout=0.1), PARAMS, r"eprop trains networks with dropout 0\.0, got 0\.1; 'bptt' fits it"),
        (
            replace(NETWORK, readout="mean"),
            replace(PARAMS, feedback="uniform"),
            r"feedback 'uniform' adds up the errors of all classes, which is 0 at every step; 'symmetric' or",
        ),
        (CountParams(duration=0.2), PARAMS, "eprop trains a SpikingNetwork, got CountClassifier"),
    ],
    ids=["dropout", "uniform feedback of a softmax", "no spikes"],
)
def test_what_does_not_fit_is_refused_before_the_first_epoch(make_events, network, params, match):
    with pytest.raises(ValueError, match=match):
        _train(make_events, params, network)


def test_bptt_has_no_other_feedback():
    with pytest.raises(ValueError, match=r"TrainParams\.feedback must be 'symmetric' for .*'bptt'.*, got 'random'"):
        TrainParams(feedback="random")
