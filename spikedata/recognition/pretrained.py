"""Networks that recognize: those that ship with the package, and a run of one's own with the ear that it heard with."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cochlea import CochleaParams
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.recipes.structure import fields_from_json, fields_to_json
from spikedata.baseline.runs.card import Card, Tally
from spikedata.baseline.runs.data import read_run_data
from spikedata.baseline.runs.evaluation import control_name
from spikedata.baseline.runs.folder import is_group, load_run, network_from, refuse_own_network, runs_of_group
from spikedata.baseline.runs.quantized import USUAL_BITS, BitsTable, rows_of_bits
from spikedata.checks import Positive, checked
from spikedata.encoding.ear import params_from, params_of
from spikedata.files.schema import Provenance
from spikedata.nn.quantization import SCALES

if TYPE_CHECKING:
    from spikedata.nn import Network

CARD_FORMAT = 1
NETWORKS = Path(__file__).with_name("networks")
#: Names of the pretrained networks that ship with the package.
PRETRAINED = tuple(sorted(path.stem for path in NETWORKS.glob("*.json")))


@dataclass(frozen=True, kw_only=True)
class UsedFile:
    """A spike file that a pretrained network was trained or scored on.

    Attributes
    ----------
    file, sha256 : str
        Its name, and the SHA-256 of its bytes [1].
    corpus : str
        Corpus of its clips [1].
    sample_rate : int
        Of the recordings [Hz].
    use : str
        What it was used for: "training" or "test" [1].
    """

    file: str
    sha256: str
    corpus: str
    sample_rate: int
    use: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How often a network was right.

    Attributes
    ----------
    clips : str
        Which clips, in words [1].
    sample_rate : int
        Of their recordings [Hz].
    weights : str
        Which weights: "float32" or "int8" [1].
    tally : Tally
        How many of them were right.
    """

    clips: str
    sample_rate: int
    weights: str
    tally: Tally


@dataclass(frozen=True, kw_only=True)
class PretrainedCard:
    """What a pretrained network is, what it was trained on, and how well it does.

    Parameters
    ----------
    name, about, limits : str
        Its name, what it is, and what it cannot do [1].
    classes : tuple of str
        Words that it knows, in the order of its outputs [1].
    recipe : Recipe
        Network and training.
    seed : int
        Of the first weights and of all else that the training draws [1].
    preset : str
        Preset of the cochlea [1].
    ear : CochleaParams
        Its params.
    n_units, parameters : int
        Units that it listens to, and values that were trained [1].
    weights : str
        Type of the matrices in the file: "float32" or "int8" [1].
    sha256 : str
        Of the file of the weights [1].
    temperature : float
        What the logits are divided by to give probabilities [1] (Guo et al., ICML 2017), fitted on the clips that chose
        the epoch.
    data : tuple of UsedFile
        Spike files.
    attribution : str
        Authors and license of the recordings [1].
    speakers_trained, speakers_chose : tuple of int
        Speakers that it was trained on, and those of them whose clips chose the recipe and the number of epochs first.
    validation, tests : tuple of Measured
        Scores on the clips that chose, of the network that was not trained on them; and on clips that nothing was
        chosen by.
    commands : tuple of str
        What makes it [1].
    made_with : str
        Versions [1].
    """

    name: str
    about: str
    limits: str
    classes: tuple[str, ...]
    recipe: Recipe
    seed: int
    preset: str
    ear: CochleaParams
    n_units: int
    parameters: int
    weights: str
    sha256: str
    temperature: float
    data: tuple[UsedFile, ...]
    attribution: str
    speakers_trained: tuple[int, ...]
    speakers_chose: tuple[int, ...]
    validation: tuple[Measured, ...]
    tests: tuple[Measured, ...]
    commands: tuple[str, ...]
    made_with: str

    def __post_init__(self) -> None:
        # the digest is of the weights alone: a number of the card that was damaged would give other scores
        checked("card.temperature", self.temperature, Positive)
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"card.classes must be distinct, got {', '.join(self.classes)}")
        if self.n_units != self.ear.n_units:
            raise ValueError(f"card.n_units must be {self.ear.n_units}, as its ear has, got {self.n_units}")

    def to_json(self) -> dict[str, Any]:
        """The card as types of JSON."""
        return {"pretrained_format": CARD_FORMAT, **fields_to_json(self, "card")}

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
        found = content.get("pretrained_format") if isinstance(content, dict) else None
        if found != CARD_FORMAT:
            raise ValueError(f"pretrained_format must be {CARD_FORMAT}, got {found}")
        entries = {name: entry for name, entry in content.items() if name != "pretrained_format"}
        if isinstance(entries.get("ear"), dict):
            entries["ear"] = params_from(entries["ear"])  # the card may be older than the newest params of the ear
        card: Self = fields_from_json(entries, cls, "card")
        return card


