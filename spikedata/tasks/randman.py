"""Randman: smooth random manifolds whose coordinates are the spike times of the units, one manifold for each class.

Zenke, Vogels: The remarkable robustness of surrogate gradient learning; Neural Computation 33:899 (2021), section 4.1.
A class can be told from the others only by when its units fire, for each unit fires once in every clip.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.chance import stream_of, uniforms
from spikedata.checks import Count, OneOf, Positive, Seed, checked
from spikedata.events import Events
from spikedata.events.sample import LARGEST_N_UNITS
from spikedata.tasks.latencies import events_from_latencies

DEFINITIONS = ("paper", "released")

_N_TERMS = 1000  # of the paper's sum, and the most of the released one
_PRECISION = 1e-3  # of the released sum: terms whose weight is below it are left out


def randman(
    *,
    n_classes: int = 10,
    n_units: int = 20,
    dim: int = 1,
    alpha: float = 1.0,
    n_clips: int = 1000,
    duration: float = 0.05,
    definition: str = "paper",
    seed: int = 0,
) -> Events:
    """Clips of random manifolds, class after class.

    The coordinate of unit i at the point x of a class's manifold is a product over the dimensions,
    ``f_i(x) = prod_j sum_k weight_k A_ijk sin(2 pi (f_k x_j B_ijk + C_ijk))``, with A, B, C and x uniform in 0..1.
    The coordinates of a class are then scaled, unit by unit, so that its clips span 0 to 1, and times ``duration``
    they are the spike times.

    =============  ==========================================================================
    definition     terms
    =============  ==========================================================================
    ``paper``      k = 1 to 1000, weight ``k**-alpha``, frequency k
    ``released``   k = 1 to F, weight ``1 / (k**alpha + 1)``, frequency k - 1, A of k = 1 is 0;
                   F is 1000, or fewer where ``alpha`` > 1: ``ceil(0.001**(-1 / alpha))``
    =============  ==========================================================================

    The second is the PyTorch version of the package that the authors released (github.com/fzenke/randman).

    Parameters
    ----------
    n_classes : int
        Number of classes, of one manifold each [1].
    n_units : int
        Number of units, the dimension of the space around the manifolds [1].
    dim : int
        Dimension of the manifolds [1].
    alpha : float
        Exponent with which the weights fall [1]: the smaller it is, the rougher the manifold and the harder the task.
    n_clips : int
        Number of clips of each class [1].
    duration : float
        Time in which the spikes fall, and length of a clip [s].
    definition : {"paper", "released"}
        The sum of which the coordinates are made.
    seed : int
        Seed of manifolds and clips.

    Returns
    -------
    Events
        ``n_classes * n_clips`` clips of ``n_units`` spikes.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> events = randman(n_classes=2, n_clips=5, seed=1)
    >>> len(events), events.n_units, len(events[0].times)
    (10, 20, 20)
    """
    n_classes, n_units = checked("n_classes", n_classes, Count), checked("n_units", n_units, Count)
    if n_units > LARGEST_N_UNITS:
        raise ValueError(f"n_units must be <= {LARGEST_N_UNITS}, got {n_units}")
    dim, n_clips = checked("dim", dim, Count), checked("n_clips", n_clips, Count)
    alpha, duration = checked("alpha", alpha, Positive), checked("duration", duration, Positive)
    weights, frequencies = _terms(alpha, definition)
    seed = checked("seed", seed, Seed)
    latencies = []
    for label in range(n_classes):  # streams of their own: a class does not depend on how many others there are
        of_manifold, of_points = (stream_of(seed, f"randman/{label}", purpose=what) for what in ("manifold", "points"))
        random = uniforms(of_manifold, n_units * dim * 3 * len(weights)).reshape(n_units, dim, 3, -1)
        points = uniforms(of_points, n_clips * dim).reshape(n_clips, dim)
        if definition == "released":
            random[:, :, 0, 0] = 0.0
        latencies.append(_unit_range(_coordinates(points, random, weights, frequencies)))
    labels = np.repeat(np.arange(n_classes), n_clips)
    sources = [f"randman/{label}/{clip:05}" for label in range(n_classes) for clip in range(n_clips)]
    keys = [str(label) for label in range(n_classes)]
    return events_from_latencies(
        duration * np.concatenate(latencies), labels, keys=keys, duration=duration, sources=sources
    )


def _terms(alpha: float, definition: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weight and frequency of each term of a definition."""
    if checked("definition", definition, Annotated[str, OneOf(DEFINITIONS)]) == "paper":
        k = np.arange(1.0, _N_TERMS + 1)
        return k**-alpha, k
    # a power beyond the largest float is cut, like all others, at the largest number of terms
    n_terms = _N_TERMS if alpha <= 1 else math.ceil(_PRECISION ** (-1 / alpha))
    k = np.arange(1.0, n_terms + 1)
    return 1 / (k**alpha + 1), k - 1


def _coordinates(
    points: npt.NDArray[np.float64],
    random: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    frequencies: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """The coordinates (clip, unit) of points (clip, dimension) of a manifold, from its numbers A, B and C."""
    coordinates = np.ones((len(points), len(random)))
    for unit, of_unit in enumerate(random):
        for j, (a, b, c) in enumerate(of_unit):
            phases = np.outer(points[:, j], frequencies * b)
            phases += c
            phases -= np.floor(phases)  # sine of a small argument is faster, and as exact
            phases *= 2 * np.pi
            coordinates[:, unit] *= np.sin(phases, out=phases) @ (weights * a)
    return coordinates


def _unit_range(coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Coordinates scaled, unit by unit, to 0..1 over the clips; 0 where all are equal."""
    lowest = coordinates.min(axis=0)
    extent = coordinates.max(axis=0) - lowest
    return np.asarray((coordinates - lowest) / np.where(extent > 0, extent, 1.0))
