"""Does a run need time? What is left of its score without it, and with its weights in fewer bits.

    python benchmarks/probes.py RUN --epochs 15 --out docs/images/probes.json

RUN is what `spikedata train` made. It is probed on its validation clips, first with its own weights, then trained anew
for so many epochs under each control, and once without one, in RUN.probes. Beside them stand two linear classifiers on
spike counts, on the clips and on clips whose counts are equalized: what counts alone can tell. The table is printed and
written after each step; after an interruption, the same command goes on. CPU time is that of this process.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, cast

from spikedata.baseline.recipes.catalog import RECIPES
from spikedata.baseline.recipes.recipe import with_params
from spikedata.baseline.runs.card import Card, tally
from spikedata.baseline.runs.data import read_run_data
from spikedata.baseline.runs.evaluation import under_control
from spikedata.baseline.runs.folder import SPLIT, load_run, read_split
from spikedata.baseline.runs.probes import PROBES, anew_dir, probe_run
from spikedata.baseline.runs.quantized import quantize_run
from spikedata.baseline.runs.train import train_run
from spikedata.nn.networks import CountParams
from spikedata.nn.threads import on_one_thread
from spikedata.training.counts import fit_counts
from spikedata.training.scoring import evaluate

OTHERS = ("times_shuffled", "time_reversed")  # which keep the clip's envelope, or its intervals


class Steps:
    """Results by name, in a file, each with the CPU time that it took."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.found: dict[str, Any] = json.loads(out.read_text("utf-8")) if out.is_file() else {}

    def keep(self, name: str, run: Any) -> None:
        """Take a step, unless it has been taken."""
        if name not in self.found:
            began = time.process_time()
            result = run()
            self.found[name] = {"result": result, "cpu_seconds": round(time.process_time() - began, 1)}
            self.out.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        print(name, json.dumps(self.found[name])[:110], flush=True)


def of_probe(card: Card, control: str, weights: str) -> dict[str, Any]:
    """The score of a probe."""
    probe = next(one for one in card.probes if (one.control, one.weights) == (control, weights))
    return {"accuracy": probe.score.accuracy, "n": probe.score.n, "epochs": probe.epochs}


def plain_of(run: Path, epochs: int) -> dict[str, Any]:
    """The score of a training that is as long as those under controls, without one."""
    card = load_run(run).card
    recipe = with_params(card.recipe, {"epochs": epochs})
    split = str(run / SPLIT)
    made = train_run(
        card.data.path, anew_dir(run, "none"), recipe=recipe, seed=card.seed, split=split, keep_finished=True
    )
    return {"accuracy": made.validation.accuracy, "n": made.validation.n, "epochs": epochs}


@on_one_thread()
def counts_of(run: Path, control: str) -> dict[str, Any]:
    """What a linear classifier on spike counts finds, trained and validated on clips under a control."""
    network, card = load_run(run)
    _, events = read_run_data(card.data.path, window=card.recipe.network.duration, **card.data.reading)
    split, params = read_split(run, card, events.sources), cast(CountParams, RECIPES["counts"].network)
    train, validation = (
        under_control(network, events.select(split.part(part)), control, seed=card.seed)
        for part in ("train", "validation")
    )
    score = evaluate(fit_counts(train, validation, params).network, validation)
    right = tally(score.labels == score.predictions)
    return {"accuracy": right.accuracy, "n": right.n}


def table_of(found: dict[str, Any], card: Card) -> str:
    """The probes as a table of Markdown, in percent."""

    def cell(name: str) -> str:
        return f"{100 * found[name]['result']['accuracy']:.1f}" if name in found else "-"

    lines = ["| | same weights | trained anew |", "|---|---:|---:|"]
    lines.append(f"| nothing taken away | {100 * card.validation.accuracy:.1f} | {cell('none, anew')} |")
    for name in (*PROBES, *OTHERS):
        lines.append(f"| `{name}` | {cell(f'{name}, same')} | {cell(f'{name}, anew')} |")
    lines.append(f"| counts alone: a linear classifier | | {cell('counts')} |")
    lines.append(f"| the same on `counts_equalized` | | {cell('counts, equalized')} |")
    return "\n".join(lines)


def main() -> None:
    """Probe a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("probes.json"))
    args = parser.parse_args()
    steps, card = Steps(args.out), load_run(args.run).card
    for name in (*PROBES, *OTHERS):
        steps.keep(f"{name}, same", lambda name=name: of_probe(probe_run(args.run, controls=[name]), name, "same"))
    steps.keep("bits", lambda: quantize_run(args.run).to_json()["rows"])
    steps.keep("counts, equalized", lambda: counts_of(args.run, "counts_equalized"))
    steps.keep("counts", lambda: counts_of(args.run, "none"))
    for name in ("propagation_cut", "counts_only", "steps_shuffled", "counts_equalized"):
        anew = {"controls": [name], "retrain": True, "epochs": args.epochs}
        steps.keep(f"{name}, anew", lambda name=name, anew=anew: of_probe(probe_run(args.run, **anew), name, "anew"))
    steps.keep("none, anew", lambda: plain_of(args.run, args.epochs))
    print(table_of(steps.found, card))


if __name__ == "__main__":
    main()
