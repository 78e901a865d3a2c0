"""LIF neurons in continuous time, event by event, with exact gradients: EventProp.

Wunderlich & Pehle, "Event-based backpropagation can compute exact gradients for spiking neural networks", Scientific
Reports 11:12829 (2021). Between events ::

    tau_mem dV/dt = I - V,    tau_syn dI/dt = -I

an input spike of unit j at t adds its weights to I, and a neuron whose V rises to the threshold fires, after which V is
exactly 0. There is no grid: with k(s) the membrane's response to a jump of I by 1 ::

    I(t + s) = I exp(-s/tau_syn),    V(t + s) = V exp(-s/tau_mem) + I k(s),
    k(s) = tau_syn / (tau_mem - tau_syn) (exp(-s/tau_mem) - exp(-s/tau_syn)),  or s/tau exp(-s/tau) if both are tau

so V has at most one maximum between events, known in closed form, and V rises to the threshold only while I exceeds it.
Backward in time, the adjoint variables obey ::

    lambda_I <- lambda_I exp(-s/tau_syn) + lambda_V (tau_mem/tau_syn) k(s),    lambda_V <- lambda_V exp(-s/tau_mem)

and at a spike k of neuron n, with I its current before the spike's own effects ::

    lambda_V,n += [threshold lambda_V,n + sum_m W_nm (lambda_V,m - lambda_I,m) + dL/dt_k] / (I - threshold)

The gradients are dL/dW_jm = -tau_syn lambda_I,m summed over the spikes of j, and, for a spike of an input j,
dL/dt = sum_m W_jm (lambda_V,m - lambda_I,m); so layers can be stacked, and spikes be delayed, with PyTorch's own chain.
The gradient knows nothing of spikes that appear or disappear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikedata.checks import Positive, checked
from spikedata.compilation import Array, compiled
from spikedata.nn.kernels.arguments import is_fused
from spikedata.nn.kernels.chunks import over_chunks
from spikedata.nn.neurons import LIFParams

_MOST_SPIKES = 1000  # of a neuron in a clip, on average over a layer: far more than any network that has learned
_SMALLEST_SLOPE = 1e-9  # of the threshold; a membrane that only touches it would have an infinite gradient
_NEAR = 1e-2  # relative difference of two rates; with three points, Gauss's rule is then exact to 1e-15
_GAUSS_PLACES, _GAUSS_PARTS = (0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5), (5 / 18, 8 / 18, 5 / 18)
_LARGEST_POWER = 8  # of a polynomial that is solved as one
_ITERATIONS = 100  # at the very most; nearly all crossings take three


class SpikeTimes(NamedTuple):
    """The spikes of some clips in continuous time, sorted by clip and time.

    Parameters
    ----------
    times : Tensor of float64, (n_spikes,)
        Time of each spike [s].
    units : Tensor of int64, (n_spikes,)
        Unit of each spike [1].
    offsets : Tensor of int64, (batch + 1,)
        The spikes of clip b are those from ``offsets[b]`` up to ``offsets[b + 1]`` [1].
    """

    times: Tensor
    units: Tensor
    offsets: Tensor


@compiled
def factors(s: float, tau_mem: float, tau_syn: float) -> tuple[float, float, float]:
    """exp(-s/tau_mem), exp(-s/tau_syn) and k(s), accurate however close the time constants are."""
    delta = 1.0 / tau_syn - 1.0 / tau_mem
    membrane = math.exp(-s / tau_mem)
    if delta == 0.0:
        return membrane, membrane, membrane * s / tau_mem
    ratio = math.expm1(-s * delta)
    return membrane, membrane * (1.0 + ratio), -membrane * ratio / (delta * tau_mem)


@compiled
def rise_of(v: float, i: float, tau_mem: float, tau_syn: float) -> float:
    """How long a membrane `v` with a larger, positive current `i` rises, for ever if it comes from far below 0."""
    delta = 1.0 / tau_syn - 1.0 / tau_mem
    if delta == 0.0:
        return (1.0 - v / i) * tau_syn
    ratio = (v / i - 1.0) * delta * tau_syn
    return -math.log1p(ratio) / delta if ratio > -1.0 else math.inf


@compiled
def root_of_power(v: float, i: float, longest: float, tau_mem: float, threshold: float, power: int) -> float:
    """As `crossing`, which knows that there is one by `longest`, where tau_mem is a whole multiple of tau_syn.

    With x = exp(-s/tau_mem), V is a polynomial in x, whose steps need no exponential: Halley's, within a bracket.
    """
    scale = i / (power - 1.0)
    total = v + scale
    low, top, x = math.exp(-longest / tau_mem), 1.0, 1.0
    for _ in range(_ITERATIONS):
        below = x
        for _ in range(power - 2):
            below *= x
        value = total * x - scale * below * x - threshold
        slope = total - power * scale * below
        bend = -power * (power - 1.0) * scale * below / x
        if value < 0.0:
            top = x
        else:
            low = x
        new = x - value * slope / (slope * slope - 0.5 * value * bend)
        if not low <= new <= top:
            new = 0.5 * (low + top)
        if abs(new - x) <= 1e-9 * x:  # what is left is of the third power of it
            x = new
            break
        x = new
    return min(max(-tau_mem * math.log(x), 0.0), longest)


@compiled
def crossing(
    v: float, i: float, longest: float, tau_mem: float, tau_syn: float, threshold: float, is_above: bool
) -> float:
    """The time after which a membrane `v` with current `i` first rises to the threshold, or -1 if not by `longest`.

    As long as V rises towards a positive threshold it is concave, so its crossing is the only one up to its maximum.
    `is_above` says that it is above the threshold at `longest`, so that there is no need to look for its maximum.
    """
    if not i > threshold:  # V = threshold and dV/dt > 0 ask for it, and I decays
        return -1.0
    if v >= threshold:  # by rounding
        return 0.0 if i > v else -1.0
    high = longest
    if not is_above:
        high = min(high, rise_of(v, i, tau_mem, tau_syn))
        membrane, _, response = factors(high, tau_mem, tau_syn)
        if v * membrane + i * response < threshold:
            return -1.0
    if tau_mem == 2.0 * tau_syn:  # V = (v + i) x - i x^2 with x = exp(-s/tau_mem)
        total = v + i
        x = (total + math.sqrt(max(total * total - 4.0 * i * threshold, 0.0))) / (2.0 * i)
        return min(max(-tau_mem * math.log(x), 0.0), high)
    power = int(tau_mem / tau_syn + 0.5)
    if 2 < power <= _LARGEST_POWER and abs(tau_mem - power * tau_syn) <= 1e-15 * tau_mem:
        return root_of_power(v, i, high, tau_mem, threshold, power)
    # the third-order term of what a step leaves, below which the step is the last one
    small = 1e-16 * threshold * tau_mem * min(tau_mem, tau_syn) * tau_syn / i
    low, s = 0.0, 0.0
    value, slope = v, (i - v) / tau_mem
    drive = i
    for _ in range(_ITERATIONS):
        lacking = threshold - value
        bend = -(drive / tau_syn + slope) / tau_mem
        root = slope * slope + 2.0 * bend * lacking
        # where the parabola through V, V' and V'' crosses; where it does not, the tangent
        step = 2.0 * lacking / (slope + math.sqrt(root)) if root > 0.0 else lacking / slope
        new = s + step
        if not low <= new <= high:
            new = 0.5 * (low + high)
            step = new - s
        if abs(step * step * step) <= small and (root > 0.0 or step == 0.0):
            return new
        s = new
        membrane, current, response = factors(s, tau_mem, tau_syn)
        value, drive = v * membrane + i * response, i * current
        slope = (drive - value) / tau_mem
        if value < threshold:
            low = s
        else:
            high = s
    return s


@compiled
def add_units(weight: Array, units: Array, first: int, last: int, total: Array) -> None:
    """Add the rows of a weight that spikes `first` up to `last` belong to."""
    k = first
    while k + 4 <= last:
        row0, row1, row2, row3 = weight[units[k]], weight[units[k + 1]], weight[units[k + 2]], weight[units[k + 3]]
        for j in range(total.size):
            total[j] += (row0[j] + row1[j]) + (row2[j] + row3[j])
        k += 4
    while k < last:
        row0 = weight[units[k]]
        for j in range(total.size):
            total[j] += row0[j]
        k += 1


@compiled
def advance(
    v: Array, i: Array, new_v: Array, new_i: Array, membrane: float, current: float, response: float, threshold: float,
    may_cross: Array,
) -> None:  # fmt: skip
    """Fill `new_v` and `new_i` with the states after an interval, and say which neurons may have fired in it."""
    for j in range(v.size):
        vj, ij = v[j], i[j]
        at_end, drive = vj * membrane + ij * response, ij * current
        new_v[j] = at_end
        new_i[j] = drive
        # at the end of a long interval both are 0, as small as they are: the membrane has risen and fallen before
        may_cross[j] = (ij > threshold) & ((at_end >= threshold) | (drive <= at_end))


@compiled
def feedforward_forward(
    times: Array, units: Array, offsets: Array, weight: Array, tau_mem: float, tau_syn: float, threshold: float,
    duration: float, first_only: bool, begin: int, end: int, spike_times: Array, spike_units: Array, currents: Array,
    places: Array, ranks: Array, ends: Array, n_spikes: int,
) -> tuple[int, int]:  # fmt: skip
    """Fire the neurons of a layer for clips from `begin` on; return the clip reached, and how many spikes are listed.

    If the lists cannot take one more clip, that clip is the one reached. Spikes are listed interval by interval, in
    it neuron by neuron: `places` says before which input, `ranks` which place a spike has by its time.
    """
    n = weight.shape[1]
    t = weight.dtype.type
    states, drives = np.empty((2, n), weight.dtype), np.empty((2, n), weight.dtype)
    may_cross = np.zeros(8 * (-(-n // 8)), np.uint8)
    words = may_cross.view(np.uint64)
    has_fired = np.zeros(n, np.bool_)
    low = t(threshold)
    for clip in range(begin, end):
        first, last = offsets[clip], offsets[clip + 1]
        while last > first and times[last - 1] >= duration:
            last -= 1
        states[:] = t(0.0)
        drives[:] = t(0.0)
        has_fired[:] = False
        n_silent, now, k, side, listed = n, 0.0, first, 0, n_spikes
        while n_silent:
            at = times[k] if k < last else duration
            v, i, new_v, new_i = states[side], drives[side], states[1 - side], drives[1 - side]
            if k > first:
                membrane, current, response = factors(at - now, tau_mem, tau_syn)
                advance(v, i, new_v, new_i, t(membrane), t(current), t(response), low, may_cross[:n])
                for word in range(words.size):
                    if not words[word]:
                        continue
                    for j in range(8 * word, min(8 * word + 8, n)):
                        if not may_cross[j] or has_fired[j]:
                            continue
                        vj, ij, left = float(v[j]), float(i[j]), at - now
                        s = crossing(vj, ij, left, tau_mem, tau_syn, threshold, new_v[j] >= low)
                        if s < 0.0:
                            continue
                        while s >= 0.0:
                            left -= s
                            ij *= math.exp(-s / tau_syn)
                            vj = 0.0
                            if listed >= spike_times.size:
                                return clip, n_spikes
                            spike_times[listed], spike_units[listed] = at - left, j
                            currents[listed], places[listed] = ij, k
                            listed += 1
                            if first_only:
                                has_fired[j] = True
                                n_silent -= 1
                                break
                            s = crossing(vj, ij, left, tau_mem, tau_syn, threshold, False)
                        membrane, current, response = factors(left, tau_mem, tau_syn)
                        new_v[j] = t(ij * response)
                        new_i[j] = t(ij * current)
                side = 1 - side
            if k >= last:
                break
            place = k
            while k < last and times[k] == at:
                k += 1
            add_units(weight, units, place, k, drives[side])
            now = at
        order = np.argsort(spike_times[n_spikes:listed], kind="mergesort")
        for rank in range(order.size):
            ranks[n_spikes + order[rank]] = n_spikes + rank
        n_spikes = listed
        ends[clip] = n_spikes
    return end, n_spikes


@compiled
def feedforward_backward(
    times: Array, units: Array, offsets: Array, weight: Array, tau_mem: float, tau_syn: float, threshold: float,
    duration: float, begin: int, end: int, spike_times: Array, spike_units: Array, currents: Array, places: Array,
    grad_spikes: Array, bounds: Array, with_times: bool, grad_times: Array, grad_weight: Array,
) -> None:  # fmt: skip
    """Fill `grad_times` and add to `grad_weight`; `grad_spikes` and the spikes stand in the order of the lists.

    The adjoint of an interval is linear, so all neurons run through it at once, and the jump at a spike inside is added
    as what is left of it at the interval's beginning.
    """
    n = weight.shape[1]
    t = weight.dtype.type
    on_v, on_i = np.empty(n, weight.dtype), np.empty(n, weight.dtype)
    after_v, after_i = np.empty(n, weight.dtype), np.empty(n, weight.dtype)
    gain, least = tau_mem / tau_syn, _SMALLEST_SLOPE * threshold
    for clip in range(begin, end):
        first, last = offsets[clip], offsets[clip + 1]
        while last > first and times[last - 1] >= duration:
            last -= 1
        on_v[:] = t(0.0)
        on_i[:] = t(0.0)
        spike, lowest = bounds[clip + 1] - 1, bounds[clip]
        if spike < lowest:
            continue
        k = places[spike]  # nothing after this interval has an effect
        at = times[k] if k < last else duration
        while k > first:
            before = times[k - 1]
            membrane, current, response = factors(at - before, tau_mem, tau_syn)
            m, c, r = t(membrane), t(current), t(gain * response)
            has_spikes = spike >= lowest and places[spike] == k
            if has_spikes:
                after_v[:] = on_v
                after_i[:] = on_i
            for j in range(n):
                vj = on_v[j]
                on_i[j] = on_i[j] * c + vj * r
                on_v[j] = vj * m
            while has_spikes:
                j, left = spike_units[spike], at
                vj, ij = float(after_v[j]), float(after_i[j])
                while spike >= lowest and places[spike] == k and spike_units[spike] == j:  # from the last one back
                    membrane, current, response = factors(left - spike_times[spike], tau_mem, tau_syn)
                    ij = ij * current + vj * gain * response
                    vj *= membrane
                    left = spike_times[spike]
                    slope = max(currents[spike] - threshold, least)
                    vj += (threshold * vj + grad_spikes[spike]) / slope
                    spike -= 1
                membrane, current, response = factors(left - before, tau_mem, tau_syn)
                on_i[j] = t(ij * current + vj * gain * response)
                on_v[j] = t(vj * membrane)
                has_spikes = spike >= lowest and places[spike] == k
            at = before
            while k > first and times[k - 1] == at:
                k -= 1
                row, total = grad_weight[units[k]], t(tau_syn)
                for j in range(n):
                    row[j] -= total * on_i[j]
                if with_times:
                    row, change = weight[units[k]], 0.0
                    for j in range(n):
                        change += row[j] * (on_v[j] - on_i[j])
                    grad_times[k] = change


@compiled
def recurrent_forward(
    times: Array, units: Array, offsets: Array, weight: Array, recurrent: Array, tau_mem: float, tau_syn: float,
    threshold: float, duration: float, begin: int, end: int, spike_times: Array, spike_units: Array, currents: Array,
    places: Array, ranks: Array, ends: Array, n_spikes: int,
) -> tuple[int, int]:  # fmt: skip
    """As `feedforward_forward`, with spikes that reach all neurons of the layer: listed by time, so by rank."""
    n = weight.shape[1]
    t = weight.dtype.type
    v, i = np.empty(n, weight.dtype), np.empty(n, weight.dtype)
    low, none = t(threshold), t(0.0)
    for clip in range(begin, end):
        first, last = offsets[clip], offsets[clip + 1]
        while last > first and times[last - 1] >= duration:
            last -= 1
        v[:] = none
        i[:] = none
        now, k, listed = 0.0, first, n_spikes
        while True:
            at = times[k] if k < last else duration
            while k > first:  # spikes up to the next input
                soonest, winner = at - now, -1
                membrane, current, response = factors(soonest, tau_mem, tau_syn)
                m, c, r = t(membrane), t(current), t(response)
                for j in range(n):
                    if not i[j] > low:
                        continue
                    at_end, drive = v[j] * m + i[j] * r, i[j] * c
                    if at_end >= low or drive <= at_end:  # both are 0 at the end of a long interval
                        s = crossing(float(v[j]), float(i[j]), soonest, tau_mem, tau_syn, threshold, at_end >= low)
                        if s >= 0.0 and (s < soonest or winner < 0):
                            soonest, winner = s, j
                            membrane, current, response = factors(soonest, tau_mem, tau_syn)
                            m, c, r = t(membrane), t(current), t(response)
                for j in range(n):
                    v[j] = v[j] * m + i[j] * r
                    i[j] = i[j] * c
                if winner < 0:
                    break
                if listed >= spike_times.size:
                    return clip, n_spikes
                now += soonest
                spike_times[listed], spike_units[listed] = now, winner
                currents[listed], places[listed] = i[winner], k
                ranks[listed] = listed
                listed += 1
                v[winner] = none
                row = recurrent[winner]
                for j in range(n):
                    i[j] += row[j]
            if k >= last:
                break
            place = k
            while k < last and times[k] == at:
                k += 1
            add_units(weight, units, place, k, i)
            now = at
        n_spikes = listed
        ends[clip] = n_spikes
    return end, n_spikes


@compiled
def recurrent_backward(
    times: Array, units: Array, offsets: Array, weight: Array, recurrent: Array, tau_mem: float, tau_syn: float,
    threshold: float, duration: float, begin: int, end: int, spike_times: Array, spike_units: Array, currents: Array,
    places: Array, grad_spikes: Array, bounds: Array, with_times: bool, grad_times: Array, grad_weight: Array,
    grad_recurrent: Array,
) -> None:  # fmt: skip
    """As `feedforward_backward`, with spikes that reach all neurons of the layer."""
    n = weight.shape[1]
    t = weight.dtype.type
    on_v, on_i = np.empty(n, weight.dtype), np.empty(n, weight.dtype)
    gain, least, total = tau_mem / tau_syn, _SMALLEST_SLOPE * threshold, t(tau_syn)
    for clip in range(begin, end):
        first = offsets[clip]
        on_v[:] = t(0.0)
        on_i[:] = t(0.0)
        spike, lowest = bounds[clip + 1] - 1, bounds[clip]
        if spike < lowest:
            continue
        k, at = places[spike], spike_times[spike]
        while k > first:
            is_spike = spike >= lowest and places[spike] == k
            before = spike_times[spike] if is_spike else times[k - 1]
            membrane, current, response = factors(at - before, tau_mem, tau_syn)
            m, c, r = t(membrane), t(current), t(gain * response)
            for j in range(n):
                vj = on_v[j]
                on_i[j] = on_i[j] * c + vj * r
                on_v[j] = vj * m
            at = before
            if is_spike:
                winner = spike_units[spike]
                row, out, change = recurrent[winner], grad_recurrent[winner], 0.0
                for j in range(n):
                    out[j] -= total * on_i[j]
                    change += row[j] * (on_v[j] - on_i[j])
                slope = max(currents[spike] - threshold, least)
                vj = float(on_v[winner])
                on_v[winner] = t(vj + (threshold * vj + change + grad_spikes[spike]) / slope)
                spike -= 1
                continue
            while k > first and times[k - 1] == at:
                k -= 1
                out = grad_weight[units[k]]
                for j in range(n):
                    out[j] -= total * on_i[j]
                if with_times:
                    row, change = weight[units[k]], 0.0
                    for j in range(n):
                        change += row[j] * (on_v[j] - on_i[j])
                    grad_times[k] = change


@compiled
def peak_forward(
    times: Array, units: Array, offsets: Array, weight: Array, tau_mem: float, tau_syn: float, duration: float,
    begin: int, end: int, peaks: Array, peak_times: Array, places: Array, falls: Array,
) -> None:  # fmt: skip
    """Fill `peaks` (clip, neuron) with the highest membranes of leaky integrators, and say where they are.

    A peak lies in the interval before input `places`; -1 for a membrane that is never above 0. Where it is highest at
    an input itself, from which on it falls, `falls` is (I - V) there, else 0.
    """
    n = weight.shape[1]
    v, i = np.empty(n), np.empty(n)
    for clip in range(begin, end):
        first, last = offsets[clip], offsets[clip + 1]
        while last > first and times[last - 1] >= duration:
            last -= 1
        v[:] = 0.0
        i[:] = 0.0
        peak, peak_time, place, fall = peaks[clip], peak_times[clip], places[clip], falls[clip]
        peak[:] = weight.dtype.type(0.0)
        peak_time[:] = 0.0
        place[:] = -1
        fall[:] = 0.0
        k = first
        while k < last:
            now = times[k]
            while k < last and times[k] == now:
                row = weight[units[k]]
                for j in range(n):
                    i[j] += row[j]
                k += 1
            at = times[k] if k < last else duration
            membrane, current, response = factors(at - now, tau_mem, tau_syn)
            for j in range(n):
                vj, ij = v[j], i[j]
                if vj > peak[j]:  # it rose up to this input
                    peak[j], peak_time[j], place[j], fall[j] = vj, now, k, min(ij - vj, 0.0)
                at_end, drive = vj * membrane + ij * response, ij * current
                if drive <= at_end and ij > vj and ij > peak[j]:  # both are 0 at the end of a long interval
                    s = rise_of(vj, ij, tau_mem, tau_syn)
                    value = ij * math.exp(-s / tau_syn)
                    if value > peak[j]:
                        peak[j], peak_time[j], place[j], fall[j] = value, now + s, k, 0.0
                v[j] = at_end
                i[j] = drive
            if k == last:
                for j in range(n):
                    if v[j] > peak[j]:
                        peak[j], peak_time[j], place[j], fall[j] = v[j], duration, k, 0.0


@compiled
def peak_backward(
    times: Array, units: Array, offsets: Array, weight: Array, tau_mem: float, tau_syn: float, begin: int, end: int,
    gradient: Array, peak_times: Array, places: Array, falls: Array, with_times: bool, grad_times: Array,
    grad_weight: Array,
) -> None:  # fmt: skip
    """Fill `grad_times` and add to `grad_weight` the gradient of the peaks."""
    n = weight.shape[1]
    on_v, on_i = np.empty(n), np.empty(n)
    gain = tau_mem / tau_syn
    for clip in range(begin, end):
        first = offsets[clip]
        place, peak_time, fall, grad = places[clip], peak_times[clip], falls[clip], gradient[clip]
        on_v[:] = 0.0
        on_i[:] = 0.0
        k = place.max()
        at = peak_time.max()
        while k > first:
            before = times[k - 1]
            membrane, current, response = factors(at - before, tau_mem, tau_syn)
            response *= gain
            moved = 0.0  # a peak at an input itself moves with it
            for j in range(n):
                vj = on_v[j]
                on_i[j] = on_i[j] * current + vj * response
                on_v[j] = vj * membrane
                if place[j] == k:
                    m, _, r = factors(peak_time[j] - before, tau_mem, tau_syn)
                    jump = -grad[j] / tau_mem
                    on_v[j] += jump * m
                    on_i[j] += jump * gain * r
                    moved += grad[j] * fall[j] / tau_mem
            at = before
            while k > first and times[k - 1] == at:
                k -= 1
                out = grad_weight[units[k]]
                for j in range(n):
                    out[j] -= tau_syn * on_i[j]
                if with_times:
                    row = weight[units[k]]
                    for j in range(n):
                        moved += row[j] * (on_v[j] - on_i[j])
                    grad_times[k] = moved
                moved = 0.0


def fire(
    spikes: SpikeTimes,
    weight: Tensor,
    recurrent_weight: Tensor | None,
    params: LIFParams,
    *,
    duration: float,
    first_only: bool = False,
) -> SpikeTimes:
    """The spikes of a layer of LIF neurons that start at rest, in continuous time.

    Gradients reach the times of the input and the weights, and are exact (see the module). Computed on the CPU.

    Parameters
    ----------
    spikes : SpikeTimes
        Input; spikes at or after ``duration`` have no effect.
    weight : Tensor of float32 or float64, (unit, neuron)
        From the row's unit to the column's neuron [1].
    recurrent_weight : Tensor, (neuron, neuron), or None
        From the row's neuron to the column's [1].
    params : LIFParams
        Time constants and threshold; the reset must be "zero". The surrogate is not used.
    duration : float
        How long the neurons are followed [s].
    first_only : bool
        Whether only the first spike of each neuron is wanted, which is faster; not for recurrent layers.

    Returns
    -------
    SpikeTimes

    Raises
    ------
    ValueError
        If the shapes do not match, times are not sorted, the reset is another, the duration is not finite and > 0, or
        neurons fire without end.

    Examples
    --------
    >>> import torch
    >>> spikes = SpikeTimes(torch.tensor([1e-3, 2e-3]).double(), torch.tensor([0, 1]), torch.tensor([0, 2]))
    >>> params = LIFParams(tau_mem=20e-3, tau_syn=10e-3, reset="zero")
    >>> out = fire(spikes, torch.tensor([[3.0, 0.0], [2.0, 5.0]]), None, params, duration=0.02)
    >>> out.units.tolist(), [round(1e3 * time, 3) for time in out.times.tolist()]
    ([0, 1], [7.896, 8.47])
    """
    check_exact(params)
    _check(spikes, weight, recurrent_weight)
    checked("duration", duration, Positive)
    if recurrent_weight is not None and first_only:
        raise ValueError("first_only must be False for a recurrent layer, whose later spikes act on first ones")
    times, units, ends = _Fire.apply(*spikes, weight, recurrent_weight, params, duration, first_only)
    return SpikeTimes(times, units, ends)


def delay(spikes: SpikeTimes, delays: Tensor) -> SpikeTimes:
    """The same spikes, those of each unit later by its delay; gradients reach times and delays.

    With it, delays between layers are learned exactly: dL/d(delay) is the sum of dL/dt over the unit's spikes.

    Parameters
    ----------
    spikes : SpikeTimes
        Spikes.
    delays : Tensor, (unit,)
        Delay of each unit, not negative [s].

    Returns
    -------
    SpikeTimes
        Sorted by clip and time.

    Raises
    ------
    ValueError
        If a delay is negative or not finite, or a spike's unit has none.

    Examples
    --------
    >>> import torch
    >>> spikes = SpikeTimes(torch.tensor([1.0, 2.0]).double(), torch.tensor([0, 1]), torch.tensor([0, 2]))
    >>> later = delay(spikes, torch.tensor([5.0, 0.0]))
    >>> later.times.tolist(), later.units.tolist()
    ([2.0, 6.0], [1, 0])
    """
    if delays.ndim != 1 or not (torch.isfinite(delays) & (delays >= 0)).all():
        raise ValueError("delays must be (unit,), finite and >= 0")
    _check_units(spikes.units, len(delays))
    times = spikes.times + delays.to(torch.float64)[spikes.units]
    clips = torch.repeat_interleave(spikes.offsets.diff())
    order = torch.from_numpy(np.lexsort((times.detach().numpy(), clips.numpy())))
    return SpikeTimes(times[order], spikes.units[order], spikes.offsets)


def first_spikes(spikes: SpikeTimes, n_units: int) -> Tensor:
    """The time of each unit's first spike [s], (batch, unit) of float64, infinite where it has none.

    Parameters
    ----------
    spikes : SpikeTimes
        Spikes, in order of time in each clip; gradients reach their times.
    n_units : int
        Number of units [1].

    Raises
    ------
    ValueError
        If a spike is of a unit that there is not.

    Examples
    --------
    >>> import torch
    >>> spikes = SpikeTimes(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 1, 0]), torch.tensor([0, 2, 3]))
    >>> first_spikes(spikes, 2).tolist()
    [[inf, 1.0], [3.0, inf]]
    """
    _check_units(spikes.units, n_units)
    clips = torch.repeat_interleave(spikes.offsets.diff())
    cells = clips * n_units + spikes.units
    n_cells = (len(spikes.offsets) - 1) * n_units
    where = torch.full((n_cells,), len(cells), dtype=torch.int64)
    where.scatter_reduce_(0, cells, torch.arange(len(cells)), "amin")
    silent = torch.full((1,), math.inf, dtype=spikes.times.dtype)
    return torch.cat([spikes.times, silent])[where].view(-1, n_units)


def max_voltage(spikes: SpikeTimes, weight: Tensor, *, tau_mem: float, tau_syn: float, duration: float) -> Tensor:
    """The highest membrane of leaky integrators that start at rest, in continuous time: at least 0.

    Gradients reach the times of the input and the weights, and are exact. Computed on the CPU.

    Parameters
    ----------
    spikes : SpikeTimes
        Input; spikes at or after ``duration`` have no effect.
    weight : Tensor of float32 or float64, (unit, neuron)
        From the row's unit to the column's neuron [1].
    tau_mem, tau_syn : float
        Time constants of membrane and synaptic current [s].
    duration : float
        How long the membranes are followed [s].

    Returns
    -------
    Tensor, (batch, neuron)

    Raises
    ------
    ValueError
        If the shapes do not match, times are not sorted, or a time constant or the duration is not finite and > 0.

    Examples
    --------
    >>> import torch
    >>> spikes = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    >>> max_voltage(spikes, torch.tensor([[4.0, -1.0]]), tau_mem=20e-3, tau_syn=10e-3, duration=0.1).tolist()
    [[1.0, 0.0]]
    """
    _check(spikes, weight, None)
    _check_integrator(tau_mem, tau_syn, duration)
    peaks: Tensor = _Peak.apply(*spikes, weight, tau_mem, tau_syn, duration)
    return peaks


def mean_voltage(
    spikes: SpikeTimes, weight: Tensor, *, tau_mem: float, tau_syn: float, duration: float, decay: float = 0.0
) -> Tensor:
    """The mean over time of the membranes of leaky integrators, exactly, each time weighted by exp(-decay t).

    The membranes are linear in the spikes, so each spike has its share in closed form.

    Parameters
    ----------
    spikes, weight, tau_mem, tau_syn, duration
        As `max_voltage`.
    decay : float
        Rate at which a time's weight falls [1/s]; 1 / duration is that of Nowotny, Turner & Knight, Neuromorphic
        Computing and Engineering 5:014001 (2025).

    Returns
    -------
    Tensor, (batch, neuron)

    Examples
    --------
    >>> import torch
    >>> spikes = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    >>> score = mean_voltage(spikes, torch.tensor([[4.0]]), tau_mem=20e-3, tau_syn=10e-3, duration=0.2)
    >>> round(score.item(), 4)  # 4 tau_syn / duration
    0.2
    """
    _check(spikes, weight, None)
    _check_integrator(tau_mem, tau_syn, duration)
    left = (duration - spikes.times).clamp(min=0.0)
    fast, slow = decay + 1 / tau_syn, decay + 1 / tau_mem
    if abs(fast - slow) > _NEAR * slow:
        share = -torch.expm1(-slow * left) / slow + torch.expm1(-fast * left) / fast
        share = share * (tau_syn / (tau_mem - tau_syn))
    else:  # the same without a difference of nearly equal numbers: the mean slope between both rates, by Gauss's rule
        share = torch.zeros_like(left)
        for place, part in zip(_GAUSS_PLACES, _GAUSS_PARTS, strict=True):
            rate = slow + (fast - slow) * place
            share = share + part * (-torch.expm1(-rate * left) / rate - left * torch.exp(-rate * left)) / rate
        share = share / tau_mem
    share = share * torch.exp(-decay * spikes.times) / duration
    rows = weight[spikes.units] * share.to(weight.dtype)[:, None]
    clips = torch.repeat_interleave(spikes.offsets.diff())
    return rows.new_zeros(len(spikes.offsets) - 1, weight.shape[1]).index_add(0, clips, rows)


def check_exact(params: LIFParams) -> None:
    """Raise ValueError unless EventProp is exact for a neuron: its membrane must be set to 0 by a spike."""
    if params.reset != "zero":
        raise ValueError(
            f'LIFParams.reset must be "zero" where gradients are exact (EventProp); got {params.reset!r}, which fits '
            "networks with surrogate gradients"
        )


@compiled
def has_disorder(times: Array, offsets: Array) -> bool:
    """Whether a time is negative or not finite, or earlier than the one before it in the same clip."""
    for clip in range(offsets.size - 1):
        before = 0.0
        for k in range(offsets[clip], offsets[clip + 1]):
            if not before <= times[k] < np.inf:
                return True
            before = times[k]
    return False


def _check(spikes: SpikeTimes, weight: Tensor, recurrent_weight: Tensor | None) -> None:
    """Raise ValueError unless the arguments fit: compiled passes check no bounds."""
    times, units, offsets = spikes
    if not is_fused(weight) or weight.ndim != 2 or not weight.shape[1]:
        rule = "weight must be (unit, neuron) of float32 or float64 on the CPU"
        raise ValueError(f"{rule}, got {tuple(weight.shape)} of {weight.dtype} on {weight.device}")
    n = weight.shape[1]
    if recurrent_weight is not None and (recurrent_weight.shape != (n, n) or recurrent_weight.dtype != weight.dtype):
        found = f"{tuple(recurrent_weight.shape)} of {recurrent_weight.dtype}"
        raise ValueError(f"recurrent_weight must be ({n}, {n}) of {weight.dtype}, got {found}")
    kinds = (times.dtype, units.dtype, offsets.dtype)
    if kinds != (torch.float64, torch.int64, torch.int64) or times.ndim != 1 or times.shape != units.shape:
        raise ValueError(f"SpikeTimes must be float64 times and int64 units, as many, and int64 offsets, got {kinds}")
    bounds, seen = offsets.numpy(), times.detach().numpy()
    if len(bounds) < 2 or bounds[0] != 0 or bounds[-1] != len(seen) or (np.diff(bounds) < 0).any():
        raise ValueError(f"SpikeTimes.offsets must rise from 0 to {len(seen)}, got {bounds.tolist()[:5]} ...")
    if has_disorder(seen, bounds):
        raise ValueError("SpikeTimes.times must be finite, >= 0 and sorted in each clip")
    _check_units(units, len(weight))


def _check_units(units: Tensor, n_units: int) -> None:
    if len(units) and not 0 <= int(units.min()) <= int(units.max()) < n_units:
        found = f"{int(units.min())} to {int(units.max())}"
        raise ValueError(f"SpikeTimes.units must be in 0..{n_units - 1}, got {found}")


def _check_integrator(tau_mem: float, tau_syn: float, duration: float) -> None:
    for name, value in (("tau_mem", tau_mem), ("tau_syn", tau_syn), ("duration", duration)):
        checked(name, value, Positive)


class _Fired(NamedTuple):
    """The spikes of clips from `begin` on, as a forward pass lists them; `bounds` are those of each of the clips."""

    begin: int
    times: Array
    units: Array
    currents: Array
    places: Array
    ranks: Array
    bounds: Array


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, units: Tensor, offsets: Tensor, weight: Tensor, recurrent: Tensor | None,
        params: LIFParams, duration: float, first_only: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        inputs = [tensor.detach().numpy() for tensor in (times, units, offsets)]
        weights = [tensor.detach().contiguous().numpy() for tensor in (weight, recurrent) if tensor is not None]
        ctx.given = *inputs, *weights, params.tau_mem, params.tau_syn, params.threshold, float(duration)
        ctx.n_weights = len(weights)
        work, flags = (recurrent_forward, ()) if len(weights) == 2 else (feedforward_forward, (first_only,))
        n_clips, n_neurons = len(offsets) - 1, weight.shape[1]
        ctx.fired = over_chunks(
            lambda begin, end: _list_spikes(partial(work, *ctx.given, *flags), begin, end, n_neurons), n_clips
        )
        sizes = [len(fired.times) for fired in ctx.fired]
        found = np.empty(sum(sizes)), np.empty(sum(sizes), np.int64)
        for fired, start, size in zip(ctx.fired, np.cumsum([0, *sizes]), sizes, strict=False):
            for ordered, listed in zip(found, (fired.times, fired.units), strict=True):
                ordered[start : start + size][fired.ranks] = listed
        counts = np.concatenate([np.diff(fired.bounds) for fired in ctx.fired])
        results = [torch.from_numpy(array) for array in (*found, np.cumsum([0, *counts], dtype=np.int64))]
        ctx.mark_non_differentiable(*results[1:])
        return results[0], results[1], results[2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        times, weights = ctx.given[0], ctx.given[3 : 3 + ctx.n_weights]
        grad_spikes = gradients[0].contiguous().numpy()
        with_times = bool(ctx.needs_input_grad[0])
        grad_times = np.zeros(len(times) if with_times else 0)
        starts = np.cumsum([0, *(len(fired.times) for fired in ctx.fired)])
        work: Any = recurrent_backward if ctx.n_weights == 2 else feedforward_backward

        def sums_of(chunk: int) -> list[Array]:
            fired: _Fired = ctx.fired[chunk]
            sums = [np.zeros_like(weight) for weight in weights]
            own = grad_spikes[starts[chunk] : starts[chunk + 1]][fired.ranks]
            bounds = np.concatenate([np.zeros(fired.begin, np.int64), fired.bounds])
            lists = fired.times, fired.units, fired.currents, fired.places, own, bounds
            work(*ctx.given, fired.begin, len(bounds) - 1, *lists, with_times, grad_times, *sums)
            return sums

        parts = over_chunks(lambda chunk, _: sums_of(chunk), len(ctx.fired), 1)
        total, *recurrent = (torch.from_numpy(sum_arrays(same)) for same in zip(*parts, strict=True))
        grads = torch.from_numpy(grad_times) if with_times else None, None, None, total
        return *grads, recurrent[0] if recurrent else None, None, None, None


def sum_arrays(arrays: Sequence[Array]) -> Array:
    """The sum of some arrays, in their order; the first one is overwritten."""
    total = arrays[0]
    for array in arrays[1:]:
        total += array
    return total


def _list_spikes(work: Callable[..., tuple[int, int]], begin: int, end: int, n_neurons: int) -> _Fired:
    """Run a forward pass over clips, with lists that grow as there are more spikes."""
    kinds = (np.float64, np.int64, np.float64, np.int64, np.int64)
    lists = [np.empty(2 * n_neurons * (end - begin), kind) for kind in kinds]
    ends = np.zeros(end, np.int64)
    clip, n_spikes = begin, 0
    while True:
        clip, n_spikes = work(clip, end, *lists, ends, n_spikes)
        if clip == end:
            break
        most = n_spikes + _MOST_SPIKES * n_neurons
        if len(lists[0]) >= most:
            raise ValueError(
                f"clip {clip} of the batch has more than {_MOST_SPIKES} spikes per neuron: the weights are too large, "
                "or the threshold too low"
            )
        lists = [np.resize(array, min(2 * len(array), most)) for array in lists]
    times, units, currents, places, ranks = (array[:n_spikes] for array in lists)
    return _Fired(begin, times, units, currents, places, ranks, np.concatenate([[0], ends[begin:]]))


class _Peak(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, times: Tensor, units: Tensor, offsets: Tensor, weight: Tensor, tau_mem: float, tau_syn: float,
        duration: float,
    ) -> Tensor:  # fmt: skip
        inputs = [tensor.detach().numpy() for tensor in (times, units, offsets)]
        ctx.given = *inputs, weight.detach().contiguous().numpy(), float(tau_mem), float(tau_syn)
        n_clips, shape = len(offsets) - 1, (len(offsets) - 1, weight.shape[1])
        peaks = torch.empty(shape, dtype=weight.dtype)
        ctx.found = np.empty(shape), np.empty(shape, np.int64), np.empty(shape)
        out, work = (peaks.numpy(), *ctx.found), cast(Any, peak_forward)
        over_chunks(lambda begin, end: work(*ctx.given, float(duration), begin, end, *out), n_clips)
        return peaks

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        times, _, offsets, weight, *_ = ctx.given
        work: Any = peak_backward
        with_times = bool(ctx.needs_input_grad[0])
        grad_times = np.zeros(len(times) if with_times else 0)
        gradient = gradients[0].contiguous().numpy()

        def sum_of(begin: int, end: int) -> Array:
            total: Array = np.zeros_like(weight)
            work(*ctx.given, begin, end, gradient, *ctx.found, with_times, grad_times, total)
            return total

        total = torch.from_numpy(sum_arrays(over_chunks(sum_of, len(offsets) - 1)))
        return torch.from_numpy(grad_times) if with_times else None, None, None, total, None, None, None
