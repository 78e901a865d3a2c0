import math

import pytest
import torch

from spikedata.nn.kernels import kernel_threads
from spikedata.nn.kernels.dropout import drop


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_values_are_dropped_with_their_probability():
    kept = drop(torch.ones(1000, 100), 0.3, _generator()).count_nonzero().item() / 100_000
    assert kept == pytest.approx(0.7, abs=0.006)  # four standard errors


def test_the_mean_stays():
    assert drop(torch.ones(1000, 100), 0.3, _generator()).mean().item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("dim", [0, 1])
def test_neighbors_are_dropped_on_their_own(dim):
    kept = drop(torch.ones(1000, 1000), 0.5, _generator()) / 2 - 0.5
    for lag in (1, 2, 3, 16, 32):
        along = kept.narrow(dim, 0, 1000 - lag) * kept.narrow(dim, lag, 1000 - lag)
        assert abs(along.mean().item()) < 4 * 0.25 / math.sqrt(along.numel())  # four standard errors


def test_each_row_and_each_place_loses_its_share():
    dropped = drop(torch.ones(2000, 2000), 0.25, _generator(1)) == 0
    deviation = math.sqrt(0.25 * 0.75 / 2000)
    for share in (dropped.float().mean(dim=0), dropped.float().mean(dim=1)):
        assert share.std().item() == pytest.approx(deviation, rel=0.07)  # 4.4 standard errors
        assert (share - 0.25).abs().max() < 5 * deviation


def test_the_same_generator_drops_the_same():
    values = torch.ones(50)
    assert torch.equal(drop(values, 0.5, _generator(3)), drop(values, 0.5, _generator(3)))
    assert not torch.equal(drop(values, 0.5, _generator(3)), drop(values, 0.5, _generator(4)))


def test_one_generator_drops_something_else_each_time():
    values, generator = torch.ones(50), _generator()
    assert not torch.equal(drop(values, 0.5, generator), drop(values, 0.5, generator))


@pytest.mark.parametrize("n_alike", [1, 7])
def test_what_is_fused_drops_what_is_not_fused_does(n_alike):
    values = torch.randn(5, 7, 33, generator=_generator(1))
    fused = drop(values, 0.4, _generator(), n_alike=n_alike)
    plain = drop(values.bfloat16(), 0.4, _generator(), n_alike=n_alike)  # for which there is no kernel
    assert torch.equal(fused == 0, plain == 0)
    torch.testing.assert_close(fused[fused != 0], values[fused != 0] / 0.6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_threads_change_nothing(dtype):
    values = torch.ones(9000, 11, dtype=dtype)
    with kernel_threads(3):
        threaded = drop(values, 0.5, _generator())
    assert torch.equal(threaded, drop(values, 0.5, _generator()))


def test_rows_alike_lose_the_same_neurons():
    kept = drop(torch.ones(20, 10, 40), 0.5, _generator(), n_alike=10)
    assert torch.equal(kept, kept[:, :1].expand(20, 10, 40))
    assert len(kept[:, 0].unique(dim=0)) == 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_dropped_gets_no_gradient(dtype):
    values = torch.ones(3, 50, dtype=dtype, requires_grad=True)
    dropped = drop(values, 0.5, _generator())
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


def test_without_probability_nothing_is_drawn():
    values = torch.ones(3)
    assert drop(values, 0.0, None) is values


def test_nothing_can_be_dropped_from_nothing():
    assert drop(torch.ones(0, 4), 0.5, _generator()).shape == (0, 4)


def test_without_a_generator_nothing_can_be_dropped():
    with pytest.raises(ValueError, match="dropout needs a generator in training"):
        drop(torch.ones(3), 0.5, None)
