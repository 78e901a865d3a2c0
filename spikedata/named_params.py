"""Params by dotted name: list them with unit and meaning, replace their values, and write them as text or TOML."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
import math
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

from spikedata.printable import in_columns

_Params = TypeVar("_Params")
_NONE: Mapping[tuple[str, ...], Any] = types.MappingProxyType({})
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


def leaves(params: Any, above: tuple[str, ...] = (), bases: Mapping[tuple[str, ...], Any] = _NONE) -> Iterator[Leaf]:
    """The params in a dataclass and in the dataclasses inside it, in their order.

    Parameters
    ----------
    params : dataclass
        The params.
    above : tuple of str
        Path of the dataclass itself, put in front of every path.
    bases : mapping of tuple of str to object
        What stands at some paths instead of what `params` has there, as `switched` gives it.
    """
    kinds = typing.get_type_hints(type(params))
    for field in dataclasses.fields(params):
        path = (*above, field.name)
        value = bases[path] if path in bases else getattr(params, field.name)
        inner = _dataclasses_in(value, path)
        if inner:
            for one, place in inner:
                yield from leaves(one, place, bases)
        else:
            yield Leaf(type(params), path, value, kinds[field.name])


def replaced(
    params: _Params,
    values: Mapping[tuple[str, ...], Any],
    above: tuple[str, ...] = (),
    bases: Mapping[tuple[str, ...], Any] = _NONE,
) -> _Params:
    """The params with other values at some paths, as `leaves` gives them; the dataclasses check the values.

    Parameters
    ----------
    params : dataclass
        The params to start from.
    values : mapping of tuple of str to object
        New values by path.
    above, bases
        As `leaves` takes them.
    """
    # each dataclass is made anew once, with all of its new values, so that no rule is asked of a state in between
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(params):  # type: ignore[arg-type]
        path = (*above, field.name)
        value = bases[path] if path in bases else getattr(params, field.name)
        inner = [replaced(one, values, place, bases) for one, place in _dataclasses_in(value, path)]
        if inner:
            changes[field.name] = inner[0] if dataclasses.is_dataclass(value) else tuple(inner)
        elif path in values:
            changes[field.name] = values[path]
        elif path in bases:
            changes[field.name] = value
    return dataclasses.replace(params, **changes)  # type: ignore[type-var]


def switched(params: Any, values: Mapping[str, Any], above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """What stands, for some values, where params may be of several kinds: one of several dataclasses, or none.

    The names decide: a dataclass that has exactly those below the place; otherwise the present one, if it has all of
    them; otherwise the first that has. It stands there with its defaults. A value for the place itself is none, or the
    name of a dataclass.

    Parameters
    ----------
    params : dataclass
        The params to start from.
    values : mapping of str to object
        New values by dotted name.
    above : tuple of str
        As `leaves` takes it.

    Returns
    -------
    dict of tuple of str to object
        By path, a dataclass with its defaults, or None.

    Examples
    --------
    >>> from cochlea import CochleaParams
    >>> switched(CochleaParams.human(), {"compression": "none"})
    {('compression',): None}
    >>> [type(value).__name__ for value in switched(CochleaParams(), {"hair_cell.low.share": 0.16}).values()]
    ['SumnerHairCellParams']
    """
    found: dict[tuple[str, ...], Any] = {}
    hints = typing.get_type_hints(type(params))
    for field in dataclasses.fields(params):
        value, path = getattr(params, field.name), (*above, field.name)
        kinds = [kind for kind in _alternatives(hints[field.name]) if dataclasses.is_dataclass(kind)]
        if kinds and len(_alternatives(hints[field.name])) > 1:
            kind = _kind_for(".".join(path), values, value, typing.cast(list[type], kinds))
            if kind is not type(value):
                value = found[path] = kind()
        for one, place in _dataclasses_in(value, path):
            found |= switched(one, values, place)
    return found


def _kind_for(name: str, values: Mapping[str, Any], value: Any, kinds: list[type]) -> type:
    """The class of what stands at a place, for some values."""
    if values.get(name, name) in (None, "none"):
        return type(None)
    by_name = {kind.__name__: kind for kind in kinds}
    if values.get(name) in by_name:
        return by_name[values[name]]
    inside = {rest.partition(".")[0] for other in values for rest in [other.removeprefix(f"{name}.")] if rest != other}
    if not inside:
        return type(value)
    exact = [kind for kind in kinds if inside == _field_names(kind)]  # as in a file that names all
    present = [type(value)] if dataclasses.is_dataclass(value) else []
    return next((kind for kind in (*exact, *present, *kinds) if inside <= _field_names(kind)), type(value))


def _field_names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return typing.get_args(kind) if is_union else (kind,)


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


def with_values(params: _Params, values: Mapping[str, Any], *, what: str, as_stored: bool = False) -> _Params:
    """The params with some values replaced; the dataclasses check the new values.

    Parameters
    ----------
    params : dataclass
        The params to start from.
    values : mapping of str to object
        New values by dotted name. Texts are parsed as TOML values if possible; lists become tuples. Where there may be
        one of several dataclasses, or none, the names decide, as `switched` says.
    what : str
        The owner of the params, for error messages.
    as_stored : bool
        Whether 1 stays 1 where a person may write it for 1.0, so that params are those that a program wrote.

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
    bases = switched(params, values)
    known = {leaf.name: leaf for leaf in leaves(params, bases=bases)}
    changes: dict[tuple[str, ...], Any] = {}
    for name, value in values.items():
        if name in known:
            changes[known[name].path] = _read(value, Any if as_stored else known[name].kind)
        elif not _names_a_kind(name, value, params, bases):
            raise ValueError(f"{what} has no param {name!r}{_near(name, _names_in_all_kinds(params))}")
    return replaced(params, changes, bases=bases)


