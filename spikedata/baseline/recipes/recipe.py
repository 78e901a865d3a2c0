"""A recipe: a network and how it is trained, with params that are read and set by name."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from spikedata.baseline.recipes.structure import (
    fields_from_json,
    fields_to_json,
    flattened,
    from_json,
    in_words,
    to_json,
)
from spikedata.named_params import Leaf, leaves, nearest, replaced
from spikedata.nn.networks import CountParams, EventDrivenParams, NetworkCode, NetworkParams, require_cuttable
from spikedata.training.params import TrainParams
from spikedata.transforms.named import OF_NETWORK

_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and how it is trained.

    A recipe of your own is used like one of the catalog: cards hold a recipe's structure, not just its name, which only
    labels it in tables.

    Parameters
    ----------
    name : str
        Name in tables and on cards [1].
    network : dataclass
        Params of the network; their type decides its kind [1].
    training : TrainParams or None
        How it is trained [1]; None for the linear classifier, which is solved to its optimum.
    about : str
        Description in one line [1].

    Raises
    ------
    ValueError
        If a network comes without training, or the linear classifier with one, the name is empty, or a param is not
        of its type, so that the recipe could not be written on a card.

    Examples
    --------
    >>> from spikedata.baseline import LIFParams, SpikingNetworkParams
    >>> layers = SpikingNetworkParams(hidden=(64, 32), neuron=(LIFParams(), LIFParams(tau_mem=40e-3)))
    >>> mine = Recipe(name="mine", network=layers, training=TrainParams(epochs=20))
    >>> Recipe.from_json(mine.to_json()) == mine
    True
    """

    name: str
    network: NetworkParams
    training: TrainParams | None
    about: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise ValueError(f"Recipe.name must be a line of text, got {self.name!r}")
        for part, kind in (("network", NetworkParams), ("training", TrainParams | None)):
            content = to_json(getattr(self, part), kind, f"Recipe.{part}", tagged=True)
            # as it comes back from a card: lists are tuples, NumPy's numbers Python's
            object.__setattr__(self, part, from_json(content, kind, f"Recipe.{part}", tagged=True))
        if isinstance(self.network, CountParams) != (self.training is None):
            rule = "must be given for every network but the linear classifier"
            raise ValueError(f"Recipe.training {rule}, got {self.training}")
        if isinstance(self.network, EventDrivenParams) and self.training is not None:
            _check_exact(self.training)
        if self.training:
            check_control(self.training.control, self.network)
        if self.training and self.training.late_strength and getattr(self.network, "readout", "") != "first_spike":
            raise ValueError(
                'TrainParams.late_strength must be 0 but for the readout "first_spike" of EventDrivenParams, '
                f"got {self.training.late_strength}"
            )

    def to_json(self) -> dict[str, Any]:
        """The recipe in JSON's types, with each dataclass as an object that names its ``type``."""
        return fields_to_json(self, "Recipe", tagged=True)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The recipe that `to_json` has written.

        Parameters
        ----------
        content : mapping
            Of JSON's types.

        Raises
        ------
        ValueError
            If it names an unknown type, a param is unknown, missing, of another type or refused.
        """
        recipe: Self = fields_from_json(content, cls, "Recipe", tagged=True)
        return recipe

    @property
    def structure(self) -> dict[str, Any]:
        """Network and training in JSON's types: two recipes with the same structure train to the same weights."""
        content = self.to_json()
        return {part: content[part] for part in ("network", "training")}

    @property
    def params(self) -> dict[str, Any]:
        """Every param by its name, or by its full path if several layers have one of that name."""
        there = _leaves(self)
        plain = [leaf.path[-1] for leaf in there]
        return {leaf.path[-1] if plain.count(leaf.path[-1]) == 1 else leaf.name: leaf.value for leaf in there}

    @property
    def n_epochs(self) -> int:
        """Number of records that a run reports: its epochs, or the strengths that the linear classifier tries."""
        if self.training is None:
            return len(typing.cast(CountParams, self.network).strengths)
        return self.training.epochs


def check_control(name: str, network: NetworkParams) -> None:
    """Raise ValueError, in one line, unless a network has what a control takes away.

    Parameters
    ----------
    name : str
        One of `spikedata.transforms.named.CONTROLS`.
    network : dataclass
        Params of the network.
    """
    if name == OF_NETWORK:
        require_cuttable(network)
    if name == "steps_shuffled" and isinstance(network, EventDrivenParams):
        raise ValueError("EventDrivenParams have no steps to shuffle; counts_only takes all timing away")


