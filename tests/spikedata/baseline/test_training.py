import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedata.baseline.counts import fit_counts
from spikedata.baseline.networks import CountParams, RecurrentNetwork, RecurrentNetworkParams
from spikedata.baseline.neurons import LIFParams
from spikedata.baseline.scoring import evaluate
from spikedata.baseline.training import TrainParams, activity_penalty, train

NETWORK = RecurrentNetworkParams(n_hidden=24, duration=0.2, lif=LIFParams(slope=5.0), input_gain=2.0)
PARAMS = TrainParams(epochs=3, batch_size=16, learning_rate=1e-2, unit_shift=0.0)


def _network(seed=0):
    return RecurrentNetwork(NETWORK, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(seed))


def _train(make_events, params=PARAMS, seed=0, **kwargs):
    parts = make_events((0, 1, 2)), make_events((3,), seed=1)
    return train(_network(), *parts, params, rng=np.random.default_rng(seed), **kwargs)


def _weights(network):
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def test_the_network_learns_timing_that_counts_cannot_show(make_events):
    params = replace(PARAMS, epochs=25)
    unheard = make_events((4, 5), seed=2)
    recurrent = evaluate(_train(make_events, params).network, unheard).accuracy
    counts = fit_counts(make_events((0, 1, 2)), make_events((3,), seed=1), CountParams(duration=0.2)).network
    assert recurrent >= 0.9
    assert evaluate(counts, unheard).accuracy == pytest.approx(1 / 3)  # every clip has the same counts


def test_the_same_seed_gives_the_same_weights(make_events):
    first, second, other = (_train(make_events, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(_weights(first.network), _weights(second.network))
    assert not torch.equal(_weights(first.network), _weights(other.network))
    untimed = [[record._replace(seconds=0) for record in run.history] for run in (first, second)]
    assert untimed[0] == untimed[1]


def test_global_chance_plays_no_part(make_events):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    first = _train(make_events)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert torch.equal(_weights(first.network), _weights(_train(make_events).network))


def test_training_leaves_the_given_network_as_it_is(make_events):
    network = _network()
    before = _weights(network)
    trained = train(network, make_events(), make_events(), PARAMS, rng=np.random.default_rng(0)).network
    assert torch.equal(_weights(network), before)
    assert not torch.equal(_weights(trained), before)


def test_the_weights_are_those_of_the_epoch_that_validated_best(make_events):
    params = replace(PARAMS, epochs=8, learning_rate=1.0)  # so large that the last epoch is not the best
    trained = _train(make_events, params)
    ranks = [record.rank for record in trained.history]
    assert trained.best_epoch == ranks.index(max(ranks)) + 1 < 8
    best = trained.history[trained.best_epoch - 1]
    score = evaluate(trained.network, make_events((3,), seed=1), batch_size=16)
    assert (score.accuracy, score.loss) == (best.validation_accuracy, best.validation_loss)


def test_of_equal_accuracies_the_lower_loss_is_better(make_events):
    record = _train(make_events, replace(PARAMS, epochs=1)).history[0]
    assert record._replace(validation_loss=0.1).rank > record._replace(validation_loss=0.2).rank
    assert record._replace(validation_accuracy=0.9).rank > record._replace(validation_accuracy=0.8).rank


def test_each_epoch_is_reported_when_it_is_done(make_events):
    reported = []
    trained = _train(make_events, on_epoch=reported.append)
    assert tuple(reported) == trained.history
    assert [record.epoch for record in reported] == [1, 2, 3]


def test_a_shift_of_zero_changes_nothing_and_another_does(make_events):
    none, some = _train(make_events), _train(make_events, replace(PARAMS, unit_shift=0.1))
    assert not torch.equal(_weights(none.network), _weights(some.network))


def test_a_loss_that_is_no_number_is_one_clear_error(make_events):
    network = _network()
    with torch.no_grad():
        network.readout_weight[0, 0] = math.nan
    with pytest.raises(
        FloatingPointError, match=r"training diverged: the loss is nan in epoch 1; learning_rate is 0\.01"
    ):
        train(network, make_events(), make_events(), PARAMS, rng=np.random.default_rng(0))


@pytest.mark.parametrize("part", [0, 1])
def test_an_empty_part_is_an_error(make_events, part):
    parts = [make_events(), make_events()]
    parts[part] = parts[part].select([])
    with pytest.raises(ValueError, match=f"{('training', 'validation')[part]} part: holds no clip"):
        train(_network(), *parts, PARAMS, rng=np.random.default_rng(0))


def test_the_penalty_is_the_written_formula():
    spikes = torch.zeros(2, 10, 4)
    spikes[0, :, 0] = 1  # clip 0: 10, 0, 0, 0 spikes, mean 2.5; clip 1: none
    params = TrainParams(lower_strength=0.5, lower_threshold=2.0, upper_strength=0.1, upper_threshold=1.0)
    expected = 0.5 * (7 * 2.0**2) / 8 + 0.1 * (2.5 - 1.0) ** 2 / 2
    assert activity_penalty(spikes, params).item() == pytest.approx(expected)


def test_the_lower_penalty_wakes_silent_neurons(make_events):
    quiet = replace(PARAMS, epochs=6, lower_strength=0.0, upper_strength=0.0)
    network = _network()
    with torch.no_grad():
        network.input_weight.mul_(0.1)
    parts = make_events((0, 1)), make_events((3,))
    spikes = {}
    for strength in (0.0, 1.0):
        params = replace(quiet, lower_strength=strength, lower_threshold=5.0)
        spikes[strength] = train(network, *parts, params, rng=np.random.default_rng(0)).history[-1].hidden_spikes
    assert spikes[1.0] > spikes[0.0] + 1


def test_the_upper_penalty_calms_busy_neurons(make_events):
    free = replace(PARAMS, epochs=6, lower_strength=0.0, upper_strength=0.0, upper_threshold=0.5)
    held = replace(free, upper_strength=1.0)
    assert (
        _train(make_events, held).history[-1].hidden_spikes < 0.8 * _train(make_events, free).history[-1].hidden_spikes
    )


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("epochs", 0, "> 0"),
        ("batch_size", -3, "> 0"),
        ("learning_rate", math.nan, "> 0"),
        ("lower_strength", -1, ">= 0"),
        ("unit_shift", math.inf, ">= 0"),
    ],
)
def test_training_refuses_numbers_that_mean_nothing(name, value, rule):
    with pytest.raises(ValueError, match=rf"TrainParams\.{name} must be {rule}, got {value}"):
        TrainParams(**{name: value})


def test_training_refuses_an_unknown_optimizer():
    with pytest.raises(ValueError, match=r"TrainParams\.optimizer must be one of adamax, adam, got 'sgd'"):
        TrainParams(optimizer="sgd")
