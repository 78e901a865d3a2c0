"""The folder of a training run: its files, written whole or not at all.

=======================  ====================================================================
``card.json``            the result card: what was trained, on what, and how well it scored
``weights.safetensors``  the weights of the best epoch (of a refit, the last); reading them runs no code
``history.csv``          one row per epoch
``split.json``           which samples are for training, validation and test
``epochs/``              the weights after each epoch, if they were kept
``tensorboard/``         logs for TensorBoard, if asked for
=======================  ====================================================================

Several runs in one folder are a group; a refit reads what a run has chosen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from spikedata.baseline.recipes.catalog import network_of
from spikedata.baseline.recipes.own_network import OwnNetwork, change_of_code, own_network, without_code
from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.runs.card import Card, RefitEntry, ScoreEntry
from spikedata.disk import OutputError, cannot_write, holding, make_parents, write_atomically
from spikedata.nn.networks import CustomParams, MakeModule, Network
from spikedata.nn.quantization import dequantize
from spikedata.splits import Split, sample_names
from spikedata.training.folder import UNFINISHED, training_folder
from spikedata.training.history import EpochRecord, read_history
from spikedata.training.schedules import ANNEALED

_LIST_OF_NUMBERS = re.compile(r"\[\n\s*[-+.\de]+(?:,\n\s*[-+.\de]+)*\n\s*\]")  # no string holds a bare line break
_logger = logging.getLogger(__name__)
CARD, WEIGHTS, HISTORY, SPLIT = "card.json", "weights.safetensors", "history.csv", "split.json"


class Run(NamedTuple):
    """A finished run.

    Parameters
    ----------
    network : Network
        Network with the weights that validation chose, on the CPU, in evaluation mode.
    card : Card
        Its result card.
    """

    network: Network
    card: Card


def check_run_dir(run_dir: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise OutputError unless a run's folder can be made; called before training, not after it.

    Parameters
    ----------
    run_dir : str or path-like
        Folder to make.
    overwrite : bool
        Whether an existing run may be replaced; anything else is never replaced.

    Raises
    ------
    OutputError
        If something is there already, or the nearest existing parent folder is not writable.
    """
    if not isinstance(overwrite, bool):  # such as "no", which would be true
        raise ValueError(f"overwrite must be True or False, got {overwrite!r}")
    target = Path(run_dir).absolute()
    if os.path.lexists(target):
        if not overwrite:
            raise OutputError(f"{run_dir}: exists already, will not replace it (--overwrite does)")
        if target.is_symlink() or not (target / CARD).is_file():
            raise OutputError(f"{run_dir}: is not a run (no {CARD}), will not replace it")
    above = next(folder for folder in target.parents if os.path.lexists(folder))
    if not above.is_dir():
        raise OutputError(f"{run_dir}: {str(above)!r} is not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{run_dir}: folder {str(above)!r} is not writable")


