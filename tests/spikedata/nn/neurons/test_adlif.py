import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import AdLIFCoefficients, AdLIFParams, AdLIFState, adlif_loop, adlif_step
from spikedata.nn.surrogate import SurrogateParams

NARROW = SurrogateParams(shape="boxcar", scale=1e9)  # no gradient but for what sits on the threshold
RULES = [(scheme, reset) for scheme in ("symplectic", "euler") for reset in ("subtract", "zero")]


def _coefficients(alpha=0.9, beta=0.97, a=0.0, b=0.0, n=1):
    return AdLIFCoefficients(*torch.tensor([[alpha], [beta], [a], [b]], dtype=torch.float64).expand(4, n).clone())


def _states(drive, coefficients, params):
    """Membranes and adaptations after each step, and spikes, of neurons that are not connected."""
    zeros = torch.zeros_like(drive[:, 0])
    state, states = AdLIFState(zeros, zeros, zeros), []
    for step_drive in drive.unbind(1):
        _, state = adlif_step(state, step_drive, None, coefficients, params)
        states.append(state)
    return [torch.stack(values, dim=1).flatten().numpy() for values in zip(*states, strict=True)]


def _by_hand(drive, weight, coefficients, params):
    """The equations, neuron by neuron and with indices of time, as they are printed."""
    alpha, beta, a, b = (values.numpy() for values in coefficients)
    n_batch, n_steps, n = drive.shape
    u, s, r, w = np.zeros((4, n_steps + 1, n_batch, n))  # at place t + 1 is step t
    for t in range(1, n_steps + 1):
        injected = drive[:, t - 1] + s[t - 1] @ weight
        u[t] = alpha * r[t - 1] + (1 - alpha) * (injected - w[t - 1])
        s[t] = u[t] > params.threshold
        r[t] = u[t] - params.threshold * s[t] if params.reset == "subtract" else u[t] * (1 - s[t])
        source = t if params.scheme == "symplectic" else t - 1
        w[t] = beta * w[t - 1] + a * r[source] + b * s[source]
    return s[1:].transpose(1, 0, 2)


@pytest.mark.parametrize(("scheme", "reset"), RULES)
def test_the_loop_follows_the_equations(scheme, reset):
    rng = np.random.default_rng(1)
    drive, weight = rng.normal(1.5, 3.0, (3, 60, 5)), rng.normal(0, 1.0, (5, 5))
    uniform = rng.uniform(size=(4, 5))
    coefficients = AdLIFCoefficients(
        *(torch.from_numpy(low + (high - low) * x) for (low, high), x in zip(
            [(0.7, 0.95), (0.9, 0.99), (-0.2, 0.3), (0.0, 0.5)], uniform, strict=True))
    )  # fmt: skip
    params = AdLIFParams(scheme=scheme, reset=reset, threshold=0.8)
    expected = _by_hand(drive, weight, coefficients, params)
    assert 50 < expected.sum() < 400
    found = adlif_loop(torch.from_numpy(drive), torch.from_numpy(weight), coefficients, params)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_without_adaptation_the_membrane_decays_by_alpha():
    drive = torch.zeros(1, 10, 1, dtype=torch.float64)
    drive[0, 0] = 5.0
    membranes, _, _ = _states(drive, _coefficients(alpha=0.9), AdLIFParams())
    np.testing.assert_allclose(membranes, 0.5 * 0.9 ** np.arange(10), rtol=1e-12)


@pytest.mark.parametrize(("scheme", "delay"), [("symplectic", 0), ("euler", 1)])
def test_a_spike_adds_its_coupling_to_an_adaptation_that_decays_by_beta(scheme, delay):
    drive = torch.zeros(1, 8, 1, dtype=torch.float64)
    drive[0, 0] = 20.0
    _, adaptation, spikes = _states(drive, _coefficients(beta=0.9, b=0.3), AdLIFParams(scheme=scheme))
    assert spikes.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    expected = np.concatenate([np.zeros(delay), 0.3 * 0.9 ** np.arange(8 - delay)])
    np.testing.assert_allclose(adaptation, expected, rtol=1e-12)


@pytest.mark.parametrize("scheme", ["symplectic", "euler"])
def test_adaptation_makes_a_driven_neuron_fire_less_and_less(scheme):
    drive = torch.full((1, 400, 1), 3.0, dtype=torch.float64)
    free = adlif_loop(drive, None, _coefficients(b=0.0), AdLIFParams(scheme=scheme))
    adapted = adlif_loop(drive, None, _coefficients(beta=0.99, b=0.1), AdLIFParams(scheme=scheme))
    assert adapted.sum() < 0.8 * free.sum()
    assert adapted[:, :50].sum() > 1.2 * adapted[:, 350:].sum()


