import pytest
import torch

from spikedata.baseline.networks import CountClassifier, CountParams, RecurrentNetwork
from spikedata.baseline.recipes import RECIPES, Recipe, network_of, recipe_from, recipe_of_card
from spikedata.baseline.training import TrainParams


def test_a_name_gives_its_recipe():
    assert set(RECIPES) == {"recurrent", "counts"}
    for name in RECIPES:
        assert recipe_from(name) == RECIPES[name]


def test_text_sets_any_param_wherever_it_stands():
    recipe = recipe_from("recurrent", {"--n-hidden": "64", "tau-syn": "5e-3", "epochs": "7", "optimizer": "adam"})
    assert recipe.network.n_hidden == 64
    assert recipe.network.lif.tau_syn == 5e-3
    assert recipe.training.epochs == 7
    assert recipe.training.optimizer == "adam"
    assert recipe.network.lif.tau_mem == RECIPES["recurrent"].network.lif.tau_mem


def test_text_sets_a_tuple():
    assert recipe_from("counts", {"strengths": "0.1,1"}).network.strengths == (0.1, 1.0)


def test_no_two_params_of_a_recipe_have_the_same_name():
    network, training = RECIPES["recurrent"].network, RECIPES["recurrent"].training
    n_params = len(vars(network)) - 1 + len(vars(network.lif)) + len(vars(training))
    assert len(RECIPES["recurrent"].params) == n_params


def test_both_recipes_see_the_same_part_of_a_clip():
    assert RECIPES["counts"].network.duration == RECIPES["recurrent"].network.duration


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("recurent", {}, "no recipe 'recurent'; there are: recurrent, counts"),
        ("recurrent", {"lerning-rate": "1"}, "recipe 'recurrent' has no param 'lerning_rate'; nearest: learning_rate"),
        ("counts", {"epochs": "3"}, "recipe 'counts' has no param 'epochs'; nearest: duration, strengths"),
        ("recurrent", {"n-hidden": "many"}, "n_hidden must be of type int, got 'many'"),
        ("counts", {"strengths": "1,x"}, "strengths must be numbers separated by commas, got '1,x'"),
        ("recurrent", {"epochs": "0"}, r"TrainParams\.epochs must be > 0, got 0"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        recipe_from(name, overrides)


def test_a_recipe_comes_back_from_its_card():
    recipe = recipe_from("recurrent", {"n_hidden": "9", "tau_mem": "0.04"})
    assert recipe_of_card(recipe.name, recipe.params) == recipe
    counts = recipe_from("counts", {"strengths": "0.5"})
    assert recipe_of_card("counts", {"duration": counts.network.duration, "strengths": [0.5]}) == counts


def test_a_card_that_lacks_a_param_is_an_error():
    params = RECIPES["recurrent"].params
    params.pop("tau_mem")
    with pytest.raises(ValueError, match="recipe 'recurrent': no param 'tau_mem' on the card"):
        recipe_of_card("recurrent", params)


def test_a_card_with_an_unknown_param_is_an_error():
    with pytest.raises(ValueError, match="recipe 'counts' has no param 'depth'"):
        recipe_of_card("counts", {**RECIPES["counts"].params, "depth": 3})


def test_a_recipe_makes_its_network():
    recurrent = network_of(RECIPES["recurrent"], n_units=20, n_classes=4, seed=1)
    again = network_of(RECIPES["recurrent"], n_units=20, n_classes=4, seed=1)
    assert isinstance(recurrent, RecurrentNetwork)
    assert recurrent.input_weight.shape == (4, RECIPES["recurrent"].network.n_hidden)  # 20 units, 5 to an input
    assert torch.equal(recurrent.input_weight, again.input_weight)
    assert isinstance(network_of(RECIPES["counts"], n_units=20, n_classes=4, seed=1), CountClassifier)


def test_the_linear_classifier_is_not_trained_by_steps():
    with pytest.raises(ValueError, match=r"Recipe\.training must be given for a recurrent network alone"):
        Recipe(name="x", network=CountParams(), training=TrainParams())


def test_a_recipe_knows_how_many_records_it_reports():
    assert recipe_from("recurrent", {"epochs": "7"}).n_epochs == 7
    assert recipe_from("counts", {"strengths": "1,2,3"}).n_epochs == 3
