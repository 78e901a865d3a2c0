import torch

from spikedata.nn.kernels.memory import empty

LARGE = (3, 500, 1000)


def test_a_result_has_the_shape_and_type_that_were_asked_for():
    for shape, dtype in [((2, 3), torch.float32), (LARGE, torch.float64), ((0, 4), torch.float32)]:
        result = empty(shape, dtype)
        assert result.shape == shape
        assert result.dtype == dtype


def test_two_results_in_use_share_no_memory():
    first, second = empty(LARGE, torch.float32), empty(LARGE, torch.float32)
    first.fill_(1.0)
    second.fill_(2.0)
    assert first.unique().tolist() == [1.0]


def test_a_view_keeps_its_memory():
    view = empty(LARGE, torch.float32)[0, 0]
    view.fill_(1.0)
    empty(LARGE, torch.float32).fill_(2.0)
    assert view.unique().tolist() == [1.0]


def test_an_array_of_it_keeps_its_memory():
    array = empty(LARGE, torch.float32).numpy()
    array.fill(1.0)
    empty(LARGE, torch.float32).fill_(2.0)
    assert array.min() == 1.0


def test_what_autograd_has_saved_keeps_its_memory():
    weight = torch.ones(1, requires_grad=True)
    product = weight * empty(LARGE, torch.float32).fill_(3.0)
    empty(LARGE, torch.float32).fill_(2.0)
    product.sum().backward()
    assert weight.grad.item() == 3.0 * product.numel()


def test_memory_that_is_let_go_of_is_taken_again():
    first = empty(LARGE, torch.float32)
    address = first.data_ptr()
    del first
    assert empty(LARGE, torch.float32).data_ptr() == address
