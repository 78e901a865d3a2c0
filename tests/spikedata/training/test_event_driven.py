"""Trainings of networks in continuous time: what their losses leave out, what is refused, what is said."""

import logging
from dataclasses import replace

import pytest
import torch

from spikedata.baseline import Recipe
from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.nn.networks import EventDrivenParams, SpikingNetworkParams, make_network
from spikedata.tasks import yin_yang
from spikedata.training.loop import train
from spikedata.training.losses import NO_LIMITS, ActivityParams
from spikedata.training.params import TrainParams
from spikedata.training.scoring import evaluate

NETWORK = EventDrivenParams(hidden=(40,))
PARAMS = TrainParams(
    epochs=2,
    batch_size=32,
    optimizer="adam",
    learning_rate=1e-2,
    activity=NO_LIMITS,
    unit_shift=0.0,
    late_strength=3e-3,
)


def _train(params=PARAMS, network=NETWORK, n_clips=320, **kwargs):
    made = make_network(network, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(0))
    return train(made, yin_yang("train", n_clips=n_clips), yin_yang("validation", n_clips=200), params, **kwargs)


def test_a_network_learns_yin_yang_within_a_few_epochs() -> None:
    found = _train(replace(PARAMS, epochs=6), n_clips=1500)
    assert found.history[-1].validation_accuracy > 0.75  # two of three classes by size: 0.67
    assert evaluate(found.network, yin_yang("test")).accuracy > 0.75


def test_it_goes_on_from_a_checkpoint_to_the_same_bits() -> None:
    states = []
    whole = _train(on_checkpoint=states.append)
    resumed = _train(checkpoint=states[0])
    assert all(torch.equal(a, b) for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True))


def test_a_clip_whose_class_is_silent_teaches_nothing() -> None:
    """Readout neurons without input: every clip's class is silent, so no weight moves."""
    made = make_network(NETWORK, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.readout.weight[:] = 0.0
    clips = yin_yang("train", n_clips=64)
    found = train(made, clips, clips, replace(PARAMS, epochs=1))
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), found.network.parameters(), strict=True))


def test_a_silent_network_is_said_to_be_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _train(replace(PARAMS, epochs=1), replace(NETWORK, input_mean=0.0, input_deviation=0.0), n_clips=64)
    assert "fired" in caplog.text


def test_silent_neurons_that_are_woken_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _train(replace(PARAMS, epochs=1), replace(NETWORK, bump=1e-3, input_mean=0.5), n_clips=64)
    assert "weights of silent neurons raised" in caplog.text


def test_the_rate_falls_by_its_factor_after_each_epoch() -> None:
    found = _train(replace(PARAMS, epochs=3, schedule="exponential", schedule_factor=0.5), n_clips=32)
    assert [record.learning_rate for record in found.history] == [1e-2, 5e-3, 2.5e-3]


def test_bounds_on_activity_are_refused_where_the_gradient_is_exact() -> None:
    training = replace(PARAMS, activity=ActivityParams())
    with pytest.raises(ValueError, match=r"ActivityParams must have strengths of 0 for EventDrivenParams.*got 0.001"):
        Recipe(name="mine", network=NETWORK, training=training)


def test_a_penalty_on_late_spikes_is_refused_where_there_are_none() -> None:
    for network in (SpikingNetworkParams(), replace(NETWORK, readout="max")):
        with pytest.raises(ValueError, match=r'must be 0 but for the readout "first_spike"'):
            Recipe(name="mine", network=network, training=PARAMS)
    with pytest.raises(ValueError, match=r'must be 0 but for the readout "first_spike"'):
        _train(network=replace(NETWORK, readout="max"), n_clips=32)


@pytest.mark.parametrize("rule", ["eprop", "superspike"])
def test_online_rules_are_refused_in_continuous_time(rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        _train(replace(PARAMS, gradient=rule, late_strength=0.0), n_clips=32)


def test_other_layouts_make_no_difference_without_a_grid() -> None:
    weights = [
        list(_train(replace(PARAMS, layout=layout), n_clips=64).network.parameters()) for layout in ("dense", "lists")
    ]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_the_recipes_are_those_of_the_paper() -> None:
    recipe = recipe_from("eventprop_yin_yang")
    assert recipe.network == EventDrivenParams()
    assert recipe.training.schedule_factor == 0.95
    assert recipe_from("eventprop_mnist").network.hidden == (350,)
