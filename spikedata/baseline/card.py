"""What a result card says: where and with what a run was made, and how good it is."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikedata import __version__
from spikedata.baseline.networks import Network
from spikedata.baseline.recipes import RECIPES, Recipe
from spikedata.baseline.scoring import Score

_MOST_SPEAKERS = 24  # that a line names one by one
_Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


def wilson_interval(n_correct: int, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of a fraction (Wilson, J. Am. Stat. Assoc. 22:209, 1927).

    It treats clips as independent; clips of one speaker are not quite, so the truth is a little wider.

    Parameters
    ----------
    n_correct, n : int
        Successes, and trials [1].

    Raises
    ------
    ValueError
        Unless 0 <= n_correct <= n and n > 0.

    Examples
    --------
    >>> low, high = wilson_interval(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if not (0 <= n_correct <= n and n > 0):
        raise ValueError(f"n_correct must be in 0..n and n > 0, got {n_correct} of {n}")
    fraction, spread = n_correct / n, _Z_95**2 / n
    center = (fraction + spread / 2) / (1 + spread)
    half = _Z_95 * math.sqrt(fraction * (1 - fraction) / n + spread / n / 4) / (1 + spread)
    return max(0.0, center - half), min(1.0, center + half)


def score_entry(score: Score) -> dict[str, Any]:
    """A score as it stands on a card, beside what chance would give.

    ``chance`` is one over the number of classes; ``majority`` is what always naming the most frequent class of
    these very clips would reach. ``confusion`` is by (true class, chosen class).
    """
    per_class = np.bincount(score.labels, minlength=score.n_classes)
    return {
        "accuracy": score.accuracy,
        "interval_95": list(wilson_interval(score.n_correct, len(score.labels))),
        "n": len(score.labels),
        "n_correct": score.n_correct,
        "chance": 1 / score.n_classes,
        "majority": float(per_class.max() / len(score.labels)),
        "loss": score.loss,
        "hidden_spikes": score.hidden_spikes,
        "confusion": score.confusion.tolist(),
    }


def format_card(card: Mapping[str, Any]) -> str:
    """A card in a few lines of text, for people.

    Parameters
    ----------
    card : mapping
        As `spikedata.baseline.protocol.train_run` and `evaluate_run` return it.
    """
    data, split, training = card["data"], card["split"], card["training"]
    parts = ", ".join(f"{part} {n} ({_speakers_text(split['speakers'][part])})" for part, n in split["n"].items())
    lines = [
        f"recipe      {card['recipe']['name']}, seed {card['seed']}, {card['network']['parameters']:,} parameters",
        f"data        {data['file']}, {len(data['keys'])} classes",
        f"clips       {parts}",
        f"training    best of {training['epochs']}: {training['best_epoch']}, {training['seconds']:.1f} s",
        f"validation  {_score_text(card['validation'])}",
    ]
    lines += [f"test        {_test_text(entry)}" for entry in card["tests"]]
    return "\n".join(lines if card["tests"] else [*lines, "test        not opened"])


def command_line(
    spike_path: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    recipe: Recipe,
    *,
    seed: int,
    speakers: Mapping[str, Sequence[int]],
    device: str,
) -> str:
    """The command that makes the same run, with every held-out speaker and each param that was changed."""
    words = ["spikedata", "train", os.fspath(spike_path), "--recipe", recipe.name, "--out", os.fspath(run_dir)]
    words += ["--seed", str(seed), "--device", device]
    for part in ("validation", "test"):
        words += [f"--{part}-speakers", ",".join(map(str, speakers.get(part, ())))]
    usual = RECIPES[recipe.name].params
    for name, value in recipe.params.items():
        if value != usual[name]:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return shlex.join(words)


def environment_entry(device: torch.device) -> dict[str, Any]:
    """Versions, machine and threads, as they stand on a card."""
    return {
        "spikedata": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def network_entry(network: Network, weights: bytes) -> dict[str, Any]:
    """Size of a network, and the digest of the file of its weights, as they stand on a card."""
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"parameters": n_parameters, "sha256": hashlib.sha256(weights).hexdigest()}


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _score_text(score: Mapping[str, Any]) -> str:
    low, high = score["interval_95"]
    spikes = f", {score['hidden_spikes']:.1f} spikes per hidden neuron" if score["hidden_spikes"] else ""
    return (
        f"{score['accuracy']:.1%} of {score['n']} (95 % interval {low:.1%} to {high:.1%}; chance {score['chance']:.1%})"
        + spikes
    )


def _test_text(entry: Mapping[str, Any]) -> str:
    seen = f"; {_speakers_text(entry['speakers_seen'])} were in training" if entry["speakers_seen"] else ""
    asked = "once" if entry["times_opened"] == 1 else f"{entry['times_opened']} times"
    return f"{_score_text(entry['score'])}, {entry['part']} of {entry['file']}{seen}, opened {asked}"


def _speakers_text(speakers: Sequence[int]) -> str:
    if len(speakers) > _MOST_SPEAKERS:
        return f"{len(speakers)} speakers"
    return f"speakers {' '.join(map(str, speakers))}"
