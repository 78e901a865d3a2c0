"""Score a finished run on clips that took no part in its training, and record the score on its card."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from spikedata.baseline.recipes.own_network import OwnNetwork, own_network
from spikedata.baseline.recipes.recipe import Recipe, check_control
from spikedata.baseline.runs.card import (
    Card,
    ControlEntry,
    DataEntry,
    ScoredEntry,
    score_entry,
    tallies_by_speaker,
)
from spikedata.baseline.runs.data import is_same_numbering, read_run_data
from spikedata.baseline.runs.folder import code_of_run, load_run, read_split, update_card
from spikedata.baseline.runs.statistics import ranges_text
from spikedata.disk import file_digest
from spikedata.events import Events
from spikedata.events.time_units import check_time_unit
from spikedata.events.window import find_outside
from spikedata.files.schema import known_speakers
from spikedata.nn.networks import MakeModule, Network, cut_propagation
from spikedata.nn.threads import on_one_thread
from spikedata.training.devices import resolve_device
from spikedata.training.scoring import Score, evaluate
from spikedata.transforms.named import OF_NETWORK, apply_control, known_control

# stage, clips done, clips in all
OnProgress: TypeAlias = "Callable[[str, int, int], None] | None"


class ScoredFile(NamedTuple):
    """The file whose clips are to be scored.

    Attributes
    ----------
    path : Path
        Where it is.
    sha256 : str
        Of its bytes.
    is_own : bool
        Whether the run was trained on it, so that only its test part is scored.
    reading : dict
        What the file does not say, as `read_run_data` takes it: of the run's own file, as it was trained.
    """

    path: Path
    sha256: str
    is_own: bool
    reading: dict[str, Any]

    @property
    def part(self) -> str:
        """What of it is scored, in words."""
        return "test part" if self.is_own else "whole file"


class ScoredClips(NamedTuple):
    """The clips that are scored.

    Attributes
    ----------
    data : DataEntry
        Their file.
    numbers : ndarray of int64, shape (n_clips,)
        Of each in its file, from 0 [1].
    events : Events
        What each holds.
    """

    data: DataEntry
    numbers: npt.NDArray[np.int64]
    events: Events


@on_one_thread()
def evaluate_run(
    run_dir: str | os.PathLike[str],
    spike_path: str | os.PathLike[str] | None = None,
    *,
    network: str | MakeModule | OwnNetwork | None = None,
    control: str = "none",
    device: str = "cpu",
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Card:
    """Score a run's weights on its own test part, or on the whole of another file, and record it on the run's card.

    Each file is scored only once. Asking again returns the recorded score and increases ``times_opened`` by one: a
    second look cannot change the weights any more, but a reader of the card should know about it. `read_card` returns
    the card without opening anything.

    Several processes may evaluate a run at the same time: none waits for another's score, and each is counted.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    spike_path : str or path-like, optional
        Another file, all of whose clips are scored. With None, or the file that the run was trained on, its test part
        is scored.
    network : str, class or callable, optional
        The code of a network of one's own, as `load_run` takes it. If it has changed since the training, the score says
        so.
    control : str
        Information to remove from the clips: see `spikedata.transforms.named`.
    device : str
        cpu, cuda, cuda:N, or auto: a GPU if there is one.
    time_unit, n_units
        What another file does not say, as `train_run` takes it; a file that does not say its units has those of the
        run. The run's own file is read as it was trained.
    on_progress : callable, optional
        Called with a stage, "read" or "score", the number of clips done and how many there are.

    Returns
    -------
    Card
        The card. The score asked for is the last of ``tests``; with a control, the last of ``controls``.

    Raises
    ------
    FileNotFoundError
        If the run or the file does not exist.
    ValueError
        If the run is damaged, the code of its network is missing, the file has changed, has other classes or units, or
        no test part, there is no such control or device, a control is asked for before the plain score, or nearly all
        spikes fall outside the network's window.
    OutputError
        If the card cannot be written.
    """
    control = known_control(control)
    own = None if network is None else own_network(network)
    trained, card = load_run(run_dir, network=own)
    check_control(control, card.recipe.network)
    digest = code_of_run(run_dir, card, own).digest
    trained.to(resolve_device(device))
    file = find_test_file(run_dir, card, spike_path, time_unit=time_unit, n_units=n_units)
    if control == "none":
        test = _test_of(card, file.sha256)
        if test is None or test.code != digest:  # what other code has scored says nothing of this one
            test = replace(_test_entry(run_dir, trained, card, file, on_progress), code=digest)
        return write_on_card(run_dir, card, lambda now: _with_test(now, test))
    require_scored(run_dir, card, file, code=digest)
    known = (
        entry for entry in card.controls if (entry.sha256, entry.control, entry.code) == (file.sha256, control, digest)
    )
    scored = next(known, None) or replace(
        _control_entry(run_dir, trained, card, file, control, on_progress), code=digest
    )
    return write_on_card(run_dir, card, lambda now: _with_control(now, scored))


def write_on_card(run_dir: str | os.PathLike[str], scored: Card, change: Callable[[Card], Card]) -> Card:
    """Add a result about a run's weights to its card, keeping what other processes have added meanwhile.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    scored : Card
        Its card when its weights were read.
    change : callable
        Given the card as it is now, gives the one to write.

    Returns
    -------
    Card
        The card as it was written.

    Raises
    ------
    ValueError
        If the run has been replaced by another one since.
    OutputError
        If the card cannot be written.
    """

    def change_same(now: Card) -> Card:
        if now.network.sha256 != scored.network.sha256:
            raise ValueError(f"{run_dir}: was replaced by another run while this one was scored; run the command again")
        return change(now)

    return update_card(run_dir, change_same)


def _with_test(card: Card, scored: ScoredEntry) -> Card:
    """Count an opening of the test clips; a score that another process has recorded meanwhile, of this code, stays."""
    before = _test_of(card, scored.sha256)
    n_before = 0 if before is None else before.times_opened
    entry = before if before is not None and before.code == scored.code else replace(scored, times_opened=n_before)
    others = (other for other in card.tests if other.sha256 != scored.sha256)
    return replace(card, tests=(*others, replace(entry, times_opened=entry.times_opened + 1)))


def _with_control(card: Card, scored: ControlEntry) -> Card:
    others = (other for other in card.controls if (other.sha256, other.control) != (scored.sha256, scored.control))
    return replace(card, controls=(*others, scored))


def _test_of(card: Card, sha256: str) -> ScoredEntry | None:
    return next((entry for entry in card.tests if entry.sha256 == sha256), None)


def find_test_file(
    run_dir: str | os.PathLike[str],
    card: Card,
    spike_path: str | os.PathLike[str] | None,
    *,
    time_unit: str | None = None,
    n_units: int | None = None,
) -> ScoredFile:
    """The file that is meant; see `evaluate_run`.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it is the run's and has changed, or it was read otherwise when it was trained on or scored.
    """
    time_unit = check_time_unit(time_unit)
    path = Path(card.data.path if spike_path is None else spike_path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    sha256 = file_digest(path, "sha256")
    is_own = sha256 == card.data.sha256
    if spike_path is None and not is_own:
        raise ValueError(f"{path}: is not the file that {run_dir} was trained on: its SHA-256 differs")
    scored = _test_of(card, sha256)
    told: dict[str, Any] = {"time_unit": time_unit, "n_units": n_units}
    before: dict[str, Any] = {"n_units": card.data.n_units}
    if is_own or scored is not None:
        before["time_unit"] = card.data.time_unit if is_own or scored is None else scored.time_unit
    for name, value in told.items():
        if value is not None and name in before and value != (before[name] or "s"):
            when = "trained on" if is_own else "scored" if name == "time_unit" else "the network was made for"
            raise ValueError(f"{path}: {name} must be {before[name] or 's'}, as {when}, or left out, got {value}")
    if scored is not None:
        told["time_unit"] = scored.time_unit
    reading = card.data.reading if is_own else told | {"usual_n_units": card.data.n_units}
    return ScoredFile(path, sha256, is_own, reading)


def require_scored(
    run_dir: str | os.PathLike[str], card: Card, file: ScoredFile, *, code: str | None = None
) -> ScoredEntry:
    """The entry of the plain score of a file; a ValueError if there is none yet, or it is of other code.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    card : Card
        Its card.
    file : ScoredFile
        The file.
    code : str, optional
        Digest of the code of a network of one's own that has changed since the training; default: as it was then.
    """
    entry = _test_of(card, file.sha256)
    if entry is None:
        which = "" if file.is_own else f" {file.path}"
        raise ValueError(f"{run_dir}: the {file.part} must be scored first: spikedata evaluate {run_dir}{which}")
    if entry.code != code:
        raise ValueError(f"{run_dir}: was scored with other code of its network; score it with this code first")
    return entry


def read_test_clips(
    run_dir: str | os.PathLike[str], card: Card, file: ScoredFile, on_progress: OnProgress = None
) -> ScoredClips:
    """The clips that are scored: the test part of the run's own file, all of another; see `evaluate_run`.

    Raises
    ------
    ValueError
        If the file has other classes or units than the run, or the split is not the card's or has no test part.
    """
    data, events = read_run_data(
        file.path,
        window=card.recipe.network.duration,
        sha256=file.sha256,
        on_progress=on_progress,
        **file.reading,
    )
    if events.keys != card.data.keys:
        raise ValueError(f"{file.path}: must have the classes {list(card.data.keys)}, got {list(events.keys)}")
    if events.n_units != card.data.n_units:
        raise ValueError(f"{file.path}: must have {card.data.n_units} units, got {events.n_units}")
    if not file.is_own:
        return ScoredClips(data, np.arange(len(events)), events)
    numbers = _test_indices(run_dir, card, events)
    return ScoredClips(data, numbers, events.select(numbers))


def score_as_trained(network: Network, card: Card, clips: Events, on_progress: OnProgress = None) -> Score:
    """Score clips under the control that the run was trained under, if any, in the batches of its recipe."""
    controlled = under_control(network, clips, control_name(card.recipe), seed=card.seed)
    scoring = None if on_progress is None else partial(on_progress, "score")
    return evaluate(network, controlled, on_progress=scoring, **scoring_options(card.recipe))


def under_control(network: Network, clips: Events, name: str, *, seed: int) -> Events:
    """Clips under a control, with the steps of the network that is given them."""
    return apply_control(clips, name, seed=seed, dt=network.dt, n_steps=network.n_steps)


def control_name(recipe: Recipe) -> str:
    """The control that a recipe trains under."""
    return recipe.training.control if recipe.training else "none"


def scoring_options(recipe: Recipe) -> dict[str, Any]:
    """How the clips are given to a recipe's network."""
    if recipe.training is None:
        return {}
    return {"batch_size": recipe.training.batch_size, "layout": recipe.training.layout}


