import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedata.nn.networks import CountParams, SpikingNetworkParams, make_network
from spikedata.nn.networks.delays import delay_width
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.networks.spiking import SpikingNetwork
from spikedata.torch import SpikeDataset, collate_dense
from spikedata.training.checkpoint import checkpoint_bytes, checkpoint_from
from spikedata.training.counts import fit_counts
from spikedata.training.loop import train
from spikedata.training.losses import LOSSES, ActivityParams
from spikedata.training.params import TrainParams
from spikedata.training.scoring import evaluate

NETWORK = SpikingNetworkParams(hidden=(24,), duration=0.2, initialization=InitializationParams(input_gain=2.0))
PARAMS = TrainParams(epochs=3, batch_size=16, learning_rate=1e-2, unit_shift=0.0)


def _network(seed=0):
    return make_network(NETWORK, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(seed))


def _train(make_events, params=PARAMS, seed=0, **kwargs):
    parts = make_events((0, 1, 2)), make_events((3,), seed=1)
    return train(_network(), *parts, params, seed=seed, **kwargs)


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
    trained = train(network, make_events(), make_events(), PARAMS).network
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


def _repeat(make_events, repeated, params=PARAMS, network=None, **kwargs):
    return train(network or _network(), make_events((0, 1, 2)), None, params, repeated=repeated, **kwargs)


def test_without_a_validation_part_the_weights_of_the_last_epoch_are_kept(make_events):
    params, kept = replace(PARAMS, epochs=8, learning_rate=1.0), []  # so large that no epoch is like another
    trained = _repeat(make_events, _train(make_events, params).history[:5], params, on_checkpoint=kept.append)
    assert (trained.best_epoch, len(trained.history)) == (5, 5)
    assert all(torch.equal(kept[-1].weights[name], value) for name, value in trained.network.state_dict().items())
    assert not any(record.is_validated for record in trained.history)


def test_scoring_takes_no_part_in_the_weights(make_events):
    kept = []
    chosen = _train(make_events, on_checkpoint=kept.append)
    again = _repeat(make_events, chosen.history[:2]).network.state_dict()
    assert all(torch.equal(kept[1].weights[name], value) for name, value in again.items())


def test_the_plateaus_are_those_of_the_epochs_that_are_repeated(make_events):
    params = replace(PARAMS, epochs=4, schedule="plateau", schedule_patience=0)
    chosen = [
        record._replace(validation_accuracy=accuracy)
        for record, accuracy in zip(_train(make_events, params).history, (0.5, 0.4, 0.6, 0.6), strict=True)
    ]
    rates = [record.learning_rate for record in _repeat(make_events, chosen, params).history]
    assert rates == [0.01, 0.01, 0.01 * params.schedule_factor, 0.01 * params.schedule_factor]


def test_a_weight_that_the_last_step_spoiled_is_one_clear_error(make_events, monkeypatch):
    step = torch.optim.Adamax.step

    def spoil(optimizer, *args, **kwargs):
        step(optimizer, *args, **kwargs)
        with torch.no_grad():
            optimizer.param_groups[0]["params"][0].fill_(math.nan)

    chosen, params = _train(make_events, replace(PARAMS, epochs=1)).history, replace(PARAMS, batch_size=45)
    monkeypatch.setattr(torch.optim.Adamax, "step", spoil)
    with pytest.raises(FloatingPointError, match=r"weights that are not finite after epoch 1: .*; learning rate 0\.01"):
        _repeat(make_events, chosen, params)


def test_epochs_are_either_validated_or_repeated(make_events):
    history = _train(make_events).history
    for validation, repeated in ((None, ()), (make_events((3,)), history)):
        with pytest.raises(ValueError, match="needs either a validation part or epochs to repeat"):
            train(_network(), make_events(), validation, PARAMS, repeated=repeated)


def test_each_epoch_is_reported_when_it_is_done(make_events):
    reported = []
    trained = _train(make_events, on_epoch=reported.append)
    assert tuple(reported) == trained.history
    assert [record.epoch for record in reported] == [1, 2, 3]


def test_a_shift_of_zero_changes_nothing_and_another_does(make_events):
    none, some = _train(make_events), _train(make_events, replace(PARAMS, unit_shift=0.1))
    assert not torch.equal(_weights(none.network), _weights(some.network))


