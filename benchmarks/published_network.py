"""The recurrent network of Cramer et al. (2022): which of the things that its paper leaves open matters.

    python benchmarks/published_network.py shd_train.h5 shd_test.h5 --out published_network [--seeds 5]
    python benchmarks/published_network.py - - --out published_network --seeds 0 --write

Each row changes one thing of the recipe `cramer2022_coarse` with the readout of the widely copied network, and trains
for 40 epochs with speakers 6 and 8 of the training file held out, who choose the epoch. Then the test file is opened,
once a run; the last column says what the best epoch on the test clips would have claimed. Runs that are in OUT are
kept, so it goes on where it stopped; with --seeds 0 it only makes the table, and with --write puts it into the docs.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from spikedata.baseline import evaluate_run, read_card, recipe_from, train_run
from spikedata.baseline.runs.card import Card
from spikedata.baseline.runs.selection_bias import measure_selection_bias

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "results.md"
BEGIN, END = "<!-- published network: begin -->", "<!-- published network: end -->"
COMMON = {
    "tau_readout": 20e-3,
    "readout_gain": 1.0,
    "epochs": 40,
    "matmul_precision": "medium",
    # as these networks were trained here before the formula of the bounds was known
    "lower_threshold": 0.01,
    "lower_strength": 1.0,
    "upper_threshold": 100.0,
    "upper_strength": 0.06,
    "neuron_strength": 0.0,
}
_STILL = {"tau_readout": 1e6, "readout_gain": 0.022}  # an integrator; its gain is what its slowness accumulates
_NO_BOUNDS = {"lower_strength": 0.0, "upper_strength": 0.0}

#: What each row changes, and how the table calls it.
ROWS = {
    "base": ("as copied: leaky readout of 20 ms, largest value over time", {}),
    "tau1": ("readout of 1 s, largest value over time", {"tau_readout": 1.0, "readout_gain": 0.022}),
    "last": ("integrating readout, its last step", {**_STILL, "readout": "last"}),
    "mean": ("integrating readout, its mean over time", {**_STILL, "readout": "mean"}),
    "scale5": ("surrogate of scale 5 instead of 40", {"scale": 5.0}),
    "last5": ("surrogate of scale 5, integrating readout, its last step", {**_STILL, "readout": "last", "scale": 5.0}),
    "hid140": ("hidden neurons of 140 and 70 ms, readout of 20 ms", {"tau_mem": 0.14, "tau_syn": 0.07}),
    "bounds": (
        "activity bounded as the authors' formula reads",
        {
            "lower_strength": 0.0,
            "upper_threshold": 100.0,
            "upper_strength": 0.06,
            "neuron_threshold": 20.0,  # 0.01 spikes a step, of 2,000 steps
            "neuron_strength": 2.1e-5,  # 1 / 2000**2, and 1 / (K + N) in place of 1 / (K N), K = 256 and N = 128
        },
    ),
    "npvoid": (
        "as Perez-Nieves et al. (2021): 1 - β of the current, subtractive reset, Adam, batches of 64, no bounds",
        {
            "reset": "subtract",
            "optimizer": "adam",
            "batch_size": 64,
            "learning_rate": 1.8e-4,
            "input_gain": 0.42,
            "recurrent_gain": 0.18,
            "readout_gain": 0.46,
            "scale": 100.0,
            **_NO_BOUNDS,
        },
    ),
}


def run_dir(out: Path, row: str, seed: int) -> Path:
    """The folder of a run."""
    return out / row / f"seed-{seed}"


def train(row: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train a row's network with one seed, unless it is there, and open the test file if that was not done."""
    path = run_dir(arguments.out, row, seed)
    if not (path / "card.json").is_file():
        recipe = recipe_from("cramer2022_coarse", {**COMMON, **ROWS[row][1]})
        train_run(
            arguments.train,
            path,
            recipe=recipe,
            seed=seed,
            split="validation_by_speaker",
            split_seed=0,
            keep_epochs=True,
        )
    if not read_card(path).tests:
        evaluate_run(path, arguments.test)
    if not read_card(path).selection_bias:
        measure_selection_bias(path, arguments.test)
    sys.stderr.write(f"{path}: {read_card(path).tests[-1].score.accuracy:.1%}\n")


def cards_of(out: Path, row: str) -> list[Card]:
    """The cards of a row's finished runs."""
    return [read_card(path.parent) for path in sorted(out.glob(f"{row}/seed-*/card.json"))]


def as_table(out: Path) -> str:
    """All rows that have runs, as Markdown: means and standard deviations over the seeds, in percent."""
    lines = [
        "| what is changed | seeds | validation | test | unseen | best on test | spikes of a neuron | s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row, (words, _) in ROWS.items():
        cards = [card for card in cards_of(out, row) if card.tests and card.selection_bias]
        if not cards:
            continue
        tests = [card.tests[-1] for card in cards]
        columns = (
            [card.validation.accuracy for card in cards],
            [test.score.accuracy for test in tests],
            [test.unseen.accuracy for test in tests],
            [card.selection_bias[-1].picked_accuracy for card in cards],
        )
        spikes = np.mean([test.score.hidden_spikes for test in tests])
        seconds = np.median([card.training.seconds for card in cards])
        shown = " | ".join(map(in_percent, columns))
        lines.append(f"| {words} | {len(cards)} | {shown} | {spikes:.0f} | {seconds:.0f} |")
    return "\n".join(lines)


def in_percent(shares: list[float]) -> str:
    """Mean and sample standard deviation."""
    spread = f" ± {100 * np.std(shares, ddof=1):.1f}" if len(shares) > 1 else ""
    return f"{100 * np.mean(shares):.1f}{spread}"


def main(arguments: argparse.Namespace) -> None:
    """Train what is missing and print the table."""
    for seed in range(arguments.seeds):
        for row in arguments.rows:
            train(row, seed, arguments)
    table = as_table(arguments.out)
    if arguments.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        text = f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"
        PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(table + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/results.md")
    main(parser.parse_args())