def _test_entry(
    run_dir: str | os.PathLike[str], network: Network, card: Card, file: ScoredFile, on_progress: OnProgress
) -> ScoredEntry:
    data, numbers, clips = read_test_clips(run_dir, card, file, on_progress)
    speakers, same = known_speakers(clips.speakers), is_same_numbering(card.data, data)
    # numbers of another corpus are other people; of an unknown one, nobody knows whose they are
    of_part = card.split.speakers if same else {}
    trained, chose = (set(of_part.get(part, ())) for part in ("train", "validation"))
    score = score_as_trained(network, card, clips, on_progress)
    outside = find_outside(clips, card.recipe.network.duration)
    seen = None if same is None else sorted(trained | chose)
    by_speaker, unseen = tallies_by_speaker(score, clips.speakers, seen)
    return ScoredEntry(
        file=file.path.name,
        sha256=file.sha256,
        origin=data.origin,
        corpus=data.corpus,
        same_numbering=same,
        part=file.part,
        speakers=tuple(speakers),
        speakers_trained=tuple(who for who in speakers if who in trained),
        speakers_chose=tuple(who for who in speakers if who in chose - trained),
        times_opened=0,
        clips=ranges_text(numbers),
        wrong=ranges_text(numbers[score.labels != score.predictions]),
        score=score_entry(score),
        by_speaker=by_speaker,
        unseen=unseen,
        time_unit=data.time_unit,
        outside=outside.share,
        n_silent=outside.n_silent,
    )


def _control_entry(
    run_dir: str | os.PathLike[str],
    network: Network,
    card: Card,
    file: ScoredFile,
    control: str,
    on_progress: OnProgress,
) -> ControlEntry:
    clips = under_control(network, read_test_clips(run_dir, card, file, on_progress).events, control, seed=card.seed)
    if control == OF_NETWORK:
        network = cut_propagation(network)
    return ControlEntry(
        control=control,
        file=file.path.name,
        sha256=file.sha256,
        part=file.part,
        score=score_entry(score_as_trained(network, card, clips, on_progress)),
    )


def _test_indices(run_dir: str | os.PathLike[str], card: Card, events: Events) -> npt.NDArray[np.int64]:
    split = read_split(run_dir, card, events.sources)
    if "test" not in split.parts:
        raise ValueError(f"{run_dir}: its split has no test part; name the file to test on")
    return split.parts["test"]
