"""Charts of a page, as SVG and tables that we write: no library draws one in so few bytes, or follows dark mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.report.page import shortened, table, text

WIDTH, HALF, HEIGHT = 640, 420, 240  # of a chart, and of one of a pair, in its own unit
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 42  # room for labels around it
MOST_CELLS = 40  # classes of a matrix that is written out
_MOST_ROWS = 24  # of a list of counts; a longer one scrolls
_LEVELS = 9  # of shade in a matrix; page.css has as many
_MOST_POINTS = 700
_LONGEST_NAME = 36  # characters beside a whisker


class Line(NamedTuple):
    """One line of a chart.

    Attributes
    ----------
    name : str
        What it is.
    x, y : ndarray of float, shape (n_points,)
        Its points; NaN in y breaks it.
    kind : str
        Its look, a class of page.css: "first", "second", "third" or "pale".
    """

    name: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    kind: str = "first"


class Whisker(NamedTuple):
    """A value with its interval.

    Attributes
    ----------
    name : str
        What it is.
    value, low, high : float
        In the unit of the chart; NaN where there is no interval.
    kind : str
        Its look: "first" or "second".
    """

    name: str
    value: float
    low: float
    high: float
    kind: str = "first"


class Axis(NamedTuple):
    """A scale of a chart.

    Attributes
    ----------
    name : str
        What it counts, with its unit.
    low, high : float
        Its ends.
    ticks : tuple of (float, str)
        Its marks.
    is_log : bool
        Whether equal factors are equal lengths.
    """

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def at(self, value: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where values are, from 0 to 1."""
        scale = np.log if self.is_log else np.asarray
        low, high = scale(self.low), scale(self.high)
        placed: npt.NDArray[np.float64] = (scale(np.asarray(value, np.float64)) - low) / ((high - low) or 1.0)
        return placed


def axis(
    name: str, high: float, *, low: float = 0.0, n_ticks: int = 5, whole: bool = False, to_tick: bool = False
) -> Axis:
    """A scale with round marks.

    Parameters
    ----------
    name : str
        What it counts, with its unit.
    high, low : float
        Ends that must be on it.
    n_ticks : int
        About how many marks.
    whole : bool
        Whether marks are whole numbers.
    to_tick : bool
        Whether it reaches to the next mark.

    Examples
    --------
    >>> [name for _, name in axis("s", 1.7).ticks]
    ['0', '0.5', '1', '1.5']
    """
    high = high if high > low else low + 1.0
    step = round_step((high - low) / n_ticks)
    step = max(step, 1.0) if whole else step
    high = step * math.ceil(high / step - 1e-9) if to_tick else high
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple((n * step, f"{n * step:,.10g}") for n in range(first, last + 1))
    return Axis(name, low, high, ticks)


def lines(
    caption: str,
    x: Axis,
    y: Axis,
    drawn: Sequence[Line],
    *,
    band: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
    level: tuple[float, str] | None = None,
    mark: tuple[float, float, str] | None = None,
    width: int = WIDTH,
) -> str:
    """Lines over a scale.

    Parameters
    ----------
    caption : str
        What is shown, in a sentence: the text of those who do not see it.
    x, y : Axis
        The scales.
    drawn : sequence of Line
        The lines.
    band : (x, low, high), optional
        A range that is filled.
    level : (y, name), optional
        A height with its name, such as chance.
    mark : (x, y, name), optional
        A point with its name.
    width : int
        Of the chart: `HALF` for one of a pair.
    """
    plane = _Plane(x, y, width)
    parts = [plane.frame()]
    if band is not None:
        at, low, high = band
        there, back = plane.points(at, high), plane.points(at[::-1], low[::-1])
        parts.append(f'<path class="band" d="M{" L".join([*there, *back])}Z"/>')
    if level is not None:
        height = plane.down(level[0])
        parts.append(f'<path class="level" d="M{LEFT} {height:.1f}H{width - RIGHT}"/>')
    for line in drawn:
        for points in plane.runs(line):
            if len(points) == 1:
                alone = 'cx="{}" cy="{}"'.format(*points[0].split())
                parts.append(f'<circle class="dot {line.kind}" {alone} r="3"/>')
            else:
                parts.append(f'<path class="line {line.kind}" d="M{" L".join(points)}"/>')
    if mark is not None:
        across, down = plane.across(mark[0]), plane.down(mark[1])
        parts.append(f'<circle class="dot mark" cx="{across:.1f}" cy="{down:.1f}" r="4.5"/>')
    named = [(line.kind, line.name) for line in drawn if line.name]
    named += [("mark", mark[2])] if mark is not None else []
    named += [("level", level[1])] if level is not None else []
    return _figure(caption, "".join(parts), _legend(named) if len(named) > 1 else "", width=width)


