"""The unit of the times in a file by another writer, where the user says that it is not the second."""

from __future__ import annotations

import re

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SAMPLES = re.compile(r"samples@(\d+(?:\.\d+)?)(k?)(?:hz)?")


def check_time_unit(time_unit: str | None) -> str | None:
    """A unit of time as it is kept on cards and in names of caches; None stays None.

    Parameters
    ----------
    time_unit : str or None
        "s", "ms", "us" (or "µs"), "ns", or samples at a rate [Hz]: "samples@16000".

    Raises
    ------
    ValueError
        If there is no such unit.

    Examples
    --------
    >>> check_time_unit("µs"), check_time_unit("samples@16kHz"), check_time_unit(None)
    ('us', 'samples@16000', None)
    """
    if time_unit is None:
        return None
    text = str(time_unit).strip().replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    if text in _PER_SECOND:
        return text
    found = _SAMPLES.fullmatch(text.lower())
    rate = float(found[1]) * (1000 if found[2] else 1) if found else 0.0
    if not rate:
        raise ValueError(f"time_unit must be s, ms, us, ns or samples@RATE, as samples@16000, got {time_unit!r}")
    return f"samples@{rate:.15g}"


def per_second(time_unit: str | None) -> float:
    """How many of a unit of time are in a second; 1 for None.

    Parameters
    ----------
    time_unit : str or None
        As `check_time_unit` returns it.

    Examples
    --------
    >>> per_second("ms"), per_second("samples@48000")
    (1000.0, 48000.0)
    """
    if time_unit is None:
        return 1.0
    return _PER_SECOND.get(time_unit) or float(time_unit.partition("@")[2])
