"""Pictures of a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.events import latest_times
from spikedata.plot.figure import BLUE, LEGEND, LETTER_WIDTH, LINE, Picture, add_frequencies, canvas_of, styled
from spikedata.plot.lettering import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spikedata.events import Events

MEAN_BIN = 10e-3  # [s] of a class's mean picture
MOST_MEAN_BINS = 1000  # of it, which are longer in a data set of long recordings
MEAN_CHANNELS = 5  # neighboring channels that it counts together
MOST_LETTERS = 14  # of a class's name in its picture
MOST_NAMED = 40  # speakers whose number is written at their place


@styled
def plot_rates(
    events: Events,
    *,
    frequencies: npt.NDArray[np.floating] | None = None,
    title: str = "",
    unit_name: str = "channel",
    ax: Axes | None = None,
) -> Picture:
    """How often each channel fires in a data set, and how much that differs between classes.

    The time of a clip is taken to end with its last spike.

    Parameters
    ----------
    events : Events
        The data set.
    frequencies : ndarray of float, shape (n_units,), optional
        Characteristic frequency of each channel [Hz], falling; shown as a second scale.
    title : str
        Headline.
    unit_name : str
        What a unit is, as the labels have it: "channel" or "fiber".
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``
    """
    counts = _count_by_class(events)
    seconds = np.bincount(events.labels, weights=latest_times(events), minlength=len(events.keys))
    heard = seconds > 0
    by_class = counts[heard] / seconds[heard, None]
    mean = counts.sum(axis=0) / max(seconds.sum(), np.finfo(float).tiny)
    channels = np.arange(events.n_units)

    canvas = canvas_of(ax, 7.2, 3.6, title=title)
    axes = canvas.axes()
    if len(by_class) > 1:
        low, high = by_class.min(axis=0), by_class.max(axis=0)
        axes.fill_between(channels, low, high, color=BLUE, alpha=0.18, linewidth=0, label="lowest to highest class")
    axes.plot(channels, mean, color=BLUE, linewidth=LINE, label=f"mean of {len(events):,} clips")
    axes.set(xlabel=f"{unit_name.capitalize()} (base to apex, high to low frequency)", ylabel="Rate (spikes/s)")
    axes.set(xlim=(0, max(events.n_units - 1, 1)), ylim=(0, None))
    axes.legend(loc="upper left", **LEGEND)
    add_frequencies(axes, frequencies, n_units=events.n_units, along="x")
    return canvas.picture


@styled
def plot_classes(
    events: Events,
    *,
    frequencies: npt.NDArray[np.floating] | None = None,
    title: str = "",
    unit_name: str = "channel",
    ax: Axes | None = None,
) -> Picture:
    """What a data set holds: clips by class and by speaker, and where on the cochlea each class is heard.

    Parameters
    ----------
    events : Events
        The data set.
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
    """
    n_classes = len(events.keys)
    clips = np.bincount(events.labels, minlength=n_classes)
    speakers, clips_of_speaker = np.unique(events.speakers, return_counts=True)

    canvas = canvas_of(ax, 9.0, 2.6 + 0.17 * n_classes, title=title, panels=True)
    grid = canvas.grid(2, 3, width_ratios=(1, 3, 0.05), height_ratios=(2.2 + 0.13 * n_classes, 1.5))
    by_class = canvas.add(grid[0, 0])
    activity = canvas.add(grid[0, 1], sharey=by_class)
    by_speaker = canvas.add(grid[1, :2])

    by_class.barh(np.arange(n_classes), clips, color=BLUE, height=0.7)
    by_class.set_yticks(np.arange(n_classes), [shortened(key) for key in events.keys])
    by_class.set(title="Clips by class", xlabel="Clips", ylim=(n_classes - 0.5, -0.5))
    by_class.tick_params(axis="y", length=0)

    mean_counts = _count_by_class(events) / np.maximum(clips, 1)[:, None]
    extent = (-0.5, events.n_units - 0.5, n_classes - 0.5, -0.5)
    # nearest: no class runs into the next
    image = activity.imshow(mean_counts, aspect="auto", cmap="magma", vmin=0, extent=extent, interpolation="nearest")
    activity.set(title="Where each class is heard", xlabel=f"{unit_name.capitalize()} (base to apex)")
    activity.tick_params(axis="y", length=0, labelleft=False)
    canvas.bar(image, "Spikes per clip", cax=canvas.add(grid[0, 2]))
    add_frequencies(activity, frequencies, n_units=events.n_units, along="x")

    by_speaker.bar(np.arange(len(speakers)), clips_of_speaker, color=BLUE, width=0.6)
    by_speaker.set(title="Clips by speaker", xlabel="Speaker", ylabel="Clips")
    if len(speakers) <= MOST_NAMED:
        by_speaker.set_xticks(np.arange(len(speakers)), _names_of(speakers))
    else:
        by_speaker.set_xlabel(_number_of(speakers))
    return canvas.picture


@styled
def plot_speakers(events: Events, *, title: str = "", ax: Axes | None = None) -> Picture:
    """What each speaker gives to a data set: clips, clips of each class, and spikes per clip.

    Parameters
    ----------
    events : Events
        The data set.
    title : str
        Headline.
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into; the panels share its place.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``
    """
    from matplotlib.ticker import MaxNLocator

    speakers, speaker_of = np.unique(events.speakers, return_inverse=True)
    n_speakers, n_classes = max(len(speakers), 1), max(len(events.keys), 1)
    clips = np.bincount(speaker_of * n_classes + events.labels, minlength=n_speakers * n_classes)
    clips = clips.reshape(n_speakers, n_classes)
    few = n_speakers <= MOST_NAMED

    names = [shortened(key) for key in events.keys]
    below = LETTER_WIDTH * max(map(len, names), default=0)  # of the names of classes, which stand upright
    canvas = canvas_of(ax, 9.0, 1.8 + 0.2 * min(n_speakers, MOST_NAMED) + below, title=title, panels=True)
    grid = canvas.grid(1, 4, width_ratios=(1, 2.4, 0.06, 1))
    by_speaker = canvas.add(grid[0, 0])
    by_class = canvas.add(grid[0, 1], sharey=by_speaker)
    spikes = canvas.add(grid[0, 3], sharey=by_speaker)

    by_speaker.barh(np.arange(n_speakers), clips.sum(axis=1), color=BLUE, height=0.7 if few else 1.0)
    by_speaker.set(title="Clips", xlabel="Clips", ylabel="Speaker", ylim=(n_speakers - 0.5, -0.5))
    if few:
        by_speaker.set_yticks(np.arange(len(speakers)), _names_of(speakers))
    else:
        by_speaker.set(ylabel=_number_of(speakers), yticks=[])

    extent = (-0.5, n_classes - 0.5, n_speakers - 0.5, -0.5)
    image = by_class.imshow(clips, aspect="auto", cmap="Blues", vmin=0, extent=extent, interpolation="nearest")
    by_class.set_title("Clips of each class")
    by_class.set_xticks(np.arange(len(events.keys)), names, rotation=90)
    if few:
        by_class.vlines(np.arange(1, n_classes) - 0.5, -0.5, n_speakers - 0.5, color="white", linewidth=0.7)
        by_class.hlines(np.arange(1, n_speakers) - 0.5, -0.5, n_classes - 0.5, color="white", linewidth=0.7)
    canvas.bar(image, "", cax=canvas.add(grid[0, 2]), ticks=MaxNLocator(integer=True))

    low, middle, high = _quantiles_by_speaker(events, speaker_of, len(speakers))
    spikes.barh(np.arange(len(speakers)), high - low, left=low, height=0.5, color=BLUE, alpha=0.25)
    spikes.plot(middle, np.arange(len(speakers)), linestyle="none", marker="|", color=BLUE)
    spikes.set(title="Spikes per clip", xlabel="Median, 10 to 90 % of clips", xlim=(0, None))
    for axes in (by_class, spikes):
        axes.tick_params(axis="y", length=0, labelleft=False)
    return canvas.picture


@styled
def plot_means(
    events: Events,
    *,
    frequencies: npt.NDArray[np.floating] | None = None,
    title: str = "",
    unit_name: str = "channel",
    ax: Axes | None = None,
) -> Picture:
    """The mean clip of each class: how often each part of the cochlea fires at each time.

    Clips are aligned at their beginning, and a clip that has ended counts as silent.

    Parameters
    ----------
    events : Events
        The data set.
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
    """
    n_classes = max(len(events.keys), 1)
    n_columns = min(5 if n_classes <= 20 else 7, n_classes)
    n_rows = -(-n_classes // n_columns)
    means, duration = _mean_by_class(events)

    canvas = canvas_of(ax, 9.0, 1.0 + 1.3 * n_rows, title=title, panels=True)
    grid = canvas.grid(n_rows, n_columns)
    extent = (0, duration, events.n_units - 0.5, -0.5)
    panels: list[Axes] = []
    for number, (mean, name) in enumerate(zip(means, events.keys, strict=True)):
        row, column = divmod(number, n_columns)
        shared = {"sharex": panels[0], "sharey": panels[0]} if panels else {}
        axes = canvas.add(grid[row, column], **shared)
        image = axes.imshow(
            mean, aspect="auto", cmap="magma", vmin=0, vmax=means.max() or 1, extent=extent, interpolation="nearest"
        )
        text = axes.text(0.97, 0.95, shortened(name, MOST_LETTERS), color="white", ha="right", va="top", fontsize=9)
        text.set(transform=axes.transAxes, in_layout=False)  # no room is made for one that is wider than its panel
        is_lowest = number + n_columns >= n_classes
        axes.set(xlabel="Time (s)" if is_lowest else "", ylabel=unit_name.capitalize() if not column else "")
        axes.tick_params(labelbottom=is_lowest, labelleft=not column)
        if column == n_columns - 1:
            add_frequencies(axes, frequencies, n_units=events.n_units, label=False)
        panels.append(axes)
    if panels:
        canvas.bar(image, "Rate (spikes/s)", ax=panels, pad=0.015, aspect=40)
    return canvas.picture


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
    latest = float(np.max(events.times, initial=0.0))
    width = max(MEAN_BIN, latest / MOST_MEAN_BINS)
    n_bins = int(latest / width) + 1
    sums = np.zeros((n_classes, n_bands * n_bins))
    for clip, label in enumerate(events.labels):
        row = slice(events.offsets[clip], events.offsets[clip + 1])
        bins = (events.times[row].astype(np.float64) / width).astype(np.int64)
        bands = events.units[row].astype(np.int64) // MEAN_CHANNELS
        sums[label] += np.bincount(bands * n_bins + bins, minlength=n_bands * n_bins)
    clips = np.maximum(np.bincount(events.labels, minlength=n_classes), 1)
    widths = np.minimum(MEAN_CHANNELS, events.n_units - MEAN_CHANNELS * np.arange(n_bands))  # the last may be narrower
    rates = sums.reshape(n_classes, n_bands, n_bins) / clips[:, None, None] / widths[:, None] / width
    return rates, n_bins * width
