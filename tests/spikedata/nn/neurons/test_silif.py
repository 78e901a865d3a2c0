import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import (
    AdLIFCoefficients,
    SiLIFParams,
    SiLIFValues,
    adlif_loop,
    as_adlif,
    draw_silif,
    silif_coefficients,
    silif_loop,
)

DT = 4e-3


def _values(n=5, seed=0):
    drawn = draw_silif(SiLIFParams(), n, generator=torch.Generator().manual_seed(seed))
    return SiLIFValues(*(values.double().requires_grad_() for values in drawn))


def test_the_loop_follows_the_equations():
    rng = np.random.default_rng(1)
    drive, weight = rng.normal(1.5, 3.0, (3, 60, 5)), rng.normal(0, 1.0, (5, 5))
    found = silif_coefficients(_values(), SiLIFParams(), dt=DT)
    alpha, beta, a, b = (values.detach().numpy() for values in found)
    u, s, w = np.zeros((3, 61, 3, 5))  # at place t + 1 is step t
    for t in range(1, 61):
        w[t] = beta * w[t - 1] + a * u[t - 1] + b * s[t - 1]
        injected = drive[:, t - 1] + s[t - 1] @ weight
        u[t] = alpha * (u[t - 1] - 0.8 * s[t - 1]) + (1 - alpha) * (injected - w[t])
        s[t] = u[t] > 0.8
    expected = s[1:].transpose(1, 0, 2)
    assert 50 < expected.sum() < 400
    spikes = silif_loop(torch.from_numpy(drive), torch.from_numpy(weight), found, SiLIFParams(threshold=0.8))
    np.testing.assert_array_equal(spikes.detach().numpy(), expected)


def test_it_is_the_adaptive_neuron_whose_spike_coupling_holds_the_membrane_s():
    generator, params = torch.Generator().manual_seed(2), SiLIFParams(threshold=0.7)
    drive = (2 + 3 * torch.randn(4, 50, 5, generator=generator, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(5, 5, generator=generator, dtype=torch.float64).requires_grad_()
    values, results = _values(), []
    for loop in ("silif", "adlif"):
        found = silif_coefficients(values, params, dt=DT)
        if loop == "silif":
            spikes = silif_loop(drive, weight, found, params)
        else:
            spikes = adlif_loop(drive, weight, *as_adlif(found, params))
        weights = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        results.append([spikes, *torch.autograd.grad((spikes * weights).sum(), [drive, weight, *values])])
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


def test_training_starts_within_the_ranges():
    params = SiLIFParams(tau_mem=(10e-3, 20e-3), tau_adaptation=(0.1, 0.2), membrane_coupling=(-1.0, 0.5))
    values = draw_silif(params, 2000, generator=torch.Generator().manual_seed(0))
    found = silif_coefficients(values, params, dt=DT)
    for decay, (shortest, longest) in zip(found[:2], (params.tau_mem, params.tau_adaptation), strict=True):
        tau = -DT / torch.log(decay)
        assert tau.min() == pytest.approx(shortest, rel=0.01)
        assert tau.max() == pytest.approx(longest, rel=0.01)
        assert tau.median() == pytest.approx(math.sqrt(shortest * longest), rel=0.05)  # uniform in the logarithm
    assert found.membrane_coupling.min() == pytest.approx(-1.0, abs=0.01)
    assert found.spike_coupling.max() == pytest.approx(2.0, abs=0.01)


def test_decays_stay_between_zero_and_one_whatever_is_learned():
    wild = SiLIFValues(*torch.tensor([[-9.0, 3.0], [5.0, -9.0], [-3.0, 3.0], [9.0, -9.0], [9.0, -9.0]]).double())
    found = silif_coefficients(wild, SiLIFParams(), dt=DT)
    assert all(((decay > 0) & (decay < 1)).all() for decay in found[:2])
    assert found.membrane_coupling.tolist() == [1.0, 0.0]
    assert found.spike_coupling.tolist() == [2.0, 0.0]


def test_a_coupling_outside_its_bounds_can_be_trained_back():
    values = SiLIFValues(*torch.tensor([[4.0], [1.0], [0.0], [7.0], [-3.0]]).double())
    values = SiLIFValues(*(value.requires_grad_() for value in values))
    torch.stack(silif_coefficients(values, SiLIFParams(), dt=DT)).sum().backward()
    assert all(value.grad.item() != 0 for value in values)


def test_a_longer_step_of_its_own_makes_a_neuron_forget_faster():
    both = SiLIFValues(*torch.tensor([[4.0, 4.0], [1.0, 1.0], [0.0, math.log(2)], [0.0, 0.0], [0.0, 0.0]]).double())
    found = silif_coefficients(both, SiLIFParams(), dt=DT)
    assert found.membrane_decay[1].item() == pytest.approx(found.membrane_decay[0].item() ** 2, rel=1e-7)
    assert found.adaptation_decay[1].item() == pytest.approx(found.adaptation_decay[0].item() ** 2, rel=1e-7)


def test_adaptation_makes_a_driven_neuron_fire_less_and_less():
    drive = torch.full((1, 400, 1), 3.0, dtype=torch.float64)
    free, adapted = (
        silif_loop(drive, None, AdLIFCoefficients(*torch.tensor([[0.9], [0.99], [0.0], [b]]).double()), SiLIFParams())
        for b in (0.0, 0.1)
    )
    assert adapted.sum() < 0.8 * free.sum()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0.0}, r"SiLIFParams\.threshold must be > 0, got 0\.0"),
        ({"tau_mem": (0.0, 1.0)}, r"SiLIFParams\.tau_mem must be two ascending numbers > 0, got \(0\.0, 1\.0\)"),
        ({"spike_coupling": (2.0, 0.0)}, r"SiLIFParams\.spike_coupling must be two ascending numbers, got"),
    ],
)
def test_params_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SiLIFParams(**changes)
