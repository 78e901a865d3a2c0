"""The named recipes: everything that a training run needs except the data and the seed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch

from spikedata.baseline.recipes.ours import OURS
from spikedata.baseline.recipes.papers import PAPERS
from spikedata.baseline.recipes.recipe import Recipe, changed_params, with_params
from spikedata.nn.networks import Network, make_network
from spikedata.transforms.named import OF_NETWORK

#: The named recipes, by name.
RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*OURS, *PAPERS)}


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
    if recipe.name not in RECIPES:
        return None
    usual, unset = RECIPES[recipe.name].params, object()
    texts = {name: _typed(value) for name, value in recipe.params.items() if usual.get(name, unset) != value}
    try:
        made = recipe_from(recipe.name, texts)
    except ValueError:
        return None
    return texts if made.structure == recipe.structure else None  # of another kind of network, or a text with a comma


def _typed(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(_typed, value))
    return "none" if value is None else str(value)


def changes_of(recipe: Recipe) -> dict[str, Any]:
    """The params in which a recipe differs from the named one; empty if there is none of its name."""
    return changed_params(recipe, RECIPES[recipe.name]) if recipe.name in RECIPES else {}


def network_of(recipe: Recipe, *, n_units: int, n_classes: int, seed: int) -> Network:
    """The untrained network of a recipe, for data with `n_units` and `n_classes`; the seed draws its weights."""
    generator = torch.Generator().manual_seed(seed)
    propagates = recipe.training is None or recipe.training.control != OF_NETWORK
    return make_network(
        recipe.network, n_units=n_units, n_classes=n_classes, generator=generator, propagates=propagates
    )


def describe_recipes() -> str:
    """A table of all recipes, one per line."""
    width = max(map(len, RECIPES))
    return "\n".join(f"{name:<{width}}  {recipe.about}" for name, recipe in RECIPES.items())
