import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import ALIFParams, ALIFState, LIFParams, alif_loop, alif_step
from spikedata.nn.surrogate import SurrogateParams

DT = 1e-3
NARROW = SurrogateParams(shape="boxcar", scale=1e9)  # no gradient but for what sits on the threshold


def _states(drive, params, weight=None):
    """All states after each step, each (batch, step, neuron)."""
    zeros = torch.zeros_like(drive[:, 0])
    state, states = ALIFState(zeros, zeros, zeros, zeros), []
    for step_drive in drive.unbind(1):
        _, state = alif_step(state, step_drive, weight, params, dt=DT)
        states.append(state)
    return ALIFState(*(torch.stack(values, dim=1) for values in zip(*states, strict=True)))


def _by_hand(drive, weight, params):
    """The equations, with indices of time as they are printed; a neuron waits from the step after its spike."""
    alpha, rho = math.exp(-DT / params.tau_mem), math.exp(-DT / params.tau_adaptation)
    n_batch, n_steps, n = drive.shape
    v, a, s = np.zeros((3, n_steps + 1, n_batch, n))  # at place t + 1 is step t
    last = np.full((n_batch, n), -(10**6))
    for t in range(1, n_steps + 1):
        v[t] = alpha * v[t - 1] + drive[:, t - 1] + s[t - 1] @ weight - params.threshold * s[t - 1]
        a[t] = rho * a[t - 1] + s[t - 1]
        above = v[t] - params.threshold - params.adaptation * a[t]
        s[t] = (above > 0) & (t - last > round(params.refractory / DT))
        last[s[t] > 0] = t
    return s[1:].transpose(1, 0, 2)


@pytest.mark.parametrize("refractory", [0.0, 1e-3, 5e-3])
@pytest.mark.parametrize("adaptation", [0.0, 0.3])
def test_the_loop_follows_the_equations(refractory, adaptation):
    rng = np.random.default_rng(1)
    drive, weight = rng.normal(0.1, 0.4, (3, 80, 5)), rng.normal(0, 0.5, (5, 5))
    params = ALIFParams(refractory=refractory, adaptation=adaptation)
    expected = _by_hand(drive, weight, params)
    assert 50 < expected.sum() < 800
    found = alif_loop(torch.from_numpy(drive), torch.from_numpy(weight), params, dt=DT)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_an_input_moves_the_membrane_at_once_and_it_decays_by_alpha():
    drive = torch.zeros(1, 10, 1, dtype=torch.float64)
    drive[0, 0] = 0.5
    membrane = _states(drive, ALIFParams()).membrane.flatten().numpy()
    np.testing.assert_allclose(membrane, 0.5 * math.exp(-DT / 20e-3) ** np.arange(10), rtol=1e-12)


