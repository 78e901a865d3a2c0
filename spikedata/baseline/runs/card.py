"""The result card of a run: what was trained, on what, and how well it scored."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from spikedata import __version__
from spikedata.baseline.recipes.catalog import typed_arguments, typed_params
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.recipes.structure import fields_from_json, fields_to_json
from spikedata.baseline.runs.statistics import count_of_ranges, wilson_interval
from spikedata.events.sample import PUBLISHED_N_UNITS
from spikedata.files.schema import Provenance, known_speakers
from spikedata.nn.networks import CustomParams, Network
from spikedata.training.history import Trained
from spikedata.training.scoring import Score

CARD_FORMAT = 4
_LATER = {"added_later": True}  # older cards have no such entry
_NOT_IN_3 = {"time_unit": None, "outside": None, "n_silent": None}  # what cards of format 3 do not say of a file


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Software and hardware that a run was made with.

    Attributes
    ----------
    spikedata, python, torch, numpy, numba : str
        Versions [1].
    platform : str
        Operating system [1].
    processors : int or None
        Of the machine [1].
    threads, processes : int
        Of PyTorch on the processor, and of the training [1].
    device : str
        Name of the GPU, or "cpu" [1].
    """

    spikedata: str
    python: str
    torch: str
    numpy: str
    numba: str
    platform: str
    processors: int | None
    threads: int
    processes: int
    device: str


@dataclass(frozen=True, kw_only=True)
class DataEntry:
    """A spike file.

    Attributes
    ----------
    file, path : str
        Its name, and where it was [1].
    sha256 : str
        Of its bytes [1].
    n_units : int
        Units that an event can have [1].
    keys : tuple of str
        Class names [1].
    corpus : str or None
        Corpus that its clips come from [1]; None if unknown.
    numbering : str or None
        The corpus, or encoding of one, that numbers its speakers [1]: if it is the same in two files, a number means
        the same speaker. None if unknown.
    official : str or None
        Name of the published file that it is, by its checksum [1]; None if it is none.
    preset : str or None
        Preset of the cochlea, if this package encoded it [1].
    provenance : Provenance or None
        How it was made, as the file itself says.
    time_unit : str or None
        Unit of its times [1], if the user gave one.
    says_n_units : bool
        Whether it says its number of units itself; otherwise the user did, or they are the 700 of the published files.
    outside : float or None
        Fraction of its spikes outside the window of the recipe [1]; None on cards that do not say it.
    n_silent : int or None
        Clips without a spike [1]; None on cards that do not say it.
    """

    file: str
    path: str
    sha256: str
    n_units: int
    keys: tuple[str, ...]
    corpus: str | None
    numbering: str | None
    official: str | None
    preset: str | None
    provenance: Provenance | None
    time_unit: str | None = None
    says_n_units: bool = True
    outside: float | None = None
    n_silent: int | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """How the file was read, as `train_run` takes it, where the file does not say it."""
        is_told = not self.says_n_units and self.n_units != PUBLISHED_N_UNITS
        told = {"time_unit": self.time_unit, "n_units": self.n_units if is_told else None}
        return {name: value for name, value in told.items() if value is not None}

    @property
    def identity(self) -> str:
        """The digest of the file, and how it was read unless as it is."""
        words = [f"{name} {value}" for name, value in self.reading.items() if value != "s"]
        return ", ".join([self.sha256, *words])

    @property
    def origin(self) -> str:
        """Where its spikes come from, in words."""
        if self.official is not None:
            return f"official: {self.official}.h5 as published"
        if self.provenance is None:
            return "origin unknown"
        if self.preset is None:
            return f"made as the task {self.provenance.corpus}"
        return f"encoded from {self.provenance.corpus}, preset {self.preset}"


