"""EventProp on a grid approaches the exact gradient as the steps get shorter."""

import numpy as np
import pytest
import torch

from spikedata.nn.kernels.event_driven import SpikeTimes, fire, first_spikes, mean_voltage
from spikedata.nn.kernels.event_grid import fire_on_grid, first_points, membranes_on_grid
from spikedata.nn.neurons import LIFParams

PARAMS = LIFParams(tau_mem=20e-3, tau_syn=5e-3, reset="zero")
CONSTANTS = {"tau_mem": PARAMS.tau_mem, "tau_syn": PARAMS.tau_syn}
DURATION, DT, N_CLIPS = 40e-3, 0.1e-3, 24
OF_CLASS = torch.tensor([1.0, -0.7, 0.4], dtype=torch.float64)
Weights = list[torch.Tensor | None]


def on_grid(kind: str, times: np.ndarray, units: np.ndarray, weights: Weights, dt: float) -> tuple[torch.Tensor, ...]:
    """Number of hidden spikes of each clip, and what each clip adds to a loss."""
    spikes = torch.zeros(len(times), round(DURATION / dt), 5, dtype=torch.float64)
    spikes[np.arange(len(times))[:, None], np.rint(times / dt).astype(int), units] = 1.0
    fired = fire_on_grid(spikes, weights[0], weights[1], PARAMS, dt=dt)
    if kind == "mean":
        values = membranes_on_grid(fired, weights[2], **CONSTANTS, dt=dt).mean(dim=1)
    else:
        values = first_points(fire_on_grid(fired, weights[2], None, PARAMS, dt=dt), dt=dt)
    return fired.sum(dim=(1, 2)), values @ OF_CLASS


def exactly(kind: str, times: np.ndarray, units: np.ndarray, weights: Weights) -> tuple[torch.Tensor, ...]:
    """The same, event by event."""
    offsets = torch.arange(len(times) + 1) * times.shape[1]
    given = SpikeTimes(torch.tensor(times.ravel()), torch.tensor(units.ravel()), offsets)
    hidden = fire(given, weights[0], weights[1], PARAMS, duration=DURATION)
    if kind == "mean":
        values = mean_voltage(hidden, weights[2], **CONSTANTS, duration=DURATION)
    else:
        values = first_spikes(fire(hidden, weights[2], None, PARAMS, duration=DURATION), 3)
    return hidden.offsets.diff(), values @ OF_CLASS


@pytest.mark.parametrize(("kind", "recurrent"), [("first_spike", True), ("mean", False)])
def test_the_error_of_the_gradient_falls_with_the_step(kind: str, recurrent: bool) -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.permuted(np.tile(np.arange(250), (N_CLIPS, 1)), axis=1)[:, :12]) * DT
    units = rng.integers(0, 5, times.shape)
    weights: Weights = [torch.tensor(rng.normal(1.2, 0.5, (5, 6))), None, torch.tensor(rng.normal(0.8, 0.5, (6, 3)))]
    if recurrent:
        weights[1] = torch.tensor(rng.normal(0, 0.4, (6, 6)))
    there = [weight.requires_grad_() for weight in weights if weight is not None]
    counts, losses = exactly(kind, times, units, weights)
    runs = [on_grid(kind, times, units, weights, dt) for dt in (DT, DT / 4)]
    # only clips whose spikes are the same: the gradient knows none that appear or disappear
    same = torch.isfinite(losses)
    for number, loss in runs:
        same &= (number == counts) & torch.isfinite(loss)
    assert same.sum() >= 9

    def gradient(loss: torch.Tensor) -> torch.Tensor:
        return torch.cat([each.flatten() for each in torch.autograd.grad(loss, there, retain_graph=True)])

    errors = []
    for clip in np.flatnonzero(same.numpy())[:9]:
        exact = gradient(losses[clip])
        errors.append([float((gradient(loss[clip]) - exact).norm() / exact.norm()) for _, loss in runs])
    coarse, fine = np.median(errors, axis=0)  # in a few clips, two spikes change their order
    assert coarse < 0.12
    assert 2.5 < coarse / fine < 7  # of first order, 4, but for chance in how far spikes are from the points


def test_a_reset_by_subtraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r'LIFParams.reset must be "zero"'):
        fire_on_grid(torch.zeros(1, 2, 1), torch.ones(1, 1), None, LIFParams(), dt=1e-3)


def test_a_silent_neuron_has_no_first_point() -> None:
    spikes = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], requires_grad=True)
    times = first_points(spikes, dt=1e-3)
    assert times.tolist() == [[pytest.approx(1e-3), np.inf]]
    times.clamp(max=1.0).sum().backward()
    assert spikes.grad.tolist() == [[[0.0, 0.0], [1.0, 0.0]]]
