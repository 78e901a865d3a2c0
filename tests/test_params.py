"""Every params class of both packages refuses what is not of its declared types, and keeps plain values.

The classes are found, not listed; what a field must take and refuse is read from its annotation.
"""

import dataclasses
import importlib
import inspect
import json
import math
import pkgutil
import re
import types
import typing
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import cochlea
import spikedata
from spikedata.transforms import EventTransform, TimeReversal

NAN = float("nan")
NOT_WHOLE = (True, np.True_, 2.5, 2.0, np.float32(2), NAN, math.inf, "1", None, [1], 1j)
NOT_A_NUMBER = (True, np.True_, NAN, np.float64("nan"), math.inf, -math.inf, 10**400, "0.5", None, [0.5], 1j)
NOT_A_TEXT = (True, 3, 2.5, NAN, None, b"adam", ["adam"])
NOT_A_TRUTH = (0, 1, 1.0, NAN, "yes", None, [])
NOT_A_TUPLE = (True, 3, 2.5, NAN, "1", None, {1: 2}, {1, 2})
NOT_OF_THE_CLASS = (True, 3, 2.5, NAN, "LIF", None, {})


def is_checked(value: object) -> bool:
    """Whether a class is one of params: by its name, by being a transform, or by checking its fields."""
    if not (isinstance(value, type) and dataclasses.is_dataclass(value)):
        return False
    made = getattr(value, "__post_init__", None)
    return (
        value.__name__.endswith("Params")
        or hasattr(value, "transform_events")
        or (made is not None and "check_fields" in made.__code__.co_names)
    )


def find_classes() -> Iterator[type]:
    for package in (cochlea, spikedata):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                values = vars(importlib.import_module(module.name)).values()
                yield from (v for v in values if is_checked(v) and v.__module__ == module.name)


def is_union(kind: object) -> bool:
    return isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union


def is_tuple(kind: object) -> bool:
    return typing.get_origin(kind) in (tuple, Sequence)


def kinds_of(owner: type) -> dict[str, object]:
    """The declared types, their rules left away."""
    return typing.get_type_hints(owner)


def example_of(kind: object) -> object:
    if is_tuple(kind):
        return (example_of(typing.get_args(kind)[0]),)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return example(kind)
    return TimeReversal() if kind is EventTransform else {int: 1, float: 1.0, str: "x", bool: True}[kind]


OF_ITS_OWN_FORM: dict[str, dict[str, object]] = {"NetworkCode": {"name": "networks:Mine"}}


def example(owner: type) -> object:
    """An object of the class: its defaults, and something that fits where it has none."""
    needed = {f.name for f in dataclasses.fields(owner) if f.default is f.default_factory is dataclasses.MISSING}
    values = {name: example_of(kind) for name, kind in kinds_of(owner).items() if name in needed}
    return owner(**values | OF_ITS_OWN_FORM.get(owner.__name__, {}))


def wrong_values(kind: object) -> list[object]:
    """What a field of a declared type must refuse."""
    if is_union(kind):
        by_arm = [wrong_values(one) for one in typing.get_args(kind)]
        return [v for v in by_arm[0] if all(any(v is w for w in values) for values in by_arm)]
    if kind is type(None):
        return [v for v in EVERYTHING if v is not None]
    if is_tuple(kind):
        one = wrong_values(typing.get_args(kind)[0])
        return [*NOT_A_TUPLE, *([value] for value in one)]
    if typing.get_origin(kind) is typing.Literal:
        return [*NOT_A_TEXT, "nonsense"]
    if typing.get_origin(kind) is dict:
        return [v for v in NOT_OF_THE_CLASS if not isinstance(v, dict)]
    plain = {int: NOT_WHOLE, float: NOT_A_NUMBER, str: NOT_A_TEXT, bool: NOT_A_TRUTH}
    return list(plain.get(kind, NOT_OF_THE_CLASS))


EVERYTHING = [*NOT_WHOLE, *NOT_A_NUMBER, *NOT_A_TEXT, *NOT_A_TRUTH, *NOT_A_TUPLE, *NOT_OF_THE_CLASS]
CLASSES = list(find_classes())
FIELDS = [(owner, name) for owner in CLASSES for name in kinds_of(owner)]
MAY_BE_INFINITE = {"ramp_duration"}  # which asks for one window over the whole sound
EVERY_FIELD = pytest.mark.parametrize(("owner", "name"), FIELDS, ids=[f"{c.__name__}.{n}" for c, n in FIELDS])


def test_the_classes_of_both_packages_are_found():
    names = {owner.__name__ for owner in CLASSES}
    assert {"CochleaParams", "TrainParams", "ChannelMerge", "SplitChoice", "TransferParams"} <= names


@EVERY_FIELD
def test_a_field_refuses_what_is_not_of_its_type_in_one_line(owner, name):
    before = example(owner)
    for value in wrong_values(kinds_of(owner)[name]):
        if name in MAY_BE_INFINITE and value == math.inf:
            continue
        with pytest.raises((ValueError, TypeError)) as caught:
            dataclasses.replace(before, **{name: value})
        message = str(caught.value)
        assert re.match(rf"{owner.__name__}\.{name} must be .+, got ", message), (value, message)
        assert "\n" not in message


def numpy_twin(value: object) -> object:
    """The same value as NumPy has it, and a list for a tuple."""
    if isinstance(value, tuple):
        return [numpy_twin(item) for item in value]
    twins = {bool: np.bool_, int: np.int32, float: np.float64, str: np.str_}
    return twins[type(value)](value) if type(value) in twins else value


@pytest.mark.parametrize("owner", CLASSES, ids=lambda owner: owner.__name__)
def test_numpy_values_and_lists_are_kept_as_plain_ones(owner):
    plain = example(owner)
    values = {name: getattr(plain, name) for name in kinds_of(owner)}
    twin = owner(**{name: numpy_twin(value) for name, value in values.items()})
    assert (twin, hash(twin), repr(twin)) == (plain, hash(plain), repr(plain))
    for name, value in values.items():
        assert type(getattr(twin, name)) is type(value)
        if isinstance(value, tuple):
            assert [type(item) for item in getattr(twin, name)] == [type(item) for item in value]


@pytest.mark.parametrize("owner", [c for c in CLASSES if c.__name__.endswith("Params")], ids=lambda c: c.__name__)
def test_params_of_numpy_values_are_written_as_before(owner):
    plain = example(owner)
    values = {name: getattr(plain, name) for name in kinds_of(owner)}
    twin = owner(**{name: numpy_twin(value) for name, value in values.items()})
    assert json.dumps(dataclasses.asdict(twin)) == json.dumps(dataclasses.asdict(plain))


def test_both_packages_check_alike():
    # one text in two places, since neither package may load the other for it
    ours, theirs = (inspect.getsource(importlib.import_module(f"{name}.checks")) for name in ("cochlea", "spikedata"))
    assert ours == theirs