def _check_exact(training: TrainParams) -> None:
    """Raise ValueError unless a training has what the exact gradient of event-driven networks knows."""
    bounds = training.activity
    strengths = bounds.lower_strength, bounds.upper_strength, bounds.neuron_strength
    if any(strengths):
        raise ValueError(
            "ActivityParams must have strengths of 0 for EventDrivenParams, whose exact gradient knows no numbers of "
            f"spikes, got {', '.join(map(str, strengths))}"
        )


def with_params(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some of its ``params`` replaced, at whatever depth.

    Parameters
    ----------
    recipe : Recipe
        Recipe to start from.
    values : mapping of str to object
        New values by name, of the param's type or as text, as on a command line. In text, the values of a tuple are
        separated by commas; a list becomes a tuple. A param that several layers have is set in all of them, unless it
        is given by its path, such as "network.neuron.0.tau_mem".

    Raises
    ------
    ValueError
        If a name is unknown, or a value does not fit.

    Examples
    --------
    >>> from spikedata.baseline import LIFParams, SpikingNetworkParams
    >>> layers = SpikingNetworkParams(hidden=(64, 32), neuron=(LIFParams(), LIFParams()))
    >>> mine = Recipe(name="mine", network=layers, training=TrainParams())
    >>> changed = with_params(mine, {"threshold": 2, "network.neuron.1.tau_mem": "0.04"})
    >>> [(neuron.threshold, neuron.tau_mem) for neuron in changed.network.neurons]
    [(2.0, 0.02), (2.0, 0.04)]
    """
    there = [leaf for leaf in _leaves(recipe) if leaf.owner is not NetworkCode]  # whose code it is cannot be set
    fitting: dict[tuple[str, ...], Any] = {}
    for name, value in sorted(values.items(), key=lambda item: "." in item[0]):  # a path says more than a name
        meant = [leaf for leaf in there if name in (leaf.path[-1], leaf.name)]
        if not meant:
            known = dict.fromkeys(leaf.path[-1] for leaf in there)
            raise ValueError(f"recipe {recipe.name!r} has no param {name!r}{_near(name, known)}")
        fitting |= {leaf.path: _fit(name, value, leaf.kind) for leaf in meant}
    return replace(recipe, **{part: replaced(params, fitting, (part,)) for part, params in _parts(recipe).items()})


def changed_params(recipe: Recipe, usual: Recipe) -> dict[str, Any]:
    """The params in which a recipe differs from another, in JSON's types.

    Parameters
    ----------
    recipe, usual : Recipe
        The recipe, and the one that it is compared with.

    Returns
    -------
    dict
        Names as those of ``Recipe.params``; a part of another type stands there with its type.

    Examples
    --------
    >>> usual = Recipe(name="a", network=CountParams(), training=None)
    >>> changed_params(with_params(usual, {"strengths": "1,2"}), usual)
    {'strengths': [1.0, 2.0]}
    """
    old, new = flattened(usual.structure), flattened(recipe.structure)
    changed = {path: value for path, value in new.items() if path not in old or old[path] != value}
    plain = [path[-1] for path in new]
    return {
        path[-1] if plain.count(path[-1]) == 1 and not path[-1].isdecimal() else ".".join(path): value
        for path, value in changed.items()
    }


def _near(name: str, known: Collection[str]) -> str:
    """Up to three suggestions for an unknown name, by its letters or as initials: `lr` suggests `learning_rate`."""
    initials = [one for one in known if len(name) > 1 and "".join(word[:1] for word in one.split("_")) == name]
    found = nearest(name, known, first=initials) or (sorted(known) if len(known) <= 3 else [])
    return f"; nearest: {', '.join(found)}" if found else f"; `spikedata params RECIPE` lists the {len(known)} it has"


def _parts(recipe: Recipe) -> dict[str, Any]:
    """The params of network and training, by the name of the part."""
    parts = {"network": recipe.network, "training": recipe.training}
    return {name: params for name, params in parts.items() if params is not None}


def _leaves(recipe: Recipe) -> list[Leaf]:
    return [leaf for part, params in _parts(recipe).items() for leaf in leaves(params, (part,))]


def _fit(name: str, value: Any, kind: Any) -> Any:
    """The value in the type of its param; text is read as a command line means it."""
    try:
        return _converted(value, kind)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name} must be {in_words(kind)}, got {value!r}") from None


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
