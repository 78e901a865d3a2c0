"""One look for every picture, and how a picture becomes a file."""

from __future__ import annotations

import functools
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from spikedata.disk import check_output, write_atomically
from spikedata.plot.lettering import FONT, letter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.gridspec import GridSpecBase, SubplotSpec

Picture: TypeAlias = "Figure | Axes"

DPI = 150
FORMATS = ("png", "svg", "pdf")

# Okabe & Ito, "Color universal design" (2008): told apart with every kind of color vision, and in gray.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GRAY, PALE = "#1B1F24", "#6B7280", "#C9CED6"

MOST_OPAQUE = 40_000  # dots of a picture
LINE = 1.4  # [points] width of a line
LETTER_WIDTH = 0.08  # [inch] of most letters of a label
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

FREQUENCY_TICKS = (100, 200, 500, 1000, 2000, 5000, 10000, 20000)  # [Hz]

Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")


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


class Canvas(NamedTuple):
    """Where a picture is drawn: in a figure of its own, or in the place of axes that the caller has.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or SubFigure
        The figure.
    ax : matplotlib.axes.Axes or None
        The caller's axes; None if the figure is the picture's own.
    title : str
        Headline, which a figure of its own shows already.
    """

    figure: Figure | SubFigure
    ax: Axes | None
    title: str

    @property
    def picture(self) -> Picture:
        """What the function that draws returns."""
        return self.figure if self.ax is None else self.ax  # type: ignore[return-value]  # its own is no SubFigure

    def axes(self) -> Axes:
        """The axes of a picture that has one panel."""
        return self.figure.add_subplot() if self.ax is None else self.ax

    def grid(self, n_rows: int, n_columns: int, **ratios: Any) -> GridSpecBase:
        """Places for the panels of a picture that has several."""
        if self.has_no_layout:  # nothing else makes room for the labels of panels
            ratios = {"hspace": 0.5, "wspace": 0.5} | ratios
        return self.figure.add_gridspec(n_rows, n_columns, **ratios)

    def add(self, place: SubplotSpec, **options: Any) -> Axes:
        """A panel at one of the places, in the look of the house."""
        axes: Axes = self.figure.add_subplot(place, **options)
        if self.ax is not None:
            _dress(axes)
        return axes

    def bar(self, image: ScalarMappable, label: str, **options: Any) -> Colorbar:
        """A scale of the colors of an image."""
        bar = self.figure.colorbar(image, label=label, **options)
        bar.outline.set_visible(False)
        bar.ax.tick_params(**_TICKS)
        bar.ax.minorticks_off()
        bar.ax.yaxis.label.set(size=9, weight="normal", color=INK)
        return bar

    def head(self, axes: Axes, title: str = "") -> None:
        """Give axes a title of their own, below the headline if they are the caller's."""
        lines = [self.title if axes is self.ax else "", title]
        axes.set_title("\n".join(line for line in lines if line))

    @property
    def has_no_layout(self) -> bool:
        """Whether nothing in the figure makes room for labels."""
        return self.figure.get_layout_engine() is None


def canvas_of(
    ax: Axes | None, width: float, height: float, *, title: str = "", layout: str = "constrained", panels: bool = False
) -> Canvas:
    """The place for a picture.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Axes of the caller's to draw into. Default: a new figure.
    width, height, title, layout
        As `new_figure`; of the caller's axes, the title alone matters.
    panels : bool
        Whether there are several panels, for which the caller's axes, which show nothing themselves, become a figure in
        the figure.

    Raises
    ------
    ValueError
        If there is no place for panels.
    """
    if ax is None:
        return Canvas(new_figure(width, height, title=title, layout=layout), None, title)
    if not panels:
        _dress(ax)
        ax.set_title(title)
        return Canvas(ax.figure, ax, title)
    figure = _figure_in_place_of(ax)
    if title:
        letter(figure.suptitle(title, x=0.01, ha="left", size=10, weight="normal", color=INK))
    return Canvas(figure, ax, title)


def _figure_in_place_of(ax: Axes) -> SubFigure:
    """A figure in the figure, for panels, where axes are, which are shown no more."""
    place, box, has_layout = ax.get_subplotspec(), ax.get_position(), ax.figure.get_layout_engine() is not None
    is_outer = place is not None and place.get_topmost_subplotspec() is place
    if place is None:
        if has_layout:
            raise ValueError("ax must be one of a grid, as plt.subplots makes it, for a picture of panels in a layout")
        place = ax.figure.add_gridspec(1, 1)[0]
    ax.set_axis_off()
    figure: SubFigure = ax.figure.add_subfigure(place, facecolor="none", edgecolor="none")
    if not (is_outer or has_layout):  # else Matplotlib finds the place itself
        figure.bbox_relative.p0, figure.bbox_relative.p1 = box.p0, box.p1
    return figure


def _require_axes(ax: object) -> None:
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        found = f"an array of shape {ax.shape}: pass one of them" if isinstance(ax, np.ndarray) else type(ax).__name__
        raise TypeError(f"ax must be one Matplotlib Axes, got {found}")


