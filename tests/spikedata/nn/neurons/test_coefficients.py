import math

import pytest
import torch

from spikedata.nn.neurons import AdLIFFractions, AdLIFParams, adlif_coefficients

DT = 4e-3
PARAMS = AdLIFParams(tau_mem=(20e-3, 100e-3), tau_adaptation=(0.2, 1.0), membrane_coupling=(-1.0, 1.0))


def _fractions(value):
    return AdLIFFractions(*torch.full((4, 1), value, dtype=torch.float64).requires_grad_().unbind(0))


@pytest.mark.parametrize(("fraction", "tau"), [(0.0, 20e-3), (0.5, 60e-3), (1.0, 100e-3)])
def test_the_membrane_decays_with_a_time_constant_of_its_range(fraction, tau):
    found = adlif_coefficients(_fractions(fraction), PARAMS, dt=DT)
    assert found.membrane_decay.item() == pytest.approx(math.exp(-DT / tau), rel=1e-12)


@pytest.mark.parametrize(("leaky", "factor"), [(True, 1 - math.exp(-DT / 1.0)), (False, 1.0)])
def test_the_coupling_is_multiplied_by_its_gain_and_where_asked_by_the_leak(leaky, factor):
    params = AdLIFParams(tau_adaptation=(0.2, 1.0), spike_coupling=(0.0, 2.0), coupling_gain=3.0, leaky_coupling=leaky)
    found = adlif_coefficients(_fractions(1.0), params, dt=DT)
    assert found.spike_coupling.item() == pytest.approx(3.0 * 2.0 * factor, rel=1e-12)


@pytest.mark.parametrize(("fraction", "end"), [(-0.3, 0.0), (1.7, 1.0)])
def test_a_fraction_outside_counts_as_the_nearer_end(fraction, end):
    found = adlif_coefficients(_fractions(fraction), PARAMS, dt=DT)
    expected = adlif_coefficients(_fractions(end), PARAMS, dt=DT)
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=1e-12, atol=0)


def test_a_fraction_outside_can_be_trained_back():
    fractions = _fractions(1.7)
    for values in fractions:
        values.retain_grad()
    torch.stack(adlif_coefficients(fractions, PARAMS, dt=DT)).sum().backward()
    assert all(values.grad.item() != 0 for values in fractions)
