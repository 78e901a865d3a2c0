"""Spike files as PyTorch data sets and batches."""

from spikedata.torch.batch import Batch, collate
from spikedata.torch.datasets import SpikeDataset

__all__ = ["Batch", "SpikeDataset", "collate"]
