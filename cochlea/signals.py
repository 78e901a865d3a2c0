"""Check an array that is passed to a stage: convert it to what the compiled code expects, or reject it in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_signals(name: str, values: ArrayLike, *axes: str, whole: bool = False) -> NDArray[Any]:
    """The values as an array with the axes that a stage expects.

    Parameters
    ----------
    name : str
        Name of the argument in the error message.
    values : array_like
        Integers or floats of any width, in any unit.
    *axes : str
        Names of the axes, for example "cell", "sample".
    whole : bool
        Whether the values must be integers. If not, integers are converted to float64: a stage that computed in an
        integer type would truncate every value below one to zero.

    Returns
    -------
    ndarray
        The array itself, not a copy, if it already fits.

    Raises
    ------
    ValueError
        If the values are not real numbers (or not integers, where `whole`), or have other axes:
        `velocity must be an array (cell, sample), got shape (10,)`.
    """
    wanted = f"{name} must be an array ({', '.join(axes)}{',' * (len(axes) == 1)})"
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        raise ValueError(f"{wanted}, got rows of unequal length") from None
    if array.dtype.kind not in ("iu" if whole else "iuf"):
        raise ValueError(f"{wanted} of {'integers' if whole else 'real numbers'}, got {array.dtype}")
    if array.ndim != len(axes):
        raise ValueError(f"{wanted}, got shape {array.shape}")
    return array if whole or array.dtype.kind == "f" else array.astype(np.float64)