@dataclass(frozen=True, kw_only=True, eq=False)
class Pretrained:
    """A trained network with all that it needs to recognize a recording.

    Parameters
    ----------
    name : str
        Of the pretrained network, or the folder of the run [1].
    network : Network
        On the CPU, in evaluation mode.
    card : PretrainedCard or Card
        Card of the pretrained network, or of the run.
    classes : tuple of str
        Words that it knows, in the order of its outputs [1].
    ear : CochleaParams
        The cochlea whose spikes it was trained on.
    sample_rates : tuple of int
        Of the recordings that it was scored on [Hz]; empty where the card does not say it.
    temperature : float
        What its logits are divided by to give probabilities [1]; 1 for a run.
    """

    name: str
    network: Network
    card: PretrainedCard | Card
    classes: tuple[str, ...]
    ear: CochleaParams
    sample_rates: tuple[int, ...] = ()
    temperature: float = 1.0

    @property
    def dt(self) -> float:
        """Length of a step of the network [s]."""
        return self.network.dt

    @property
    def n_steps(self) -> int:
        """Number of steps that the network hears."""
        return self.network.n_steps

    @property
    def n_units(self) -> int:
        """Number of units that the network listens to."""
        return self.network.n_units

    @property
    def duration(self) -> float:
        """How much of a word the network hears [s]."""
        return self.dt * self.n_steps


def load_pretrained(name: str = "digits") -> Pretrained:
    """A network that ships with the package.

    Parameters
    ----------
    name : str
        "digits", or "digits_tiny", whose weights take a tenth: see ``PRETRAINED``. Both know the digits from zero to
        nine in English and German.

    Raises
    ------
    ValueError
        If there is none of this name, or its files are damaged.

    Examples
    --------
    >>> import spikedata as sd
    >>> digits = sd.load_pretrained("digits")
    >>> digits.classes[7], digits.classes[17], digits.n_units
    ('seven', 'sieben', 700)
    """
    if name not in PRETRAINED:
        raise ValueError(_no_such("pretrained network", name))
    try:
        card = PretrainedCard.from_json(json.loads(NETWORKS.joinpath(f"{name}.json").read_text("utf-8")))
        network = network_from(
            NETWORKS.joinpath(f"{name}.safetensors").read_bytes(),
            card.recipe,
            sha256=card.sha256,
            n_units=card.n_units,
            n_classes=len(card.classes),
        )
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"pretrained network {name!r} is damaged: {error}; install spikedata-audio anew") from error
    return Pretrained(
        name=name,
        network=network,
        card=card,
        classes=card.classes,
        ear=card.ear,
        sample_rates=tuple(sorted({score.sample_rate for score in (*card.validation, *card.tests)})),
        temperature=card.temperature,
    )


