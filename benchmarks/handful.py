"""MNIST with a handful of spikes: how accurate is a network whose hidden neurons may hardly fire?

    spikedata make mnist mnist.h5; spikedata make fashion_mnist fashion_mnist.h5
    python benchmarks/handful.py mnist.h5 fashion_mnist.h5 --out handful [--variants] [--write] [--quick]

Trains the recipe `latency_mnist` with an upper bound on its hidden spikes, for each bound and seed: 54,000 of the
training images teach, 6,000 choose the epoch, and the test images are scored once, when the run is done. Each run adds
a line to OUT/handful.jsonl; stopped, the same command goes on. The table and the figure are made of the lines alone;
`--write` puts them into docs/explanation/rules/handful.md and docs/images/. `--variants` then changes one setting of
the recipe at a time and asks the validation images alone. `--quick` is a trial of the whole that says nothing about
any network.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.recipes.recipe import Recipe, with_params
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import load_run, read_split
from spikedata.baseline.runs.train import train_run
from spikedata.disk import write_atomically
from spikedata.events import Events
from spikedata.files.reader import SpikeFile
from spikedata.nn.networks import Activity, Inputs, Network
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GRAY, INK, LEGEND, LINE, VERMILION, new_figure, styled
from spikedata.training.scoring import evaluate

RECIPE = "latency_mnist"
NONE = math.inf  # no bound
# Upper bounds, in spikes per hidden neuron and image, and the price of what is above, in the order of their turns. A
# price of 1, 0.01 nat for a spike, is too low to hold a network to a bound far below the spikes that it would pay for.
PRICES = {NONE: 0.0, 0.2: 1.0, 0.05: 1.0, 0.02: 10.0, 0.5: 1.0, 0.01: 30.0, 0.03: 3.0}
BOUNDS = tuple(PRICES)
HEADLINES, TELLING = (NONE, 0.2), (0.05, 0.02)  # bounds with five seeds, and with three
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "surrogate of scale 2": {"scale": 2.0},
    "surrogate of scale 25": {"scale": 25.0},
    "surrogate of scale 100, as SpyTorch": {"scale": 100.0},
    "reset to zero": {"reset": "zero"},
    "each class by itself (binary cross-entropy)": {"loss": "binary_cross_entropy"},
    "readout of 20 ms": {"tau_readout": 20e-3},
    "membrane and readout of 20 ms": {"tau_mem": 20e-3, "tau_readout": 20e-3},
    "all input spikes": {"augmentation": ()},
    "half the learning rate": {"learning_rate": 2.5e-3},
    "three times the initial input weights": {"input_gain": 3.0},
    "steps of 1 ms": {"dt": 1e-3},
    "steps of 4 ms": {"dt": 4e-3},
    "60 ms": {"duration": 60e-3},
    "45 epochs": {"epochs": 45},
}
PUBLISHED = {"mnist": (98.09, 0.34 * 400), "fashion_mnist": (86.3, None)}  # percent, hidden spikes per image
TARGETS = {"mnist": 0.97, "fashion_mnist": 0.863}  # ours, and what SpyTorch's notebook prints
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
PAGE = Path("docs/explanation/rules/handful.md")
MARKS = "<!-- handful: begin -->", "<!-- handful: end -->"


class Line(NamedTuple):
    """A finished run.

    Attributes
    ----------
    data : str
        Name of the images.
    bound : float
        Upper bound on spikes per hidden neuron and image [1].
    seed : int
        Seed of the run [1].
    test, validation : float
        Accuracies [1].
    per_neuron : float
        Spikes per hidden neuron and test image [1].
    hidden, inputs : float
        Hidden spikes per test image, and those of the validation images' pixels [1].
    more_than_once : float
        Share of (hidden neuron, validation image) that fire more than once [1].
    silent : float
        Share of hidden neurons without a spike for any validation image [1].
    by_step : list of float
        Validation accuracy if the readout stops after each step [1].
    dt : float
        Length of a step [s].
    cpu : float
        Processor time of the training and the scoring [s].
    """

    data: str
    bound: float
    seed: int
    test: float
    validation: float
    per_neuron: float
    hidden: float
    inputs: float
    more_than_once: float
    silent: float
    by_step: list[float]
    dt: float
    cpu: float


def seeds_of(bound: float) -> range:
    """The seeds with which a bound is trained."""
    return range(5 if bound in HEADLINES else 3 if bound in TELLING else 1)


def bounded(bound: float, *, quick: bool) -> Recipe:
    """The recipe with an upper bound on the mean of all hidden neurons."""
    less = {"epochs": 1, "hidden": (20,)} if quick else {}
    held = {} if bound == NONE else {"upper_threshold": bound, "upper_strength": PRICES[bound]}
    return recipe_from(RECIPE, less | held)


def study(files: Sequence[Path], out: Path, *, quick: bool) -> list[Line]:
    """All lines, those that are there already and those that are trained now; first seeds first."""
    out.mkdir(parents=True, exist_ok=True)
    kept = out / ("quick.jsonl" if quick else "handful.jsonl")
    lines = [_line_from(json.loads(text)) for text in kept.read_text().splitlines()] if kept.exists() else []
    done = {(line.data, line.bound, line.seed) for line in lines}
    for file, bound, seed in plan(files, quick=quick):
        if (file.stem, bound, seed) in done:
            continue
        line = one_run(file, out / ("quick" if quick else "runs"), bound, seed, quick=quick)
        with kept.open("a") as opened:
            opened.write(json.dumps(_content_of(line)) + "\n")
        lines.append(line)
        print(f"{line.data} {bound:g} seed {seed}: {line.test:.2%}, {line.hidden:.2f} spikes", file=sys.stderr)
    return lines


def _content_of(line: Line) -> dict[str, Any]:
    """A line in JSON's types, which have no infinity."""
    return line._asdict() | {"bound": None if line.bound == NONE else line.bound}