@dataclass(frozen=True, kw_only=True)
class SplitEntry:
    """How the clips were divided.

    Attributes
    ----------
    name, kind : str
        Of the split, and which rule made it [1].
    digest : str
        Of which clips are in which part [1].
    n : dict of str to int
        Clips of each part [1].
    speakers : dict of str to tuple of int
        Known speakers of each part [1].
    speakers_apart : bool or None
        Whether no speaker is in two parts; None where speakers are unknown.
    seed : int
        Of what was drawn [1].
    """

    name: str
    kind: str
    digest: str
    n: dict[str, int]
    speakers: dict[str, tuple[int, ...]]
    speakers_apart: bool | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class NetworkEntry:
    """A trained network.

    Attributes
    ----------
    parameters : int
        Its size [1].
    sha256 : str
        Of the file of its weights [1].
    """

    parameters: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TrainingEntry:
    """How a training went.

    Attributes
    ----------
    epochs : int
        Epochs that were trained [1].
    best_epoch : int
        The one whose weights were kept, counted from 1 [1].
    optimizer_steps : int or None
        Steps of the optimizer [1]; None where nothing was trained by steps.
    seconds : float
        Time of the epochs, also of those before an interruption [s].
    keep_epochs : bool
        Whether the weights after each epoch were kept.
    """

    epochs: int
    best_epoch: int
    optimizer_steps: int | None
    seconds: float
    keep_epochs: bool


@dataclass(frozen=True, kw_only=True)
class RefitEntry:
    """The run that chose what a refit repeats.

    Attributes
    ----------
    run : str
        Name of its folder [1].
    weights : str
        SHA-256 of its weights [1].
    epochs : int
        Epochs that are repeated [1].
    seed : int
        Of its training [1].
    """

    run: str
    weights: str
    epochs: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many clips were right.

    Attributes
    ----------
    accuracy : float
        Fraction of them [1].
    interval_95 : tuple of float
        Wilson's interval of it [1].
    n, n_correct : int
        Clips, and those whose class was found [1].
    """

    accuracy: float
    interval_95: tuple[float, float]
    n: int
    n_correct: int

    def __post_init__(self) -> None:
        _check_count(self)


@dataclass(frozen=True, kw_only=True)
class ScoreEntry:
    """A score beside what chance would give.

    Attributes
    ----------
    accuracy, interval_95, n, n_correct
        As `Tally` has them.
    chance : float
        One over the number of classes [1].
    majority : float
        What always naming the most frequent class of these very clips would reach [1].
    loss : float
        Mean cross-entropy [nat].
    hidden_spikes : float
        Mean spikes per hidden neuron and clip [1].
    confusion : tuple of tuple of int
        Clips by (true class, chosen class) [1].
    """

    accuracy: float
    interval_95: tuple[float, float]
    n: int
    n_correct: int
    chance: float
    majority: float
    loss: float
    hidden_spikes: float
    confusion: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        _check_count(self)


def _check_count(entry: Tally | ScoreEntry) -> None:
    """Refuse what cannot be counted, as on a card that was edited by hand."""
    name = type(entry).__name__
    if not (entry.n >= 1 and 0 <= entry.n_correct <= entry.n):
        raise ValueError(f"{name}.n_correct must be in 0..n and n > 0, got {entry.n_correct} of {entry.n}")
    if not 0 <= entry.accuracy <= 1:
        raise ValueError(f"{name}.accuracy must be in 0..1, got {entry.accuracy}")


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Cost of a network for one clip, as means over the clips of a score.

    Attributes
    ----------
    footprint : int
        Memory of weights and other state [byte].
    spikes : float or None
        Spikes of all hidden neurons [1]; None where nothing spikes, or a network of one's own does not tell.
    activation_sparsity : float or None
        Part of (neuron, step) without a spike [1]; None where nothing spikes.
    effective_acs, effective_macs, dense_operations : float or None
        Synaptic operations [1]: see `spikedata.baseline.runs.operations`. None for a network of one's own, whose
        connections are not known.
    n_steps : int
        Steps that a clip takes [1].
    dt : float
        Length of a step [s].
    connection_sparsity : float or None
        Part of the weights of all connections that are zero [1]; None on cards that do not say it.
    membrane_updates : float or None
        How often the membrane of a neuron changes [1]: see `spikedata.baseline.runs.membranes`. None where nothing has
        a membrane, or steps, and on cards that do not say it.
    """

    footprint: int
    spikes: float | None
    activation_sparsity: float | None
    effective_acs: float | None
    effective_macs: float | None
    dense_operations: float | None
    n_steps: int
    dt: float
    connection_sparsity: float | None = field(default=None, metadata=_LATER)
    membrane_updates: float | None = field(default=None, metadata=_LATER)

    @property
    def execution_rate(self) -> float:
        """How often the network is run per second of a clip [Hz], as NeuroBench has it."""
        return 1 / self.dt


