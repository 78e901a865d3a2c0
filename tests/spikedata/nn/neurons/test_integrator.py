import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import IntegratorParams, leaky_integrator

DT = 2e-3


def test_with_a_synapse_it_follows_the_equations_step_by_step():
    drive = torch.from_numpy(np.random.default_rng(2).normal(size=(3, 80, 4)))
    alpha, beta = math.exp(-DT / 4e-3), math.exp(-DT / 15e-3)
    current, membrane = torch.zeros(3, 4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64)
    expected = []
    for n in range(80):
        expected.append(membrane)
        current, membrane = alpha * current + drive[:, n], beta * membrane + current
    found = leaky_integrator(drive, IntegratorParams(tau_mem=15e-3, tau_syn=4e-3), dt=DT)
    torch.testing.assert_close(found, torch.stack(expected, dim=1), rtol=1e-12, atol=1e-12)


def test_without_a_synapse_it_follows_the_equation_step_by_step():
    drive = torch.from_numpy(np.random.default_rng(3).normal(size=(3, 80, 4)))
    beta = math.exp(-DT / 15e-3)
    membrane = torch.zeros(3, 4, dtype=torch.float64)
    expected = []
    for n in range(80):
        membrane = beta * membrane + (1 - beta) * drive[:, n]
        expected.append(membrane)
    found = leaky_integrator(drive, IntegratorParams(tau_mem=15e-3, tau_syn=None), dt=DT)
    torch.testing.assert_close(found, torch.stack(expected, dim=1), rtol=1e-12, atol=1e-12)


def test_it_holds_for_equal_time_constants():
    drive = torch.zeros(1, 6, 1, dtype=torch.float64)
    drive[0, 0] = 1.0
    alpha = math.exp(-DT / 10e-3)
    found = leaky_integrator(drive, IntegratorParams(tau_mem=10e-3, tau_syn=10e-3), dt=DT)
    np.testing.assert_allclose(found.flatten().numpy(), [0, 0, 1, 2 * alpha, 3 * alpha**2, 4 * alpha**3], rtol=1e-12)


def test_a_constant_drive_is_reached_without_a_synapse():
    found = leaky_integrator(torch.full((1, 300, 1), 0.7), IntegratorParams(tau_mem=20e-3, tau_syn=None), dt=DT)
    assert found[0, -1, 0].item() == pytest.approx(0.7, rel=1e-6)


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "1"])
def test_integrators_refuse_numbers_that_mean_nothing(name, value):
    with pytest.raises(ValueError, match=rf"IntegratorParams\.{name} must be (a number|> 0|finite).*, got {value!r}"):
        IntegratorParams(**{name: value})
