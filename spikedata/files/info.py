"""Describe a spike file: its content, checks, splits and provenance, as a dict and as text."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, checked
from spikedata.events import latest_times
from spikedata.events.events import Events
from spikedata.events.sample import UNKNOWN_SPEAKER
from spikedata.events.window import NEARLY_ALL, Outside, find_outside, joined_outside, percent
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import TASK, unit_name_of
from spikedata.printable import number_of, printable
from spikedata.splits import available_splits

_MOST_LISTED = 40  # classes or speakers listed; of more, the text gives the number
_N_BANDS = 7  # of neighboring channels, whose mean rates are shown


def describe_file(
    path: str | os.PathLike[str],
    *,
    time_unit: str | None = None,
    n_units: int | None = None,
    window: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Read and check a whole spike file and describe it.

    Parameters
    ----------
    path : str or path-like
        The spike file.
    time_unit, n_units
        What a file by another writer does not say, as `SpikeFile` takes it.
    window : float
        Length of the window outside of which spikes are counted [s].
    on_progress : callable, optional
        Called with the number of clips read and how many there are.

    Returns
    -------
    dict
        Consists of numbers, strings, lists and dicts, so that it can be written as JSON: samples, classes and speakers
        with their counts, spikes, durations and last spikes [s] per sample, rates per channel [1/s], the columns of the
        file and their types, the checks that it passed, the splits that it allows, and its provenance. For the rates, a
        clip of unknown duration ends with its last spike.

    Raises
    ------
    FileNotFoundError, FormatError
        If the file does not exist, or violates the format.
    ValueError
        If the file contradicts what it is to be read as, or the window is not positive.
    """
    with SpikeFile(path, time_unit=time_unit, n_units=n_units) as file:
        n_clips = len(file)

        def report(first: int, events: Events) -> None:
            if on_progress is not None:
                on_progress(first + len(events), n_clips)

        report(0, file.read_events(0, 0))
        described = describe_open(file, count_spikes(file, window=window, watch=report))
    return {**described, "file": str(path), "channels_are_said": described["channels_are_said"] or n_units is not None}


class SpikeCounts(NamedTuple):
    """What one pass over all spikes of a file has counted, in memory that does not grow with the spikes.

    Attributes
    ----------
    each : ndarray of int64, shape (n_clips,)
        Spikes of each clip.
    latest : ndarray of float64, shape (n_clips,)
        Time of the last spike of each clip [s]; 0 if it has none.
    by_unit : ndarray of int64, shape (n_units,)
        Spikes of each unit.
    outside : Outside
        What falls outside the window.
    """

    each: npt.NDArray[np.int64]
    latest: npt.NDArray[np.float64]
    by_unit: npt.NDArray[np.int64]
    outside: Outside


def count_spikes(
    file: SpikeFile, *, window: float = 1.0, watch: Callable[[int, Events], None] | None = None
) -> SpikeCounts:
    """Read and check every row of an open file, and count its spikes.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    window : float
        Length of the window outside of which spikes are counted [s].
    watch : callable, optional
        Called with the number of the first clip and the events of some clips, until all have been read: for whoever
        counts something else in the same pass.

    Raises
    ------
    FormatError
        If a row violates the format.
    ValueError
        If the window is not positive.
    """
    window = checked("window", window, Positive)
    each, latest = np.zeros(len(file), np.int64), np.zeros(len(file))
    by_unit, starts = np.zeros(file.n_units, np.int64), []
    parts = [find_outside(file.read_events(0, 0), window)]
    for first, events in file.iter_events():
        here = slice(first, first + len(events))
        each[here], latest[here] = np.diff(events.offsets), latest_times(events)
        by_unit += np.bincount(events.units, minlength=file.n_units)
        starts.append(events.times[events.offsets[:-1][each[here] > 0]].astype(np.float64))
        parts.append(find_outside(events, window))
        if watch is not None:
            watch(first, events)
    begin, end = np.concatenate([*starts, np.empty(0)]), latest[each > 0]
    outside = replace(
        joined_outside(parts),
        median_start=float(np.median(begin)) if begin.size else 0.0,
        median_end=float(np.median(end)) if end.size else 0.0,
        are_whole=any(part.are_whole for part in parts) and all(part.are_whole for part in parts if part.n_spikes),
    )
    return SpikeCounts(each, latest, by_unit, outside)