def test_a_membrane_coupled_to_its_adaptation_rings_below_threshold():
    drive = torch.zeros(1, 200, 1, dtype=torch.float64)
    drive[0, 0] = 5.0
    membranes, _, _ = _states(drive, _coefficients(alpha=0.95, beta=0.99, a=0.5), AdLIFParams())
    assert membranes.min() < -0.1  # an uncoupled one would only decay


def test_the_symplectic_form_is_stable_where_the_euler_form_grows():
    drive = torch.zeros(1, 400, 1, dtype=torch.float64)
    drive[0, 0] = 0.1
    params = {scheme: AdLIFParams(scheme=scheme, threshold=1e9) for scheme in ("symplectic", "euler")}
    ends = {
        scheme: np.abs(_states(drive, _coefficients(alpha=0.95, beta=0.99, a=2.0), params[scheme])[0][300:]).max()
        for scheme in params
    }
    assert ends["symplectic"] < 0.01
    assert ends["euler"] > 0.01


@pytest.mark.parametrize(("scheme", "reset"), RULES)
def test_below_threshold_the_gradients_are_those_of_finite_differences(scheme, reset):
    params = AdLIFParams(scheme=scheme, reset=reset, surrogate=NARROW)
    drive = torch.from_numpy(np.random.default_rng(4).normal(0, 0.5, (2, 7, 3))).requires_grad_()
    coefficients = AdLIFCoefficients(*(values.requires_grad_() for values in _coefficients(0.8, 0.9, 0.2, 0.4, n=3)))

    def last_membrane(drive, *values):
        zeros = torch.zeros(2, 3, dtype=torch.float64)
        state = AdLIFState(zeros, zeros, zeros)
        for step_drive in drive.unbind(1):
            spikes, state = adlif_step(state, step_drive, None, AdLIFCoefficients(*values), params)
            assert not spikes.any()
        return state.membrane, state.adaptation

    assert torch.autograd.gradcheck(last_membrane, (drive, *coefficients))


@pytest.mark.parametrize("scheme", ["symplectic", "euler"])
def test_gradients_through_spikes_are_those_carried_forward_by_hand(scheme):
    # one neuron onto itself with weight v, derivative of a spike f: the tangent of every state with the drive's
    alpha, beta, a, b, v = 0.8, 0.9, 0.3, 0.2, -0.7
    params = AdLIFParams(scheme=scheme, reset="zero", detach_reset=False, surrogate=SurrogateParams(scale=2.0))
    rng = np.random.default_rng(6)
    drive, direction, weights = rng.normal(3, 4, 40), rng.normal(size=40), rng.normal(size=40)
    r = w = s = dr = dw = ds = along = fired = 0.0
    for t in range(40):
        u = alpha * r + (1 - alpha) * (drive[t] + v * s - w)
        du = alpha * dr + (1 - alpha) * (direction[t] + v * ds - dw)
        before, d_before = a * r + b * s, a * dr + b * ds
        x = u - 1
        s, ds = float(x > 0), du / (1 + 2 * abs(x)) ** 2
        r, dr = u * (1 - s), du * (1 - s) - u * ds
        now, d_now = a * r + b * s, a * dr + b * ds
        w = beta * w + (now if scheme == "symplectic" else before)
        dw = beta * dw + (d_now if scheme == "symplectic" else d_before)
        along += weights[t] * ds
        fired += s
    assert 3 < fired < 35
    given = torch.from_numpy(drive).view(1, 40, 1).requires_grad_()
    weight = torch.full((1, 1), v, dtype=torch.float64)
    spikes = adlif_loop(given, weight, _coefficients(alpha, beta, a, b), params)
    (spikes.flatten() * torch.from_numpy(weights)).sum().backward()
    assert (given.grad.flatten().numpy() @ direction).item() == pytest.approx(along, rel=1e-10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scheme": "exact"}, r"AdLIFParams\.scheme must be one of euler, symplectic, got 'exact'"),
        ({"reset": "none"}, r"AdLIFParams\.reset must be one of subtract, zero, got 'none'"),
        ({"threshold": 0.0}, r"AdLIFParams\.threshold must be > 0, got 0\.0"),
        ({"coupling_gain": math.nan}, r"AdLIFParams\.coupling_gain must be a number > 0, got nan"),
        ({"tau_mem": (0.0, 1.0)}, r"AdLIFParams\.tau_mem must be two ascending numbers > 0, got \(0\.0, 1\.0\)"),
        ({"tau_adaptation": (0.2, 0.1)}, r"AdLIFParams\.tau_adaptation must be two ascending numbers > 0"),
        ({"membrane_coupling": (1.0, -1.0)}, r"AdLIFParams\.membrane_coupling must be two ascending numbers, got"),
        ({"spike_coupling": (0.0, 1.0, 2.0)}, r"AdLIFParams\.spike_coupling must be two ascending numbers, got"),
    ],
)
def test_params_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        AdLIFParams(**changes)
