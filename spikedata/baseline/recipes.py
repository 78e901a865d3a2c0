"""Named recipes: everything that a training run is told beside the data and the seed."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import torch

from spikedata.baseline.networks import CountClassifier, CountParams, Network, RecurrentNetwork, RecurrentNetworkParams
from spikedata.baseline.neurons import LIFParams
from spikedata.baseline.training import TrainParams

_Params = TypeVar("_Params")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and how it is trained.

    Attributes
    ----------
    name : str
        What it is called [1].
    network : RecurrentNetworkParams or CountParams
        Which network, and its params [1].
    training : TrainParams or None
        How it is trained [1]; None for the linear classifier, which is solved to its optimum.

    Raises
    ------
    ValueError
        If a recurrent network comes without training, or the linear classifier with one.
    """

    name: str
    network: RecurrentNetworkParams | CountParams
    training: TrainParams | None

    def __post_init__(self) -> None:
        if isinstance(self.network, RecurrentNetworkParams) != (self.training is not None):
            raise ValueError(f"Recipe.training must be given for a recurrent network alone, got {self.training}")

    @property
    def params(self) -> dict[str, Any]:
        """Every number and name in it, by its own name: no two have the same."""
        return {name: value for part in (self.network, self.training) for name, value in _leaves(part).items()}

    @property
    def n_epochs(self) -> int:
        """How many records a run reports: its epochs, or the strengths that the linear classifier tries."""
        if isinstance(self.network, CountParams):
            return len(self.network.strengths)
        return self.training.epochs if self.training else 0


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="recurrent",
            network=RecurrentNetworkParams(
                n_hidden=256,
                n_merged=5,
                lif=LIFParams(tau_mem=40e-3),
                tau_readout=40e-3,
                dt=20e-3,
                input_gain=0.1,
            ),
            training=TrainParams(epochs=100, batch_size=32, optimizer="adam", learning_rate=5e-4, unit_shift=0.02),
        ),
        Recipe(name="counts", network=CountParams(), training=None),
    )
}


def recipe_from(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """The recipe of a name, with some params set from text, as a command line gives them.

    Parameters
    ----------
    name : str
        One of ``RECIPES``.
    overrides : mapping of str to str, optional
        Param, with underscores or hyphens, to its value; the values of a tuple are separated by commas.

    Raises
    ------
    ValueError
        If there is no such recipe or param, or the value does not fit.

    Examples
    --------
    >>> recipe_from("recurrent", {"learning-rate": "1e-3", "tau_mem": "0.03"}).params["learning_rate"]
    0.001
    >>> recipe_from("recurrent", {"learning-rat": "1e-3"})
    Traceback (most recent call last):
    ...
    ValueError: recipe 'recurrent' has no param 'learning_rat'; nearest: learning_rate
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    known = recipe.params
    values = {}
    for key, text in (overrides or {}).items():
        param = key.lstrip("-").replace("-", "_")
        if param not in known:
            nearest = difflib.get_close_matches(param, known, n=3) or sorted(known)
            raise ValueError(f"recipe {name!r} has no param {param!r}; nearest: {', '.join(nearest)}")
        values[param] = _parse(param, text, known[param])
    return with_params(recipe, values)


def with_params(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some of its ``params`` replaced, wherever in it they stand.

    Parameters
    ----------
    recipe : Recipe
        What to start from.
    values : mapping of str to object
        New values by name; a list stands for a tuple.

    Raises
    ------
    ValueError
        If a name is unknown or a value refused by its params.
    """
    unknown = sorted(set(values) - set(recipe.params))
    if unknown:
        raise ValueError(f"recipe {recipe.name!r} has no param {unknown[0]!r}")
    training = None if recipe.training is None else _replaced(recipe.training, values)
    return replace(recipe, network=_replaced(recipe.network, values), training=training)


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
    if isinstance(recipe.network, CountParams):
        return CountClassifier(recipe.network, n_units=n_units, n_classes=n_classes)
    generator = torch.Generator().manual_seed(seed)
    return RecurrentNetwork(recipe.network, n_units=n_units, n_classes=n_classes, generator=generator)


def _leaves(params: Any) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for field in fields(params) if is_dataclass(params) else ():
        value = getattr(params, field.name)
        leaves.update(_leaves(value) if is_dataclass(value) else {field.name: value})
    return leaves


def _replaced(params: _Params, values: Mapping[str, Any]) -> _Params:
    changes: dict[str, Any] = {}
    for field in fields(typing.cast(Any, params)):
        old = getattr(params, field.name)
        if is_dataclass(old):
            changes[field.name] = _replaced(old, values)
        elif field.name in values:
            new = values[field.name]
            changes[field.name] = tuple(new) if isinstance(old, tuple) else new
    return replace(typing.cast(Any, params), **changes)


def _parse(param: str, text: str, old: Any) -> Any:
    """The value that a text means for a param that now has the value ``old``, whose type it must have."""
    try:
        if isinstance(old, tuple):
            return tuple(float(part) for part in text.split(","))
        return type(old)(text)
    except ValueError:
        wanted = "numbers separated by commas" if isinstance(old, tuple) else f"of type {type(old).__name__}"
        raise ValueError(f"{param} must be {wanted}, got {text!r}") from None
