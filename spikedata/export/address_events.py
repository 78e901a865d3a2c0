"""Export to address events: AEDAT 4, as event cameras and neuromorphic chips record them."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spikedata.export.output import Exported, new_folder, require_space
from spikedata.export.source import Chosen, OnProgress, Spikes, opened
from spikedata.export.tables import CLIPS, write_clips

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_LARGEST_ADDRESS = 2**15 - 1  # x is a signed 16-bit integer in AEDAT 4, and in tonic
_ROOM_FOR_ALL = 2**17  # upper bound of the space that a file needs besides its events [byte]
_AT_ONCE = 4096  # events in a packet


def to_aer(
    data: Spikes,
    out: str | os.PathLike[str],
    *,
    clips: Chosen = None,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Exported:
    """Export clips to a folder with an AEDAT 4 file for each clip, which `tonic.io.read_aedat4` reads.

    The unit is the address x of a sensor of ``n_units`` by 1 pixels; y is 0 and the polarity is on. Time stamps are
    whole microseconds, to which times are rounded. A clip without spikes has no file, since readers fail on one
    without events. ``clips.csv`` has a line for each clip with the name of its file, label, class_name, speaker,
    source, sample_rate [Hz] and duration [s]; ``about.json`` has all class names, the number of units and the
    provenance. Needs dv-processing, of which there are wheels for Linux.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    out : path-like
        The folder to make.
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
        If there is no clip to export, or a unit is beyond the largest address, 32767.
    """
    _require_writer()
    n_spikes, files = 0, []
    with opened(data, clips, on_progress) as source, new_folder(out, source.about(), overwrite=overwrite) as folder:
        for block in source.read():
            largest = int(block.events.units.max(initial=0))
            if largest > _LARGEST_ADDRESS:
                rule = f"must be <= {_LARGEST_ADDRESS}, the largest address in AEDAT 4"
                raise ValueError(f"{source.name}: unit {largest}, {rule}")
            stamps = np.rint(block.events.times.astype(np.float64) * 1e6).astype(np.int64)
            for number, (begin, end) in zip(block.numbers.tolist(), pairwise(block.events.offsets), strict=True):
                files.append(f"{number:06d}.aedat4" if begin < end else "")
                if begin < end:
                    width = min(source.n_units, _LARGEST_ADDRESS + 1)
                    _write_events(folder / files[-1], stamps[begin:end], block.events.units[begin:end], width)
            n_spikes += len(stamps)
        write_clips(folder / CLIPS, source, file=files)
    notes = [f"{files.count('')} clips without spikes have no file"] if "" in files else []
    return Exported(str(out), "aer", source.n_clips, n_spikes, (*notes, "times are rounded to whole microseconds"))


def _require_writer() -> None:
    try:
        import dv_processing  # noqa: F401
    except ModuleNotFoundError:
        if sys.platform == "linux":  # where the extra brings it
            raise
        raise OSError(f"AEDAT 4 is written by dv-processing, which has no packages for {sys.platform}") from None


def _write_events(path: Path, stamps: npt.NDArray[np.int64], units: npt.NDArray[np.uint16], width: int) -> None:
    import dv_processing as dv

    require_space(path.parent, _ROOM_FOR_ALL + 32 * len(stamps))
    config = dv.io.MonoCameraWriter.EventOnlyConfig("spikedata", (width, 1))
    try:
        writer = dv.io.MonoCameraWriter(str(path), config)
        for first in range(0, len(stamps), _AT_ONCE):
            events = dv.EventStore()
            for stamp, unit in zip(
                stamps[first : first + _AT_ONCE].tolist(), units[first : first + _AT_ONCE].tolist(), strict=True
            ):
                events.push_back(stamp, unit, 0, True)
            writer.writeEvents(events)
    except RuntimeError as error:  # of C++, with a trace below the first line
        raise OSError(f"{path.name}: {str(error).splitlines()[0]}") from error
