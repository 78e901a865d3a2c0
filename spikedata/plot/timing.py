"""Pictures of when spikes come: after the onset of clips, and after each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, checked
from spikedata.plot.figure import BLUE, GRAY, LEGEND, LINE, VERMILION, Picture, canvas_of, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spikedata.events import Events

PSTH_BIN = 5e-3  # [s]
SHORTEST, LONGEST = 1e-4, 10.0  # [s] of the intervals that are shown,
BINS_PER_DECADE = 20
INTERVAL_TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]  # [ms]
MOST_CLIPS = 25_000  # so many clips may have 2,000 bins, fewer have no more,
_MOST_CELLS = 2000 * MOST_CLIPS  # and more have fewer: what is counted at once


@styled
def plot_psth(
    events: Events, *, width: float | None = None, title: str = "", unit_name: str = "channel", ax: Axes | None = None
) -> Picture:
    """The peri-stimulus time histogram: the rate of all channels together after the onset of the clips.

    Clips are aligned at their beginning, and a clip that has ended counts as silent.

    Parameters
    ----------
    events : Events
        The clips.
    width : float, optional
        Length of a bin [s]. Default: 5 ms, and longer where clips are so long or so many that they need too many bins.
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
        If the bins are not longer than 0, or so short that there are too many.
    """
    latest = max(float(np.max(events.times, initial=0.0)), float(np.max(events.durations, initial=0.0)))
    n_clips = len(events)
    least = latest * max(n_clips, MOST_CLIPS) / _MOST_CELLS
    width = max(PSTH_BIN, least) if width is None else checked("width", width, Positive)
    if width < least:
        raise ValueError(
            f"width must be at least {least:.3g} s for {n_clips:,} clips of up to {latest:.3g} s, got {width}"
        )
    n_bins = int(latest / width) + 1
    clips = np.repeat(np.arange(n_clips), np.diff(events.offsets))
    bins = (events.times.astype(np.float64) / width).astype(np.int64)
    counts = np.bincount(clips * n_bins + bins, minlength=n_clips * n_bins).reshape(n_clips, n_bins)
    rates = counts / width / events.n_units
    edges = np.arange(n_bins + 1) * width

    canvas = canvas_of(ax, 7.2, 3.4, title=title)
    axes = canvas.axes()
    mean = rates.mean(axis=0) if n_clips else np.zeros(n_bins)
    axes.stairs(mean, edges, color=BLUE, linewidth=LINE, fill=n_clips == 1, alpha=0.85 if n_clips == 1 else 1)
    if n_clips > 1:
        low, high = np.quantile(rates, (0.1, 0.9), axis=0)
        axes.stairs(high, edges, baseline=low, fill=True, color=BLUE, alpha=0.18, label="10 to 90 % of the clips")
        axes.stairs(mean, edges, color=BLUE, linewidth=LINE, label=f"mean of {n_clips:,} clips")
        axes.legend(loc="upper right", **LEGEND)
    axes.set(
        xlabel="Time after onset (s)", ylabel=f"Rate (spikes/s per {unit_name})", xlim=(0, edges[-1]), ylim=(0, None)
    )
    return canvas.picture


@styled
def plot_intervals(events: Events, *, title: str = "", unit_name: str = "channel", ax: Axes | None = None) -> Picture:
    """How long each channel waits from one spike to the next: the histogram of inter-spike intervals.

    Parameters
    ----------
    events : Events
        The clips.
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
    intervals = intervals_of(events)
    n_decades = round(np.log10(LONGEST / SHORTEST))
    edges = np.geomspace(SHORTEST, LONGEST, n_decades * BINS_PER_DECADE + 1)
    shares = 100 * np.histogram(intervals, edges)[0] / max(intervals.size, 1)

    canvas = canvas_of(ax, 7.2, 3.4, title=title)
    axes = canvas.axes()
    axes.stairs(shares, edges, fill=True, color=BLUE, alpha=0.85)
    axes.set_xscale("log")
    axes.set_xticks(np.array(INTERVAL_TICKS) / 1000, [f"{tick:g}" for tick in INTERVAL_TICKS])
    axes.minorticks_off()
    shown = np.flatnonzero(shares)
    left, right = (edges[shown[0]], edges[shown[-1] + 1]) if shown.size else (SHORTEST, LONGEST)
    axes.set(xlabel=f"Interval between spikes of a {unit_name} (ms)", ylabel="Intervals (%)", xlim=(left, right))
    axes.set_ylim(0, None)
    found = "no intervals"
    if intervals.size:
        median = float(np.median(intervals))
        found = f"{intervals.size:,} intervals, median {1000 * median:.3g} ms"
        axes.axvline(median, color=VERMILION, linewidth=0.8, linestyle=(0, (4, 3)))
        beyond = np.count_nonzero((intervals < SHORTEST) | (intervals > LONGEST)) / intervals.size
        if beyond:
            axes.text(
                0.99, 0.97, f"{100 * beyond:.2g} % below 0.1 ms or above 10 s", transform=axes.transAxes, ha="right",
                va="top", size=8, color=GRAY,
            )  # fmt: skip
    canvas.head(axes, found)
    return canvas.picture


def intervals_of(events: Events) -> npt.NDArray[np.float64]:
    """Times [s] from each spike of a channel in a clip to its next, shape (n_intervals,)."""
    trains = np.repeat(np.arange(len(events)), np.diff(events.offsets)) * events.n_units + events.units
    times = events.times.astype(np.float64)
    order = np.lexsort((times, trains))
    is_same = np.diff(trains[order]) == 0
    return np.asarray(np.diff(times[order])[is_same])
