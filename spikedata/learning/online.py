"""Gradients by e-prop and SuperSpike: no error travels back through recurrent weights, so memory is flat in time.

**e-prop** (Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature
Communications 11:3625, 2020) keeps an eligibility trace for each synapse,

    x_ij[n+1] = A_i[n] x_ij[n] + b_i S_j[n],    e_ij[n] = psi_i[n] (derivative of the membrane, one of x_ij[n])

where x_ij is the derivative of neuron i's state by the weight from j to i, A_i[n] what the neuron itself makes of its
state, and psi_i the surrogate derivative. The gradient is the sum over the steps of L_i[n] times the trace, filtered as
the readout filters spikes, where L_i[n] = sum_k B_ik dLoss/dy_k[n] is the learning signal of the readout y. With B the
weights of the readout, it is the gradient of back-propagation through time that is cut where a spike enters recurrent
weights. **SuperSpike** (Zenke & Ganguli, Neural Computation 30:1514, 2018) is the same with reset and adaptation left
out of A_i, so that the trace is the filtered presynaptic spike train.

**How it is computed.** The sum is rearranged, but no term is left out. The filter of the readout is applied to the
learning signal, backward in time, instead of to the traces. Within a chunk of steps (`CHUNK`), the linear recursion of
the traces is run from the other end: for each neuron instead of each synapse. Only from one chunk to the next traces of
synapses are kept. A few clips at a time pass forward, have their loss computed, and pass backward; if they are longer
than a chunk, they pass forward a second time instead of being remembered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikedata.checks import whole_number
from spikedata.compilation import Array, compiled
from spikedata.learning.feedback import feedback_weights
from spikedata.learning.passes import Buffers, Cells, Chunk, State, at_rest, backward, cells_of, forward
from spikedata.learning.plain import online_gradients_plain
from spikedata.learning.rules import Objective, Online, add_gradients, as_objective, check_online, check_uniform
from spikedata.nn.kernels import run_integrator
from spikedata.nn.kernels.arguments import is_fused
from spikedata.nn.kernels.chunks import CHUNK as CLIPS
from spikedata.nn.kernels.chunks import over_chunks
from spikedata.nn.kernels.spike_lists import SpikeLists, gather_gradient, gather_rows, list_spikes
from spikedata.nn.kernels.weights import sum_in_order
from spikedata.nn.networks import Activity, Inputs, SpikingNetwork, class_scores
from spikedata.nn.networks.inputs import check_inputs
from spikedata.nn.networks.layers import SpikingLayer

#: Steps of all clips that pass together; of a longer clip, traces are kept by synapse from one such chunk to the next.
#: Enough for compiled passes, few enough for a cache of 32 MB.
CHUNK = 2048
_NEAR = 2**20  # bytes of gradient that fit a core's cache


def online_gradients(
    network: SpikingNetwork,
    inputs: Inputs,
    objective: Tensor | Objective,
    *,
    rule: str = "eprop",
    feedback: str = "symmetric",
    feedback_seed: int = 0,
    chunk: int = CHUNK,
) -> Online:
    """Add the gradient of a loss by an online rule to each parameter's ``grad``, as ``backward()`` adds the full one.

    The gradient is exact for the readout. For the last hidden layer it is that of the rule. Layers below get their
    learning signal straight from the classes, too, as if the readout read them out through the feedback weights. In the
    rule "superspike", weights and biases are trained, while the time constants and couplings of AdLIF neurons stay.

    On the CPU, memory does not depend on the number of clips, and the inputs and the readout of a few clips are all of
    it that grows with the number of steps. The result does not depend on the number of threads. On a GPU it is that of
    `online_gradients_plain`.

    Parameters
    ----------
    network : SpikingNetwork
        Without delays, dropout and batch normalization.
    inputs : Tensor (batch, step, input), or ListBatch
        Spikes.
    objective : Tensor of int64, (batch,), or callable
        True classes: the objective is the mean cross-entropy of the scores. Or a callable that is given the `Activity`
        of a few clips and the slice of the batch that they are, and returns what they add to the objective, which is
        the sum over all clips. The activity's spikes are (clip, 1, neuron): their number in the whole clip.
    rule : str
        "eprop" or "superspike".
    feedback : str
        How errors reach hidden neurons, see `feedback_weights`: "symmetric", "random" or "uniform".
    feedback_seed : int
        Seed of random feedback; the same one for the whole training [1].
    chunk : int
        Steps in which traces are kept by neuron [1]; it changes speed and memory, but the result by rounding only.

    Returns
    -------
    Online
        Objective, scores and numbers of spikes.

    Raises
    ------
    ValueError
        If there is no such rule or feedback, or the rule does not fit the network or its inputs.

    Examples
    --------
    >>> from spikedata.nn import SpikingNetworkParams, make_network
    >>> params = SpikingNetworkParams(hidden=(8,), duration=0.05)
    >>> network = make_network(params, n_units=3, n_classes=2, generator=torch.Generator().manual_seed(0))
    >>> online = online_gradients(network, torch.ones(4, 5, 3), torch.tensor([0, 1, 0, 1]))
    >>> tuple(online.logits.shape), tuple(network.layers[0].recurrent_weight.grad.shape)
    ((4, 2), (8, 8))
    """
    check_online(network, rule=rule, feedback=feedback)
    if isinstance(objective, Tensor):
        check_uniform(network, feedback=feedback)
    chunk = whole_number("chunk", chunk, at_least=1)
    check_inputs(inputs, network.n_inputs, network.dt)
    n_clips = len(inputs) if isinstance(inputs, Tensor) else len(inputs.offsets)
    if not n_clips:
        raise ValueError("inputs must hold a clip, got none")
    given = as_objective(objective, n_clips)
    weight = network.readout.projection.weight
    if not is_fused(weight):
        return online_gradients_plain(network, inputs, given, rule=rule, feedback=feedback, feedback_seed=feedback_seed)
    batch = _Batch(network, _listed(inputs, weight.dtype), given, rule, feedback, feedback_seed, chunk)
    parts = over_chunks(batch.of_clips, n_clips, CLIPS)
    gradients = {name: sum_in_order([part.gradients[name] for part in parts]) for name in parts[0].gradients}
    for i, cells in enumerate(_stack(network, rule=rule, feedback=feedback, seed=feedback_seed).cells):
        if cells.trains_coefficients:  # the passes leave this factor out
            gradients[f"layers.{i}.fractions"][0] /= 1.0 - torch.from_numpy(cells.coefficients[0]).double()
    add_gradients(network, gradients)
    return Online(
        torch.stack([part.loss for part in parts]).sum(),
        torch.cat([part.logits for part in parts]),
        tuple(torch.cat(layer) for layer in zip(*(part.counts for part in parts), strict=True)),
    )


class _Dense(NamedTuple):
    """Counts, of which a few clips at a time are listed."""

    counts: Array

    @property
    def n_steps(self) -> int:
        return int(self.counts.shape[1])

    def of_clips(self, begin: int, end: int) -> SpikeLists:
        some = self.counts[begin:end]
        room = int(np.count_nonzero(some)) + 2 * some.shape[2]
        starts, ends = np.zeros((2, *some.shape[:2]), np.int64)
        lists = SpikeLists(np.empty(room, np.uint32), np.empty(room, some.dtype), starts, ends)
        list_spikes(some, 0, len(some), *lists)
        return lists


class _Listed(NamedTuple):
    """Spikes that are lists already."""

    lists: SpikeLists

    @property
    def n_steps(self) -> int:
        return int(self.lists.starts.shape[1])

    def of_clips(self, begin: int, end: int) -> SpikeLists:
        return self.lists.of_clips(begin, end)


def _listed(inputs: Inputs, dtype: torch.dtype) -> _Dense | _Listed:
    if isinstance(inputs, Tensor):
        return _Dense(inputs.detach().to(dtype).contiguous().numpy())
    units, offsets = inputs.units.contiguous().numpy(), inputs.offsets.numpy()
    ones = np.ones(len(units), torch.empty(0, dtype=dtype).numpy().dtype)
    return _Listed(SpikeLists(units, ones, offsets[:, :-1], offsets[:, 1:]))


class _Part(NamedTuple):
    """Gradients of some clips, by the parameter's name, and what `Online` tells of them."""

    gradients: dict[str, Tensor]
    loss: Tensor
    logits: Tensor
    counts: tuple[Tensor, ...]


