"""What a result card says: where and with what a run was made, and how good it is."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikedata import __version__
from spikedata.baseline.networks import Network
from spikedata.baseline.protocol.data_split import known_speakers
from spikedata.baseline.protocol.statistics import wilson_interval
from spikedata.baseline.recipes.catalog import typed_params
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.training.epochs import Trained
from spikedata.baseline.training.scoring import Score


def score_entry(score: Score) -> dict[str, Any]:
    """A score as it stands on a card, beside what chance would give.

    ``chance`` is one over the number of classes; ``majority`` is what always naming the most frequent class of
    these very clips would reach. ``confusion`` is by (true class, chosen class).
    """
    per_class = np.bincount(score.labels, minlength=score.n_classes)
    return {
        **_tally(score.labels == score.predictions),
        "chance": 1 / score.n_classes,
        "majority": float(per_class.max() / len(score.labels)),
        "loss": score.loss,
        "hidden_spikes": score.hidden_spikes,
        "confusion": score.confusion.tolist(),
    }


def voices_entry(score: Score, speakers: npt.NDArray[np.int64], seen: Sequence[int]) -> dict[str, Any]:
    """A score by speaker, and of the speakers alone that training and validation have not heard.

    Parameters
    ----------
    score : Score
        Of some clips.
    speakers : ndarray of int64, shape (n_clips,)
        Of each clip; a number below 0 is no speaker.
    seen : sequence of int
        Speakers that were heard before.

    Returns
    -------
    dict
        ``by_speaker``, by number, and ``unheard``: accuracy, interval and numbers of clips. None for those of no
        clip, and where no speaker is known.
    """
    correct = score.labels == score.predictions
    unheard = (speakers >= 0) & ~np.isin(speakers, seen)
    return {
        "by_speaker": {str(speaker): _tally(correct[speakers == speaker]) for speaker in known_speakers(speakers)},
        "unheard": _tally(correct[unheard]) if unheard.any() else None,
    }


def _tally(correct: npt.NDArray[np.bool_]) -> dict[str, Any]:
    n_correct = int(correct.sum())
    return {
        "accuracy": n_correct / len(correct),
        "interval_95": list(wilson_interval(n_correct, len(correct))),
        "n": len(correct),
        "n_correct": n_correct,
    }


def how_to_make(
    spike_path: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    recipe: Recipe,
    *,
    seed: int,
    device: str,
    split: Mapping[str, Any],
    keep_epochs: bool = False,
    threads: int = 1,
    refit: str | os.PathLike[str] | None = None,
) -> str:
    """The command that makes the same run, with its split and each param that was changed.

    A recipe that cannot be typed is no command's: of such a run it is the call in Python, which takes the recipe from
    the card.

    Parameters
    ----------
    spike_path, run_dir, recipe, seed, device, keep_epochs, threads
        As `spikedata.baseline.protocol.runs.train_run` was given them.
    split : mapping
        What of its arguments makes the split, by name.
    refit : str or path-like, optional
        The run that chose, of a refit: it says recipe, split and params.
    """
    params = {} if refit is not None else typed_params(recipe)
    options = {"seed": seed, "device": device, **split}
    options |= {"keep_epochs": True} if keep_epochs else {}
    options |= {"threads": threads} if threads != 1 else {}
    if params is None:
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        path, run = os.fspath(spike_path), os.fspath(run_dir)
        return f"train_run({path!r}, {run!r}, recipe=Recipe.from_json(read_card({run!r})['recipe']){given})"
    what = ["--recipe", recipe.name] if refit is None else ["--refit", os.fspath(refit)]
    words = ["spikedata", "train", os.fspath(spike_path), *what, "--out", os.fspath(run_dir)]
    for name, value in (options | params).items():
        words += [f"--{_OPTIONS.get(name, name).replace('_', '-')}"]
        words += [] if value is True else [",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)


_OPTIONS = {"left_out": "leave_out"}  # where the command says it in other words than the function


def environment_entry(device: torch.device, *, n_processes: int = 1) -> dict[str, Any]:
    """Versions, machine, threads and processes, as they stand on a card."""
    return {
        "spikedata": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "numba": version("numba"),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": n_processes,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def network_entry(network: Network, weights: bytes) -> dict[str, Any]:
    """Size of a network, and the digest of the file of its weights, as they stand on a card."""
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"parameters": n_parameters, "sha256": hashlib.sha256(weights).hexdigest()}


def training_entry(trained: Trained, recipe: Recipe, *, n_clips: int) -> dict[str, Any]:
    """How a training went, as it stands on a card.

    ``optimizer_steps`` is None where nothing was trained by steps; ``seconds`` are those of the epochs [s], also of
    those before an interruption.

    Parameters
    ----------
    trained : Trained
        Its outcome.
    recipe : Recipe
        What was trained.
    n_clips : int
        Clips of the training part [1].
    """
    training, n_epochs = recipe.training, len(trained.history)
    return {
        "epochs": n_epochs,
        "best_epoch": trained.best_epoch,
        "optimizer_steps": math.ceil(n_clips / training.batch_size) * n_epochs if training else None,
        "seconds": round(sum(record.seconds for record in trained.history), 3),
    }
