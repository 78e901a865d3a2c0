"""Params by dotted name: list them with unit and meaning, replace their values, and write them as text or TOML."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
import math
import re
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

from spikedata.printable import in_columns

_Params = TypeVar("_Params")
_SECTION = re.compile(r"(?ms)^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\S[^\n]*\n---|\Z)")
_UNIT = re.compile(r"\[([^\[\]\s][^\[\]]*)\]")


class NamedParam(NamedTuple):
    """One param.

    Attributes
    ----------
    name : str
        Dotted name for params of nested dataclasses, such as "auditory_nerve.n_fibers".
    value : object
        Its value.
    unit : str
        Unit in the docstring; "1" for pure numbers and names.
    about : str
        Meaning, from the docstring.
    """

    name: str
    value: Any
    unit: str
    about: str


def list_params(params: Any) -> list[NamedParam]:
    """All params of a dataclass, including nested ones, in their order.

    Parameters
    ----------
    params : dataclass
        The params; the dataclasses must have NumPy docstrings.

    Examples
    --------
    >>> from cochlea import CochleaParams
    >>> next(param for param in list_params(CochleaParams()) if param.name == "auditory_nerve.n_fibers")
    NamedParam(name='auditory_nerve.n_fibers', value=8, unit='fibers', about='Number of fibers of one hair cell.')
    """
    return [_named(leaf) for leaf in leaves(params)]


class Leaf(NamedTuple):
    """A param that is not itself a dataclass.

    Attributes
    ----------
    owner : type
        The dataclass whose field it is.
    path : tuple of str
        Names of the fields that lead to it; of several dataclasses in a tuple, their numbers.
    value : object
        Its value.
    kind : type
        Its annotation.
    """

    owner: type
    path: tuple[str, ...]
    value: Any
    kind: Any

    @property
    def name(self) -> str:
        """The dotted name."""
        return ".".join(self.path)


def leaves(params: Any, above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """The params in a dataclass and in the dataclasses inside it, in their order.

    Parameters
    ----------
    params : dataclass
        The params.
    above : tuple of str
        Path of the dataclass itself, put in front of every path.
    """
    kinds = typing.get_type_hints(type(params))
    for field in dataclasses.fields(params):
        value, path = getattr(params, field.name), (*above, field.name)
        inner = _dataclasses_in(value, path)
        if inner:
            for one, place in inner:
                yield from leaves(one, place)
        else:
            yield Leaf(type(params), path, value, kinds[field.name])


def replaced(params: _Params, values: Mapping[tuple[str, ...], Any], above: tuple[str, ...] = ()) -> _Params:
    """The params with other values at some paths, as `leaves` gives them; the dataclasses check the values.

    Parameters
    ----------
    params : dataclass
        The params to start from.
    values : mapping of tuple of str to object
        New values by path.
    above : tuple of str
        As `leaves` takes it.
    """
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(params):  # type: ignore[arg-type]
        value, path = getattr(params, field.name), (*above, field.name)
        inner = [replaced(one, values, place) for one, place in _dataclasses_in(value, path)]
        if inner:
            changes[field.name] = inner[0] if dataclasses.is_dataclass(value) else tuple(inner)
        elif path in values:
            changes[field.name] = values[path]
    return dataclasses.replace(params, **changes)  # type: ignore[type-var]


def nearest(name: str, known: Iterable[str], *, first: Iterable[str] = ()) -> list[str]:
    """Up to three known names that resemble an unknown one, the given ones first."""
    return list(dict.fromkeys([*first, *difflib.get_close_matches(name, known, n=3)]))[:3]


def describe_fields(docstring: str) -> dict[str, str]:
    """Descriptions by name from the `Parameters` or `Attributes` section of a NumPy docstring."""
    section = re.search(_SECTION, inspect.cleandoc(docstring))
    descriptions: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else ():
        if line and not line[0].isspace():
            names = [name.strip() for name in line.partition(" :")[0].split(",")]
            descriptions |= dict.fromkeys(names, "")
        else:
            descriptions |= {name: descriptions[name] + line + "\n" for name in names}
    return descriptions


def with_values(params: _Params, values: Mapping[str, Any], *, what: str) -> _Params:
    """The params with some values replaced; the dataclasses check the new values.

    Parameters
    ----------
    params : dataclass
        The params to start from.
    values : mapping of str to object
        New values by dotted name. Texts are parsed as TOML values if possible; lists become tuples.
    what : str
        The owner of the params, for error messages.

    Raises
    ------
    ValueError, TypeError
        If a name is unknown or a value is invalid.

    Examples
    --------
    >>> from cochlea import CochleaParams
    >>> with_values(CochleaParams(), {"auditory_nerve.n_fibers": "4"}, what="the cochlea").auditory_nerve.n_fibers
    4
    >>> with_values(CochleaParams(), {"n_fibers": "4"}, what="the cochlea")
    Traceback (most recent call last):
    ...
    ValueError: the cochlea has no param 'n_fibers'; nearest: auditory_nerve.n_fibers
    """
    known = {leaf.name: leaf for leaf in leaves(params)}
    changes: dict[tuple[str, ...], Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{what} has no param {name!r}{_near(name, known)}")
        changes[known[name].path] = _read(value, known[name].value)
    return replaced(params, changes)


def format_params(params: Iterable[NamedParam]) -> str:
    """A text table of the params: name, value, unit and meaning.

    Parameters
    ----------
    params : iterable of NamedParam
        From `list_params`.
    """
    rows = [("NAME", "VALUE", "UNIT", "WHAT IT IS")]
    rows += [(name, _as_toml(value), f"[{unit}]" if unit else "", about) for name, value, unit, about in params]
    return "\n".join(in_columns(rows))


def format_toml(params: Iterable[NamedParam], **head: str) -> str:
    """The params as a TOML file: a table for each dataclass, and a comment with meaning and unit above each param.

    Parameters
    ----------
    params : iterable of NamedParam
        From `list_params`.
    **head
        Further entries at the top of the file.
    """
    lines = [f"{name} = {_as_toml(value)}" for name, value in head.items()]
    table = ""
    for param in sorted(params, key=lambda param: "." in param.name):  # what has no table stands above all tables
        above, _, name = param.name.rpartition(".")
        if above != table:
            table = above
            lines += ["", f"[{table}]"]
        lines += [f"# {param.about} [{param.unit}]" if param.unit else f"# {param.about}"] if param.about else []
        lines.append(f"{name} = {_as_toml(param.value)}")
    return "\n".join(lines)


def read_tables(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested tables by dotted name.

    Examples
    --------
    >>> read_tables({"auditory_nerve": {"n_fibers": 4}})
    {'auditory_nerve.n_fibers': 4}
    """
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= read_tables(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return flat


def _dataclasses_in(value: Any, path: tuple[str, ...]) -> list[tuple[Any, tuple[str, ...]]]:
    """The dataclass that a value is, or those of which it is a tuple, with their paths; none otherwise."""
    if dataclasses.is_dataclass(value):
        return [(value, path)]
    is_several = isinstance(value, tuple | list) and all(dataclasses.is_dataclass(one) for one in value)
    return [(one, (*path, str(i))) for i, one in enumerate(value)] if is_several else []


def _named(leaf: Leaf) -> NamedParam:
    text = " ".join(_descriptions_of(leaf.owner).get(leaf.path[-1], "").split())
    unit = _UNIT.search(text)
    about = re.sub(r"\s*\[[^\[\]\s][^\[\]]*\]", "", text, count=1)
    return NamedParam(leaf.name, leaf.value, unit[1] if unit else "", about.replace("``", "`"))


@cache
def _descriptions_of(owner: type) -> dict[str, str]:
    return describe_fields(owner.__doc__ or "")


def _near(name: str, known: Iterable[str]) -> str:
    last = name.rpartition(".")[2]
    found = nearest(name, known, first=(one for one in known if one.rpartition(".")[2] == last))
    return f"; nearest: {', '.join(found)}" if found else "; `spikedata params` lists those it has"


def _read(value: Any, old: Any) -> Any:
    """A value as given, or read from text as TOML reads it, to replace an old one."""
    if isinstance(value, str):
        if value == "none":
            return None
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return value  # a text without quotes
    if isinstance(old, float) and type(value) is int:
        return float(value)  # in TOML and on the command line, 1 may be written for 1.0
    return tuple(value) if isinstance(value, list) else value


def _as_toml(value: Any) -> str:
    if value is None:
        return '"none"'  # TOML has no null
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_as_toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
