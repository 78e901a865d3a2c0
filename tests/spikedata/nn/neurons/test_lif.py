import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import LIFParams, LIFState, lif_loop, lif_step
from spikedata.nn.surrogate import SurrogateParams

DT = 2e-3


def _run(drive, recurrent_weight, params):
    """Spikes and membranes (step, batch, neuron) of neurons at rest."""
    state = LIFState(torch.zeros_like(drive[0]), torch.zeros_like(drive[0]))
    spikes, membranes = [], []
    for step_drive in drive:
        membranes.append(state.membrane)
        now, state = lif_step(state, step_drive, recurrent_weight, params, dt=DT)
        spikes.append(now)
    return torch.stack(spikes), torch.stack(membranes)


def _by_hand(drive, recurrent_weight, params):
    alpha, beta = math.exp(-DT / params.tau_syn), math.exp(-DT / params.tau_mem)
    n_steps, n_batch, n_neurons = drive.shape
    spikes, membranes = np.zeros(drive.shape), np.zeros(drive.shape)
    for b in range(n_batch):
        current, membrane = np.zeros(n_neurons), np.zeros(n_neurons)
        for n in range(n_steps):
            membranes[n, b] = membrane
            fired = np.array([1.0 if u > params.threshold else 0.0 for u in membrane])
            spikes[n, b] = fired
            next_current = [
                alpha * current[i] + drive[n, b, i] + sum(recurrent_weight[j, i] * fired[j] for j in range(n_neurons))
                for i in range(n_neurons)
            ]
            decayed = beta * membrane + current
            membrane = decayed - params.threshold * fired if params.reset == "subtract" else decayed * (1 - fired)
            current = np.array(next_current)
    return spikes, membranes


@pytest.mark.parametrize("threshold", [1.0, 0.4])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_a_step_follows_the_equations(threshold, reset):
    rng = np.random.default_rng(1)
    params = LIFParams(threshold=threshold, reset=reset)
    drive, recurrent_weight = rng.normal(0.1, 0.4, (60, 2, 5)), rng.normal(0, 0.3, (5, 5))
    spikes, membranes = _run(torch.from_numpy(drive), torch.from_numpy(recurrent_weight), params)
    expected_spikes, expected_membranes = _by_hand(drive, recurrent_weight, params)
    assert 20 < expected_spikes.sum() < 500
    np.testing.assert_array_equal(spikes.numpy(), expected_spikes)
    np.testing.assert_allclose(membranes.numpy(), expected_membranes, rtol=1e-12, atol=1e-12)


def test_an_input_spike_moves_the_membrane_two_steps_later():
    drive = torch.zeros(5, 1, 1)
    drive[1] = 0.5
    _, membranes = _run(drive, torch.zeros(1, 1), LIFParams())
    assert membranes.flatten()[:4].tolist() == [0, 0, 0, 0.5]


def test_the_response_to_one_input_spike_is_a_difference_of_exponentials():
    # in closed form the sum over j <= k of alpha^j beta^(k-j) is (alpha^(k+1) - beta^(k+1)) / (alpha - beta)
    params = LIFParams(tau_mem=20e-3, tau_syn=5e-3, threshold=100.0)
    drive = torch.zeros(40, 1, 1, dtype=torch.float64)
    drive[0] = 1.0
    _, membranes = _run(drive, None, params)
    alpha, beta = math.exp(-DT / 5e-3), math.exp(-DT / 20e-3)
    k = np.arange(38)
    expected = (alpha ** (k + 1) - beta ** (k + 1)) / (alpha - beta)
    np.testing.assert_allclose(membranes.flatten()[2:].numpy(), expected, rtol=1e-12)


def test_a_neuron_without_input_stays_silent():
    spikes, membranes = _run(torch.zeros(20, 2, 3), torch.ones(3, 3), LIFParams())
    assert not spikes.any()
    assert not membranes.any()


def test_no_recurrent_weight_is_one_of_zeros():
    drive = torch.from_numpy(np.random.default_rng(2).normal(0.2, 0.4, (2, 30, 4)))
    expected = lif_loop(drive, torch.zeros(4, 4, dtype=torch.float64), LIFParams(), dt=DT)
    assert torch.equal(lif_loop(drive, None, LIFParams(), dt=DT), expected)


def test_the_loop_is_step_after_step():
    drive = torch.from_numpy(np.random.default_rng(3).normal(0.2, 0.4, (2, 30, 4)))
    weight = torch.full((4, 4), 0.1, dtype=torch.float64)
    spikes, _ = _run(drive.transpose(0, 1), weight, LIFParams())
    assert torch.equal(lif_loop(drive, weight, LIFParams(), dt=DT), spikes.transpose(0, 1))


@pytest.mark.parametrize(
    ("reset", "detach_reset", "expected"),
    [
        # from a membrane U = 1.1 the next depends on it by the leak beta, and through the spike by f = 1 / 1.5^2
        ("subtract", True, lambda beta, f: beta),
        ("subtract", False, lambda beta, f: beta - f),
        ("zero", True, lambda beta, f: 0.0),
        ("zero", False, lambda beta, f: -1.1 * beta * f),
    ],
)
def test_a_gradient_flows_through_the_reset_only_where_it_is_not_detached(reset, detach_reset, expected):
    membrane = torch.tensor([[1.1]], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    params = LIFParams(tau_mem=20e-3, reset=reset, detach_reset=detach_reset, surrogate=SurrogateParams(scale=5.0))
    _, state = lif_step(LIFState(zero, membrane), zero, zero, params, dt=DT)
    state.membrane.sum().backward()
    assert membrane.grad.item() == pytest.approx(expected(math.exp(-DT / 20e-3), 1 / 1.5**2), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn", "threshold"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "1"])
def test_neurons_refuse_numbers_that_mean_nothing(name, value):
    with pytest.raises(ValueError, match=rf"LIFParams\.{name} must be (a number|> 0|finite).*, got {value!r}"):
        LIFParams(**{name: value})


def test_neurons_refuse_an_unknown_reset():
    with pytest.raises(ValueError, match=r"LIFParams\.reset must be one of subtract, zero, got 'none'"):
        LIFParams(reset="none")
