"""One look for every picture, and how a picture becomes a file."""

from __future__ import annotations

import functools
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import numpy.typing as npt

from spikedata.disk import check_output, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
FORMATS = ("png", "svg", "pdf")

# Okabe & Ito, "Color universal design" (2008): told apart with every kind of color vision, and in gray.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GRAY, PALE = "#1B1F24", "#6B7280", "#C9CED6"

FONT = "DejaVu Sans"  # comes with Matplotlib
LINE = 1.4  # [points] width of a line
LEGEND: Any = {"fontsize": 8, "edgecolor": "white", "facecolor": "white", "framealpha": 0.9, "labelcolor": INK}
_TICKS: Any = {
    "which": "both",
    "color": GRAY,
    "width": 0.7,
    "length": 3.5,
    "direction": "out",
    "labelcolor": INK,
    "labelsize": 8,
    "labelfontfamily": FONT,
}

Arguments = ParamSpec("Arguments")


def new_figure(width: float, height: float, *, title: str = "", layout: str = "constrained") -> Figure:
    """An empty figure in the look of the house, whose axes get that look as they are added.

    Matplotlib's global settings belong to the caller and to every other thread, so nothing is set in them: each figure,
    axes and text is told.

    Parameters
    ----------
    width, height : float
        Size [inch].
    title : str
        Headline.
    layout : {"constrained", "compressed"}
        How Matplotlib makes room for labels.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(
        h_pad=3 / 72, w_pad=3 / 72, hspace=0.02, wspace=0.02, compress=layout == "compressed"
    )
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", edgecolor="white", layout=engine)
    dressed: set[int] = set()

    def dress_new(changed: Figure) -> None:
        for axes in changed.axes:
            if id(axes) not in dressed:
                dressed.add(id(axes))
                _dress(axes)

    figure.add_axobserver(dress_new)
    figure.suptitle(title, x=0.01, ha="left", size=12, weight="bold", color=INK)
    return figure


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Give what a function has drawn on a `new_figure` the titles and the letters of the house."""

    @functools.wraps(draw)
    def draw_in_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        from matplotlib.lines import Line2D
        from matplotlib.text import Text

        figure = draw(*args, **kwargs)
        for axes in figure.axes:
            title = axes.get_title("left") or axes.get_title("center") or axes.get_title("right")
            axes.set_title("", loc="center")
            axes.set_title("", loc="right")
            axes.set_title(title, loc="left", size=10, weight="normal", color=INK, pad=6)
            if (legend := axes.get_legend()) is not None:
                legend.get_frame().set_linewidth(1.0)
        for text in figure.findobj(Text):
            text.set(family=FONT, usetex=False)
        for line in figure.findobj(Line2D):
            line.set(solid_capstyle="projecting", dash_capstyle="butt")
        return figure

    return draw_in_style


def _dress(axes: Axes) -> None:
    axes.set(facecolor="white", axisbelow="line")
    axes.margins(0.05)
    axes.minorticks_off()
    axes.grid(False, which="both")
    axes.tick_params(**_TICKS)
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), edgecolor=GRAY, linewidth=0.7)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(size=9, weight="normal", color=INK)


def save_figure(figure: Figure, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a figure to a file whose name says the format; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : str or path-like
        Name that ends in .png (150 dots per inch), .svg or .pdf. Fonts in a PDF are embedded as the setting
        ``pdf.fonttype`` of Matplotlib says.
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
    undated: Any = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    content = io.BytesIO()
    # all that the caller's settings could decide is said here; whether fonts are embedded as Type 3 or 42 cannot be
    whole: Any = {"bbox_inches": figure.bbox_inches, "facecolor": "white", "edgecolor": "white", "transparent": False}
    figure.savefig(content, format=kind, dpi=DPI, metadata=undated, **whole)
    written = content.getvalue()
    write_atomically(path, _with_plain_ids(written) if kind == "svg" else written, overwrite=overwrite)


def _with_plain_ids(svg: bytes) -> bytes:
    """Number the names that Matplotlib draws by chance unless a global setting forbids it."""
    numbers: dict[bytes, int] = {}

    def renamed(found: re.Match[bytes]) -> bytes:
        kind, name = found[2], found[2] + found[3]
        return found[1] + kind + b"-%d" % numbers.setdefault(name, len(numbers))

    return re.sub(rb'(id="|#)([A-Za-z]+?)([0-9a-f]{10})(?=["\)])', renamed, svg)


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
