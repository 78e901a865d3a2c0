"""What is exported: the clips of a spike file or of events, some at a time, so that memory stays flat."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from spikedata.events import latest_times
from spikedata.events.events import Events, Selection
from spikedata.events.window import LONGEST_CLIP, find_outside
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import Provenance

Spikes: TypeAlias = "str | os.PathLike[str] | SpikeFile | Events | Selection"
Chosen: TypeAlias = "npt.ArrayLike | None"
OnProgress: TypeAlias = "Callable[[int, int], None] | None"

_N_AT_ONCE = 256  # clips in memory


class Clips(NamedTuple):
    """Some clips of what is exported.

    Parameters
    ----------
    numbers : ndarray of int64, shape (n_clips,)
        Number of each clip in its file, counted from 0.
    events : Events
        Their spikes and metadata.
    parts : tuple of str
        Part of a split to which each clip belongs; empty unless the file says so.
    """

    numbers: npt.NDArray[np.int64]
    events: Events
    parts: tuple[str, ...]

    def columns(self) -> dict[str, list[Any]]:
        """Everything but the spikes, a column each: the same names and order in every table of an export."""
        events = self.events
        columns: dict[str, list[Any]] = {
            "clip": self.numbers.tolist(),
            "label": events.labels.tolist(),
            "class_name": [events.keys[label] for label in events.labels],
            "speaker": events.speakers.tolist(),
            "source": list(events.sources),
            "sample_rate": events.sample_rates.tolist(),
            "duration": events.durations.tolist(),
            "n_spikes": np.diff(events.offsets).tolist(),
        }
        return columns | ({"part": list(self.parts)} if self.parts else {})

    def rows(self) -> Iterator[dict[str, Any]]:
        """The columns, clip by clip."""
        columns = self.columns()
        return (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))

    def ends(self) -> npt.NDArray[np.float64]:
        """Where each clip ends [s]: its duration, or its last spike if that is later or the duration is unknown."""
        return np.maximum(self.events.durations, latest_times(self.events))


@dataclass(frozen=True, kw_only=True)
class Source:
    """Clips to be exported.

    Parameters
    ----------
    name : str
        The file, for messages [1].
    keys : tuple of str
        Class names [1].
    n_units, n_clips : int
        Number of units and of clips [1].
    times_dtype : dtype
        Type of the times [1].
    has_parts : bool
        Whether each clip says to which part of a split it belongs [1].
    provenance : Provenance or None
        How the spikes were made [1].
    read : callable
        Called for an iterator over all `Clips`, as often as necessary [1].
    """

    name: str
    keys: tuple[str, ...]
    n_units: int
    n_clips: int
    times_dtype: np.dtype[Any]
    has_parts: bool
    provenance: Provenance | None
    read: Callable[[], Iterator[Clips]]

    def about(self) -> dict[str, Any]:
        """What is true of all clips, for formats that keep it as JSON."""
        made = None if self.provenance is None else asdict(self.provenance)
        return {
            "class_names": list(self.keys),
            "n_units": self.n_units,
            "times_dtype": str(self.times_dtype),
            "provenance": made,
        }


@contextmanager
def opened(data: Spikes, clips: Chosen = None, on_progress: OnProgress = None) -> Iterator[Source]:
    """The clips of a spike file or of events; a file that is given by its path is closed at the end.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    clips : array_like of int, or of bool with shape (n_samples,), optional
        Numbers of the clips to export, in rising order, or a mask; default: all.
    on_progress : callable, optional
        Called with the number of clips read and how many there are to read, in each pass over them.

    Raises
    ------
    FileNotFoundError, FormatError
        If the file does not exist or violates the format.
    TypeError
        If the data are something else.
    ValueError
        If there are no clips, the numbers do not rise or do not exist, or the times of a file by another writer are
        likely not in s, and it was not opened with its ``time_unit``.
    """
    if isinstance(data, str | os.PathLike):
        with SpikeFile(data) as file:
            yield _reporting(_of_file(file, clips), on_progress)
    elif isinstance(data, SpikeFile):
        yield _reporting(_of_file(data, clips), on_progress)
    elif isinstance(data, Selection):
        with opened(data.events.select(data.indices), clips, on_progress) as source:
            yield source
    elif isinstance(data, Events):
        yield _reporting(_of_events(data, clips), on_progress)
    else:
        way_on = "; give its .events" if hasattr(data, "events") else ""
        raise TypeError(f"what is exported must be a spike file or Events, got {type(data).__name__}{way_on}")


def _reporting(source: Source, on_progress: OnProgress) -> Source:
    if on_progress is None:
        return source

    def read() -> Iterator[Clips]:
        done = 0
        on_progress(0, source.n_clips)
        for clips in source.read():
            yield clips
            done += len(clips.numbers)
            on_progress(done, source.n_clips)  # when they have been written, and more are asked for

    return replace(source, read=read)


def _of_file(file: SpikeFile, clips: Chosen) -> Source:
    name, chosen = str(file.path), _numbers(str(file.path), len(file), clips)
    if file.time_unit is None and not file.is_ours:  # an export says "seconds" to those who do not know the file
        looked_at = find_outside(file.read_events(0, _N_AT_ONCE), LONGEST_CLIP)
        if looked_at.looks_like:
            raise ValueError(f"{name}: {looked_at.advice}; --time-unit s takes them as they are")

    def read() -> Iterator[Clips]:
        for first in range(0, len(file), _N_AT_ONCE):
            begin, end = np.searchsorted(chosen, (first, first + _N_AT_ONCE))
            numbers = chosen[begin:end]
            if numbers.size:
                events = file.read_events(int(numbers[0]), int(numbers[-1]) + 1)
                if len(events) != len(numbers):
                    events = events.select(numbers - numbers[0])
                yield Clips(numbers, events, tuple(file.parts[number] for number in numbers) if has_parts else ())

    has_parts = any(file.parts)
    return Source(
        name=name,
        keys=file.keys,
        n_units=file.n_units,
        n_clips=len(chosen),
        times_dtype=file.read_events(0, 0).times.dtype,  # of times in s, whatever is stored
        has_parts=has_parts,
        provenance=file.provenance,
        read=read,
    )


def _of_events(events: Events, clips: Chosen) -> Source:
    chosen = _numbers("events", len(events), clips)

    def read() -> Iterator[Clips]:
        for first in range(0, len(chosen), _N_AT_ONCE):
            numbers = chosen[first : first + _N_AT_ONCE]
            # indexing sorts the spikes of a clip, which a transform may have left unsorted; selecting does not
            part = events.select(numbers)
            if not part.is_sorted:
                part = Events.from_samples(list(part), keys=part.keys, n_units=part.n_units)
            yield Clips(numbers, part, ())

    return Source(
        name="events",
        keys=events.keys,
        n_units=events.n_units,
        n_clips=len(chosen),
        times_dtype=events.times.dtype,
        has_parts=False,
        provenance=None,
        read=read,
    )


def _numbers(name: str, n_clips: int, clips: Chosen) -> npt.NDArray[np.int64]:
    if not n_clips:
        raise ValueError(f"{name}: has no clips, nothing to export")
    given = np.arange(n_clips) if clips is None else np.asarray(clips)
    if given.dtype == np.bool_ and given.shape == (n_clips,):
        given = np.flatnonzero(given)
    if not given.size:
        raise ValueError(f"{name}: no clip was chosen, nothing to export")
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"{name}: clips to export must be numbers of clips or a mask, got {clips!r:.60}")
    if given[0] < 0 or given[-1] >= n_clips or np.any(np.diff(given.astype(np.int64)) <= 0):
        raise ValueError(f"{name}: clips to export must rise within 0..{n_clips - 1}, got {clips!r:.60}")
    return given.astype(np.int64)