def describe_open(file: SpikeFile, counts: SpikeCounts) -> dict[str, Any]:
    """The description of an open file, from what a pass over it has counted; see `describe_file`.

    Parameters
    ----------
    file : SpikeFile
        The open file.
    counts : SpikeCounts
        From `count_spikes`.
    """
    provenance, outside = file.provenance, counts.outside
    parts = Counter(file.parts)
    is_part = provenance is not None and provenance.part  # of a data set that is divided already
    is_timed = file.durations > 0
    total_time = float(np.where(is_timed, file.durations, counts.latest).sum())
    rates = counts.by_unit / total_time if total_time else np.zeros(file.n_units)
    label_counts = np.bincount(file.labels, minlength=len(file.keys))
    is_known = file.speakers != UNKNOWN_SPEAKER
    speakers, speaker_counts = np.unique(file.speakers[is_known], return_counts=True)
    unit = file.time_unit
    return {
        "file": str(file.path),
        "samples": len(file),
        "channels": file.n_units,
        "unit": unit_name_of(provenance),
        "classes": dict(zip(file.keys, label_counts.tolist(), strict=True)),
        "speakers": dict(zip(speakers.tolist(), speaker_counts.tolist(), strict=True)),
        "samples_of_unknown_speaker": int(np.count_nonzero(~is_known)),
        "spikes": {"total": int(counts.each.sum()), **_spread(counts.each)},
        "samples_without_spikes": outside.n_silent,
        "outside": {"window": outside.window, "spikes": outside.n_outside, "share": outside.share},
        "time_unit": unit or "s",
        "advice": outside.advise(of_file=True, read_as=unit)
        if unit != "s" and (outside.looks_like or outside.share > NEARLY_ALL)
        else "",
        "channels_are_said": file.says_n_units,
        "largest_unit": int(np.flatnonzero(counts.by_unit).max(initial=0)),
        "last_spike": _spread(counts.latest),
        "durations": {"total": float(file.durations.sum()), **_spread(file.durations[is_timed])},
        "samples_of_unknown_duration": int(np.count_nonzero(~is_timed)),
        "total_time": total_time,
        "rate_per_channel": _spread(rates),
        "rate_by_channel": rates.tolist(),
        "silent_channels": int(np.count_nonzero(counts.by_unit == 0)),
        "times_dtype": str(file.times_dtype),
        "columns": dict(file.columns.stored),
        "integrity": {"rows_checked": len(file), "checksums_fit": True if file.is_ours else None},
        "parts": {part or "none": n for part, n in parts.items()} if any(parts) else {},
        "splits": [name for name in available_splits(file) if not (is_part and name == "published")]
        + (["listed"] if "train" in parts and "" not in parts else []),
        "sample_rates": sorted({int(rate) for rate in file.sample_rates}),
        "left_out": list(file.skipped),
        "remarks": list(file.remarks),
        "provenance": None
        if provenance is None
        else {
            "package_version": provenance.package_version,
            "corpus": provenance.corpus,
            "seed": provenance.seed,
            "params": json.loads(provenance.params),
            "split": provenance.split,
            "part": provenance.part,
            "shard": provenance.shard,
            "scene": json.loads(provenance.scene) if provenance.scene else None,
        },
        "drawn": {name: _spread(values[np.isfinite(values)]) for name, values in file.drawn.items()},
    }


