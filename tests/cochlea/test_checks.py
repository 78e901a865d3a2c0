"""The rules of a field, and what is said of a value that breaks one. Real params: tests/test_params.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

from cochlea.checks import (
    Bounds,
    Count,
    NotNegative,
    OneOf,
    Order,
    Positive,
    Share,
    ShareBelowOne,
    Sizes,
    check_fields,
    checked,
    checked_object,
    whole_number,
)


@dataclass(frozen=True, kw_only=True)
class PoolParams:
    size: Positive = 1.0
    depth: Count = 2

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class TankParams:
    pool: PoolParams | tuple[PoolParams, ...] = PoolParams()

    def __post_init__(self):
        check_fields(self)


def test_the_message_names_the_params_the_rule_and_the_value():
    with pytest.raises(ValueError, match=r"^PoolParams\.size must be > 0, got -1$"):
        PoolParams(size=-1)
    with pytest.raises(ValueError, match=r"^PoolParams\.depth must be a whole number >= 1, got 2\.5$"):
        PoolParams(depth=2.5)


def test_a_message_stays_one_line_however_large_the_value():
    with pytest.raises(ValueError, match=r"got an array of shape \(3, 3\)$"):
        PoolParams(size=np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"got \[0, 1, .* …$") as caught:
        PoolParams(size=list(range(10_000)))
    assert len(str(caught.value)) < 200


def test_params_given_as_a_dict_are_refused_with_the_way_to_make_them():
    with pytest.raises(
        TypeError, match=r"pool must be PoolParams or a tuple of PoolParams, got \{'size': 2\}; PoolParams\(\*\*"
    ):
        TankParams(pool={"size": 2})
    with pytest.raises(TypeError, match=r"^params must be PoolParams, got \{\}; PoolParams\(\*\*values\) builds it"):
        checked_object("params", {}, PoolParams)


def test_a_class_is_not_one_of_its_objects():
    with pytest.raises(TypeError, match=r"TankParams\.pool must be PoolParams"):
        TankParams(pool=PoolParams)


def test_a_tuple_of_params_may_come_as_a_list():
    assert TankParams(pool=[PoolParams(), PoolParams(depth=3)]).pool == (PoolParams(), PoolParams(depth=3))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Positive, 1e-300),
        (Positive, 5),
        (NotNegative, 0),
        (Share, 1.0),
        (ShareBelowOne, 0),
        (Count, 1),
        (Count, 10**30),
        (Sizes, (3, 4)),
        (Annotated[float, Bounds(is_finite=False)], float("inf")),
        (Annotated[str, OneOf(("a", "b"))], "b"),
        (Literal["a", "b"], "a"),
        (bool, False),
        (int | None, None),
        (Annotated[tuple[float, float], Order(rises=True)], (1, 1.5)),
    ],
)
def test_a_value_that_fits_is_handed_back_itself(kind, value):
    assert checked("x", value, kind) is value


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        (Positive, 0, "> 0"),
        (NotNegative, -0.5, ">= 0"),
        (Share, 1.5, "in 0..1"),
        (ShareBelowOne, 1, ">= 0 and < 1"),
        (float, float("inf"), "finite"),
        (float, 10**400, "finite"),
        (Annotated[float, Bounds(is_finite=False)], 10**400, "finite"),
        (float, float("nan"), "a number"),
        (float, True, "a number"),
        (float, np.True_, "a number"),
        (float, None, "a number"),
        (int, 2.0, "a whole number"),
        (int, np.float64(2), "a whole number"),
        (Annotated[int, Bounds(at_least=2)] | None, "2", "a whole number >= 2 or None"),
        (Annotated[int, Bounds(at_least=2)] | None, 1, ">= 2"),
        (str, 3, "a string"),
        (Annotated[str, OneOf(("a", "b"))], "c", "one of a, b"),
        (Annotated[str, OneOf(("a", "b"))], 3, "one of a, b"),
        (Literal["a", "b"], None, "one of a, b"),
        (bool, 1, "True or False"),
        (Sizes, (), "whole numbers >= 1, at least one"),
        (Sizes, (3, 0), "whole numbers >= 1, at least one"),
        (Sizes, 3, "whole numbers >= 1, at least one"),
        (Sizes, "34", "whole numbers >= 1, at least one"),
        (Sizes, {3, 4}, "whole numbers >= 1, at least one"),
        (Sequence[int], [1, 2.5], "whole numbers"),
        (tuple[str, ...], "ab", "strings"),
        (Annotated[tuple[float, float], Order(rises=True)], (2, 1), "two ascending numbers"),
        (Annotated[tuple[float, float], Bounds(above=0), Order(rises=True)], (1, 2, 3), "two ascending numbers > 0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_rule(kind, value, rule):
    with pytest.raises(ValueError, match=r"^x must be ") as caught:
        checked("x", value, kind)
    assert str(caught.value).startswith(f"x must be {rule}, got ")


@pytest.mark.parametrize(
    ("kind", "value", "plain"),
    [
        (int, np.uint16(7), 7),
        (float, np.int64(7), 7),
        (float, np.float32(0.5), 0.5),
        (bool, np.True_, True),
        (str, np.str_("a"), "a"),
        (Sizes, [3, np.int8(4)], (3, 4)),
        (Sizes, np.array([3, 4]), (3, 4)),
        (Sizes, range(3, 5), (3, 4)),
        (int | None, np.int32(7), 7),
    ],
)
def test_numpy_values_and_lists_become_plain_ones(kind, value, plain):
    found = checked("x", value, kind)
    assert (found, type(found)) == (plain, type(plain))
    assert not isinstance(found, tuple) or [type(item) for item in found] == [type(item) for item in plain]


def test_a_whole_number_of_an_argument_is_python_s():
    assert type(whole_number("n_steps", np.int64(3), at_least=1)) is int
    with pytest.raises(ValueError, match=r"^n_steps must be a whole number >= 1, got 2\.5$"):
        whole_number("n_steps", 2.5, at_least=1)
