"""Neurons in continuous time: their spikes against a plain form, their gradients against finite differences."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from spikedata.nn.kernels import event_driven
from spikedata.nn.kernels.event_driven import (
    SpikeTimes,
    crossing,
    delay,
    factors,
    fire,
    first_spikes,
    max_voltage,
    mean_voltage,
)
from spikedata.nn.neurons import LIFParams

CONSTANTS = [(20.0, 5.0), (20.0, 10.0), (10.0, 10.0), (10.0, 10.0000001), (6.0, 9.0)]  # tau_mem, tau_syn
DURATION = 50.0
N_INPUTS, N_HIDDEN, N_OUT = 5, 6, 3


def neuron(tau_mem: float, tau_syn: float) -> LIFParams:
    return LIFParams(tau_mem=tau_mem, tau_syn=tau_syn, reset="zero")


def some_spikes(rng: np.random.Generator, *, n_clips: int = 3, n: int = 12, until: float = 25.0) -> SpikeTimes:
    """Sorted spikes, of which the first is a bias at 0 and two are at the same time."""
    times = np.sort(rng.uniform(0, until, (n_clips, n)), axis=1)
    times[:, 0], times[:, 3] = 0.0, times[:, 2]
    units = rng.integers(0, N_INPUTS, (n_clips, n))
    units[:, 0] = 0
    offsets = np.arange(n_clips + 1) * n
    return SpikeTimes(torch.tensor(times.ravel()), torch.tensor(units.ravel()), torch.tensor(offsets))


def some_weights(rng: np.random.Generator, *, recurrent: bool = True) -> list[torch.Tensor | None]:
    """Input, recurrent (with self-weights) and readout weights."""
    return [
        torch.tensor(rng.normal(1.0, 0.7, (N_INPUTS, N_HIDDEN))),
        torch.tensor(rng.normal(-0.1, 0.4, (N_HIDDEN, N_HIDDEN))) if recurrent else None,
        torch.tensor(rng.normal(0.6, 0.7, (N_HIDDEN, N_OUT))),
    ]


def plain_spikes(
    times: np.ndarray, units: np.ndarray, weight: np.ndarray, recurrent: np.ndarray, params: LIFParams, duration: float
) -> list[tuple[float, int]]:
    """Spikes of one clip, sought on a fine grid between events and then by halving: slow and plain."""
    v, i, now, found = np.zeros(len(recurrent)), np.zeros(len(recurrent)), 0.0, []
    events = [*zip(times, units, strict=True), (duration, -1)]

    def after(s: Any) -> np.ndarray:
        m, c = np.exp(-s / params.tau_mem), np.exp(-s / params.tau_syn)
        if abs(params.tau_mem - params.tau_syn) < 1e-3:
            return v * m + i * m * s / params.tau_mem
        return v * m + i * params.tau_syn / (params.tau_mem - params.tau_syn) * (m - c)

    for at, unit in events:
        while True:
            grid = np.linspace(0, at - now, 2001)
            over = after(grid[:, None]) >= params.threshold
            over[0] = False
            if not over.any():
                break
            step = int(np.flatnonzero(over.any(axis=1))[0])
            crossed = []
            for j in np.flatnonzero(over[step]):
                low, high = grid[step - 1], grid[step]
                for _ in range(60):
                    middle = (low + high) / 2
                    low, high = (low, middle) if after(middle)[j] >= params.threshold else (middle, high)
                crossed.append((high, int(j)))
            s, j = min(crossed)
            v, i, now = after(s), i * np.exp(-s / params.tau_syn), now + s
            v[j] = 0.0
            i = i + recurrent[j]
            found.append((now, j))
        v, i, now = after(at - now), i * np.exp(-(at - now) / params.tau_syn), at
        if unit >= 0:
            i = i + weight[unit]
    return found


@pytest.mark.parametrize(("tau_mem", "tau_syn"), CONSTANTS)
@pytest.mark.parametrize("recurrent", [False, True])
def test_spikes_equal_a_plain_form(tau_mem: float, tau_syn: float, recurrent: bool) -> None:
    rng = np.random.default_rng(1)
    spikes = some_spikes(rng)
    weight, within, _ = some_weights(rng, recurrent=recurrent)
    out = fire(spikes, weight, within, neuron(tau_mem, tau_syn), duration=DURATION)
    matrix = np.zeros((N_HIDDEN, N_HIDDEN)) if within is None else within.numpy()
    n_found = 0
    for clip, ((a, b), (c, d)) in enumerate(zip(pairwise(spikes.offsets), pairwise(out.offsets), strict=True)):
        given = spikes.times[a:b].numpy(), spikes.units[a:b].numpy()
        plain = plain_spikes(*given, weight.numpy(), matrix, neuron(tau_mem, tau_syn), DURATION)
        assert out.units[c:d].tolist() == [j for _, j in plain], clip
        np.testing.assert_allclose(out.times[c:d], [t for t, _ in plain], rtol=0, atol=1e-6)
        n_found += len(plain)
    assert n_found > 10


def objective(kind: str, tau_mem: float, tau_syn: float, spikes: SpikeTimes, *weights: Any) -> torch.Tensor:
    """A loss of the readout of a network with one hidden layer, in which every output has its own weight."""
    hidden = fire(spikes, weights[0], weights[1], neuron(tau_mem, tau_syn), duration=DURATION)
    if kind == "first_spike":
        out = fire(hidden, weights[2], None, neuron(tau_mem, tau_syn), duration=DURATION, first_only=True)
        values = first_spikes(out, N_OUT)
        values = torch.where(torch.isfinite(values), values, 0.0)
    elif kind == "max":
        values = max_voltage(hidden, weights[2], tau_mem=tau_mem, tau_syn=tau_syn, duration=DURATION)
    else:
        rate = 1 / DURATION if kind == "exp_mean" else 0.0
        values = mean_voltage(hidden, weights[2], tau_mem=tau_mem, tau_syn=tau_syn, duration=DURATION, decay=rate)
    return (values * torch.cos(torch.arange(values.numel())).view(values.shape)).sum()


@pytest.mark.parametrize(("tau_mem", "tau_syn"), CONSTANTS)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("kind", ["first_spike", "max", "exp_mean"])
def test_gradients_equal_finite_differences(kind: str, recurrent: bool, tau_mem: float, tau_syn: float) -> None:
    rng = np.random.default_rng(0)
    spikes = some_spikes(rng)
    arguments = [spikes.times, *some_weights(rng, recurrent=recurrent)]
    arguments = [None if argument is None else argument.requires_grad_() for argument in arguments]

    def loss() -> torch.Tensor:
        return objective(kind, tau_mem, tau_syn, SpikeTimes(arguments[0], *spikes[1:]), *arguments[1:])

    loss().backward()
    n_nonzero = 0
    for number, argument in enumerate(arguments):
        if argument is None:
            continue
        flat, step = argument.data.view(-1), 1e-6
        for place in rng.choice(len(flat), min(10, len(flat)), replace=False):
            if number == 0 and place % 12 in (0, 2, 3):  # at 0, or at the same time as another
                continue
            before, changed = flat[place].item(), []
            for sign in (1, -1):
                flat[place] = before + sign * step
                with torch.no_grad():
                    changed.append(loss().item())
            flat[place] = before
            found = (changed[0] - changed[1]) / (2 * step)
            assert argument.grad.view(-1)[place].item() == pytest.approx(found, rel=1e-6, abs=1e-6)
            n_nonzero += abs(found) > 1e-3
    assert n_nonzero > 10


@pytest.mark.parametrize(("tau_mem", "tau_syn"), CONSTANTS)
def test_crossings_are_exact_up_to_rounding(tau_mem: float, tau_syn: float) -> None:
    rng = np.random.default_rng(2)
    n_found = 0
    for number in range(800):
        v = rng.uniform(-2, 1) if number % 2 else 1 - 10 ** rng.uniform(-12, 0)
        i = rng.uniform(1, 8) if number % 3 else 1 + 10 ** rng.uniform(-12, 0)
        s = crossing(v, i, 100.0, tau_mem, tau_syn, 1.0, False)
        grid = np.linspace(0, 100, 2000) if s < 0 else np.linspace(0, 0.999 * s, 20)
        membranes = [v * m + i * k for m, _, k in (factors(each, tau_mem, tau_syn) for each in grid)]
        assert max(membranes) < 1 + 1e-12  # not before, and not at all if there is none
        if s >= 0:
            membrane, _, response = factors(s, tau_mem, tau_syn)
            assert v * membrane + i * response == pytest.approx(1.0, abs=5e-15)
            n_found += 1
    assert n_found > 100


def test_the_response_has_no_jump_where_time_constants_meet() -> None:
    responses = [factors(7.0, 10.0, 10.0 * (1 + gap))[2] for gap in (-1e-12, 0.0, 1e-12)]
    np.testing.assert_allclose(responses, 0.7 * np.exp(-0.7), rtol=1e-11)


def test_a_layer_without_recurrence_equals_one_with_weights_of_zero() -> None:
    rng = np.random.default_rng(3)
    spikes = some_spikes(rng)
    weight, _, _ = some_weights(rng)
    zeros = torch.zeros(N_HIDDEN, N_HIDDEN, dtype=torch.float64)
    alone = fire(spikes, weight, None, neuron(20.0, 5.0), duration=DURATION)
    together = fire(spikes, weight, zeros, neuron(20.0, 5.0), duration=DURATION)
    assert alone.units.tolist() == together.units.tolist()
    assert alone.offsets.tolist() == together.offsets.tolist()
    np.testing.assert_allclose(alone.times, together.times, rtol=1e-13)


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_clip_does_not_depend_on_its_neighbors(recurrent: bool) -> None:
    rng = np.random.default_rng(4)
    spikes = some_spikes(rng, n_clips=70)  # two chunks
    weight, within, _ = some_weights(rng, recurrent=recurrent)
    weight.requires_grad_()
    out = fire(spikes, weight, within, neuron(20.0, 5.0), duration=DURATION)
    (out.times * torch.cos(out.units)).sum().backward()
    total = weight.grad.clone()
    weight.grad = None
    for clip, ((a, b), (c, d)) in enumerate(zip(pairwise(spikes.offsets), pairwise(out.offsets), strict=True)):
        one = SpikeTimes(spikes.times[a:b], spikes.units[a:b], torch.tensor([0, b - a]))
        own = fire(one, weight, within, neuron(20.0, 5.0), duration=DURATION)
        assert own.times.tolist() == out.times[c:d].tolist(), clip
        (own.times * torch.cos(own.units)).sum().backward()
    torch.testing.assert_close(weight.grad, total)


def test_spikes_at_one_time_act_together_in_any_order() -> None:
    times, offsets = torch.tensor([1.0, 1.0, 1.0]).double(), torch.tensor([0, 3])
    weight = torch.tensor([[3.0, 1.0], [-2.0, 4.0], [3.0, 0.5]]).double()
    outs = [
        fire(SpikeTimes(times, torch.tensor(order), offsets), weight, None, neuron(20.0, 5.0), duration=DURATION)
        for order in ([0, 1, 2], [2, 1, 0])
    ]
    np.testing.assert_allclose(outs[0].times, outs[1].times, rtol=1e-14)
    joined = SpikeTimes(torch.tensor([1.0]).double(), torch.tensor([0]), torch.tensor([0, 1]))
    together = fire(joined, weight.sum(dim=0, keepdim=True), None, neuron(20.0, 5.0), duration=DURATION)
    np.testing.assert_allclose(outs[0].times, together.times, rtol=1e-14)


def test_a_bias_at_the_beginning_acts_from_there_on() -> None:
    bias = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    weight = torch.tensor([[8.0]], dtype=torch.float64)
    (first, *_) = fire(bias, weight, None, neuron(20.0, 5.0), duration=DURATION).times.tolist()
    assert 8 / 3 * (np.exp(-first / 20) - np.exp(-first / 5)) == pytest.approx(1.0)


def test_a_spike_comes_before_an_input_at_its_own_time() -> None:
    bias = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    weight = torch.tensor([[8.0], [-50.0]], dtype=torch.float64)
    first = fire(bias, weight, None, neuron(20.0, 5.0), duration=DURATION).times[0].item()
    for late, n_spikes in ((first - 1e-9, 0), (first + 1e-9, 1)):
        both = SpikeTimes(torch.tensor([0.0, late], dtype=torch.float64), torch.tensor([0, 1]), torch.tensor([0, 2]))
        assert len(fire(both, weight, None, neuron(20.0, 5.0), duration=DURATION).times) == n_spikes


def test_only_the_first_spikes_are_the_first_of_all_spikes() -> None:
    rng = np.random.default_rng(5)
    spikes = some_spikes(rng)
    weight, _, _ = some_weights(rng)
    every = fire(spikes, weight, None, neuron(20.0, 5.0), duration=DURATION)
    only = fire(spikes, weight, None, neuron(20.0, 5.0), duration=DURATION, first_only=True)
    assert len(only.times) < len(every.times)
    assert first_spikes(only, N_HIDDEN).tolist() == first_spikes(every, N_HIDDEN).tolist()


def test_a_silent_unit_has_no_first_spike_and_no_gradient() -> None:
    times = torch.tensor([1.0, 2.0, 3.0]).double().requires_grad_()
    found = first_spikes(SpikeTimes(times, torch.tensor([1, 1, 0]), torch.tensor([0, 2, 3, 3])), 2)
    assert found.tolist() == [[np.inf, 1.0], [3.0, np.inf], [np.inf, np.inf]]
    found.clamp(max=10.0).sum().backward()
    assert times.grad.tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(("tau_mem", "tau_syn"), CONSTANTS)
def test_readouts_equal_those_of_a_fine_grid(tau_mem: float, tau_syn: float) -> None:
    rng = np.random.default_rng(6)
    spikes = some_spikes(rng, n_clips=1)
    weight = torch.tensor(rng.normal(0, 1, (N_INPUTS, 20)))
    grid = np.linspace(0, DURATION, 200_001)
    membranes = np.zeros((len(grid), 20))
    for at, unit in zip(spikes.times.tolist(), spikes.units.tolist(), strict=True):
        s = np.clip(grid - at, 0, None)
        if abs(tau_mem - tau_syn) < 1e-3:
            response = s / tau_mem * np.exp(-s / tau_mem)
        else:
            response = tau_syn / (tau_mem - tau_syn) * (np.exp(-s / tau_mem) - np.exp(-s / tau_syn))
        membranes += response[:, None] * weight[unit].numpy()
    constants = {"tau_mem": tau_mem, "tau_syn": tau_syn, "duration": DURATION}
    np.testing.assert_allclose(max_voltage(spikes, weight, **constants)[0], membranes.max(axis=0), atol=1e-4)
    weighted = np.trapezoid(membranes * np.exp(-0.1 * grid)[:, None], grid, axis=0) / DURATION
    np.testing.assert_allclose(mean_voltage(spikes, weight, **constants, decay=0.1)[0], weighted, atol=1e-7)


def test_the_gradient_of_delays_equals_finite_differences() -> None:
    rng = np.random.default_rng(12)
    spikes, (weight, _, readout) = some_spikes(rng), some_weights(rng)
    delays = torch.tensor(rng.uniform(0, 8, N_HIDDEN), requires_grad=True)

    def loss() -> torch.Tensor:
        hidden = delay(fire(spikes, weight, None, neuron(20.0, 5.0), duration=DURATION), delays)
        values = max_voltage(hidden, readout, tau_mem=20.0, tau_syn=5.0, duration=DURATION)
        return (values * torch.cos(torch.arange(values.numel())).view(values.shape)).sum()

    loss().backward()
    for unit in range(N_HIDDEN):
        before, changed = delays.data[unit].item(), []
        for step in (1e-6, -1e-6):
            delays.data[unit] = before + step
            changed.append(loss().item())
        delays.data[unit] = before
        assert delays.grad[unit].item() == pytest.approx((changed[0] - changed[1]) / 2e-6, rel=1e-6, abs=1e-6)
    assert (delays.grad != 0).sum() >= N_HIDDEN - 1


def test_single_precision_tells_nearly_the_same_times() -> None:
    rng = np.random.default_rng(7)
    spikes = some_spikes(rng)
    weight, within, _ = some_weights(rng)
    for recurrent in (None, within):
        double = fire(spikes, weight, recurrent, neuron(20.0, 5.0), duration=DURATION)
        short = None if recurrent is None else recurrent.float()
        single = fire(spikes, weight.float(), short, neuron(20.0, 5.0), duration=DURATION)
        assert single.units.tolist() == double.units.tolist()
        np.testing.assert_allclose(single.times, double.times, atol=1e-4)


def test_lists_grow_with_the_spikes(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    spikes = some_spikes(rng)
    weight = some_weights(rng)[0] * 30
    out = fire(spikes, weight, None, neuron(20.0, 5.0), duration=DURATION)
    assert len(out.times) > 10 * 3 * 2 * N_HIDDEN  # the lists are made for two spikes per neuron
    monkeypatch.setattr(event_driven, "_MOST_SPIKES", 20)
    with pytest.raises(ValueError, match="clip 0 of the batch has more than 20 spikes per neuron"):
        fire(spikes, weight, None, neuron(20.0, 5.0), duration=DURATION)


def test_spikes_after_the_end_have_no_effect() -> None:
    rng = np.random.default_rng(9)
    spikes = some_spikes(rng, until=80.0)
    weight = torch.tensor(rng.normal(2.0, 0.7, (N_INPUTS, N_HIDDEN)), requires_grad=True)
    out = fire(spikes, weight, None, neuron(20.0, 5.0), duration=40.0)
    assert 0 < out.times.max() <= 40.0
    kept = torch.cat([torch.arange(a, b)[spikes.times[a:b] < 40] for a, b in pairwise(spikes.offsets)])
    counts = [(spikes.times[a:b] < 40).sum().item() for a, b in pairwise(spikes.offsets)]
    cut = SpikeTimes(spikes.times[kept], spikes.units[kept], torch.tensor(np.cumsum([0, *counts])))
    assert fire(cut, weight, None, neuron(20.0, 5.0), duration=40.0).times.tolist() == out.times.tolist()


def test_what_has_no_exact_gradient_is_refused() -> None:
    spikes = some_spikes(np.random.default_rng(10))
    weight = torch.ones(N_INPUTS, 2)
    with pytest.raises(ValueError, match=r'reset must be "zero" .* got \'subtract\''):
        fire(spikes, weight, None, LIFParams(), duration=DURATION)
    with pytest.raises(ValueError, match="first_only must be False for a recurrent layer"):
        fire(spikes, weight, torch.ones(2, 2), neuron(20.0, 5.0), duration=DURATION, first_only=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": torch.tensor([2.0, 1.0]).double()}, "sorted in each clip"),
        ({"times": torch.tensor([-1.0, 1.0]).double()}, "sorted in each clip"),
        ({"times": torch.tensor([1.0, np.nan]).double()}, "sorted in each clip"),
        ({"times": torch.tensor([1.0, 2.0])}, "float64 times"),
        ({"units": torch.tensor([0, N_INPUTS])}, r"units must be in 0..4, got 0 to 5"),
        ({"offsets": torch.tensor([0, 1])}, "offsets must rise from 0 to 2"),
    ],
)
def test_bad_spikes_are_refused(change: dict[str, torch.Tensor], message: str) -> None:
    good = SpikeTimes(torch.tensor([1.0, 2.0]).double(), torch.tensor([0, 1]), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match=message):
        fire(good._replace(**change), torch.ones(N_INPUTS, 2), None, neuron(20.0, 5.0), duration=DURATION)


def test_weights_that_do_not_fit_are_refused() -> None:
    good = SpikeTimes(torch.tensor([1.0, 2.0]).double(), torch.tensor([0, 1]), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match=r"weight must be \(unit, neuron\) of float32 or float64"):
        fire(good, torch.ones(N_INPUTS), None, neuron(20.0, 5.0), duration=DURATION)
    with pytest.raises(ValueError, match=r"recurrent_weight must be \(2, 2\)"):
        fire(good, torch.ones(N_INPUTS, 2), torch.ones(3, 3), neuron(20.0, 5.0), duration=DURATION)


def test_a_threshold_scales_with_the_weights() -> None:
    rng = np.random.default_rng(11)
    spikes, (weight, within, _) = some_spikes(rng), some_weights(rng)
    once = fire(spikes, weight, within, neuron(20.0, 5.0), duration=DURATION)
    params = replace(neuron(20.0, 5.0), threshold=2.0)
    twice = fire(spikes, 2 * weight, 2 * within, params, duration=DURATION)
    np.testing.assert_allclose(once.times, twice.times, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("recurrent", [False, True])
def test_a_long_silence_after_the_input_loses_no_spike(dtype, recurrent):
    params = LIFParams(tau_mem=10e-3, tau_syn=5e-3, reset="zero")
    spikes = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    weight, own = torch.full((1, 1), 50.0, dtype=dtype), torch.zeros(1, 1, dtype=dtype) if recurrent else None
    short, long = (fire(spikes, weight, own, params, duration=duration).times for duration in (0.5, 20.0))
    assert len(short) > 20
    torch.testing.assert_close(long, short)


def test_a_long_silence_after_the_input_leaves_the_highest_membrane():
    spikes = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    peak = max_voltage(spikes, torch.full((1, 1), 50.0), tau_mem=10e-3, tau_syn=5e-3, duration=20.0)
    torch.testing.assert_close(peak, torch.full((1, 1), 12.5))


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_means_nothing_is_refused(duration):
    spikes = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="duration must be"):
        fire(spikes, torch.ones(1, 1), None, LIFParams(reset="zero"), duration=duration)


@pytest.mark.parametrize("late", [-1.0, float("nan")])
def test_a_delay_that_is_no_time_is_refused(late):
    spikes = SpikeTimes(torch.zeros(1).double(), torch.tensor([0]), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="delays must be"):
        delay(spikes, torch.tensor([late]))
