"""Probes: what is left of a run's score when time, counts or memory are taken away.

A probe is a control (`spikedata.transforms.named`) whose score stands on the card beside the plain one. Of the same
weights, it says what they use; of a training anew under the control, what there is to use without. By default the
clips are those of the validation part, so that no test part is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from spikedata.baseline.recipes.own_network import OwnNetwork, own_network
from spikedata.baseline.recipes.recipe import Recipe, check_control
from spikedata.baseline.runs.card import Card, ProbeEntry, ScoreEntry, Tally, tally
from spikedata.baseline.runs.data import read_run_data
from spikedata.baseline.runs.evaluation import (
    ScoredFile,
    control_name,
    evaluate_run,
    find_test_file,
    read_test_clips,
    require_scored,
    score_as_trained,
    under_control,
    write_on_card,
)
from spikedata.baseline.runs.folder import SPLIT, load_run, read_split, require_code_of_then
from spikedata.baseline.runs.train import train_run
from spikedata.checks import whole_number
from spikedata.events import Events
from spikedata.nn.networks import MakeModule, Network, cut_propagation
from spikedata.nn.threads import on_one_thread
from spikedata.training.devices import resolve_device
from spikedata.training.history import EpochRecord
from spikedata.transforms.named import OF_NETWORK, known_control

#: The controls of a probe that names none.
PROBES = ("counts_only", "steps_shuffled", "counts_equalized", "propagation_cut")
#: What follows the name of a run in the name of the folder of its trainings anew.
ANEW = ".probes"

_VALIDATION = "validation part"


class _Clips(NamedTuple):
    """The clips that are scored, and what the run itself scores on them."""

    file: ScoredFile
    part: str
    events: Events
    plain: Tally


def probe_run(
    run_dir: str | os.PathLike[str],
    spike_path: str | os.PathLike[str] | None = None,
    *,
    network: str | MakeModule | OwnNetwork | None = None,
    controls: Sequence[str] | None = None,
    retrain: bool = False,
    epochs: int | None = None,
    test: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    threads: int = 1,
    time_unit: str | None = None,
    n_units: int | None = None,
    on_epoch: Callable[[str, EpochRecord], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Card:
    """Score a run under controls, and record it on the run's card beside the plain score of the same clips.

    Trainings anew are runs in the folder RUN.probes, beside the run; those that are finished are kept, and one that was
    interrupted goes on. They have the recipe, the split and the seed of the run, and validation chooses their epoch.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    spike_path : str or path-like, optional
        Another file, all of whose clips are scored; the run must have been scored on it. Default: the file that the run
        was trained on, of which the validation part is scored.
    network : str, class or callable, optional
        The code of a network of one's own, as `load_run` takes it; it must be that of the training.
    controls : sequence of str, optional
        Names of the controls: see `spikedata.transforms.named`. Default: those of ``PROBES`` that the network can be
        put under; `left_out` says which cannot and why.
    retrain : bool
        Whether to train anew under each control, too.
    epochs : int, optional
        Epochs of the trainings anew [1]. Default: those of the recipe.
    test : bool
        Whether to score the test part of the run's own file instead; the run must have been scored on it.
    overwrite : bool
        Whether a training anew that was another one, as of other epochs, may be replaced.
    device : str
        cpu, cuda, cuda:N, or auto: a GPU if there is one.
    threads : int
        Number of PyTorch threads on the CPU, of the trainings anew [1].
    time_unit, n_units
        What another file does not say, as `evaluate_run` takes it.
    on_epoch : callable, optional
        Given the control and the record of each epoch of a training anew.
    on_progress : callable, optional
        Called with a stage, the number of clips done and how many there are.

    Returns
    -------
    Card
        The card, with ``probes``.

    Raises
    ------
    FileNotFoundError
        If the run or the file does not exist.
    ValueError
        If there is no such control or the network cannot be put under it, the run was trained under one, is a refit
        whose validation clips are asked for or that is to be trained anew, is not trained by epochs but is to be, or
        has not been scored on the test clips that are asked for; else as `evaluate_run` and `train_run`.
    OutputError
        If the card or a training anew cannot be written.
    """
    own = None if network is None else own_network(network)
    trained, card = load_run(run_dir, network=own)
    require_code_of_then(run_dir, card, own, "a probe stands beside the score of the training")
    trained.to(resolve_device(device))
    names = _controls_for(run_dir, card, controls)
    if retrain:
        _require_trainable(run_dir, card)
    elif epochs is not None:
        raise ValueError(f"epochs are those of a training anew, which is not asked for, got {epochs}")
    file = find_test_file(run_dir, card, spike_path, time_unit=time_unit, n_units=n_units)
    clips = _clips_of(run_dir, card, file, test, on_progress)
    entry = partial(_entry, card, clips)
    for name in names:
        same = entry(name, "same", tally_under(trained, card, clips.events, name))
        card = write_on_card(run_dir, card, partial(_with_probe, probe=same))
    for name in names if retrain else ():
        anew = _anew(run_dir, card, own, file, name, epochs, overwrite, device, threads, on_epoch, on_progress)
        score: ScoreEntry = anew.validation
        if clips.part != _VALIDATION:
            folder = anew_dir(run_dir, name)
            known = next((one for one in anew.tests if one.sha256 == file.sha256), None)
            reading: dict[str, Any] = {} if file.is_own else {"time_unit": time_unit, "n_units": n_units}
            known = known or evaluate_run(folder, file.path, network=own, device=device, **reading).tests[-1]
            score = known.score
        found = entry(name, "anew", _tally_of(score), epochs=anew.training.epochs)
        card = write_on_card(run_dir, card, partial(_with_probe, probe=found))
    return card


def left_out(recipe: Recipe) -> dict[str, str]:
    """Which of ``PROBES`` the network of a recipe cannot be put under, and why, in a line each.

    Parameters
    ----------
    recipe : Recipe
        Of a run.
    """
    reasons = {}
    for name in PROBES:
        try:
            check_control(name, recipe.network)
        except ValueError as error:
            reasons[name] = str(error)
    return reasons


def anew_dir(run_dir: str | os.PathLike[str], control: str) -> Path:
    """The folder of the training of a run anew under a control.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    control : str
        Name of the control.
    """
    run = Path(run_dir).absolute()
    return run.with_name(run.name + ANEW) / control


@on_one_thread()
def tally_under(network: Network, card: Card, clips: Events, control: str) -> Tally:
    """How many clips the network of a run finds right under a control.

    Parameters
    ----------
    network : Network
        Of the run; left as it is.
    card : Card
        Of the run, whose seed draws what the control draws.
    clips : Events
        The clips without the control.
    control : str
        Its name.
    """
    changed = under_control(network, clips, control, seed=card.seed)
    if control == OF_NETWORK:
        network = cut_propagation(network)
    score = score_as_trained(network, card, changed)
    return tally(score.labels == score.predictions)


def _controls_for(run_dir: str | os.PathLike[str], card: Card, controls: Sequence[str] | None) -> list[str]:
    own = control_name(card.recipe)
    if own != "none":
        raise ValueError(f"{run_dir}: was trained under the control {own!r}, so it is a probe itself")
    if controls is None:
        return [name for name in PROBES if name not in left_out(card.recipe)]
    if isinstance(controls, str):
        raise TypeError(f"controls must be a sequence of names, got {controls!r}")
    names = list(dict.fromkeys(known_control(name) for name in controls))
    if not names or "none" in names:
        raise ValueError(f"controls must name what is taken away, got {', '.join(names) or 'none'}")
    for name in names:
        check_control(name, card.recipe.network)
    return names


def _require_trainable(run_dir: str | os.PathLike[str], card: Card) -> None:
    if card.refit:
        raise ValueError(f"{run_dir}: is a refit; train the run that chose anew, {card.refit.run}")
    if card.recipe.training is None:
        raise ValueError(f"{run_dir}: recipe {card.recipe.name!r} is not trained by epochs, so not under a control")


def _clips_of(
    run_dir: str | os.PathLike[str],
    card: Card,
    file: ScoredFile,
    test: bool,
    on_progress: Callable[[str, int, int], None] | None,
) -> _Clips:
    if test or not file.is_own:
        entry = require_scored(run_dir, card, file)
        return _Clips(file, file.part, read_test_clips(run_dir, card, file, on_progress).events, _tally_of(entry.score))
    if card.refit:
        raise ValueError(
            f"{run_dir}: is a refit, which has learned its validation clips; probe the run that chose, "
            f"{card.refit.run}, or the test part once it is scored (--test)"
        )
    events = validation_clips(run_dir, card, file, on_progress)
    return _Clips(file, _VALIDATION, events, _tally_of(card.validation))


def validation_clips(
    run_dir: str | os.PathLike[str],
    card: Card,
    file: ScoredFile,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Events:
    """The clips that chose the epoch of a run; a refit has none.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    card : Card
        Its card.
    file : ScoredFile
        Its own file, as `find_test_file` found it.
    on_progress : callable, optional
        Called with the stage "read", the number of clips read and how many there are.
    """
    window = card.recipe.network.duration
    _, events = read_run_data(file.path, window=window, sha256=file.sha256, on_progress=on_progress, **file.reading)
    return events.select(read_split(run_dir, card, events.sources).part("validation"))


def _anew(
    run_dir: str | os.PathLike[str],
    card: Card,
    own: OwnNetwork | None,
    file: ScoredFile,
    control: str,
    epochs: int | None,
    overwrite: bool,
    device: str,
    threads: int,
    on_epoch: Callable[[str, EpochRecord], None] | None,
    on_progress: Callable[[str, int, int], None] | None,
) -> Card:
    """The card of the training anew; one that is finished already is kept."""
    training = card.recipe.training
    if training is None:
        raise ValueError(f"{run_dir}: is not trained by epochs")
    n_epochs = training.epochs if epochs is None else whole_number("epochs", epochs, at_least=1)
    recipe = replace(card.recipe, training=replace(training, control=control, epochs=n_epochs))
    return train_run(
        file.path if file.is_own else card.data.path,
        anew_dir(run_dir, control),
        recipe=recipe,
        network=own,
        seed=card.seed,
        split=os.fspath(Path(run_dir, SPLIT)),
        overwrite=overwrite,
        keep_finished=True,
        device=device,
        threads=threads,
        on_epoch=None if on_epoch is None else partial(on_epoch, control),
        on_progress=under_name(on_progress, control),
        **card.data.reading,
    )


def under_name(report: Callable[[str, int, int], None] | None, name: str) -> Callable[[str, int, int], None] | None:
    """A report of progress whose stages bear a name, as of a run or a control; None for none."""
    return None if report is None else lambda stage, done, total: report(f"{name}: {stage}", done, total)


def _tally_of(score: ScoreEntry) -> Tally:
    return Tally(accuracy=score.accuracy, interval_95=score.interval_95, n=score.n, n_correct=score.n_correct)


def _entry(
    card: Card,
    clips: _Clips,
    control: str,
    weights: Literal["same", "anew"],
    score: Tally,
    *,
    epochs: int | None = None,
) -> ProbeEntry:
    return ProbeEntry(
        control=control,
        weights=weights,
        file=clips.file.path.name,
        sha256=clips.file.sha256,
        part=clips.part,
        score=score,
        plain=clips.plain,
        chance=card.validation.chance,
        epochs=epochs,
    )


def _with_probe(card: Card, probe: ProbeEntry) -> Card:
    others = (other for other in card.probes if other.key != probe.key)
    return replace(card, probes=(*others, probe))
