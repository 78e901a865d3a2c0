"""Spike trains that a network should produce: equidistant spikes, and pictures drawn as a raster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.chance import stream_of, uniforms
from spikedata.checks import Count, Positive, Seed, checked
from spikedata.events import Events, Sample
from spikedata.events.sample import UNKNOWN_SPEAKER

_TURNS = 2.6  # of the human cochlea
_TIGHTENING = 0.1  # [1/rad]; each turn has about half of the radius of the one around it
_LINE = 0.02  # half of the width of the line, as a fraction of the outermost radius


def equidistant_targets(n_spikes: int = 5, *, n_units: int = 1, duration: float = 0.5) -> Events:
    """One clip in which every unit fires at the same evenly spaced times.

    The defaults are the target of one neuron in Zenke, Ganguli, Neural Computation 30:1514 (2018), figure 2.

    Parameters
    ----------
    n_spikes : int
        Number of spikes of each unit [1].
    n_units : int
        Number of units [1].
    duration : float
        Length of the clip [s]; the spikes divide it into ``n_spikes + 1`` equal parts.

    Returns
    -------
    Events
        One clip, in the class "target".

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> equidistant_targets(4, duration=1.0).times
    array([0.2, 0.4, 0.6, 0.8])
    """
    n_spikes, n_units = checked("n_spikes", n_spikes, Count), checked("n_units", n_units, Count)
    duration = checked("duration", duration, Positive)
    times = np.linspace(0, duration, n_spikes + 2)[1:-1]
    return _target(np.repeat(times, n_units), np.tile(np.arange(n_units), n_spikes), n_units, duration)


def bitmap_raster(bitmap: npt.ArrayLike | None = None, *, column_duration: float = 0.01, seed: int = 0) -> Events:
    """A picture as a raster: each pixel is a spike of its row's unit, at some moment of its column.

    The time within the column is drawn evenly, as in the target of Zenke, Ganguli, Neural Computation 30:1514 (2018),
    figure 6. The first row is unit 0, which `spikedata plot` draws at the top.

    Parameters
    ----------
    bitmap : array_like of bool, shape (n_units, n_columns), optional
        True where there is a spike. Default: `cochlea_bitmap`.
    column_duration : float
        Length of a column [s].
    seed : int
        Seed of the times.

    Returns
    -------
    Events
        One clip, in the class "target".

    Raises
    ------
    ValueError
        If the bitmap is no table of truths, or a number is out of range.

    Examples
    --------
    >>> events = bitmap_raster([[True, False], [False, True]])
    >>> events.units, (events.times // 0.01)
    (array([0, 1], dtype=uint16), array([0., 1.]))
    """
    pixels = cochlea_bitmap() if bitmap is None else np.asarray(bitmap)
    if pixels.ndim != 2 or not pixels.size or pixels.dtype != np.bool_:
        found = f"{pixels.dtype} of shape {pixels.shape}"
        raise ValueError(f"bitmap must be True or False, (n_units, n_columns), got {found}")
    column_duration, seed = checked("column_duration", column_duration, Positive), checked("seed", seed, Seed)
    columns, rows = np.nonzero(pixels.T)
    times = column_duration * (columns + uniforms(stream_of(seed, "raster"), len(columns)))
    order = np.argsort(times, kind="stable")
    return _target(times[order], rows[order], len(pixels), column_duration * pixels.shape[1])


def cochlea_bitmap(height: int = 200, width: int = 189) -> npt.NDArray[np.bool_]:
    """A drawing of a cochlea: the outline of a spiral of two and a half turns.

    Parameters
    ----------
    height : int
        Number of rows [1].
    width : int
        Number of columns [1].

    Returns
    -------
    ndarray of bool, shape (height, width)
        True on a line.

    Raises
    ------
    ValueError
        If a number is below 1.

    Examples
    --------
    >>> bitmap = cochlea_bitmap()
    >>> bitmap.shape, int(bitmap.sum())
    ((200, 189), 4505)
    """
    height, width = checked("height", height, Count), checked("width", width, Count)
    # the spiral fills the picture: its own extent, and half a line around it, are that of rows and columns
    along = np.linspace(0, 2 * np.pi * _TURNS, 2000)
    extent = [_spiral(along) * turn(along) for turn in (np.cos, np.sin)]
    x, y = (
        low - _LINE + (high - low + 2 * _LINE) * (np.arange(n) + 0.5) / n
        for n, low, high in ((n, line.min(), line.max()) for n, line in zip((width, height), extent, strict=True))
    )
    radius, angle = np.hypot(x[None, :], y[:, None]), np.arctan2(y[:, None], x[None, :]) % (2 * np.pi)
    drawn = np.zeros((height, width), np.bool_)
    for turn in range(int(np.ceil(_TURNS))):  # a point lies on the line if it does in one of the turns
        whole_angle = angle + 2 * np.pi * turn
        is_near = np.abs(radius - _spiral(whole_angle)) <= _LINE
        drawn |= is_near & (whole_angle <= 2 * np.pi * _TURNS)
    return drawn


def _spiral(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The radius of the spiral, 1 at its outer end."""
    return np.exp(-_TIGHTENING * angle)


def _target(times: npt.NDArray[np.float64], units: npt.NDArray[np.integer], n_units: int, duration: float) -> Events:
    sample = Sample(
        times,
        units.astype(np.uint16),
        label=0,
        speaker=UNKNOWN_SPEAKER,
        source="target/00000",
        n_units=n_units,
        duration=duration,
    )
    return Events.from_samples([sample], keys=["target"], n_units=n_units)