@dataclass(frozen=True, kw_only=True)
class ScoredEntry:
    """A score on clips that took no part in the training.

    Speakers are recognized only if the same corpus numbers them: for a file of another corpus, or one that names no
    corpus, no speaker is reported as having been in training.

    Attributes
    ----------
    file, sha256, origin : str
        The file: its name, the SHA-256 of its bytes, and where its spikes come from [1].
    corpus : str or None
        Of which its clips come [1].
    same_numbering : bool or None
        Whether a speaker's number means who it means in the file of the training; None where it is not known.
    part : str
        What of it was scored [1].
    speakers : tuple of int
        Known speakers of the clips [1].
    speakers_trained, speakers_chose : tuple of int
        Those of them whose clips trained, and those whose clips only chose the epoch [1].
    times_opened : int
        How often the score was asked for [1].
    clips, wrong : str
        Numbers of the clips in the file, and of those whose class was not found, as "0-2,7" [1].
    score : ScoreEntry
        The score.
    by_speaker : dict of str to Tally
        Of each speaker's clips, by number.
    unseen : Tally or None
        Of the clips of speakers who neither trained nor chose; None where there are none, or it is not known.
    time_unit : str or None
        Unit of the file's times [1], if the user gave one.
    outside : float or None
        Fraction of the spikes of these clips outside the window of the recipe [1]; None on cards that do not say it.
    n_silent : int or None
        Clips without a spike [1]; None on cards that do not say it.
    code : str or None
        SHA-256 of the code of a network of one's own that was scored, where that has changed since the training [1].
    """

    file: str
    sha256: str
    origin: str
    corpus: str | None
    same_numbering: bool | None
    part: str
    speakers: tuple[int, ...]
    speakers_trained: tuple[int, ...]
    speakers_chose: tuple[int, ...]
    times_opened: int
    clips: str
    wrong: str
    score: ScoreEntry
    by_speaker: dict[str, Tally]
    unseen: Tally | None
    time_unit: str | None = None
    outside: float | None = None
    n_silent: int | None = None
    code: str | None = field(default=None, metadata=_LATER)

    def __post_init__(self) -> None:
        for name, n in (("clips", self.score.n), ("wrong", self.score.n - self.score.n_correct)):
            text = getattr(self, name)
            if count_of_ranges(text) != n:
                raise ValueError(f"ScoredEntry.{name} must name {n} clips, as its score, got {text!r:.60}")

    @property
    def speakers_seen(self) -> tuple[int, ...]:
        """Speakers who trained or chose [1]."""
        return tuple(sorted({*self.speakers_trained, *self.speakers_chose}))


@dataclass(frozen=True, kw_only=True)
class ControlEntry:
    """A score on clips under a control, which removes some information.

    Attributes
    ----------
    control : str
        Name of the control [1].
    file, sha256, part : str
        The file, the SHA-256 of its bytes, and what of it was scored [1].
    score : ScoreEntry
        The score.
    code : str or None
        As `ScoredEntry` has it [1].
    """

    control: str
    file: str
    sha256: str
    part: str
    score: ScoreEntry
    code: str | None = field(default=None, metadata=_LATER)