def histogram(caption: str, name: str, values: npt.NDArray[np.number], *, whole: bool = False) -> str:
    """How many clips have which value.

    Parameters
    ----------
    caption : str
        What is shown, in a sentence.
    name : str
        What the values are, with their unit.
    values : ndarray, shape (n_clips,)
        At least one, finite.
    whole : bool
        Whether they are whole numbers.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return f'<p class="alike">{text(caption)} All clips have the same.</p>'
    width = round_step(max((high - low) / 20, abs(high) * 1e-6, 1e-9))
    width = max(width, 1.0) if whole else width
    first = math.floor(low / width + 1e-9)
    n_bins = min(max(math.floor(high / width + 1e-9) - first + 1, 1), 200)
    bins = np.clip(np.floor(values.astype(np.float64) / width + 1e-9).astype(np.int64) - first, 0, n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    x = axis(name, (first + n_bins) * width, low=first * width, whole=whole)
    y = axis("clips", float(counts.max()), whole=True, n_ticks=4, to_tick=True)
    plane = _Plane(x, y, HALF)
    bars = []
    for place, count in enumerate(counts.tolist()):
        if count:
            begin, end = plane.across((first + place) * width), plane.across((first + place + 1) * width)
            top = plane.down(count)
            bars.append(
                f'<rect class="bar" x="{begin + 0.5:.1f}" y="{top:.1f}" width="{max(end - begin - 1, 0.5):.1f}" '
                f'height="{HEIGHT - BOTTOM - top:.1f}"/>'
            )
    return _figure(caption, plane.frame() + "".join(bars), width=HALF)


def whiskers(caption: str, x: Axis, drawn: Sequence[Whisker], *, level: tuple[float, str] | None = None) -> str:
    """Values with their intervals below each other.

    Parameters
    ----------
    caption : str
        What is shown, in a sentence.
    x : Axis
        The scale.
    drawn : sequence of Whisker
        The values.
    level : (x, name), optional
        A place on the scale with its name, such as chance.
    """
    names = [w.name if len(w.name) <= _LONGEST_NAME else w.name[: _LONGEST_NAME - 1] + "…" for w in drawn]
    left, row = 24 + int(7 * max(map(len, names), default=0)), 30
    height = TOP + 14 + row * len(drawn) + BOTTOM

    def across(value: float) -> float:
        return left + float(np.clip(x.at(value), 0, 1)) * (WIDTH - RIGHT - left)

    low = height - BOTTOM
    parts = []
    for value, name in x.ticks:
        parts.append(f'<path class="grid" d="M{across(value):.1f} {TOP + 14}V{low}"/>')
        parts.append(f'<text x="{across(value):.1f}" y="{low + 16}" text-anchor="middle">{text(name)}</text>')
    parts.append(
        f'<text x="{(left + WIDTH - RIGHT) / 2:.0f}" y="{low + 34}" text-anchor="middle">{text(x.name)}</text>'
    )
    if level is not None:
        parts.append(f'<path class="level" d="M{across(level[0]):.1f} {TOP + 6}V{low}"/>')
        parts.append(f'<text class="level" x="{across(level[0]) + 4:.1f}" y="{TOP + 8}">{text(level[1])}</text>')
    for number, (name, whisker) in enumerate(zip(names, drawn, strict=True)):
        down = TOP + 14 + row * (number + 0.5)
        parts.append(f'<text x="{left - 10}" y="{down + 4:.1f}" text-anchor="end">{text(name)}</text>')
        if not math.isnan(whisker.low):
            ends = f"M{across(whisker.low):.1f} {down:.1f}H{across(whisker.high):.1f}"
            parts.append(f'<path class="line {whisker.kind}" d="{ends}"/>')
        parts.append(f'<circle class="dot {whisker.kind}" cx="{across(whisker.value):.1f}" cy="{down:.1f}" r="5"/>')
    return _figure(caption, "".join(parts), height=height)


def counts_table(caption: str, name: str, counts: Sequence[tuple[str, int]], *, most: int) -> str:
    """How many clips each name has, with a bar beside the number.

    Parameters
    ----------
    caption, name : str
        What is counted, and what the names are.
    counts : sequence of (str, int)
        The names and their clips.
    most : int
        How many are listed; of the others the range is given.
    """
    largest = max((count for _, count in counts), default=0) or 1
    rows = [
        (
            text(shortened(key)),
            f"{count:,}",
            '<svg class="rule" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="bar" width="{100 * count / largest:.1f}" height="10"/></svg>',
        )
        for key, count in counts[:most]
    ]
    shown = table(caption, (name, "clips", ""), rows, kind="counts")
    if len(rows) > _MOST_ROWS:
        shown = f'<div class="scroll" role="region" aria-label="{text(caption)}">{shown}</div>'
    left = counts[most:]
    if not left:
        return shown
    each = [count for _, count in left]
    return shown + f"<p>{len(left):,} more, with {min(each):,} to {max(each):,} clips each.</p>"


def matrix(caption: str, counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Clips by true class and answer, as a table whose cells are shaded by their share of the row.

    Parameters
    ----------
    caption : str
        What is shown.
    counts : sequence of sequence of int
        Clips of each true class (row) by answer (column).
    names : sequence of str
        Class names.
    """
    if len(names) > MOST_CELLS:
        return f"<p>{len(names)} classes are too many for a matrix that can be read; here are the errors by number.</p>"
    head = "".join(f'<th scope="col"><span>{text(_label(name))}</span></th>' for name in names)
    rows = []
    for true, (name, row) in enumerate(zip(names, counts, strict=True)):
        total = max(sum(row), 1)
        cells = "".join(
            f'<td class="q{math.ceil(_LEVELS * count / total)}{" true" if answer == true else ""}">{count or ""}</td>'
            for answer, count in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{text(_label(name))}</th>{cells}<td class="n">{sum(row)}</td></tr>')
    return (
        f'<div class="wide" role="region" aria-label="{text(caption)}"><table class="matrix">'
        f"<caption>{text(caption)}</caption>"
        f'<thead><tr><th scope="col">true class</th>{head}<th scope="col" class="n">clips</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _label(name: str) -> str:
    shown = shortened(name)
    return shown if len(shown) <= 16 else shown[:15] + "…"


def round_step(least: float) -> float:
    """The next of …, 0.1, 0.2, 0.5, 1, 2, 5, …

    Parameters
    ----------
    least : float
        Above 0.

    Examples
    --------
    >>> round_step(0.3), round_step(9.2)
    (0.5, 10.0)
    """
    factor = 10.0 ** math.floor(math.log10(least))
    return next(factor * digit for digit in (1, 2, 5, 10) if factor * digit >= least * (1 - 1e-9))


class _Plane(NamedTuple):
    """Where the points of a chart are drawn, in the unit of the chart."""

    x: Axis
    y: Axis
    width: int

    def across(self, value: float) -> float:
        return LEFT + float(self.x.at(value)) * (self.width - LEFT - RIGHT)

    def down(self, value: float) -> float:
        return HEIGHT - BOTTOM - float(self.y.at(value)) * (HEIGHT - TOP - BOTTOM)

    def points(self, across: npt.NDArray[np.float64], up: npt.NDArray[np.float64]) -> list[str]:
        keep = slice(None, None, max(len(across) // _MOST_POINTS, 1))
        left = LEFT + self.x.at(across[keep]) * (self.width - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - self.y.at(up[keep]) * (HEIGHT - TOP - BOTTOM)
        return [f"{a:.1f} {b:.1f}" for a, b in zip(left.tolist(), down.tolist(), strict=True)]

    def runs(self, line: Line) -> list[list[str]]:
        """The points of a line, in the pieces between which it is broken."""
        known = np.isfinite(line.y)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
        return [self.points(line.x[a:b], line.y[a:b]) for a, b in edges.reshape(-1, 2).tolist()]

    def frame(self) -> str:
        low, right = HEIGHT - BOTTOM, self.width - RIGHT
        parts = []
        for value, name in self.y.ticks:
            height = self.down(value)
            parts.append(f'<path class="grid" d="M{LEFT} {height:.1f}H{right}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{text(name)}</text>')
        for value, name in self.x.ticks:
            across = self.across(value)
            parts.append(f'<path class="tick" d="M{across:.1f} {low}v4"/>')
            parts.append(f'<text x="{across:.1f}" y="{low + 17}" text-anchor="middle">{text(name)}</text>')
        parts.append(f'<path class="tick" d="M{LEFT} {low}H{right}"/>')
        name_at, middle = (LEFT + right) / 2, (TOP + low) / 2
        parts.append(f'<text x="{name_at:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{text(self.x.name)}</text>')
        turned = f"translate(13 {middle:.0f}) rotate(-90)"
        parts.append(f'<text transform="{turned}" text-anchor="middle">{text(self.y.name)}</text>')
        return "".join(parts)


def _legend(named: Sequence[tuple[str, str]]) -> str:
    items = "".join(f'<li class="{kind}">{text(name)}</li>' for kind, name in dict.fromkeys(named))
    return f'<ul class="legend">{items}</ul>'


def _figure(caption: str, inside: str, below: str = "", *, width: int = WIDTH, height: float = HEIGHT) -> str:
    kind = "chart half" if width == HALF else "chart"
    return (
        f'<figure class="{kind}"><div class="wide"><svg viewBox="0 0 {width} {height:g}" role="img" '
        f'aria-label="{text(caption)}">{inside}</svg></div>{below}<figcaption>{text(caption)}</figcaption></figure>'
    )
