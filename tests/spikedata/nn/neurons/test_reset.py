import pytest
import torch

from spikedata.nn.neurons.reset import reset_membrane


@pytest.mark.parametrize(("reset", "expected"), [("subtract", [1.1, -0.2, 0.3]), ("zero", [0.0, -0.2, 0.3])])
def test_only_a_membrane_that_fired_is_reset(reset, expected):
    membrane, spikes = torch.tensor([1.5, -0.2, 0.3]), torch.tensor([1.0, 0.0, 0.0])
    found = reset_membrane(membrane, spikes, threshold=0.4, reset=reset, detach_reset=True)
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize(("reset", "expected"), [("subtract", -0.4), ("zero", -1.5)])
@pytest.mark.parametrize("detach_reset", [True, False])
def test_a_gradient_reaches_the_spike_unless_the_reset_is_detached(reset, expected, detach_reset):
    spikes = torch.ones(1, requires_grad=True)
    membrane = torch.full((1,), 1.5, requires_grad=True)
    reset_membrane(membrane, spikes, threshold=0.4, reset=reset, detach_reset=detach_reset).sum().backward()
    assert spikes.grad is None if detach_reset else spikes.grad.item() == pytest.approx(expected)
