"""What is known of a data set, in the words that its card and its page share: content, origin, credit and checks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spikedata.downloads import DATASETS, origin_of
from spikedata.downloads.entries import DataSet
from spikedata.downloads.origin import Origin
from spikedata.downloads.registry import data_set_of
from spikedata.files.schema import TASK
from spikedata.printable import number_of
from spikedata.tasks import TASKS

UNNAMED = ("", "folder", "manifest", "files")  # corpora that have no name of their own
UNKNOWN_LICENSE = "unknown"
_LICENSES = {  # as Hugging Face names them
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 3.0": "cc-by-sa-3.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "MIT": "mit",
}


class Known(NamedTuple):
    """What the registry of published files and of corpora knows of a spike file.

    Attributes
    ----------
    origin : Origin
        Where the file comes from.
    entry : DataSet or None
        The registry's entry of it or of its recordings.
    license : str
        License of the recordings, as Hugging Face names it, or "unknown".
    """

    origin: Origin
    entry: DataSet | None
    license: str


def known_of(path: str | os.PathLike[str]) -> Known:
    """What the registry knows of a spike file.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    OSError
        If it does not exist or cannot be read.
    """
    origin = origin_of(path)
    entry = data_set_of(origin.published) if origin.published else DATASETS.get(origin.corpus)
    return Known(origin, entry, _LICENSES[entry.license] if entry else UNKNOWN_LICENSE)


def summary_of(d: Mapping[str, Any], corpus: str) -> str:
    """A data set in one sentence.

    Parameters
    ----------
    d : mapping
        Its description, from `spikedata.files.info.describe_file`, as for all functions here.
    corpus : str
        Name of its corpus; empty if unknown.
    """
    task = task_in(d)
    who = number_of(len(d["speakers"]), "speaker") if d["speakers"] else "" if task else "speakers who are not known"
    of = f"the task {task}" if task else f"the corpus {corpus}" if corpus not in UNNAMED else "recordings"
    counted = [number_of(len(d["classes"]), "class", "classes"), who, number_of(d["spikes"]["total"], "spike")]
    return (
        f"Spikes of {number_of(d['channels'], 'unit')} for {number_of(d['samples'], 'clip')} of {of}: "
        f"{', '.join(filter(None, counted))}."
    )


def content_of(d: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How much there is of what: rows of a table, a name and a value each.

    Parameters
    ----------
    d : mapping
        The description.
    """
    spikes, last = d["spikes"], d["last_spike"]
    return [
        ("clips", f"{d['samples']:,}"),
        ("units", f"{d['channels']:,}"),
        ("spikes", f"{spikes['total']:,}; per clip {spikes['mean']:,.0f} ({spikes['min']:,} to {spikes['max']:,})"),
        ("clips without spikes", f"{d['samples_without_spikes']:,}"),
        ("duration [s]", _durations(d)),
        ("last spike [s]", f"{last['mean']:.3f} ({last['min']:.3f} to {last['max']:.3f})"),
        ("sample rate [Hz]", ", ".join(str(rate) for rate in d["sample_rates"] if rate) or "unknown"),
        ("type of the times", d["times_dtype"]),
    ]


def how_it_was_made(d: Mapping[str, Any], published: Sequence[str], parts: Sequence[str]) -> str:
    """Which program made the spikes of what.

    Parameters
    ----------
    d : mapping
        The description.
    published : sequence of str
        A clause for each file that is a published one.
    parts : sequence of str
        Names of the parts of its split that the data set has.
    """
    made = d["provenance"]
    if published:
        return "; ".join(published) + "."
    if made is None:
        return "Not known: the file has no provenance, so another program wrote it."
    task = task_in(d)
    if task:
        only = f", {' and '.join(parts)}" if made["part"] else ""
        drawn = f"By spikedata-audio {made['package_version']}, the task {task}{only}; seed {made['seed']}."
        return f"{drawn} No ear heard it: params and seed determine every spike."
    part = f", {' and '.join(parts)} of the split “{made['split']}”" if made["part"] else ""
    return (
        f"By spikedata-audio {made['package_version']}, a model of the cochlea, from the corpus {made['corpus']}"
        f"{part}; preset {preset_of(d)}, seed {made['seed']}. Recordings, params and seed determine every spike."
    )


def preset_of(d: Mapping[str, Any]) -> str:
    """Name of the params of the cochlea; empty where the file does not say how it was made, or is of a task.

    Parameters
    ----------
    d : mapping
        The description.
    """
    made = d["provenance"]
    if made is None or task_in(d):
        return ""
    return str(made["params"].get("preset", "own")) if isinstance(made["params"], dict) else "own"


def task_in(d: Mapping[str, Any]) -> str:
    """Name of the task whose spikes a data set has; empty for those of a cochlea, or if unknown.

    Parameters
    ----------
    d : mapping
        The description.
    """
    params = (d["provenance"] or {}).get("params")
    return str(params.get(TASK, "")) if isinstance(params, dict) else ""


def credit_of(entry: DataSet | None, task: str = "") -> list[str]:
    """License and citation of the recordings, in paragraphs.

    Parameters
    ----------
    entry : DataSet or None
        The registry's entry of them.
    task : str
        Name of the task, for spikes that no ear made.
    """
    if task and entry is None:
        cited = TASKS[task].citation if task in TASKS else ""
        return ["A program drew the spikes: there are no recordings, and no license of any."] + (
            [f"Please cite: {cited}."] if cited else []
        )
    if entry is None:
        return ["The license of the recordings and how to cite them are not known to the program that wrote this card."]
    return [
        f"{entry.title}: {entry.license}. Page: {entry.homepage}",
        f"Please cite: {entry.citation}.",
        f"The spikes are made from these {'images' if task else 'recordings'}, so respect their license.",
    ]


def checks_of(d: Mapping[str, Any]) -> Iterator[str]:
    """What the file has passed, which splits it allows, and what was left out of it, a line each.

    Parameters
    ----------
    d : mapping
        The description.
    """
    found = d["integrity"]
    sums = "all checksums match" if found["checksums_fit"] else "the file has no checksums"
    yield f"{found['rows_checked']:,} rows read: times finite and not negative, units below {d['channels']:,}; {sums}"
    if d["splits"]:
        yield f"splits that can be made: {', '.join(d['splits'])}"
    if d["left_out"]:
        yield f"{len(d['left_out']):,} recordings were left out, the first: {d['left_out'][0]}"


def _durations(d: Mapping[str, Any]) -> str:
    each, n_unknown = d["durations"], d["samples_of_unknown_duration"]
    if n_unknown == d["samples"]:
        return "not in the file"
    unknown = f"; of {n_unknown:,} clips unknown" if n_unknown else ""
    return f"{each['mean']:.3f} ({each['min']:.3f} to {each['max']:.3f}), {each['total']:,.1f} together{unknown}"
