"""Batches of clips as a network takes them: dense counts, event lists, or events with their times.

Nothing is binned in advance: a compiled pass bins a batch in far less time than a network needs for it, and an
augmentation gives different events in every epoch anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikedata.events import Selection
from spikedata.events.batching import without_warning
from spikedata.events.sample import LARGEST_N_UNITS
from spikedata.nn.networks.inputs import Inputs, as_dense
from spikedata.torch import SpikeDataset
from spikedata.torch.layouts import collate_dense, collate_lists, collate_times
from spikedata.transforms.rows import passed


class Grid(NamedTuple):
    """Time grid and inputs of a network.

    Attributes
    ----------
    dt : float
        Length of a step [s].
    n_steps : int
        Number of steps to which clips are cropped or padded [1].
    n_merged : int
        Number of neighboring units that are merged into one input [1].
    """

    dt: float
    n_steps: int
    n_merged: int = 1


def batches_of(order: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    """Clip numbers cut into batches; the last batch may be smaller."""
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


def iterate_batches(
    dataset: SpikeDataset,
    batches: Sequence[npt.NDArray[np.int64]],
    grid: Grid,
    *,
    layout: str = "dense",
    device: torch.device | str = "cpu",
    shifts: npt.NDArray[np.int64] | None = None,
) -> Iterator[tuple[Inputs, Tensor]]:
    """Iterate over batches of clips.

    Parameters
    ----------
    dataset : SpikeDataset
        The clips, with their transform; the data set's epoch determines its random numbers.
    batches : sequence of ndarray of int64
        Numbers of the clips of each batch [1].
    grid : Grid
        Steps and inputs.
    layout : str
        "dense", "lists" or "times"; the last has no grid.
    device : torch.device or str
        Device of the tensors. Only lists are copied to it: dense counts are made on the device.
    shifts : ndarray of int64, shape (n_clips,), optional
        How far each clip of the data set is shifted along the inputs [1]; events that leave the range are dropped.

    Yields
    ------
    inputs : Tensor of float32, (batch, step, input), ListBatch or TimesBatch
        Spikes in each step and input. The next batch overwrites a dense tensor: allocating a fresh one of this size
        costs more than filling it.
    labels : Tensor of int64, (batch,)
        Class of each clip.

    Raises
    ------
    ValueError
        If a transform of the data set changes the number of units.
    """
    on_cpu = torch.device(device).type == "cpu"
    n_inputs = -(-dataset.n_units // grid.n_merged)
    buffer = None
    if on_cpu and layout == "dense":
        buffer = np.empty((max(map(len, batches), default=0), grid.n_steps, n_inputs), np.float32)
    for chosen in batches:
        clips = _clips_of(dataset, chosen)
        if shifts is not None:
            # the last input may stand for fewer units; a shifted clip fills it, as far as units have numbers
            n_units = min(n_inputs * grid.n_merged, LARGEST_N_UNITS)
            clips = _shifted(clips, shifts[chosen] * grid.n_merged, n_units)
        if buffer is not None:
            with without_warning():
                dense = collate_dense(clips, **grid._asdict(), out=buffer[: len(chosen)])
            yield dense.counts, dense.labels
            continue
        if layout == "times":
            exact = collate_times(clips, n_merged=grid.n_merged)
            yield exact, exact.labels
            continue
        with without_warning():
            lists = collate_lists(clips, **grid._asdict())
        lists = lists if on_cpu else lists._replace(units=lists.units.to(torch.int32)).to(device)
        yield lists if layout == "lists" else as_dense(lists, dtype=torch.float32), lists.labels


def _clips_of(dataset: SpikeDataset, chosen: npt.NDArray[np.int64]) -> Selection:
    """Some clips of a data set, transformed."""
    clips = dataset.__getitems__(chosen.tolist())
    if not isinstance(clips, Selection):
        raise TypeError(f"the transform of a training must be one of spikedata.transforms, got {dataset.transform!r}")
    if clips.events.n_units != dataset.n_units:
        rule = f"must keep the number of units, {dataset.n_units}"
        raise ValueError(f"augmentation {rule}, got {clips.events.n_units} from {dataset.transform}")
    return clips


def _shifted(clips: Selection, shifts: npt.NDArray[np.int64], n_units: int) -> Selection:
    """Clips, each shifted along the `n_units` units."""
    from spikedata.transforms.passes import shift_units

    events = replace(clips.events.select(clips.indices), n_units=n_units)
    return Selection.of_all(passed(events, shift_units, shifts, n_units))