@dataclass(frozen=True, kw_only=True)
class ProbeEntry:
    """What is left of a score under a control, beside the score without it: of the same weights, or trained anew.

    Attributes
    ----------
    control : str
        Name of the control [1].
    weights : str
        "same": those of the run; "anew": of a training under the control, with the seed of the run [1].
    file, sha256, part : str
        The file, the SHA-256 of its bytes, and what of it was scored [1].
    score, plain : Tally
        Under the control, and of the run itself on the same clips without it.
    chance : float
        One over the number of classes [1].
    epochs : int or None
        Epochs of the training anew [1]; None for the same weights.
    """

    control: str
    weights: Literal["same", "anew"]
    file: str
    sha256: str
    part: str
    score: Tally
    plain: Tally
    chance: float
    epochs: int | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from other probes of the run: a newer one with the same key takes its place."""
        return self.control, self.weights, self.sha256, self.part


@dataclass(frozen=True, kw_only=True)
class SelectionBiasEntry:
    """What picking the epoch on the test clips would have claimed.

    Attributes
    ----------
    file, sha256 : str
        The file of the clips, and the SHA-256 of its bytes [1].
    honest_accuracy, picked_accuracy : float
        Of the epoch that validation chose, and of the one that does best on these clips [1].
    picked_epoch : int
        The latter, counted from 1 [1].
    bias : float
        By how much the one exceeds the other [1].
    accuracies : tuple of float
        Of each epoch [1].
    """

    file: str
    sha256: str
    honest_accuracy: float
    picked_accuracy: float
    picked_epoch: int
    bias: float
    accuracies: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """The result card of a run.

    Parameters
    ----------
    made : str
        When the training ended, in UTC [1].
    command : str
        What makes the same run [1]: see `how_to_make`.
    environment : Environment
        With what it was made.
    recipe : Recipe
        Network and training.
    seed : int
        Of all chance [1].
    refit : RefitEntry or None
        Of a refit, the run that chose.
    data : DataEntry
        The spike file.
    split : SplitEntry
        How its clips were divided.
    network : NetworkEntry
        What came of it.
    training : TrainingEntry
        How it went.
    validation : ScoreEntry
        The score that chose; of a refit, that of the run that chose.
    measures : Measures
        What the network costs.
    tests : tuple of ScoredEntry
        Scores on test clips, the last that was asked for last.
    controls : tuple of ControlEntry
        Scores under controls, likewise.
    selection_bias : tuple of SelectionBiasEntry
        What picking the epoch on test clips would have claimed, likewise.
    probes : tuple of ProbeEntry
        What is left of a score without time, without counts, or without memory.
    """

    made: str
    command: str
    environment: Environment
    recipe: Recipe
    seed: int
    refit: RefitEntry | None
    data: DataEntry
    split: SplitEntry
    network: NetworkEntry
    training: TrainingEntry
    validation: ScoreEntry
    measures: Measures
    tests: tuple[ScoredEntry, ...] = ()
    controls: tuple[ControlEntry, ...] = ()
    selection_bias: tuple[SelectionBiasEntry, ...] = ()
    probes: tuple[ProbeEntry, ...] = field(default=(), metadata=_LATER)

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types, with the version of the form."""
        return {"card_format": CARD_FORMAT, **fields_to_json(self, "card")}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """The card that `to_json` has written.

        Parameters
        ----------
        content : object
            Of JSON's types.

        Raises
        ------
        ValueError
            If it is of another version, or an entry is missing, unknown or not of its type.
        """
        if not isinstance(content, Mapping):
            raise ValueError("must be a JSON object")
        found = content.get("card_format")
        if found == 3:
            content, found = _from_3(content), CARD_FORMAT
        if found != CARD_FORMAT:
            raise ValueError(f"card_format must be {CARD_FORMAT}, got {found}")
        entries = {name: entry for name, entry in content.items() if name != "card_format"}
        card: Self = fields_from_json(entries, cls, "card")
        return card


