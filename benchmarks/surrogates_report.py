"""Tables and pictures of the runs of surrogates.py."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from spikedata.disk import write_atomically
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GRAY, GREEN, INK, LEGEND, LINE, VERMILION, new_figure, styled

TASKS = {"randman": "Randman", "yin_yang": "Yin-Yang", "digits": "Heidelberg Digits", "raw_hd": "RawHD"}
CLASSES = {"randman": 10, "yin_yang": 3, "digits": 20, "raw_hd": 20}
VARIANTS = {
    "feedforward": "feed-forward",
    "reset": "gradients through the reset",
    "recurrent": "recurrent",
    "recurrent_reset": "recurrent, and through the reset",
}
SHORT = VARIANTS | {"reset": "through the reset", "recurrent_reset": "recurrent, reset"}
COLUMNS = 4
SHAPES = ("superspike", "sigmoid", "triangle")
COLORS = {"superspike": INK, "sigmoid": BLUE, "triangle": VERMILION, "asymptotic": GREEN}
CONTROLS = {"constant": "constant", "none": "none (the true gradient)"}
MARKS = "<!-- surrogates: begin -->", "<!-- surrogates: end -->"

Line = dict[str, Any]


class Interval(NamedTuple):
    """Mean, and half of the 95 % interval of Student's t; NaN of fewer than two."""

    mean: float
    half: float

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f}" + ("" if np.isnan(self.half) else f" ± {100 * self.half:.1f}")


class Cell(NamedTuple):
    """One setting at its best learning rate: by seed, accuracy on the test part; and what chose the rate."""

    test: dict[int, float]
    spikes: dict[int, float]
    validation: float
    rate: float

    @property
    def interval(self) -> Interval:
        """Of the accuracy on the test part."""
        return interval_of(self.test.values())


def interval_of(values: Iterable[float]) -> Interval:
    """The interval of a mean over seeds."""
    given = np.array(list(values), float)
    if len(given) < 2:
        return Interval(float(given.mean()), float("nan"))
    half = stats.t.ppf(0.975, len(given) - 1) * given.std(ddof=1) / np.sqrt(len(given))
    return Interval(float(given.mean()), float(half))


def paired(one: Cell, other: Cell) -> Interval:
    """How much better one is than the other with the same seed: the same task, first weights and order."""
    return interval_of(one.test[seed] - other.test[seed] for seed in one.test.keys() & other.test.keys())


class Study:
    """The runs of one task. Of a study that is not finished, settings that are compared have the same seeds."""

    def __init__(self, task: str, lines: list[Line]) -> None:
        self.task = task
        settings = defaultdict(dict)
        for line in lines:
            settings[self._setting(line)][line["seed"]] = line
        self._runs = {}
        for group in {self._group(key) for key in settings}:
            self._runs |= _as_many({key: runs for key, runs in settings.items() if self._group(key) == group})
        self.n_runs, self.seconds = len(lines), sum(line["seconds"] for line in lines)
        counts = {len(runs) for runs in self._runs.values()}
        self.seeds = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{max(counts)}"
        self.n_diverged = sum(line["diverged"] for line in lines)

    @staticmethod
    def _group(setting: tuple[Any, ...]) -> tuple[Any, ...]:
        """What is compared with each other: variant, first weights, whether there is a bound."""
        return setting[0], setting[3], setting[4] is None, setting[1] in CONTROLS

    @staticmethod
    def _setting(line: Line) -> tuple[Any, ...]:
        return tuple(line[name] for name in ("variant", "shape", "scale", "gain", "bound", "rate"))

    def rates(self, variant: str) -> list[float]:
        """Learning rates tried."""
        return sorted({key[5] for key in self._runs if key[0] == variant and key[1] in SHAPES and key[4] is None})

    def variants(self) -> list[str]:
        """Those that there are, in their order."""
        return [variant for variant in VARIANTS if any(key[0] == variant for key in self._runs)]

    def scales(self, variant: str, shape: str, gain: float = 1.0) -> list[float]:
        """Scales at which a shape was tried."""
        return sorted({key[2] for key in self._runs if (*key[:2], *key[3:5]) == (variant, shape, gain, None)})

    def gains(self) -> list[float]:
        """Factors of the first weights from the input."""
        return sorted({key[3] for key in self._runs})

    def bounds(self) -> list[float]:
        """Upper bounds, from the highest."""
        return sorted({key[4] for key in self._runs if key[4] is not None}, reverse=True)

    def cell(
        self,
        variant: str,
        shape: str,
        scale: float | None = None,
        *,
        gain: float = 1.0,
        bound: float | None = None,
        rate: float | None = None,
    ) -> Cell | None:
        """A setting at the rate of the best mean validation accuracy; without a scale, at the best of these, too."""
        found = []
        for key, runs in self._runs.items():
            fits = key[:2] == (variant, shape) and key[3:5] == (gain, bound)
            if fits and (scale is None or key[2] == scale) and (rate is None or key[5] == rate):
                found.append(
                    Cell(
                        {seed: run["test"] for seed, run in runs.items()},
                        {seed: run["spikes"] for seed, run in runs.items() if run["spikes"] is not None},
                        float(np.mean([run["validation"] for run in runs.values()])),
                        key[5],
                    )
                )
        return max(found, key=lambda cell: cell.validation) if found else None

    def best_scale(self, variant: str, shape: str) -> float:
        """The scale of the best mean validation accuracy."""
        return max(self.scales(variant, shape), key=lambda scale: self._validation(variant, shape, scale))

    def _validation(self, variant: str, shape: str, scale: float) -> float:
        cell = self.cell(variant, shape, scale)
        return cell.validation if cell else 0.0

    def spread(self, variant: str, *, rate: float | None = None) -> float:
        """From the worst to the best of the three shapes at the same scale, the median over scales."""
        spreads = []
        for scale in self.scales(variant, "superspike"):
            cells = [self.cell(variant, shape, scale, rate=rate) for shape in SHAPES]
            spreads.append(np.ptp([cell.interval.mean for cell in cells if cell]))
        return float(np.median(spreads))


