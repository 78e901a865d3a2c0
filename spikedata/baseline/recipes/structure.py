"""Frozen dataclasses as nested JSON and back, by the types of their fields.

Where several dataclasses are allowed, such as the networks of a recipe, the object names its own in ``type``. There is
no registry, so a user's recipe is read back just like one of the catalog. Both directions are strict: what could not
be read back is not written.
"""

from __future__ import annotations

import difflib
import numbers
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

TYPE = "type"

_MOST_SHOWN = 60  # characters of a value in an error


def to_json(value: Any, kind: Any, where: str, *, tagged: bool = False) -> Any:
    """A value as types of JSON.

    Parameters
    ----------
    value : object
        Of that type: a dataclass, a tuple or list, a dict with names for keys, a number, a text, a truth or None.
    kind : type
        Its annotation.
    where : str
        What errors call it.
    tagged : bool
        Whether each dataclass says its ``type``.

    Raises
    ------
    ValueError
        If the value, or one inside it, is not of its type.
    """
    if kind is Any:
        return value
    kinds = _alternatives(kind)
    for one in kinds:
        origin, arguments = typing.get_origin(one), typing.get_args(one)
        if is_dataclass(one) and type(value) is one:
            return _own_or_fields(value, where, tagged=tagged)
        if origin is tuple and isinstance(value, tuple | list) and _has_length(value, arguments):
            return [
                to_json(part, argument, f"{where}[{i}]", tagged=tagged)
                for i, (part, argument) in enumerate(zip(value, _arguments_of(arguments, len(value)), strict=True))
            ]
        if origin in (dict, Mapping) and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: to_json(part, arguments[1], f"{where}.{key}", tagged=tagged) for key, part in value.items()}
    return _plain(value, kinds, where, kind)


def fields_to_json(params: Any, where: str, *, tagged: bool = False) -> dict[str, Any]:
    """The fields of a dataclass as types of JSON; see `to_json`."""
    kinds = _kinds_of(typing.cast(Any, type(params)))
    content = {TYPE: type(params).__name__} if tagged else {}
    for field in fields(params):
        value = getattr(params, field.name)
        content[field.name] = to_json(value, kinds[field.name], f"{where}.{field.name}", tagged=tagged)
    return content


def from_json(content: Any, kind: Any, where: str, *, tagged: bool = False) -> Any:
    """The value that `to_json` has written.

    Parameters
    ----------
    content : object
        Of JSON's types; a dataclass that has been read already stays.
    kind, where, tagged
        As `to_json` takes them.

    Raises
    ------
    ValueError
        If there is no such type, a param is unknown or missing, or one is not of its type or refused. A param whose
        field says in its metadata that it was ``added_later`` may be missing: it had its default when there was none.
    """
    if kind is Any:
        return content
    kinds = _alternatives(kind)
    if is_dataclass(content) and type(content) in kinds:
        return content
    if isinstance(content, Mapping):
        known = {typing.cast(type, one).__name__: one for one in kinds if is_dataclass(one)}
        if known:
            return _dataclass_from(content, known, where, tagged=tagged)
    for one in kinds:
        origin, arguments = typing.get_origin(one), typing.get_args(one)
        if origin is tuple and isinstance(content, tuple | list) and _has_length(content, arguments):
            return tuple(
                from_json(part, argument, f"{where}[{i}]", tagged=tagged)
                for i, (part, argument) in enumerate(zip(content, _arguments_of(arguments, len(content)), strict=True))
            )
        if origin in (dict, Mapping) and isinstance(content, Mapping):
            return {
                key: from_json(part, arguments[1], f"{where}.{key}", tagged=tagged) for key, part in content.items()
            }
    return _plain(content, kinds, where, kind)


