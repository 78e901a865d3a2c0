"""One look for every picture, and how a picture becomes a file."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import numpy.typing as npt

from spikedata.atomic import check_output, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
FORMATS = ("png", "svg", "pdf")

# Okabe & Ito, "Color universal design" (2008): told apart with every kind of color vision, and in gray.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GRAY, PALE = "#1B1F24", "#6B7280", "#C9CED6"

# Any, for releases of Matplotlib differ in which names their types know.
STYLE: Any = {
    "axes.edgecolor": GRAY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.edgecolor": "white",
    "legend.framealpha": 0.9,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,
    "svg.hashsalt": "spikedata",
    "text.color": INK,
    "xtick.color": GRAY,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.color": GRAY,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8,
    "ytick.major.width": 0.7,
}

Arguments = ParamSpec("Arguments")


@contextmanager
def house_style() -> Iterator[None]:
    """Within the block, the style of the house and nothing else; after it, the caller's settings again."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Let a function draw in the style of the house."""

    @functools.wraps(draw)
    def draw_in_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with house_style():
            return draw(*args, **kwargs)

    return draw_in_style


def save_figure(figure: Figure, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a figure to a file whose name says the format; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : str or path-like
        Name that ends in .png (150 dots per inch), .svg or .pdf.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    ValueError
        If the name ends in anything else.
    OutputError
        If the path cannot be written.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(f"{path}: the name of a picture must end in .png, .svg or .pdf, got {Path(path).suffix!r}")
    check_output(path, overwrite=overwrite)
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    content = io.BytesIO()
    with house_style():
        figure.savefig(content, format=kind, dpi=DPI, metadata=undated)
    write_atomically(path, content.getvalue(), overwrite=overwrite)


def draw_spikes(axes: Axes, times: npt.ArrayLike, units: npt.ArrayLike, *, n_units: int, size: float = 1.2) -> None:
    """Dot by dot onto axes, unit 0 on top; dots stay pixels in SVG and PDF, for there may be ten thousand.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    times, units : array_like, shape (n_spikes,)
        Times [s] and units of the spikes.
    n_units : int
        Number of units on the axis.
    size : float
        Diameter of a dot [points].

    Raises
    ------
    ValueError
        If times and units are not equally many.
    """
    require_pairs(times, units)
    axes.plot(times, units, linestyle="none", marker="o", ms=size, mew=0, color=INK, rasterized=True)
    axes.set_ylim(n_units - 0.5, -0.5)


def require_pairs(times: npt.ArrayLike, units: npt.ArrayLike) -> None:
    """Raise a ValueError unless there is one unit for each time."""
    n_times, n_units = np.size(times), np.size(units)
    if n_times != n_units:
        raise ValueError(f"times and units must be equally many, got {n_times} and {n_units}")
