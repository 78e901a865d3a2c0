import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedata.baseline.recipes.catalog import RECIPES, changes_of, network_of, recipe_from, typed_params
from spikedata.baseline.recipes.recipe import Recipe, with_params
from spikedata.events import Sample
from spikedata.nn.networks import CountClassifier, CountParams, EventDrivenNetwork, SpikingNetwork
from spikedata.nn.neurons import LIFParams
from spikedata.torch import collate_times
from spikedata.training.params import TrainParams

NAMED = {
    "recurrent", "counts", "feedforward", "adlif_augmented", "adlif_masked", "few_clips", "gru", "lstm", "cnn",
    "spytorch",
    "cramer2022", "cramer2022_coarse", "cramer2022_augmented", "recurrent_slow", "recurrent_slow_augmented",
    "se_adlif", "radlif", "silif", "c_silif", "dcls_delays", "delrec", "latency_mnist", "eprop_alif",
    "eventprop_yin_yang", "eventprop_mnist", "lif_integrating",
}  # fmt: skip


def test_a_name_gives_its_recipe():
    assert set(RECIPES) == NAMED
    for name in RECIPES:
        assert recipe_from(name) == RECIPES[name]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_recipe_says_what_it_is_and_comes_back_from_its_card(name):
    recipe = RECIPES[name]
    assert recipe.about
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize("name", sorted(NAMED - {"radlif"}))
def test_every_recipe_makes_a_network_that_classifies(name):
    recipe = recipe_from(name)
    network = network_of(recipe, n_units=700, n_classes=20, seed=1).eval()
    if isinstance(network, EventDrivenNetwork):
        clip = Sample(np.zeros(5), np.arange(5, dtype=np.uint16), label=0, speaker=0)
        inputs = collate_times([clip], n_units=700, n_merged=network.n_merged)
    else:
        inputs = torch.zeros(1, min(network.n_steps, 16), -(-700 // network.n_merged))
        inputs[0, 0, :5] = 1
    with torch.no_grad():
        assert network(inputs).logits.shape == (1, 20)


def test_text_sets_any_param_wherever_it_stands():
    overrides = {"--hidden": "64", "tau-syn": "5e-3", "epochs": "7", "optimizer": "adamw", "scale": "20"}
    recipe = recipe_from("recurrent", {**overrides, "input_gain": "0.3", "augmentation": "channel_jitter sigma=2"})
    assert recipe.network.hidden == (64,)
    assert recipe.network.neuron.tau_syn == 5e-3
    assert recipe.network.neuron.surrogate.scale == 20
    assert recipe.network.initialization.input_gain == 0.3
    assert (recipe.training.epochs, recipe.training.optimizer) == (7, "adamw")
    assert recipe.training.augmentation == ("channel_jitter sigma=2",)
    assert recipe.network.neuron.tau_mem == RECIPES["recurrent"].network.neuron.tau_mem


def test_values_set_params_in_their_types():
    recipe = with_params(RECIPES["recurrent"], {"hidden": [64, 32], "learning_rate": 1, "recurrent": False})
    assert (recipe.network.hidden, recipe.training.learning_rate) == ((64, 32), 1.0)
    assert isinstance(recipe.training.learning_rate, float)


def test_text_sets_a_tuple():
    assert recipe_from("counts", {"strengths": "0.1,1"}).network.strengths == (0.1, 1.0)
    assert recipe_from("se_adlif", {"tau_mem": "0.01,0.02"}).network.neuron.tau_mem == (0.01, 0.02)


def test_text_sets_what_is_true_or_false():
    assert not recipe_from("recurrent", {"detach-reset": "false"}).network.neuron.detach_reset
    assert recipe_from("recurrent", {"detach-reset": "True"}).network.neuron.detach_reset


def test_two_recipes_of_the_demo_see_the_same_part_of_a_clip():
    assert RECIPES["counts"].network.duration == RECIPES["few_clips"].network.duration


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("published", {}, "no recipe 'published'; there are: .*cramer2022, .*; see `spikedata recipes`"),
        ("recurent", {}, "no recipe 'recurent'; nearest: recurrent, recurrent_slow; there are: recurrent, counts"),
        ("recurrent", {"lerning-rate": "1"}, "recipe 'recurrent' has no param 'lerning_rate'; nearest: learning_rate"),
        ("counts", {"epochs": "3"}, "recipe 'counts' has no param 'epochs'; nearest: duration, strengths"),
        ("recurrent", {"hidden": "many"}, "hidden must be whole numbers separated by commas, got 'many'"),
        ("recurrent", {"epochs": "1.5"}, "epochs must be of type int, got '1.5'"),
        ("recurrent", {"epochs": 1.5}, "epochs must be of type int, got 1.5"),
        ("recurrent", {"epochs": True}, "epochs must be of type int, got True"),
        ("recurrent", {"optimizer": 3}, "optimizer must be of type str, got 3"),
        ("recurrent", {"detach-reset": "no"}, "detach_reset must be true or false, got 'no'"),
        ("counts", {"strengths": "1,x"}, "strengths must be numbers separated by commas, got '1,x'"),
        ("se_adlif", {"tau_mem": "0.02"}, "tau_mem must be 2 numbers separated by commas, got '0.02'"),
        ("recurrent", {"epochs": "0"}, r"TrainParams\.epochs must be >= 1, got 0"),
        ("recurrent", {"control": "counts"}, "TrainParams: no control 'counts'; nearest: counts_only"),
        ("recurrent", {"augmentation": "jitter sigma=1"}, "augmentation 'jitter sigma=1': no transform 'jitter'"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        recipe_from(name, overrides)


def test_what_is_typed_makes_the_recipe_again():
    overrides = {
        "hidden": "64,32",
        "augmentation": "channel_jitter sigma=2,channel_shift largest=4",
        "recurrent": "false",
    }
    recipe = recipe_from("recurrent", overrides)
    assert recipe_from("recurrent", typed_params(recipe)) == recipe
    assert typed_params(RECIPES["recurrent"]) == {}


def test_a_recipe_of_ones_own_cannot_be_typed():
    assert typed_params(replace(RECIPES["recurrent"], name="mine")) is None
    assert typed_params(replace(RECIPES["gru"], name="recurrent")) is None
    per_layer = replace(RECIPES["feedforward"].network, neuron=(LIFParams(), LIFParams()))
    assert typed_params(replace(RECIPES["feedforward"], network=per_layer)) is None


def test_a_recipe_that_bears_a_name_of_the_catalog_shows_what_it_changes():
    assert changes_of(RECIPES["recurrent"]) == {}
    assert changes_of(recipe_from("recurrent", {"tau_mem": 0.01, "hidden": (4,)})) == {"hidden": [4], "tau_mem": 0.01}
    changed = changes_of(replace(RECIPES["gru"], name="recurrent"))
    assert (changed["network"], changed["kind"]) == ("SequenceParams", "gru")
    assert changes_of(replace(RECIPES["gru"], name="mine")) == {}


def test_the_seed_draws_the_first_weights():
    first, again, other = (network_of(RECIPES["recurrent"], n_units=20, n_classes=4, seed=seed) for seed in (1, 1, 2))
    assert isinstance(first, SpikingNetwork)
    weights = [network.layers[0].projection.weight for network in (first, again, other)]
    assert weights[0].shape == (4, 256)  # 20 units, 5 to an input
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert isinstance(network_of(RECIPES["counts"], n_units=20, n_classes=4, seed=1), CountClassifier)


def test_the_linear_classifier_is_not_trained_by_steps():
    with pytest.raises(ValueError, match=r"Recipe\.training must be given for every network but the linear classifier"):
        Recipe(name="x", network=CountParams(), training=TrainParams())


def test_a_recipe_knows_how_many_records_it_reports():
    assert recipe_from("recurrent", {"epochs": "7"}).n_epochs == 7
    assert recipe_from("counts", {"strengths": "1,2,3"}).n_epochs == 3
