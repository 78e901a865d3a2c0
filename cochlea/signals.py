"""Arrays at the entrance of a stage: brought to what compiled code can take, or refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_signals(name: str, values: ArrayLike, *axes: str, whole: bool = False) -> NDArray[Any]:
    """Values as an array of the axes that a stage takes.

    Parameters
    ----------
    name : str
        What the message calls them.
    values : array_like
        Numbers of any kind of float or integer, in any unit.
    *axes : str
        Names of the axes, as ("cell", "sample").
    whole : bool
        Whether they must be integers. Otherwise integers become float64: a stage that computed in their type would
        round all that is below one to silence.

    Returns
    -------
    ndarray
        The array itself if it fits.

    Raises
    ------
    ValueError
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
