"""The named recipes: everything that a training run needs except the data and the seed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from spikedata.baseline.recipes.ours import OURS
from spikedata.baseline.recipes.papers import PAPERS
from spikedata.baseline.recipes.recipe import Recipe, changed_params, with_params
from spikedata.named_params import read_value
from spikedata.nn.networks import CustomParams, MakeModule, Network, NetworkCode, make_network
from spikedata.transforms.named import OF_NETWORK

#: The named recipes, by name.
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OURS, *PAPERS)}
#: The recipe whose training a network of one's own has, unless it is given another: a reference without spikes.
OF_OWN_NETWORKS = "gru"


def recipe_from(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A named recipe, with some of its params set, to values or to text as on a command line.

    Parameters
    ----------
    name : str
        One of ``RECIPES``.
    overrides : mapping of str to object, optional
        Values by param name, with underscores or hyphens; in text, the values of a tuple are separated by commas.

    Raises
    ------
    ValueError
        If there is no such recipe or param, or the value does not fit.

    Examples
    --------
    >>> recipe_from("recurrent", {"learning-rate": "1e-3", "hidden": "64"}).params["hidden"]
    (64,)
    >>> recipe_from("recurrent", {"learning-rat": "1e-3"})
    Traceback (most recent call last):
    ...
    ValueError: recipe 'recurrent' has no param 'learning_rat'; nearest: learning_rate
    """
    if name not in RECIPES:
        nearest = difflib.get_close_matches(name, RECIPES)
        hint = f"nearest: {', '.join(nearest)}; " if nearest else ""
        raise ValueError(f"no recipe {name!r}; {hint}there are: {', '.join(RECIPES)}; see `spikedata recipes`")
    values = {key.lstrip("-").replace("-", "_"): value for key, value in (overrides or {}).items()}
    return with_params(RECIPES[name], values)


def typed_params(recipe: Recipe) -> dict[str, str] | None:
    """The params to type for turning the recipe of that name into this one; None if that is not possible.

    Parameters
    ----------
    recipe : Recipe
        A named recipe with some params set, or one of a user's own.

    Examples
    --------
    >>> typed_params(recipe_from("recurrent", {"hidden": "64,32"}))
    {'hidden': '64,32'}
    >>> from dataclasses import replace
    >>> typed_params(replace(RECIPES["recurrent"], name="mine")) is None
    True
    """
    usual = usual_of(recipe)
    if usual is None:
        return None
    known, unset = usual.params, object()
    texts = {name: _typed(value) for name, value in recipe.params.items() if known.get(name, unset) != value}
    try:
        made = with_params(usual, texts)
    except ValueError:
        return None
    return texts if made.structure == recipe.structure else None  # of another kind of network, or a text with a comma


def _typed(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(_typed, value))
    return "none" if value is None else str(value)


def typed_arguments(code: NetworkCode) -> list[str] | None:
    """The arguments of a network of one's own, to be typed as NAME=VALUE in TOML; None if one cannot be typed.

    Parameters
    ----------
    code : NetworkCode
        Whose code it is.

    Examples
    --------
    >>> typed_arguments(NetworkCode(name="mine:MyNet", arguments={"hidden": [64, 32], "bias": True}))
    ['hidden=[64, 32]', 'bias=true']
    """
    texts = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in code.arguments.items()]
    try:
        return texts if network_arguments(texts) == code.arguments else None
    except ValueError:
        return None


def network_arguments(texts: Iterable[str]) -> dict[str, Any]:
    """Arguments of a network of one's own by name, from NAME=VALUE with a value as in TOML, or a text without quotes.

    Parameters
    ----------
    texts : iterable of str
        As they are typed.

    Raises
    ------
    ValueError
        If there is no NAME or no =, or a name comes twice.

    Examples
    --------
    >>> network_arguments(["hidden=64", "cell=gru", "tau=none"])
    {'hidden': 64, 'cell': 'gru', 'tau': None}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name.isidentifier() or not equals or name in found:
            reason = "each name once" if name in found else "as n_hidden=64"
            raise ValueError(f"an argument of a network must be NAME=VALUE, {reason}, got {text!r}")
        found[name] = read_value(value)
    return found


def usual_of(recipe: Recipe) -> Recipe | None:
    """The recipe that a command starts from, before its params are set: that of the name, or of one's own network.

    Parameters
    ----------
    recipe : Recipe
        A recipe.

    Returns
    -------
    Recipe or None
        None for a recipe that no command makes.
    """
    if not isinstance(recipe.network, CustomParams):
        return RECIPES.get(recipe.name)
    code = recipe.network.code
    if recipe.name != code.class_name:
        return None
    return Recipe(name=code.class_name, network=CustomParams(code=code), training=RECIPES[OF_OWN_NETWORKS].training)


def changes_of(recipe: Recipe) -> dict[str, Any]:
    """The params in which a recipe differs from the usual one; empty if there is none."""
    usual = usual_of(recipe)
    return {} if usual is None else changed_params(recipe, usual)


def network_of(recipe: Recipe, *, n_units: int, n_classes: int, seed: int, make: MakeModule | None = None) -> Network:
    """The untrained network of a recipe, for data with `n_units` and `n_classes`; the seed draws its weights.

    The module of a network of one's own is made by `make`.
    """
    generator = torch.Generator().manual_seed(seed)
    propagates = recipe.training is None or recipe.training.control != OF_NETWORK
    return make_network(
        recipe.network, n_units=n_units, n_classes=n_classes, generator=generator, propagates=propagates, make=make
    )


def describe_recipes() -> str:
    """A table of all recipes, one per line."""
    width = max(map(len, RECIPES))
    return "\n".join(f"{name:<{width}}  {recipe.about}" for name, recipe in RECIPES.items())
