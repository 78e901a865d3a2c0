"""Pictures of a network: what it does with one clip, how it learned, what it confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from spikedata.plot.figure import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    LEGEND,
    LETTER_WIDTH,
    LINE,
    PALE,
    VERMILION,
    Picture,
    canvas_of,
    draw_spikes,
    styled,
)
from spikedata.plot.lettering import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST_SHARE = 0.02  # [1] of a row of the confusion matrix that is still written out
# how a readout decides, as `spikedata.nn` calls it, and what is said of it
RULES = {
    "max": "highest peak wins",
    "softmax_sum": "largest share over time wins",
    "last": "highest at the end wins",
    "mean": "highest mean wins",
    "exp_mean": "highest mean wins, in which early times count more",
    "first_spike": "first spike wins",
}
COLUMNS = ("epoch", "train_accuracy", "validation_accuracy", "train_loss", "validation_loss")


@styled
def plot_hidden(
    spikes: npt.NDArray[np.number],
    dt: float,
    readout: npt.NDArray[np.floating],
    keys: Sequence[str],
    *,
    rule: str = "max",
    title: str = "",
    ax: Axes | None = None,
) -> Picture:
    """What the hidden layer does with one clip, and the readouts below it.

    The three classes with the highest scores are named. Where the maximum over time decides, a dot marks it; where the
    sum of the softmax decides, that is drawn: the share of each class at each step.

    Parameters
    ----------
    spikes : ndarray, shape (n_steps, n_hidden)
        Not zero where a hidden unit fires.
    dt : float
        Length of a step [s].
    readout : ndarray of float, shape (n_steps, n_classes)
        Membrane of each readout unit [1].
    keys : sequence of str
        Class names.
    rule : {"max", "softmax_sum", "last", "mean", "exp_mean", "first_spike"}
        How the readout becomes the score of a class: its maximum over time, the sum over time of its softmax over
        classes, its last value, its mean, in the second form weighted by exp(-t / duration); or the first spike, where
        the readout is the score itself.
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
        If the spikes and readouts are not equally long, the readouts and names not equally many, or there is no such
        rule.
    """
    (n_steps, n_hidden), n_readouts = np.shape(spikes), np.shape(readout)
    if n_readouts != (n_steps, len(keys)):
        raise ValueError(f"readout must have shape {n_steps, len(keys)} (n_steps, n_classes), got {n_readouts}")
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    canvas = canvas_of(ax, 7.2, 5.6, title=title, panels=True)
    grid = canvas.grid(2, 1, height_ratios=(1.5, 1))
    raster = canvas.add(grid[0])
    traces = canvas.add(grid[1], sharex=raster)
    raster.tick_params(labelbottom=False)

    steps, units = np.nonzero(spikes)
    draw_spikes(raster, (steps + 0.5) * dt, units, n_units=n_hidden, size=2)
    raster.set(ylabel="Hidden unit", title=f"Hidden layer: {len(steps) / n_hidden:.1f} spikes per unit")

    time = (np.arange(n_steps) + 0.5) * dt
    if rule == "softmax_sum":
        readout = softmax(readout, axis=1)
    weights = np.exp(-np.arange(n_steps) / n_steps) if rule == "exp_mean" else np.ones(n_steps)
    scores = {"max": readout.max(axis=0), "last": readout[-1]}.get(rule, weights @ readout)
    named = np.argsort(-scores, kind="stable")[:3]
    others = np.setdiff1d(np.arange(len(keys)), named)
    traces.plot(time, readout[:, others], color=PALE, linewidth=0.8)
    for rank, (index, color) in reversed(list(enumerate(zip(named, (VERMILION, BLUE, GREEN), strict=False)))):
        traces.plot(time, readout[:, index], color=color, linewidth=2 if rank == 0 else 1.3, label=_label(keys[index]))
        if rule == "max":
            traces.plot(time[readout[:, index].argmax()], scores[index], "o", ms=6 if rank == 0 else 4, color=color)
    ylabel = "Share of the class" if rule == "softmax_sum" else "Readout membrane"
    traces.set(xlabel="Time (s)", ylabel=ylabel, xlim=(0, n_steps * dt), title=f"Readout: {RULES[rule]}")
    traces.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True, **LEGEND)
    canvas.figure.align_ylabels([raster, traces])
    return canvas.picture


@styled
def plot_learning_curve(
    history: Mapping[str, Sequence[float]] | Sequence[Any],
    *,
    chance: float | None = None,
    best_epoch: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Picture:
    """Accuracy and loss after each epoch, on the training and on the validation part.

    Parameters
    ----------
    history : sequence of records or of mappings, or mapping of columns
        With `epoch`, `train_accuracy`, `validation_accuracy` (0 to 1 [1]), `train_loss` and `validation_loss`
        ([nat]); validation all NaN in a refit, where there was none.
    chance : float, optional
        Accuracy of guessing [1], drawn as a line.
    best_epoch : float, optional
        The epoch to mark; the first with the highest validation accuracy, unless told.
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
        If there is no epoch in the history, or `best_epoch` is not one of them.
    """
    from matplotlib.ticker import MaxNLocator

    table = _as_columns(history)
    epochs = table["epoch"]
    if not len(epochs):
        raise ValueError("history must hold at least one epoch, got none")
    validated = np.isfinite(table["validation_accuracy"])
    found = (
        np.nanargmax(table["validation_accuracy"]) if validated.any() else -1
    )  # where nothing chose, the last is kept
    best = epochs[found] if best_epoch is None else best_epoch
    if best not in epochs:
        raise ValueError(f"best_epoch must be an epoch of the history, got {best_epoch}")
    row = int(np.flatnonzero(epochs == best)[0])

    canvas = canvas_of(ax, 8.4, 3.5, title=title, panels=True)
    grid = canvas.grid(1, 2)
    accuracy, loss = canvas.add(grid[0]), canvas.add(grid[1])
    for axes, name, factor in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
        marker = "o" if len(epochs) == 1 else None
        axes.plot(
            epochs, factor * table[f"train_{name}"], color=GRAY, linewidth=LINE, label="training", marker=marker, ms=4
        )
        shown = "validation" if validated.any() else "train"
        if validated.any():
            axes.plot(
                epochs,
                factor * table[f"validation_{name}"],
                color=BLUE,
                linewidth=LINE,
                label="validation",
                marker=marker,
                ms=4,
            )
        axes.axvline(best, color=VERMILION, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.plot(best, factor * table[f"{shown}_{name}"][row], "o", ms=5.5, color=VERMILION, label="weights kept")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="Epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
    if chance is not None:
        accuracy.axhline(100 * chance, color=GRAY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
        accuracy.annotate(
            f"chance {100 * chance:.3g} %",
            (1, 100 * chance),
            (-2, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            size=8,
            color=GRAY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},  # the line of a late epoch ends there
        )
    accuracy.set(ylabel="Accuracy (%)", ylim=(0, 102))
    loss.set(ylabel="Cross-entropy (nat)", ylim=(0, None))
    kept = 100 * table[f"{shown}_accuracy"][row]
    accuracy.set_title(f"{'Validation' if validated.any() else 'Training'} {kept:.1f} % at epoch {best:g}")
    loss.set_title("Loss")
    loss.legend(loc="upper right", **LEGEND)
    return canvas.picture


@styled
def plot_confusion(
    matrix: npt.NDArray[np.integer], keys: Sequence[str], *, title: str = "", ax: Axes | None = None
) -> Picture:
    """Which class is taken for which: a row is the true class, a column the answer; colors are shares of a row.

    Parameters
    ----------
    matrix : ndarray of int, shape (n_classes, n_classes)
        Clips of each true class (row) by answer (column); counts are written where they
        are at least 2 % of their row.
    keys : sequence of str
        Class names.
    title : str
        Headline.
    ax : matplotlib.axes.Axes, optional
        Axes of your own to draw into.

    Returns
    -------
    matplotlib.figure.Figure, or ``ax``

    Raises
    ------
    ValueError
        If the matrix is not square with one row for each name.
    """
    matrix, n_classes = np.asarray(matrix), len(keys)
    if matrix.shape != (n_classes, n_classes):
        raise ValueError(f"matrix must have shape {n_classes, n_classes}, one row per class, got {matrix.shape}")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)

    names = [shortened(key) for key in keys]
    side = 1.2 + 0.24 * max(n_classes, 10) + LETTER_WIDTH * max(map(len, names), default=0)
    canvas = canvas_of(ax, side + 0.6, side, title=title, layout="compressed")
    axes = canvas.axes()
    image = axes.imshow(100 * shares, aspect="equal", cmap="Blues", vmin=0, vmax=100, interpolation="antialiased")
    axes.set_xticks(np.arange(n_classes), names, rotation=90)
    axes.set_yticks(np.arange(n_classes), names)
    axes.set(xlabel="Answer", ylabel="True class")
    axes.set_xticks(np.arange(n_classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n_classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#EEF0F3", linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    for row, column in np.argwhere(shares >= SMALLEST_SHARE):
        color = "white" if shares[row, column] > 0.5 else INK
        axes.text(column, row, f"{matrix[row, column]}", ha="center", va="center", size=6.5, color=color)
    correct, total = int(np.trace(matrix)), int(totals.sum())
    canvas.head(axes, f"{correct:,} of {total:,} correct ({100 * correct / max(total, 1):.1f} %)")
    canvas.bar(image, "Share of the true class (%)", ax=axes, shrink=0.5, aspect=24, pad=0.02)
    return canvas.picture


def _label(key: str) -> str:
    """A class name for a legend, which would leave out one that begins with an underscore."""
    return "\u200b" + shortened(key) if key.startswith("_") else shortened(key)  # a space of no width


def _as_columns(history: Mapping[str, Sequence[float]] | Sequence[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """The five columns of a history, whatever holds them."""
    if isinstance(history, Mapping):
        return {name: np.asarray(history[name], dtype=np.float64) for name in COLUMNS}
    return {name: np.array([_value(record, name) for record in history], dtype=np.float64) for name in COLUMNS}


def _value(record: Any, name: str) -> float:
    return float(record[name] if isinstance(record, Mapping) else getattr(record, name))