def _line_from(content: dict[str, Any]) -> Line:
    return Line(**content | {"bound": NONE if content["bound"] is None else content["bound"]})


def plan(files: Sequence[Path], *, quick: bool) -> Iterator[tuple[Path, float, int]]:
    """What is trained, in an order that can be stopped anywhere: every bound once before any twice."""
    bounds = (NONE, 0.2) if quick else BOUNDS
    for seed in range(1 if quick else 5):
        for bound in bounds:
            for file in files:
                if seed in seeds_of(bound):
                    yield file, bound, seed


def vary(files: Sequence[Path], out: Path) -> str:
    """Validation accuracy with one setting changed, without a bound and with one of 0.2, as Markdown."""
    kept = out / "variants.jsonl"
    found = [json.loads(text) for text in kept.read_text().splitlines()] if kept.exists() else []
    for file in files:
        for (name, changes), bound in itertools.product(VARIANTS.items(), HEADLINES):
            key = {"data": file.stem, "variant": name, "bound": None if bound == NONE else bound}
            if any(key.items() <= one.items() for one in found):
                continue
            run = out / "variants" / f"{file.stem}-{list(VARIANTS).index(name)}-{bound:g}"
            run.parent.mkdir(parents=True, exist_ok=True)
            recipe = with_params(bounded(bound, quick=False), changes)
            card = train_run(file, run, recipe=recipe, split="listed", split_seed=0, keep_finished=True)
            score = card.validation
            found.append(key | {"accuracy": score.accuracy, "per_neuron": score.hidden_spikes})
            with kept.open("a") as opened:
                opened.write(json.dumps(found[-1]) + "\n")
    names = list(dict.fromkeys((one["data"], one["bound"]) for one in found))
    heads = (f"{TITLES.get(data, data)}, {f'bound {bound:g}' if bound else 'no bound'}" for data, bound in names)
    rows = [f"| one seed, validation images | {' | '.join(heads)} |", "|---|" + "---:|" * len(names)]
    for name in VARIANTS:
        scores = {(one["data"], one["bound"]): one for one in found if one["variant"] == name}
        cells = (
            f"{100 * scores[key]['accuracy']:.2f} ({scores[key]['per_neuron']:.2f})" if key in scores else ""
            for key in names
        )
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def one_run(file: Path, runs: Path, bound: float, seed: int, *, quick: bool) -> Line:
    """Train one network, look at its validation images, and score it on the test images, once."""
    began = process_time()
    runs.mkdir(parents=True, exist_ok=True)
    run = runs / f"{file.stem}-{bound:g}-{seed}"
    recipe = bounded(bound, quick=quick)
    card = train_run(file, run, recipe=recipe, seed=seed, split="listed", split_seed=0, keep_finished=True)
    tests = card.tests or evaluate_run(run).tests
    with SpikeFile(file) as opened:
        events = opened.read_events()
    seen = _Seen()
    network, card = load_run(run)
    images = events.select(read_split(run, card, events.sources).part("validation"))
    evaluate(network, images, layout="lists", watch=seen.add)
    score = tests[-1].score
    return Line(
        data=file.stem,
        bound=bound,
        seed=seed,
        test=score.accuracy,
        validation=card.validation.accuracy,
        per_neuron=score.hidden_spikes,
        hidden=score.hidden_spikes * sum(recipe.params["hidden"]),
        inputs=_within(images, network),
        more_than_once=seen.more_than_once,
        silent=seen.silent,
        by_step=[round(float(share), 4) for share in seen.by_step(images.labels)],
        dt=network.dt,
        cpu=round(process_time() - began, 1),
    )


