"""One layer over a chunk of steps, forward and backward, for the rules that cut the gradient between neurons.

The compiled passes are those of `spikedata.nn.kernels`; here the backward pass gets no gradient through recurrent
weights, so each neuron is on its own. Two numbers for each neuron carry the gradient from one step to the step before
(LIF: of current and membrane; AdLIF and ALIF: of membrane and adaptation), and the pass is linear in them. So what a
later chunk does to the weights' gradient follows from two passes over this chunk, each begun with one of the two
numbers 1 and the other 0.

All arrays of a chunk have one step more than the chunk, in front: the last step of the chunk before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch

from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.adlif import adlif_backward, adlif_forward
from spikedata.nn.kernels.alif import alif_backward, alif_forward
from spikedata.nn.kernels.arguments import negligible, scalars, surrogate_numbers
from spikedata.nn.kernels.lif import lif_backward, lif_forward
from spikedata.nn.kernels.recurrent_delays import delayed_of
from spikedata.nn.kernels.rows import list_active
from spikedata.nn.kernels.spike_lists import SpikeLists, gather_rows
from spikedata.nn.networks.layers import SpikingLayer
from spikedata.nn.neurons import AdLIFFractions, AdLIFParams, ALIFParams, LIFParams, adlif_coefficients

_NUMPY_OF: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64}


@dataclass(frozen=True)
class Cells:
    """The neurons of a layer and their weights, as the passes take them.

    Parameters
    ----------
    neuron : LIFParams, AdLIFParams or ALIFParams
        Kind of neuron.
    dt : float
        Length of a step [s].
    dtype : torch.dtype
        Of weights and results.
    weight : ndarray, (from, neuron)
        Weights of the inputs [1].
    recurrent_weight : ndarray, (neuron, neuron), or None
        Weights within the layer, if there are any [1].
    bias : ndarray, (neuron,), or None
        Trained constant, if there is one [1].
    coefficients : ndarray, (4, neuron)
        Of AdLIF neurons [1]; else empty.
    keeps_adaptation : bool
        Whether reset and adaptation count in the backward pass: in e-prop they do, in SuperSpike not.
    """

    neuron: LIFParams | AdLIFParams | ALIFParams
    dt: float
    dtype: torch.dtype
    weight: Array
    recurrent_weight: Array | None
    bias: Array | None
    coefficients: Array
    keeps_adaptation: bool

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[1])

    @property
    def delay(self) -> int:
        """Steps between a spike and what it injects into its own layer."""
        return 0 if isinstance(self.neuron, LIFParams) else 1

    @property
    def n_carried(self) -> int:
        """Numbers that the backward pass carries; that beyond the second concerns AdLIF's decay alone."""
        return 3 if isinstance(self.neuron, AdLIFParams) else 2

    @property
    def trains_coefficients(self) -> bool:
        """Whether the coefficients get a gradient."""
        return isinstance(self.neuron, AdLIFParams) and self.keeps_adaptation


def cells_of(layer: SpikingLayer, *, keeps_adaptation: bool) -> Cells:
    """The neurons of a network's layer."""
    weight = layer.projection.weight.detach()
    coefficients = torch.empty(4, 0, dtype=weight.dtype)
    if isinstance(layer.neuron, AdLIFParams):
        with torch.no_grad():
            found = adlif_coefficients(AdLIFFractions(**layer.fractions), layer.neuron, dt=layer.dt)
        coefficients = torch.stack(found).to(weight.dtype)
    recurrent, bias = layer.recurrent_weight, layer.projection.bias
    return Cells(
        neuron=cast(LIFParams | AdLIFParams | ALIFParams, layer.neuron),  # others are refused before
        dt=layer.dt,
        dtype=weight.dtype,
        weight=weight.contiguous().numpy(),
        recurrent_weight=None if recurrent is None else recurrent.detach().contiguous().numpy(),
        bias=None if bias is None else bias.detach().numpy(),
        coefficients=coefficients.numpy(),
        keeps_adaptation=keeps_adaptation,
    )


class State(NamedTuple):
    """What neurons carry from one chunk to the next, for each clip.

    Attributes
    ----------
    arrays : tuple of ndarray
        As the forward pass of the neuron takes them, each (clip, neuron) or (2, clip, neuron) [1].
    spikes : ndarray, (clip, neuron)
        Of the last step [1].
    """

    arrays: tuple[Array, ...]
    spikes: Array