class _Batch(NamedTuple):
    """A batch, and how its gradients are to be made."""

    network: SpikingNetwork
    inputs: _Dense | _Listed
    objective: Objective
    rule: str
    feedback: str
    feedback_seed: int
    chunk: int

    def of_clips(self, begin: int, end: int) -> _Part:
        """The gradients of the clips from `begin` up to `end`, a few clips after the other."""
        stack = _stack(self.network, rule=self.rule, feedback=self.feedback, seed=self.feedback_seed)
        n_steps = self.inputs.n_steps
        n_chunks = -(-n_steps // self.chunk)
        length = -(-n_steps // n_chunks)
        together = max(1, CHUNK // n_steps)
        # made before anything else: small results between large arrays that come and go would scatter the memory
        kind = stack.readout.dtype
        logits = torch.from_numpy(np.zeros((end - begin, stack.readout.shape[1]), kind))
        counts = [np.zeros((end - begin, cell.n_neurons), kind) for cell in stack.cells]
        losses = torch.zeros(-(-(end - begin) // together), dtype=logits.dtype)
        for number, first in enumerate(range(begin, end, together)):
            clips = slice(first, min(first + together, end))
            lists = self.inputs.of_clips(clips.start, clips.stop)
            here = slice(clips.start - begin, clips.stop - begin)
            some = [count[here] for count in counts]
            losses[number] = _pass(stack, self.network, lists, clips, self.objective, length, logits[here], some)
        gradients = {name: torch.from_numpy(total) for name, total in stack.totals.items()}
        return _Part(gradients, losses.sum(), logits, tuple(torch.from_numpy(count) for count in counts))


class _Stack(NamedTuple):
    """The layers of a network, the feedback to each, and the gradients so far by the parameter's name."""

    cells: list[Cells]
    feedback: list[Tensor]
    readout: Array
    readout_bias: Array | None
    totals: dict[str, Array]
    buffers: Buffers


def _stack(network: SpikingNetwork, *, rule: str, feedback: str, seed: int) -> _Stack:
    layers: list[SpikingLayer] = list(network.layers)  # type: ignore[arg-type]
    cells = [cells_of(layer, keeps_adaptation=rule == "eprop") for layer in layers]
    projections = [layer.projection for layer in layers[1:]] + [network.readout.projection]
    readout = network.readout.projection
    kind = cells[0].weight.dtype
    totals: dict[str, Array] = {}
    for i, cell in enumerate(cells):
        totals[f"layers.{i}.projection.weight"] = np.zeros_like(cell.weight)
        if cell.bias is not None:
            totals[f"layers.{i}.projection.bias"] = np.zeros_like(cell.bias)
        if cell.recurrent_weight is not None:
            totals[f"layers.{i}.recurrent_weight"] = np.zeros_like(cell.recurrent_weight)
        if cell.trains_coefficients:
            totals[f"layers.{i}.fractions"] = np.zeros((4, cell.n_neurons))
    totals["readout.projection.weight"] = np.zeros(readout.weight.shape, kind)
    if readout.bias is not None:
        totals["readout.projection.bias"] = np.zeros(readout.bias.shape, kind)
    return _Stack(
        cells,
        feedback_weights([projection.weight for projection in projections], feedback, seed=seed),
        readout.weight.detach().contiguous().numpy(),
        None if readout.bias is None else readout.bias.detach().numpy(),
        totals,
        Buffers(readout.weight.dtype),
    )


def _pass(
    stack: _Stack,
    network: SpikingNetwork,
    lists: SpikeLists,
    clips: slice,
    objective: Objective,
    length: int,
    logits: Tensor,
    counts: list[Array],
) -> Tensor:
    """Pass a few clips forward, add their gradients to the totals, fill their scores and counts; return their loss."""
    n_clips, n_steps = lists.starts.shape
    bounds = [(first, min(first + length, n_steps)) for first in range(0, n_steps, length)]
    drive = stack.buffers.take("readout of all steps", (n_clips, n_steps, stack.readout.shape[1]))
    chunks: list[Chunk] = []
    states = [at_rest(cell, n_clips) for cell in stack.cells]
    for first, last in bounds:
        chunks = _forward(stack, lists, states, first, last)
        for count, chunk in zip(counts, chunks, strict=True):
            count += chunk.spikes[:, 1:].sum(axis=1)
        into = stack.buffers.take("readout", (n_clips, 1 + last - first, drive.shape[2]))
        gather_rows(*chunks[-1].upward, stack.readout, into)
        drive[:, first:last] = into[:, 1:]
    if stack.readout_bias is not None:
        drive += stack.readout_bias
    loss, grad_drive, grad_counts = _judge(network, drive, counts, objective, clips, logits)
    if "readout.projection.bias" in stack.totals:
        stack.totals["readout.projection.bias"] += grad_drive.sum(axis=(0, 1))
    traces = [_Traces.zero(cell, n_clips) for cell in stack.cells] if len(bounds) > 1 else []
    states = [at_rest(cell, n_clips) for cell in stack.cells]
    for first, last in bounds:
        if len(bounds) > 1:  # a single chunk is still there
            chunks = _forward(stack, lists, states, first, last)
        errors = stack.buffers.take("errors", (n_clips, 1 + last - first, drive.shape[2]))
        errors[:, 0] = 0
        errors[:, 1:] = grad_drive[:, first:last]
        _gather(chunks[-1].upward, errors, 0, stack.totals["readout.projection.weight"])
        below = _of_chunk(lists, first, last)
        for i, chunk in enumerate(chunks):
            _learn(stack, i, below, chunk, errors, grad_counts[i], traces[i] if traces else None, last == n_steps)
            below = chunk.upward
    return loss


def _forward(stack: _Stack, lists: SpikeLists, states: list[State], first: int, last: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    below = _of_chunk(lists, first, last)
    for i, (cell, state) in enumerate(zip(stack.cells, states, strict=True)):
        chunks.append(forward(cell, below, state, stack.buffers, str(i)))
        below = chunks[-1].upward
    return chunks


def _of_chunk(lists: SpikeLists, first: int, last: int) -> SpikeLists:
    """The lists of a chunk of steps, with a step without spikes in front."""
    starts, ends = np.zeros((2, len(lists.starts), 1 + last - first), np.int64)
    starts[:, 1:], ends[:, 1:] = lists.starts[:, first:last], lists.ends[:, first:last]
    return lists._replace(starts=starts, ends=ends)


def _judge(
    network: SpikingNetwork, drive: Array, counts: list[Array], objective: Objective, clips: slice, scores: Tensor
) -> tuple[Tensor, Array, list[Array | None]]:
    """What some clips add to the objective, and its gradient with respect to the readout's drive and the counts."""
    with torch.enable_grad():
        driven = torch.from_numpy(drive).requires_grad_()
        counted = [torch.from_numpy(count).requires_grad_() for count in counts]
        readout = run_integrator(driven, network.readout.integrator, dt=network.dt)
        logits = class_scores(readout, network.params.readout)
        value = objective(Activity(logits, readout, tuple(count[:, None] for count in counted)), clips)
        if not value.requires_grad:
            raise ValueError("the objective must depend on the activity that it is given, got a constant")
        of_drive, *of_counts = torch.autograd.grad(value, [driven, *counted], allow_unused=True)
    scores[:] = logits.detach()
    gradient = np.zeros_like(drive) if of_drive is None else of_drive.contiguous().numpy()
    return value.detach(), gradient, [None if found is None else found.numpy() for found in of_counts]


class _Traces(NamedTuple):
    """What later chunks need of all steps so far, for each clip: the traces of the synapses, and of single neurons.

    Attributes
    ----------
    inputs, recurrent : ndarray, (clip, 2, from, neuron)
        Of the weights; recurrent ones are empty if there are none.
    bias : ndarray, (clip, 2, neuron)
        Of the bias.
    coefficients : ndarray of float64, (clip, carried, 4, neuron)
        Of the coefficients of AdLIF neurons; empty if there are none.
    """

    inputs: Array
    recurrent: Array
    bias: Array
    coefficients: Array

    @classmethod
    def zero(cls, cells: Cells, n_clips: int) -> _Traces:
        n, kind = cells.n_neurons, cells.weight.dtype
        n_recurrent = 0 if cells.recurrent_weight is None else n
        return cls(
            np.zeros((n_clips, 2, len(cells.weight), n), kind),
            np.zeros((n_clips, 2, n_recurrent, n), kind),
            np.zeros((n_clips, 2, n), kind),
            np.zeros((n_clips, cells.n_carried, 4 if cells.trains_coefficients else 0, n)),
        )


def _learn(
    stack: _Stack,
    i: int,
    below: SpikeLists,
    chunk: Chunk,
    errors: Array,
    grad_counts: Array | None,
    traces: _Traces | None,
    is_last: bool,
) -> None:
    """Add to the totals what a chunk of steps does to the gradients of a layer, and take its traces to its end."""
    cells, totals, buffers = stack.cells[i], stack.totals, stack.buffers
    shape = chunk.spikes.shape
    given, gradient = buffers.take("grad_spikes", shape), buffers.take("grad_drive", shape)
    flat = torch.from_numpy(errors).flatten(0, 1)
    torch.mm(flat, stack.feedback[i], out=torch.from_numpy(given).flatten(0, 1))
    if grad_counts is not None:
        given += grad_counts[:, None]
    n_clips, _, n = shape
    carried = np.zeros((cells.n_carried, n_clips, n), given.dtype)
    weight = totals[f"layers.{i}.projection.weight"]
    bias, recurrent = totals.get(f"layers.{i}.projection.bias"), totals.get(f"layers.{i}.recurrent_weight")
    sums = totals.get(f"layers.{i}.fractions", np.empty((0, n)))
    backward(cells, chunk, given, carried, gradient, sums)
    _gather(below, gradient, 0, weight)
    recurrently = chunk.lists if cells.delay else chunk.upward
    if recurrent is not None:
        _gather(recurrently, gradient, cells.delay, recurrent)
    if bias is not None:
        bias += gradient[:, 1:].sum(axis=(0, 1))
    if traces is None:
        return
    for clip in range(n_clips):
        collect(traces.inputs[clip], carried[:2, clip], weight)
        if recurrent is not None:
            collect(traces.recurrent[clip], carried[:2, clip], recurrent)
    if bias is not None:
        bias += (np.moveaxis(carried[:2], 0, 1) * traces.bias).sum(axis=(0, 1))
    if sums.size:
        sums += (np.moveaxis(carried, 0, 1)[:, :, None] * traces.coefficients).sum(axis=(0, 1))
    if not is_last:
        _advance(stack, cells, chunk, below, recurrently, traces)


def _advance(
    stack: _Stack, cells: Cells, chunk: Chunk, below: SpikeLists, recurrently: SpikeLists, traces: _Traces
) -> None:
    """Take the traces from the beginning of a chunk to its end."""
    n_clips, _, n = shape = chunk.spikes.shape
    nothing = stack.buffers.take("grad_spikes", shape)
    nothing[:] = 0
    gradients = [stack.buffers.take(f"grad_drive {k}", shape) for k in range(2)]
    spare = stack.buffers.take("grad_drive", shape)
    # of the numbers at the end of the chunk, each in its turn is 1: what is carried to its beginning?
    onward = np.zeros((cells.n_carried, cells.n_carried, n_clips, n), nothing.dtype)
    new_sums = np.zeros_like(traces.coefficients)
    n_seeds = cells.n_carried if cells.trains_coefficients else 2
    for k in range(n_seeds):
        onward[k, k] = 1
        gradient = gradients[k] if k < 2 else spare
        if not cells.trains_coefficients:
            backward(cells, chunk, nothing, onward[k], gradient, np.empty((0, n)))
            continue
        for clip in range(n_clips):  # each clip has sums of its own
            one = chunk.of_clip(clip)
            its = np.ascontiguousarray(onward[k, :, clip : clip + 1])
            backward(cells, one, nothing[:1], its, gradient[clip : clip + 1], new_sums[clip, k])
            onward[k, :, clip] = its[:, 0]
    for clip in range(n_clips):
        phi = np.ascontiguousarray(onward[:2, :2, clip])
        advance(traces.inputs[clip], phi)
        advance(traces.recurrent[clip], phi)
        for k in range(2):
            of_clip = slice(clip, clip + 1)
            gather_gradient(*below.of_clips(clip, clip + 1), gradients[k][of_clip], 0, 1, traces.inputs[clip, k])
            if traces.recurrent.size:
                some = recurrently.of_clips(clip, clip + 1)
                gather_gradient(*some, gradients[k][of_clip], cells.delay, 1, traces.recurrent[clip, k])
    by_clip = np.moveaxis(onward, 2, 0)  # (clip, seed, carried, neuron)
    traces.bias[:] = np.einsum("bksn,bsn->bkn", by_clip[:, :2, :2], traces.bias)
    for k in range(2):
        traces.bias[:, k] += gradients[k][:, 1:].sum(axis=1)
    if new_sums.size:
        traces.coefficients[:] = np.einsum("bksn,bscn->bkcn", by_clip, traces.coefficients) + new_sums


def _gather(lists: SpikeLists, gradient: Array, delay: int, total: Array) -> None:
    together = max(1, _NEAR // max(gradient[0].nbytes, 1))
    gather_gradient(*lists, gradient, delay, together, total)


@compiled
def collect(traces: Array, carried: Array, total: Array) -> None:
    """Add to `total` (from, neuron) the traces (2, from, neuron), each times what is `carried` (2, neuron) to it."""
    first, second = carried[0], carried[1]
    for j in range(total.shape[0]):
        row, one, two = total[j], traces[0, j], traces[1, j]
        for i in range(row.size):
            row[i] += first[i] * one[i] + second[i] * two[i]


@compiled
def advance(traces: Array, phi: Array) -> None:
    """Take traces (2, from, neuron) over some steps without spikes: `phi` (2, 2, neuron) says to, then from where."""
    for j in range(traces.shape[1]):
        one, two = traces[0, j], traces[1, j]
        for i in range(one.size):
            new = phi[0, 0, i] * one[i] + phi[0, 1, i] * two[i]
            two[i] = phi[1, 0, i] * one[i] + phi[1, 1, i] * two[i]
            one[i] = new
