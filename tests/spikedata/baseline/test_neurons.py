import math

import numpy as np
import pytest
import torch

from spikedata.baseline.neurons import LIFParams, LIFState, leaky_integrator, lif_step

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
            membrane = beta * membrane + current - params.threshold * fired
            current = np.array(next_current)
    return spikes, membranes


@pytest.mark.parametrize("threshold", [1.0, 0.4])
def test_a_step_follows_the_equations(threshold):
    rng = np.random.default_rng(1)
    params = LIFParams(threshold=threshold)
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


def test_a_neuron_without_input_stays_silent():
    spikes, membranes = _run(torch.zeros(20, 2, 3), torch.ones(3, 3), LIFParams())
    assert not spikes.any()
    assert not membranes.any()


def test_no_gradient_flows_through_the_reset():
    # from a membrane just over its threshold the next one depends on it by the leak alone, not by the reset
    membrane = torch.tensor([[1.1]], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    _, state = lif_step(LIFState(zero, membrane), zero, zero, LIFParams(tau_mem=20e-3), dt=DT)
    state.membrane.sum().backward()
    assert membrane.grad.item() == pytest.approx(math.exp(-DT / 20e-3), rel=1e-12)


def test_the_leaky_integrator_follows_the_equations_step_by_step():
    rng = np.random.default_rng(2)
    drive = torch.from_numpy(rng.normal(size=(3, 80, 4)))
    params = LIFParams(tau_mem=15e-3, tau_syn=4e-3)
    alpha, beta = params.decays(DT)
    current, membrane = torch.zeros(3, 4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64)
    expected = []
    for n in range(80):
        expected.append(membrane)
        current, membrane = alpha * current + drive[:, n], beta * membrane + current
    found = leaky_integrator(drive, params, dt=DT)
    torch.testing.assert_close(found, torch.stack(expected, dim=1), rtol=1e-12, atol=1e-12)


def test_the_leaky_integrator_holds_for_equal_time_constants():
    drive = torch.zeros(1, 6, 1, dtype=torch.float64)
    drive[0, 0] = 1.0
    params = LIFParams(tau_mem=10e-3, tau_syn=10e-3)
    alpha, _ = params.decays(DT)
    expected = [0, 0, 1, 2 * alpha, 3 * alpha**2, 4 * alpha**3]
    np.testing.assert_allclose(leaky_integrator(drive, params, dt=DT).flatten().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn", "threshold", "slope"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_neurons_refuse_numbers_that_mean_nothing(name, value):
    with pytest.raises(ValueError, match=rf"LIFParams\.{name} must be > 0, got {value}"):
        LIFParams(**{name: value})
