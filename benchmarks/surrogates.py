"""Does the shape of the surrogate matter, or its scale? After Zenke and Vogels, Neural Computation 33:899 (2021).

    python benchmarks/surrogates.py [TASK ...] --out FOLDER [--digits FILE.h5] [--audio FOLDER] [--seeds N] [--write]

Trains their network (100 LIF neurons, 100 steps) for every shape, scale, learning rate and kind of recurrence, with and
without gradients through the reset, and under bounds on its spikes. Each finished run is a line of FOLDER/TASK.jsonl:
the same command goes on where it stopped, however it was stopped. FOLDER/surrogates.md, .json and two pictures are made
of the lines that are there, and `--write` puts them into docs; `--only-report` makes them without a run.

Tasks: randman, yin_yang, digits (needs --digits: the Heidelberg Digits, encoded), raw_hd (needs --audio: their
recordings, as mel bands). `--full` takes the paper's whole lists, all training clips and 50 epochs.

The learning rate of each shape and scale is the one of the best mean validation accuracy; scores are those on the test
part, which is opened once for each run and chooses nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from surrogates_report import TASKS, write_report
from surrogates_training import Clips, Learner, listed
from torch import Tensor
from torch.nn.functional import cross_entropy

from spikedata import tasks
from spikedata.disk import WorkFolder
from spikedata.events import Events
from spikedata.events.batching import dense_batch, without_warning
from spikedata.files.reader import SpikeFile
from spikedata.nn.networks import SpikingNetwork, SpikingNetworkParams
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import LIFParams
from spikedata.nn.surrogate import SurrogateParams
from spikedata.training.losses import NO_LIMITS, ActivityParams, activity_penalty

N_HIDDEN = 100
BATCH = 16  # the paper's 250 of its 8,000 clips; ours are fewer, and it is the number of updates that learns
VALIDATION_SPEAKERS, TEST_SPEAKERS = (6, 8), (4, 5)  # as in docs/explanation/results.md
PAPER_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1000.0)
PAPER_RATES = (1e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)
SCALES = (0.2, 1.0, 5.0, 20.0, 100.0)
SHAPES = ("superspike", "sigmoid", "triangle")
ACTIVE = 8.0  # gain of initial weights from the input with which hidden neurons fire before they have learned
BOUNDS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03)  # spikes per neuron and clip
STRENGTH = 1.0  # of the upper bound; with the 0.06 of the authors' scripts ours are exceeded fourfold
EXACT = 1e-5  # relative error of gradients of float32
TINY, HUGE = 1e-6, 1e30  # scales of a box that every membrane is in, and of one that none is in


class Parts(NamedTuple):
    """The clips to learn, as lists; inputs (clip, step, unit) and labels (clip,) of the two other parts."""

    training: Clips
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task: where its clips come from, the network's times [s], how long it is trained, and what is varied."""

    load: Callable[[int, bool], Parts]  # of a seed; whether all training clips are taken
    n_classes: int
    dt: float = 1e-3
    n_steps: int = 100
    slowness: float = 1.0  # of time constants
    epochs: int = 10
    variants: tuple[str, ...] = ("feedforward", "reset")
    scales: tuple[float, ...] = SCALES
    rates: tuple[float, ...] = (2e-2, 5e-2)
    rates_recurrent: tuple[float, ...] = (1e-2, 2e-2)  # at 5e-2 half of the networks fire without end


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What distinguishes the runs of a task, but for their seed.

    The variants: "feedforward"; "reset", the same with gradients through the reset; "recurrent"; "recurrent_reset".
    """

    variant: str
    shape: str
    scale: float
    rate: float
    gain: float = 1.0
    bound: float | None = None

    @property
    def surrogate(self) -> SurrogateParams:
        """The derivative, with the paper's height: 1, but 1/4 of the sigmoid's, and the scale of the asymptotic one."""
        match self.shape:
            case "constant":
                return SurrogateParams(shape="boxcar", scale=TINY)
            case "none":
                return SurrogateParams(shape="boxcar", scale=HUGE)
            case "asymptotic":
                return SurrogateParams(shape="superspike", scale=self.scale, height=self.scale)
            case "sigmoid":
                return SurrogateParams(shape="sigmoid", scale=self.scale, height=0.25)
        return SurrogateParams(shape=self.shape, scale=self.scale)

    @property
    def activity(self) -> ActivityParams:
        """The paper's bounds: the lower one on each neuron, the upper one on their mean."""
        if self.bound is None:
            return NO_LIMITS
        return ActivityParams(
            lower_threshold=1e-3,
            lower_strength=100.0,
            lower_norm="l2",
            upper_threshold=self.bound,
            upper_strength=STRENGTH,
            norm="l1",
        )