def _within(images: Events, network: Network) -> float:
    """Spikes per image that fall into the network's window."""
    return float((images.times < network.n_steps * network.dt).sum() / len(images))


class _Seen:
    """What the network did for the images that it was asked about."""

    def __init__(self) -> None:
        self.answers: list[torch.Tensor] = []  # (image, step): the class with the highest score up to that step
        self.counts: list[torch.Tensor] = []  # (image, neuron)

    def add(self, inputs: Inputs, activity: Activity) -> None:
        """Note one batch."""
        self.answers.append(activity.readout.cummax(dim=1).values.argmax(dim=2))
        self.counts.append(activity.hidden_spikes.sum(dim=1))

    @property
    def more_than_once(self) -> float:
        """Share of (neuron, image) with more than one spike."""
        return float((torch.cat(self.counts) > 1).float().mean())

    @property
    def silent(self) -> float:
        """Share of neurons that never fire."""
        return float((torch.cat(self.counts).sum(dim=0) == 0).float().mean())

    def by_step(self, labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Accuracy of what is highest up to each step."""
        return (torch.cat(self.answers).numpy() == labels[:, None]).mean(axis=0)


def table(lines: Sequence[Line]) -> str:
    """A row for each data set and bound, means and standard deviations over the seeds, as Markdown."""
    rows = [
        "| images | bound | price | seeds | test | per neuron | hidden spikes | with input | fire twice | silent |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for data in _names(lines):
        for bound in sorted({line.bound for line in lines if line.data == data}, reverse=True):
            found = _of(lines, data, bound)
            mean = {name: np.mean([getattr(line, name) for line in found]) for name in _MEANS}
            deviation = f" ± {100 * np.std([line.test for line in found], ddof=1):.2f}" if len(found) > 1 else ""
            rows.append(
                f"| {TITLES.get(data, data)} | {'none' if bound == NONE else f'{bound:g}'} | {PRICES[bound]:g} "
                f"| {len(found)} | {100 * mean['test']:.2f}{deviation} | {mean['per_neuron']:.3f} "
                f"| {mean['hidden']:.1f} "
                f"| {mean['inputs'] + mean['hidden']:.0f} | {100 * mean['more_than_once']:.1f} % "
                f"| {100 * mean['silent']:.0f} % |"
            )
    return "\n".join(rows)


def sentence(lines: Sequence[Line]) -> str:
    """How few spikes a hidden neuron needs, and how soon the answer is there."""
    parts = []
    for data in _names(lines):
        by_bound = {bound: _of(lines, data, bound) for bound in BOUNDS if _of(lines, data, bound)}
        good = {
            bound: float(np.mean([line.per_neuron for line in some]))
            for bound, some in by_bound.items()
            if np.mean([line.test for line in some]) >= TARGETS.get(data, 0)
        }
        if not good:
            continue
        some = by_bound[min(good, key=lambda bound: good[bound])]
        accuracy, spikes, hidden = (
            float(np.mean([getattr(line, name) for line in some])) for name in ("test", "per_neuron", "hidden")
        )
        by_step = np.mean([line.by_step for line in some], axis=0)
        soon = 1e3 * some[0].dt * (1 + int(np.argmax(by_step >= by_step[-1] - 0.001)))
        parts.append(
            f"**{TITLES.get(data, data)}: {spikes:.2f} spikes per hidden neuron and image, {hidden:.0f} in all, are "
            f"enough for {100 * accuracy:.1f} %** (goal: {100 * TARGETS[data]:g} %), and {soon:.0f} ms for all but "
            "0.1 point of it."
        )
    return " ".join(parts)


_MEANS = ("test", "per_neuron", "hidden", "inputs", "more_than_once", "silent")


@styled
def draw(lines: Sequence[Line]) -> Figure:
    """Accuracy against hidden spikes and against all spikes, and against the time at which the readout stops."""
    figure = new_figure(9.6, 3.2)
    hidden, everything, time = figure.subplots(1, 3)
    for data, color in zip(_names(lines), (BLUE, VERMILION), strict=False):
        _draw_against(hidden, lines, data, color, with_input=False)
        _draw_against(everything, lines, data, color, with_input=True)
        bounds = [bound for bound in HEADLINES if _of(lines, data, bound)]
        for bound, style in zip(bounds, ("-", "--"), strict=False):
            found = _of(lines, data, bound)
            by_step = 100 * np.mean([line.by_step for line in found], axis=0)
            label = f"{TITLES.get(data, data)}, {'no bound' if bound == NONE else f'bound {bound:g}'}"
            times = 1e3 * found[0].dt * np.arange(1, len(by_step) + 1)
            time.plot(times, by_step, color=color, ls=style, lw=LINE, label=label)
        percent, spikes = PUBLISHED.get(data, (None, None))
        if percent and spikes:
            hidden.plot(spikes, percent, marker="x", color=INK, ls="", label="400 neurons, published")
    hidden.set(xscale="log", xlabel="Hidden spikes per image", ylabel="Test accuracy (%)")
    _say_powers(hidden, (1, 3, 10, 30, 100, 300))
    everything.set(xlabel="Input and hidden spikes per image")
    time.set(xlabel="Readout stops after (ms)", ylabel="Validation accuracy (%)", ylim=(50, 100))
    hidden.legend(loc="center right", **LEGEND)
    time.legend(loc="lower right", **LEGEND)
    hidden.axvline(100, color=GRAY, lw=0.8, ls=":")  # one spike for each of 100 neurons
    return figure


def _say_powers(axes: Axes, ticks: tuple[int, ...]) -> None:
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def _draw_against(axes: Axes, lines: Sequence[Line], data: str, color: str, *, with_input: bool) -> None:
    found = [_of(lines, data, bound) for bound in sorted({line.bound for line in lines if line.data == data})]
    spikes = [np.mean([line.hidden + with_input * line.inputs for line in some]) for some in found]
    means = [100 * np.mean([line.test for line in some]) for some in found]
    order = np.argsort(spikes)
    axes.plot(
        np.array(spikes)[order],
        np.array(means)[order],
        color=color,
        lw=LINE,
        marker="o",
        ms=3,
        label=TITLES.get(data, data),
    )
    for some, x in zip(found, spikes, strict=True):
        axes.plot([x] * len(some), [100 * line.test for line in some], color=color, marker=".", ms=2, ls="", alpha=0.6)


def _names(lines: Sequence[Line]) -> list[str]:
    return sorted({line.data for line in lines}, key=lambda name: name != "mnist")


def _of(lines: Sequence[Line], data: str, bound: float) -> list[Line]:
    return [line for line in lines if (line.data, line.bound) == (data, bound)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.h5")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="put table and figure into the documentation")
    parser.add_argument("--quick", action="store_true", help="a trial: two bounds, one epoch")
    parser.add_argument("--variants", action="store_true", help="change one setting at a time, too")
    parser.add_argument("--only-show", action="store_true", help="train nothing, show what is there")
    args = parser.parse_args()
    trained = [] if args.only_show else args.files
    results = study(trained, args.out, quick=args.quick)
    text = f"{sentence(results)}\n\n{table(results)}"
    if args.variants:
        text += f"\n\n{vary(trained, args.out)}"
    spent = sum(line.cpu for line in results)
    print(text, f"\n{len(results)} runs, {spent / 60:.0f} minutes of one processor", sep="\n")
    picture = Path("docs/images/handful.png") if args.write else args.out / "handful.png"
    save_figure(draw(results), picture, overwrite=True)
    if args.write:
        content = ",\n".join(json.dumps(_content_of(line)) for line in results)
        write_atomically(Path("docs/images/handful.json"), f"[\n{content}\n]\n".encode(), overwrite=True)
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(MARKS[0])
        _, after = rest.split(MARKS[1])
        page = f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}"
        write_atomically(PAGE, page.encode(), overwrite=True)
