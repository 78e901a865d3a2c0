"""Train and score every recipe on one spike file, and print the table that the README shows.

    python benchmarks/baselines.py digits.h5 --out runs --validation-speakers 3,6 --test-speakers 4,5

Runs that are in OUT already are scored as they are.
"""

import argparse
from pathlib import Path

from spikedata.baseline.protocol import evaluate_run, train_run
from spikedata.baseline.recipes import RECIPES


def speakers(text: str) -> tuple[int, ...]:
    """Numbers with commas between."""
    return tuple(int(number) for number in text.split(","))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file", type=Path)
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--validation-speakers", type=speakers)
parser.add_argument("--test-speakers", type=speakers)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

args.out.mkdir(parents=True, exist_ok=True)
print("| recipe | parameters | validation | test | 95 % interval | n | training |")
print("|---|---:|---:|---:|---:|---:|---:|")
for name, recipe in RECIPES.items():
    run = args.out / f"{args.file.stem}-{name}-{args.seed}"
    if not run.exists():
        train_run(
            args.file,
            run,
            recipe=recipe,
            seed=args.seed,
            validation_speakers=args.validation_speakers,
            test_speakers=args.test_speakers,
        )
    card = evaluate_run(run)
    score = card["tests"][-1]["score"]
    low, high = score["interval_95"]
    print(
        f"| {name} | {card['network']['parameters']:,} | {card['validation']['accuracy']:.1%} | "
        f"**{score['accuracy']:.1%}** | {low:.1%} to {high:.1%} | {score['n']} | {card['training']['seconds']:.0f} s |"
    )
