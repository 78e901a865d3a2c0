import math

import numpy as np
import pytest
import torch

from spikedata.learning import first_spike_loss, van_rossum_distance

DT = 0.5e-3
KERNEL = {"tau_rise": 5e-3, "tau_decay": 10e-3, "dt": DT}


def train(*steps, n_steps=1000):
    spikes = torch.zeros(1, n_steps, 1, dtype=torch.float64)
    for step in steps:
        spikes[0, step, 0] += 1.0
    return spikes


def distance(spikes, target, **changes):
    return van_rossum_distance(spikes, target, **(KERNEL | changes)).item()


def test_equal_trains_have_no_distance():
    assert distance(train(3, 70), train(3, 70)) == 0.0


@pytest.mark.parametrize(("tau_rise", "tau_decay"), [(5e-3, 10e-3), (10e-3, 10e-3), (2e-3, 2.000001e-3)])
def test_a_missing_spike_is_one_unmatched_spike(tau_rise, tau_decay):
    found = distance(train(), train(40), tau_rise=tau_rise, tau_decay=tau_decay)
    assert found == pytest.approx(1.0, abs=1e-6)


def test_a_spike_far_from_its_target_is_two_unmatched_spikes():
    assert distance(train(40), train(600)) == pytest.approx(2.0, abs=1e-9)


def test_a_spike_a_little_late_is_a_little_wrong():
    found = [distance(train(40 + late), train(40)) for late in (1, 4, 20)]
    assert found == sorted(found)
    assert 0 < found[0] < 0.01 < found[2] < 2


def test_two_spikes_at_once_count_four():
    assert distance(train(), train(40, 40)) == pytest.approx(4.0, abs=1e-9)


def test_the_energy_of_a_spike_is_that_of_the_continuous_kernel_for_short_steps():
    # (b / (a - b))^2 (a/2 + b/2 - 2ab/(a + b)) = 0.8333 ms for a = 10 and b = 5 ms, of a kernel that is b/(a-b) times
    # the difference of the exponentials
    t = np.arange(2_000_000) * 1e-7
    kernel = (np.exp(-t / 10e-3) - np.exp(-t / 5e-3)) * 5 / (10 - 5)
    assert np.sum(kernel**2) * 1e-7 == pytest.approx(0.8333e-3, rel=1e-3)
    spikes = torch.zeros(1, 4000, 1, dtype=torch.float64)
    spikes[0, 0, 0], spikes[0, 100, 0] = 1, -1
    short = van_rossum_distance(spikes, torch.zeros_like(spikes), tau_rise=5e-3, tau_decay=10e-3, dt=5e-5).item()
    shifted = np.zeros_like(kernel)
    shifted[50_000:] = kernel[:-50_000]
    assert short == pytest.approx(np.sum((kernel - shifted) ** 2) * 1e-7 / 0.83333e-3, rel=1e-4)


def test_the_distance_is_that_of_the_filtered_trains():
    generator = torch.Generator().manual_seed(0)
    spikes, target = ((torch.rand(2, 90, 3, generator=generator) < 0.2).double() for _ in range(2))
    filtered = np.zeros((2, 90, 3))
    kernel = np.exp(-np.arange(5000) * DT / 10e-3) - np.exp(-np.arange(5000) * DT / 5e-3)
    for step in range(90):
        for before in range(step + 1):
            filtered[:, step] += kernel[step - before] * (target - spikes).numpy()[:, before]
    wanted = np.sum(filtered**2, axis=1) / np.sum(kernel**2)
    np.testing.assert_allclose(van_rossum_distance(spikes, target, **KERNEL).numpy(), wanted, rtol=1e-10)


def test_the_gradient_of_the_distance_is_its_difference():
    generator = torch.Generator().manual_seed(0)
    spikes = torch.rand(2, 12, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda value: van_rossum_distance(value, torch.ones(1, 12, 3), tau_rise=5e-3, tau_decay=9e-3, dt=1e-3), spikes
    )


def test_one_target_serves_all_clips():
    spikes, target = torch.zeros(3, 50, 2), torch.zeros(1, 50, 2)
    target[0, 5] = 1.0
    assert van_rossum_distance(spikes, target, tau_rise=2e-3, tau_decay=3e-3, dt=1e-3).shape == (3, 2)


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"target must have the shape of the spikes, got \(1, 9, 1\) and \(1, 10, 1\)"):
        van_rossum_distance(torch.zeros(1, 10, 1), torch.zeros(1, 9, 1), **KERNEL)
    with pytest.raises(ValueError, match="tau_rise must be > 0, got 0"):
        van_rossum_distance(torch.zeros(1, 10, 1), torch.zeros(1, 10, 1), **(KERNEL | {"tau_rise": 0}))


TIMES = torch.tensor([[0.010, 0.004, 0.030], [0.002, 0.020, 0.001]], dtype=torch.float64)
LABELS = torch.tensor([1, 0])
CONSTANTS = {"tau_0": 2e-3, "tau_1": 6.4e-3, "alpha": 3e-3}


def test_the_loss_of_first_spikes_is_its_equation():
    by_hand = 0.0
    for times, label in zip(TIMES.tolist(), LABELS.tolist(), strict=True):
        shares = [math.exp(-t / 2e-3) for t in times]
        by_hand += -math.log(shares[label] / sum(shares)) + 3e-3 * (math.exp(times[label] / 6.4e-3) - 1)
    assert first_spike_loss(TIMES, LABELS, **CONSTANTS).item() == pytest.approx(by_hand / 2, rel=1e-12)


def test_the_gradient_of_the_loss_of_first_spikes_is_its_difference():
    times = TIMES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda value: first_spike_loss(value, LABELS, **CONSTANTS), times)


def test_a_neuron_of_another_class_that_is_silent_loses():
    times = torch.tensor([[0.01, math.inf]], requires_grad=True)
    loss = first_spike_loss(times, torch.tensor([0]), **(CONSTANTS | {"alpha": 0.0}))
    loss.backward()
    assert loss.item() == 0.0
    assert times.grad.tolist() == [[0.0, 0.0]]


def test_a_silent_neuron_of_the_true_class_has_no_gradient_and_counts_as_a_guess():
    times = torch.tensor([[math.inf, 0.01, math.inf], [0.01, 0.02, 0.03]], requires_grad=True)
    loss = first_spike_loss(times, torch.tensor([0, 0]), **CONSTANTS)
    alone = first_spike_loss(times[1:], torch.tensor([0]), **CONSTANTS)
    assert loss.item() == pytest.approx((math.log(3) + alone.item()) / 2)
    loss.backward()
    assert times.grad[0].tolist() == [0.0, 0.0, 0.0]
    assert torch.isfinite(times.grad).all()