def settings_of(task: Task, *, full: bool) -> Iterator[Setting]:
    """All settings of a task, those first that matter most."""
    scales, rates = (PAPER_SCALES, PAPER_RATES) if full else (task.scales, task.rates)
    for variant in task.variants:
        of_variant = PAPER_RATES if full else task.rates_recurrent if "recurrent" in variant else rates
        # of one layer without recurrence a larger gradient is the same to Adam, so the asymptotic one is superspike
        shapes = SHAPES if variant == "feedforward" else (*SHAPES, "asymptotic")
        for shape, scale, rate in itertools.product(shapes, scales, of_variant):
            yield Setting(variant=variant, shape=shape, scale=scale, rate=rate)
    plain = task.variants[0]
    middle = 5e-2 if plain == "feedforward" else task.rates_recurrent[-1]
    for shape, rate in itertools.product(("constant", "none"), rates if full else (middle,)):
        yield Setting(variant=plain, shape=shape, scale=1.0, rate=rate)
    if plain == "feedforward":
        for shape, scale, rate in itertools.product(SHAPES, scales, rates if full else (middle,)):
            yield Setting(variant=plain, shape=shape, scale=scale, rate=rate, gain=ACTIVE)
    for bound in BOUNDS:
        yield Setting(variant=plain, shape="superspike", scale=5.0, rate=middle, bound=bound)


def network_of(setting: Setting, task: Task, *, n_units: int, seed: int) -> tuple[SpikingNetwork, Learner]:
    """An untrained network and what trains it.

    Where the paper's membranes take (1 - beta) of a current, ours take all of it, and weights and learning rates are
    that much smaller: under Adam, training takes the same course.
    """
    slowness = task.slowness
    tau_mem, tau_readout = 10e-3 * slowness, 20e-3 * slowness
    hidden_share, readout_share = (1 - math.exp(-task.dt / tau) for tau in (tau_mem, tau_readout))
    params = SpikingNetworkParams(
        hidden=(N_HIDDEN,),
        recurrent=setting.variant.startswith("recurrent"),
        neuron=LIFParams(
            tau_mem=tau_mem,
            tau_syn=5e-3 * slowness,
            reset="zero",
            detach_reset=not setting.variant.endswith("reset"),
            surrogate=setting.surrogate,
        ),
        tau_readout=tau_readout,
        initialization=InitializationParams(
            kind="uniform",
            input_gain=setting.gain * hidden_share,
            recurrent_gain=hidden_share,
            readout_gain=readout_share,
        ),
        duration=task.n_steps * task.dt,
        dt=task.dt,
    )
    generator = torch.Generator().manual_seed(seed)
    network = SpikingNetwork(params, n_units=n_units, n_classes=task.n_classes, generator=generator)
    rates = {"rate_hidden": setting.rate * hidden_share, "rate_readout": setting.rate * readout_share}
    return network, Learner(network, setting.activity, **rates)


