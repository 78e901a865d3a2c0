"""Every parameter says its unit: the docstring of each params class lists each field with one in brackets."""

import dataclasses
import importlib
import pkgutil
import re
import typing
from collections.abc import Iterator

import pytest

import cochlea
import spikedata
from spikedata.named_params import describe_fields

UNIT = re.compile(r"\[[^\[\]\s][^\[\]]*\]")


def is_params(value: object) -> typing.TypeGuard[type]:
    return isinstance(value, type) and value.__name__.endswith("Params") and dataclasses.is_dataclass(value)


def find_params_classes() -> Iterator[type]:
    """The params classes of both packages, each once, from the module that defines it."""
    for package in (cochlea, spikedata):
        names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
        for name in (package.__name__, *(name for name in names if not name.endswith("__main__"))):
            values = vars(importlib.import_module(name)).values()
            yield from (value for value in values if is_params(value) and value.__module__ == name)


def find_missing_units(params_class: type) -> list[str]:
    """The fields that the docstring leaves out or describes without a unit; params within params need none."""
    descriptions = describe_fields(params_class.__doc__ or "")
    types = typing.get_type_hints(params_class)
    plain = [
        f.name
        for f in dataclasses.fields(params_class)
        if not all(map(is_params, typing.get_args(types[f.name]) or [types[f.name]]))
    ]
    return [name for name in plain if not UNIT.search(descriptions.get(name, ""))]


PARAMS_CLASSES = list(find_params_classes())


def test_both_packages_have_params():
    assert {params_class.__module__.partition(".")[0] for params_class in PARAMS_CLASSES} == {"cochlea", "spikedata"}


@pytest.mark.parametrize("params_class", PARAMS_CLASSES, ids=lambda c: c.__name__)
def test_every_parameter_says_its_unit(params_class):
    missing = find_missing_units(params_class)
    assert not missing, f"{params_class.__name__}: no unit in brackets, such as [s] or [1], for {missing}"


@pytest.mark.parametrize("params_class", PARAMS_CLASSES, ids=lambda c: c.__name__)
def test_params_are_frozen_and_keyword_only(params_class):
    assert params_class.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(params_class) if field.init)


@pytest.mark.parametrize("params_class", PARAMS_CLASSES, ids=lambda c: c.__name__)
def test_the_docstring_names_no_field_that_is_gone(params_class):
    described = describe_fields(params_class.__doc__ or "").keys()
    assert described <= {field.name for field in dataclasses.fields(params_class)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoodParams:
    """Each field has its unit.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    alpha, beta : float
        Decay along the membrane, over two
        lines [1/cm].

    Raises
    ------
    ValueError
        [s] never.
    """

    tau_mem: float = 0.02
    alpha: float = 3.0
    beta: float = 3.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class BadParams:
    """One field without a unit, one with empty brackets, one left out.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane.
    gain : float
        Gain [ ].
    good : GoodParams
        Params within params.

    Notes
    -----
    threshold : float
        Not in the section of parameters [1].
    """

    tau_mem: float = 0.02
    gain: float = 1.0
    threshold: float = 1.0
    good: GoodParams = GoodParams()


@dataclasses.dataclass(frozen=True, kw_only=True)
class SilentParams:
    tau_mem: float = 0.02


def test_the_check_finds_what_is_missing():
    assert find_missing_units(GoodParams) == []
    assert find_missing_units(BadParams) == ["tau_mem", "gain", "threshold"]
    assert find_missing_units(SilentParams) == ["tau_mem"]
