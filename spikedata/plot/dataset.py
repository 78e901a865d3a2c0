"""Pictures of a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.events import latest_times
from spikedata.plot.figure import BLUE, INK, LEGEND, LINE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spikedata.events import Events

MEAN_BIN = 10e-3  # [s] of a class's mean picture
MEAN_CHANNELS = 5  # neighboring channels that it counts together
MOST_NAMED = 40  # speakers whose number is written at their place


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
    counts = _count_by_class(events)
    seconds = np.bincount(events.labels, weights=latest_times(events), minlength=len(events.keys))
    heard = seconds > 0
    by_class = counts[heard] / seconds[heard, None]
    mean = counts.sum(axis=0) / max(seconds.sum(), np.finfo(float).tiny)
    channels = np.arange(events.n_units)

    figure = new_figure(7.2, 3.6, title=title)
    axes = figure.subplots()
    if len(by_class) > 1:
        low, high = by_class.min(axis=0), by_class.max(axis=0)
        axes.fill_between(channels, low, high, color=BLUE, alpha=0.18, linewidth=0, label="lowest to highest class")
    axes.plot(channels, mean, color=BLUE, linewidth=LINE, label=f"mean of {len(events):,} clips")
    axes.set(xlabel="Channel (base to apex, high to low frequency)", ylabel="Rate (spikes/s)")
    axes.set(xlim=(0, events.n_units - 1), ylim=(0, None))
    axes.legend(loc="upper left", **LEGEND)
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
    n_classes = len(events.keys)
    clips = np.bincount(events.labels, minlength=n_classes)
    speakers, clips_of_speaker = np.unique(events.speakers, return_counts=True)

    figure = new_figure(9.0, 2.6 + 0.17 * n_classes, title=title)
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
    # nearest: no class runs into the next
    image = activity.imshow(mean_counts, aspect="auto", cmap="magma", vmin=0, extent=extent, interpolation="nearest")
    activity.set(title="Where each class is heard", xlabel="Channel (base to apex)")
    activity.tick_params(axis="y", length=0, labelleft=False)
    bar = figure.colorbar(image, cax=figure.add_subplot(grid[0, 2]), label="Spikes per clip")
    bar.outline.set_visible(False)

    by_speaker.bar(np.arange(len(speakers)), clips_of_speaker, color=BLUE, width=0.6)
    by_speaker.set(title="Clips by speaker", xlabel="Speaker", ylabel="Clips")
    if len(speakers) <= MOST_NAMED:
        by_speaker.set_xticks(np.arange(len(speakers)), _names_of(speakers))
    else:
        by_speaker.set_xlabel(_number_of(speakers))
    return figure


@styled
def plot_speakers(events: Events, *, title: str = "") -> Figure:
    """What each speaker gives to a data set: clips, clips of each class, and spikes per clip.

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
    from matplotlib.ticker import MaxNLocator

    speakers, speaker_of = np.unique(events.speakers, return_inverse=True)
    n_speakers, n_classes = max(len(speakers), 1), max(len(events.keys), 1)
    clips = np.bincount(speaker_of * n_classes + events.labels, minlength=n_speakers * n_classes)
    clips = clips.reshape(n_speakers, n_classes)
    few = n_speakers <= MOST_NAMED

    figure = new_figure(9.0, 2.2 + 0.2 * min(n_speakers, MOST_NAMED), title=title)
    grid = figure.add_gridspec(1, 4, width_ratios=(1, 2.4, 0.06, 1))
    by_speaker = figure.add_subplot(grid[0, 0])
    by_class = figure.add_subplot(grid[0, 1], sharey=by_speaker)
    spikes = figure.add_subplot(grid[0, 3], sharey=by_speaker)

    by_speaker.barh(np.arange(n_speakers), clips.sum(axis=1), color=BLUE, height=0.7 if few else 1.0)
    by_speaker.set(title="Clips", xlabel="Clips", ylabel="Speaker", ylim=(n_speakers - 0.5, -0.5))
    if few:
        by_speaker.set_yticks(np.arange(len(speakers)), _names_of(speakers))
    else:
        by_speaker.set(ylabel=_number_of(speakers), yticks=[])

    extent = (-0.5, n_classes - 0.5, n_speakers - 0.5, -0.5)
    image = by_class.imshow(clips, aspect="auto", cmap="Blues", vmin=0, extent=extent, interpolation="nearest")
    by_class.set_title("Clips of each class")
    by_class.set_xticks(np.arange(len(events.keys)), events.keys, rotation=90)
    if few:
        by_class.vlines(np.arange(1, n_classes) - 0.5, -0.5, n_speakers - 0.5, color="white", linewidth=0.7)
        by_class.hlines(np.arange(1, n_speakers) - 0.5, -0.5, n_classes - 0.5, color="white", linewidth=0.7)
    scale = figure.colorbar(image, cax=figure.add_subplot(grid[0, 2]), ticks=MaxNLocator(integer=True))
    scale.outline.set_visible(False)

    low, middle, high = _quantiles_by_speaker(events, speaker_of, len(speakers))
    spikes.barh(np.arange(len(speakers)), high - low, left=low, height=0.5, color=BLUE, alpha=0.25)
    spikes.plot(middle, np.arange(len(speakers)), linestyle="none", marker="|", color=BLUE)
    spikes.set(title="Spikes per clip", xlabel="Median, 10 to 90 % of clips", xlim=(0, None))
    for axes in (by_class, spikes):
        axes.tick_params(axis="y", length=0, labelleft=False)
    return figure


