"""One thread for a while."""

import pytest
import torch

from spikedata.nn.threads import on_threads


@on_threads(1)
def fail_on_one_thread():
    raise RuntimeError(f"{torch.get_num_threads()} thread")


def test_the_former_number_of_threads_comes_back_even_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError, match="1 thread"):
            fail_on_one_thread()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_less_than_one_thread_is_refused():
    with pytest.raises(ValueError, match="threads must be >= 1, got 0"), on_threads(0):
        pass
