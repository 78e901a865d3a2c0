"""The selection bias: how much picking the epoch on the test clips would add to a score. It is never a result.

Published accuracies are often those of the epoch that did best on the test clips. For a run that kept the weights of
every epoch, and only once its honest score is on the card, this computes what that would have claimed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from spikedata.baseline.recipes.own_network import OwnNetwork, own_network
from spikedata.baseline.runs.card import Card, SelectionBiasEntry
from spikedata.baseline.runs.evaluation import (
    OnProgress,
    find_test_file,
    read_test_clips,
    require_scored,
    score_as_trained,
    write_on_card,
)
from spikedata.baseline.runs.folder import load_run, require_code_of_then
from spikedata.nn.networks import MakeModule, Network
from spikedata.nn.threads import on_one_thread
from spikedata.training.devices import resolve_device
from spikedata.training.folder import EPOCHS, epoch_file


@on_one_thread()
def measure_selection_bias(
    run_dir: str | os.PathLike[str],
    spike_path: str | os.PathLike[str] | None = None,
    *,
    network: str | MakeModule | OwnNetwork | None = None,
    device: str = "cpu",
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: OnProgress = None,
) -> Card:
    """Score the weights of every epoch on the test clips, and record on the card what the best would have claimed.

    Parameters
    ----------
    run_dir : str or path-like
        A run with the weights of its epochs, whose test clips have been scored.
    spike_path, network, device, time_unit, n_units
        As `evaluate_run`.
    on_progress : callable, optional
        Called with the stage "read" and clips, then with "score" and epochs: how many are done, and how many there are.

    Returns
    -------
    Card
        The card; what was asked for is the last of ``selection_bias``: ``bias`` is by how much the accuracy of the
        epoch picked on test exceeds the honest one [1].

    Raises
    ------
    FileNotFoundError
        If run or file is not there.
    ValueError
        If the run is a refit, the epochs were not kept, the clips not scored, or the code of a network of one's own has
        changed, or as `evaluate_run`.
    OutputError
        If the card cannot be written.
    """
    own = None if network is None else own_network(network)
    trained, card = load_run(run_dir, network=own)
    paths = epoch_paths(run_dir, card)
    require_code_of_then(run_dir, card, own, "the selection bias is that of the training")
    trained.to(resolve_device(device))
    file = find_test_file(run_dir, card, spike_path, time_unit=time_unit, n_units=n_units)
    honest = require_scored(run_dir, card, file).score.accuracy
    clips = read_test_clips(run_dir, card, file, on_progress).events
    accuracies = []
    for path in paths:
        _load_weights(trained, path)
        accuracies.append(score_as_trained(trained, card, clips).accuracy)
        if on_progress is not None:
            on_progress("score", len(accuracies), len(paths))
    picked = max(range(len(accuracies)), key=accuracies.__getitem__)
    entry = SelectionBiasEntry(
        file=file.path.name,
        sha256=file.sha256,
        honest_accuracy=honest,
        picked_accuracy=accuracies[picked],
        picked_epoch=picked + 1,
        bias=accuracies[picked] - honest,
        accuracies=tuple(accuracies),
    )

    def write(now: Card) -> Card:
        others = (other for other in now.selection_bias if other.sha256 != file.sha256)
        return replace(now, selection_bias=(*others, entry))

    return write_on_card(run_dir, card, write)


def epoch_paths(run_dir: str | os.PathLike[str], card: Card) -> list[Path]:
    """The files of the weights after each epoch, in order.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    card : Card
        Its card.

    Raises
    ------
    ValueError
        If it is a refit, or they were not kept.
    """
    if card.refit:
        raise ValueError(f"{run_dir}: is a refit, which chose no epoch; ask the run that chose: {card.refit.run}")
    paths = [Path(run_dir, EPOCHS, epoch_file(epoch)) for epoch in range(1, card.training.epochs + 1)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ValueError(f"{run_dir}: the weights of each epoch are needed, no {missing[0].name}: train --keep-epochs")
    return paths


def _load_weights(network: Network, path: Path) -> None:
    import safetensors.torch

    try:
        network.load_state_dict(safetensors.torch.load(path.read_bytes()))
    except (RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: does not hold the weights of this network: {reason}") from None
