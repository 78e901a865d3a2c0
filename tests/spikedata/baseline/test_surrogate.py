import numpy as np
import torch

from spikedata.baseline.surrogate import spike


def test_a_membrane_spikes_above_its_threshold_alone():
    assert spike(torch.tensor([-1.0, -1e-6, 0.0, 1e-6, 2.0]), 10.0).tolist() == [0, 0, 0, 1, 1]


def test_the_gradient_is_that_of_the_fast_sigmoid():
    x = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
    weight = torch.arange(41.0, dtype=torch.float64)
    (spike(x, 7.0) * weight).sum().backward()
    expected = weight.numpy() / (7.0 * np.abs(x.detach().numpy()) + 1) ** 2
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-14)


def test_spikes_keep_the_type_of_the_membrane():
    for dtype in (torch.float32, torch.float64):
        assert spike(torch.ones(2, 3, dtype=dtype), 1.0).dtype == dtype


def test_the_gradient_leaves_the_membrane_as_it_is():
    x = torch.tensor([-0.5, 0.5], requires_grad=True)
    spike(x, 3.0).sum().backward()
    assert x.tolist() == [-0.5, 0.5]