def fields_from_json(content: Any, kind: type, where: str, *, tagged: bool = False) -> Any:
    """The dataclass whose fields `fields_to_json` has written; see `from_json`."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{where} must be {kind.__name__}, got {_shown(content)}")
    kinds = _kinds_of(kind)
    known = fields(typing.cast(Any, kind))
    names = [field.name for field in known]
    for name in content:
        if name not in names and not (tagged and name == TYPE):
            nearest = difflib.get_close_matches(str(name), names, n=3)
            hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
            raise ValueError(f"{where}: {kind.__name__} has no param {name!r}{hint}")
    for field in known:
        if field.name not in content and not field.metadata.get("added_later"):
            raise ValueError(f"{where}: {kind.__name__} lacks the param {field.name!r}")
    given = [name for name in names if name in content]
    return kind(**{name: from_json(content[name], kinds[name], f"{where}.{name}", tagged=tagged) for name in given})


def flattened(content: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every leaf of nested JSON by its path; the ``type`` of an object by that of the object itself.

    Examples
    --------
    >>> flattened({"network": {"type": "CountParams", "strengths": [1.0]}})
    {('network',): 'CountParams', ('network', 'strengths'): [1.0]}
    """
    if isinstance(content, Mapping):
        parts = [((*path, key) if key != TYPE else path, part) for key, part in content.items()]
    elif isinstance(content, list) and any(isinstance(part, Mapping) for part in content):
        parts = [((*path, str(i)), part) for i, part in enumerate(content)]
    else:
        return {path: content}
    return {place: leaf for inner, part in parts for place, leaf in flattened(part, inner).items()}


def in_words(kind: Any) -> str:
    """What a type asks for, in words."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(in_words(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        one, *more = typing.get_args(kind)
        plural = {float: "numbers", int: "whole numbers", str: "names"}.get(one)
        if plural is None:
            return f"several, each {in_words(one)}"
        return (
            f"{plural} separated by commas" if more == [Ellipsis] else f"{1 + len(more)} {plural} separated by commas"
        )
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(kind)))}"
    if is_dataclass(kind):
        return typing.cast(type, kind).__name__
    if kind is bool:
        return "true or false"
    return "none" if kind is type(None) else f"of type {getattr(kind, '__name__', kind)}"


def _own_or_fields(value: Any, where: str, *, tagged: bool) -> dict[str, Any]:
    return value.to_json() if hasattr(value, "to_json") else fields_to_json(value, where, tagged=tagged)


def _dataclass_from(content: Mapping[str, Any], known: Mapping[str, Any], where: str, *, tagged: bool) -> Any:
    if tagged or len(known) > 1:
        name = str(content.get(TYPE))
        if name not in known:
            found = f"got {name!r}" if TYPE in content else "it names none"
            raise ValueError(f"{where}: its type must be {' or '.join(known)}, {found}")
        return fields_from_json(content, known[name], where, tagged=tagged)
    (kind,) = known.values()
    return kind.from_json(content) if hasattr(kind, "from_json") else fields_from_json(content, kind, where)


def _plain(value: Any, kinds: tuple[Any, ...], where: str, kind: Any) -> Any:
    """A number, text, truth or None as JSON has it; NumPy's numbers count as numbers."""
    for one in kinds:
        literals = typing.get_args(one) if typing.get_origin(one) is typing.Literal else ()
        if (value is None and one is type(None)) or (isinstance(value, str) and (one is str or value in literals)):
            return value
        if one is bool and isinstance(value, bool):
            return value
        if isinstance(value, bool):
            continue
        if one is int and isinstance(value, numbers.Integral):
            return int(value)
        if one is float and isinstance(value, numbers.Real):
            return float(value)
    raise ValueError(f"{where} must be {in_words(kind)}, got {_shown(value)}")


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return typing.get_args(kind) if is_union else (kind,)


def _has_length(value: tuple[Any, ...] | list[Any], arguments: tuple[Any, ...]) -> bool:
    return arguments[-1] is Ellipsis or len(value) == len(arguments)


def _arguments_of(arguments: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    return (arguments[0],) * n if arguments[-1] is Ellipsis else arguments


@cache
def _kinds_of(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]} …"