def _as_many(settings: dict[tuple[Any, ...], dict[int, Line]]) -> dict[tuple[Any, ...], dict[int, Line]]:
    """The first n seeds of the settings that have so many, with the n that keeps most runs."""
    kept = {n: sum(len(runs) >= n for runs in settings.values()) * n for n in map(len, settings.values())}
    most = max(kept, key=lambda n: (kept[n], n))
    return {
        key: {seed: runs[seed] for seed in sorted(runs)[:most]} for key, runs in settings.items() if len(runs) >= most
    }


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("| --- |", "|---|", 1) for line in lines)


def table_of_scales(studies: list[Study]) -> str:
    """Accuracy of each shape at each scale."""
    all_scales = sorted({s for study in studies for v in study.variants() for s in study.scales(v, "superspike")})
    rows = []
    for study in studies:
        for variant in study.variants():
            for shape in COLORS:
                if study.scales(variant, shape):
                    cells = [study.cell(variant, shape, scale) for scale in all_scales]
                    shown = [str(cell.interval) if cell else "" for cell in cells]
                    rows.append([f"{TASKS[study.task]}, {VARIANTS[variant]}: {shape}", *shown])
    return _rows(["", *(f"scale {scale:g}" for scale in all_scales)], rows)


def table_of_shapes(studies: list[Study]) -> str:
    """Each shape at its own best scale, less SuperSpike at its own."""
    rows = []
    for study in studies:
        for variant in study.variants():
            reference = study.cell(variant, "superspike")
            for shape in COLORS:
                cell = study.cell(variant, shape)
                if cell is None or reference is None:
                    continue
                scale = study.best_scale(variant, shape)
                less = "" if shape == "superspike" else str(paired(cell, reference))
                name = f"{TASKS[study.task]}, {VARIANTS[variant]}: {shape}"
                rows.append([name, f"{scale:g}", f"{cell.rate:g}", str(cell.interval), less])
    return _rows(["", "best scale", "rate", "accuracy", "less superspike"], rows)


def table_of_spreads(studies: list[Study]) -> str:
    """How far the three shapes are apart, compared in three ways."""
    rows = []
    for study in studies:
        for variant in study.variants():
            best = [study.cell(variant, shape) for shape in SHAPES]
            own = np.ptp([cell.interval.mean for cell in best if cell])
            fixed = np.median([study.spread(variant, rate=rate) for rate in study.rates(variant)])
            values = (fixed, study.spread(variant), own)
            rows.append([f"{TASKS[study.task]}, {VARIANTS[variant]}", *(f"{100 * value:.1f}" for value in values)])
    return _rows(["points", "same scale, same rate", "same scale, own rate", "own scale and rate"], rows)


