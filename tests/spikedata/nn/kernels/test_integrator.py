import pytest
import torch

from spikedata.nn.kernels import run_integrator
from spikedata.nn.neurons import IntegratorParams, leaky_integrator

DT = 2e-3


@pytest.mark.parametrize("tau_syn", [5e-3, None, 20e-3])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 5), (130, 40, 20)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kernel_is_the_product_over_time(tau_syn, size, dtype, assert_agree, draw):
    drive, params = draw(*size, dtype=dtype), IntegratorParams(tau_mem=20e-3, tau_syn=tau_syn)
    if tau_syn is None or size[1] > 2:  # with a synapse nothing arrives before the third step
        assert_agree(
            lambda: run_integrator(drive, params, dt=DT), lambda: leaky_integrator(drive, params, dt=DT), [drive]
        )
    else:
        assert not run_integrator(drive, params, dt=DT).any()


@pytest.mark.parametrize("tau_syn", [5e-3, None])
def test_what_is_not_a_number_stays_with_its_neuron(tau_syn):
    drive = torch.zeros(2, 8, 3)
    drive[1, 2, 0] = torch.nan
    found = run_integrator(drive, IntegratorParams(tau_syn=tau_syn), dt=DT).isnan()
    assert found[1, -1].tolist() == [True, False, False]
    assert not found[0].any()


def test_an_empty_batch_gives_an_empty_result():
    assert run_integrator(torch.zeros(0, 5, 3), IntegratorParams(), dt=DT).shape == (0, 5, 3)
