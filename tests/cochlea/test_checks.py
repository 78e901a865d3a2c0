from dataclasses import dataclass

import pytest

from cochlea.checks import require_range


@dataclass
class PoolParams:
    size: object = 1.0
    depth: object = 2


def test_values_in_their_range_pass():
    require_range(PoolParams(), above=0)
    require_range(PoolParams(), "size", at_least=1.0)
    require_range(PoolParams(), "depth", above=1, whole=True)


def test_the_message_names_the_params_the_rule_and_the_value():
    with pytest.raises(ValueError, match=r"^PoolParams\.size must be > 0, got -1$"):
        require_range(PoolParams(size=-1), "size", above=0)


def test_an_open_bound_excludes_itself():
    with pytest.raises(ValueError, match=r"size must be > 0, got 0"):
        require_range(PoolParams(size=0), "size", above=0)


def test_a_closed_bound_includes_itself():
    require_range(PoolParams(size=0), "size", at_least=0)
    with pytest.raises(ValueError, match=r"size must be >= 0, got -0\.5"):
        require_range(PoolParams(size=-0.5), "size", at_least=0)


def test_all_fields_are_checked_when_none_is_named():
    with pytest.raises(ValueError, match=r"depth must be > 0, got -2"):
        require_range(PoolParams(depth=-2), above=0)


def test_a_field_that_is_not_named_is_not_checked():
    require_range(PoolParams(depth=-2), "size", above=0)


@pytest.mark.parametrize("value", ["1", None, True, float("nan"), 1j, [1.0]])
def test_what_is_not_a_number_is_refused(value):
    with pytest.raises(ValueError, match=r"PoolParams\.size must be a number, got"):
        require_range(PoolParams(size=value), "size", above=0)


@pytest.mark.parametrize("value", [float("inf"), -float("inf")])
def test_infinity_is_refused(value):
    with pytest.raises(ValueError, match=r"PoolParams\.size must be finite, got"):
        require_range(PoolParams(size=value), "size")


def test_infinity_passes_where_it_is_allowed():
    require_range(PoolParams(size=float("inf")), "size", above=0, finite=False)


def test_a_fraction_is_not_a_whole_number():
    with pytest.raises(ValueError, match=r"depth must be a whole number, got 2\.0"):
        require_range(PoolParams(depth=2.0), "depth", whole=True)
