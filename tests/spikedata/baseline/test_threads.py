"""One thread for a while."""

import pytest
import torch

from spikedata.baseline.threads import on_one_thread


@on_one_thread()
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