def format_description(description: dict[str, Any]) -> str:
    """The description as text.

    Parameters
    ----------
    description : dict
        From `describe_file`.
    """
    d = description
    spikes, last, rate = d["spikes"], d["last_spike"], d["rate_per_channel"]
    made = d["provenance"]
    who = number_of(len(d["speakers"]), "speaker") if d["speakers"] else "speakers unknown"
    silent, without = d["silent_channels"], d["samples_without_spikes"]
    params = made["params"] if made is not None and isinstance(made["params"], dict) else {}
    task = params.get(TASK)
    lines = [
        f"{d['file']}: {number_of(d['samples'], 'clip')}, {number_of(len(d['classes']), 'class', 'classes')}, "
        f"{who}, {number_of(d['channels'], d['unit'])}{_whence(d)}",
        f"  spikes      {spikes['total']:,}; per clip {spikes['mean']:,.0f} ({spikes['min']:,}..{spikes['max']:,})"
        + (f"; {number_of(without, 'clip')} without any" if without else "")
        + ("; no clip has any" if without == d["samples"] > 1 else ""),
        f"  last spike  {last['mean']:.3f} s ({last['min']:.3f}..{last['max']:.3f}); {_stored(d)}",
        *([f"  outside     {_outside(d)}"] if d["outside"]["spikes"] else []),
        f"  rate        {rate['mean']:.1f} per second and {d['unit']} ({rate['min']:.1f}..{rate['max']:.1f})"
        + (f"; {number_of(silent, d['unit'])} without spikes" if silent else ""),
        f"  {d['unit'] + 's':10}  {_bands(d['rate_by_channel'])} per second",
        f"  classes     {_counts(d['classes'])}",
        f"  speakers    {_speakers(d['speakers'], d['samples_of_unknown_speaker'])}",
        *([] if task else [f"  recordings  {_sample_rates(d)}"]),
        f"  duration    {_durations(d)}",
        f"  columns     {', '.join(d['columns'])}",
        f"  integrity   {_integrity(d['integrity'])}",
        f"  splits      {', '.join(d['splits']) or 'none'}",
    ]
    if d["left_out"]:
        lines.append(f"  left out    {number_of(len(d['left_out']), 'recording')}, first {d['left_out'][0]}")
    if d["parts"]:
        lines.append(f"  parts       {', '.join(f'{part} {n:,}' for part, n in d['parts'].items())}")
    if d["remarks"]:
        lines.append(f"  remarks     on {number_of(len(d['remarks']), 'clip')}, first {d['remarks'][0]}")
    if made is not None and (made["split"] or made["shard"]):
        lines.append(f"  holds       {_share(made)}")
    if made is not None and made["scene"]:
        lines.append(f"  scene       {_scene(made['scene'])}")
    if made is None:
        lines.append("  made by     unknown (no provenance in the file)")
    elif task:
        lines.append(f"  made by     spikedata-audio {made['package_version']}, task {task}, seed {made['seed']}")
        lines.append(f"  params      {', '.join(f'{name} {_said(params[name])}' for name in params if name != TASK)}")
    else:
        lines.append(
            f"  made by     spikedata-audio {made['package_version']} from {made['corpus']}, "
            f"preset {params.get('preset', 'own')}, seed {made['seed']}"
        )
        lines += [f"  ear         {ear}"] if (ear := _ear(params)) else []
    return "\n".join(map(printable, lines))  # names of files and classes may hold control characters


def _sample_rates(d: dict[str, Any]) -> str:
    return ", ".join(f"{rate} Hz" for rate in d["sample_rates"] if rate) or "sample rate unknown"


def _said(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_said, value))
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _ear(params: Any) -> str:
    """How many hair cells and fibers there were, and which stages; empty where the params do not say it."""
    try:
        n_places, n_each = params["basilar_membrane"]["n_places"], params["hair_cell"]["n_per_place"]
        n_cells, n_fibers = int(n_places) * int(n_each), int(params["auditory_nerve"]["n_fibers"])
    except (KeyError, TypeError, ValueError):
        return ""
    has = {
        "middle ear": params["basilar_membrane"].get("middle_ear") not in (None, "none"),
        "compression": params.get("compression") is not None,
        "three classes of fibers": "high" in params["hair_cell"],
    }
    n_all = (
        f"{number_of(n_cells, 'hair cell')} at {number_of(n_places, 'place')}, {number_of(n_cells * n_fibers, 'fiber')}"
    )
    return ", ".join([n_all, *(name for name, is_there in has.items() if is_there)])


