"""Small random spikes, dense and as lists, and networks to give them to."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from spikedata.torch.layouts import ListBatch


@pytest.fixture
def make_spikes() -> Callable[..., Tensor]:
    """Counts (batch, step, unit) of double precision, Poisson, from a seed."""

    def make(n_clips: int = 4, n_steps: int = 30, n_units: int = 5, *, mean: float = 0.3, seed: int = 0) -> Tensor:
        return torch.from_numpy(np.random.default_rng(seed).poisson(mean, (n_clips, n_steps, n_units)).astype(float))

    return make


@pytest.fixture
def as_lists() -> Callable[[Tensor], ListBatch]:
    """The same spikes as lists of units by clip and step."""

    def convert(spikes: Tensor) -> ListBatch:
        counts = spikes.numpy().astype(np.int64)
        n_clips, n_steps, n_units = counts.shape
        units = np.repeat(np.tile(np.arange(n_units), n_clips * n_steps), counts.ravel()).astype(np.uint16)
        ends = counts.sum(axis=2).cumsum().reshape(n_clips, n_steps)
        offsets = np.concatenate([np.r_[0, ends[:-1, -1]][:, None], ends], axis=1)
        labels = torch.zeros(n_clips, dtype=torch.int64)
        return ListBatch(torch.from_numpy(units), torch.from_numpy(offsets), labels, n_units)

    return convert
