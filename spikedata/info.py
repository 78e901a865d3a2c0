"""What a person wants to know of a spike file, as plain numbers."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from spikedata.reader import SpikeFile


def describe_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check a whole spike file and sum it up.

    Parameters
    ----------
    path : str or path-like
        The spike file.

    Returns
    -------
    dict
        Numbers, strings, lists and dicts only, so that it is JSON: samples, classes and speakers with their counts,
        spikes and last spikes [s] per sample, rates per channel [1/s], and where the spikes come from.

    Raises
    ------
    FileNotFoundError, FormatError
        If there is no such file, or it breaks a rule of the format.
    """
    with SpikeFile(path) as file:
        events, provenance = file.read_events(), file.provenance
    n_spikes = np.diff(events.offsets)
    filled = n_spikes > 0
    last = np.zeros(len(events))
    last[filled] = events.times[events.offsets[1:][filled] - 1]
    total_time = float(last.sum())
    rates = np.bincount(events.units, minlength=events.n_units) / total_time if total_time else np.zeros(events.n_units)
    label_counts = np.bincount(events.labels, minlength=len(events.keys))
    speakers, speaker_counts = np.unique(events.speakers, return_counts=True)
    return {
        "file": str(path),
        "samples": len(events),
        "channels": events.n_units,
        "classes": dict(zip(events.keys, label_counts.tolist(), strict=True)),
        "speakers": dict(zip(speakers.tolist(), speaker_counts.tolist(), strict=True)),
        "spikes": {"total": int(n_spikes.sum()), **_spread(n_spikes)},
        "last_spike": _spread(last),
        "rate_per_channel": _spread(rates),
        "times_dtype": str(events.times.dtype),
        "sample_rates": sorted({int(rate) for rate in events.sample_rates}),
        "provenance": None
        if provenance is None
        else {
            "package_version": provenance.package_version,
            "corpus": provenance.corpus,
            "seed": provenance.seed,
            "params": json.loads(provenance.params),
        },
    }


def format_description(description: dict[str, Any]) -> str:
    """The description as lines for a person to read.

    Parameters
    ----------
    description : dict
        As `describe_file` gives it.
    """
    d = description
    spikes, last, rate = d["spikes"], d["last_spike"], d["rate_per_channel"]
    made = d["provenance"]
    lines = [
        f"{d['file']}: {d['samples']} samples, {len(d['classes'])} classes, {len(d['speakers'])} speakers, "
        f"{d['channels']} channels",
        f"  spikes      {spikes['total']:,}; per sample {spikes['mean']:,.0f} ({spikes['min']:,}..{spikes['max']:,})",
        f"  last spike  {last['mean']:.3f} s ({last['min']:.3f}..{last['max']:.3f}), stored as {d['times_dtype']}",
        f"  rate        {rate['mean']:.1f} per second and channel ({rate['min']:.1f}..{rate['max']:.1f})",
        f"  classes     {_counts(d['classes'])}",
        f"  speakers    {_counts(d['speakers'])}",
        "  recordings  " + (", ".join(f"{rate} Hz" for rate in d["sample_rates"] if rate) or "sample rate unknown"),
    ]
    if made is None:
        lines.append("  made by     unknown (no provenance in the file)")
    else:
        preset = made["params"].get("preset", "own") if isinstance(made["params"], dict) else "own"
        lines.append(
            f"  made by     spikedata-audio {made['package_version']} from {made['corpus']}, preset {preset}, "
            f"seed {made['seed']}"
        )
    return "\n".join(lines)


def _spread(values: np.ndarray) -> dict[str, float]:
    if not values.size:
        return {"min": 0, "mean": 0.0, "max": 0}
    return {"min": values.min().item(), "mean": float(values.mean()), "max": values.max().item()}


def _counts(counts: dict[Any, int], most: int = 40) -> str:
    # all the same: say it once
    shown = list(counts)[:most]
    dots = ", …" if len(counts) > most else ""
    if len(set(counts.values())) == 1:
        return f"{', '.join(map(str, shown))}{dots} ({next(iter(counts.values()))} each)"
    return ", ".join(f"{key}: {counts[key]}" for key in shown) + dots