def _names_a_kind(name: str, value: Any, params: Any, bases: Mapping[tuple[str, ...], Any]) -> bool:
    """Whether a value is the name of the dataclass that stands in its place."""
    place = bases.get(tuple(name.split(".")), _at(params, name))
    return dataclasses.is_dataclass(place) and type(place).__name__ == value


def _at(params: Any, name: str) -> Any:
    for part in name.split("."):
        params = getattr(params, part, None)
    return params


def _names_in_all_kinds(params: Any, above: tuple[str, ...] = ()) -> list[str]:
    """The dotted names of the params, and of those that stand there where a place may hold another dataclass."""
    names = [leaf.name for leaf in leaves(params, above)]
    hints = typing.get_type_hints(type(params))
    for field in dataclasses.fields(params):
        value, path = getattr(params, field.name), (*above, field.name)
        for kind in _alternatives(hints[field.name]):
            if dataclasses.is_dataclass(kind) and kind is not type(value):
                names += _names_in_all_kinds(typing.cast(type, kind)(), path)
        for one, place in _dataclasses_in(value, path):
            names += _names_in_all_kinds(one, place)
    return list(dict.fromkeys(names))


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
    table, tables = "", [""]  # what has no table stands above all, and no table may begin twice
    params = list(params)
    tables += dict.fromkeys(param.name.rpartition(".")[0] for param in params)
    for param in sorted(params, key=lambda param: tables.index(param.name.rpartition(".")[0])):
        above, _, name = param.name.rpartition(".")
        if above != table:
            table = above
            lines += ["", f"[{table}]"]
        lines += [f"# {param.about} [{param.unit}]" if param.unit else f"# {param.about}"] if param.about else []
        lines.append(f"{name} = {_as_toml(param.value)}")
    return "\n".join(lines)


def read_value(text: str) -> Any:
    """A value from text as TOML reads it; a text needs no quotes, and ``none`` is None.

    Examples
    --------
    >>> read_value("[1, 2]"), read_value("gru"), read_value("none")
    ([1, 2], 'gru', None)
    """
    if text == "none":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


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


def _read(value: Any, kind: Any) -> Any:
    """A value as given, or read from text as TOML reads it, for a param with an annotation."""
    if isinstance(value, str):
        value = read_value(value)
        if value is None or isinstance(value, str):
            return value
    kinds = _alternatives(kind)
    if type(value) is int and float in kinds and int not in kinds:
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