def test_clips_are_augmented_anew_in_each_epoch(make_events, monkeypatch):
    params = replace(PARAMS, augmentation=("event_drop probability=0.3",))
    assert not torch.equal(_weights(_train(make_events, params).network), _weights(_train(make_events).network))
    epochs, get = set(), SpikeDataset.__getitems__

    def watch(dataset, indices):
        epochs.update([] if dataset.transform is None else [dataset.epoch])  # validation clips have no transform
        return get(dataset, indices)

    monkeypatch.setattr(SpikeDataset, "__getitems__", watch)
    _train(make_events, params)
    assert epochs == {1, 2, 3}


def test_a_step_is_no_longer_than_the_gradient_may_be(make_events):
    params = replace(PARAMS, epochs=1, batch_size=45, optimizer="sgd", learning_rate=1.0, schedule="constant")
    lengths = []
    for limit in (0.0, 1e-3):
        trained = _train(make_events, replace(params, gradient_clip=limit)).network
        lengths.append((_weights(trained) - _weights(_network())).norm().item())
    assert lengths[0] > 2e-3
    assert lengths[1] == pytest.approx(1e-3, rel=1e-2)  # float32 differences of weights near 1


def test_label_smoothing_takes_part(make_events):
    smooth = _train(make_events, replace(PARAMS, label_smoothing=0.2))
    assert not torch.equal(_weights(smooth.network), _weights(_train(make_events).network))


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_the_loss_takes_part_and_scoring_stays_cross_entropy(loss, make_events):
    run = _train(make_events, replace(PARAMS, loss=loss))
    usual = _train(make_events)
    assert not torch.equal(_weights(run.network), _weights(usual.network))
    assert run.history[-1].train_loss != usual.history[-1].train_loss
    clips = make_events((3,), seed=1)
    counts = collate_dense(list(clips), dt=0.01, n_steps=20).counts
    wanted = torch.nn.functional.cross_entropy(run.network(counts).logits, torch.as_tensor(clips.labels))
    assert evaluate(run.network, clips).loss == pytest.approx(wanted.item(), rel=1e-5)


AVERAGED = replace(PARAMS, weight_average=0.8)


def test_an_average_of_weights_is_scored_and_kept_but_not_trained_on(make_events):
    plain, averaged = [], []
    _train(make_events, on_checkpoint=plain.append)
    run = _train(make_events, AVERAGED, on_checkpoint=averaged.append)
    for one, other in zip(plain, averaged, strict=True):
        assert all(torch.equal(weight, other.weights[name]) for name, weight in one.weights.items())
        assert not torch.equal(other.averaged["readout.projection.weight"], other.weights["readout.projection.weight"])
    kept = averaged[run.best_epoch - 1].averaged
    assert all(torch.equal(weight, kept[name]) for name, weight in run.network.state_dict().items())


def test_the_average_moves_by_its_share_of_each_step(make_events):
    states = []
    parts = make_events((0, 1)), make_events((2,), seed=1)  # one batch, so one step an epoch
    train(_network(), *parts, replace(AVERAGED, batch_size=64), on_checkpoint=states.append)
    name, expected = "readout.projection.weight", states[0].weights["readout.projection.weight"]
    for state in states:
        expected = torch.lerp(expected, state.weights[name], 0.2)
        torch.testing.assert_close(state.averaged[name], expected)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_an_interrupted_average_goes_on_as_if_nothing_had_happened(batch_norm, make_events):
    params = replace(NETWORK, batch_norm=batch_norm)
    network = make_network(params, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(0))
    parts = make_events((0, 1, 2)), make_events((3,), seed=1)
    states = []
    whole = train(network, *parts, AVERAGED, on_checkpoint=states.append)
    checkpoint, _ = checkpoint_from(checkpoint_bytes(states[0], {}))
    resumed = train(network, *parts, AVERAGED, checkpoint=checkpoint)
    assert all(torch.equal(one, resumed.network.state_dict()[name]) for name, one in whole.network.state_dict().items())


def test_the_loss_by_default_is_that_of_runs_made_before(make_events):
    assert TrainParams().loss == "cross_entropy"
    with pytest.raises(ValueError, match=r"TrainParams\.loss must be one of cross_entropy, binary_cross_entropy, step"):
        TrainParams(loss="hinge")


