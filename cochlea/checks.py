"""Checks of params: one line that names the params, the rule and the value."""

from dataclasses import fields
from math import isinf, isnan
from typing import Any


def require_range(
    params: Any,
    *names: str,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    whole: bool = False,
    finite: bool = True,
) -> None:
    """Raise unless the named fields of a params object are numbers in their range.

    Parameters
    ----------
    params : dataclass
        Any params object.
    *names : str
        The fields to check; all of them if none is named.
    above, at_least, at_most : float, optional
        The open or the closed lower bound and the closed upper bound, in the unit of the field.
    whole : bool
        Whether the fields must be whole numbers.
    finite : bool
        Whether infinity is refused.

    Raises
    ------
    ValueError
        `HairCellParams.free must be > 0, got -1`.
    """
    for name in names or tuple(field.name for field in fields(params)):
        value = getattr(params, name)
        where = f"{type(params).__name__}.{name} must be"
        if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value):
            raise ValueError(f"{where} a number, got {value!r}")
        if whole and not isinstance(value, int):
            raise ValueError(f"{where} a whole number, got {value!r}")
        if finite and isinf(value):
            raise ValueError(f"{where} finite, got {value!r}")
        if above is not None and not value > above:
            raise ValueError(f"{where} > {above:g}, got {value!r}")
        if at_least is not None and not value >= at_least:
            raise ValueError(f"{where} >= {at_least:g}, got {value!r}")
        if at_most is not None and not value <= at_most:
            raise ValueError(f"{where} <= {at_most:g}, got {value!r}")
