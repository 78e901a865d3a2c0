"""Export to NIRData: events or time-gridded data of the Neuromorphic Intermediate Representation."""

from __future__ import annotations

import io
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spikedata.events import bin_samples, steps_of
from spikedata.events.events import Selection
from spikedata.export.output import Exported, new_folder
from spikedata.export.source import Chosen, OnProgress, Source, Spikes, opened
from spikedata.export.tables import CLIPS, write_clips

if TYPE_CHECKING:
    import nir

DATA = "data.nir"
NODE = "input"  # of the graph that the data are for
_GRIDS = (0.01, 0.005, 0.002, 0.001)  # [s]: steps at which the reader's own division must not lose the last one


def to_nir_data(
    data: Spikes,
    out: str | os.PathLike[str],
    *,
    dt: float | None = None,
    clips: Chosen = None,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Exported:
    """Export clips to a folder with a file of NIRData, which `nir.read_data` reads, and a table of clips.

    The observable "spikes" of the node "input" in ``data.nir`` holds all clips: `nir.EventData`, padded to the clip
    with the most spikes, or with `dt` `nir.TimeGriddedData`, where several spikes of a unit in a step are one. Both
    have one end for all clips, that of the longest, rounded up to a step (of 10 ms for events). NIRData hold nothing
    else: ``clips.csv`` has a line for each clip with label, class_name, speaker, source, sample_rate [Hz] and duration
    [s], ``about.json`` all class names, the number of units and the provenance. All is made in memory. Needs nir.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    out : path-like
        The folder to make.
    dt : float, optional
        Length of a step [s] for time-gridded data; default: events.
    clips : array_like of int or bool, optional
        Numbers of the clips to export, in rising order, or a mask; default: all.
    overwrite : bool
        Whether an earlier export in the folder is replaced.
    on_progress : callable, optional
        Called with the number of clips read and how many are exported; from 0 again where they are read twice.

    Returns
    -------
    Exported

    Raises
    ------
    FileNotFoundError, FormatError
        If the spike file does not exist or violates the format.
    OutputError
        If the output cannot be written.
    ValueError
        If there is no clip to export, or `dt` is not positive.
    """
    import nir

    with opened(data, clips, on_progress) as source, new_folder(out, source.about(), overwrite=overwrite) as folder:
        spikes, n_spikes, notes = _events_of(source) if dt is None else _grid_of(source, dt)
        node = nir.NIRNodeData(observables={"spikes": spikes})
        content = io.BytesIO()  # HDF5 would crash the process on a full disk
        nir.write_data(content, nir.NIRGraphData(nodes={NODE: node}))
        (folder / DATA).write_bytes(content.getbuffer())
        write_clips(folder / CLIPS, source)
    return Exported(str(out), "nir-data", source.n_clips, n_spikes, notes)


def _events_of(source: Source) -> tuple[nir.EventData, int, tuple[str, ...]]:
    import nir

    lengths = np.concatenate([np.diff(block.events.offsets) for block in source.read()])
    shape = (source.n_clips, int(lengths.max()))
    units, times = np.full(shape, -1, np.int32), np.full(shape, np.inf)
    row, end = 0, 0.0
    for block in source.read():
        for first, last in pairwise(block.events.offsets):
            units[row, : last - first] = block.events.units[first:last]
            times[row, : last - first] = block.events.times[first:last]
            row += 1
        end = max(end, float(block.ends().max()))
    return nir.EventData(idx=units, time=times, n_neurons=source.n_units, t_max=_end_after(end)), int(lengths.sum()), ()


def _end_after(end: float) -> float:
    """The next whole 10 ms [s]; the reader divides it by its step and rounds down, which must not lose that step."""
    n_steps = int(steps_of([end], dt=_GRIDS[0])[0]) + 1
    after = n_steps * _GRIDS[0]
    while any(int(after / dt) < round(n_steps * _GRIDS[0] / dt) for dt in _GRIDS):
        after = float(np.nextafter(after, np.inf))
    return after


def _grid_of(source: Source, dt: float) -> tuple[nir.TimeGriddedData, int, tuple[str, ...]]:
    import nir

    n_steps = 1 + max(int(steps_of(block.ends(), dt=dt).max()) for block in source.read())
    grid = np.zeros((source.n_clips, n_steps, source.n_units), dtype=np.bool_)
    row, n_spikes = 0, 0
    for block in source.read():
        (clips, steps, units), _ = bin_samples(
            Selection.of_all(block.events), dt=dt, n_steps=n_steps, n_units=source.n_units
        )
        grid[row + clips, steps, units] = True
        row, n_spikes = row + len(block.numbers), n_spikes + len(block.events.times)
    n_lost = n_spikes - int(np.count_nonzero(grid))
    notes = (f"{n_lost} of {n_spikes} spikes share a step and unit with another, and count once",) if n_lost else ()
    return nir.TimeGriddedData(data=grid, dt=float(dt)), n_spikes, notes
