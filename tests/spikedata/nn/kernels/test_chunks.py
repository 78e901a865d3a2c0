import threading

import pytest
import torch

from spikedata.nn.kernels.chunks import kernel_threads, over_chunks


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_chunks(n_threads, threads):
    threads(n_threads)
    assert over_chunks(lambda begin, end: (begin, end), 7, 3) == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_within_a_chunk_there_is_one_thread_and_no_gradient(n_threads, threads):
    threads(n_threads)
    found = over_chunks(lambda begin, end: (torch.get_num_threads(), torch.is_grad_enabled()), 4, 1)
    assert found == [(1, False)] * 4


def test_the_number_of_threads_comes_back(threads):
    threads(2)
    over_chunks(lambda begin, end: None, 4, 1)
    assert torch.get_num_threads() == 2


def test_several_chunks_are_worked_on_at_once(threads):
    threads(2)
    both_there = threading.Barrier(2, timeout=30)
    assert over_chunks(lambda begin, end: both_there.wait() in (0, 1), 2, 1) == [True, True]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_chunk_is_raised(n_threads, threads):
    threads(n_threads)
    with pytest.raises(ZeroDivisionError):
        over_chunks(lambda begin, end: 1 / begin, 2, 1)


def test_no_clips_give_no_chunks():
    assert over_chunks(lambda begin, end: 1, 0, 3) == []


def test_kernels_can_have_more_threads_than_pytorch(threads):
    threads(1)
    both_there = threading.Barrier(2, timeout=30)
    with kernel_threads(2):
        assert over_chunks(lambda begin, end: both_there.wait() in (0, 1), 2, 1) == [True, True]
    assert torch.get_num_threads() == 1


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="n_threads must be >= 1, got 0"), kernel_threads(0):
        pass
