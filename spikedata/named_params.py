"""Params by dotted name: list them with unit and meaning, replace their values, and write them as text or TOML."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

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
    return list(_walk(params, ""))


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
    known = [param.name for param in list_params(params)]
    for name in values:
        if name not in known:
            raise ValueError(f"{what} has no param {name!r}{_near(name, known)}")
    return _replaced(params, {name: _read(value) for name, value in values.items()}, "")


def format_params(params: Iterable[NamedParam]) -> str:
    """A text table of the params: name, value, unit and meaning.

    Parameters
    ----------
    params : iterable of NamedParam
        From `list_params`.
    """
    rows = [("NAME", "VALUE", "UNIT", "WHAT IT IS")]
    rows += [(name, _as_toml(value), f"[{unit}]" if unit else "", about) for name, value, unit, about in params]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[3]]).rstrip() for row in rows)


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
    for param in params:
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


def _walk(params: Any, above: str) -> Iterator[NamedParam]:
    descriptions = describe_fields(type(params).__doc__ or "")
    for field in dataclasses.fields(params):
        value = getattr(params, field.name)
        if dataclasses.is_dataclass(value):
            yield from _walk(value, f"{above}{field.name}.")
        else:
            text = " ".join(descriptions.get(field.name, "").split())
            unit = _UNIT.search(text)
            about = re.sub(r"\s*\[[^\[\]\s][^\[\]]*\]", "", text, count=1)
            yield NamedParam(above + field.name, value, unit[1] if unit else "", about.replace("``", "`"))


def _near(name: str, known: Iterable[str]) -> str:
    last = name.rpartition(".")[2]
    same = [one for one in known if one.rpartition(".")[2] == last]
    nearest = list(dict.fromkeys([*same, *difflib.get_close_matches(name, known, n=3)]))[:3]
    return f"; nearest: {', '.join(nearest)}" if nearest else "; `spikedata params` lists those it has"


def _replaced(params: _Params, values: Mapping[str, Any], above: str) -> _Params:
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(params):  # type: ignore[arg-type]
        old, name = getattr(params, field.name), above + field.name
        if dataclasses.is_dataclass(old):
            changes[field.name] = _replaced(old, values, f"{name}.")
        elif name in values:
            # in TOML and on the command line, 1 may be written for 1.0
            is_whole = isinstance(old, float) and type(values[name]) is int
            changes[field.name] = float(values[name]) if is_whole else values[name]
    return dataclasses.replace(params, **changes)  # type: ignore[type-var]


def _read(value: Any) -> Any:
    if isinstance(value, str):
        if value == "none":
            return None
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return value  # a text without quotes
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
