"""Check parameters and arguments; an error is one line that names the thing, the rule and the value found.

A params dataclass declares the type and range of each field in its annotation, and is checked once, when it is created:

    n_fibers: Annotated[int, Bounds(at_least=1)] = 8

    def __post_init__(self) -> None:
        check_fields(self)

A whole number may be a Python or a NumPy integer, but neither True nor 2.0. NumPy numbers are stored as Python numbers,
and lists as tuples, so that equal parameters are written, hashed and compared alike.

`cochlea` and `spikedata` each have a copy of this file, and a test compares the two: `cochlea` must run without
`spikedata`, and importing `cochlea` would cost `spikedata` more time than it should.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, TypeVar

import numpy as np

_Kind = TypeVar("_Kind")
_HOW_MANY = {1: "one", 2: "two", 3: "three"}
_LONGEST = 120  # characters of a value in a message: an error stays one line


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The allowed range of a number, or of each number of a tuple, in the unit of the number.

    Parameters
    ----------
    above, below : float, optional
        Exclusive bounds.
    at_least, at_most : float, optional
        Inclusive bounds.
    is_finite : bool
        Whether the number must be finite.
    """

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    is_finite: bool = True

    def __str__(self) -> str:
        if (self.at_least, self.at_most) == (0, 1):
            return "in 0..1"
        bounds = ((">", self.above), (">=", self.at_least), ("<", self.below), ("<=", self.at_most))
        return " and ".join(f"{sign} {_bound(bound)}" for sign, bound in bounds if bound is not None)

    def hold(self, number: float) -> bool:
        """Whether a number is within the bounds; `is_finite` is not checked here."""
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
        )


@dataclass(frozen=True)
class OneOf:
    """The strings that a field may hold."""

    choices: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """Rules for a tuple as a whole.

    Parameters
    ----------
    is_filled : bool
        Whether it must have at least one item.
    rises : bool
        Whether its numbers must be in ascending order; equal neighbors are allowed.
    """

    is_filled: bool = False
    rises: bool = False


Count = Annotated[int, Bounds(at_least=1)]
Positive = Annotated[float, Bounds(above=0)]
NotNegative = Annotated[float, Bounds(at_least=0)]
Share = Annotated[float, Bounds(at_least=0, at_most=1)]
ShareBelowOne = Annotated[float, Bounds(at_least=0, below=1)]
Sizes = Annotated[tuple[int, ...], Bounds(at_least=1), Order(is_filled=True)]


def check_fields(params: Any) -> None:
    """Check every field of a dataclass against its declared type and rules, and store it as a plain Python value.

    Parameters
    ----------
    params : dataclass
        The object to check, frozen or not; call this from its `__post_init__`.

    Raises
    ------
    ValueError
        If a number, string or tuple has the wrong type or breaks a rule: `HairCellParams.release must be > 0, got -1`.
    TypeError
        If an object has another class: `CochleaParams.hair_cell must be HairCellParams, got None`.
    """
    owner: Any = type(params)
    for name, kind in _kinds_of(owner).items():
        value = getattr(params, name)
        fitted = checked(f"{type(params).__name__}.{name}", value, kind)
        if fitted is not value:
            object.__setattr__(params, name, fitted)  # the dataclass may be frozen, but is still being created


def checked(name: str, value: object, kind: Any) -> Any:
    """The value as a plain Python value of its type, checked.

    Parameters
    ----------
    name : str
        Name of the value in the error message.
    value : object
        The value that was passed.
    kind : type
        The type as in an annotation; `Annotated` adds rules.

    Raises
    ------
    ValueError, TypeError
        See `check_fields`.
    """
    try:
        return _fitted(value, kind, ())
    except _Misfit as misfit:
        raise misfit.error(f"{name} must be {misfit.rule}, got {_shown(value)}{misfit.way_on}") from None


def checked_object(name: str, value: object, kind: type[_Kind]) -> _Kind:
    """The value, if it is an object of the class; otherwise TypeError, for example if a dict is passed for params."""
    return typing.cast(_Kind, checked(name, value, kind))