def write_run_dir(
    run_dir: str | os.PathLike[str],
    contents: Mapping[str, bytes],
    *,
    folders: Mapping[str, Path] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a run's files into a new folder that appears complete or not at all.

    Parameters
    ----------
    run_dir : str or path-like
        The folder to make.
    contents : mapping of str to bytes
        File name to content.
    folders : mapping of str to Path, optional
        Folders of the same file system that are moved into it, by their names there.
    overwrite : bool
        Whether a run that is there already may be replaced.

    Raises
    ------
    OutputError
        As for `check_run_dir`, or if the files cannot be written; an older run is then kept.
    """
    check_run_dir(run_dir, overwrite=overwrite)
    target = Path(run_dir).absolute()
    try:
        make_parents(target)
    except OSError as error:
        raise cannot_write(run_dir, error) from error
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", suffix=".part", dir=target.parent))
    try:
        with suppress(OSError):  # a share may know no permissions
            temporary.chmod(0o755)
        for name, content in contents.items():
            write_atomically(temporary / name, content)
        for name, folder in (folders or {}).items():
            shutil.move(folder, temporary / name)  # copied where overlayfs cannot rename what a layer below holds
        if target.exists():
            shutil.move(target, temporary / ".replaced")
        temporary.rename(target)
        shutil.rmtree(target / ".replaced", ignore_errors=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{run_dir}: cannot be written: {error.strerror or error}") from error
    finally:
        _discard(temporary, target)


def _why_no_run(run_dir: Path) -> str:
    if training_folder(run_dir).is_dir():
        return "its training is not finished: run the command again"
    if run_dir.is_file():
        return f"no {CARD}, but a file; a run is the folder that train made: train {run_dir} --out RUN"
    return f"no {CARD}; train makes one: spikedata train FILE.h5 --out RUN"


def read_card(run_dir: str | os.PathLike[str]) -> Card:
    """A run's result card.

    Parameters
    ----------
    run_dir : str or path-like
        Folder of the run.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If its card is not one, or one of another version.
    """
    path = Path(run_dir, CARD)
    if not path.is_file():
        raise FileNotFoundError(f"{run_dir}: is not a run: {_why_no_run(Path(run_dir))}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is not JSON: {error}") from None
    try:
        return Card.from_json(content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_run(run_dir: str | os.PathLike[str], *, network: str | MakeModule | OwnNetwork | None = None) -> Run:
    """The network and card of a run.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    network : str, class or callable, optional
        Of a run of a network of one's own, its code: see `spikedata.baseline.recipes.own_network.own_network`. A card
        names it, but no code runs that is not named here. If it has changed since the training and the weights still
        fit, a warning says so.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If card and weights do not belong together; or the code of a network of one's own is not given, is that of
        another, fails, or has changed so that the weights do not fit.
    """
    card = read_card(run_dir)
    code = code_of_run(run_dir, card, network)
    weights = _read_weights(run_dir, card)
    sizes = {"n_units": card.data.n_units, "n_classes": len(card.data.keys)}
    try:
        made = network_from(
            weights,
            card.recipe,
            sha256=card.network.sha256,
            make=None if code.own is None else code.own.make,
            **sizes,
        )
    except ValueError as error:
        if code.own is not None:
            changed = f"{code.changed}; " if code.changed else ""
            of_code = str(error).startswith(f"{code.own.code.class_name}:")
            raise ValueError(f"{run_dir}: {changed}{'' if of_code else f'{WEIGHTS} '}{error}") from error
        raise ValueError(f"{run_dir}: damaged: {WEIGHTS} {error}") from error
    if code.changed:
        _logger.warning("%s: %s; its weights fit, so they are used with the code as it is now", run_dir, code.changed)
    return Run(made, card)


class CodeOfRun(NamedTuple):
    """The code of a run's network, where that is one of one's own.

    Attributes
    ----------
    own : OwnNetwork or None
        What the user has named; None for other networks.
    changed : str or None
        How it differs from that of the training, in words; None if it is the same.
    """

    own: OwnNetwork | None
    changed: str | None

    @property
    def digest(self) -> str | None:
        """SHA-256 of code that has changed since the training; None if it has not."""
        return (self.own.code.sha256 or "unknown") if self.own is not None and self.changed else None


def code_of_run(
    run_dir: str | os.PathLike[str], card: Card, network: str | MakeModule | OwnNetwork | None
) -> CodeOfRun:
    """The code of a run's network, which a user has to name if it is one of one's own.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    card : Card
        Its card.
    network : str, class, callable or None
        As `load_run` takes it.

    Raises
    ------
    ValueError
        If it is missing, not wanted, or that of another network.
    """
    params = card.recipe.network
    if not isinstance(params, CustomParams):
        if network is not None:
            raise ValueError(f"{run_dir}: is of the recipe {card.recipe.name!r}, so leave out the network")
        return CodeOfRun(None, None)
    if network is None:
        raise ValueError(f"{run_dir}: {without_code(params.code)}")
    own = own_network(network)
    try:
        return CodeOfRun(own, change_of_code(params.code, own))
    except ValueError as error:
        raise ValueError(f"{run_dir}: {error}") from None


def refuse_own_network(run_dir: str | os.PathLike[str], why: str) -> None:
    """Raise ValueError if a run's network is one of one's own, where that is of no use.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    why : str
        Why it is of none, in words.
    """
    network = read_card(run_dir).recipe.network
    if isinstance(network, CustomParams):
        raise ValueError(f"{run_dir}: is of a network of one's own, {network.code.name}, {why}")


def require_code_of_then(run_dir: str | os.PathLike[str], card: Card, own: OwnNetwork | None, why: str) -> None:
    """Raise ValueError if the code of a network of one's own has changed since a run was trained.

    Parameters
    ----------
    run_dir : str or path-like
        The run.
    card : Card
        Its card.
    own : OwnNetwork or None
        What the user has named.
    why : str
        What needs the very code, in words.
    """
    changed = code_of_run(run_dir, card, own).changed
    if changed:
        raise ValueError(f"{run_dir}: {changed}; {why}, so it needs the code of then")


def _read_weights(run_dir: str | os.PathLike[str], card: Card) -> bytes:
    """The bytes of a run's weights, whose digest must be that of the card."""
    path = Path(run_dir, WEIGHTS)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    weights = path.read_bytes()
    if hashlib.sha256(weights).hexdigest() != card.network.sha256:
        raise ValueError(f"{run_dir}: damaged: {WEIGHTS} is not the one of the card: its SHA-256 differs")
    return weights


def network_from(
    weights: bytes,
    recipe: Recipe,
    *,
    sha256: str,
    n_units: int,
    n_classes: int,
    make: MakeModule | None = None,
) -> Network:
    """The network of a card, on the CPU, in evaluation mode.

    Parameters
    ----------
    weights : bytes
        The file of its weights, also one of weights in eight bits.
    recipe : Recipe
        Its recipe.
    sha256 : str
        SHA-256 of the file, as the card has it.
    n_units, n_classes : int
        Sizes of the network [1].
    make : callable, optional
        Makes the module of a network of one's own.

    Raises
    ------
    ValueError
        If the file is not the one of the card; the message begins with the fault.
    """
    import safetensors.torch

    if hashlib.sha256(weights).hexdigest() != sha256:
        raise ValueError("is not the one of the card: its SHA-256 differs")
    # the weights that it draws are replaced
    network = network_of(recipe, n_units=n_units, n_classes=n_classes, seed=0, make=make)
    try:
        tensors = dequantize(safetensors.torch.load(weights))
        shapes, expected = ({k: tuple(v.shape) for k, v in d.items()} for d in (tensors, network.state_dict()))
        if shapes != expected:
            first = min(k for k in shapes.keys() | expected.keys() if shapes.get(k) != expected.get(k))
            raise ValueError(f"has {first} of shape {shapes.get(first)}, the card asks for {expected.get(first)}")
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError, safetensors.SafetensorError) as error:
        raise ValueError(f"cannot be read: {error}") from error
    return network.eval()


