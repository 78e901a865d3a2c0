import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import (
    CSiLIFCoefficients,
    CSiLIFParams,
    CSiLIFValues,
    c_silif_coefficients,
    c_silif_loop,
    draw_c_silif,
)
from spikedata.nn.surrogate import SurrogateParams

DT = 4e-3


def _coefficients(n=5, seed=0):
    drawn = draw_c_silif(CSiLIFParams(), n, dt=DT, generator=torch.Generator().manual_seed(seed))
    return CSiLIFCoefficients(*(part.double() for part in c_silif_coefficients(drawn)))


def test_the_loop_follows_the_equation_in_complex_numbers():
    rng = np.random.default_rng(1)
    drive, weight = rng.normal(0.0, 1.0, (3, 60, 5)), rng.normal(0, 1.0, (5, 5))
    found = _coefficients()
    turn = found.real.numpy() + 1j * found.imaginary.numpy()
    u, s = np.zeros((61, 3, 5), complex), np.zeros((61, 3, 5))  # at place t + 1 is step t
    for t in range(1, 61):
        u[t] = turn * (u[t - 1] - 0.4 * s[t - 1]) + drive[:, t - 1] + s[t - 1] @ weight
        s[t] = 2 * u[t].real > 0.8
    expected = s[1:].transpose(1, 0, 2)
    assert 100 < expected.sum() < 800
    spikes = c_silif_loop(torch.from_numpy(drive), torch.from_numpy(weight), found, CSiLIFParams(threshold=0.8))
    np.testing.assert_array_equal(spikes.numpy(), expected)


def test_training_starts_with_the_states_of_s4d():
    params = CSiLIFParams(tau_mem=(20e-3, 0.5), turns=1.0)
    values = draw_c_silif(params, 2000, dt=DT, generator=torch.Generator().manual_seed(0))
    found = c_silif_coefficients(values)
    tau = -DT / torch.log(torch.hypot(*found))
    assert tau.min() == pytest.approx(20e-3, rel=0.01)
    assert tau.max() == pytest.approx(0.5, rel=0.01)
    angle = torch.atan2(found.imaginary, found.real)
    torch.testing.assert_close(angle, 2 * math.pi * DT / tau, rtol=1e-4, atol=1e-5)  # one turn in each time constant
    assert values.log_rate.exp().unique().tolist() == pytest.approx([0.5])
    assert values.frequency.unique().tolist() == pytest.approx([math.pi])
    assert 0 <= values.gain.min() < 0.01 < 0.99 < values.gain.max() <= 1


def test_the_usual_range_is_that_of_steps_between_a_hundredth_and_a_half():
    values = draw_c_silif(CSiLIFParams(), 2000, dt=DT, generator=torch.Generator().manual_seed(0))
    assert values.log_step.exp().min() == pytest.approx(0.01, rel=0.01)
    assert values.log_step.exp().max() == pytest.approx(0.5, rel=0.01)


def test_states_decay_whatever_is_learned():
    wild = CSiLIFValues(*torch.tensor([[-9.0, 3.0], [50.0, -50.0], [-3.0, 3.0], [9.0, -9.0]]).double())
    assert (torch.hypot(*c_silif_coefficients(wild)) < 1).all()


def test_a_neuron_fires_most_for_a_drive_of_its_own_frequency():
    params = CSiLIFParams(tau_mem=(0.1, 0.1), turns=2.0)  # 20 Hz
    values = draw_c_silif(params, 1, dt=DT, generator=torch.Generator().manual_seed(0))
    t = torch.arange(500) * DT
    drives = torch.stack([0.15 * torch.sin(2 * math.pi * hertz * t) for hertz in (5.0, 20.0, 60.0)])[:, :, None]
    slow, own, fast = c_silif_loop(drives, None, c_silif_coefficients(values), params).sum(dim=(1, 2)).tolist()
    assert own > 20
    assert max(slow, fast) < 5


def test_a_spike_lowers_the_membrane_by_the_threshold():
    still = CSiLIFCoefficients(torch.ones(1).double(), torch.zeros(1).double())
    drive = torch.tensor([1.7, 0.0, 0.0, 0.0]).double().view(1, 4, 1)  # a membrane of 3.4
    assert c_silif_loop(drive, None, still, CSiLIFParams()).flatten().tolist() == [1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("detach_reset", [True, False])
def test_gradients_through_spikes_are_those_carried_forward_by_hand(detach_reset):
    # one neuron onto itself with weight v, derivative of a spike f: the tangent of every state with the drive's
    p, q, v = 0.8, 0.4, -0.6
    params = CSiLIFParams(detach_reset=detach_reset, surrogate=SurrogateParams(scale=2.0))
    rng = np.random.default_rng(6)
    drive, direction, weights = rng.normal(0.3, 1.0, 40), rng.normal(size=40), rng.normal(size=40)
    u = du = 0j
    s = ds = along = fired = 0.0
    for t in range(40):
        du = (p + 1j * q) * (du - 0.5 * ds * (not detach_reset)) + direction[t] + v * ds
        u = (p + 1j * q) * (u - 0.5 * s) + drive[t] + v * s
        x = 2 * u.real - 1
        s, ds = float(x > 0), 2 * du.real / (1 + 2 * abs(x)) ** 2
        along += weights[t] * ds
        fired += s
    assert 3 < fired < 35
    given = torch.from_numpy(drive).view(1, 40, 1).requires_grad_()
    coefficients = CSiLIFCoefficients(*torch.tensor([[p], [q]]).double())
    spikes = c_silif_loop(given, torch.full((1, 1), v, dtype=torch.float64), coefficients, params)
    (spikes.flatten() * torch.from_numpy(weights)).sum().backward()
    assert (given.grad.flatten().numpy() @ direction).item() == pytest.approx(along, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0.0}, r"CSiLIFParams\.threshold must be > 0, got 0\.0"),
        ({"tau_mem": (0.2, 0.1)}, r"CSiLIFParams\.tau_mem must be two ascending numbers > 0, got \(0\.2, 0\.1\)"),
        ({"turns": -1.0}, r"CSiLIFParams\.turns must be >= 0, got -1\.0"),
    ],
)
def test_params_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        CSiLIFParams(**changes)
