import dataclasses
import math

import numpy as np
import pytest
import torch

from spikedata.nn.networks.initialization import (
    InitializationParams,
    Source,
    fluctuation_moments,
    impulse_sums,
    layer_weights,
)
from spikedata.nn.neurons import IntegratorParams, LIFParams, leaky_integrator

NEURON = LIFParams(tau_mem=20e-3, tau_syn=10e-3)
DT = 2e-3


@pytest.mark.parametrize("tau_syn", [5e-3, 10e-3, 20e-3])
def test_the_sums_are_those_of_the_membrane_that_one_spike_moves(tau_syn):
    impulse = torch.zeros(1, 400, 1, dtype=torch.float64)
    impulse[0, 0] = 1.0
    membrane = leaky_integrator(impulse, IntegratorParams(tau_mem=20e-3, tau_syn=tau_syn), dt=DT)
    found = impulse_sums(dataclasses.replace(NEURON, tau_syn=tau_syn), dt=DT)
    # 400 steps are 40 time constants: what is missing is below exp(-40)
    assert found == pytest.approx((membrane.sum().item(), membrane.square().sum().item()), rel=1e-12)


def test_for_short_steps_the_sums_are_the_integrals_of_the_paper():
    dt = 1e-6
    first, second = impulse_sums(NEURON, dt=dt)
    tau_mem, tau_syn = NEURON.tau_mem, NEURON.tau_syn
    # the membrane here is not divided by tau_mem / dt, as the paper's is; corrections are of order dt / tau
    assert first * dt * (dt / tau_mem) == pytest.approx(tau_syn, rel=1e-3)
    assert second * dt * (dt / tau_mem) ** 2 == pytest.approx(tau_syn**2 / (2 * (tau_syn + tau_mem)), rel=1e-3)


@pytest.mark.parametrize("mean", [0.0, 0.4])
def test_membranes_have_the_wanted_mean_and_deviation(mean):
    n, rate, deviation = 300, 20.0, 0.6
    params = InitializationParams(kind="fluctuation", input_rate=rate, membrane_mean=mean, membrane_deviation=deviation)
    weight, _ = layer_weights(
        params, NEURON, dt=DT, n_from=n, n_neurons=400, recurrent=False, from_input=True,
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    spikes = np.random.default_rng(2).poisson(rate * DT, (1, 6000, n))
    integrator = IntegratorParams(tau_mem=NEURON.tau_mem, tau_syn=NEURON.tau_syn)
    drive = torch.from_numpy(spikes).float() @ weight
    membrane = leaky_integrator(drive, integrator, dt=DT)[0, 200:]
    # over time within each neuron: 400 neurons of about 600 independent stretches each, whose weights differ;
    # the mean over neurons of the means has a standard error of about 0.03 deviations
    assert membrane.mean().item() == pytest.approx(mean, abs=0.1)
    assert math.sqrt(membrane.var(dim=0).mean().item()) == pytest.approx(deviation, rel=0.05)


def test_a_mean_that_alone_makes_too_much_variance_is_refused():
    with pytest.raises(ValueError, match=r"no weights give a membrane_mean of 5\.0 with a membrane_deviation of 0\.1"):
        fluctuation_moments([Source(10, 5.0, 1.0)], impulse_sums(NEURON, dt=DT), dt=DT, mean=5.0, deviation=0.1)
