"""What a training by SuperSpike carries from trial to trial, and its copy that a later process goes on from."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from spikedata.learning.superspike import SuperSpikeParams
from spikedata.learning.superspike_passes import Layer

_FORMAT = 1  # of a checkpoint

Array = npt.NDArray[Any]


class SuperSpikeCheckpoint(NamedTuple):
    """Everything that a training needs to go on as if it had never stopped.

    Parameters
    ----------
    identity : dict
        What must be the same to go on: params, seed, sizes, digest of the spikes.
    errors : ndarray of float64, shape (n_trials,)
        Errors of the finished trials [unmatched spikes].
    arrays : dict of str to ndarray
        States of neurons, traces and synapses, and the last output spikes of each clip.
    """

    identity: dict[str, Any]
    errors: npt.NDArray[np.float64]
    arrays: dict[str, Array]

    def to_bytes(self) -> bytes:
        """The checkpoint as the bytes of a NumPy archive, which runs no code when it is read."""
        header = np.frombuffer(json.dumps({"format": _FORMAT, "identity": self.identity}).encode(), np.uint8)
        file = io.BytesIO()
        named: Any = {f"arrays/{name}": array for name, array in sorted(self.arrays.items())}
        np.savez(file, header=header, errors=self.errors, **named)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The checkpoint in the bytes of a file.

        Parameters
        ----------
        content : bytes
            As `to_bytes` returns them.

        Raises
        ------
        ValueError
            If they are no checkpoint of this version.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            header = json.loads(held["header"].tobytes())
            if header["format"] != _FORMAT:
                raise ValueError(f"its format must be {_FORMAT}, got {header['format']}")
            arrays = {name.removeprefix("arrays/"): held[name] for name in held if name.startswith("arrays/")}
            return cls(header["identity"], held["errors"], arrays)
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"is no checkpoint of SuperSpike: {error}") from error


def check_identity(checkpoint: SuperSpikeCheckpoint, identity: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the first difference, unless a checkpoint is of this training."""
    there = {**checkpoint.identity, **checkpoint.identity["params"]}
    here = {**identity, **identity["params"]}
    for name, value in here.items():
        if name != "params" and there.get(name) != value:
            raise ValueError(f"checkpoint is of another training: {name} is {there.get(name)} there and {value} here")


def _empty_layer(shape: tuple[int, ...], dtype: str, *, has_excess: bool) -> Layer:
    n_post, n_pre = shape
    return Layer(
        weights=np.zeros((n_post, n_pre), dtype),
        by_input=np.zeros((n_pre, n_post), dtype),
        neurons=np.zeros((5, n_post), dtype),
        resting=np.zeros(n_post, np.int64),
        traces=np.zeros((2, n_pre), dtype),
        synapses=np.zeros((3, n_post, n_pre), dtype),
        peak=np.zeros((n_post, n_pre), dtype),
        excess=np.zeros(n_post if has_excess else 0, dtype),
        n_spikes=np.zeros(n_post, np.int64),
    )


class State(NamedTuple):
    """All that is carried from trial to trial, changed in place.

    Attributes
    ----------
    hidden, output : Layer
        Neurons and synapses; the hidden layer is empty if there is none.
    feedback : ndarray, shape (n_outputs, n_hidden)
        Weights that carry errors back, unless those are the weights onto the outputs.
    since_update : ndarray of int64, shape (1,)
        Steps since the last update.
    fired : list of tuple of ndarray, or of None
        Steps and units of the output spikes of each clip in its last trial.
    """

    hidden: Layer
    output: Layer
    feedback: Array
    since_update: Array
    fired: list[tuple[Array, Array] | None]

    @classmethod
    def fresh(cls, weights: tuple[Array, ...], feedback: Array, n_clips: int, params: SuperSpikeParams) -> Self:
        """The state before the first trial.

        Parameters
        ----------
        weights, feedback
            As `initial_weights` returns them.
        n_clips : int
            Number of clips.
        params : SuperSpikeParams
            Precision.
        """
        has_hidden = len(weights) == 2
        hidden = _empty_layer(weights[0].shape if has_hidden else (0, 0), params.dtype, has_excess=has_hidden)
        output = _empty_layer(weights[-1].shape, params.dtype, has_excess=False)
        state = cls(hidden, output, feedback, np.zeros(1, np.int64), [None] * n_clips)
        for layer, weight in zip(state.layers, weights, strict=True):
            layer.weights[:], layer.by_input[:] = weight, weight.T
        return state

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that there are."""
        return (self.hidden, self.output) if self.hidden.weights.size else (self.output,)

    def rest(self) -> None:
        """Bring neurons and traces to rest; weights and what has been accumulated stay."""
        for layer in self.layers:
            for array in (layer.neurons, layer.resting, layer.traces):
                array[:] = 0
            layer.synapses[:2] = 0

    def _named(self) -> dict[str, Array]:
        layers = {"hidden": self.hidden, "output": self.output}
        named = {f"{name}/{field}": a for name, layer in layers.items() for field, a in layer._asdict().items()}
        return {**named, "feedback": self.feedback, "since_update": self.since_update}

    def copies(self) -> dict[str, Array]:
        """Copies of all arrays by name, for a checkpoint."""
        arrays = {name: array.copy() for name, array in self._named().items()}
        return arrays | self._fired_arrays()

    def copy_to(self, arrays: dict[str, Array]) -> None:
        """Bring older copies up to date.

        Parameters
        ----------
        arrays : dict of str to ndarray
            As `copies` has made them.
        """
        for name, array in self._named().items():
            np.copyto(arrays[name], array)
        arrays.update(self._fired_arrays())  # made anew in each trial, so not copied

    def _fired_arrays(self) -> dict[str, Array]:
        return {f"fired/{i}": np.stack(pair) for i, pair in enumerate(self.fired) if pair is not None}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over the arrays of a checkpoint.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            As `copies` has made them.
        """
        for name, array in self._named().items():
            np.copyto(array, arrays[name])
        for number in range(len(self.fired)):
            if f"fired/{number}" in arrays:
                steps, units = arrays[f"fired/{number}"]
                self.fired[number] = steps, units