def read_split(run_dir: str | os.PathLike[str], card: Card, sources: Sequence[str]) -> Split:
    """The split of a run.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    card : Card
        Its card.
    sources : sequence of str
        Name of each clip of its spike file, as `spikedata.events.Events` has them.

    Raises
    ------
    FileNotFoundError
        If the file of the split is gone.
    ValueError
        If it is not the split of the card.
    """
    path = Path(run_dir, SPLIT)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    split = Split.from_json(path.read_text(encoding="utf-8"), sample_names(sources))
    if split.digest != card.split.digest:
        raise ValueError(f"{path}: is not the split of the card: its digest differs")
    return split


def write_card(run_dir: str | os.PathLike[str], card: Card) -> None:
    """Replace a run's card by a newer one, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written; the older card is then still there.
    """
    write_atomically(Path(run_dir, CARD), card_bytes(card), overwrite=True)


def update_card(run_dir: str | os.PathLike[str], change: Callable[[Card], Card]) -> Card:
    """Change a run's card under a lock, so that nothing that other processes have added is lost.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    change : callable
        Given the card as it is now, gives the one to write. What takes long is done before.

    Returns
    -------
    Card
        The card as it was written.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_card`, and what ``change`` raises: the card is then as it was.
    OutputError
        If it cannot be written; the older card is then still there.
    """
    with holding(Path(run_dir, CARD)):
        card = change(read_card(run_dir))
        write_card(run_dir, card)
    return card


class Writable(Protocol):
    """What writes itself as types of JSON."""

    def to_json(self) -> dict[str, Any]:
        """Its types of JSON."""
        ...