def _scene(scene: dict[str, Any]) -> str:
    """How the sounds were changed before they were encoded."""
    units = {"snr": " dB", "level": " dB SPL", "speed": "", "room": " s"}
    said = [
        f"{name} {' to '.join(f'{value:g}' for value in (given if isinstance(given, list) else [given]))}{unit}"
        for name, unit in units.items()
        if (given := scene.get(name)) is not None
    ]
    return ", ".join([*([f"noise {scene['noise']}"] if scene.get("noise") else []), *said])


def _share(made: dict[str, Any]) -> str:
    """The part or shard of a corpus that a file contains."""
    part = f"part {made['part']}" if made["part"] else "all parts"
    shares = [f"{part} of the split: {made['split']}"] if made["split"] else []
    return "; ".join([*shares, *([f"shard {made['shard']}"] if made["shard"] else [])])


def _spread(values: np.ndarray) -> dict[str, float]:
    if not values.size:
        return {"min": 0, "mean": 0.0, "max": 0}
    return {"min": values.min().item(), "mean": float(values.mean()), "max": values.max().item()}


def _counts(counts: dict[Any, int]) -> str:
    if len(counts) > _MOST_LISTED:
        return f"{len(counts):,} ({min(counts.values()):,} to {max(counts.values()):,} each)"
    if len(set(counts.values())) == 1:  # all equal: give the number once
        return f"{', '.join(map(str, counts))} ({next(iter(counts.values()))} each)"
    return ", ".join(f"{key}: {count}" for key, count in counts.items())


def _speakers(known: dict[int, int], n_unknown: int) -> str:
    unknown = [f"unknown in {number_of(n_unknown, 'clip')}"] if n_unknown else []
    return "; ".join([*([_counts(known)] if known else []), *unknown]) or "none"


def _whence(d: dict[str, Any]) -> str:
    """Where the number of channels is from, if not from the file."""
    largest = f"; its largest unit is {d['largest_unit']}" if d["spikes"]["total"] else ""
    return "" if d["channels_are_said"] else f" (not in the file{largest})"


def _stored(d: dict[str, Any]) -> str:
    return f"stored as {d['times_dtype']}" + (f" in {d['time_unit']}" if d["time_unit"] != "s" else "")


def _outside(d: dict[str, Any]) -> str:
    outside = d["outside"]
    share = f"{percent(outside['share'])} of the spikes fall outside {outside['window']:g} s"
    return share + (f": {d['advice']}" if d["advice"] else "")


def _durations(d: dict[str, Any]) -> str:
    each, n_unknown = d["durations"], d["samples_of_unknown_duration"]
    if n_unknown == d["samples"]:
        return f"not in the file; {d['total_time']:,.1f} s together until the last spikes"
    unknown = f"; not known of {number_of(n_unknown, 'clip')}" if n_unknown else ""
    return f"{each['mean']:.3f} s ({each['min']:.3f}..{each['max']:.3f}); {each['total']:,.1f} s together{unknown}"


def _bands(rates: list[float]) -> str:
    # mean rates of neighboring channels
    edges = np.linspace(0, len(rates), min(_N_BANDS, len(rates)) + 1).astype(int).tolist()
    names = [f"{a}-{b - 1}" if b - a > 1 else str(a) for a, b in pairwise(edges)]
    return ", ".join(f"{name}: {np.mean(rates[a:b]):.1f}" for name, (a, b) in zip(names, pairwise(edges), strict=True))


def _integrity(integrity: dict[str, Any]) -> str:
    checksums = "all checksums match" if integrity["checksums_fit"] else "no checksums in the file"
    return f"{number_of(integrity['rows_checked'], 'row')} checked; {checksums}"