def at_rest(cells: Cells, n_clips: int) -> State:
    """The state before the first step."""
    kind = _NUMPY_OF[cells.dtype]
    one, two = (n_clips, cells.n_neurons), (2, n_clips, cells.n_neurons)
    shapes = {LIFParams: (one, one), AdLIFParams: (two, one), ALIFParams: (one, two)}[type(cells.neuron)]
    return State(tuple(np.zeros(shape, kind) for shape in shapes), np.zeros(one, kind))


class Chunk(NamedTuple):
    """A chunk of steps of some clips, as its backward pass needs it; arrays are (clip, 1 + step, neuron).

    Attributes
    ----------
    membranes : ndarray
        Membranes of AdLIF neurons; membranes minus threshold of the others [1].
    decayed : ndarray
        LIF membranes before their reset [1]; empty if they are not needed.
    spikes : ndarray
        0 or 1.
    lists : SpikeLists
        The same spikes; of the first step those that reach the layer in the second, if there is such a delay.
    membrane_before : ndarray, (clip, neuron)
        Membrane of AdLIF neurons after the reset of the last step before [1]; else empty.
    """

    membranes: Array
    decayed: Array
    spikes: Array
    lists: SpikeLists
    membrane_before: Array

    @property
    def upward(self) -> SpikeLists:
        """The spikes of the chunk itself, without those of the step before."""
        ends = self.lists.ends.copy()
        ends[:, 0] = self.lists.starts[:, 0]
        return self.lists._replace(ends=ends)

    def of_clip(self, clip: int) -> Chunk:
        """One of the clips."""
        its = slice(clip, clip + 1)
        lists = self.lists.of_clips(clip, clip + 1)
        return Chunk(self.membranes[its], self.decayed[its], self.spikes[its], lists, self.membrane_before[its])


