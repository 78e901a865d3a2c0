import json
from dataclasses import replace
from functools import partial

import pytest
import torch

from spikedata.nn.networks import SpikingNetworkParams, make_network
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import AdLIFParams, ALIFParams
from spikedata.training.checkpoint import Checkpoint, checkpoint_bytes, checkpoint_from, difference
from spikedata.training.loop import train
from spikedata.training.params import OPTIMIZERS, TrainParams

NETWORK = SpikingNetworkParams(
    hidden=(6, 5), duration=0.2, dropout=0.2, initialization=InitializationParams(input_gain=2.0)
)
PARAMS = TrainParams(
    epochs=4,
    batch_size=16,
    learning_rate=1e-2,
    schedule="plateau",
    schedule_patience=1,
    gradient_clip=1.0,
    augmentation=("event_drop probability=0.2",),
)
TRAINING = {"recipe": "x", "params": {"hidden": (6, 5)}, "seed": 3}


def _train(make_events, params=PARAMS, network=NETWORK, **kwargs):
    made = make_network(network, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(0))
    return train(made, make_events((0, 1)), make_events((3,), seed=1), params, seed=3, **kwargs)


def _through_file(checkpoint):
    return checkpoint_from(checkpoint_bytes(checkpoint, TRAINING))[0]


def _same(one, other):
    return all(torch.equal(one.state_dict()[name], value) for name, value in other.state_dict().items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_goes_on_from_its_file_to_the_same_bits(make_events, optimizer):
    params, kept = replace(PARAMS, optimizer=optimizer, momentum=0.5, weight_decay=0.01), []
    whole = _train(make_events, params, on_checkpoint=kept.append)
    resumed = _train(make_events, params, checkpoint=_through_file(kept[1]))
    assert _same(whole.network, resumed.network)
    assert resumed.best_epoch == whole.best_epoch
    untimed = [[record._replace(seconds=0) for record in trained.history] for trained in (whole, resumed)]
    assert untimed[0] == untimed[1]


def test_a_training_that_repeats_epochs_goes_on_from_its_file_to_the_same_bits(make_events):
    made = make_network(NETWORK, n_units=16, n_classes=3, generator=torch.Generator().manual_seed(0))
    repeat = partial(train, made, make_events((0, 1)), None, PARAMS, seed=3, repeated=_train(make_events).history)
    kept = []
    whole = repeat(on_checkpoint=kept.append)
    resumed = repeat(checkpoint=_through_file(kept[1]))
    assert _same(whole.network, resumed.network)
    assert str(kept[1].history) == str(_through_file(kept[1]).history)  # a NaN is not equal to itself
    assert "nan" in str(kept[1].history)


@pytest.mark.parametrize("neuron", [AdLIFParams(), ALIFParams()], ids=["adlif", "alif"])
def test_adaptive_neurons_with_normalization_go_on_too(neuron, make_events):
    network, kept = replace(NETWORK, neuron=neuron, batch_norm=True, readout="softmax_sum"), []
    whole = _train(make_events, network=network, on_checkpoint=kept.append)
    assert _same(whole.network, _train(make_events, network=network, checkpoint=_through_file(kept[2])).network)


def test_a_checkpoint_is_read_as_it_was_written(make_events):
    kept = []
    _train(make_events, on_checkpoint=kept.append)
    found, training = checkpoint_from(checkpoint_bytes(kept[-1], TRAINING))
    assert training == json.loads(json.dumps(TRAINING))
    assert (found.history, found.best_epoch, found.order) == (kept[-1].history, kept[-1].best_epoch, kept[-1].order)
    for one, other in ((found.weights, kept[-1].weights), (found.moments[0], kept[-1].moments[0])):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no checkpoint",
        (10).to_bytes(8, "little") + b'{"a": "b"}',
        checkpoint_bytes(Checkpoint({}, {}, {}, (), 0, {}), {})[:-3],
    ],
)
def test_what_is_no_checkpoint_is_one_clear_error(content):
    with pytest.raises(ValueError, match="is no checkpoint: ") as caught:
        checkpoint_from(content)
    assert "\n" not in str(caught.value)


def test_the_first_difference_is_named():
    other = {**TRAINING, "params": {"hidden": (6, 7)}}
    assert difference(TRAINING, other) == "hidden is [6, 5] there and [6, 7] here"
    assert difference(TRAINING, json.loads(json.dumps(TRAINING))) is None
    assert difference(TRAINING, {**TRAINING, "split": "ab"}) == "split is None there and ab here"
