"""Export for neurophysiologists: `neo` in memory (which Elephant takes), NIX, and Neurodata Without Borders."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spikedata import __version__
from spikedata.export.output import Exported, new_file, require_space
from spikedata.export.source import Chosen, Clips, OnProgress, Source, Spikes, opened

if TYPE_CHECKING:
    import neo
    from pynwb import NWBFile

_SUFFIXES = (".nix", ".nwb")
_ROOM_PER_CLIP, _ROOM_FOR_ALL = 2**17, 2**22  # upper bounds of the space that the files need besides spikes [byte]
_COLUMNS = {  # of the table of trials
    "label": "number of the class",
    "class_name": "name of the class",
    "speaker": "number of the speaker, -1 if unknown",
    "source": "clip id of the recording",
    "sample_rate": "sample rate of the recording [Hz], 0 if unknown",
    "duration": "duration of the recording [s], 0 if unknown",
    "clip": "number of the clip in the spike file",
    "n_spikes": "number of spikes of all units",
    "part": "part of a split",
}


def neo_block(data: Spikes, *, clips: Chosen = None, per_unit: bool = True, silent: bool = True) -> neo.Block:
    """Clips as a `neo.Block` in memory: a `neo.Segment` for each clip, a `neo.SpikeTrain` in seconds for each unit.

    A segment is annotated with clip (its number in the file), label, class_name, speaker (-1 if unknown), source,
    sample_rate [Hz], duration [s] (0 if unknown) and n_spikes, the block with class_names, n_units and provenance. A
    train starts at 0 s and stops at the end of its clip: its duration, or its last spike of all units if that is later
    or the duration is unknown. Needs neo.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    clips : array_like of int or bool, optional
        Numbers of the clips to take, in rising order, or a mask; default: all.
    per_unit : bool
        Whether each unit has a train, annotated with its unit. Otherwise each clip has a single train, with the unit of
        each spike in ``array_annotations["unit"]``, which takes a fraction of the time and memory.
    silent : bool
        Whether units without spikes have a train, too, so that train ``i`` is that of unit ``i``.

    Returns
    -------
    neo.Block

    Raises
    ------
    FileNotFoundError, FormatError
        If the spike file does not exist or violates the format.
    ValueError
        If there is no clip to take.

    Examples
    --------
    >>> from spikedata.events import Events, Sample
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], dtype=np.uint16), label=0, speaker=2)
    >>> block = neo_block(Events.from_samples([clip], keys=["zero"]), silent=False)  # doctest: +SKIP
    >>> [train.annotations["unit"] for train in block.segments[0].spiketrains]  # doctest: +SKIP
    [5, 9]
    """
    with opened(data, clips) as source:
        return _make_block(source, per_unit=per_unit, silent=silent)


def to_neo(
    data: Spikes,
    out: str | os.PathLike[str],
    *,
    clips: Chosen = None,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Exported:
    """Export clips to a NIX file (.nix), which neo reads, or a file of Neurodata Without Borders (.nwb).

    A NIX file has the block of `neo_block` with a single train for each clip: with one for each unit, writing takes
    seconds for each clip. An NWB file has the layout that its tools expect: a table of units with their spike times and
    a table of trials with a clip each. The clips follow each other on one time axis, each beginning at a whole second,
    and end where `neo_block` ends them; a spike time less the start of its trial is that of the file to 1 ns. Both are
    made in memory. They need neo and nixio, or pynwb.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    out : path-like
        The file to make; its suffix, .nix or .nwb, is its format.
    clips : array_like of int or bool, optional
        Numbers of the clips to export, in rising order, or a mask; default: all.
    overwrite : bool
        Whether an existing file is replaced.
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
        If the suffix is another, or there is no clip to export.
    """
    suffix = Path(out).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ValueError(f"{out}: must end in {' or '.join(_SUFFIXES)}, the formats of neo")
    with opened(data, clips, on_progress) as source, new_file(out, suffix, overwrite=overwrite) as path:
        blocks = [(len(block.events.times), int(np.sum(block.events.durations == 0))) for block in source.read()]
        n_spikes, n_unknown = (sum(numbers) for numbers in zip(*blocks, strict=True))
        per_clip = _ROOM_PER_CLIP + 16 * source.n_units  # an interval for each unit
        require_space(path.parent, _ROOM_FOR_ALL + per_clip * source.n_clips + 16 * n_spikes)
        if suffix == ".nix":
            _write_nix(source, path)
        else:
            _write_nwb(source, path)
    notes = [f"{n_unknown} clips of unknown duration end with their last spike"] if n_unknown else []
    return Exported(str(out), suffix[1:], source.n_clips, n_spikes, tuple(notes))


def _make_block(source: Source, *, per_unit: bool, silent: bool) -> neo.Block:
    import neo

    said = {name: value for name, value in source.about().items() if value is not None}
    block = neo.Block(name=Path(source.name).name, **said)
    for clips in source.read():
        for row, end, times, units in _each(clips):
            segment = neo.Segment(name=row["source"] or f"clip {row['clip']}", index=row["clip"], **row)
            trains = [
                neo.SpikeTrain(spikes, units="s", t_stop=end, name=f"unit {unit}", unit=unit)
                for unit, spikes in _by_unit(times, units, source.n_units)
                if per_unit and (silent or spikes.size)
            ]
            if not per_unit:
                owners = {"unit": units.astype(np.int64)}
                trains = [neo.SpikeTrain(times, units="s", t_stop=end, name="all units", array_annotations=owners)]
            segment.spiketrains.extend(trains)
            block.segments.append(segment)
    return block


def _each(clips: Clips) -> Iterator[tuple[dict[str, Any], float, npt.NDArray[np.float64], npt.NDArray[np.uint16]]]:
    """Metadata, end [s], spike times [s] and units of each clip."""
    times = clips.events.times.astype(np.float64)
    rows = zip(clips.rows(), clips.ends().tolist(), pairwise(clips.events.offsets), strict=True)
    for row, end, (first, last) in rows:
        yield row, end, times[first:last], clips.events.units[first:last]


def _by_unit(
    times: npt.NDArray[np.float64], units: npt.NDArray[np.uint16], n_units: int
) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """The spike times of every unit, in their order."""
    order = np.argsort(units, kind="stable")
    bounds = np.searchsorted(units[order], np.arange(n_units + 1))
    for unit, (first, last) in enumerate(pairwise(bounds)):
        yield unit, times[order[first:last]]


def _write_nix(source: Source, path: Path) -> None:
    import neo
    import nixio  # noqa: F401  # neo would say that it is missing in words of its own

    block = _make_block(source, per_unit=False, silent=True)
    with neo.io.NixIO(str(path), "ow") as file:
        file.write_block(block)


def _write_nwb(source: Source, path: Path) -> None:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "w") as file:
        file.write(_nwb_of(source))


def _nwb_of(source: Source) -> NWBFile:
    from pynwb import NWBFile

    made, about = source.provenance, json.dumps(source.about(), ensure_ascii=False)
    # there was no session: the spikes are those of a model, and the file is to be the same whenever it is made
    file = NWBFile(
        session_description=f"Clips of {Path(source.name).name}, each a trial, at whole seconds of one time axis",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{Path(source.name).name} {about}")),
        session_start_time=datetime(1970, 1, 1, tzinfo=UTC),
        source_script=f"spikedata-audio {__version__}",
        source_script_file_name="spikedata.export",
        notes=about,
        keywords=[made.corpus] if made is not None and made.corpus else None,
    )
    for name, what in _COLUMNS.items():
        if name != "part" or source.has_parts:
            file.add_trial_column(name, what)
    start, shifted, units, intervals = 0, [], [], []
    for clips in source.read():
        for row, end, times, of_units in _each(clips):
            file.add_trial(start_time=float(start), stop_time=start + end, **row)
            shifted.append(start + times)
            units.append(of_units)
            intervals.append((float(start), start + end))
            start += int(end) + 1
    for unit, train in _by_unit(np.concatenate(shifted), np.concatenate(units), source.n_units):
        file.add_unit(spike_times=train, obs_intervals=np.array(intervals), id=unit)
    return file