def styled(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Give what a function has drawn, on a `new_figure` or into its ``ax``, the titles and letters of the house."""

    @functools.wraps(draw)
    def draw_in_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        from matplotlib.lines import Line2D

        ax: Any = kwargs.get("ax")
        if ax is not None:
            _require_axes(ax)
        others = set() if ax is None else set(ax.figure.axes) - {ax}
        drawn = draw(*args, **kwargs)
        figure: Any = drawn if ax is None else ax.figure
        new = [axes for axes in figure.axes if axes not in others]
        for axes in new:
            title = axes.get_title("left") or axes.get_title("center") or axes.get_title("right")
            axes.set_title("", loc="center")
            axes.set_title("", loc="right")
            axes.set_title(title, loc="left", size=10, weight="normal", color=INK, pad=6)
            if (legend := axes.get_legend()) is not None:
                legend.get_frame().set_linewidth(1.0)
        for artist in [figure] if ax is None else new:
            _letter_all(artist)
            for line in artist.findobj(Line2D):
                line.set(solid_capstyle="projecting", dash_capstyle="butt")
        return drawn

    return draw_in_style


def _letter_all(artist: Any) -> None:
    """Give all texts of a figure or axes their fonts; ticks that are numbers stay what Matplotlib made them."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    numbers = {
        id(text)
        for axis in artist.findobj(Axis)
        if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter)
        for tick in (*axis.get_major_ticks(), axis)
        for text in ((axis.offsetText,) if tick is axis else (tick.label1, tick.label2))
    }
    for text in artist.findobj(Text):
        letter(text, is_number=id(text) in numbers)


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


def save_figure(figure: Picture, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a figure to a file whose name says the format; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or Axes
        What to write; of axes, the figure that they are in.
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
    kind = check_picture(path, overwrite=overwrite)
    whole_figure: Any = figure
    while whole_figure.figure is not whole_figure:  # axes and figures in a figure
        whole_figure = whole_figure.figure
    undated: Any = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    content = io.BytesIO()
    # all that the caller's settings could decide is said here; whether fonts are embedded as Type 3 or 42 cannot be
    whole: Any = {
        "bbox_inches": whole_figure.bbox_inches,
        "facecolor": "white",
        "edgecolor": "white",
        "transparent": False,
    }
    whole_figure.savefig(content, format=kind, dpi=DPI, metadata=undated, **whole)
    written = content.getvalue()
    write_atomically(path, _with_plain_ids(written) if kind == "svg" else written, overwrite=overwrite)


def check_picture(path: str | os.PathLike[str], *, overwrite: bool = False) -> str:
    """The format that the name of a picture says, once it is known that it can be written there.

    Parameters
    ----------
    path, overwrite
        As `save_figure`.

    Raises
    ------
    ValueError, OutputError
        As `save_figure`.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(f"{path}: the name of a picture must end in .png, .svg or .pdf, got {Path(path).suffix!r}")
    check_output(path, overwrite=overwrite)
    return kind


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
    # dots of a long recording lie upon each other: they become pale, so that what is denser is darker
    alpha = max(min(1.0, MOST_OPAQUE / max(np.size(times), 1)), 0.03)
    axes.plot(times, units, linestyle="none", marker="o", ms=size, mew=0, color=INK, alpha=alpha, rasterized=True)
    axes.set_ylim(n_units - 0.5, -0.5)


def add_frequencies(
    axes: Axes, frequencies: npt.NDArray[np.floating] | None, *, n_units: int, along: str = "y", label: bool = True
) -> None:
    """Give axes of channels a second scale, of their characteristic frequencies, on the other side.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The axes, one of whose axes counts channels.
    frequencies : ndarray of float, shape (n_units,), or None
        Characteristic frequency of each channel [Hz], falling; None adds nothing.
    n_units : int
        Number of channels.
    along : {"x", "y"}
        Which axis counts them.
    label : bool
        Whether to name the scale; without a name there are few ticks, and each says its unit.

    Raises
    ------
    ValueError
        If there is not one frequency for each channel, or they do not fall.
    """
    if frequencies is None:
        return
    frequencies = require_falling(frequencies, n_units)
    ticks = [f for f in FREQUENCY_TICKS[:: 1 if label else 3] if frequencies[-1] <= f <= frequencies[0]]
    rows = np.interp(ticks, frequencies[::-1], np.arange(n_units)[::-1])
    names = [f"{f / 1000:g}k" if f >= 1000 else f"{f}" for f in ticks]
    if not label:
        names = [f"{f / 1000:g} kHz" if f >= 1000 else f"{f} Hz" for f in ticks]
    second: Any = axes.secondary_yaxis("right") if along == "y" else axes.secondary_xaxis("top")
    axis = second.yaxis if along == "y" else second.xaxis
    axis.set_ticks(rows, names)
    second.minorticks_off()
    second.tick_params(**_TICKS)
    for spine in second.spines.values():
        spine.set(edgecolor=GRAY, linewidth=0.7)
    axis.set_label_text("Frequency (Hz)" if label else "")
    axis.label.set(size=9, weight="normal", color=INK)


def require_falling(frequencies: npt.ArrayLike, n_units: int | None = None) -> npt.NDArray[np.float64]:
    """The frequencies, or a ValueError unless they fall from channel to channel, and are `n_units` if that is given."""
    falling = np.asarray(frequencies, np.float64)
    if falling.ndim != 1 or (n_units is not None and len(falling) != n_units):
        raise ValueError(f"frequencies must be {n_units}, one for each channel, got shape {falling.shape}")
    if np.any(np.diff(falling) >= 0):
        raise ValueError("frequencies must fall from base to apex, got some that rise")
    return falling


def require_pairs(times: npt.ArrayLike, units: npt.ArrayLike) -> None:
    """Raise a ValueError unless there is one unit for each time."""
    n_times, n_units = np.size(times), np.size(units)
    if n_times != n_units:
        raise ValueError(f"times and units must be equally many, got {n_times} and {n_units}")