def table_of_controls(studies: list[Study]) -> str:
    """A surrogate that is the same everywhere, and none at all."""
    rows = []
    for study in studies:
        plain = study.variants()[0]
        cells = [study.cell(plain, shape) for shape in CONTROLS]
        shown = [str(cell.interval) if cell else "" for cell in cells]
        if any(shown):
            rows.append([f"{TASKS[study.task]}, {VARIANTS[plain]}", f"{100 / CLASSES[study.task]:.1f}", *shown])
    return _rows(["surrogate", "chance", *CONTROLS.values()], rows) if rows else ""


def table_of_starts(studies: list[Study]) -> str:
    """Feed-forward networks whose neurons fire, or do not, before they have learned."""
    rows = []
    scales: list[float] = []
    for study in studies:
        gains = study.gains()
        if len(gains) < 2:
            continue
        scales = study.scales("feedforward", "superspike", gains[-1])
        for shape in SHAPES:
            cells = [study.cell("feedforward", shape, scale, gain=gains[-1]) for scale in scales]
            shown = [str(cell.interval) if cell else "" for cell in cells]
            rows.append([f"{TASKS[study.task]}, input weights x {gains[-1]:g}: {shape}", *shown])
    return _rows(["", *(f"scale {scale:g}" for scale in scales)], rows) if rows else ""


def table_of_bounds(studies: list[Study]) -> str:
    """Accuracy and spikes under each upper bound."""
    bounds = sorted({bound for study in studies for bound in study.bounds()}, reverse=True)
    rows = []
    for study in studies:
        plain = study.variants()[0]
        if not study.bounds():
            continue
        found = {bound: study.cell(plain, "superspike", bound=bound) for bound in bounds}
        rows.append([TASKS[study.task], *(str(cell.interval) if cell else "" for cell in found.values())])
        spikes = [f"{np.mean(list(cell.spikes.values())):.2f}" if cell else "" for cell in found.values()]
        rows.append([f"{TASKS[study.task]}: spikes per neuron", *spikes])
    return _rows(["upper bound", *(f"{bound:g}" for bound in bounds)], rows) if rows else ""


def _panel(axes: Axes, study: Study, variant: str, *, gain: float = 1.0) -> None:
    for shape, color in COLORS.items():
        scales = study.scales(variant, shape, gain)
        cells = [study.cell(variant, shape, scale, gain=gain) for scale in scales]
        found = [cell.interval for cell in cells if cell]
        if found:
            means, halves = 100 * np.array(found).T
            axes.errorbar(
                scales, means, np.nan_to_num(halves), label=shape, color=color, marker="o", ms=3, capsize=2, lw=LINE
            )
    axes.axhline(100 / CLASSES[study.task], color=GRAY, lw=0.8, ls=":")
    axes.set(xscale="log", ylim=(0, 102))
    axes.set_title(f"{TASKS[study.task]}\n{SHORT[variant] if gain == 1 else 'active at first'}")


@styled
def draw_scales(studies: list[Study]) -> Figure:
    """A panel for each task and kind of network: accuracy against the scale, a line for each shape."""
    panels: list[tuple[Study, str, float]] = [(study, v, 1.0) for study in studies for v in study.variants()]
    for study in studies:
        panels += [(study, "feedforward", gain) for gain in study.gains() if gain != 1]
    n_rows = len(panels) // COLUMNS + 1  # with a place for the legend
    figure = new_figure(8.4, 0.3 + 1.9 * n_rows)
    grid = figure.subplots(n_rows, COLUMNS, squeeze=False, sharey=True)
    places = grid.ravel()
    for axes, (study, variant, gain) in zip(places, panels, strict=False):
        _panel(axes, study, variant, gain=gain)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Test accuracy (%)")
    for i in range(max(0, len(panels) - COLUMNS), len(panels)):
        places[i].set_xlabel("Scale")
    with_most = max(places[: len(panels)], key=lambda axes: len(axes.get_legend_handles_labels()[1]))
    places[len(panels)].legend(*with_most.get_legend_handles_labels(), loc="center left", title="Shape", **LEGEND)
    return figure


