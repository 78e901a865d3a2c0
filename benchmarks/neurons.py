"""Neurons after state space models, delays within layers and event masks, beside adaptive LIF neurons.

    python benchmarks/neurons.py shd_train.h5 --out runs/neurons [--seeds 3] [--rows frame_silif;frame_c_silif]

Each row is a recipe, or `adlif_augmented` with one thing changed, trained with speakers 6 and 8 held out: they choose
the epoch, and the table shows their accuracy at that epoch. No test part is opened. Runs that are in OUT are kept and
an interrupted one goes on, so the table grows; CPU seconds are those of the runs that this call has made whole.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

from spikedata.baseline import RECIPES, CSiLIFParams, Recipe, SiLIFParams, SurrogateParams, read_card, train_run
from spikedata.baseline.recipes.recipe import with_params

_FRAME = RECIPES["adlif_augmented"]
_SLAYER = SurrogateParams(shape="slayer")


def _framed(neuron: SiLIFParams | CSiLIFParams) -> Recipe:
    return replace(_FRAME, network=replace(_FRAME.network, neuron=neuron))


#: The recipe of each row. Where epochs differ from the paper's, the row says so.
ROWS = {
    "frame_adlif": _FRAME,
    "frame_silif": _framed(SiLIFParams()),
    "frame_c_silif": _framed(CSiLIFParams()),
    "frame_silif_slayer": _framed(SiLIFParams(surrogate=_SLAYER)),
    "frame_c_silif_slayer": _framed(CSiLIFParams(surrogate=_SLAYER)),
    "frame_adlif_delays_100ms": with_params(_FRAME, {"max_recurrent_delay": 0.1}),
    "adlif_masked": RECIPES["adlif_masked"],
    "delrec, 40 epochs": with_params(RECIPES["delrec"], {"epochs": 40}),
    "c_silif, 20 epochs": with_params(RECIPES["c_silif"], {"epochs": 20}),
    "silif, 20 epochs": with_params(RECIPES["silif"], {"epochs": 20}),
}


def train(row: str, seed: int, file: Path, out: Path) -> None:
    """Train a row with one seed, unless it is there, and note the CPU seconds that it took."""
    run = out / row.replace(", ", "_").replace(" ", "_") / f"seed-{seed}"
    if (run / "card.json").is_file():
        return
    begun, fresh = time.process_time(), not run.with_name(f"{run.name}.training").exists()
    recipe = with_params(replace(ROWS[row], name=row), {"matmul_precision": "medium"})
    train_run(file, run, recipe=recipe, seed=seed, split="validation_by_speaker", split_seed=0, on_epoch=_say)
    seconds = time.process_time() - begun if fresh else None
    score = read_card(run).validation
    line = {"row": row, "seed": seed, "accuracy": score.accuracy, "spikes": score.hidden_spikes, "seconds": seconds}
    with (out / "neurons.jsonl").open("a") as lines:
        lines.write(json.dumps(line) + "\n")


def _say(record: object) -> None:
    print(record, flush=True)


def table(out: Path) -> str:
    """The finished runs, as Markdown."""
    lines = [json.loads(line) for line in (out / "neurons.jsonl").read_text().splitlines()]
    rows = ["| row | seeds | validation | spikes per neuron | CPU |", "|---|---|---|---|---|"]
    for row in ROWS:
        found = [line for line in lines if line["row"] == row]
        if found:
            accuracies = [100 * line["accuracy"] for line in found]
            spread = f" ± {statistics.stdev(accuracies):.1f}" if len(found) > 1 else ""
            seconds = [line["seconds"] for line in found if line["seconds"]]
            cpu = f"{statistics.mean(seconds):,.0f} s" if seconds else ""
            spikes = statistics.mean(line["spikes"] for line in found)
            rows.append(
                f"| {row} | {len(found)} | {statistics.mean(accuracies):.1f}{spread} % | {spikes:.1f} | {cpu} |"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="training part of the spikes")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each row")
    parser.add_argument("--rows", default=";".join(ROWS), help="rows to train, separated by semicolons")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "neurons.jsonl").touch()
    chosen = arguments.rows.split(";")
    for number in range(arguments.seeds):
        for name in chosen:
            train(name, number, arguments.train, arguments.out)
    print(table(arguments.out))
