"""Checks of params at their entrance: one line that names the param, the rule and the value found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def check_positive(params: Any, *names: str) -> None:
    """Raise ValueError unless each named number is positive and finite."""
    for name in names:
        value = getattr(params, name)
        if not 0 < value < math.inf:
            raise ValueError(f"{type(params).__name__}.{name} must be > 0, got {value}")


def check_not_negative(params: Any, *names: str) -> None:
    """Raise ValueError unless each named number is 0 or more, and finite."""
    for name in names:
        value = getattr(params, name)
        if not 0 <= value < math.inf:
            raise ValueError(f"{type(params).__name__}.{name} must be >= 0, got {value}")


def check_fraction(params: Any, *names: str) -> None:
    """Raise ValueError unless each named number is at least 0 and below 1."""
    for name in names:
        value = getattr(params, name)
        if not 0 <= value < 1:
            raise ValueError(f"{type(params).__name__}.{name} must be >= 0 and < 1, got {value}")


def check_choice(params: Any, name: str, choices: Sequence[str]) -> None:
    """Raise ValueError unless a named text is one of the choices."""
    value = getattr(params, name)
    if value not in choices:
        raise ValueError(f"{type(params).__name__}.{name} must be one of {', '.join(choices)}, got {value!r}")


def check_sizes(params: Any, *names: str) -> None:
    """Raise ValueError unless each named tuple holds whole numbers >= 1, at least one."""
    for name in names:
        sizes = getattr(params, name)
        if not sizes or not all(isinstance(size, int) and size >= 1 for size in sizes):
            raise ValueError(f"{type(params).__name__}.{name} must be whole numbers >= 1, at least one, got {sizes}")
