"""Spike files as PyTorch data sets, batches and loaders.

`SHD`, `SSC` and `SpikeDataset` are data sets, `SoundDataset` is one of recordings that are encoded as they are asked
for, and `MelDataset` one of recordings as mel bands; `loader` makes dense batches of spikes; `collate`,
`collate_dense`, `collate_lists` and `collate_times` are for a ``DataLoader`` of your own; `TonicDataset` is for
tonic's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikedata.torch.batch import Batch, collate
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.layouts import (
    DenseBatch,
    ListBatch,
    TimeFirstBatch,
    TimesBatch,
    collate_dense,
    collate_lists,
    collate_times,
)
from spikedata.torch.loaders import SpikeLoader, loader
from spikedata.torch.mels import MelDataset
from spikedata.torch.published import SHD, SSC
from spikedata.torch.tonic import TonicDataset

if TYPE_CHECKING:
    from spikedata.torch.sounds import SoundDataset, SoundError

__all__ = [
    "SHD",
    "SSC",
    "Batch",
    "DenseBatch",
    "ListBatch",
    "MelDataset",
    "SoundDataset",
    "SoundError",
    "SpikeDataset",
    "SpikeLoader",
    "TimeFirstBatch",
    "TimesBatch",
    "TonicDataset",
    "collate",
    "collate_dense",
    "collate_lists",
    "collate_times",
    "loader",
]


def __getattr__(name: str) -> object:
    # only those who encode load the cochlea, which takes a sixth of a second
    if name in ("SoundDataset", "SoundError"):
        from spikedata.torch import sounds

        return getattr(sounds, name)
    raise AttributeError(f"module 'spikedata.torch' has no attribute {name!r}")
