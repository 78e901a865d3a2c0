"""A recipe: a network and how it is trained; its params by name, wherever in it they stand."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from spikedata.baseline.networks import CountParams, NetworkParams
from spikedata.baseline.training.params import TrainParams

_Params = TypeVar("_Params")
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and how it is trained.

    Attributes
    ----------
    name : str
        What it is called [1].
    network : dataclass
        Params of the network, which say its kind, too [1].
    training : TrainParams or None
        How it is trained [1]; None for the linear classifier, which is solved to its optimum.
    about : str
        What it is, in a line [1].

    Raises
    ------
    ValueError
        If a network comes without training, or the linear classifier with one, or two params have the same name.
    """

    name: str
    network: NetworkParams
    training: TrainParams | None
    about: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.network, CountParams) != (self.training is None):
            rule = "must be given for every network but the linear classifier"
            raise ValueError(f"Recipe.training {rule}, got {self.training}")
        names = [name for part in (self.network, self.training) for name, _, _ in _leaves(part)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"recipe {self.name!r}: two params are called {twice[0]!r}")

    @property
    def params(self) -> dict[str, Any]:
        """Every number and name in it, by its own name: no two have the same."""
        return {name: value for part in (self.network, self.training) for name, value, _ in _leaves(part)}

    @property
    def n_epochs(self) -> int:
        """How many records a run reports: its epochs, or the strengths that the linear classifier tries."""
        if self.training is None:
            return len(typing.cast(CountParams, self.network).strengths)
        return self.training.epochs


def with_params(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some of its ``params`` replaced, wherever in it they stand.

    Parameters
    ----------
    recipe : Recipe
        What to start from.
    values : mapping of str to object
        New values by name: of the param's type, or as text, as a command line gives it. The values of a tuple are
        separated by commas; a list stands for a tuple.

    Raises
    ------
    ValueError
        If a name is unknown, or a value does not fit.
    """
    known = {name: kind for part in (recipe.network, recipe.training) for name, _, kind in _leaves(part)}
    fitting = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"recipe {recipe.name!r} has no param {name!r}{_near(name, known)}")
        fitting[name] = _fit(name, value, known[name])
    training = None if recipe.training is None else _replaced(recipe.training, fitting)
    return replace(recipe, network=_replaced(recipe.network, fitting), training=training)


def _near(name: str, known: Collection[str]) -> str:
    """At most three names that may be meant, by their letters or their initials: `lr` is `learning_rate`."""
    initials = [one for one in known if len(name) > 1 and "".join(word[:1] for word in one.split("_")) == name]
    nearest = list(dict.fromkeys([*initials, *difflib.get_close_matches(name, known, n=3)]))[:3]
    nearest = nearest or (sorted(known) if len(known) <= 3 else [])
    return (
        f"; nearest: {', '.join(nearest)}" if nearest else f"; `spikedata params RECIPE` lists the {len(known)} it has"
    )


def _leaves(params: Any) -> list[tuple[str, Any, Any]]:
    """Name, value and type of every param in a dataclass and those inside it."""
    leaves: list[tuple[str, Any, Any]] = []
    kinds = typing.get_type_hints(type(params)) if is_dataclass(params) else {}
    for field in fields(params) if is_dataclass(params) else ():
        value = getattr(params, field.name)
        leaves += _leaves(value) if is_dataclass(value) else [(field.name, value, kinds[field.name])]
    return leaves


def _replaced(params: _Params, values: Mapping[str, Any]) -> _Params:
    changes: dict[str, Any] = {}
    for field in fields(typing.cast(Any, params)):
        old = getattr(params, field.name)
        if is_dataclass(old):
            changes[field.name] = _replaced(old, values)
        elif field.name in values:
            changes[field.name] = values[field.name]
    return replace(typing.cast(Any, params), **changes)


def _fit(name: str, value: Any, kind: Any) -> Any:
    """The value in the type of its param; text is read as a command line means it."""
    try:
        return _converted(value, kind)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name} must be {_in_words(kind)}, got {value!r}") from None


def _converted(value: Any, kind: Any) -> Any:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        kinds = typing.get_args(kind)
        if type(None) in kinds and value in (None, "none"):
            return None
        return _converted(value, next(one for one in kinds if one is not type(None)))
    if typing.get_origin(kind) is tuple:
        parts = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        one, *more = typing.get_args(kind)
        if more != [Ellipsis] and len(parts) != 1 + len(more):
            raise ValueError(value)
        return tuple(_converted(part.strip() if isinstance(part, str) else part, one) for part in parts)
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError(value)
        return value
    if kind is bool:
        return value if isinstance(value, bool) else _TRUTHS[value.lower()]
    if (
        isinstance(value, bool)
        or (kind is str and not isinstance(value, str))
        or (kind is int and not isinstance(value, str) and value != int(value))
    ):
        raise ValueError(value)
    return kind(value)


def _in_words(kind: Any) -> str:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(_in_words(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        one, *more = typing.get_args(kind)
        what = {float: "numbers", int: "whole numbers", str: "names"}.get(one, "values")
        return f"{what} separated by commas" if more == [Ellipsis] else f"{1 + len(more)} {what} separated by commas"
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    if kind is bool:
        return "true or false"
    return "none" if kind is type(None) else f"of type {kind.__name__}"
