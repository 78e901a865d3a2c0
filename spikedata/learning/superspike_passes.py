"""Compiled passes of SuperSpike: some steps of a network with its traces, and the update of the weights.

Weights stand still between two updates, so a block of steps is run in two goes: first all neurons step by step, which
keeps presynaptic traces, surrogates and errors of the block, then each synapse over the whole block, while its two
eligibility traces are in the cache. Every synapse does what the rule says, step after step; only the order in which
synapses take their turns differs from the plain form, and no sum is reordered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spikedata.compilation import Array, compiled

BLOCK = 32  # steps: the kept traces of 256 inputs are 32 KB in single precision, the first cache of most processors


class Layer(NamedTuple):
    """State of a layer of neurons and of the synapses onto it; empty arrays if there is no such layer.

    Attributes
    ----------
    weights : ndarray, shape (n_post, n_pre)
        Weights.
    by_input : ndarray, shape (n_pre, n_post)
        The same, transposed: what a presynaptic spike adds is one row.
    neurons : ndarray, shape (5, n_post)
        Synaptic current, membrane, error spikes filtered once and twice, and activity (own spikes, filtered).
    resting : ndarray of int64, shape (n_post,)
        Steps for which a neuron is still refractory.
    traces : ndarray, shape (2, n_pre)
        Presynaptic spikes, filtered once and twice.
    synapses : ndarray, shape (3, n_post, n_pre)
        Eligibility filtered once and twice, and what has been accumulated since the last update.
    peak : ndarray, shape (n_post, n_pre)
        Decaying maximum of the squared gradient.
    excess : ndarray, shape (n_post,)
        Sum of a power of the activity since the last update, for the heterosynaptic term.
    n_spikes : ndarray of int64, shape (n_post,)
        Spikes in this trial.
    """

    weights: Array
    by_input: Array
    neurons: Array
    resting: Array
    traces: Array
    synapses: Array
    peak: Array
    excess: Array
    n_spikes: Array


class Numbers(NamedTuple):
    """Constants of neurons and traces, in the dtype of the arrays.

    Attributes
    ----------
    alpha : float
        Decay of a synaptic current in a step.
    gain : float
        Share of the way to its target that a membrane, or a trace filtered twice, goes in a step: dt / tau_mem.
    threshold, steepness, floor : float
        Threshold, steepness of the surrogate, and the voltage below which that is zero.
    beta : float
        Decay of the activity in a step.
    exponent : float
        Power of the activity in the heterosynaptic term; 0 for no such term.
    negligible : float
        Size below which a state is set to zero, before it becomes a subnormal number.
    """

    alpha: float
    gain: float
    threshold: float
    steepness: float
    floor: float
    beta: float
    exponent: float
    negligible: float


class Spikes(NamedTuple):
    """Spikes of a trial, sorted by step.

    Attributes
    ----------
    steps, units : ndarray of int64, shape (n_spikes,)
        Step and unit of each.
    cursor : ndarray of int64, shape (1,)
        Index of the first spike that is not yet read, or of the first place that is free.
    """

    steps: Array
    units: Array
    cursor: Array


@compiled
def run_steps(
    first: int, last: int, given: Spikes, target: Spikes, fired: Spikes, hidden: Layer, output: Layer,
    feedback: Array, numbers: Numbers, n_rest: int, learns: bool, energy: Array,
) -> None:  # fmt: skip
    """Run the steps from `first` up to `last` of a trial, and accumulate what the synapses learn.

    All states in `hidden` and `output` are carried on. `feedback` (output, hidden) carries errors back. The spikes of
    the output are written to `fired`, which must have room for all; the squared error of each is added to `energy`.
    """
    n_hidden, n_output = hidden.weights.shape[0], output.weights.shape[0]
    dtype = output.weights.dtype
    slopes_hidden, errors_hidden = np.zeros((BLOCK, n_hidden), dtype), np.zeros((BLOCK, n_hidden), dtype)
    slopes_output, errors_output = np.zeros((BLOCK, n_output), dtype), np.zeros((BLOCK, n_output), dtype)
    kept_hidden = np.zeros((BLOCK, hidden.weights.shape[1]), dtype)
    kept_output = np.zeros((BLOCK, output.weights.shape[1]), dtype)
    arrived, sent = np.empty(given.units.size, np.int64), np.empty(n_hidden, np.int64)
    answered = np.empty(n_output, np.int64)
    one = dtype.type(1.0)
    step = first
    while step < last:
        n = min(last, (step // BLOCK + 1) * BLOCK) - step  # blocks end where they would if the trial were not cut
        for k in range(n):
            now = step + k
            n_arrived = _take(given, now, arrived)
            if n_hidden:
                _follow(hidden.traces, arrived[:n_arrived], numbers, kept_hidden[k])
                n_sent = _fire(hidden, arrived[:n_arrived], numbers, n_rest, slopes_hidden[k], sent)
                _follow(output.traces, sent[:n_sent], numbers, kept_output[k])
                n_answered = _fire(output, sent[:n_sent], numbers, n_rest, slopes_output[k], answered)
            else:
                _follow(output.traces, arrived[:n_arrived], numbers, kept_output[k])
                n_answered = _fire(output, arrived[:n_arrived], numbers, n_rest, slopes_output[k], answered)
            place = fired.cursor[0]
            for i in range(n_answered):
                fired.steps[place + i] = now
                fired.units[place + i] = answered[i]
            fired.cursor[0] = place + n_answered
            _decay(output.neurons[2], numbers.alpha)
            if n_hidden:
                _decay(hidden.neurons[2], numbers.alpha)
            for i in range(n_answered):
                output.neurons[2, answered[i]] -= one
                if n_hidden:
                    _add(-one, feedback[answered[i]], hidden.neurons[2])
            while target.cursor[0] < target.steps.size and target.steps[target.cursor[0]] == now:
                unit = target.units[target.cursor[0]]
                output.neurons[2, unit] += one
                if n_hidden:
                    _add(one, feedback[unit], hidden.neurons[2])
                target.cursor[0] += 1
            _low_pass(output.neurons[2], output.neurons[3], numbers, errors_output[k])
            if n_hidden:
                _low_pass(hidden.neurons[2], hidden.neurons[3], numbers, errors_hidden[k])
            for i in range(n_output):
                energy[i] += np.float64(errors_output[k, i]) ** 2
        if learns:
            ends = (step + n) % BLOCK == 0
            _learn(kept_output, slopes_output, errors_output, n, ends, numbers, output.synapses)
            if n_hidden:
                _learn(kept_hidden, slopes_hidden, errors_hidden, n, ends, numbers, hidden.synapses)
        step += n


@compiled
def _take(given: Spikes, now: int, arrived: Array) -> int:
    n = 0
    while given.cursor[0] < given.steps.size and given.steps[given.cursor[0]] == now:
        arrived[n] = given.units[given.cursor[0]]
        n += 1
        given.cursor[0] += 1
    return n


@compiled
def _follow(traces: Array, spikes: Array, numbers: Numbers, kept: Array) -> None:
    # z = alpha z + spikes;  psp += gain (z - psp)
    once, twice = traces[0], traces[1]
    _decay(once, numbers.alpha)
    for i in range(spikes.size):
        once[spikes[i]] += traces.dtype.type(1.0)
    _low_pass(once, twice, numbers, kept)


@compiled
def _low_pass(once: Array, twice: Array, numbers: Numbers, kept: Array) -> None:
    gain, tiny, zero = numbers.gain, numbers.negligible, twice.dtype.type(0.0)
    for j in range(twice.size):
        new = twice[j] + gain * (once[j] - twice[j])
        new = zero if abs(new) < tiny else new
        twice[j] = new
        kept[j] = new
    for j in range(once.size):
        once[j] = zero if abs(once[j]) < tiny else once[j]


@compiled
def _decay(row: Array, factor: float) -> None:
    for j in range(row.size):
        row[j] *= factor


@compiled
def _add(factor: float, row: Array, total: Array) -> None:
    for j in range(row.size):
        total[j] += factor * row[j]


@compiled
def _fire(layer: Layer, spikes: Array, numbers: Numbers, n_rest: int, slopes: Array, fired: Array) -> int:
    # I = alpha I + W spikes;  U += gain (I - U), and 0 at rest;  slope = 1 / (1 + beta |U - threshold|)^2
    current, membrane, activity, resting = layer.neurons[0], layer.neurons[1], layer.neurons[4], layer.resting
    zero, one = current.dtype.type(0.0), current.dtype.type(1.0)
    gain, tiny, floor = numbers.gain, numbers.negligible, numbers.floor
    _decay(current, numbers.alpha)
    for i in range(spikes.size):
        _add(one, layer.by_input[spikes[i]], current)
    for j in range(current.size):
        new = membrane[j] + gain * (current[j] - membrane[j])
        membrane[j] = zero if resting[j] > 0 or abs(new) < tiny else new
    for j in range(current.size):
        current[j] = zero if abs(current[j]) < tiny else current[j]
    for j in range(current.size):
        widened = one + numbers.steepness * abs(membrane[j] - numbers.threshold)
        slope = one / (widened * widened)
        slopes[j] = zero if membrane[j] < floor else slope
    for j in range(current.size):
        resting[j] -= resting[j] > 0
    n = 0
    for j in range(current.size):
        if membrane[j] > numbers.threshold:
            fired[n] = j
            n += 1
    for i in range(n):
        membrane[fired[i]] = zero
        resting[fired[i]] = n_rest
        layer.n_spikes[fired[i]] += 1
    if numbers.exponent > zero and layer.excess.size:
        _decay(activity, numbers.beta)
        for i in range(n):
            activity[fired[i]] += one
        if numbers.exponent == current.dtype.type(4.0):
            for j in range(current.size):
                squared = activity[j] * activity[j]
                layer.excess[j] += squared * squared
        else:
            for j in range(current.size):
                layer.excess[j] += activity[j] ** numbers.exponent
    return n


@compiled
def _learn(
    traces: Array, slopes: Array, errors: Array, n: int, ends: bool, numbers: Numbers, synapses: Array
) -> None:  # fmt: skip
    # e = alpha e + psp slope;  x += gain (e - x);  m += x error;  x is lambda in the paper. Four steps at a time: the
    # three states of a synapse are then read and written once for four.
    alpha, gain = numbers.alpha, numbers.gain
    tiny, zero = numbers.negligible, synapses.dtype.type(0.0)
    n_post, n_pre = synapses.shape[1:]
    for i in range(n_post):
        once, twice, total = synapses[0, i], synapses[1, i], synapses[2, i]
        k = 0
        while k + 4 <= n:
            p0, p1, p2, p3 = traces[k], traces[k + 1], traces[k + 2], traces[k + 3]
            s0, s1, s2, s3 = slopes[k, i], slopes[k + 1, i], slopes[k + 2, i], slopes[k + 3, i]
            f0, f1, f2, f3 = errors[k, i], errors[k + 1, i], errors[k + 2, i], errors[k + 3, i]
            for j in range(n_pre):
                e = alpha * once[j] + p0[j] * s0
                x = twice[j] + gain * (e - twice[j])
                m = total[j] + x * f0
                e = alpha * e + p1[j] * s1
                x += gain * (e - x)
                m += x * f1
                e = alpha * e + p2[j] * s2
                x += gain * (e - x)
                m += x * f2
                e = alpha * e + p3[j] * s3
                x += gain * (e - x)
                m += x * f3
                once[j], twice[j], total[j] = e, x, m
            k += 4
        while k < n:
            p, s, f = traces[k], slopes[k, i], errors[k, i]
            for j in range(n_pre):
                e = alpha * once[j] + p[j] * s
                x = twice[j] + gain * (e - twice[j])
                once[j], twice[j] = e, x
                total[j] += x * f
            k += 1
        if ends:
            for j in range(n_pre):
                once[j] = zero if abs(once[j]) < tiny else once[j]
                twice[j] = zero if abs(twice[j]) < tiny else twice[j]


@compiled
def update_weights(
    layer: Layer, n_steps: int, learning_rate: float, gamma: float, strength: float, bound: float, least: float
) -> bool:
    """RMaxProp after `n_steps` steps, with the heterosynaptic term of that `strength`; False if it is not finite."""
    weights, total, peak = layer.weights, layer.synapses[2], layer.peak
    dtype = weights.dtype.type
    share, zero, is_finite = dtype(1.0 / n_steps), dtype(0.0), True
    for i in range(weights.shape[0]):
        decay = strength * layer.excess[i] if layer.excess.size else zero
        for j in range(weights.shape[1]):
            gradient = (total[i, j] - decay * weights[i, j]) * share
            peak[i, j] = max(gradient * gradient, gamma * peak[i, j])
            new = weights[i, j] + learning_rate * gradient / (np.sqrt(peak[i, j]) + least)
            is_finite &= np.isfinite(new) and np.isfinite(gradient)
            weights[i, j] = min(max(new, -bound), bound)
            layer.by_input[j, i] = weights[i, j]
            total[i, j] = zero
    layer.excess[:] = zero
    return is_finite
