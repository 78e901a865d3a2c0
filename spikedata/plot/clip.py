"""Pictures of one clip: sound, membrane and spikes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.plot.figure import (
    BLUE,
    FREQUENCY_TICKS,
    Picture,
    add_frequencies,
    canvas_of,
    draw_spikes,
    require_falling,
    require_pairs,
    styled,
)
from spikedata.printable import number_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

MOST_FRAMES, MOST_ROWS = 4000, 1400  # of a picture of rates, which needs no more memory for an hour than for a word
MOST_POINTS = 20_000  # of a waveform; of a longer one its lowest and highest values are drawn
DYNAMIC_RANGE = 50.0  # [dB] below the loudest point of a cochleagram that still has a color
FRAME = 2e-3  # [s] over which a cochleagram is averaged, about a pixel of the picture
RATE_BIN = 5e-3  # [s] over which spikes are counted to give a rate
FINE_BIN = 1e-3  # [s] of a picture of rates by channel and time,
SMOOTH_TIME, SMOOTH_CHANNELS = 3e-3, 4.0  # which is smoothed by a Gaussian of these standard deviations [s], [1]


@styled
def plot_word(
    waveform: npt.NDArray[np.floating],
    sample_rate: float,
    cochleagram: npt.NDArray[np.floating],
    cochleagram_rate: float,
    times: npt.NDArray[np.floating],
    units: npt.NDArray[np.integer],
    *,
    frequencies: npt.NDArray[np.floating],
    title: str = "",
    ax: Axes | None = None,
) -> Picture:
    """One word three times over the same time axis: as sound, on the membrane, as spikes.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
        Sound [1].
    sample_rate : float
        Sample rate of the waveform [Hz].
    cochleagram : ndarray of float, shape (n_places, n_frames)
        Velocity of the membrane, or any other amplitude, from base to apex; drawn in dB below its maximum.
    cochleagram_rate : float
        Frames per second of the cochleagram [Hz].
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of int, shape (n_spikes,)
        Channel of each spike, 0 at the base.
    frequencies : ndarray of float, shape (n_units,)
        Characteristic frequency of each channel [Hz], falling from base to apex. The places of the cochleagram
        may be more or fewer than the channels; they cover the same stretch of the membrane.
    title : str
        Headline.
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into; the panels share its place.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If the cochleagram is empty or not two-dimensional, the frequencies do not fall, or times and units are
        not equally many.
    """
    if np.ndim(cochleagram) != 2 or not np.size(cochleagram):
        raise ValueError(f"cochleagram must have shape (n_places, n_frames), got {np.shape(cochleagram)}")
    frequencies = require_falling(frequencies)
    n_units = len(frequencies)
    canvas = canvas_of(ax, 7.2, 7.0, title=title, panels=True)
    grid = canvas.grid(3, 2, height_ratios=(1, 2.3, 2.7), width_ratios=(1, 0.016))
    sound = canvas.add(grid[0, 0])
    membrane = canvas.add(grid[1, 0], sharex=sound)
    raster = canvas.add(grid[2, 0], sharex=sound)

    sound.plot(np.arange(len(waveform)) / sample_rate, waveform, color=BLUE, linewidth=0.5, rasterized=True)
    sound.set(ylabel="Amplitude", title="Sound", xlim=(0, max(len(waveform), 1) / sample_rate))

    level, frame_rate = _level_in_db(cochleagram, cochleagram_rate)
    image = membrane.imshow(
        level,
        aspect="auto",
        cmap="magma",
        vmin=-DYNAMIC_RANGE,
        vmax=0,
        extent=(0, level.shape[1] / frame_rate, n_units - 0.5, -0.5),
        interpolation="antialiased",
    )
    membrane.set(ylabel="Characteristic frequency (Hz)", title="Basilar membrane")
    _mark_frequencies(membrane, frequencies)
    canvas.bar(image, "Level (dB)", cax=canvas.add(grid[1, 1]))

    draw_spikes(raster, times, units, n_units=n_units)
    raster.set(xlabel="Time (s)", ylabel="Channel", title=f"Spikes: {len(times):,} in {number_of(n_units, 'channel')}")
    raster.set_yticks(_round_channels(n_units))
    add_frequencies(raster, frequencies, n_units=n_units)
    for axes in (sound, membrane):
        axes.tick_params(labelbottom=False)
    canvas.figure.align_ylabels([sound, membrane, raster])
    return canvas.picture


@styled
def plot_raster(
    times: npt.NDArray[np.floating],
    units: npt.NDArray[np.integer],
    *,
    n_units: int = 700,
    frequencies: npt.NDArray[np.floating] | None = None,
    duration: float = 0.0,
    title: str = "",
    unit_name: str = "channel",
    ax: Axes | None = None,
) -> Picture:
    """One clip's spikes, with the rate of all channels together above.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of int, shape (n_spikes,)
        Channel of each spike, 0 on top.
    n_units : int
        Number of channels.
    frequencies : ndarray of float, shape (n_units,), optional
        Characteristic frequency of each channel [Hz], falling; shown as a second scale.
    duration : float
        Length of the recording [s], to which the time axis reaches; 0 where unknown: to the last spike.
    title : str
        Headline.
    unit_name : str
        What a unit is, as the labels have it: "channel" or "fiber".
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into; the rate above the spikes is then left out.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If times and units are not equally many.
    """
    canvas = canvas_of(ax, 7.2, 4.6, title=title)
    width = max(RATE_BIN, float(np.max(times, initial=duration)) / MOST_FRAMES)
    edges = _edges(times, width, duration)
    if ax is not None:
        raster = canvas.axes()
    else:
        grid = canvas.grid(2, 1, height_ratios=(2, 7))
        rate = canvas.add(grid[0])
        raster = canvas.add(grid[1], sharex=rate)
        rate.tick_params(labelbottom=False)
        counts = np.histogram(times, bins=edges)[0]
        rate.stairs(counts / width / n_units, edges, fill=True, color=BLUE, alpha=0.85)
        rate.set(ylabel=f"Spikes/s\nper {unit_name}")
        canvas.figure.align_ylabels([rate, raster])
    draw_spikes(raster, times, units, n_units=n_units)
    raster.set(xlabel="Time (s)", ylabel=unit_name.capitalize(), xlim=(0, edges[-1]))
    raster.set_yticks(_round_channels(n_units))
    add_frequencies(raster, frequencies, n_units=n_units)
    return canvas.picture


@styled
def plot_cochleagram(
    times: npt.NDArray[np.floating],
    units: npt.NDArray[np.integer],
    *,
    n_units: int = 700,
    frequencies: npt.NDArray[np.floating] | None = None,
    duration: float = 0.0,
    title: str = "",
    unit_name: str = "channel",
    ax: Axes | None = None,
) -> Picture:
    """One clip's firing rate by channel and time, smoothed by a Gaussian over 3 ms and four channels.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of int, shape (n_spikes,)
        Channel of each spike, 0 on top.
    n_units : int
        Number of channels.
    frequencies : ndarray of float, shape (n_units,), optional
        Characteristic frequency of each channel [Hz], falling; shown as a second scale.
    duration : float
        Length of the recording [s], to which the time axis reaches; 0 where unknown: to the last spike.
    title : str
        Headline.
    unit_name : str
        What a unit is, as the labels have it: "channel" or "fiber".
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If times and units are not equally many.
    """
    require_pairs(times, units)
    canvas = canvas_of(ax, 7.2, 4.0, title=title)
    axes = canvas.axes()
    image = _draw_rates(axes, times, units, n_units=n_units, duration=duration)
    axes.set(xlabel="Time (s)", ylabel=unit_name.capitalize())
    add_frequencies(axes, frequencies, n_units=n_units)
    # without a layout nothing keeps the scale of colors away from that of frequencies
    pad = 0.12 if canvas.has_no_layout and frequencies is not None else 0.015
    canvas.bar(image, "Rate (spikes/s)", ax=axes, pad=pad, aspect=30)
    return canvas.picture


@styled
def plot_recording(
    waveform: npt.NDArray[np.floating],
    sample_rate: float,
    times: npt.NDArray[np.floating],
    units: npt.NDArray[np.integer],
    *,
    n_units: int = 700,
    frequencies: npt.NDArray[np.floating] | None = None,
    title: str = "",
    unit_name: str = "channel",
    ax: Axes | None = None,
) -> Picture:
    """A recording over its spikes: the waveform, the firing rate by channel and time, and spike by spike.

    Parameters
    ----------
    waveform : ndarray of float, shape (n_samples,)
        Sound [1].
    sample_rate : float
        Sample rate of the waveform [Hz].
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of int, shape (n_spikes,)
        Channel of each spike, 0 on top.
    n_units : int
        Number of channels.
    frequencies : ndarray of float, shape (n_units,), optional
        Characteristic frequency of each channel [Hz], falling; shown as a second scale.
    title : str
        Headline.
    unit_name : str
        What a unit is, as the labels have it: "channel" or "fiber".
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into; the panels share its place.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If times and units are not equally many, or there is not one falling frequency for each channel.
    """
    require_pairs(times, units)
    canvas = canvas_of(ax, 7.2, 7.0, title=title, panels=True)
    grid = canvas.grid(3, 2, height_ratios=(1, 2.3, 2.7), width_ratios=(1, 0.016))
    sound = canvas.add(grid[0, 0])
    rate = canvas.add(grid[1, 0], sharex=sound)
    raster = canvas.add(grid[2, 0], sharex=sound)

    _draw_waveform(sound, np.asarray(waveform), sample_rate)
    duration = max(len(waveform) / sample_rate, float(np.max(times, initial=0.0)), 1 / sample_rate)
    sound.set(ylabel="Amplitude", title="Sound")
    image = _draw_rates(rate, times, units, n_units=n_units, duration=duration)
    rate.set(ylabel=unit_name.capitalize(), title="Firing rate")
    canvas.bar(image, "Rate (spikes/s)", cax=canvas.add(grid[1, 1]))
    draw_spikes(raster, times, units, n_units=n_units)
    raster.set(xlabel="Time (s)", ylabel=unit_name.capitalize(), xlim=(0, duration))
    raster.set(title=f"Spikes: {len(times):,} in {number_of(n_units, unit_name)}", yticks=_round_channels(n_units))
    for axes in (rate, raster):
        add_frequencies(axes, frequencies, n_units=n_units)
    for axes in (sound, rate):
        axes.tick_params(labelbottom=False)
    canvas.figure.align_ylabels([sound, rate, raster])
    return canvas.picture


def _draw_waveform(axes: Axes, waveform: npt.NDArray[np.floating], sample_rate: float) -> None:
    n_each = -(-len(waveform) // MOST_POINTS)
    if n_each <= 1:
        axes.plot(np.arange(len(waveform)) / sample_rate, waveform, color=BLUE, linewidth=0.5, rasterized=True)
        return
    starts = np.arange(0, len(waveform), n_each)
    low, high = np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)
    axes.fill_between(starts / sample_rate, low, high, color=BLUE, linewidth=0.3, rasterized=True)


def _draw_rates(axes: Axes, times: npt.ArrayLike, units: npt.ArrayLike, *, n_units: int, duration: float) -> AxesImage:
    """The smoothed firing rate by channel and time, as an image in rows of channels."""
    from scipy.ndimage import gaussian_filter

    times, units = np.asarray(times, np.float64), np.asarray(units)
    is_in = (units >= 0) & (units < n_units)
    times, units = times[is_in], units[is_in]
    latest = max(float(np.max(times, initial=0.0)), duration)
    width = max(FINE_BIN, latest / MOST_FRAMES)
    n_each = -(-n_units // MOST_ROWS)
    edges = _edges(times, width, duration)
    n_bins, n_rows = len(edges) - 1, -(-n_units // n_each)
    cells = (units.astype(np.int64) // n_each) * n_bins + np.minimum((times / width).astype(np.int64), n_bins - 1)
    counts = np.bincount(cells, minlength=n_rows * n_bins).reshape(n_rows, n_bins)
    smooth = (SMOOTH_CHANNELS / n_each, SMOOTH_TIME / width)
    rate = gaussian_filter(counts.astype(np.float32) / np.float32(width * n_each), smooth)
    extent = (0, edges[-1], n_rows * n_each - 0.5, -0.5)
    image = axes.imshow(rate, aspect="auto", cmap="magma", vmin=0, extent=extent, interpolation="antialiased")
    axes.set(ylim=(n_units - 0.5, -0.5), yticks=_round_channels(n_units))
    return image


def _level_in_db(
    cochleagram: npt.NDArray[np.floating], cochleagram_rate: float
) -> tuple[npt.NDArray[np.float64], float]:
    """Root mean square over short frames [dB re its maximum], and frames per second [Hz]."""
    factor = max(int(cochleagram_rate * FRAME), 1)
    n_frames = cochleagram.shape[1] // factor
    frames = cochleagram[:, : n_frames * factor].reshape(len(cochleagram), n_frames, factor)
    power = np.einsum("cfs,cfs->cf", frames, frames, dtype=np.float64) / factor
    loudest = max(power.max(initial=0.0), np.finfo(float).tiny)
    floor = 10 ** (-2 * DYNAMIC_RANGE / 10)
    return 10 * np.log10(np.maximum(power / loudest, floor)), cochleagram_rate / factor


def _mark_frequencies(axes: Axes, frequencies: npt.NDArray[np.floating]) -> None:
    """Label rows with the round frequencies among their characteristic ones."""
    ticks = [f for f in FREQUENCY_TICKS if frequencies.min() <= f <= frequencies.max()]
    rows = np.interp(ticks, frequencies[::-1], np.arange(len(frequencies))[::-1])
    axes.set_yticks(rows, [f"{f / 1000:g}k" if f >= 1000 else f"{f}" for f in ticks])


def _round_channels(n_units: int) -> list[int]:
    """Every hundredth of 700 channels, and as few of any other number."""
    return [*range(0, n_units, max(round(n_units / 7), 1))]


def _edges(times: npt.NDArray[np.floating], width: float, duration: float) -> npt.NDArray[np.float64]:
    """Edges of the bins of a width that hold all spikes and the recording [s], at least one bin."""
    n_bins = max(int(np.max(times, initial=0.0) / width) + 1, math.ceil(duration / width))
    return np.linspace(0.0, n_bins * width, n_bins + 1)
