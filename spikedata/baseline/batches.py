"""Events binned once, made dense batch by batch.

A training run visits every clip many times. Binning is half of the cost of a small network's step, so it is
done once; the dense tensor, a hundred times larger, lives for one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikedata.binning import bin_samples
from spikedata.events import Events, offsets_of

_CLIPS_AT_ONCE = 256  # bounds the memory of binning


class BinnedClips(NamedTuple):
    """The entries that are not zero, clip after clip.

    Attributes
    ----------
    codes : ndarray of int64 or int32, shape (n_entries,)
        step * n_units + unit of each entry [1]; each occurs once per clip.
    counts : ndarray of unsigned integer, shape (n_entries,)
        Spikes there [1].
    offsets : ndarray of int64, shape (n_clips + 1,)
        Where each clip's entries begin [1].
    labels : ndarray of int64, shape (n_clips,)
        Class of each clip [1].
    n_steps, n_units : int
        Shape of a clip [1].
    """

    codes: npt.NDArray[np.integer]
    counts: npt.NDArray[np.unsignedinteger]
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    n_steps: int
    n_units: int

    @property
    def n_clips(self) -> int:
        """How many clips there are."""
        return len(self.labels)


def bin_clips(events: Events, *, dt: float, n_steps: int, n_merged: int = 1) -> BinnedClips:
    """Every clip in steps of ``dt`` [s], cropped or padded to exactly ``n_steps``, each ``n_merged`` units as one.

    Raises
    ------
    ValueError
        As `spikedata.binning.bin_samples`.
    """
    n_units = -(-events.n_units // n_merged)
    code_type = np.min_scalar_type(-n_steps * n_units)
    codes, counts, lengths = [np.empty(0, code_type)], [np.empty(0, np.uint8)], []
    for first in range(0, len(events), _CLIPS_AT_ONCE):
        samples = [events[index] for index in range(first, min(first + _CLIPS_AT_ONCE, len(events)))]
        merged = [sample._replace(units=sample.units // n_merged) for sample in samples]
        (clips, steps, units), spikes = bin_samples(merged, dt=dt, n_steps=n_steps, n_units=n_units)
        codes.append((steps * n_units + units).astype(code_type))
        counts.append(spikes.astype(np.min_scalar_type(spikes.max(initial=0))))
        lengths.append(np.bincount(clips, minlength=len(samples)))
    return BinnedClips(
        codes=np.concatenate(codes),
        counts=np.concatenate(counts),
        offsets=offsets_of(np.concatenate([np.empty(0, np.int64), *lengths])),
        labels=events.labels,
        n_steps=n_steps,
        n_units=n_units,
    )


def dense_batches(
    clips: BinnedClips,
    order: npt.NDArray[np.int64],
    *,
    batch_size: int,
    device: torch.device | str = "cpu",
    shifts: npt.NDArray[np.int64] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through the clips in the given order, batch after batch; the last may be smaller.

    Parameters
    ----------
    clips : BinnedClips
        What to go through.
    order : ndarray of int64, shape (n,)
        Numbers of the clips [1].
    batch_size : int
        Clips in a batch [1].
    device : torch.device or str
        Where the tensors are to be.
    shifts : ndarray of int64, shape (n,), optional
        How far each clip, as in ``order``, is moved along the units [1]; what leaves the range is dropped.

    Yields
    ------
    events : Tensor of float32, (batch, step, unit)
        Spikes in each step and unit. The next batch overwrites it: a fresh tensor of this size costs more than
        filling it.
    labels : Tensor of int64, (batch,)
        Class of each clip.
    """
    size = clips.n_steps * clips.n_units
    buffer = torch.empty(min(batch_size, len(order)) * size, device=device)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        lengths = np.diff(clips.offsets)[chosen]
        starts = offsets_of(lengths)
        entries = np.arange(starts[-1]) + np.repeat(clips.offsets[chosen] - starts[:-1], lengths)
        places = clips.codes[entries] + np.repeat(np.arange(len(chosen)) * size, lengths)
        counts = clips.counts[entries].astype(np.float32)
        if shifts is not None:
            shift = np.repeat(shifts[first : first + batch_size], lengths)
            unit = clips.codes[entries] % clips.n_units + shift
            stays = (unit >= 0) & (unit < clips.n_units)
            places, counts = (places + shift)[stays], counts[stays]
        batch = buffer[: len(chosen) * size].zero_()
        batch[torch.from_numpy(places).to(device)] = torch.from_numpy(counts).to(device)
        yield batch.view(len(chosen), clips.n_steps, clips.n_units), torch.from_numpy(clips.labels[chosen]).to(device)
