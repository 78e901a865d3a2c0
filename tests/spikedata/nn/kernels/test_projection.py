import math

import numpy as np
import pytest
import torch

from spikedata.nn.kernels import dense_events, project_events, project_spikes


def _lists(shape, density, seed=0):
    """Random events as lists and as counts (batch, step, unit), some twice."""
    rng = np.random.default_rng(seed)
    counts = rng.binomial(2, density, shape)
    rows = counts.reshape(-1, shape[2])
    units = np.concatenate([np.repeat(np.arange(shape[2]), row) for row in rows]).astype(np.uint16)
    ends = np.concatenate([[0], rows.sum(axis=1).cumsum()])
    offsets = np.stack([ends[i : i + shape[1] + 1] for i in range(0, len(rows), shape[1])])
    return torch.from_numpy(units), torch.from_numpy(offsets), torch.from_numpy(counts).double()


def _spikes(draw, shape, share, dtype=torch.float64):
    values = draw(*shape, dtype=dtype).detach()
    return (values * (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < share)).requires_grad_()


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 11), (130, 9, 40)])
@pytest.mark.parametrize("n_neurons", [1, 33])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.9])
def test_events_are_projected_as_their_counts_are(shape, n_neurons, density, assert_agree, draw):
    units, offsets, counts = _lists(shape, density)
    weight = draw(shape[2], n_neurons)
    assert_agree(lambda: project_events(units, offsets, weight), lambda: counts @ weight, [weight])


def test_events_are_projected_in_float32(assert_agree, draw):
    units, offsets, counts = _lists((20, 30, 50), 0.05)
    weight = draw(50, 64, dtype=torch.float32)
    assert_agree(lambda: project_events(units, offsets, weight), lambda: counts.float() @ weight, [weight])


def test_lists_may_be_part_of_longer_ones(draw):
    units, offsets, counts = _lists((6, 5, 8), 0.3)
    weight = draw(8, 4).detach()
    torch.testing.assert_close(project_events(units, offsets[2:4], weight), counts[2:4] @ weight)
    assert torch.equal(dense_events(units, offsets[2:4], 8, torch.float64), counts[2:4])


def test_dense_events_are_the_counts():
    units, offsets, counts = _lists((4, 6, 9), 0.2)
    assert torch.equal(dense_events(units, offsets, 9, torch.float64), counts)


def test_no_clips_give_no_drive(draw):
    units, offsets = torch.empty(0, dtype=torch.uint16), torch.empty(0, 6, dtype=torch.int64)
    assert project_events(units, offsets, draw(3, 2)).shape == (0, 5, 2)


@pytest.mark.parametrize(
    ("units", "offsets", "message"),
    [
        ([0, 3], [[0, 1, 2]], "units must be below 3, the rows of the weight, got 3"),
        ([0, 1], [[0, 1, 3]], r"offsets must rise along steps within 0\.\.2"),
        ([0, 1], [[0, 2, 1]], r"offsets must rise along steps within 0\.\.2"),
        ([0, 1], [[-1, 0, 2]], r"offsets must rise along steps within 0\.\.2"),
        ([0, 1], [0, 2], r"offsets must be int64 \(batch, n_steps \+ 1\)"),
    ],
)
def test_lists_that_would_reach_beyond_are_refused(units, offsets, message):
    with pytest.raises(ValueError, match=message):
        project_events(torch.tensor(units, dtype=torch.uint16), torch.tensor(offsets), torch.zeros(3, 2))


def test_units_of_another_type_are_refused():
    with pytest.raises(ValueError, match=r"units must be uint16 \(n_spikes,\), got torch.int64"):
        project_events(torch.tensor([0]), torch.tensor([[0, 1]]), torch.zeros(3, 2))


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 11), (130, 9, 40)])
@pytest.mark.parametrize("n_to", [3, 40])
@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_spikes_are_projected_as_by_a_product(shape, n_to, share, assert_agree, draw):
    spikes, weight = _spikes(draw, shape, share), draw(shape[2], n_to)
    assert_agree(lambda: project_spikes(spikes, weight), lambda: spikes @ weight, [spikes, weight])


@pytest.mark.usefixtures("gathers")
def test_spikes_are_projected_in_float32(assert_agree, draw):
    spikes, weight = _spikes(draw, (20, 30, 50), 0.05, torch.float32), draw(50, 64, dtype=torch.float32)
    assert_agree(lambda: project_spikes(spikes, weight), lambda: spikes @ weight, [spikes, weight])


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("asks", [(True, False), (False, True)])
def test_only_what_asks_for_a_gradient_gets_one(asks, draw):
    tensors = [_spikes(draw, (3, 5, 40), 0.1).detach(), draw(40, 33).detach()]
    for tensor, asking in zip(tensors, asks, strict=True):
        tensor.requires_grad_(asking)
    project_spikes(*tensors).sum().backward()
    assert tuple(tensor.grad is not None for tensor in tensors) == asks


@pytest.mark.usefixtures("gathers")
def test_a_spike_that_is_not_a_number_comes_out_in_its_step_alone(draw):
    spikes = torch.zeros(2, 4, 40)
    spikes[1, 2, 7] = math.nan
    found = project_spikes(spikes, draw(40, 33, dtype=torch.float32)).isnan()
    assert found[1, 2].all()
    assert found.sum() == 33


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_result_does_not_depend_on_the_number_of_threads(share, draw, threads):
    spikes, weight = _spikes(draw, (300, 6, 50), share, torch.float32), draw(50, 40, dtype=torch.float32)
    units, offsets, _ = _lists((300, 6, 50), 0.05)
    results = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        first, second = project_events(units, offsets, weight), project_spikes(spikes, weight)
        total = (first * first.detach()).sum() + (second * second.detach()).sum()
        results.append([first, second, *torch.autograd.grad(total, (spikes, weight))])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"got \(2, 3, 4\) and \(5, 6\)"):
        project_spikes(torch.zeros(2, 3, 4), torch.zeros(5, 6))
