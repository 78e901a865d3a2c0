"""Yin-Yang: points of the plane in three classes, as the latencies of four units and a bias.

Kriener, Göltz, Petrovici: The Yin-Yang dataset; NICE 2022, 107-111. The three parts are the published ones, point for
point: they are drawn from NumPy's legacy generator, whose numbers never change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, Count, NotNegative, OneOf, checked
from spikedata.events import Events
from spikedata.tasks.latencies import events_from_latencies

CLASS_NAMES = ("yin", "yang", "dot")

_BIG, _SMALL = 0.5, 0.1  # radius of the circle and of the dots
_LARGEST_SEED = 2**32 - 1  # of the legacy generator


class Part(NamedTuple):
    """Seed and number of points of a published part."""

    seed: int
    n_clips: int


#: The published parts.
PARTS: Mapping[str, Part] = {"train": Part(42, 5000), "validation": Part(41, 1000), "test": Part(40, 1000)}


def yin_yang_points(
    part: str = "train", *, n_clips: int | None = None, seed: int | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The points of a part, and their classes.

    Parameters
    ----------
    part : {"train", "validation", "test"}
        Part whose seed and number of points are taken.
    n_clips : int, optional
        Number of points instead of that of the part; fewer are its first.
    seed : int, optional
        Seed instead of that of the part, for points of one's own.

    Returns
    -------
    points : ndarray of float64, shape (n_clips, 4)
        x, y, 1 - x and 1 - y [1], each in 0..1.
    labels : ndarray of int64, shape (n_clips,)
        0 yin, 1 yang, 2 dot.

    Raises
    ------
    ValueError
        If there is no such part, or a number is out of range.

    Examples
    --------
    >>> points, labels = yin_yang_points("test", n_clips=2)
    >>> points.round(3).tolist(), labels.tolist()
    ([[0.234, 0.402, 0.766, 0.598], [0.751, 0.468, 0.249, 0.532]], [2, 2])
    """
    published = PARTS[checked("part", part, Annotated[str, OneOf(tuple(PARTS))])]
    n_points = published.n_clips if n_clips is None else checked("n_clips", n_clips, Count)
    seed = published.seed if seed is None else seed
    rng = np.random.RandomState(checked("seed", seed, Annotated[int, Bounds(at_least=0, at_most=_LARGEST_SEED)]))
    found = [_draw(rng) for _ in range(n_points)]
    xy = np.array([point for point, _ in found])
    return np.concatenate([xy, 1 - xy], axis=1), np.array([label for _, label in found], np.int64)


def yin_yang(
    part: str = "train",
    *,
    n_clips: int | None = None,
    seed: int | None = None,
    t_min: float = 0.0,
    t_max: float = 0.03,
    bias_time: float | None = 0.0,
) -> Events:
    """The points of a part as spikes: one of each unit, at ``t_min + value * (t_max - t_min)``.

    The times by default are those of Wunderlich & Pehle, Scientific Reports 11:12829 (2021).

    Parameters
    ----------
    part : {"train", "validation", "test"}
        Part, as `yin_yang_points` takes it.
    n_clips : int, optional
        Number of points instead of that of the part; fewer are its first.
    seed : int, optional
        Seed instead of that of the part, for points of one's own.
    t_min : float
        Time of the value 0 [s].
    t_max : float
        Time of the value 1 [s].
    bias_time : float or None
        Time of the spike of the fifth unit, the same in all clips [s]; None for four units.

    Returns
    -------
    Events
        Units 0 to 4 are x, y, 1 - x, 1 - y and the bias.

    Raises
    ------
    ValueError
        If there is no such part, or a number is out of range.

    Examples
    --------
    >>> events = yin_yang("test")
    >>> len(events), events.n_units, events.keys
    (1000, 5, ('yin', 'yang', 'dot'))
    """
    t_min = checked("t_min", t_min, NotNegative)
    t_max = checked("t_max", t_max, Annotated[float, Bounds(above=t_min)])
    points, labels = yin_yang_points(part, n_clips=n_clips, seed=seed)
    latencies, duration = t_min + points * (t_max - t_min), t_max
    if bias_time is not None:
        bias_time = checked("bias_time", bias_time, NotNegative)
        latencies = np.concatenate([latencies, np.full((len(points), 1), bias_time)], axis=1)
        duration = max(duration, bias_time)
    sources = [f"yin_yang/{part}/{clip:05}" for clip in range(len(points))]
    return events_from_latencies(latencies, labels, keys=CLASS_NAMES, duration=duration, sources=sources)


def _draw(rng: Any) -> tuple[tuple[float, float], int]:
    """The next point and its class: the class is drawn first, then points until one is of it."""
    goal = rng.randint(3)
    while True:
        x, y = (rng.rand(2) * 2.0 * _BIG).tolist()
        if math.hypot(x - _BIG, y - _BIG) <= _BIG and _class_of(x, y) == goal:
            return (x, y), goal


def _class_of(x: float, y: float) -> int:
    """The class of a point within the circle."""
    to_right, to_left = math.hypot(x - 1.5 * _BIG, y - _BIG), math.hypot(x - 0.5 * _BIG, y - _BIG)
    if to_right < _SMALL or to_left < _SMALL:
        return 2
    in_left_half, in_upper_half = to_left <= 0.5 * _BIG, y > _BIG and to_right > 0.5 * _BIG
    return int(in_left_half or in_upper_half)