def quantize_pretrained(
    name: str,
    spike_path: str | os.PathLike[str] | None,
    *,
    bits: Sequence[int] = USUAL_BITS,
    scales: Sequence[str] = SCALES,
    device: str = "cpu",
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> BitsTable:
    """Score a pretrained network with its weights in fewer bits, on all clips of a spike file.

    Parameters
    ----------
    name : str
        Of the network: see ``PRETRAINED``.
    spike_path : str or path-like
        The spike file. Its clips are better new to the network: the card says what it was trained on.
    bits, scales, device, time_unit, n_units, on_progress
        As `spikedata.baseline.runs.quantized.quantize_run` takes them.

    Returns
    -------
    BitsTable

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If there is no such network, no file is named, it has other classes or units, or bits or scales are unknown.
    """
    found = load_pretrained(name)
    if spike_path is None:
        raise ValueError(f"{name}: has no clips of its own, so name a spike file to score it on")
    data, clips = read_run_data(
        spike_path,
        window=found.duration,
        time_unit=time_unit,
        n_units=n_units,
        usual_n_units=found.n_units,
        on_progress=on_progress,
    )
    if clips.keys != found.classes:
        raise ValueError(f"{spike_path}: must have the classes {list(found.classes)}, got {list(clips.keys)}")
    if clips.n_units != found.n_units:
        raise ValueError(f"{spike_path}: must have {found.n_units} units, got {clips.n_units}")
    rows = rows_of_bits(found.network, clips, found.card.recipe, bits=bits, scales=scales, device=device)
    return BitsTable(network=name, file=data.file, part="whole file", rows=rows)


def network_to_hear_with(
    network: str | os.PathLike[str] | Pretrained, params: CochleaParams | None = None
) -> Pretrained:
    """The network that `recognize` is told to use.

    Parameters
    ----------
    network : str, path-like or Pretrained
        Name of a pretrained network, folder of a run, or a network that is loaded already.
    params : CochleaParams, optional
        The ear of a run whose data do not say it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such network or run, it is damaged, of another version or trained under a control, its ear is not
        known, is another than `params`, or has other units.
    """
    if isinstance(network, Pretrained):
        found = network
    elif isinstance(network, str) and network in PRETRAINED:
        found = load_pretrained(network)
    elif os.fspath(network) and Path(network).is_dir():  # a path of no letters is the current folder
        found = _of_run(network, params)
    else:
        raise ValueError(_no_such("pretrained network and no folder of a run", os.fspath(network)))
    if params is not None and params != found.ear:
        raise ValueError(f"{found.name}: says itself which cochlea made its spikes, so leave params out")
    if found.ear.n_units != found.n_units:
        raise ValueError(
            f"{found.name}: listens to {found.n_units} units, but these params of the cochlea give "
            f"{found.ear.n_units}; give those that made its spikes"
        )
    return found


def _of_run(run_dir: str | os.PathLike[str], params: CochleaParams | None) -> Pretrained:
    if is_group(run_dir):
        raise ValueError(f"{run_dir}: holds several runs; name one of them, as {runs_of_group(run_dir)[0]}")
    refuse_own_network(run_dir, "which recognizes no recordings: its code is not there")
    network, card = load_run(run_dir)
    control = control_name(card.recipe)
    if control != "none":
        raise ValueError(f"{run_dir}: was trained under the control {control!r}, which a recording is not")
    ear = _ear_of(run_dir, card.data.provenance) if card.data.provenance is not None else params
    if ear is None:
        likely = "published" if card.data.official else "default"
        likely_call = "CochleaParams.published()" if card.data.official else "CochleaParams()"
        raise ValueError(
            f"{run_dir}: does not say which cochlea made its spikes ({card.data.origin}); if they are those of the "
            f"preset {likely!r}, say so: --preset {likely}, or params={likely_call}"
        )
    return Pretrained(name=os.fspath(run_dir), network=network, card=card, classes=card.data.keys, ear=ear)


def _ear_of(run_dir: str | os.PathLike[str], made: Provenance) -> CochleaParams:
    try:
        return params_of(made)
    except ValueError as error:
        raise ValueError(
            f"{run_dir}: its spikes are of another version of the cochlea ({made.package_version}): {error}"
        ) from None


def _no_such(what: str, name: str) -> str:
    nearest = difflib.get_close_matches(name, PRETRAINED)
    hint = f"nearest: {', '.join(nearest)}; " if nearest else ""
    return f"no {what} {name!r}; {hint}there are: {', '.join(PRETRAINED)}"