def test_a_spike_raises_the_threshold_from_the_next_step_on_and_it_falls_back_by_rho():
    drive = torch.zeros(1, 6, 1, dtype=torch.float64)
    drive[0, 0] = 1.0
    params = ALIFParams(tau_adaptation=10e-3)
    states = _states(drive, params)
    assert states.spikes.flatten().tolist() == [1, 0, 0, 0, 0, 0]
    expected = np.concatenate([[0.0], math.exp(-DT / 10e-3) ** np.arange(5)])
    np.testing.assert_allclose(states.adaptation.flatten().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("n_steps", [0, 1, 3, 5])
def test_a_neuron_that_is_always_above_fires_once_its_refractory_steps_are_over(n_steps):
    drive = torch.full((1, 30, 1), 9.0, dtype=torch.float64)
    spikes = alif_loop(drive, None, ALIFParams(refractory=n_steps * DT), dt=DT)
    assert spikes.flatten().nonzero().flatten().tolist() == list(range(0, 30, n_steps + 1))


def test_the_refractory_time_is_rounded_to_whole_steps():
    params = ALIFParams(refractory=5e-3)
    assert [params.n_refractory(dt) for dt in (1e-3, 2.9e-3, 4e-3, 20e-3)] == [5, 2, 1, 0]


def test_the_membrane_goes_on_while_its_neuron_is_refractory():
    drive = torch.full((1, 4, 1), 1.0, dtype=torch.float64)
    params = ALIFParams(refractory=3e-3)
    membrane = _states(drive, params).membrane.flatten()
    alpha, _ = params.decays(DT)
    assert membrane[1].item() == pytest.approx(alpha * 1.0 + 1.0 - params.threshold)
    assert membrane[2].item() == pytest.approx(alpha * membrane[1].item() + 1.0)


def test_adaptation_makes_a_driven_neuron_fire_less_and_less():
    drive = torch.full((1, 600, 1), 0.2, dtype=torch.float64)
    free = alif_loop(drive, None, ALIFParams(adaptation=0.0), dt=DT)
    adapted = alif_loop(drive, None, ALIFParams(adaptation=0.05), dt=DT)
    assert adapted.sum() < 0.8 * free.sum()
    assert adapted[:, :100].sum() > 1.5 * adapted[:, 500:].sum()


def test_the_defaults_are_the_published_constants_for_steps_of_one_millisecond():
    params = ALIFParams()
    alpha, rho = params.decays(DT)
    assert params.adaptation == pytest.approx(1.7 * (1 - rho) / (1 - alpha), abs=5e-5)
    surrogate = params.surrogate  # 0.3 / threshold max(0, 1 - |x| / threshold)
    assert (surrogate.shape, surrogate.scale) == ("triangle", pytest.approx(1 / params.threshold))
    assert surrogate.height == pytest.approx(0.3 / params.threshold)


def test_a_refractory_neuron_has_no_surrogate_derivative():
    wide = SurrogateParams(shape="boxcar", scale=1e-9)  # 1 wherever a neuron may fire
    drive = torch.zeros(1, 8, 1, dtype=torch.float64)
    drive[0, 0] = 1.0
    drive.requires_grad_()
    params = ALIFParams(adaptation=0.0, refractory=3e-3, surrogate=wide)
    spikes = alif_loop(drive, None, params, dt=DT)
    assert spikes.detach().flatten().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    alpha, _ = params.decays(DT)
    for step in range(8):
        (gradient,) = torch.autograd.grad(spikes[0, step, 0], drive, retain_graph=True)
        expected = (
            np.zeros(8) if step in (1, 2, 3) else np.where(np.arange(8) <= step, alpha ** (step - np.arange(8.0)), 0)
        )
        np.testing.assert_allclose(gradient.flatten().numpy(), expected, rtol=1e-12)


def test_below_threshold_the_gradients_are_those_of_finite_differences():
    params = ALIFParams(surrogate=NARROW, threshold=2.0)
    drive = torch.from_numpy(np.random.default_rng(4).normal(0, 0.3, (2, 7, 3))).requires_grad_()

    def last_membrane(drive):
        zeros = torch.zeros(2, 3, dtype=torch.float64)
        state = ALIFState(zeros, zeros, zeros, zeros)
        for step_drive in drive.unbind(1):
            spikes, state = alif_step(state, step_drive, None, params, dt=DT)
            assert not spikes.any()
        return state.membrane

    assert torch.autograd.gradcheck(last_membrane, (drive,))


@pytest.mark.parametrize("detach_reset", [True, False])
@pytest.mark.parametrize("refractory", [0.0, 3e-3])
def test_gradients_through_spikes_are_those_carried_forward_by_hand(detach_reset, refractory):
    # one neuron onto itself with weight u, derivative of a spike f: the tangent of every state with the drive's
    threshold, adaptation, u = 0.6, 0.3, -0.2
    params = ALIFParams(
        adaptation=adaptation,
        tau_adaptation=0.1,
        refractory=refractory,
        detach_reset=detach_reset,
        surrogate=SurrogateParams(scale=2.0),
    )
    alpha, rho = params.decays(DT)
    rng = np.random.default_rng(6)
    drive, direction, weights = rng.normal(0.3, 0.4, 40), rng.normal(size=40), rng.normal(size=40)
    v = a = s = dv = da = ds = along = fired = 0.0
    last = -(10**6)
    for t in range(40):
        v, dv = (
            alpha * v + drive[t] + (u - threshold) * s,
            (alpha * dv + direction[t] + (u if detach_reset else u - threshold) * ds),
        )
        a, da = rho * a + s, rho * da + ds
        x = v - threshold - adaptation * a
        if t - last <= round(refractory / DT):
            s = ds = 0.0
        else:
            s, ds = float(x > 0), (dv - adaptation * da) / (1 + 2 * abs(x)) ** 2
        last = t if s else last
        along += weights[t] * ds
        fired += s
    assert 3 < fired < 35
    given = torch.from_numpy(drive).view(1, 40, 1).requires_grad_()
    spikes = alif_loop(given, torch.full((1, 1), u, dtype=torch.float64), params, dt=DT)
    (spikes.flatten() * torch.from_numpy(weights)).sum().backward()
    assert (given.grad.flatten().numpy() @ direction).item() == pytest.approx(along, rel=1e-10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0.0}, r"ALIFParams\.threshold must be > 0, got 0\.0"),
        ({"tau_mem": -1.0}, r"ALIFParams\.tau_mem must be > 0, got -1\.0"),
        ({"tau_adaptation": math.nan}, r"ALIFParams\.tau_adaptation must be a number > 0, got nan"),
        ({"adaptation": -0.1}, r"ALIFParams\.adaptation must be >= 0, got -0\.1"),
        ({"refractory": -1e-3}, r"ALIFParams\.refractory must be >= 0, got -0\.001"),
        ({"surrogate": LIFParams()}, r"ALIFParams\.surrogate must be SurrogateParams, got"),
    ],
)
def test_params_that_mean_nothing_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ALIFParams(**changes)