def card_bytes(card: Writable) -> bytes:
    """A card as the bytes of its file: indented JSON, but each list of numbers on one line."""
    indented = json.dumps(card.to_json(), indent=1, ensure_ascii=False)
    return (_LIST_OF_NUMBERS.sub(lambda found: " ".join(found[0].split()), indented) + "\n").encode()


def weights_bytes(network: Network) -> bytes:
    """Weights as the bytes of their file."""
    import safetensors.torch

    # copies, since a module of one's own may use one tensor by two names
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in network.state_dict().items()}
    return safetensors.torch.save(tensors)


def _discard(temporary: Path, target: Path) -> None:
    """Remove what is left of an attempt; put an older run back that had been moved aside."""
    old = temporary / ".replaced"
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(temporary, ignore_errors=True)


def is_group(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is not a run itself but contains runs, finished or not."""
    return not Path(folder, CARD).is_file() and (has_finished_runs(folder) or bool(unfinished_runs(folder)))


def has_finished_runs(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder contains a finished run."""
    return bool(_finished(folder))


def runs_of_group(group_dir: str | os.PathLike[str]) -> list[Path]:
    """The folders of the finished runs of a group, by name.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    runs = _finished(group_dir)
    if not runs:
        begun = unfinished_runs(group_dir)
        hint = f", {', '.join(begun)} unfinished: run the training command again" if begun else ""
        raise FileNotFoundError(f"{group_dir}: holds no finished run{hint}")
    return sorted(runs, key=lambda run: (len(run.name), run.name))


def unfinished_runs(group_dir: str | os.PathLike[str]) -> list[str]:
    """The names of a group's unfinished runs."""
    names = (path.name.removesuffix(UNFINISHED) for path in Path(group_dir).glob(f"[!.]*{UNFINISHED}"))
    return sorted((name for name in names if not Path(group_dir, name, CARD).is_file()), key=lambda n: (len(n), n))


def _finished(folder: str | os.PathLike[str]) -> list[Path]:
    # A hidden folder is a run that is being written right now.
    return [card.parent for card in Path(folder).glob(f"[!.]*/{CARD}")]


class ChosenRun(NamedTuple):
    """A run whose validation part has chosen the epoch.

    Parameters
    ----------
    path : Path
        Its folder.
    card : Card
        Its result card, with its recipe.
    epochs : tuple of EpochRecord
        The epochs up to the chosen one; all of them if the learning rate goes to 0 only at the end.
    """

    path: Path
    card: Card
    epochs: tuple[EpochRecord, ...]

    @property
    def entry(self) -> RefitEntry:
        """The entry for it on the card of a refit."""
        return RefitEntry(
            run=self.path.absolute().name,
            weights=self.card.network.sha256,
            epochs=len(self.epochs),
            seed=self.card.seed,
        )

    @property
    def validation(self) -> ScoreEntry:
        """The validation score of its choice."""
        return self.card.validation


def read_chosen_run(run_dir: str | os.PathLike[str]) -> ChosenRun:
    """A finished run and what its validation part has chosen, for a refit.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.

    Raises
    ------
    FileNotFoundError
        If there is no such run, or its history is gone.
    ValueError
        If it is damaged, several runs, itself a refit, or not trained by epochs.
    """
    if is_group(run_dir):
        raise ValueError(f"{run_dir}: holds several runs; name the one that chose, as {runs_of_group(run_dir)[0]}")
    card = read_card(run_dir)
    if isinstance(card.recipe.network, CustomParams):
        _read_weights(run_dir, card)  # their digest is checked without their code
    else:
        load_run(run_dir)
    if card.refit:
        raise ValueError(f"{run_dir}: is a refit itself; name the run that chose, of which it was made")
    recipe = card.recipe
    if recipe.training is None:
        raise ValueError(f"{run_dir}: recipe {recipe.name!r} is not trained by epochs, so there is nothing to refit")
    path = Path(run_dir, HISTORY)
    history, n_epochs = read_history(path), card.training.epochs
    if [record.epoch for record in history] != list(range(1, n_epochs + 1)):
        raise ValueError(f"{path}: is not the history of the card: it must have a row for each of its epochs")
    if recipe.training.schedule not in ANNEALED:
        n_epochs = card.training.best_epoch
    return ChosenRun(Path(run_dir), card, history[:n_epochs])
