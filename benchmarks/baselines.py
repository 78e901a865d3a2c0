"""Train and score recipes on one spike file, several seeds each, and print the table that the README shows.

    python benchmarks/baselines.py digits.h5 --out runs --validation-speakers 3,6 --test-speakers 4,5

Runs that are in OUT already are kept, and each is scored once: stopped, the same command goes on. The same table later:
spikedata leaderboard OUT.
"""

import argparse
import sys
from pathlib import Path

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import read_card, runs_of_group
from spikedata.baseline.runs.groups import train_group
from spikedata.baseline.runs.leaderboard import format_leaderboard, leaderboard


def numbers(text: str) -> tuple[int, ...]:
    """Numbers with commas between."""
    return tuple(int(number) for number in text.split(","))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("file", type=Path)
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--recipes", default="counts,recurrent", help="names with commas between")
parser.add_argument("--test-file", type=Path, help="another file to score, where the split has no test part")
parser.add_argument("--validation-speakers", type=numbers)
parser.add_argument("--test-speakers", type=numbers)
parser.add_argument("--split", default="by_speaker")
parser.add_argument("--seeds", type=numbers, default=(0, 1, 2))
parser.add_argument("--threads", type=int, default=1)
args = parser.parse_args()

args.out.mkdir(parents=True, exist_ok=True)
for name in args.recipes.split(","):
    runs = args.out / f"{args.file.stem}-{name}"
    train_group(
        args.file,
        runs,
        recipe=recipe_from(name),
        seeds=args.seeds,
        split=args.split,
        validation_speakers=args.validation_speakers,
        test_speakers=args.test_speakers,
        threads=args.threads,
        on_epoch=lambda run, record, name=name: print(
            f"{name} {run}: epoch {record.epoch}, validation {record.validation_accuracy:.1%}", file=sys.stderr
        ),
    )
    for run in runs_of_group(runs):
        if not read_card(run).tests:  # a second look would be counted
            evaluate_run(run, args.test_file)
print(format_leaderboard(leaderboard(args.out), markdown=True))
