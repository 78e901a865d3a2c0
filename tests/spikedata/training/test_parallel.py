import re
import socket
from datetime import timedelta

import numpy as np
import pytest
import torch

from spikedata.training import parallel
from spikedata.training.parallel import (
    ALONE,
    Processes,
    device_of_rank,
    joined_processes,
    share_buffers,
    shares_of,
    started_processes,
    sum_gradients,
    sum_numbers,
)

NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def _set_environment(monkeypatch, values):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("values", [{}, {"MASTER_ADDR": "here"}, {"RANK": "0", "WORLD_SIZE": "1"}, {"RANK": ""}])
def test_one_process_is_alone(monkeypatch, values):
    _set_environment(monkeypatch, values)
    assert started_processes() == ALONE


def test_a_process_knows_its_number(monkeypatch):
    _set_environment(monkeypatch, dict(zip(NAMES, ("1", "3", "here", "29500"), strict=True)))
    assert started_processes() == Processes(1, 3)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"RANK": "1"}, "RANK is '1', but WORLD_SIZE is not set"),
        ({"RANK": "0"}, "RANK is '0', but WORLD_SIZE is not set"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is '2', but RANK is not set"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK must be < WORLD_SIZE, got 2 of 2"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "RANK must be < WORLD_SIZE, got 0 of 0"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK must be a number >= 0, got '-1'"),
        ({"RANK": "0", "WORLD_SIZE": "two"}, "WORLD_SIZE must be a number >= 0, got 'two'"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "WORLD_SIZE is 2, but MASTER_ADDR is not set"),
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "here"}, "WORLD_SIZE is 2, but MASTER_PORT is not set"),
    ],
)
def test_an_environment_that_does_not_fit_together_is_one_clear_error(monkeypatch, values, reason):
    _set_environment(monkeypatch, values)
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        started_processes()
    assert "\n" not in str(caught.value)


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
    _set_environment(monkeypatch, {})
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


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_process_whose_peer_never_comes_waits_for_a_bounded_time(monkeypatch, rank):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    _set_environment(monkeypatch, dict(zip(NAMES, (rank, "2", "localhost", str(port)), strict=True)))
    monkeypatch.setattr(parallel, "LONGEST_WAIT", timedelta(seconds=1))
    rule = rf"^process {rank} of 2 cannot join the others: "
    with pytest.raises(ConnectionError, match=rule) as caught, joined_processes(torch.device("cpu")):
        pass
    assert "\n" not in str(caught.value)
