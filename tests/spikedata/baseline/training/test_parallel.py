import numpy as np
import pytest
import torch

from spikedata.baseline.training.parallel import (
    ALONE,
    Processes,
    device_of_rank,
    joined_processes,
    share_buffers,
    shares_of,
    sum_gradients,
    sum_numbers,
)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_every_clip_is_in_the_share_of_one_process(n):
    batches = [np.arange(10), np.arange(10, 15), np.arange(15, 16)]
    shares = [shares_of(batches, Processes(rank, n)) for rank in range(n)]
    for number, batch in enumerate(batches):
        parts = [part[number] for _, part in shares]
        taken = [share[number] for (share, _), part in zip(shares, parts, strict=True) if part]
        assert sorted(np.concatenate(taken)) == batch.tolist()
        assert sum(parts) == pytest.approx(1)
        assert all(len(share[number]) for share, _ in shares)  # everybody takes every step


def test_one_process_speaks_to_nobody(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    network = torch.nn.Linear(2, 1)
    network(torch.ones(1, 2)).sum().backward()
    before = network.weight.grad
    with joined_processes(torch.device("cpu")) as processes:
        assert processes == ALONE
        sum_gradients(network, processes)
        share_buffers(network, processes)
    assert network.weight.grad is before
    assert sum_numbers((1.0, 2.0), torch.device("cpu"), ALONE) == (1.0, 2.0)


def test_a_process_takes_the_gpu_of_its_number(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_of_rank(name) for name in ("auto", "cuda", "cpu", "cuda:0")] == ["cuda:3", "cuda:3", "cpu", "cuda:0"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of_rank("auto") == "auto"
