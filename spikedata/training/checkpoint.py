"""The complete state of a training between two epochs, as one file that runs no code when it is read.

It is a safetensors file: tensors (current weights, weights of the best epoch, moments of the optimizer) by name, and
everything else (history, state of the generator, identity of the training) as JSON in its header. It is one file, so
that no two files can disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from spikedata.training.history import EpochRecord

CHECKPOINT_FORMAT = 1
_KEY = "spikedata"  # of the JSON in the header


class Checkpoint(NamedTuple):
    """Everything that a training needs to continue as if it had never stopped.

    Attributes
    ----------
    weights, best_weights : dict of str to Tensor
        State of the network now, and after the best epoch.
    moments : dict of int to dict of str to Tensor
        State of the optimizer for each parameter, by the parameter's number.
    history : tuple of EpochRecord
        The finished epochs.
    best_epoch : int
        Epoch with the best validation score, counted from 1.
    order : dict
        State of the generator that shuffles the clips.
    averaged : dict of str to Tensor
        Moving average of the network's states; empty if the training takes none.
    """

    weights: dict[str, Tensor]
    best_weights: dict[str, Tensor]
    moments: dict[int, dict[str, Tensor]]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    order: dict[str, Any]
    averaged: dict[str, Tensor] = {}  # noqa: RUF012  # never changed, as nothing in a checkpoint is

    @property
    def scored_weights(self) -> dict[str, Tensor]:
        """State of the network that was scored after the last epoch."""
        return self.averaged or self.weights


def checkpoint_bytes(checkpoint: Checkpoint, training: Mapping[str, Any]) -> bytes:
    """A checkpoint as the bytes of its file.

    Parameters
    ----------
    checkpoint : Checkpoint
        The checkpoint to write.
    training : mapping
        Identity of the training, in JSON's types: everything that must be the same to resume it.
    """
    import safetensors.torch

    tensors = {f"weights/{name}": tensor for name, tensor in checkpoint.weights.items()}
    tensors |= {f"best/{name}": tensor for name, tensor in checkpoint.best_weights.items()}
    tensors |= {f"averaged/{name}": tensor for name, tensor in checkpoint.averaged.items()}
    tensors |= {
        f"moments/{number}/{name}": tensor
        for number, named in checkpoint.moments.items()
        for name, tensor in named.items()
    }
    header = {
        "format": CHECKPOINT_FORMAT,
        "training": dict(training),
        "history": [list(record) for record in checkpoint.history],
        "best_epoch": checkpoint.best_epoch,
        "order": checkpoint.order,
    }
    separate = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(separate, metadata={_KEY: json.dumps(header)})


def checkpoint_from(content: bytes) -> tuple[Checkpoint, dict[str, Any]]:
    """The checkpoint in a file's bytes, and the identity of its training.

    Parameters
    ----------
    content : bytes
        As returned by `checkpoint_bytes`.

    Raises
    ------
    ValueError
        If they are no checkpoint of this version.
    """
    import safetensors.torch

    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_KEY])
        if header["format"] != CHECKPOINT_FORMAT:
            raise ValueError(f"its format must be {CHECKPOINT_FORMAT}, got {header['format']}")
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "moments": {}, "averaged": {}}
        for path, tensor in safetensors.torch.load(content).items():
            part, _, name = path.partition("/")
            parts[part][name] = tensor
        moments: dict[int, dict[str, Tensor]] = {}
        for path, tensor in parts["moments"].items():
            number, _, name = path.partition("/")
            moments.setdefault(int(number), {})[name] = tensor
        history = tuple(EpochRecord(*record) for record in header["history"])
        checkpoint = Checkpoint(
            parts["weights"],
            parts["best"],
            moments,
            history,
            int(header["best_epoch"]),
            dict(header["order"]),
            parts["averaged"],
        )
        return checkpoint, dict(header["training"])
    except (KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ValueError(f"is no checkpoint: {error}") from error


def difference(training: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first difference between two trainings, in words; None if they are the same.

    Parameters
    ----------
    training, other : mapping
        As for `checkpoint_bytes`, nested to any depth.

    Examples
    --------
    >>> difference({"seed": 1, "params": {"epochs": 3}}, {"seed": 1, "params": {"epochs": 4}})
    'epochs is 3 there and 4 here'
    """
    for key in {**training, **other}:
        there, here = (_by_number(json.loads(json.dumps(side.get(key)))) for side in (training, other))
        if there == here:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            return difference(there, here)
        return f"{key} is {there} there and {here} here"
    return None


def _by_number(value: Any) -> Any:
    """A list of objects, such as the neurons of several layers, as a dict by number: so one of them can differ."""
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return {str(number): part for number, part in enumerate(value)}
    return value
