"""The Heidelberg Digits by e-prop: 256 recurrent neurons with adaptive thresholds, after Knight and Nowotny.

    python benchmarks/eprop_digits.py shd_train.h5 shd_test.h5 --out eprop_digits [--seeds 5] [--set gradient=bptt]
    python benchmarks/eprop_digits.py shd_train.h5 --choose 4,5 --out eprop_digits --seeds 1 --set epochs=15

The first form trains on all clips of the training file for the recipe's 100 epochs, takes the weights of the last
epoch, opens the test file once, and appends a line to OUT/results.jsonl for each seed. Nothing is chosen. It goes on
where it stopped; with --seeds 0 it only makes the table. The second form is for choosing settings: it leaves out the
speakers that it is told, scores each epoch on them, and opens no test file.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from spikedata.baseline.recipes.catalog import network_of, recipe_from
from spikedata.disk import write_atomically
from spikedata.nn.threads import on_one_thread
from spikedata.torch import SpikeDataset
from spikedata.training.checkpoint import checkpoint_bytes, checkpoint_from, difference
from spikedata.training.history import EpochRecord
from spikedata.training.loop import train
from spikedata.training.scoring import evaluate

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "rules" / "eprop.md"
BEGIN, END = "<!-- eprop digits: begin -->", "<!-- eprop digits: end -->"


def trained(recipe, training, validation, seed, out):
    """The network after the last epoch, its history, and the CPU seconds of this process for it."""
    out.mkdir(parents=True, exist_ok=True)
    path, spent_path = out / "checkpoint.safetensors", out / "cpu.json"
    identity = {"recipe": recipe.structure, "seed": seed}
    checkpoint, spent = None, 0.0
    if path.exists():
        checkpoint, other = checkpoint_from(path.read_bytes())
        if difference(other, json.loads(json.dumps(identity))):
            raise SystemExit(f"{path}: is of another training: {difference(other, identity)}")
        spent = json.loads(spent_path.read_text())
    began = time.process_time()

    def keep(state):
        write_atomically(path, checkpoint_bytes(state, identity), overwrite=True)
        spent_path.write_text(json.dumps(spent + time.process_time() - began))

    def say(record):
        print(
            f"{out.name} epoch {record.epoch}: loss {record.train_loss:.3f}, training {record.train_accuracy:.1%}, "
            f"held out {record.validation_accuracy:.1%}, {spent + time.process_time() - began:.0f} CPU s",
            flush=True,
        )

    nothing = EpochRecord(0, 0.0, 0.0, float("nan"), float("nan"), float("nan"), 0.0, 0.0)
    result = train(
        network_of(recipe, n_units=training.n_units, n_classes=len(training.keys), seed=seed),
        training,
        validation,
        recipe.training,
        seed=seed,
        repeated=[nothing] * recipe.training.epochs if validation is None else (),
        checkpoint=checkpoint,
        on_checkpoint=keep,
        on_epoch=say,
    )
    return result, spent + time.process_time() - began


@on_one_thread()
def main(args):
    recipe = recipe_from("eprop_alif", dict(pair.split("=", 1) for pair in args.set))
    name = ",".join(args.set) or "recipe"
    training = SpikeDataset(args.train).events
    args.out.mkdir(parents=True, exist_ok=True)
    lines = args.out / ("chosen.jsonl" if args.choose else "results.jsonl")
    done = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        if any((line["name"], line["seed"]) == (name, seed) for line in done):
            continue
        held_out = None
        own = training
        if args.choose:
            is_out = np.isin(training.speakers, [int(number) for number in args.choose.split(",")])
            held_out, own = training.select(np.flatnonzero(is_out)), training.select(np.flatnonzero(~is_out))
        result, spent = trained(
            recipe, own, held_out, seed, args.out / f"{'choose ' if args.choose else ''}{name}-{seed}"
        )
        line = {"name": name, "seed": seed, "cpu_s": round(spent), "train": result.history[-1].train_accuracy}
        if args.choose:
            line["held_out"] = [round(record.validation_accuracy, 4) for record in result.history]
        else:
            score = evaluate(result.network, SpikeDataset(args.test).events, layout="lists")
            line |= {"test": score.accuracy, "hidden_spikes": score.hidden_spikes, "epochs": len(result.history)}
        with lines.open("a") as file:
            file.write(json.dumps(line) + "\n")
        done.append(line)
    if not args.choose:
        table = as_table(done)
        (args.out / "results.md").write_text(table + "\n", encoding="utf-8")
        if args.write:
            before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
            text = f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}"
            PAGE.write_text(text, encoding="utf-8")
        print(table)


def as_table(done):
    """Accuracies of each setting as Markdown: mean and deviation over the seeds."""
    rows = [
        "| setting | seeds | training | test | spikes of a neuron | CPU s a seed |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(line["name"] for line in done):
        some = [line for line in done if line["name"] == name]
        test = 100 * np.array([line["test"] for line in some])
        spread = f" ± {test.std(ddof=1):.1f}" if len(some) > 1 else ""
        train, spikes, spent = (np.mean([line[what] for line in some]) for what in ("train", "hidden_spikes", "cpu_s"))
        rows.append(
            f"| {name} | {len(some)} | {train:.1%} | {test.mean():.1f}{spread} % | {spikes:.0f} | {spent:,.0f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="PARAM=VALUE", help="params of the recipe")
    parser.add_argument("--choose", metavar="SPEAKERS", help="speakers to leave out and to score each epoch on")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/rules/eprop.md")
    parsed = parser.parse_args()
    if not parsed.choose and parsed.test is None:
        parser.error("give a test file, or --choose")
    main(parsed)
