import pytest
import torch

from spikedata.nn.networks.inputs import as_dense, check_inputs, project_inputs
from spikedata.torch import ListBatch

WEIGHT = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_lists_made_dense_are_the_counts(make_spikes, as_lists):
    spikes = make_spikes()
    assert torch.equal(as_dense(as_lists(spikes), dtype=torch.float64), spikes)


def test_dense_spikes_and_lists_inject_the_same(make_spikes, as_lists):
    spikes = make_spikes()
    # sums of few numbers in another order: rounding of double precision alone
    torch.testing.assert_close(project_inputs(as_lists(spikes), WEIGHT), project_inputs(spikes, WEIGHT))


def test_dense_spikes_inject_their_product_with_the_weights(make_spikes):
    spikes = make_spikes()
    torch.testing.assert_close(project_inputs(spikes, WEIGHT), torch.einsum("bsu,un->bsn", spikes, WEIGHT))


def test_bytes_inject_what_numbers_do(make_spikes):
    spikes = make_spikes()
    assert torch.equal(project_inputs(spikes.to(torch.uint8), WEIGHT), project_inputs(spikes, WEIGHT))


def test_the_weights_get_the_same_gradient_from_dense_spikes_and_lists(make_spikes, as_lists):
    spikes, gradients = make_spikes(), []
    for inputs in (spikes, as_lists(spikes)):
        weight = WEIGHT.clone().requires_grad_()
        project_inputs(inputs, weight).sin().sum().backward()
        gradients.append(weight.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("shape", [(4, 30), (4, 30, 6), (4, 0, 5)])
def test_dense_inputs_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"inputs must be \(batch, step, 5\), got \(4, "):
        check_inputs(torch.zeros(shape), 5)


def test_lists_of_other_units_are_refused(make_spikes, as_lists):
    with pytest.raises(ValueError, match="inputs must be lists of 700 units in steps, got 5 in 30 steps"):
        check_inputs(as_lists(make_spikes()), 700)


def test_lists_in_other_steps_or_beyond_their_arrays_are_refused():
    lists = ListBatch(torch.tensor([0, 3, 1], dtype=torch.uint16), torch.tensor([[0, 2, 3]]), torch.zeros(1), 4, 0.01)
    check_inputs(lists, 4, 0.01)
    check_inputs(lists._replace(dt=None), 4, 0.005)
    with pytest.raises(
        ValueError, match=r"inputs must be in steps of 0\.005 s, as the network was made for, got 0\.01 s"
    ):
        check_inputs(lists, 4, 0.005)
    for offsets in ([[0, 2, 4]], [[0, 3, 2]], [[-1, 2, 3]], [[0, 2], [1, 3]]):
        with pytest.raises(ValueError, match=r"ListBatch\.offsets must rise from 0 to at most 3"):
            check_inputs(lists._replace(offsets=torch.tensor(offsets)), 4)
    with pytest.raises(ValueError, match=r"ListBatch.units must be in 0\.\.3, got 9"):
        check_inputs(lists._replace(units=torch.tensor([0, 9, 1], dtype=torch.uint16)), 4)