def test_training_multiplies_in_its_own_precision_and_gives_the_former_back(make_events, monkeypatch):
    seen = []
    forward = SpikingNetwork.forward

    def watched(network, *args, **kwargs):
        seen.append((network.training, torch.get_float32_matmul_precision()))
        return forward(network, *args, **kwargs)

    monkeypatch.setattr(SpikingNetwork, "forward", watched)
    _train(make_events, replace(PARAMS, epochs=1, matmul_precision="medium"))
    assert set(seen) == {(True, "medium"), (False, "highest")}
    assert torch.get_float32_matmul_precision() == "highest"


def test_delays_are_narrowed_while_training(make_events):
    params = replace(NETWORK, hidden=(4,), recurrent=False, max_delay=0.04)
    network = make_network(params, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(0))
    kept = []
    train(network, make_events((0,)), make_events((3,)), replace(PARAMS, epochs=8), on_checkpoint=kept.append)
    widths = [checkpoint.weights["layers.0.projection.delays.width"].item() for checkpoint in kept]
    assert widths == pytest.approx([delay_width(epoch / 8, longest=4) for epoch in range(8)])
    assert widths[-1] < widths[0]


def test_a_loss_that_is_no_number_is_one_clear_error(make_events):
    network = _network()
    with torch.no_grad():
        network.readout.projection.weight[0, 0] = math.nan
    with pytest.raises(
        FloatingPointError,
        match=r"is nan in epoch 1, batch 1; learning rate 0\.01; weights that are not finite: .*readout\.projection",
    ):
        train(network, make_events(), make_events(), PARAMS)


@pytest.mark.parametrize("part", [0, 1])
def test_an_empty_part_is_an_error(make_events, part):
    parts = [make_events(), make_events()]
    parts[part] = parts[part].select([])
    with pytest.raises(ValueError, match=f"{('training', 'validation')[part]} part: holds no clip"):
        train(_network(), *parts, PARAMS)


def test_the_lower_penalty_wakes_silent_neurons(make_events):
    network = _network()
    with torch.no_grad():
        network.layers[0].projection.weight.mul_(0.1)
    parts = make_events((0, 1)), make_events((3,))
    spikes = {}
    for strength in (0.0, 1.0):
        activity = ActivityParams(lower_strength=strength, lower_threshold=5.0, upper_strength=0.0)
        spikes[strength] = (
            train(network, *parts, replace(PARAMS, epochs=6, activity=activity)).history[-1].hidden_spikes
        )
    assert spikes[1.0] > spikes[0.0] + 1


def test_the_upper_penalty_calms_busy_neurons(make_events):
    spikes = {}
    for strength in (0.0, 1.0):
        activity = ActivityParams(lower_strength=0.0, upper_strength=strength, upper_threshold=0.5)
        spikes[strength] = _train(make_events, replace(PARAMS, epochs=6, activity=activity)).history[-1].hidden_spikes
    assert spikes[1.0] < 0.8 * spikes[0.0]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("epochs", 0, ">= 1"),
        ("epochs", 2.5, "a whole number >= 1"),
        ("epochs", True, "a whole number >= 1"),
        ("batch_size", -3, ">= 1"),
        ("batch_size", 0.5, "a whole number >= 1"),
        ("learning_rate", 2000, "> 0 and <= 1000"),
        ("learning_rate", math.nan, "a number > 0 and <= 1000"),
        ("gradient_clip", -1, ">= 0"),
        ("label_smoothing", 1.0, ">= 0 and < 1"),
        ("schedule_factor", 1.5, "> 0 and < 1"),
        ("unit_shift", math.inf, "finite"),
    ],
)
def test_training_refuses_numbers_that_mean_nothing(name, value, rule):
    with pytest.raises(ValueError, match=rf"TrainParams\.{name} must be {rule}, got {value}"):
        TrainParams(**{name: value})


def test_training_refuses_an_unknown_precision():
    with pytest.raises(ValueError, match=r"matmul_precision must be one of highest, high, medium, got 'low'"):
        TrainParams(matmul_precision="low")


def test_training_refuses_an_unknown_optimizer():
    with pytest.raises(ValueError, match=r"TrainParams\.optimizer must be one of adam, adamax, adamw, sgd, got 'lion'"):
        TrainParams(optimizer="lion")
