import pytest
import torch

from spikedata.nn.kernels import kernel_threads, max_over_time

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def _values(dtype=torch.float64, n_batch=70):
    values = torch.randn(n_batch, 9, 5, dtype=dtype, generator=torch.Generator().manual_seed(0))
    values[:, :, 0] = 0.0  # as long as nothing happens
    values[:, 3, 1] = values[:, 7, 1] = 9.0
    return values.requires_grad_()


def _gradient(find, values):
    (grad,) = torch.autograd.grad((find(values) * torch.arange(1, 6, dtype=values.dtype)).square().sum(), values)
    return grad


@both_types
def test_the_peak_is_that_of_pytorch(dtype):
    values = _values(dtype)
    assert torch.equal(max_over_time(values), values.amax(dim=1))


@both_types
def test_steps_that_share_the_peak_share_its_gradient(dtype):
    values = _values(dtype)
    torch.testing.assert_close(
        _gradient(max_over_time, values), _gradient(lambda x: x.amax(dim=1), values), rtol=1e-6, atol=0
    )


def test_threads_change_nothing():
    values = _values()
    alone = max_over_time(values), _gradient(max_over_time, values)
    with kernel_threads(2):
        assert torch.equal(max_over_time(values), alone[0])
        assert torch.equal(_gradient(max_over_time, values), alone[1])


@pytest.mark.parametrize("step", [0, 4, 8])
def test_what_is_no_number_stays_none(step):
    values = _values().detach()
    values[2, step, 3] = torch.nan
    assert torch.equal(max_over_time(values).isnan(), values.amax(dim=1).isnan())


def test_infinity_is_the_peak():
    values = _values().detach()
    values[0, 2, 2], values[1, :, 2], values[2, 0, 2] = torch.inf, -torch.inf, -torch.inf
    assert torch.equal(max_over_time(values), values.amax(dim=1))


def test_values_of_another_type_take_the_plain_form():
    values = _values().detach().bfloat16()
    assert torch.equal(max_over_time(values), values.amax(dim=1))


def test_a_batch_of_nothing_has_no_peak():
    assert max_over_time(torch.zeros(0, 4, 3)).shape == (0, 3)
