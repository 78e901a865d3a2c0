"""Does the shape of the surrogate matter, or its scale? After Zenke and Vogels, Neural Computation 33:899 (2021).

    python benchmarks/surrogates.py digits.h5 --out surrogates [--quick]

Trains a small recurrent network for every shape, scale and seed, writes OUT/surrogates.md and OUT/surrogates.png, and
keeps the runs: the same command goes on where it stopped. Accuracies are of the validation part; nothing is chosen
here, and no test part is opened.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.train import train_run
from spikedata.files.reader import SpikeFile
from spikedata.nn.surrogate import SHAPES
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GRAY, GREEN, INK, LEGEND, LINE, PURPLE, VERMILION, new_figure, styled

SMALL = {"hidden": (64,), "epochs": 40, "batch_size": 32, "learning_rate": 2e-3, "unit_shift": 0.0}
SCALES = (0.2, 1.0, 5.0, 25.0, 100.0)  # of the membrane, whose threshold is 1
QUICK = {**SMALL, "hidden": (32,), "epochs": 25, "batch_size": 16}
QUICK_SHAPES, QUICK_SCALES = ("superspike", "triangle", "boxcar"), (0.2, 5.0, 100.0)
COLORS = dict(zip(SHAPES, (INK, BLUE, VERMILION, GREEN, PURPLE, GRAY), strict=True))

Accuracies = dict[tuple[str, float], list[float]]


def study(file: Path, out: Path, *, quick: bool, seeds: range) -> Accuracies:
    """Validation accuracy of every seed, by shape and scale."""
    shapes, scales = (QUICK_SHAPES, QUICK_SCALES) if quick else (SHAPES, SCALES)
    found: Accuracies = {}
    for shape, scale in itertools.product(shapes, scales):
        recipe = recipe_from("recurrent", {**(QUICK if quick else SMALL), "shape": shape, "scale": scale})
        runs = out / ("quick" if quick else "runs")
        runs.mkdir(parents=True, exist_ok=True)
        cards = [
            train_run(
                file, runs / f"{shape}-{scale:g}-{seed}", recipe=recipe, seed=seed, split_seed=0, keep_finished=True
            )
            for seed in seeds
        ]
        found[shape, scale] = [card.validation.accuracy for card in cards]
        print(f"{shape} {scale:g}: {np.mean(found[shape, scale]):.1%}", flush=True)
    return found


def table(found: Accuracies) -> str:
    """Shapes by scales, mean and standard deviation over the seeds, as Markdown."""
    shapes, scales = (list(dict.fromkeys(key[i] for key in found)) for i in (0, 1))
    lines = [f"| shape | {' | '.join(f'scale {scale:g}' for scale in scales)} |", "|---|" + "---:|" * len(scales)]
    for shape in shapes:
        cells = (f"{100 * np.mean(found[shape, s]):.1f} ± {100 * _deviation(found[shape, s]):.1f}" for s in scales)
        lines.append(f"| {shape} | {' | '.join(cells)} |")
    over_shapes = [np.ptp([np.mean(found[shape, scale]) for shape in shapes]) for scale in scales]
    over_scales = [np.ptp([np.mean(found[shape, scale]) for scale in scales]) for shape in shapes]
    lines.append("")
    lines.append(
        f"From the worst to the best shape {100 * np.median(over_shapes):.1f} points (median over scales), from the "
        f"worst to the best scale {100 * np.median(over_scales):.1f} (median over shapes)."
    )
    return "\n".join(lines)


@styled
def draw(found: Accuracies, *, chance: float) -> Figure:
    """Accuracy against scale, a line for each shape."""
    figure = new_figure(6.2, 3.4)
    axes = figure.subplots()
    shapes, scales = (list(dict.fromkeys(key[i] for key in found)) for i in (0, 1))
    for shape in shapes:
        means = [100 * np.mean(found[shape, scale]) for scale in scales]
        spread = [100 * _deviation(found[shape, scale]) for scale in scales]
        axes.errorbar(scales, means, spread, label=shape, color=COLORS[shape], marker="o", ms=3, capsize=2, lw=LINE)
    axes.axhline(100 * chance, color=GRAY, lw=0.8, ls=":")
    axes.set(xscale="log", xlabel="Scale of the surrogate (1 / threshold)", ylabel="Validation accuracy (%)")
    axes.legend(title="Shape", loc="center left", bbox_to_anchor=(1.0, 0.5), **LEGEND)
    axes.set_title("The scale matters, the shape hardly" if _scale_matters_more(found) else "Shape and scale")
    return figure


def _scale_matters_more(found: Accuracies) -> bool:
    shapes, scales = (list(dict.fromkeys(key[i] for key in found)) for i in (0, 1))
    means = np.array([[np.mean(found[shape, scale]) for scale in scales] for shape in shapes])
    return bool(np.median(np.ptp(means, axis=1)) > 2 * np.median(np.ptp(means, axis=0)))


def _deviation(accuracies: list[float]) -> float:
    return float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2, help="runs of each setting")
    parser.add_argument("--quick", action="store_true", help="three shapes, three scales, fewer neurons and epochs")
    args = parser.parse_args()
    results = study(args.file, args.out, quick=args.quick, seeds=range(args.seeds))
    text = table(results)
    (args.out / "surrogates.md").write_text(text + "\n", encoding="utf-8")
    with SpikeFile(args.file) as spikes:
        save_figure(draw(results, chance=1 / len(spikes.keys)), args.out / "surrogates.png", overwrite=True)
    print(text)
