"""EventProp on Yin-Yang and on MNIST as latencies: accuracy beside the published one, and time beside surrogates.

    python benchmarks/eventprop.py yin_yang --out eventprop [--seeds 5]
    python benchmarks/eventprop.py mnist --out eventprop --images mnist.npz [--seeds 3]
    python benchmarks/eventprop.py speed --out eventprop --images mnist.npz
    python benchmarks/eventprop.py table --out eventprop

Trains the recipes ``eventprop_yin_yang`` and ``eventprop_mnist`` (Wunderlich & Pehle, Scientific Reports 11:12829,
2021). At the end the test part is scored: by the weights of the last epoch, as in the paper, and by those of the epoch
that the validation part has chosen. Each finished seed is a line of OUT/TASK.jsonl, and each epoch of an unfinished one
a checkpoint: the same command goes on where it stopped. ``--set epochs=30 batch_size=20`` changes params of a recipe.

``speed`` writes OUT/speed.json: the CPU time of forward and backward pass for each image of a batch, on one thread, in
turns with the fused network of the same size that surrogate gradients train on the same images. ``table`` writes what
is there to docs/images/eventprop.json and .png, and the tables into docs/explanation/rules/eventprop.md.

MNIST comes as npz with the arrays train_images, train_labels, test_images and test_labels. 5,000 of its training
images, drawn once, are the validation part.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn.functional import cross_entropy

from spikedata.baseline.recipes.catalog import network_of, recipe_from
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.events import Events
from spikedata.nn.networks import Network, SpikingNetworkParams, make_network
from spikedata.nn.neurons import LIFParams
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GRAY, LINE, VERMILION, new_figure, styled
from spikedata.tasks import latency_images, yin_yang
from spikedata.torch import collate_lists, collate_times
from spikedata.training.checkpoint import checkpoint_bytes, checkpoint_from
from spikedata.training.loop import train
from spikedata.training.scoring import evaluate

PUBLISHED = {"yin_yang": (98.10, 0.18), "mnist": (97.58, 0.12)}
DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "explanation" / "rules" / "eventprop.md"
N_VALIDATION = 5000  # of the 60,000 training images

Parts = tuple[Events, Events, Events]


def yin_yang_parts() -> Parts:
    """Training, validation and test part of Yin-Yang."""
    return yin_yang("train"), yin_yang("validation"), yin_yang("test")


def mnist_parts(images: Path) -> Parts:
    """Training, validation and test part of MNIST, as linear latencies up to 20 ms."""
    with np.load(images) as arrays:
        train_part, test_part = (
            latency_images(arrays[f"{part}_images"], arrays[f"{part}_labels"], code="linear")
            for part in ("train", "test")
        )
    order = np.random.default_rng(0).permutation(len(train_part))  # the images may be sorted by class
    return train_part.select(np.sort(order[N_VALIDATION:])), train_part.select(np.sort(order[:N_VALIDATION])), test_part


def study(task: str, parts: Callable[[], Parts], recipe: Recipe, out: Path, seeds: range) -> None:
    """Train every seed that has no line yet."""
    lines = out / f"{task}.jsonl"
    done = {line["seed"] for line in read_lines(lines)}
    clips = parts() if set(seeds) - done else ()
    for seed in sorted(set(seeds) - done):
        result = one_seed(recipe, clips, seed, out / f"{task}-{seed}.checkpoint")
        with lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": seed, **result}) + "\n")
        print(task, seed, {name: value for name, value in result.items() if name != "validation"}, flush=True)


def one_seed(recipe: Recipe, parts: Parts, seed: int, checkpoint: Path) -> dict[str, Any]:
    """Train one network, from a checkpoint if there is one, and score it on the test part."""
    learned, chosen_by, judged = parts
    network = network_of(recipe, n_units=learned.n_units, n_classes=len(learned.keys), seed=seed)
    began, before, state = time.process_time(), 0.0, None
    identity = {"recipe": recipe.structure, "seed": seed}
    if checkpoint.exists():
        state, saved = checkpoint_from(checkpoint.read_bytes())
        before = saved.pop("cpu_seconds")
        if saved != identity:
            raise SystemExit(f"{checkpoint}: is of another training")

    def keep(now: Any) -> None:
        nonlocal state
        state = now
        spent = before + time.process_time() - began
        part = checkpoint.with_suffix(".part")
        part.write_bytes(checkpoint_bytes(now, {**identity, "cpu_seconds": spent}))
        part.replace(checkpoint)
        print(f"  seed {seed}, epoch {len(now.history)}: {now.history[-1].validation_accuracy:.4f}", flush=True)

    trained = train(network, learned, chosen_by, recipe.training, seed=seed, checkpoint=state, on_checkpoint=keep)
    cpu_seconds = before + time.process_time() - began
    score = evaluate(trained.network, judged)
    network.load_state_dict(state.weights)  # of the last epoch, which is the published rule
    last = evaluate(network, judged)
    checkpoint.unlink()
    return {
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "test": score.accuracy,
        "test_last": last.accuracy,
        "hidden_spikes": score.hidden_spikes,
        "validation": [round(record.validation_accuracy, 4) for record in trained.history],
        "cpu_seconds": round(cpu_seconds),
        "batch_size": recipe.training.batch_size,
    }


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON; none if there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def on_a_grid(exact: Network, dt: float) -> Network:
    """The network of the same neurons that surrogate gradients train, in steps of dt [s], with as many spikes."""
    neuron = LIFParams(tau_mem=20e-3, tau_syn=5e-3, reset="zero")
    params = SpikingNetworkParams(hidden=(350,), recurrent=False, neuron=neuron, duration=60e-3, dt=dt)
    network = make_network(params, n_units=784, n_classes=10, generator=torch.Generator())
    with torch.no_grad():  # a membrane of this form takes all of its current, not the share dt / tau_mem
        network.layers[0].projection.weight.copy_(exact.layers[0].weight * dt / neuron.tau_mem)
        network.readout.projection.weight.copy_(exact.readout.weight * dt / neuron.tau_mem)
    return network


def measure_speed(parts: Parts, *, rounds: int = 30) -> dict[str, Any]:
    """Images per CPU second of each network and batch size, the median over rounds in which they take turns."""
    clips, found = parts[1], {}
    exact = network_of(recipe_from("eventprop_mnist"), n_units=784, n_classes=10, seed=0)
    for batch_size in (5, 50):
        chosen = [clips.select(np.arange(i, len(clips), len(clips) // batch_size)[:batch_size]) for i in range(4)]
        networks: dict[str, tuple[Network, list[Any]]] = {
            "events, exact": (exact, [collate_times(part) for part in chosen])
        }
        for dt in (1e-3, 0.5e-3):
            n_steps = round(60e-3 / dt)
            lists = [collate_lists(part, dt=dt, n_steps=n_steps) for part in chosen]
            networks[f"surrogate, steps of {1e3 * dt:g} ms"] = on_a_grid(exact, dt), lists
        seconds: dict[str, list[float]] = {name: [] for name in networks}
        for number in range(rounds + 2):
            for name, (network, batches) in networks.items():
                batch = batches[number % len(batches)]
                network.zero_grad()
                began = time.process_time()
                cross_entropy(network(batch).logits, batch.labels).backward()
                seconds[name].append((time.process_time() - began) / batch_size)
        for name, times in seconds.items():
            found[f"{name}, batches of {batch_size}"] = round(1 / statistics.median(times[2:]))
    return found


def summary(out: Path) -> dict[str, Any]:
    """Results of all finished seeds, by task."""
    found: dict[str, Any] = {}
    for task in PUBLISHED:
        lines = read_lines(out / f"{task}.jsonl")
        if lines:
            found[task] = {"published": PUBLISHED[task], "seeds": lines}
    if (out / "speed.json").exists():
        found["speed"] = json.loads((out / "speed.json").read_text(encoding="utf-8"))
    return found


def tables(found: dict[str, Any]) -> str:
    """Accuracies and times as Markdown."""
    names = {"yin_yang": "Yin-Yang, 5-200-3", "mnist": "MNIST as latencies, 784-350-10"}
    rows = ["| Test accuracy, % | seeds | last epoch | chosen epoch | published | hidden spikes | CPU min a seed |"]
    rows.append("|---|---:|---:|---:|---:|---:|---:|")
    for task, name in names.items():
        if task not in found:
            continue
        seeds = found[task]["seeds"]
        cells = [_spread([100 * seed[key] for seed in seeds]) for key in ("test_last", "test")]
        spikes = statistics.fmean(seed["hidden_spikes"] for seed in seeds)
        minutes = statistics.fmean(seed["cpu_seconds"] for seed in seeds) / 60
        mean, deviation = found[task]["published"]
        rows.append(
            f"| {name}, {seeds[0]['epochs']} epochs, batches of {seeds[0]['batch_size']} | {len(seeds)} | {cells[0]} | "
            f"{cells[1]} | {mean:.2f} ± {deviation:.2f} | {spikes:.2f} a neuron | {minutes:.1f} |"
        )
    if "speed" in found:
        rows += ["", "| Forward and backward, 784-350-10 | images per CPU s |", "|---|---:|"]
        rows += [f"| {name} | {rate:,} |" for name, rate in found["speed"].items()]
    return "\n".join(rows)


def _spread(values: list[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):.2f} ± {deviation:.2f}"


@styled
def draw(found: dict[str, Any]) -> Figure:
    """Validation error against epochs: each seed, and the published test accuracy."""
    figure = new_figure(6.2, 3.0)
    tasks = [task for task in PUBLISHED if task in found]
    for number, task in enumerate(tasks):
        axes, color = figure.add_subplot(1, len(tasks), number + 1), (BLUE, VERMILION)[number]
        for seed in found[task]["seeds"]:
            errors = 100 - 100 * np.array(seed["validation"])
            axes.plot(np.arange(1, len(errors) + 1), errors, color=color, lw=LINE, alpha=0.6)
        axes.axhline(100 - PUBLISHED[task][0], color=GRAY, lw=0.8, ls=":")
        axes.set(yscale="log", xlabel="Epoch", title={"yin_yang": "Yin-Yang", "mnist": "MNIST"}[task])
        axes.set_ylabel("Validation error (%)" if not number else "")
        axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        axes.minorticks_off()
    return figure


def write(found: dict[str, Any]) -> None:
    """Write what was found, the figure, and the tables into the page of the docs."""
    (DOCS / "images" / "eventprop.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    save_figure(draw(found), DOCS / "images" / "eventprop.png", overwrite=True)
    content = PAGE.read_text(encoding="utf-8")
    before, rest = content.split("<!-- eventprop: begin -->")
    after = rest.split("<!-- eventprop: end -->")[1]
    marked = f"<!-- eventprop: begin -->\n\n{tables(found)}\n\n<!-- eventprop: end -->"
    PAGE.write_text(before + marked + after, encoding="utf-8")
    print(tables(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("yin_yang", "mnist", "speed", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=Path, help="MNIST as npz")
    parser.add_argument("--seeds", type=int, default=0, help="number of seeds; default: 5 of Yin-Yang, 3 of MNIST")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="params of the recipe")
    args = parser.parse_args()
    if args.task in ("mnist", "speed") and args.images is None:
        parser.error(f"{args.task} needs --images")
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    changes = dict(pair.split("=", 1) for pair in args.set)
    if args.task in PUBLISHED:
        of_task = yin_yang_parts if args.task == "yin_yang" else lambda: mnist_parts(args.images)
        n_seeds = args.seeds or (5 if args.task == "yin_yang" else 3)
        study(args.task, of_task, recipe_from(f"eventprop_{args.task}", changes), args.out, range(n_seeds))
    elif args.task == "speed":
        rates = measure_speed(mnist_parts(args.images))
        (args.out / "speed.json").write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rates, indent=1))
    else:
        write(summary(args.out))