def _from_3(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A card of format 3, which does not say what falls outside the window."""
    if not isinstance(content.get("data"), Mapping) or not isinstance(content.get("tests"), list):
        return content
    tests = [{**_NOT_IN_3, **entry} if isinstance(entry, Mapping) else entry for entry in content["tests"]]
    return {**content, "data": {**_NOT_IN_3, "says_n_units": True, **content["data"]}, "tests": tests}


def score_entry(score: Score) -> ScoreEntry:
    """A score as it stands on a card."""
    per_class = np.bincount(score.labels, minlength=score.n_classes)
    right = tally(score.labels == score.predictions)
    return ScoreEntry(
        accuracy=right.accuracy,
        interval_95=right.interval_95,
        n=right.n,
        n_correct=right.n_correct,
        chance=1 / score.n_classes,
        majority=float(per_class.max() / len(score.labels)),
        loss=score.loss,
        hidden_spikes=score.hidden_spikes,
        confusion=tuple(tuple(row) for row in score.confusion.tolist()),
    )


def tally(correct: npt.NDArray[np.bool_]) -> Tally:
    """How many clips were right.

    Parameters
    ----------
    correct : ndarray of bool, shape (n_clips,)
        Whether each was; at least one clip.
    """
    n_correct = int(correct.sum())
    return Tally(
        accuracy=n_correct / len(correct),
        interval_95=wilson_interval(n_correct, len(correct)),
        n=len(correct),
        n_correct=n_correct,
    )


def tallies_by_speaker(
    score: Score, speakers: npt.NDArray[np.int64], seen: Sequence[int] | None
) -> tuple[dict[str, Tally], Tally | None]:
    """A score by speaker, and of the unseen speakers alone.

    Parameters
    ----------
    score : Score
        Of some clips.
    speakers : ndarray of int64, shape (n_clips,)
        Of each clip; a number below 0 is no speaker.
    seen : sequence of int or None
        Speakers whose clips trained or chose; None where it is not known who they are.

    Returns
    -------
    by_speaker : dict of str to Tally
        By number.
    unseen : Tally or None
        None for those of no clip, and where no speaker is known.
    """
    correct = score.labels == score.predictions
    by_speaker = {str(who): tally(correct[speakers == who]) for who in known_speakers(speakers)}
    unseen = (speakers >= 0) & (seen is not None) & ~np.isin(speakers, seen or ())
    return by_speaker, tally(correct[unseen]) if unseen.any() else None


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
    reading: Mapping[str, Any] | None = None,
    network: str | None = None,
) -> str:
    """The command that makes the same run, with its split and each param that was changed.

    For a recipe that cannot be typed as a command, it is the call in Python instead, which takes the recipe from the
    card, and of a network of one's own the class by its name.

    Parameters
    ----------
    spike_path, run_dir, recipe, seed, device, keep_epochs, threads
        As `train_run` was given them.
    split : mapping
        What of its arguments makes the split, by name.
    refit : str or path-like, optional
        The run that chose, of a refit: it says recipe, split and params, and how to read the file.
    reading : mapping, optional
        What the file does not say: see `DataEntry.reading`.
    network : str, optional
        How a command names a network of one's own; None if it cannot, or for other networks.
    """
    own = recipe.network.code if isinstance(recipe.network, CustomParams) else None
    params = {} if refit is not None else typed_params(recipe)
    arguments = typed_arguments(own) if own is not None and refit is None else []
    if own is not None and (network is None or arguments is None):
        params = None
    options = {"seed": seed, "device": device, **split}
    options |= {} if refit is not None else (reading or {})
    options |= {"keep_epochs": True} if keep_epochs else {}
    options |= {"threads": threads} if threads != 1 else {}
    if params is None:
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        path, run = os.fspath(spike_path), os.fspath(run_dir)
        given += f", network={own.class_name}" if own is not None else ""
        if refit is not None:
            return f"refit_run({path!r}, {run!r}, chosen=read_chosen_run({os.fspath(refit)!r}){given})"
        return f"train_run({path!r}, {run!r}, recipe=read_card({run!r}).recipe{given})"
    what = ["--refit", os.fspath(refit)] if refit is not None else [] if network else ["--recipe", recipe.name]
    what += ["--network", network] if network else []
    what += [word for argument in arguments or () for word in ("--network-arg", argument)]
    words = ["spikedata", "train", os.fspath(spike_path), *what, "--out", os.fspath(run_dir)]
    for name, value in (options | params).items():
        words += [f"--{_OPTIONS.get(name, name).replace('_', '-')}"]
        words += [] if value is True else [",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)


_OPTIONS = {"left_out": "leave_out", "n_units": "units"}  # where the command says it in other words than the function


def environment_of(device: torch.device, *, n_processes: int = 1) -> Environment:
    """Versions, machine, threads and processes."""
    return Environment(
        spikedata=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        numpy=np.__version__,
        numba=version("numba"),
        platform=platform.platform(),
        processors=os.cpu_count(),
        threads=torch.get_num_threads(),
        processes=n_processes,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    )


def network_entry(network: Network, weights: bytes) -> NetworkEntry:
    """Size of a network, and the digest of the file of its weights."""
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    return NetworkEntry(parameters=n_parameters, sha256=hashlib.sha256(weights).hexdigest())


def training_entry(trained: Trained, recipe: Recipe, *, n_clips: int, keep_epochs: bool) -> TrainingEntry:
    """How a training went.

    Parameters
    ----------
    trained : Trained
        Its outcome.
    recipe : Recipe
        What was trained.
    n_clips : int
        Clips of the training part [1].
    keep_epochs : bool
        Whether the weights after each epoch were kept.
    """
    training, n_epochs = recipe.training, len(trained.history)
    return TrainingEntry(
        epochs=n_epochs,
        best_epoch=trained.best_epoch,
        optimizer_steps=math.ceil(n_clips / training.batch_size) * n_epochs if training else None,
        seconds=round(sum(record.seconds for record in trained.history), 3),
        keep_epochs=keep_epochs,
    )