def whole_number(name: str, value: object, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """An integer argument as a Python int.

    Raises
    ------
    ValueError
        `n_steps must be a whole number >= 1, got 2.5`.
    """
    return typing.cast(int, checked(name, value, Annotated[int, Bounds(at_least=at_least, at_most=at_most)]))


class _Misfit(Exception):
    # A value that breaks a rule. `is_range`: the type is right, and only a bound is broken. `way_on`: a hint that is
    # appended to the message.
    def __init__(self, rule: str, error: type[Exception] = ValueError, *, is_range: bool = False, way_on: str = ""):
        super().__init__(rule)
        self.rule, self.error, self.is_range, self.way_on = rule, error, is_range, way_on


@cache
def _kinds_of(owner: type[Any]) -> dict[str, Any]:
    kinds = typing.get_type_hints(owner, include_extras=True)
    return {field.name: kinds[field.name] for field in fields(owner)}


def _fitted(value: object, kind: Any, rules: tuple[Any, ...]) -> Any:
    if typing.get_origin(kind) is Annotated:
        kind, *more = typing.get_args(kind)
        return _fitted(value, kind, (*rules, *more))
    if kind is Any:
        return value
    if _is_union(kind):
        return _fitted_to_one(value, kind, rules)
    if kind is None or kind is type(None):
        if value is not None:
            raise _Misfit("None")
        return None
    if _is_tuple(kind):
        return _fitted_tuple(value, kind, rules)
    if typing.get_origin(kind) is typing.Literal:
        return _fitted_text(value, kind, (OneOf(typing.get_args(kind)),))
    if kind is str:
        return _fitted_text(value, kind, rules)
    if kind is bool:
        if not isinstance(value, bool | np.bool_):
            raise _Misfit(_in_words(kind, rules))
        return bool(value)
    if kind in (int, float):
        return _fitted_number(value, kind, rules)
    if not isinstance(value, typing.get_origin(kind) or kind):
        way_on = f"; {kind.__name__}(**values) builds it from a dict" if isinstance(value, Mapping) else ""
        raise _Misfit(_in_words(kind, rules), TypeError, way_on=way_on)
    return value


def _fitted_number(value: Any, kind: Any, rules: tuple[Any, ...]) -> int | float:
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (is_whole or (kind is float and isinstance(value, Real) and not isinstance(value, bool))):
        raise _Misfit(_in_words(kind, rules))
    # An int stays an int in a float field: it is then written and hashed as before, in files and names that exist.
    number = int(value) if is_whole else float(value)
    if number != number:  # NaN: the message names the type, not a bound
        raise _Misfit(_in_words(kind, rules))
    bounds = [rule for rule in rules if isinstance(rule, Bounds)] or [Bounds()]
    if kind is float and not _is_finite(number) and (is_whole or all(bound.is_finite for bound in bounds)):
        raise _Misfit("finite", is_range=True)
    for bound in bounds:
        if not bound.hold(number):
            raise _Misfit(str(bound), is_range=True)
    return number


def _fitted_text(value: object, kind: Any, rules: tuple[Any, ...]) -> str:
    if not isinstance(value, str):
        raise _Misfit(_in_words(kind, rules))
    text = str.__str__(value)  # a plain str, also of NumPy's subclass
    for rule in rules:
        if isinstance(rule, OneOf) and text not in rule.choices:
            raise _Misfit(_in_words(kind, rules), is_range=True)
    return text


def _fitted_tuple(value: Any, kind: Any, rules: tuple[Any, ...]) -> tuple[Any, ...]:
    one, n_wanted = _items_of(kind)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, list | tuple | range) or (n_wanted is not None and len(value) != n_wanted):
        raise _Misfit(_in_words(kind, rules))
    try:
        items = tuple(_fitted(item, one, rules) for item in value)
    except _Misfit as misfit:
        raise _Misfit(_in_words(kind, rules), misfit.error, is_range=misfit.is_range) from None
    orders = [rule for rule in rules if isinstance(rule, Order)]
    if (any(order.is_filled for order in orders) and not items) or (
        any(order.rises for order in orders) and list(items) != sorted(items)
    ):
        raise _Misfit(_in_words(kind, rules), is_range=True)
    is_same = isinstance(value, tuple) and all(new is old for new, old in zip(items, value, strict=True))
    return typing.cast(tuple[Any, ...], value) if is_same else items


def _fitted_to_one(value: object, kind: Any, rules: tuple[Any, ...]) -> Any:
    misfits: list[_Misfit] = []
    for one in typing.get_args(kind):
        try:
            return _fitted(value, one, rules)
        except _Misfit as misfit:
            misfits.append(misfit)
    for each in misfits:
        if each.is_range:  # the value has this type of the union, so the message need not mention the others
            raise each
    error = TypeError if any(each.error is TypeError for each in misfits) else ValueError
    way_on = next((each.way_on for each in misfits if each.way_on), "")
    raise _Misfit(_in_words(kind, rules), error, way_on=way_on)


def _is_union(kind: Any) -> bool:
    return isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) in (tuple, Sequence)


def _items_of(kind: Any) -> tuple[Any, int | None]:
    # The type of the items, and how many there must be; None for any number.
    one, *more = typing.get_args(kind)
    is_open = typing.get_origin(kind) is Sequence or more == [Ellipsis]
    return one, None if is_open else 1 + len(more)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an int beyond the largest float
        return False


def _in_words(kind: Any, rules: tuple[Any, ...], *, many: bool = False) -> str:
    if typing.get_origin(kind) is Annotated:
        kind, *more = typing.get_args(kind)
        return _in_words(kind, (*rules, *more), many=many)
    if _is_union(kind):
        return " or ".join(_in_words(one, rules, many=many) for one in typing.get_args(kind))
    if _is_tuple(kind):
        one, n_wanted = _items_of(kind)
        parts = [] if n_wanted is None else [_HOW_MANY.get(n_wanted, str(n_wanted))]
        parts += ["ascending"] if any(isinstance(rule, Order) and rule.rises for rule in rules) else []
        parts += [] if _is_plain(one) else ["a tuple of"]
        is_filled = any(isinstance(rule, Order) and rule.is_filled for rule in rules)
        return " ".join([*parts, _in_words(one, rules, many=True)]) + (", at least one" if is_filled else "")
    choices = [rule.choices for rule in rules if isinstance(rule, OneOf)]
    if typing.get_origin(kind) is typing.Literal:
        choices = [typing.get_args(kind)]
    if choices:
        return f"one of {', '.join(map(str, choices[0]))}"
    if kind is None or kind is type(None):
        return "None"
    if kind in (int, float):
        words = {int: ("a whole number", "whole numbers"), float: ("a number", "numbers")}[kind][many]
        return " ".join([words, *(str(rule) for rule in rules if isinstance(rule, Bounds) and str(rule))])
    named = {str: ("a string", "strings"), bool: ("True or False", "True or False")}
    return named[kind][many] if kind in named else str(getattr(kind, "__name__", kind))


def _is_plain(kind: Any) -> bool:
    kind = typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
    return kind in (int, float, str, bool)


def _bound(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, np.generic):
        value = value.item()
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
