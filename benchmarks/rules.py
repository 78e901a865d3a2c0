"""All rules of learning on the same tasks: accuracy over seeds, time of a clip, and memory against the number of steps.

    python benchmarks/rules.py --out OUT [--digits DIGITS.h5] [--write] [--quick]

One network for all rules: a recurrent layer of 100 LIF neurons, read out by the largest membrane over time, of the
digits by its mean. EventProp has as many neurons in continuous time, without recurrence, read out by first spikes; it
is run on Yin-Yang, the task of its paper. Uniform feedback is refused where the readout is a mean. Tasks:
Yin-Yang, Randman, and the 680 spoken digits that ship with the package, which are encoded first unless their file is
given. Each rule gets the learning rate, of three, that does best on the validation part with a seed of its own; then
one run for each seed, whose epoch the validation part chooses, and whose test part is opened once, at its end. A
finished run is a line of OUT/runs.jsonl, a measured cost one of OUT/costs.jsonl, so that the same command goes on where
it stopped. --write also puts the table into docs/explanation/rules/index.md, and its numbers and figure into
docs/images. One thread. Linux.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from kernel_peers import cost_of
from matplotlib.figure import Figure
from torch.nn.functional import cross_entropy

import spikedata as sd
from spikedata import tasks
from spikedata.events import Events
from spikedata.files.reader import SpikeFile
from spikedata.learning import online_gradients
from spikedata.nn import (
    EventDrivenParams,
    LIFParams,
    NetworkParams,
    SpikingNetworkParams,
    SurrogateParams,
    make_network,
)
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GREEN, INK, VERMILION, new_figure, styled
from spikedata.training.loop import train
from spikedata.training.losses import NO_LIMITS
from spikedata.training.params import TrainParams
from spikedata.training.scoring import evaluate

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "rules" / "index.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- table of rules: begin -->", "<!-- table of rules: end -->"

PICTURE = "![Test accuracy of each rule on each task, a dot for each seed](../../images/rules.png)"

N_HIDDEN = 100
RATES = (2e-3, 5e-3, 1e-2)
CHOOSING_SEED = 100  # of the runs that choose a learning rate: none of those that are shown
TEST_SPEAKERS, VALIDATION_SPEAKERS = (4, 5), (6, 8)
LENGTHS = (100, 1000)  # steps of the measured clips
N_COST = (64, 140, 20)  # clips, inputs and classes of the measured step


class Task(NamedTuple):
    """A task: its parts, what its network needs to know of them, and how long it is trained."""

    name: str
    about: str
    parts: Callable[[Path], tuple[Events, Events, Events]]
    grid: dict[str, Any]
    tau_mem: float
    epochs: int
    batch_size: int
    readout: str
    gains: tuple[float, float, float]  # of input, recurrent and readout weights
    scale: float  # of the surrogate


class Rule(NamedTuple):
    """A rule of learning."""

    name: str
    training: dict[str, str]
    color: str

    def fits(self, task: Task) -> bool:
        if self.name == "EventProp":
            return task.name == "yin_yang"
        return self.training.get("feedback") != "uniform" or task.readout == "max"


RULES = (
    Rule("BPTT", {}, INK),
    Rule("e-prop, symmetric", {"gradient": "eprop", "feedback": "symmetric"}, BLUE),
    Rule("e-prop, random", {"gradient": "eprop", "feedback": "random"}, BLUE),
    Rule("SuperSpike, symmetric", {"gradient": "superspike", "feedback": "symmetric"}, VERMILION),
    Rule("SuperSpike, random", {"gradient": "superspike", "feedback": "random"}, VERMILION),
    Rule("SuperSpike, uniform", {"gradient": "superspike", "feedback": "uniform"}, VERMILION),
    Rule("EventProp", {}, GREEN),
)


def yin_yang(_: Path) -> tuple[Events, Events, Events]:
    return tasks.yin_yang("train"), tasks.yin_yang("validation"), tasks.yin_yang("test")


def randman(_: Path) -> tuple[Events, Events, Events]:
    events = tasks.randman(n_clips=1000, seed=0)
    place = np.arange(len(events)) % 1000  # within the class
    return _parts(events, place < 800, (place >= 800) & (place < 900), place >= 900)


def digits(file: Path) -> tuple[Events, Events, Events]:
    with SpikeFile(file) as spikes:
        events = spikes.read_events()
    test, validation = np.isin(events.speakers, TEST_SPEAKERS), np.isin(events.speakers, VALIDATION_SPEAKERS)
    return _parts(events, ~test & ~validation, validation, test)


def _parts(events: Events, *chosen: Any) -> tuple[Events, Events, Events]:
    training, validation, test = (events.select(np.flatnonzero(mask)) for mask in chosen)
    return training, validation, test


SHORT = ("max", (0.3, 0.05, 0.1), 20.0)
TASKS = (
    Task("yin_yang", "Yin-Yang", yin_yang, {"duration": 0.05, "dt": 1e-3}, 10e-3, 12, 50, *SHORT),
    Task("randman", "Randman", randman, {"duration": 0.08, "dt": 1e-3}, 10e-3, 6, 128, *SHORT),
    Task(
        "digits", "680 digits", digits, {"duration": 0.8, "dt": 8e-3, "n_merged": 5}, 40e-3, 30, 32,
        "mean", (0.05, 0.3, 0.3), 5.0,
    ),
)  # fmt: skip


def network_params(task: Task, rule: Rule) -> NetworkParams:
    if rule.name == "EventProp":
        return EventDrivenParams(hidden=(N_HIDDEN,), duration=task.grid["duration"])
    return SpikingNetworkParams(
        hidden=(N_HIDDEN,),
        neuron=LIFParams(
            tau_mem=task.tau_mem, tau_syn=task.tau_mem / 2, reset="zero", surrogate=SurrogateParams(scale=task.scale)
        ),
        readout=task.readout,
        tau_readout=2 * task.tau_mem if task.readout == "max" else task.tau_mem,
        initialization=InitializationParams(
            **dict(zip(("input_gain", "recurrent_gain", "readout_gain"), task.gains, strict=True))
        ),
        **task.grid,
    )


def run(task: Task, rule: Rule, parts: tuple[Events, Events, Events], *, seed: int, rate: float, epochs: int) -> dict:
    """Train once; the test part is opened at the end, unless the run only chooses a learning rate."""
    training, validation, test = parts
    generator = torch.Generator().manual_seed(seed)
    network = make_network(
        network_params(task, rule), n_units=training.n_units, n_classes=len(training.keys), generator=generator
    )
    params = TrainParams(
        epochs=epochs,
        batch_size=task.batch_size,
        optimizer="adam",
        learning_rate=rate,
        activity=NO_LIMITS,
        unit_shift=0.0,
        **rule.training,
    )
    began = time.process_time()
    trained = train(network, training, validation, params, seed=seed)
    seconds = time.process_time() - began
    best = trained.history[trained.best_epoch - 1]
    found = {"task": task.name, "rule": rule.name, "seed": seed, "learning_rate": rate, "epochs": epochs,
             "validation": best.validation_accuracy, "hidden_spikes": best.hidden_spikes, "cpu_s": round(seconds, 2),
             "ms_a_clip": 1e3 * seconds / (epochs * len(training))}  # fmt: skip
    if seed != CHOOSING_SEED:
        found["test"] = evaluate(trained.network, test).accuracy
    return found


class Lines:
    """An append-only file of finished work."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def find(self, **values: Any) -> dict | None:
        return next((row for row in self.rows if all(row.get(name) == value for name, value in values.items())), None)

    def add(self, row: dict) -> dict:
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row


