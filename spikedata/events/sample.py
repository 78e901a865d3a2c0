"""The spikes of one clip, and the rules for every spike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PUBLISHED_N_UNITS = 700  # of SHD and SSC, and of files that do not give it
LARGEST_N_UNITS = 2**16  # units are stored in 16 bits
UNKNOWN_SPEAKER = -1


class Sample(NamedTuple):
    """The spikes and the metadata of one clip.

    Parameters
    ----------
    times : ndarray of float64, shape (n_spikes,)
        Spike times [s], sorted.
    units : ndarray of uint16, shape (n_spikes,)
        Unit of each spike [1].
    label : int
        Index of the class in the class names (``keys``).
    speaker : int
        Number of the speaker, -1 if unknown.
    source : str
        Clip id of the recording, empty if unknown.
    sample_rate : int
        Sample rate of the recording [Hz], 0 if unknown.
    n_units : int
        Number of units, 0 if unknown.
    duration : float
        Length of the recording [s], 0 if unknown: the clip ends there, with or without a spike.
    """

    times: npt.NDArray[np.float64]
    units: npt.NDArray[np.uint16]
    label: int
    speaker: int
    source: str = ""
    sample_rate: int = 0
    n_units: int = 0
    duration: float = 0.0


def find_fault(times: np.ndarray, units: np.ndarray, n_units: int) -> tuple[int, str] | None:
    """Index of the first invalid spike, and a message with the rule and the value.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of integer, shape (n_spikes,)
        Unit of each spike.
    n_units : int
        Number of units, which all units must be below.

    Returns
    -------
    (int, str) or None
        None if all spikes are valid.

    Examples
    --------
    >>> find_fault(np.array([0.1, 0.2]), np.array([3, 812]), 700)
    (1, 'unit 812, must be < 700')
    """
    if not times.size:
        return None
    if not (times.min() >= 0 and times.max() < np.inf):  # NaN fails both
        index = int(np.argmin((times >= 0) & (times < np.inf)))
        return index, f"time {float(times[index])} s, must be finite and >= 0"
    if units.max() >= n_units:
        index = int(np.argmax(units >= n_units))
        return index, f"unit {units[index]}, must be < {n_units}"
    if units.min() < 0:
        index = int(np.argmax(units < 0))
        return index, f"unit {units[index]}, must be >= 0"
    return None