class Buffers:
    """Arrays that every chunk of steps overwrites: fresh memory would cost as much as the passes.

    Parameters
    ----------
    dtype : torch.dtype
        Data type of the arrays, unless another one is asked for.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._kind = _NUMPY_OF[dtype]
        self._flat: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, ...], kind: Any = None) -> Array:
        """The array of a name, with whatever it holds."""
        n = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < n:
            flat = self._flat[name] = np.empty(n, kind or self._kind)
        return flat[:n].reshape(shape)


@compiled
def list_last(spikes: Array, units: Array, values: Array, starts: Array, ends: Array) -> int:
    """List spikes (clip, neuron) as those of step 0; return how many there are."""
    n = 0
    for clip in range(spikes.shape[0]):
        starts[clip, 0] = n
        n += list_active(spikes[clip], units[n:], values[n:])
        ends[clip, 0] = n
    return n


def forward(cells: Cells, inputs: SpikeLists, state: State, buffers: Buffers, name: str) -> Chunk:
    """Run the neurons over a chunk; the state goes on to its end.

    Parameters
    ----------
    cells : Cells
        The neurons.
    inputs : SpikeLists
        Spikes of the layer below, by clip and 1 + step; none in the first.
    state : State
        Changed in place.
    buffers : Buffers
        Where the chunk is kept, until the next one of this name.
    name : str
        Name of the layer.
    """
    n_clips, n_steps = inputs.starts.shape
    shape = n_clips, n_steps, cells.n_neurons
    drive = buffers.take("drive", shape)
    gather_rows(*inputs, cells.weight, drive)
    if cells.bias is not None:
        drive += cells.bias
    neuron, room = cells.neuron, (n_clips * n_steps + 1) * cells.n_neurons
    keeps_decayed = isinstance(neuron, LIFParams) and neuron.reset == "zero" and not neuron.detach_reset
    chunk = Chunk(
        membranes=buffers.take(f"{name} membranes", shape),
        decayed=buffers.take(f"{name} decayed", shape if keeps_decayed else (0, 0, 0)),
        spikes=buffers.take(f"{name} spikes", shape),
        lists=SpikeLists(
            buffers.take(f"{name} units", (room,), np.uint32),
            buffers.take(f"{name} values", (room,)),
            *np.zeros((2, n_clips, n_steps), np.int64),
        ),
        membrane_before=state.arrays[0][0].copy() if isinstance(neuron, AdLIFParams) else drive[:0, 0],
    )
    chunk.spikes[:, 0] = state.spikes
    n_listed = np.zeros(1, np.int64)
    if cells.delay:
        n_listed[0] = list_last(state.spikes, *chunk.lists)
    # the passes list spikes of recurrent layers alone
    weight = drive[0, :1] if cells.recurrent_weight is None else cells.recurrent_weight
    least, gathers = negligible(cells.dtype), cells.recurrent_weight is not None
    kept = (chunk.membranes, chunk.decayed) if isinstance(neuron, LIFParams) else (chunk.membranes,)
    given: Any = (drive, weight, gathers)
    rest: Any = (
        0,
        n_clips,
        1,
        n_steps,
        *state.arrays,
        *kept,
        chunk.spikes,
        *chunk.lists,
        n_listed,
        *_no_delays(cells.dtype),
    )
    match neuron:
        case LIFParams():
            numbers = scalars(cells.dtype, *neuron.decays(cells.dt), neuron.threshold)
            rules: Any = (*numbers, neuron.reset == "zero", least)
            lif_forward(*given, *rules, *rest)
        case AdLIFParams():
            resets = neuron.reset == "zero", neuron.scheme == "symplectic"
            rules = (cells.coefficients, *scalars(cells.dtype, neuron.threshold), *resets, least)
            adlif_forward(*given, *rules, *rest)
        case ALIFParams():
            numbers = *neuron.decays(cells.dt), neuron.threshold, neuron.adaptation, neuron.n_refractory(cells.dt)
            rules = (*scalars(cells.dtype, *numbers), least)
            alif_forward(*given, *rules, *rest)
    state.spikes[:] = chunk.spikes[:, -1]
    return chunk


def backward(cells: Cells, chunk: Chunk, grad_spikes: Array, carried: Array, grad_drive: Array, sums: Array) -> None:
    """Run the neurons backward over a chunk, each on its own.

    Parameters
    ----------
    cells : Cells
        The neurons.
    chunk : Chunk
        What `forward` kept.
    grad_spikes : ndarray, (clip, 1 + step, neuron)
        Gradient of the spikes, without what they do to this layer.
    carried : ndarray, (carried, clip, neuron)
        Gradient that the end of the chunk gets from later ones; becomes that of its beginning.
    grad_drive : ndarray, (clip, 1 + step, neuron)
        Filled, but for its first step.
    sums : ndarray of float64, (4, neuron)
        The gradient of AdLIF's coefficients is added to it, unless it is empty; that of the first still has to be
        divided by 1 - membrane decay.
    """
    neuron, keeps = cells.neuron, cells.keeps_adaptation
    surrogate = *surrogate_numbers(neuron.surrogate, cells.dtype), negligible(cells.dtype)
    n_clips, n_steps = grad_drive.shape[:2]
    places = 0, n_clips, 1, n_steps
    alone = np.empty((0, 0), grad_drive.dtype)  # no gradient comes through recurrent weights
    detached = neuron.detach_reset or not keeps
    match neuron:
        case LIFParams():
            numbers = scalars(cells.dtype, *neuron.decays(cells.dt), neuron.threshold)
            resets = neuron.reset == "zero" and keeps, detached
            rules: Any = (*numbers, *resets, *surrogate)
            taken: Any = (chunk.membranes, chunk.decayed, grad_spikes, alone, *rules, *places, *carried, grad_drive)
            lif_backward(*taken)
        case AdLIFParams():
            coefficients = cells.coefficients.copy()
            if not keeps:
                coefficients[2:] = 0
            schemes = neuron.reset == "zero" and keeps, detached, neuron.scheme == "symplectic"
            rules = (coefficients, *scalars(cells.dtype, neuron.threshold), *schemes, *surrogate)
            filled = carried, np.empty_like(chunk.membrane_before), grad_drive, sums
            taken = (chunk.membranes, grad_spikes, alone, *rules, *places, *filled)
            adlif_backward(*taken)
            if sums.size:  # the pass cannot see the last step before
                sums[0] += (carried[0] * (chunk.membrane_before - chunk.membranes[:, 1])).sum(axis=0)
        case ALIFParams():
            adaptation = neuron.adaptation if keeps else 0.0
            numbers = scalars(cells.dtype, *neuron.decays(cells.dt), neuron.threshold, adaptation)
            rules = (*numbers, detached, *surrogate)
            taken = (chunk.membranes, grad_spikes, alone, *rules, *places, *carried, grad_drive)
            alif_backward(*taken)


def _no_delays(dtype: torch.dtype) -> tuple[Array, Array, Array]:
    return delayed_of(None, torch.empty(0, 0, 0, dtype=dtype)).arrays()