@styled
def plot_means(events: Events, *, title: str = "") -> Figure:
    """The mean clip of each class: how often each part of the cochlea fires at each time.

    Clips are aligned at their beginning, and a clip that has ended counts as silent.

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
    n_classes = max(len(events.keys), 1)
    n_columns = min(5 if n_classes <= 20 else 7, n_classes)
    n_rows = -(-n_classes // n_columns)
    means, duration = _mean_by_class(events)

    figure = new_figure(9.0, 0.8 + 1.3 * n_rows, title=title)
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    extent = (0, duration, events.n_units - 0.5, -0.5)
    for axes, mean, name in zip(panels.flat, means, events.keys, strict=False):
        image = axes.imshow(
            mean, aspect="auto", cmap="magma", vmin=0, vmax=means.max() or 1, extent=extent, interpolation="nearest"
        )
        axes.text(0.97, 0.95, name, color="white", ha="right", va="top", fontsize=9, transform=axes.transAxes)
    for axes in panels.flat[len(events.keys) :]:
        axes.set_axis_off()
    figure.supxlabel("Time (s)", fontsize=9, weight="normal", color=INK)
    figure.supylabel("Channel (base to apex)", fontsize=9, weight="normal", color=INK)
    if len(means):
        bar = figure.colorbar(image, ax=panels, label="Rate (spikes/s)", pad=0.015, aspect=40)
        bar.outline.set_visible(False)
    return figure


def _count_by_class(events: Events) -> npt.NDArray[np.int64]:
    """Spikes of each class in each channel, shape (n_classes, n_units)."""
    rows = np.repeat(events.labels, np.diff(events.offsets))
    n_classes = len(events.keys)
    counts = np.bincount(rows * events.n_units + events.units, minlength=n_classes * events.n_units)
    return counts.reshape(n_classes, events.n_units)


def _names_of(speakers: npt.NDArray[np.int64]) -> list[str]:
    return ["unknown" if speaker < 0 else str(speaker) for speaker in speakers]


def _number_of(speakers: npt.NDArray[np.int64]) -> str:
    n_known = int(np.count_nonzero(speakers >= 0))
    return f"{n_known:,} speakers" + (", and clips of unknown ones" if n_known < len(speakers) else "")


def _quantiles_by_speaker(
    events: Events, speaker_of: npt.NDArray[np.int64], n_speakers: int
) -> npt.NDArray[np.float64]:
    """Of the spikes per clip of each speaker: 10 %, median, 90 %; shape (3, n_speakers)."""
    n_spikes = np.diff(events.offsets)
    order = np.argsort(speaker_of, kind="stable")
    groups = np.split(n_spikes[order], np.cumsum(np.bincount(speaker_of, minlength=n_speakers))[:-1])
    quantiles = [np.quantile(group, (0.1, 0.5, 0.9)) for group in groups if len(group)]
    return np.array(quantiles).reshape(-1, 3).T


def _mean_by_class(events: Events) -> tuple[npt.NDArray[np.float64], float]:
    """Rate of each class by band of channels and time [Hz], shape (n_classes, n_bands, n_bins), and their time [s]."""
    n_classes, n_bands = len(events.keys), -(-events.n_units // MEAN_CHANNELS)
    n_bins = int(float(np.max(events.times, initial=0.0)) / MEAN_BIN) + 1
    sums = np.zeros((n_classes, n_bands * n_bins))
    for clip, label in enumerate(events.labels):
        row = slice(events.offsets[clip], events.offsets[clip + 1])
        bins = (events.times[row].astype(np.float64) / MEAN_BIN).astype(np.int64)
        bands = events.units[row].astype(np.int64) // MEAN_CHANNELS
        sums[label] += np.bincount(bands * n_bins + bins, minlength=n_bands * n_bins)
    clips = np.maximum(np.bincount(events.labels, minlength=n_classes), 1)
    widths = np.minimum(MEAN_CHANNELS, events.n_units - MEAN_CHANNELS * np.arange(n_bands))  # the last may be narrower
    rates = sums.reshape(n_classes, n_bands, n_bins) / clips[:, None, None] / widths[:, None] / MEAN_BIN
    return rates, n_bins * MEAN_BIN
