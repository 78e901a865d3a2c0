"""The online rules as they are written: eligibility traces of all synapses, step by step, on any device.

This is the judge of the compiled form, and what runs on a GPU. It keeps several numbers for each clip and synapse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from spikedata.learning.feedback import feedback_weights
from spikedata.learning.rules import Objective, Online, add_gradients, as_objective, check_online, check_uniform
from spikedata.nn.networks import Activity, Inputs, SpikingNetwork, class_scores
from spikedata.nn.networks.inputs import as_dense, check_inputs
from spikedata.nn.networks.layers import SpikingLayer
from spikedata.nn.neurons import AdLIFFractions, AdLIFParams, ALIFParams, IntegratorParams, LIFParams
from spikedata.nn.neurons import adlif_coefficients as coefficients_of
from spikedata.nn.surrogate import surrogate_derivative


@torch.no_grad()
def online_gradients_plain(
    network: SpikingNetwork,
    inputs: Inputs,
    objective: Tensor | Objective,
    *,
    rule: str = "eprop",
    feedback: str = "symmetric",
    feedback_seed: int = 0,
) -> Online:
    """Add the gradient of a loss by an online rule to each parameter's ``grad``: `online_gradients`, step by step.

    Parameters
    ----------
    network : SpikingNetwork
        Without delays, dropout and batch normalization.
    inputs : Tensor (batch, step, input), or ListBatch
        Spikes.
    objective : Tensor of int64, (batch,), or callable
        True classes, or what a few clips add to the objective; it is called once, with all clips.
    rule : str
        "eprop" or "superspike".
    feedback : str
        "symmetric", "random" or "uniform".
    feedback_seed : int
        Seed of random feedback [1].

    Returns
    -------
    Online
        Objective, scores and numbers of spikes.

    Raises
    ------
    ValueError
        If there is no such rule or feedback, or the rule does not fit the network or its inputs.
    """
    check_online(network, rule=rule, feedback=feedback)
    if isinstance(objective, Tensor):
        check_uniform(network, feedback=feedback)
    inputs = check_inputs(inputs, network.n_inputs, network.dt)
    readout = network.readout
    layers: list[SpikingLayer] = list(network.layers)  # type: ignore[arg-type]
    below = [as_dense(inputs, dtype=readout.projection.weight.dtype)]
    for layer in layers:
        below.append(layer(below[-1]))
    spikes = below[1:]
    values = readout(spikes[-1])
    judged = _judge(network, values, spikes, as_objective(objective, len(values)))
    online, errors, of_counts = judged
    upward = [layer.projection.weight for layer in layers[1:]] + [readout.projection.weight]
    back = feedback_weights(upward, feedback, seed=feedback_seed)
    gradients: dict[str, Tensor] = {}
    filtered = partial(_filtered, params=readout.integrator, dt=network.dt)
    ones = torch.ones_like(values[:, :, :1])
    traces = filtered(step[:, :, None] for step in torch.cat([spikes[-1], ones], dim=2).unbind(1))
    total = sum(
        (torch.einsum("bjx,bk->jk", z, g) for z, g in zip(traces, errors.unbind(1), strict=True)),
        start=torch.zeros((), dtype=values.dtype, device=values.device),
    )
    _put(gradients, "readout", readout.projection, total)
    for i, layer in enumerate(layers):
        signals = errors @ back[i]
        found = eligibility_sum(layer, below[i], spikes[i], rule, signals, filtered)
        of_count = of_counts[i]
        if of_count is not None:  # each spike counts once, when it is fired
            found = found + eligibility_sum(layer, below[i], spikes[i], rule, of_count[:, None].expand_as(spikes[i]))
        _put(gradients, f"layers.{i}", layer.projection, found)
        n_inputs = layer.projection.weight.shape[0]
        if layer.recurrent_weight is not None:
            gradients[f"layers.{i}.recurrent_weight"] = found[n_inputs + 1 : n_inputs + 1 + spikes[i].shape[2]]
        if isinstance(layer.neuron, AdLIFParams) and rule == "eprop":
            gradients[f"layers.{i}.fractions"] = found[-4:]
    add_gradients(network, gradients)
    return online


def eligibility_sum(
    layer: SpikingLayer,
    inputs: Tensor,
    spikes: Tensor,
    rule: str,
    signals: Tensor,
    filtered: Callable[[Iterator[Tensor]], Iterator[Tensor]] = iter,
) -> Tensor:
    """The sum over clips and steps of learning signals times eligibility traces.

    Parameters
    ----------
    layer : SpikingLayer
        Layer whose weights are to learn.
    inputs : Tensor, (batch, step, from)
        Spikes of the layer below.
    spikes : Tensor, (batch, step, neuron)
        Spikes of the layer.
    rule : str
        "eprop" or "superspike".
    signals : Tensor, (batch, step, neuron)
        Learning signals [1].
    filtered : callable
        Filter of the traces over time. Default: none.

    Returns
    -------
    Tensor, (row, neuron)
        Rows: those of the input weights, of the bias, of the recurrent weights (also where there are none), and, of
        AdLIF neurons, of the four coefficients.
    """
    before = spikes
    if not isinstance(layer.neuron, LIFParams):  # their spikes reach the layer one step later
        before = torch.cat([torch.zeros_like(spikes[:, :1]), spikes[:, :-1]], dim=1)
    arriving = torch.cat([inputs, torch.ones_like(inputs[:, :, :1]), before], dim=2)
    traces = filtered(_traces(layer, arriving, rule == "eprop"))
    total = torch.zeros((), dtype=signals.dtype, device=signals.device)
    for signal, trace in zip(signals.unbind(1), traces, strict=True):
        total = total + torch.einsum("bi,bji->ji", signal, trace)
    return total


def _traces(layer: SpikingLayer, arriving: Tensor, keeps: bool) -> Iterator[Tensor]:
    """The eligibility traces (batch, row, neuron) of each step, for what arrives (batch, step, row)."""
    projection = layer.projection
    weight, n = projection.weight, projection.weight.shape[1]
    bias = torch.zeros_like(weight[:1]) if projection.bias is None else projection.bias[None]
    recurrent = weight.new_zeros(n, n) if layer.recurrent_weight is None else layer.recurrent_weight
    drive = arriving @ torch.cat([weight, bias, recurrent])
    match layer.neuron:
        case LIFParams():
            return _lif_traces(layer.neuron, drive, arriving, keeps, layer.dt)
        case ALIFParams():
            return _alif_traces(layer.neuron, drive, arriving, keeps, layer.dt)
        case AdLIFParams():
            coefficients = torch.stack(coefficients_of(AdLIFFractions(**layer.fractions), layer.neuron, dt=layer.dt))
            return _adlif_traces(layer.neuron, coefficients, drive, arriving, keeps)
    raise ValueError(f"no eligibility traces of {type(layer.neuron).__name__}")


def _lif_traces(neuron: LIFParams, drive: Tensor, arriving: Tensor, keeps: bool, dt: float) -> Iterator[Tensor]:
    alpha, beta = neuron.decays(dt)
    current = membrane = torch.zeros_like(drive[:, 0])
    of_current = of_membrane = torch.zeros((), dtype=drive.dtype, device=drive.device)
    for d, s_in in zip(drive.unbind(1), arriving.unbind(1), strict=True):
        above = membrane - neuron.threshold
        s = (above > 0).to(above)
        trace = surrogate_derivative(above, neuron.surrogate)[:, None] * (
            of_membrane + torch.zeros_like(s_in)[:, :, None]
        )
        yield trace
        decayed = beta * membrane + current
        of_membrane = beta * of_membrane + of_current
        if keeps and neuron.reset == "zero":
            of_membrane = of_membrane * (1 - s)[:, None]
        if keeps and not neuron.detach_reset:
            lost = decayed if neuron.reset == "zero" else torch.full_like(decayed, neuron.threshold)
            of_membrane = of_membrane - lost[:, None] * trace
        of_current = alpha * of_current + s_in[:, :, None]
        membrane = decayed * (1 - s) if neuron.reset == "zero" else decayed - neuron.threshold * s
        current = alpha * current + d


def _alif_traces(neuron: ALIFParams, drive: Tensor, arriving: Tensor, keeps: bool, dt: float) -> Iterator[Tensor]:
    alpha, rho = neuron.decays(dt)
    membrane = adaptation = s = waiting = torch.zeros_like(drive[:, 0])
    of_membrane = of_adaptation = trace = torch.zeros((), dtype=drive.dtype, device=drive.device)
    strength = neuron.adaptation if keeps else 0.0
    for d, s_in in zip(drive.unbind(1), arriving.unbind(1), strict=True):
        membrane = alpha * membrane + d - neuron.threshold * s
        adaptation = rho * adaptation + s
        waiting = torch.where(s > 0, float(neuron.n_refractory(dt)), (waiting - 1).clamp(min=0))
        above = membrane - neuron.threshold - neuron.adaptation * adaptation
        s = ((above > 0) & (waiting == 0)).to(above)
        of_membrane = alpha * of_membrane + s_in[:, :, None]
        if keeps and not neuron.detach_reset:
            of_membrane = of_membrane - neuron.threshold * trace
        of_adaptation = rho * of_adaptation + trace
        psi = surrogate_derivative(above, neuron.surrogate) * (waiting == 0)
        trace = psi[:, None] * (of_membrane - strength * of_adaptation)
        yield trace


def _adlif_traces(
    neuron: AdLIFParams, coefficients: Tensor, drive: Tensor, arriving: Tensor, keeps: bool
) -> Iterator[Tensor]:
    alpha, beta, a, b = coefficients
    held = s = opposing = torch.zeros_like(drive[:, 0])  # r, s, w
    n_rows = arriving.shape[2] + 4  # four more for the coefficients
    of_held = of_opposing = trace = drive.new_zeros(len(drive), n_rows, drive.shape[2])
    symplectic = neuron.scheme == "symplectic"
    for d, s_in in zip(drive.unbind(1), arriving.unbind(1), strict=True):
        nothing = torch.zeros_like(d)
        injected = ((1 - alpha) * s_in[:, :, None]).expand(-1, -1, d.shape[1])
        of_alpha = held - (d - opposing)
        into = torch.cat([injected, torch.stack([of_alpha, nothing, nothing, nothing], dim=1)], dim=1)
        of_membrane = alpha * of_held - (1 - alpha) * of_opposing * keeps + into
        membrane = alpha * held + (1 - alpha) * (d - opposing)
        if not symplectic:
            of_opposing = _of_adaptation(beta * of_opposing + a * of_held + b * trace, opposing, held, s)
            opposing = beta * opposing + a * held + b * s
        above = membrane - neuron.threshold
        s = (above > 0).to(above)
        trace = surrogate_derivative(above, neuron.surrogate)[:, None] * of_membrane
        of_held = of_membrane
        if keeps and neuron.reset == "zero":
            of_held = of_held * (1 - s)[:, None]
        if keeps and not neuron.detach_reset:
            lost = membrane if neuron.reset == "zero" else torch.full_like(membrane, neuron.threshold)
            of_held = of_held - lost[:, None] * trace
        held = membrane * (1 - s) if neuron.reset == "zero" else membrane - neuron.threshold * s
        if symplectic:
            of_opposing = _of_adaptation(beta * of_opposing + a * of_held + b * trace, opposing, held, s)
            opposing = beta * opposing + a * held + b * s
        yield trace


def _of_adaptation(passed_on: Tensor, opposing: Tensor, held: Tensor, s: Tensor) -> Tensor:
    """The derivatives of the adaptation, with what the coefficients beta, a and b themselves do to it."""
    directly = torch.stack([opposing, held, s], dim=1)
    return torch.cat([passed_on[:, :-3], passed_on[:, -3:] + directly], dim=1)


def _filtered(steps: Iterator[Tensor], *, params: IntegratorParams, dt: float) -> Iterator[Tensor]:
    """Each step as the readout filters it."""
    beta = math.exp(-dt / params.tau_mem)
    alpha = None if params.tau_syn is None else math.exp(-dt / params.tau_syn)
    current: Any = 0.0
    membrane: Any = 0.0
    for step in steps:
        if alpha is None:
            membrane = beta * membrane + (1 - beta) * step
            yield membrane
        else:
            yield membrane + torch.zeros_like(step)
            membrane = beta * membrane + current
            current = alpha * current + step


def _judge(
    network: SpikingNetwork, values: Tensor, spikes: list[Tensor], objective: Objective
) -> tuple[Online, Tensor, list[Tensor | None]]:
    """What `Online` tells, and the objective's gradient with respect to the readout and the numbers of spikes."""
    with torch.enable_grad():
        readout = values.detach().requires_grad_()
        counts = [layer.sum(dim=1).requires_grad_() for layer in spikes]
        logits = class_scores(readout, network.params.readout)
        value = objective(Activity(logits, readout, tuple(count[:, None] for count in counts)), slice(0, len(values)))
        of_readout, *of_counts = torch.autograd.grad(value, [readout, *counts], allow_unused=True)
    online = Online(value.detach(), logits.detach(), tuple(count.detach() for count in counts))
    return online, torch.zeros_like(values) if of_readout is None else of_readout, list(of_counts)


def _put(gradients: dict[str, Tensor], name: str, projection: Any, found: Any) -> None:
    n_inputs = projection.weight.shape[0]
    gradients[f"{name}.projection.weight"] = found[:n_inputs]
    if projection.bias is not None:
        gradients[f"{name}.projection.bias"] = found[n_inputs]
