"""Named recipes: everything that a training run is told beside the data and the seed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch

from spikedata.baseline.networks import Network, make_network
from spikedata.baseline.recipes.ours import OURS
from spikedata.baseline.recipes.papers import PAPERS
from spikedata.baseline.recipes.recipe import Recipe, with_params

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OURS, *PAPERS)}


def recipe_from(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of a name, with some params set: by text as a command line gives it, or by values.

    Parameters
    ----------
    name : str
        One of ``RECIPES``.
    overrides : mapping of str to object, optional
        Param, with underscores or hyphens, to its value; the values of a tuple are separated by commas.

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
        raise ValueError(f"no recipe {name!r}; {hint}there are: {', '.join(RECIPES)}")
    values = {key.lstrip("-").replace("-", "_"): value for key, value in (overrides or {}).items()}
    return with_params(RECIPES[name], values)


def recipe_of_card(name: str, params: Mapping[str, Any]) -> Recipe:
    """The recipe that a card describes by its name and all its ``params``.

    Raises
    ------
    ValueError
        If a param is missing, unknown or refused, as on the card of another version.
    """
    recipe = recipe_from(name)
    missing = sorted(set(recipe.params) - set(params))
    if missing:
        raise ValueError(f"recipe {name!r}: no param {missing[0]!r} on the card")
    return with_params(recipe, params)


def network_of(recipe: Recipe, *, n_units: int, n_classes: int, seed: int) -> Network:
    """The untrained network of a recipe, for data of so many units and classes; the seed draws its first weights."""
    generator = torch.Generator().manual_seed(seed)
    return make_network(recipe.network, n_units=n_units, n_classes=n_classes, generator=generator)


def describe_recipes() -> str:
    """Every recipe in a line."""
    width = max(map(len, RECIPES))
    return "\n".join(f"{name:<{width}}  {recipe.about}" for name, recipe in RECIPES.items())
