"""EventProp on Yin-Yang and on MNIST as latencies: accuracy beside the published one, and time beside surrogates.

    python benchmarks/eventprop.py yin_yang --out eventprop [--seeds 5]
    python benchmarks/eventprop.py mnist --out eventprop --images mnist.npz [--seeds 3]
    python benchmarks/eventprop.py speed --out eventprop --images mnist.npz
    python benchmarks/eventprop.py table --out eventprop

Trains the recipes ``eventprop_yin_yang`` and ``eventprop_mnist`` (Wunderlich & Pehle, Scientific Reports 11:12829,
2021). At the end the test part is scored: by the weights of the last epoch, as in the paper, and by those of the epoch
that the validation part has chosen. Each finished seed is a line of
OUT/TASK.jsonl, and each epoch of an unfinished one a checkpoint: the same command goes on where it stopped. ``speed``
measures time for each clip of one training step, in turns with the fused network of the same size that surrogate
gradients train on the same data. ``table`` writes OUT/eventprop.json, .md and .png.

MNIST comes as npz with the arrays train_images, train_labels, test_images and test_labels. 5,000 of its training
images, drawn once, are the validation part.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikedata.baseline.recipes.catalog import network_of, recipe_from
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.events import Events
from spikedata.tasks import latency_images, yin_yang
from spikedata.training.checkpoint import checkpoint_bytes, checkpoint_from
from spikedata.training.loop import train
from spikedata.training.scoring import evaluate

PUBLISHED = {"yin_yang": (98.10, 0.18), "mnist": (97.58, 0.12)}
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("yin_yang", "mnist", "speed", "table"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=Path, help="MNIST as npz")
    parser.add_argument("--seeds", type=int, default=0, help="number of seeds; default: 5 of Yin-Yang, 3 of MNIST")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="params of the recipe")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    changes = dict(pair.split("=", 1) for pair in args.set)
    if args.task in ("yin_yang", "mnist"):
        of_task = yin_yang_parts if args.task == "yin_yang" else lambda: mnist_parts(args.images)
        n_seeds = args.seeds or (5 if args.task == "yin_yang" else 3)
        study(args.task, of_task, recipe_from(f"eventprop_{args.task}", changes), args.out, range(n_seeds))