def run(task: Task, parts: Parts, setting: Setting, *, seed: int, full: bool) -> dict[str, Any]:
    """Train a network and score it; training that diverges ends there, and its answers count as chance."""
    began = time.process_time()
    network, learner = network_of(setting, task, n_units=parts.test[0].shape[2], seed=seed)
    order = np.random.default_rng(seed)
    epochs = 50 if full else task.epochs
    validation = []
    diverged = False
    before = [weight.copy() for weight in learner.weights]
    for epoch in range(1, epochs + 1):
        loss = learner.pass_over(parts.training, order.permutation(len(parts.training.labels)), BATCH)
        if diverged := not math.isfinite(loss):
            break
        # without any gradient in the first epoch there is none in the others
        dead = epoch == 1 and all(map(np.array_equal, before, learner.weights))
        if dead or epoch in (epochs - epochs // 4, epochs):  # twice, to see whether it still rises
            validation.append(score(network, parts.validation)[0])
        if dead:
            break
    chance = 1 / task.n_classes
    accuracy, spikes = (chance, math.nan) if diverged else score(network, parts.test)
    return {
        **asdict(setting),
        "seed": seed,
        "full": full,
        "validation": chance if diverged else round(validation[-1], 4),
        "earlier": chance if diverged else round(validation[0], 4),
        "test": round(accuracy, 4),
        "spikes": None if diverged else round(spikes, 4),
        "diverged": diverged,
        "seconds": round(time.process_time() - began, 2),
    }


def largest_error() -> float:
    """How far gradients of the compiled training are from those of autograd, relative to the largest one."""
    events = tasks.randman(n_clips=10)
    inputs, labels = binned(events, dt=1e-3, n_steps=100)
    clips, chosen = listed(inputs, labels), np.arange(0, len(events), 3)
    task = Task(load=load_randman, n_classes=10)
    errors = []
    for variant, shape, bound in (
        ("feedforward", "superspike", None),
        ("reset", "sigmoid", 0.1),
        ("recurrent", "triangle", 0.1),
        ("recurrent_reset", "asymptotic", None),
    ):
        setting = Setting(variant=variant, shape=shape, scale=5.0, rate=0.0, gain=ACTIVE, bound=bound)
        network, learner = network_of(setting, task, n_units=inputs.shape[2], seed=0)
        found = [gradient for gradient in learner.gradients(clips, chosen) if gradient.size]
        activity = network(inputs[chosen])
        penalty = activity_penalty(activity.spikes, setting.activity)
        (cross_entropy(activity.logits, labels[chosen]) + penalty).backward()
        layer = network.layers[0]
        weights = (layer.projection.weight, layer.recurrent_weight, network.readout.projection.weight)
        exact = [weight.grad.numpy() for weight in weights if weight is not None]
        errors += [np.abs(one - other).max() / np.abs(other).max() for one, other in zip(found, exact, strict=True)]
    return float(max(errors))


@torch.no_grad()
def score(network: SpikingNetwork, part: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Accuracy, and spikes per hidden neuron and clip."""
    inputs, labels = part
    n_correct, n_spikes = 0, 0.0
    for batch in torch.arange(len(labels)).split(256):
        activity = network(inputs[batch])
        n_correct += int((activity.logits.argmax(dim=1) == labels[batch]).sum())
        n_spikes += activity.hidden_spikes.sum().item()
    return n_correct / len(labels), n_spikes / (len(labels) * N_HIDDEN)


def binned(events: Events, *, dt: float, n_steps: int, n_merged: int = 1) -> tuple[Tensor, Tensor]:
    """Counts (clip, step, input) and labels."""
    with without_warning():
        counts = dense_batch(events, np.arange(len(events)), dt=dt, n_steps=n_steps, n_merged=n_merged)
    return torch.from_numpy(np.asarray(counts, np.float32)), torch.from_numpy(events.labels)


def parts_of(training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Parts:
    """The parts, the first as it is learned."""
    return Parts(listed(*training), validation, test)


def load_randman(seed: int, full: bool) -> Parts:
    """Ten new manifolds for each seed; 800 clips of each to train on, of which the first 200 suffice, 100 and 100."""
    events = tasks.randman(seed=seed, n_clips=1000)
    place = np.arange(len(events)) % 1000
    chosen = (place < (800 if full else 200), (place >= 800) & (place < 900), place >= 900)
    return parts_of(*(binned(events.select(part), dt=1e-3, n_steps=100) for part in chosen))


def load_yin_yang(seed: int, full: bool) -> Parts:
    """The published parts, the same for all seeds."""
    events = tasks.yin_yang("train", n_clips=5000 if full else 2500)
    parts = (events, tasks.yin_yang("validation"), tasks.yin_yang("test"))
    return parts_of(*(binned(part, dt=1e-3, n_steps=60) for part in parts))


def by_speaker(inputs: Tensor, labels: Tensor, speakers: np.ndarray[Any, Any]) -> Parts:
    """Parts of other speakers each."""
    held_out = (VALIDATION_SPEAKERS, TEST_SPEAKERS)
    chosen = [~np.isin(speakers, sum(held_out, ())), *(np.isin(speakers, who) for who in held_out)]
    return parts_of(*((inputs[rows], labels[rows]) for rows in map(torch.from_numpy, chosen)))


@cache
def load_digits(file: Path) -> Parts:
    """Ten neighboring units are one input; steps are of 10 ms. The same parts for all seeds, as those of RawHD."""
    with SpikeFile(file) as spikes:
        events = spikes.read_events()
    return by_speaker(*binned(events, dt=10e-3, n_steps=100, n_merged=10), events.speakers)


@cache
def load_raw_digits(audio: Path) -> Parts:
    """Currents of 40 mel bands in 80 frames of 10 ms."""
    from spikedata.torch import MelDataset

    bands = MelDataset(audio, corpus="heidelberg_digits")
    inputs = torch.stack([bands[i][0] for i in range(len(bands))])
    return by_speaker(inputs, torch.from_numpy(bands.labels), bands.speakers)


def known_tasks(digits: Path | None, audio: Path | None) -> dict[str, Task]:
    """The tasks for which there is data."""
    randman: Any = {"variants": ("feedforward", "reset", "recurrent"), "rates": (2e-2, 5e-2, 0.1)}
    found = {
        "randman": Task(load=load_randman, n_classes=10, **randman),
        "yin_yang": Task(load=load_yin_yang, n_classes=3, n_steps=60),
    }
    # As 100 steps stand for 1 s, the paper multiplies the time constants by 5. A rate of 5e-3 lost to 1e-3 on the
    # validation clips in all nine settings in which it was tried, by 9 to 29 points.
    spoken: Any = {"n_classes": 20, "dt": 10e-3, "slowness": 5.0, "epochs": 15, "rates_recurrent": (3e-4, 1e-3)}
    spoken |= {"scales": (1.0, 5.0, 20.0, 100.0)}
    if digits is not None:
        variants = ("recurrent", "recurrent_reset")
        found["digits"] = Task(load=lambda seed, full: load_digits(digits), variants=variants, **spoken)
    if audio is not None:
        load = lambda seed, full: load_raw_digits(audio)  # noqa: E731
        found["raw_hd"] = Task(load=load, n_steps=80, variants=("recurrent",), **spoken)
    return found


def finished(lines: Path) -> list[dict[str, Any]]:
    """The runs of a file, without a line that a killed process left half-written."""
    content = lines.read_bytes() if lines.exists() else b""
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def mend(lines: Path) -> None:
    """Cut off what a killed process left half-written, so that the next line begins a line."""
    if lines.exists():
        os.truncate(lines, lines.read_bytes().rfind(b"\n") + 1)


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    """What distinguishes a run from all others of its task."""
    return (*(line[name] for name in Setting.__dataclass_fields__), line["seed"], line["full"])


def study(name: str, task: Task, out: Path, *, seed: int, full: bool, seconds: float) -> None:
    """Make the runs of a task and a seed that are not there, unless so much CPU time has passed."""
    lines = out / f"{name}.jsonl"
    mend(lines)
    done = {key_of(line) for line in finished(lines)}
    parts: Parts | None = None
    for setting in settings_of(task, full=full):
        if key_of({**asdict(setting), "seed": seed, "full": full}) in done:
            continue
        if time.process_time() > seconds:
            return
        if parts is None:
            parts = task.load(seed, full)
        line = run(task, parts, setting, seed=seed, full=full)
        with lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
    print(f"{name}: seed {seed} done after {time.process_time():.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: all for which there is data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--digits", type=Path, help="spike file of the Heidelberg Digits")
    parser.add_argument("--audio", type=Path, help="folder of their recordings")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="the paper's whole lists, all clips, 50 epochs")
    parser.add_argument("--quick", action="store_true", help="one seed, three scales, one rate: to see that it works")
    parser.add_argument("--minutes", type=float, default=math.inf, help="CPU time after which no run begins")
    parser.add_argument(
        "--only-report", action="store_true", help="no run: tables and pictures of those that there are"
    )
    parser.add_argument("--write", action="store_true", help="write tables and pictures into docs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = known_tasks(args.digits, args.audio)
    if unknown := sorted(set(args.tasks) - set(known)):
        parser.error(f"no task or no data for {', '.join(unknown)}; there are: {', '.join(known)}")
    if not args.only_report and (error := largest_error()) > EXACT:
        raise SystemExit(f"the compiled training is wrong: its gradients differ by {error:.1e} from those of autograd")
    if not args.only_report:
        folder = WorkFolder(args.out, busy=f"{args.out}: another process works there")
        try:
            # seed after seed, so that an early end leaves as many seeds of every task
            for seed, each in itertools.product(range(1 if args.quick else args.seeds), args.tasks or known):
                chosen_task = known[each]
                if args.quick:
                    rates = {"rates": chosen_task.rates[1:2], "rates_recurrent": chosen_task.rates_recurrent[:1]}
                    chosen_task = replace(chosen_task, scales=(1.0, 5.0, 100.0), **rates)
                study(each, chosen_task, args.out, seed=seed, full=args.full, seconds=60 * args.minutes)
        finally:
            folder.leave()
    runs = {name: finished(args.out / f"{name}.jsonl") for name in TASKS}
    found = {name: [line for line in lines if line["full"] == args.full] for name, lines in runs.items()}
    wanted = {name: args.seeds * len(list(settings_of(task, full=args.full))) for name, task in known.items()}
    missing = 0 if args.quick else sum(max(0, n - len(found[name])) for name, n in wanted.items())
    docs = Path(__file__).parents[1] / "docs" if args.write else None
    write_report(found, args.out, docs=docs, n_missing=missing)
