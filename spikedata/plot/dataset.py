"""Pictures of a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.plot.figure import BLUE, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spikedata.events import Events


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

    by_speaker.bar(np.arange(len(speakers)), clips_of_speaker, color=BLUE, width=0.6)
    by_speaker.set(title="Clips by speaker", xlabel="Speaker", ylabel="Clips")
    if len(speakers) <= 40:
        names = ["unknown" if speaker < 0 else str(speaker) for speaker in speakers]
        by_speaker.set_xticks(np.arange(len(speakers)), names)
    else:
        by_speaker.set_xlabel(f"{len(speakers):,} speakers")
    return figure


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
