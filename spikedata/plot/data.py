"""Pictures of sound and spikes: one word, one raster, a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.plot.figure import BLUE, GRAY, draw_spikes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spikedata.events import Events

DYNAMIC_RANGE = 50.0  # [dB] below the loudest point of a cochleagram that still has a color
FRAME = 2e-3  # [s] over which a cochleagram is averaged, about a pixel of the picture
RATE_BIN = 5e-3  # [s] of the population rate over a raster
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
        If the cochleagram is not two-dimensional, or times and units are not equally many.
    """
    from matplotlib.figure import Figure

    if np.ndim(cochleagram) != 2:
        raise ValueError(f"cochleagram must have shape (n_places, n_frames), got {np.shape(cochleagram)}")
    n_units = len(frequencies)
    figure = Figure(figsize=(7.2, 7.0))
    figure.suptitle(title, x=0.01, ha="left")
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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.6))
    figure.suptitle(title, x=0.01, ha="left")
    rate, raster = figure.subplots(2, 1, sharex=True, height_ratios=(1, 4))
    draw_spikes(raster, times, units, n_units=n_units)
    raster.set(xlabel="Time (s)", ylabel="Channel")
    raster.set_yticks(_round_channels(n_units))

    end = max(np.max(times, initial=0.0), RATE_BIN)
    counts, edges = np.histogram(times, bins=np.arange(0, end + RATE_BIN, RATE_BIN))
    rate.stairs(counts / RATE_BIN / n_units, edges, fill=True, color=BLUE, alpha=0.85)
    rate.set(ylabel="Rate\n(spikes/s)", xlim=(0, edges[-1]))
    figure.align_ylabels([rate, raster])
    return figure


@styled
def plot_rates(events: Events, *, title: str = "") -> Figure:
    """How often each channel fires in a data set, and how much that differs between classes.

    The time of a clip is taken to end with its last spike.

    Parameters
    ----------
    events : Events
        The data set.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    counts = _count_by_class(events)
    seconds = np.bincount(events.labels, weights=_durations(events), minlength=len(events.keys))
    heard = seconds > 0
    by_class = counts[heard] / seconds[heard, None]
    mean = counts.sum(axis=0) / max(seconds.sum(), np.finfo(float).tiny)
    channels = np.arange(events.n_units)

    figure = Figure(figsize=(7.2, 3.6))
    axes = figure.subplots()
    axes.set_title(title, fontweight="bold", fontsize=12)
    if len(by_class) > 1:
        low, high = by_class.min(axis=0), by_class.max(axis=0)
        axes.fill_between(channels, low, high, color=BLUE, alpha=0.18, linewidth=0, label="lowest to highest class")
    axes.plot(channels, mean, color=BLUE, label=f"mean of {len(events):,} clips")
    axes.set(xlabel="Channel (base to apex, high to low frequency)", ylabel="Rate (spikes/s)")
    axes.set(xlim=(0, events.n_units - 1), ylim=(0, None))
    axes.legend(loc="upper right")
    return figure


@styled
def plot_classes(events: Events, *, title: str = "") -> Figure:
    """What a data set holds: clips by class and by speaker, and where on the cochlea each class is heard.

    Parameters
    ----------
    events : Events
        The data set.
    title : str
        Headline.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    n_classes = len(events.keys)
    clips = np.bincount(events.labels, minlength=n_classes)
    speakers, clips_of_speaker = np.unique(events.speakers, return_counts=True)

    figure = Figure(figsize=(9.0, 2.6 + 0.17 * n_classes))
    figure.suptitle(title, x=0.01, ha="left")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 3, 0.05), height_ratios=(2.2 + 0.13 * n_classes, 1.5))
    by_class = figure.add_subplot(grid[0, 0])
    activity = figure.add_subplot(grid[0, 1], sharey=by_class)
    by_speaker = figure.add_subplot(grid[1, :2])

    by_class.barh(np.arange(n_classes), clips, color=BLUE, height=0.7)
    by_class.set_yticks(np.arange(n_classes), events.keys)
    by_class.set(title="Clips by class", xlabel="Clips", ylim=(n_classes - 0.5, -0.5))
    by_class.tick_params(axis="y", length=0)

    mean_counts = _count_by_class(events) / np.maximum(clips, 1)[:, None]
    extent = (-0.5, events.n_units - 0.5, n_classes - 0.5, -0.5)
    image = activity.imshow(
        mean_counts, aspect="auto", cmap="magma", vmin=0, extent=extent, interpolation="antialiased"
    )
    activity.set(title="Where each class is heard", xlabel="Channel (base to apex)")
    activity.tick_params(axis="y", length=0, labelleft=False)
    bar = figure.colorbar(image, cax=figure.add_subplot(grid[0, 2]), label="Spikes per clip")
    bar.outline.set_visible(False)

    by_speaker.bar(np.arange(len(speakers)), clips_of_speaker, color=GRAY, width=0.7)
    by_speaker.set(title="Clips by speaker", xlabel="Speaker", ylabel="Clips")
    if len(speakers) <= 40:
        names = ["unknown" if speaker < 0 else str(speaker) for speaker in speakers]
        by_speaker.set_xticks(np.arange(len(speakers)), names)
    else:
        by_speaker.set_xlabel(f"{len(speakers):,} speakers")
    return figure


def _level_in_db(
    cochleagram: npt.NDArray[np.floating], cochleagram_rate: float
) -> tuple[npt.NDArray[np.float64], float]:
    """Root mean square over short frames [dB re its maximum], and frames per second [Hz]."""
    factor = max(int(cochleagram_rate * FRAME), 1)
    n_frames = max(cochleagram.shape[1] // factor, 1)
    frames = np.abs(cochleagram[:, : n_frames * factor]).astype(np.float64)
    power = np.square(frames).reshape(len(cochleagram), n_frames, -1).mean(axis=2)
    loudest = max(power.max(initial=0.0), np.finfo(float).tiny)
    floor = 10 ** (-2 * DYNAMIC_RANGE / 10)
    return 10 * np.log10(np.maximum(power / loudest, floor)), cochleagram_rate / factor


def _mark_frequencies(axes: Axes, frequencies: npt.NDArray[np.floating]) -> None:
    """Label rows with the round frequencies among their characteristic ones."""
    ticks = [f for f in FREQUENCY_TICKS if frequencies.min() <= f <= frequencies.max()]
    rows = np.interp(ticks, frequencies[::-1], np.arange(len(frequencies))[::-1])
    axes.set_yticks(rows, [f"{f / 1000:g}" for f in ticks])


def _round_channels(n_units: int) -> list[int]:
    step = max(n_units // 700 * 100, 1) if n_units >= 700 else max(n_units // 7, 1)
    return [*range(0, n_units, step)]


def _durations(events: Events) -> npt.NDArray[np.float64]:
    """Time of the last spike of each clip [s], 0 for a clip without any."""
    last = np.zeros(len(events))
    spoken = np.diff(events.offsets) > 0
    last[spoken] = events.times[events.offsets[1:][spoken] - 1]
    return last


def _count_by_class(events: Events) -> npt.NDArray[np.int64]:
    """Spikes of each class in each channel, shape (n_classes, n_units)."""
    rows = np.repeat(events.labels, np.diff(events.offsets))
    n_classes = len(events.keys)
    counts = np.bincount(rows * events.n_units + events.units, minlength=n_classes * events.n_units)
    return counts.reshape(n_classes, events.n_units)
