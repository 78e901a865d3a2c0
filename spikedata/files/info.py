"""Describe a spike file: its content, checks, splits and provenance, as a dict and as text."""

from __future__ import annotations

import json
import os
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from spikedata.checks import Positive, checked
from spikedata.events import latest_times
from spikedata.events.sample import UNKNOWN_SPEAKER
from spikedata.events.window import NEARLY_ALL, find_outside, percent
from spikedata.files.reader import SpikeFile
from spikedata.printable import printable
from spikedata.splits import available_splits

_MOST_LISTED = 40  # classes or speakers listed; of more, the text gives the number
_N_BANDS = 7  # of neighboring channels, whose mean rates are shown


def describe_file(
    path: str | os.PathLike[str], *, time_unit: str | None = None, n_units: int | None = None, window: float = 1.0
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
    window = checked("window", window, Positive)
    with SpikeFile(path, time_unit=time_unit, n_units=n_units) as file:
        events, provenance, has_checksums, skipped = file.read_events(), file.provenance, file.is_ours, file.skipped
        parts = Counter(file.parts)
        stored, remarks, stored_type, unit, says_n_units = (
            dict(file.columns.stored),
            file.remarks,
            file.times_dtype,
            file.time_unit,
            file.is_ours,
        )
    outside = find_outside(events, window)
    is_part = provenance is not None and provenance.part  # of a data set that is divided already
    n_spikes = np.diff(events.offsets)
    last = latest_times(events)
    is_timed = events.durations > 0
    total_time = float(np.where(is_timed, events.durations, last).sum())
    counts = np.bincount(events.units, minlength=events.n_units)
    rates = counts / total_time if total_time else np.zeros(events.n_units)
    label_counts = np.bincount(events.labels, minlength=len(events.keys))
    is_known = events.speakers != UNKNOWN_SPEAKER
    speakers, speaker_counts = np.unique(events.speakers[is_known], return_counts=True)
    return {
        "file": str(path),
        "samples": len(events),
        "channels": events.n_units,
        "classes": dict(zip(events.keys, label_counts.tolist(), strict=True)),
        "speakers": dict(zip(speakers.tolist(), speaker_counts.tolist(), strict=True)),
        "samples_of_unknown_speaker": int(np.count_nonzero(~is_known)),
        "spikes": {"total": int(n_spikes.sum()), **_spread(n_spikes)},
        "samples_without_spikes": outside.n_silent,
        "outside": {"window": window, "spikes": outside.n_outside, "share": outside.share},
        "time_unit": unit or "s",
        "advice": outside.advise(of_file=True, read_as=unit)
        if unit != "s" and (outside.looks_like or outside.share > NEARLY_ALL)
        else "",
        "channels_are_said": says_n_units or n_units is not None,
        "largest_unit": int(events.units.max(initial=0)),
        "last_spike": _spread(last),
        "durations": {"total": float(events.durations.sum()), **_spread(events.durations[is_timed])},
        "samples_of_unknown_duration": int(np.count_nonzero(~is_timed)),
        "total_time": total_time,
        "rate_per_channel": _spread(rates),
        "rate_by_channel": rates.tolist(),
        "silent_channels": int(np.count_nonzero(counts == 0)),
        "times_dtype": str(stored_type),
        "columns": stored,
        "integrity": {"rows_checked": len(events), "checksums_fit": True if has_checksums else None},
        "parts": {part or "none": n for part, n in parts.items()} if any(parts) else {},
        "splits": [name for name in available_splits(events) if not (is_part and name == "published")]
        + (["listed"] if "train" in parts and "" not in parts else []),
        "sample_rates": sorted({int(rate) for rate in events.sample_rates}),
        "left_out": list(skipped),
        "remarks": list(remarks),
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
        },
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
    who = _number_of(len(d["speakers"]), "speaker") if d["speakers"] else "speakers unknown"
    silent, without = d["silent_channels"], d["samples_without_spikes"]
    lines = [
        f"{d['file']}: {_number_of(d['samples'], 'sample')}, {_number_of(len(d['classes']), 'class', 'classes')}, "
        f"{who}, {_number_of(d['channels'], 'channel')}{_whence(d)}",
        f"  spikes      {spikes['total']:,}; per sample {spikes['mean']:,.0f} ({spikes['min']:,}..{spikes['max']:,})"
        + (f"; {_number_of(without, 'sample')} without any" if without else "")
        + ("; no sample has any" if without == d["samples"] > 1 else ""),
        f"  last spike  {last['mean']:.3f} s ({last['min']:.3f}..{last['max']:.3f}); {_stored(d)}",
        *([f"  outside     {_outside(d)}"] if d["outside"]["spikes"] else []),
        f"  rate        {rate['mean']:.1f} per second and channel ({rate['min']:.1f}..{rate['max']:.1f})"
        + (f"; {_number_of(silent, 'channel')} without spikes" if silent else ""),
        f"  channels    {_bands(d['rate_by_channel'])} per second",
        f"  classes     {_counts(d['classes'])}",
        f"  speakers    {_speakers(d['speakers'], d['samples_of_unknown_speaker'])}",
        "  recordings  " + (", ".join(f"{rate} Hz" for rate in d["sample_rates"] if rate) or "sample rate unknown"),
        f"  duration    {_durations(d)}",
        f"  columns     {', '.join(d['columns'])}",
        f"  integrity   {_integrity(d['integrity'])}",
        f"  splits      {', '.join(d['splits']) or 'none'}",
    ]
    if d["left_out"]:
        lines.append(f"  left out    {_number_of(len(d['left_out']), 'recording')}, first {d['left_out'][0]}")
    if d["parts"]:
        lines.append(f"  parts       {', '.join(f'{part} {n:,}' for part, n in d['parts'].items())}")
    if d["remarks"]:
        lines.append(f"  remarks     on {_number_of(len(d['remarks']), 'clip')}, first {d['remarks'][0]}")
    if made is not None and (made["split"] or made["shard"]):
        lines.append(f"  holds       {_share(made)}")
    if made is None:
        lines.append("  made by     unknown (no provenance in the file)")
    else:
        preset = made["params"].get("preset", "own") if isinstance(made["params"], dict) else "own"
        lines.append(
            f"  made by     spikedata-audio {made['package_version']} from {made['corpus']}, preset {preset}, "
            f"seed {made['seed']}"
        )
    return "\n".join(map(printable, lines))  # names of files and classes may hold control characters


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


def _number_of(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _speakers(known: dict[int, int], n_unknown: int) -> str:
    unknown = [f"unknown in {_number_of(n_unknown, 'sample')}"] if n_unknown else []
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
    unknown = f"; not known of {_number_of(n_unknown, 'sample')}" if n_unknown else ""
    return f"{each['mean']:.3f} s ({each['min']:.3f}..{each['max']:.3f}); {each['total']:,.1f} s together{unknown}"


def _bands(rates: list[float]) -> str:
    # mean rates of neighboring channels
    edges = np.linspace(0, len(rates), min(_N_BANDS, len(rates)) + 1).astype(int).tolist()
    names = [f"{a}-{b - 1}" if b - a > 1 else str(a) for a, b in pairwise(edges)]
    return ", ".join(f"{name}: {np.mean(rates[a:b]):.1f}" for name, (a, b) in zip(names, pairwise(edges), strict=True))


def _integrity(integrity: dict[str, Any]) -> str:
    checksums = "all checksums match" if integrity["checksums_fit"] else "no checksums in the file"
    return f"{_number_of(integrity['rows_checked'], 'row')} checked; {checksums}"
