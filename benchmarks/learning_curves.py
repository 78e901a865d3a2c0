"""How the accuracy of baselines grew, epoch by epoch, and where the test clips then were.

    python benchmarks/learning_curves.py RUNS --out curves.png

RUNS holds a folder for each baseline, and that one folder for each seed, as `spikedata train --seeds` and
benchmarks/baselines.py make them. Each is a panel; each seed a line, thick their mean.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from spikedata.baseline.runs.folder import HISTORY, is_group, read_card, runs_of_group
from spikedata.baseline.runs.group_summary import summarize_group
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GRAY, LEGEND, LINE, VERMILION, new_figure, styled
from spikedata.training.history import read_history

PANELS_IN_A_ROW = 3


def accuracies_of(run: Path, part: str) -> npt.NDArray[np.float64]:
    """Accuracy after each epoch, in percent."""
    return np.array([100 * getattr(record, f"{part}_accuracy") for record in read_history(run / HISTORY)])


@styled
def draw(groups: list[Path]) -> Figure:
    """A panel for each group of runs."""
    n_rows = -(-len(groups) // PANELS_IN_A_ROW)
    figure = new_figure(8.4, 2.8 * n_rows)
    axes = figure.subplots(n_rows, min(len(groups), PANELS_IN_A_ROW), squeeze=False, sharey=True).ravel()
    for panel, group in zip(axes, groups, strict=False):
        runs = runs_of_group(group)
        for part, color in (("train", GRAY), ("validation", BLUE)):
            curves = [accuracies_of(run, part) for run in runs]
            for curve in curves:
                panel.plot(np.arange(1, len(curve) + 1), curve, color=color, lw=0.5, alpha=0.6)
            mean = np.mean(curves, axis=0)
            panel.plot(
                np.arange(1, len(mean) + 1), mean, color=color, lw=LINE, label="training" if part == "train" else part
            )
        test = summarize_group(group).test
        if test:
            panel.axhline(100 * test.mean, color=VERMILION, lw=1, ls=(0, (4, 3)), label="test, in the end")
        spread = f" ± {100 * test.deviation:.1f}" if test and test.deviation is not None else ""
        panel.set_title(f"{group.name}\n{100 * test.mean:.1f}{spread} %" if test else group.name)
        panel.set(xlabel="Epoch", ylim=(0, 102), xlim=(1, read_card(runs[0]).training.epochs))
    for panel in axes[len(groups) :]:
        panel.set_axis_off()
    for panel in axes[::PANELS_IN_A_ROW]:
        panel.set_ylabel("Accuracy (%)")
    axes[0].legend(loc="lower right", **LEGEND)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--out", type=Path, required=True, help=".png, .svg or .pdf")
    args = parser.parse_args()
    found = sorted(folder for folder in args.runs.iterdir() if folder.is_dir() and is_group(folder))
    if not found:
        parser.error(f"{args.runs}: holds no folder of finished runs")
    save_figure(draw(found), args.out, overwrite=True)
    for folder in found:
        print(f"{folder.name}: {len(runs_of_group(folder))} runs")
