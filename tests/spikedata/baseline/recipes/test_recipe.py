import json
from dataclasses import replace

import numpy as np
import pytest

from spikedata.baseline.recipes.recipe import Recipe, changed_params, with_params
from spikedata.nn.networks import CountParams, SequenceParams, SpikingNetworkParams
from spikedata.nn.neurons import AdLIFParams, ALIFParams, LIFParams
from spikedata.training.params import TrainParams

LAYERS = SpikingNetworkParams(hidden=(6, 4), neuron=(LIFParams(tau_mem=30e-3), AdLIFParams()))


def _mine(network=LAYERS, **training):
    return Recipe(name="mine", network=network, training=TrainParams(**training))


def test_layers_of_unlike_neurons_come_back_from_json():
    content = json.loads(json.dumps(_mine().to_json()))
    assert [neuron["type"] for neuron in content["network"]["neuron"]] == ["LIFParams", "AdLIFParams"]
    assert Recipe.from_json(content) == _mine()


def test_a_recipe_from_before_the_lower_bound_had_a_norm_of_its_own_is_read():
    content = json.loads(json.dumps(_mine().to_json()))
    del content["training"]["activity"]["lower_norm"]
    assert Recipe.from_json(content) == _mine()


def test_an_adaptive_threshold_is_set_by_name_and_comes_back_from_json():
    recipe = _mine(SpikingNetworkParams(neuron=ALIFParams()))
    changed = with_params(recipe, {"tau_adaptation": "0.2", "adaptation": "0", "refractory": "0.002", "scale": "2"})
    assert changed.network.neuron == ALIFParams(
        tau_adaptation=0.2, adaptation=0.0, refractory=2e-3, surrogate=replace(ALIFParams().surrogate, scale=2.0)
    )
    assert Recipe.from_json(json.loads(json.dumps(changed.to_json()))) == changed
    with pytest.raises(ValueError, match=r"ALIFParams\.refractory must be >= 0, got -1\.0"):
        with_params(recipe, {"refractory": "-1"})


def test_lists_and_numbers_of_numpy_are_what_they_stand_for():
    given = SpikingNetworkParams(hidden=[6, 4], neuron=[LIFParams(tau_mem=np.float32(0.5)), LIFParams()])
    recipe = _mine(given)
    assert recipe.network.hidden == (6, 4)
    assert [neuron.tau_mem for neuron in recipe.network.neurons] == [0.5, 20e-3]
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_a_param_of_several_layers_is_called_by_its_path_and_set_by_its_name():
    recipe = with_params(_mine(), {"threshold": "2", "network.neuron.0.tau_mem": "0.05", "epochs": "3"})
    assert [neuron.threshold for neuron in recipe.network.neurons] == [2.0, 2.0]
    assert recipe.params["network.neuron.0.tau_mem"] == 0.05
    assert recipe.params["tau_syn"] == LIFParams().tau_syn  # one layer alone has it
    assert recipe.params["epochs"] == 3
    with pytest.raises(ValueError, match=r"tau_mem must be 2 numbers separated by commas, got '0\.05'"):
        with_params(_mine(), {"tau_mem": "0.05"})  # of the adaptive layer, which has a range


def test_what_is_changed_is_told_by_name():
    other = with_params(_mine(), {"epochs": 3, "network.neuron.0.tau_mem": 0.05})
    assert changed_params(other, _mine()) == {"network.neuron.0.tau_mem": 0.05, "epochs": 3}
    alike = SpikingNetworkParams(hidden=(6, 4), neuron=(LIFParams(tau_mem=30e-3), LIFParams()))
    assert changed_params(_mine(alike), _mine())["network.neuron.1"] == "LIFParams"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recipe(name="", network=CountParams(), training=None), "Recipe.name must be a line of text, got ''"),
        (
            lambda: Recipe(name="x", network="lif", training=None),
            r"Recipe\.network must be SpikingNetworkParams or Cou",
        ),
        (
            lambda: Recipe(name="x", network=LAYERS, training={}),
            r"Recipe\.training must be TrainParams or none, got {}",
        ),
        (lambda: _mine(SequenceParams(hidden=("8",))), "8"),
        (lambda: _mine(SpikingNetworkParams(neuron=CountParams())), r"neuron must be LIFParams or "),
        (lambda: _mine(augmentation="jitter"), "jitter"),
    ],
)
def test_what_could_not_be_written_is_refused_when_the_recipe_is_made(make, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["network"].update(type="Transformer"),
            r"Recipe\.network: its type must be Spik.*got 'Transformer'",
        ),
        (lambda c: c["network"].pop("type"), r"Recipe\.network: its type must be .*, it names none"),
        (lambda c: c["training"].update(epoch=3), "TrainParams has no param 'epoch'; nearest: epochs"),
        (lambda c: c["training"].pop("epochs"), r"Recipe\.training: TrainParams lacks the param 'epochs'"),
        (lambda c: c["network"].update(hidden="6"), r"Recipe\.network\.hidden must be whole numbers .*, got '6'"),
        (
            lambda c: c["network"]["neuron"][0].update(tau_mem="x"),
            r"network\.neuron\[0\]\.tau_mem must be of type float",
        ),
        (lambda c: c["network"]["neuron"][0].update(tau_mem=-1), r"LIFParams\.tau_mem must be > 0, got -1"),
        (lambda c: c.update(network=[1]), r"Recipe\.network must be SpikingNetworkParams or .*, got \[1\]"),
    ],
)
def test_what_is_no_recipe_is_one_clear_error(change, message):
    content = _mine().to_json()
    change(content)
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        Recipe.from_json(content)
    assert "\n" not in str(caught.value)
