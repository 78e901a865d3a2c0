import pytest
import torch

from spikedata.baseline.networks.dropout import drop


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_values_are_dropped_with_their_probability():
    kept = drop(torch.ones(100_000), 0.3, _generator()).count_nonzero().item() / 100_000
    assert kept == pytest.approx(0.7, abs=0.006)  # four standard errors


def test_the_mean_stays():
    assert drop(torch.ones(100_000), 0.3, _generator()).mean().item() == pytest.approx(1.0, abs=0.01)


def test_the_same_generator_drops_the_same():
    values = torch.ones(50)
    assert torch.equal(drop(values, 0.5, _generator(3)), drop(values, 0.5, _generator(3)))
    assert not torch.equal(drop(values, 0.5, _generator(3)), drop(values, 0.5, _generator(4)))


def test_what_was_dropped_gets_no_gradient():
    values = torch.ones(50, requires_grad=True)
    dropped = drop(values, 0.5, _generator())
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


def test_without_probability_nothing_is_drawn():
    values = torch.ones(3)
    assert drop(values, 0.0, None) is values


def test_without_a_generator_nothing_can_be_dropped():
    with pytest.raises(ValueError, match="dropout draws from a generator"):
        drop(torch.ones(3), 0.5, None)
