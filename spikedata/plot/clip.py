"""Pictures of one clip: sound, membrane and spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.plot.figure import BLUE, draw_spikes, new_figure, require_pairs, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DYNAMIC_RANGE = 50.0  # [dB] below the loudest point of a cochleagram that still has a color
FRAME = 2e-3  # [s] over which a cochleagram is averaged, about a pixel of the picture
RATE_BIN = 5e-3  # [s] over which spikes are counted to give a rate
FINE_BIN = 1e-3  # [s] of a picture of rates by channel and time,
SMOOTH_TIME, SMOOTH_CHANNELS = 3e-3, 4.0  # which is smoothed by a Gaussian of these standard deviations [s], [1]
FREQUENCY_TICKS = (100, 200, 500, 1000, 2000, 5000, 10000, 20000)  # [Hz]


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
) -> Figure:
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

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the cochleagram is empty or not two-dimensional, the frequencies do not fall, or times and units are
        not equally many.
    """
    if np.ndim(cochleagram) != 2 or not np.size(cochleagram):
        raise ValueError(f"cochleagram must have shape (n_places, n_frames), got {np.shape(cochleagram)}")
    if np.any(np.diff(frequencies) >= 0):
        raise ValueError("frequencies must fall from base to apex, got some that rise")
    n_units = len(frequencies)
    figure = new_figure(7.2, 7.0, title=title)
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 2.3, 2.7), width_ratios=(1, 0.016))
    sound = figure.add_subplot(grid[0, 0])
    membrane = figure.add_subplot(grid[1, 0], sharex=sound)
    raster = figure.add_subplot(grid[2, 0], sharex=sound)

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
    membrane.set(ylabel="Characteristic frequency (kHz)", title="Basilar membrane")
    _mark_frequencies(membrane, frequencies)
    figure.colorbar(image, cax=figure.add_subplot(grid[1, 1]), label="Level (dB)").outline.set_visible(False)

    draw_spikes(raster, times, units, n_units=n_units)
    raster.set(xlabel="Time (s)", ylabel="Channel", title=f"Spikes: {len(times):,} in {n_units} channels")
    raster.set_yticks(_round_channels(n_units))
    for axes in (sound, membrane):
        axes.tick_params(labelbottom=False)
    figure.align_ylabels([sound, membrane, raster])
    return figure


@styled
def plot_raster(
    times: npt.NDArray[np.floating], units: npt.NDArray[np.integer], *, n_units: int = 700, title: str = ""
) -> Figure:
    """One clip's spikes, with the rate of all channels together above.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of int, shape (n_spikes,)
        Channel of each spike, 0 on top.
    n_units : int
        Number of channels.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If times and units are not equally many.
    """
    figure = new_figure(7.2, 4.6, title=title)
    rate, raster = figure.subplots(2, 1, sharex=True, height_ratios=(1, 4))
    draw_spikes(raster, times, units, n_units=n_units)
    raster.set(xlabel="Time (s)", ylabel="Channel")
    raster.set_yticks(_round_channels(n_units))

    counts, edges = np.histogram(times, bins=_edges(times, RATE_BIN))
    rate.stairs(counts / RATE_BIN / n_units, edges, fill=True, color=BLUE, alpha=0.85)
    rate.set(ylabel="Rate\n(spikes/s)", xlim=(0, edges[-1]))
    figure.align_ylabels([rate, raster])
    return figure


@styled
def plot_cochleagram(
    times: npt.NDArray[np.floating], units: npt.NDArray[np.integer], *, n_units: int = 700, title: str = ""
) -> Figure:
    """One clip's firing rate by channel and time, smoothed by a Gaussian over 3 ms and four channels.

    Parameters
    ----------
    times : ndarray of float, shape (n_spikes,)
        Spike times [s].
    units : ndarray of int, shape (n_spikes,)
        Channel of each spike, 0 on top.
    n_units : int
        Number of channels.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If times and units are not equally many.
    """
    from scipy.ndimage import gaussian_filter

    require_pairs(times, units)
    edges = _edges(times, FINE_BIN)
    counts = np.histogram2d(units, times, bins=(np.arange(n_units + 1) - 0.5, edges))[0]
    rate = gaussian_filter(counts.astype(np.float32) / FINE_BIN, (SMOOTH_CHANNELS, SMOOTH_TIME / FINE_BIN))

    figure = new_figure(7.2, 4.0, title=title)
    axes = figure.subplots()
    extent = (0, edges[-1], n_units - 0.5, -0.5)
    image = axes.imshow(rate, aspect="auto", cmap="magma", vmin=0, extent=extent, interpolation="antialiased")
    axes.set(xlabel="Time (s)", ylabel="Channel")
    axes.set_yticks(_round_channels(n_units))
    figure.colorbar(image, label="Rate (spikes/s)", pad=0.015, aspect=30).outline.set_visible(False)
    return figure


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
    axes.set_yticks(rows, [f"{f / 1000:g}" for f in ticks])


def _round_channels(n_units: int) -> list[int]:
    """Every hundredth of 700 channels, and as few of any other number."""
    return [*range(0, n_units, max(round(n_units / 7), 1))]


def _edges(times: npt.NDArray[np.floating], width: float) -> npt.NDArray[np.float64]:
    """Edges of the bins of a width that hold all spikes [s], at least one bin."""
    n_bins = int(np.max(times, initial=0.0) / width) + 1
    return np.linspace(0.0, n_bins * width, n_bins + 1)
