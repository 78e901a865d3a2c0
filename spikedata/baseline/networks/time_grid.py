"""The steps that a clip is divided into, and the inputs that its units become."""

from __future__ import annotations

from typing import Any

_ROUNDING = 1e-9  # what duration may differ from n_steps * dt by, of itself


def check_time_grid(params: Any) -> None:
    """Raise ValueError unless ``duration`` is a whole number of ``dt``, both positive, at least one."""
    if not is_whole(params.duration, params.dt) or count_steps(params.duration, params.dt) < 1:
        raise ValueError(
            f"{type(params).__name__}.duration must be a whole number of dt, got {params.duration} and {params.dt}"
        )


def is_whole(duration: float, dt: float) -> bool:
    """Whether a duration [s] is a whole number of steps of ``dt`` [s], but for rounding."""
    return abs(count_steps(duration, dt) * dt - duration) <= _ROUNDING * duration


def count_steps(duration: float, dt: float) -> int:
    """How many steps of ``dt`` [s] a duration [s] has."""
    return round(duration / dt)


def count_inputs(n_units: int, n_merged: int) -> int:
    """How many inputs the units of a file become, ``n_merged`` neighbors as one, the last perhaps of fewer."""
    return -(-n_units // n_merged)