def study(lines: Lines, chosen: list[Task], digits_file: Path, *, seeds: Iterable[int], quick: bool) -> None:
    """Every task, rule and seed that is not yet there."""
    for task in chosen:
        parts = None
        epochs = 1 if quick else task.epochs
        for rule in (rule for rule in RULES if rule.fits(task)):
            choosing = []
            for rate in RATES:
                wanted = {"task": task.name, "rule": rule.name, "seed": CHOOSING_SEED, "learning_rate": rate}
                row = lines.find(**wanted)
                if row is None:
                    parts = parts or task.parts(digits_file)
                    short = max(1, epochs // 2)
                    row = lines.add(run(task, rule, parts, seed=CHOOSING_SEED, rate=rate, epochs=short))
                choosing.append((row["validation"], rate))
            rate = max(choosing)[1]
            for seed in seeds:
                if lines.find(task=task.name, rule=rule.name, seed=seed) is None:
                    parts = parts or task.parts(digits_file)
                    row = lines.add(run(task, rule, parts, seed=seed, rate=rate, epochs=epochs))
                    print(f"{task.name}, {rule.name}, seed {seed}: {row['test']:.1%}, {row['cpu_s']:.0f} s", flush=True)


# The cost of a step, each in a process of its own


def cost(rule: str, n_steps: int, repeats: int) -> dict:
    """Time and memory of the gradient of a batch of random spikes by a rule."""
    torch.set_num_threads(1)
    n_clips, n_inputs, n_classes = N_COST
    params = SpikingNetworkParams(
        hidden=(N_HIDDEN,), neuron=LIFParams(reset="zero"), duration=n_steps * 1e-3, dt=1e-3,
        initialization=InitializationParams(input_gain=0.3, recurrent_gain=0.1),
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    network = make_network(params, n_units=n_inputs, n_classes=n_classes, generator=generator)
    labels = torch.arange(n_clips) % n_classes

    def step(inputs: torch.Tensor) -> list[torch.Tensor]:
        network.zero_grad()
        if rule == "bptt":
            activity = network(inputs)
            cross_entropy(activity.logits, labels[: len(inputs)]).backward()
            return [spikes.detach() for spikes in activity.spikes]
        counts = online_gradients(network, inputs, labels[: len(inputs)], rule=rule).counts
        return [count / n_steps for count in counts]

    inputs = (torch.rand(n_clips, n_steps, n_inputs, generator=generator) < 0.01).float()
    step(inputs[:2, :3])  # loads what is loaded once
    found = cost_of(lambda: step(inputs), repeats)
    return {"rule": rule, "n_steps": n_steps, "n_clips": n_clips, "ms_a_clip": found["cpu_ms"] / n_clips,
            "mb": found["mb"], "firing": found["firing"]}  # fmt: skip


def measure(lines: Lines, *, repeats: int) -> None:
    for n_steps in LENGTHS:
        for rule in ("bptt", "eprop", "superspike"):
            if lines.find(rule=rule, n_steps=n_steps) is None:
                command = [sys.executable, __file__, "--child", rule, str(n_steps), str(repeats)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                lines.add(json.loads(done.stdout))


# The table and the figure


def shown(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["seed"] != CHOOSING_SEED]


def of(rows: list[dict], task: Task, rule: Rule, name: str) -> list[float]:
    return [row[name] for row in shown(rows) if (row["task"], row["rule"]) == (task.name, rule.name)]


def table(rows: list[dict], costs: list[dict]) -> str:
    """Accuracy of each rule on each task, and what it costs, as Markdown."""
    there = [task for task in TASKS if any(row["task"] == task.name for row in shown(rows))]
    lines = [
        f"| rule | {' | '.join(task.about for task in there)} | ms a clip: {' / '.join(task.name for task in there)} |",
        "|---|" + "---:|" * (len(there) + 1),
    ]
    for rule in RULES:
        cells = []
        for task in there:
            accuracies = 100 * np.array(of(rows, task, rule, "test"))
            there_is = f"{accuracies.mean():.1f} ± {accuracies.std(ddof=1):.1f}" if len(accuracies) > 1 else "-"
            cells.append(there_is)
        spent = [of(rows, task, rule, "ms_a_clip") for task in there]
        times = " / ".join(f"{np.median(of_task):.2f}" if of_task else "" for of_task in spent)
        lines.append(f"| {rule.name} | {' | '.join(cells)} | {times} |")
    seeds = len({row["seed"] for row in shown(rows)})
    minutes = sum(row["cpu_s"] for row in rows) / 60
    lines += [
        "",
        f"Percent of the test part, mean and standard deviation over {seeds} seeds; {minutes:.0f} CPU minutes "
        "in all. A dash: not run, or the rule does not fit.",
    ]
    lengths = [n for n in LENGTHS if any(row["n_steps"] == n for row in costs)]
    if costs:
        lines += ["", f"| gradient of {N_COST[0]} clips, {N_COST[1]}-{N_HIDDEN}-{N_COST[2]} | "
                  + " | ".join(f"{n} steps: ms a clip | MB" for n in lengths) + " |",
                  "|---|" + "---:|" * (2 * len(lengths))]  # fmt: skip
        for rule in dict.fromkeys(row["rule"] for row in costs):
            found = {row["n_steps"]: row for row in costs if row["rule"] == rule}
            cells = [f"{found[n]['ms_a_clip']:.2f} | {found[n]['mb']:.0f}" for n in lengths if n in found]
            lines.append(f"| `{rule}` | {' | '.join(cells)} |")
    return "\n".join(lines)


@styled
def draw(rows: list[dict]) -> Figure:
    """Error of each rule on each task, a dot for each seed."""
    there = [task for task in TASKS if any(row["task"] == task.name for row in shown(rows))]
    figure = new_figure(7.2, 2.6)
    for axes, task in zip(np.atleast_1d(figure.subplots(1, len(there))), there, strict=True):
        for place, rule in enumerate(RULES):
            accuracies = 100 * np.array(of(rows, task, rule, "test"))
            axes.plot(np.full(len(accuracies), place), accuracies, "o", ms=3, color=rule.color, alpha=0.6)
            if len(accuracies):
                axes.plot([place - 0.3, place + 0.3], [accuracies.mean()] * 2, color=rule.color, lw=1.5)
        axes.set_xticks(range(len(RULES)), [rule.name for rule in RULES], rotation=60, ha="right", fontsize=6)
        axes.set_title(task.about)
        axes.set_ylabel("Test accuracy (%)")
    return figure


def write(rows: list[dict], costs: list[dict]) -> None:
    """Put table, numbers and figure where the docs show them."""
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(rows, costs)}\n\n{PICTURE}\n\n{END}{after}", encoding="utf-8")
    found = {"runs": rows, "costs": costs}
    (IMAGES / "rules.json").write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
    save_figure(draw(rows), IMAGES / "rules.png", overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--digits", type=Path, metavar="FILE", help="the 680 clips as spikes")
    parser.add_argument("--tasks", default=",".join(task.name for task in TASKS), metavar="NAME,...")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5, help="steps, of which the median cost is shown")
    parser.add_argument("--write", action="store_true", help="write the table and the figure of the docs")
    parser.add_argument("--only-report", action="store_true", help="train nothing: report what is there")
    parser.add_argument("--quick", action="store_true", help="one epoch each")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        rule, n_steps, repeats = args.child
        print(json.dumps(cost(rule, int(n_steps), int(repeats))))
        return
    if args.out is None:
        parser.error("--out is required")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.digits or args.out / "digits.h5"
    chosen = [task for task in TASKS if task.name in args.tasks.split(",")]
    if not args.only_report and not file.exists() and any(task.name == "digits" for task in chosen):
        sd.encode(sd.embedded_corpus(), file, corpus="heidelberg_digits")
    runs, costs = Lines(args.out / "runs.jsonl"), Lines(args.out / "costs.jsonl")
    if not args.only_report:
        study(runs, chosen, file, seeds=range(args.seeds), quick=args.quick)
        measure(costs, repeats=args.repeats)
    text = table(runs.rows, costs.rows)
    (args.out / "rules.md").write_text(text + "\n", encoding="utf-8")
    save_figure(draw(runs.rows), args.out / "rules.png", overwrite=True)
    if args.write:
        write(runs.rows, costs.rows)
    print(text)


if __name__ == "__main__":
    main()