@styled
def draw_bounds(studies: list[Study]) -> Figure:
    """Accuracy against hidden spikes under lower and lower upper bounds."""
    figure = new_figure(5.2, 3.2)
    axes = figure.subplots()
    for study, color in zip(studies, (INK, BLUE, VERMILION, GREEN), strict=False):
        plain = study.variants()[0]
        cells = [study.cell(plain, "superspike", bound=bound) for bound in study.bounds()]
        known = [cell for cell in cells if cell and cell.spikes]
        if known:
            spikes = [float(np.mean(list(cell.spikes.values()))) for cell in known]
            means, halves = 100 * np.array([cell.interval for cell in known]).T
            axes.errorbar(
                spikes, means, np.nan_to_num(halves), label=TASKS[study.task], color=color, marker="o", ms=3,
                capsize=2, lw=LINE,
            )  # fmt: skip
    axes.set(xscale="log", ylim=(0, 102), xlabel="Spikes per hidden neuron and clip", ylabel="Test accuracy (%)")
    axes.legend(loc="lower right", **LEGEND)
    return figure


def report_of(studies: list[Study], *, images: str, n_missing: int) -> str:
    """All tables, as Markdown; how many runs are not finished is said first."""
    cost = "; ".join(
        f"{TASKS[study.task]} {study.n_runs:,} runs, {study.seeds} seeds each, {study.seconds / 60:.1f} CPU minutes"
        for study in studies
    )
    diverged = sum(study.n_diverged for study in studies)
    missing = f"**The study is not finished: {n_missing:,} runs are missing.** " if n_missing else ""
    head = (
        f"{missing}{cost}. {diverged:,} runs diverged; they count as chance. Accuracies are those on test clips in"
        " percent, with the 95 % intervals of a mean over seeds (Student's t); differences are paired, seed by seed."
    )
    tables = {
        "**How far the three shapes are apart, from the worst to the best**, the median over scales and rates:": (
            table_of_spreads(studies)
        ),
        "**Each shape at its own best scale**, and the difference from SuperSpike at its own:": table_of_shapes(
            studies
        ),
        "**Each shape at each scale**, at the rate that does best there on validation clips:": table_of_scales(studies),
        "**From another start**, one rate:": table_of_starts(studies),
        "**No shape at all**, one rate:": table_of_controls(studies),
        "**The limit of sparseness**, SuperSpike of scale 5, one rate:": table_of_bounds(studies),
    }
    if any(study.bounds() for study in studies):
        picture = f"![Accuracy against spikes under an upper bound]({images}sparseness.png)"
        tables[picture] = "Spikes are those of hidden neurons in a clip, without the input's."
    return "\n\n".join([head, *(f"{title}\n\n{table}" for title, table in tables.items() if table)])


def write_report(lines: dict[str, list[Line]], out: Path, *, docs: Path | None = None, n_missing: int = 0) -> None:
    """Write tables and pictures to a folder, or into the page and the images of the docs."""
    studies = [Study(task, found) for task, found in lines.items() if found]
    if not studies:
        return
    report = report_of(studies, images="" if docs is None else "../../images/", n_missing=n_missing)
    images = out if docs is None else docs / "images"
    save_figure(draw_scales(studies), images / "surrogates.png", overwrite=True)
    if any(study.bounds() for study in studies):
        save_figure(draw_bounds(studies), images / "sparseness.png", overwrite=True)
    summary = [
        {**dict(zip(("variant", "shape", "scale", "gain", "bound", "rate"), key, strict=True)), "task": study.task}
        | {name: [run[name] for _, run in sorted(runs.items())] for name in ("validation", "test", "spikes")}
        for study in studies
        for key, runs in study._runs.items()
    ]
    content = "[\n" + ",\n".join(json.dumps(row) for row in summary) + "\n]\n"
    write_atomically(images / "surrogates.json", content.encode(), overwrite=True)
    if docs is None:
        write_atomically(out / "surrogates.md", f"{report}\n".encode(), overwrite=True)
        return
    page = docs / "explanation" / "rules" / "robustness.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    page.write_text(f"{before}{MARKS[0]}\n\n{report}\n\n{MARKS[1]}{after}", encoding="utf-8")
