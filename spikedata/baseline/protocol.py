"""The rules of an honest score: who trains, who chooses, who judges, and what is written down.

Speakers are held apart. The training part is learned from, the validation part chooses the epoch, and the test
part is opened by `evaluate_run` alone, when the weights can no longer change. It is scored once; whoever asks
again gets the recorded score, and the card counts how often it was asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from spikedata.baseline import run_folder
from spikedata.baseline.card import (
    command_line,
    environment_entry,
    file_sha256,
    format_card,
    network_entry,
    score_entry,
)
from spikedata.baseline.counts import fit_counts
from spikedata.baseline.networks import CountParams, Network, RecurrentNetwork
from spikedata.baseline.recipes import Recipe, network_of
from spikedata.baseline.run_folder import load_run
from spikedata.baseline.scoring import evaluate
from spikedata.baseline.threads import on_one_thread
from spikedata.baseline.training import EpochRecord, Trained, train
from spikedata.events import Events
from spikedata.reader import SpikeFile
from spikedata.splits import Split, sample_names, split_by_speaker
from spikedata.torch.device import resolve_device

__all__ = ["evaluate_run", "format_card", "load_run", "train_run"]


@on_one_thread()
def train_run(
    spike_path: str | os.PathLike[str],
    run_dir: str | os.PathLike[str],
    *,
    recipe: Recipe,
    seed: int = 0,
    validation_speakers: Sequence[int] | None = None,
    test_speakers: Sequence[int] | None = None,
    overwrite: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> dict[str, Any]:
    """Train on a spike file and write a run: weights, card, history and split. The test part takes no part in it.

    PyTorch runs on one thread meanwhile, so the weights do not depend on the number of processors.

    Parameters
    ----------
    spike_path : str or path-like
        The spike file; its speakers must be known.
    run_dir : str or path-like
        The folder to make; it appears complete or not at all.
    recipe : Recipe
        Network and training.
    seed : int
        Of the first weights, the order of the clips, and the choice of speakers where none are named [1].
    validation_speakers, test_speakers : sequence of int, optional
        Speakers of those parts; None chooses some. An empty ``test_speakers`` leaves all speakers to training
        and validation, for files whose test set is another file.
    overwrite : bool
        Whether a run that is there already may be replaced.
    device : str
        cpu, cuda, or auto: cuda where there is one.
    on_epoch : callable, optional
        Given each epoch's record when it is there.

    Returns
    -------
    dict
        The result card.

    Raises
    ------
    OutputError
        If the run's folder cannot be made.
    FileNotFoundError
        If there is no spike file.
    ValueError
        If the file is none, its speakers cannot be held apart, or there is no such device.
    FloatingPointError
        If the training diverged.
    """
    run_folder.check_run_dir(run_dir, overwrite=overwrite)
    chosen_device = resolve_device(device)
    began = time.perf_counter()
    data, events = _read_data(spike_path)
    try:
        split = split_by_speaker(
            events.speakers, events.labels, validation=validation_speakers, test=test_speakers, seed=seed
        )
    except ValueError as error:
        raise ValueError(f"{spike_path}: {error}") from error
    training, validation = events.select(split.parts["train"]), events.select(split.parts["validation"])
    trained = _fit(recipe, training, validation, seed=seed, device=chosen_device, on_epoch=on_epoch)
    speakers = {part: _speakers(events.speakers[indices]) for part, indices in split.parts.items()}
    n_clips = {part: len(indices) for part, indices in split.parts.items()}
    weights = run_folder.weights_bytes(trained.network)
    card = {
        "card_format": run_folder.CARD_FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(spike_path, run_dir, recipe, seed=seed, speakers=speakers, device=device),
        "environment": environment_entry(chosen_device),
        "recipe": {"name": recipe.name, "params": recipe.params},
        "seed": seed,
        "data": data,
        "split": {"name": split.name, "digest": split.digest, "n": n_clips, "speakers": speakers},
        "network": network_entry(trained.network, weights),
        "training": {
            "epochs": len(trained.history),
            "best_epoch": trained.best_epoch,
            "seconds": round(time.perf_counter() - began, 3),
        },
        "validation": score_entry(evaluate(trained.network, validation)),
        "tests": [],
    }
    contents = {
        run_folder.WEIGHTS: weights,
        run_folder.HISTORY: run_folder.history_bytes(trained.history),
        run_folder.SPLIT: split.to_json(sample_names(events.sources)).encode(),
        run_folder.CARD: run_folder.card_bytes(card),
    }
    run_folder.write_run_dir(run_dir, contents, overwrite=overwrite)
    return card


@on_one_thread()
def evaluate_run(
    run_dir: str | os.PathLike[str], spike_path: str | os.PathLike[str] | None = None, *, device: str = "cpu"
) -> dict[str, Any]:
    """Score a run's weights on its own test part, or on the whole of another file, and write that on its card.

    Each is scored once. Whoever asks again gets the recorded score, and ``times_opened`` grows by one: the
    weights being what they are, a second look cannot change them, but a reader of the card should know of it.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    spike_path : str or path-like, optional
        Another file, all of whose clips are scored; None, or the very file that the run was trained on: its
        test part.
    device : str
        cpu, cuda, or auto: cuda where there is one.

    Returns
    -------
    dict
        The card. The score asked for is the last of ``tests``.

    Raises
    ------
    FileNotFoundError
        If run or file is not there.
    ValueError
        If the run is damaged, the file has changed, has other classes or units, or no test part, or there is no such
        device.
    OutputError
        If the card cannot be written.
    """
    network, card = load_run(run_dir)
    network.to(resolve_device(device))
    data = card["data"]
    path = Path(data["path"] if spike_path is None else spike_path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    sha256 = file_sha256(path)
    is_own = sha256 == data["sha256"]
    if spike_path is None and not is_own:
        raise ValueError(f"{path}: is not the file that {run_dir} was trained on: its SHA-256 differs")
    asked = [entry for entry in card["tests"] if entry["sha256"] == sha256]
    entry = asked[0] if asked else _test_entry(run_dir, network, card, path, sha256, is_own=is_own)
    entry["times_opened"] += 1
    card["tests"] = [other for other in card["tests"] if other["sha256"] != sha256] + [entry]
    run_folder.write_card(run_dir, card)
    return card


def _read_data(spike_path: str | os.PathLike[str]) -> tuple[dict[str, Any], Events]:
    """What a card says of a spike file, and its events."""
    sha256 = file_sha256(spike_path)
    with SpikeFile(spike_path) as file:
        events, provenance = file.read_events(), file.provenance
    entry = {
        "file": Path(spike_path).name,
        "path": str(Path(spike_path).absolute()),
        "sha256": sha256,
        "n_units": events.n_units,
        "keys": list(events.keys),
        "provenance": None if provenance is None else asdict(provenance),
    }
    return entry, events


def _fit(
    recipe: Recipe,
    training: Events,
    validation: Events,
    *,
    seed: int,
    device: torch.device,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> Trained:
    if recipe.training is None:
        return fit_counts(training, validation, cast(CountParams, recipe.network), on_epoch=on_epoch)
    network = network_of(recipe, n_units=training.n_units, n_classes=len(training.keys), seed=seed)
    network = cast(RecurrentNetwork, network).to(device)
    rng = np.random.default_rng(seed)
    return train(network, training, validation, recipe.training, rng=rng, on_epoch=on_epoch)


def _test_entry(
    run_dir: str | os.PathLike[str],
    network: Network,
    card: dict[str, Any],
    path: Path,
    sha256: str,
    *,
    is_own: bool,
) -> dict[str, Any]:
    """Score the own test part, or all of another file, for the first time."""
    with SpikeFile(path) as file:
        events = file.read_events()
    if list(events.keys) != card["data"]["keys"]:
        raise ValueError(f"{path}: must have the classes {card['data']['keys']}, got {list(events.keys)}")
    if events.n_units != card["data"]["n_units"]:
        raise ValueError(f"{path}: must have {card['data']['n_units']} units, got {events.n_units}")
    if is_own:
        events = events.select(_test_indices(run_dir, card, events))
    learned_from = [number for part in ("train", "validation") for number in card["split"]["speakers"][part]]
    speakers = _speakers(events.speakers)
    return {
        "file": path.name,
        "sha256": sha256,
        "part": "test part" if is_own else "whole file",
        "speakers": speakers,
        "speakers_seen": sorted(set(speakers) & set(learned_from)),
        "times_opened": 0,
        "score": score_entry(evaluate(network, events)),
    }


def _test_indices(run_dir: str | os.PathLike[str], card: dict[str, Any], events: Events) -> npt.NDArray[np.int64]:
    path = Path(run_dir, run_folder.SPLIT)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    split = Split.from_json(path.read_text(encoding="utf-8"), sample_names(events.sources))
    if split.digest != card["split"]["digest"]:
        raise ValueError(f"{path}: is not the split of the card: its digest differs")
    if "test" not in split.parts:
        raise ValueError(f"{run_dir}: its split has no test part; name the file to test on")
    return split.parts["test"]


def _speakers(speakers: npt.NDArray[np.int64]) -> list[int]:
    """Every speaker that is known, once, in rising order."""
    return [int(speaker) for speaker in np.unique(speakers) if speaker >= 0]
