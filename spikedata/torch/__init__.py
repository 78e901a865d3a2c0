"""Spike files as PyTorch data sets and batches."""

from spikedata.torch.batch import Batch, collate
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.layouts import DenseBatch, ListBatch, collate_dense, collate_lists
from spikedata.torch.loaders import SpikeLoader, loader
from spikedata.torch.published import SHD, SSC

__all__ = [
    "SHD",
    "SSC",
    "Batch",
    "DenseBatch",
    "ListBatch",
    "SpikeDataset",
    "SpikeLoader",
    "collate",
    "collate_dense",
    "collate_lists",
    "loader",
]
